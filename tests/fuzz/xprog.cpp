// A program file. Nothing but a checksum stops most damage, so the checksums are made to fit, as an attacker would.
#include <xxhash.h>

#include "isa/program_file.h"
#include "tests/fuzz/target.h"

namespace {

void Seal(std::vector<uint8_t>& file) {
  using namespace xrun;
  if (file.size() < kProgramHeaderBytes) return;
  StoreInteger(file, 16, uint64_t{file.size()});
  const auto sections = LoadInteger<uint32_t>(file, 40);
  const size_t table = size_t{sections} * kSectionEntryBytes;
  if (sections <= kMaxSections && table <= file.size() - kProgramHeaderBytes) {
    for (size_t at = kProgramHeaderBytes; at < kProgramHeaderBytes + table; at += kSectionEntryBytes) {
      const auto offset = LoadInteger<uint64_t>(file, at + 8);
      const auto length = LoadInteger<uint64_t>(file, at + 16);
      if (offset > file.size() || length > file.size() - offset) continue;
      StoreInteger(file, at + 24, uint64_t{XXH64(file.data() + offset, length, 0)});
    }
    StoreInteger(file, 48, uint64_t{XXH64(file.data() + kProgramHeaderBytes, table, 0)});
  }
  StoreInteger(file, 56, uint64_t{XXH64(file.data(), 56, 0)});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xrun;
  std::vector<uint8_t> file(data, data + size);
  Seal(file);
  const auto program = ParseProgram(std::make_shared<const std::vector<uint8_t>>(std::move(file)), "program");
  if (!program.ok()) {
    fuzz::Require(!program.failure().message.empty(), "a refusal has a reason");
    return 0;
  }
  fuzz::Require(Verify(*program).ok(), "what was parsed verifies");
  const auto written = Serialize(*program);
  fuzz::Require(written.ok(), "what was parsed can be written");
  const auto again = ParseProgram(std::make_shared<const std::vector<uint8_t>>(*written), "program");
  fuzz::Require(again.ok(), "what was written can be parsed");
  return 0;
}
