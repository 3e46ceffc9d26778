#ifndef XRUN_ISA_FOOTPRINT_H_
#define XRUN_ISA_FOOTPRINT_H_

#include <array>
#include <cstdint>
#include <vector>

#include "isa/assembly.h"
#include "isa/hardware_config.h"
#include "isa/isa.h"

namespace xrun {

/// The memories an instruction can touch, in the units its footprint counts: activation words, weight ring rows,
/// partial entries, vector memory rows, vector partial entries, DRAM bytes relative to a base register.
enum class Memory : uint8_t { kActivation, kWeightRing, kPartial, kVectorMemory, kVectorPartial, kDram };

/// `count` runs of `length` consecutive units, the i-th starting at `start + i * pitch`. Ring rows are given unwrapped:
/// units at or past weight_rows stand for units modulo weight_rows.
struct Access {
  Memory memory = Memory::kActivation;
  bool write = false;
  uint8_t base = 0;  ///< base register, for DRAM
  uint64_t start = 0, length = 0, pitch = 0, count = 1;
};

/// Everything an instruction reads and writes, exactly: the union of the runs is the set of units its semantics touch
/// (each at least once). The one source for the verifier's and simulator's limit, initialisation and race checks and
/// for the compiler's token insertion. The instruction's fields must satisfy CheckFields.
std::vector<Access> Footprint(const Instruction& instruction, const HardwareConfig& config);

/// Ring rows of a Conv's tables, with which its segment begins.
uint64_t ConvTableRows(const Conv& conv, const HardwareConfig& config);
/// Ring rows of a Conv's segment: tables, then per output group parameters (unless `keep`) and weights.
uint64_t ConvSegmentRows(const Conv& conv, const HardwareConfig& config);
/// Vector memory rows of a segment.
uint64_t DepthwiseSegmentRows(const Depthwise& depthwise, const HardwareConfig& config);
uint64_t PoolSegmentRows(const Pool& pool, const HardwareConfig& config);

/// Bytes of a word that LoadPacked takes from an image row; its `tail` from the next follow them.
inline uint32_t HeadBytes(const LoadPacked& packed) {
  return packed.taps != 0 ? packed.taps * packed.channels : packed.head;
}
/// Blocks of DRAM that LoadPacked reads, one for each row of words whose image row is inside.
struct PackedBlocks {
  uint64_t first = 0;   ///< row of words of the first block
  uint64_t rows = 0;    ///< number of blocks, 0 where nothing is read
  uint64_t offset = 0;  ///< of the first block's first byte from the base
  uint64_t bytes = 0;   ///< of a block
  uint64_t stride = 0;  ///< bytes from a block to the next
  uint64_t end() const { return rows == 0 ? 0 : offset + (rows - 1) * stride + bytes; }
};
/// Those of the heads, then those of the tails.
std::array<PackedBlocks, 2> BlocksOf(const LoadPacked& packed);
/// Bytes of a block that LoadMatrix reads.
uint64_t MatrixBlockBytes(const LoadMatrix& matrix, const HardwareConfig& config);

/// Pixel groups of a Conv: ceil(out_w · out_h / pixels).
uint64_t PixelGroups(const Conv& conv, const HardwareConfig& config);

}  // namespace xrun

#endif  // XRUN_ISA_FOOTPRINT_H_
