#include <xxhash.h>

#include <cassert>

#include "isa/atomic_file.h"
#include "isa/program_file.h"

namespace xrun {
namespace {

void Append(std::vector<uint8_t>& bytes, const void* data, size_t size) {
  if (size == 0) return;
  const auto* first = static_cast<const uint8_t*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

std::vector<uint8_t> PackInstructions(const Program& program) {
  std::vector<uint8_t> bytes;
  for (const OverlayStep& step : program.overlay_steps) {
    for (size_t e = 0; e < kEngines; ++e) {
      Append(bytes, step.prologue[e].data(), step.prologue[e].size_bytes());
      Append(bytes, step.body[e].data(), step.body[e].size_bytes());
    }
  }
  return bytes;
}

std::vector<uint8_t> PackConstants(const Program& program) {
  std::vector<uint8_t> bytes;
  for (const ConstantData& constant : program.constants) {
    bytes.resize(AlignUp(bytes.size(), kConstantAlignment));
    Append(bytes, constant.bytes.data(), constant.bytes.size());
  }
  return bytes;
}

}  // namespace

Result<std::vector<uint8_t>> Serialize(const Program& program) {
  XRUN_RETURN_IF_ERROR(CheckStructure(program));
  const std::vector<uint8_t> metadata = PackMetadata(program);
  const std::vector<uint8_t> instructions = PackInstructions(program);
  const std::vector<uint8_t> constants = PackConstants(program);
  const std::span<const uint8_t> contents[] = {metadata, instructions, program.weights, constants};
  static_assert(std::size(contents) == std::size(kSections));

  std::vector<uint8_t> file(kProgramHeaderBytes + std::size(kSections) * kSectionEntryBytes);
  for (size_t i = 0; i < std::size(kSections); ++i) {
    file.resize(AlignUp(file.size(), kSections[i].alignment));
    const uint64_t offset = file.size();
    Append(file, contents[i].data(), contents[i].size());
    const size_t at = kProgramHeaderBytes + i * kSectionEntryBytes;
    StoreInteger(file, at, static_cast<uint32_t>(kSections[i].type));
    StoreInteger(file, at + 4, kSectionRequired);
    StoreInteger(file, at + 8, offset);
    StoreInteger(file, at + 16, uint64_t{contents[i].size()});
    StoreInteger(file, at + 24, uint64_t{XXH64(contents[i].data(), contents[i].size(), 0)});
    StoreInteger(file, at + 32, kSections[i].alignment);
  }
  std::memcpy(file.data(), kProgramMagic, sizeof(kProgramMagic));
  StoreInteger(file, 4, kFormatMajor);
  StoreInteger(file, 6, kFormatMinor);
  StoreInteger(file, 8, kIsaMajor);
  StoreInteger(file, 10, program.isa_minor);
  StoreInteger(file, 16, uint64_t{file.size()});
  StoreInteger(file, 24, Fingerprint(program.config));
  StoreInteger(file, 32, program.capabilities);
  StoreInteger(file, 40, static_cast<uint32_t>(std::size(kSections)));
  StoreInteger(file, 48,
               uint64_t{XXH64(file.data() + kProgramHeaderBytes, std::size(kSections) * kSectionEntryBytes, 0)});
  StoreInteger(file, 56, uint64_t{XXH64(file.data(), 56, 0)});
  return file;
}

Status WriteProgram(const Program& program, const std::filesystem::path& path) {
  auto bytes = Serialize(program);
  if (!bytes.ok()) return std::move(bytes).failure().In(path.string());
  return WriteFileAtomically(path, *bytes);
}

}  // namespace xrun
