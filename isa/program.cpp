#include "isa/program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "isa/program_file.h"

namespace xrun {
namespace {

std::string Hex(uint64_t value) {
  std::string text;
  do {
    text.insert(text.begin(), "0123456789abcdef"[value & 0xF]);
    value >>= 4;
  } while (value != 0);
  return "0x" + text;
}

std::string Version(uint64_t major, uint64_t minor) { return std::to_string(major) + "." + std::to_string(minor); }

struct Header {
  uint16_t isa_minor = 0;
  uint64_t fingerprint = 0, capabilities = 0;
  uint32_t sections = 0;
};

Result<Header> ParseHeader(std::span<const uint8_t> file) {
  if (file.size() < sizeof(kProgramMagic) || std::memcmp(file.data(), kProgramMagic, sizeof(kProgramMagic)) != 0) {
    return Failure{"not a program file: it does not begin with XPRG", "programs are made by xcompile"};
  }
  if (file.size() < kProgramHeaderBytes) {
    return Failure{"cut off in the header: " + std::to_string(file.size()) + " of " +
                       std::to_string(kProgramHeaderBytes) + " bytes",
                   "the file is incomplete; copy or compile it again"};
  }
  const auto major = LoadInteger<uint16_t>(file, 4);
  const auto minor = LoadInteger<uint16_t>(file, 6);
  if (major != kFormatMajor) {
    return Failure{
        "program format " + Version(major, minor) + ", this version reads " + std::to_string(kFormatMajor) + ".x",
        "compile the model again with this version's xcompile"};
  }
  const uint64_t checksum = XXH64(file.data(), 56, 0);
  if (const auto expected = LoadInteger<uint64_t>(file, 56); checksum != expected) {
    return Failure{"header: checksum is " + Hex(checksum) + ", expected " + Hex(expected), "the file is damaged"};
  }
  const auto length = LoadInteger<uint64_t>(file, 16);
  if (length != file.size()) {
    return Failure{"the header says " + std::to_string(length) + " bytes, the file has " + std::to_string(file.size()),
                   "the file is incomplete or has something appended"};
  }
  const auto isa_major = LoadInteger<uint16_t>(file, 8);
  const auto isa_minor = LoadInteger<uint16_t>(file, 10);
  if (isa_major != kIsaMajor || isa_minor > kIsaMinor) {
    return Failure{
        "compiled for ISA " + Version(isa_major, isa_minor) + ", this version has " + Version(kIsaMajor, kIsaMinor),
        "compile the model again with this version's xcompile"};
  }
  Header header;
  header.isa_minor = isa_minor;
  header.fingerprint = LoadInteger<uint64_t>(file, 24);
  header.capabilities = LoadInteger<uint64_t>(file, 32);
  header.sections = LoadInteger<uint32_t>(file, 40);
  if (LoadInteger<uint32_t>(file, 12) != 0 || LoadInteger<uint32_t>(file, 44) != 0) {
    return Failure{"header: a reserved field is not zero", ""};
  }
  if (header.sections > kMaxSections || kProgramHeaderBytes + header.sections * kSectionEntryBytes > file.size()) {
    return Failure{"header: " + std::to_string(header.sections) + " sections, more than the file can hold", ""};
  }
  return header;
}

using Sections = std::array<std::optional<std::span<const uint8_t>>, std::size(kSections)>;

/// One entry of the table: checks it, and keeps its bytes if the section is known. `end` is where the section before
/// ended.
Status ParseSection(std::span<const uint8_t> file, size_t index, uint64_t& end, Sections& sections) {
  const size_t at = kProgramHeaderBytes + index * kSectionEntryBytes;
  const auto type = LoadInteger<uint32_t>(file, at);
  const auto flags = LoadInteger<uint32_t>(file, at + 4);
  const auto offset = LoadInteger<uint64_t>(file, at + 8);
  const auto length = LoadInteger<uint64_t>(file, at + 16);
  const auto checksum = LoadInteger<uint64_t>(file, at + 24);
  const auto alignment = LoadInteger<uint32_t>(file, at + 32);
  const auto* known = std::find_if(std::begin(kSections), std::end(kSections),
                                   [&](const auto& s) { return static_cast<uint32_t>(s.type) == type; });
  const bool is_known = known != std::end(kSections);
  const std::string name = is_known ? known->name : "of unknown type " + std::to_string(type);
  const std::string place = "section " + std::to_string(index) + " (" + name + ") at " + std::to_string(offset) + ": ";
  if ((flags & ~kSectionRequired) != 0 || LoadInteger<uint32_t>(file, at + 36) != 0) {
    return Failure{place + "unknown flags", "compiled by a newer version"};
  }
  if (!std::has_single_bit(alignment) || offset % alignment != 0 || (is_known && alignment < known->alignment)) {
    return Failure{place + "alignment " + std::to_string(alignment) + " is not kept or too small", ""};
  }
  if (offset < end || offset > file.size() || length > file.size() - offset) {
    return Failure{place + std::to_string(length) + " bytes overlap the section before or pass the end of the file",
                   ""};
  }
  for (uint64_t i = end; i < offset; ++i) {
    if (file[i] != 0) return Failure{place + "byte " + std::to_string(i) + " before it is not zero", ""};
  }
  end = offset + length;
  const auto bytes = file.subspan(offset, length);
  if (const uint64_t found = XXH64(bytes.data(), bytes.size(), 0); found != checksum) {
    return Failure{place + "checksum is " + Hex(found) + ", expected " + Hex(checksum), "the file is damaged"};
  }
  if (!is_known) {
    if ((flags & kSectionRequired) != 0) {
      return Failure{place + "needed, but unknown to this version", "compiled by a newer version"};
    }
    return {};
  }
  auto& slot = sections[static_cast<size_t>(known - std::begin(kSections))];
  if (slot.has_value()) return Failure{place + "stands twice in the file", ""};
  slot = bytes;
  return {};
}

Result<Sections> ParseSections(std::span<const uint8_t> file, uint32_t count) {
  const uint64_t table_bytes = count * kSectionEntryBytes;
  const uint64_t checksum = XXH64(file.data() + kProgramHeaderBytes, table_bytes, 0);
  if (const auto expected = LoadInteger<uint64_t>(file, 48); checksum != expected) {
    return Failure{"section table: checksum is " + Hex(checksum) + ", expected " + Hex(expected),
                   "the file is damaged"};
  }
  Sections sections;
  uint64_t end = kProgramHeaderBytes + table_bytes;
  for (uint32_t i = 0; i < count; ++i) XRUN_RETURN_IF_ERROR(ParseSection(file, i, end, sections));
  if (end != file.size()) return Failure{"bytes after the last section, from " + std::to_string(end), ""};
  for (size_t i = 0; i < std::size(kSections); ++i) {
    if (!sections[i].has_value()) return Failure{std::string("section ") + kSections[i].name + " is missing", ""};
  }
  return sections;
}

/// What metadata and instructions are read as; sections are aligned to more within the file.
constexpr size_t kFileAlignment = alignof(uint64_t);

/// `file` is aligned to kFileAlignment, as both callers see to.
Result<Program> Parse(std::span<const uint8_t> file, std::shared_ptr<const void> owner) {
  XRUN_ASSIGN_OR_RETURN(const Header header, ParseHeader(file));
  XRUN_ASSIGN_OR_RETURN(const Sections sections, ParseSections(file, header.sections));
  const auto instructions = *sections[1];
  if (instructions.size() % kInstructionBytes != 0) {
    return Failure{"section INSTRUCTIONS: " + std::to_string(instructions.size()) + " bytes are no whole instructions",
                   ""};
  }
  Program program;
  program.isa_minor = header.isa_minor;
  program.capabilities = header.capabilities;
  program.weights = *sections[2];
  program.storage.push_back(std::move(owner));
  const std::span<const InstructionWord> words(reinterpret_cast<const InstructionWord*>(instructions.data()),
                                               instructions.size() / kInstructionBytes);
  XRUN_RETURN_IF_ERROR(UnpackMetadata(*sections[0], words, *sections[3], program));
  if (const uint64_t found = Fingerprint(program.config); found != header.fingerprint) {
    return Failure{"the header's fingerprint is " + Hex(header.fingerprint) +
                       ", that of the configuration in METADATA " + Hex(found),
                   ""};
  }
  XRUN_RETURN_IF_ERROR(Verify(program));
  return program;
}

struct AlignedDelete {
  void operator()(uint8_t* p) const { ::operator delete[](p, std::align_val_t{kFileAlignment}); }
};

}  // namespace

Result<Program> ParseProgram(std::shared_ptr<const std::vector<uint8_t>> bytes, const std::string& where) {
  std::span<const uint8_t> file(*bytes);
  std::shared_ptr<const void> owner = std::move(bytes);
  if (reinterpret_cast<uintptr_t>(file.data()) % kFileAlignment != 0) {
    std::shared_ptr<uint8_t> copy(
        static_cast<uint8_t*>(::operator new[](std::max<size_t>(file.size(), 1), std::align_val_t{kFileAlignment})),
        AlignedDelete{});
    std::copy(file.begin(), file.end(), copy.get());
    file = {copy.get(), file.size()};
    owner = copy;
  }
  auto program = Parse(file, std::move(owner));
  if (!program.ok()) return std::move(program).failure().In(where);
  return program;
}

Result<Program> ReadProgram(const std::filesystem::path& path) {
  const auto failure = [&](int error) {
    return Failure{path.string() + ": cannot be read: " + std::system_category().message(error), ""};
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failure(errno);
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Failure{path.string() + ": not a regular file", ""};
  }
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) {
    ::close(fd);
    return Failure{path.string() + ": the file is empty", ""};
  }
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  ::close(fd);
  if (address == MAP_FAILED) return failure(error);
  const std::shared_ptr<const void> owner(address, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
  auto program = Parse({static_cast<const uint8_t*>(address), size}, owner);
  if (!program.ok()) return std::move(program).failure().In(path.string());
  return program;
}

}  // namespace xrun
