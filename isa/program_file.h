#ifndef XRUN_ISA_PROGRAM_FILE_H_
#define XRUN_ISA_PROGRAM_FILE_H_

// The container of a program file: what program.cpp reads and program_write.cpp writes. Little-endian.
//
//   0   magic "XPRG"            24  fingerprint u64
//   4   format major u16        32  required capabilities u64
//   6   format minor u16        40  section count u32, zero u32
//   8   ISA major u16           48  XXH64 of the section table
//   10  ISA minor u16           56  XXH64 of bytes 0…55
//   12  zero u32                64  section table: 40 bytes a section
//   16  file length u64
//
// A section's entry: type u32, flags u32 (bit 0: a reader that does not know the type refuses the file), offset u64,
// length u64, XXH64 u64, alignment u32, zero u32. Sections stand in ascending order; bytes between them are zero.

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "isa/program.h"
#include "isa/result.h"

namespace xrun {

static_assert(std::endian::native == std::endian::little, "program files are used in place, as little-endian bytes");

inline constexpr char kProgramMagic[4] = {'X', 'P', 'R', 'G'};
inline constexpr size_t kProgramHeaderBytes = 64;
inline constexpr size_t kSectionEntryBytes = 40;
inline constexpr uint32_t kMaxSections = 64;
inline constexpr uint32_t kSectionRequired = 1;

enum class SectionType : uint32_t { kMetadata = 1, kInstructions = 2, kWeights = 3, kConstants = 4 };
inline constexpr struct {
  SectionType type;
  const char* name;
  uint32_t alignment;
} kSections[] = {{SectionType::kMetadata, "METADATA", 64},
                 {SectionType::kInstructions, "INSTRUCTIONS", 4096},
                 {SectionType::kWeights, "WEIGHTS", 4096},
                 {SectionType::kConstants, "CONSTANTS", 64}};
inline constexpr uint64_t kConstantAlignment = 64;

template <typename T>
T LoadInteger(std::span<const uint8_t> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <typename T>
void StoreInteger(std::span<uint8_t> bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

inline uint64_t AlignUp(uint64_t value, uint64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

/// The METADATA section of `program`.
std::vector<uint8_t> PackMetadata(const Program& program);

/// Fills `program` from the sections' bytes; spans point into them. Checks what can only be told here (the FlatBuffers
/// verifier, counts against section lengths); the rest is CheckStructure's. Allocates at most a small multiple of
/// the section's size, whatever its offsets point at.
Status UnpackMetadata(std::span<const uint8_t> metadata, std::span<const InstructionWord> instructions,
                      std::span<const uint8_t> constants, Program& program);

/// Largest buffer and tensor a program may speak of: what a 32-bit offset reaches.
inline constexpr uint64_t kMaxBufferBytes = uint64_t{1} << 32;

/// Everything about a program that does not need its instructions: indices, shapes, layouts, registers, order of
/// steps, ranges. Part of Verify().
Status CheckStructure(const Program& program);

}  // namespace xrun

#endif  // XRUN_ISA_PROGRAM_FILE_H_
