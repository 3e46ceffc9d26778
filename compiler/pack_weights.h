#ifndef XRUN_COMPILER_PACK_WEIGHTS_H_
#define XRUN_COMPILER_PACK_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "compiler/conv_phases.h"
#include "compiler/lower.h"

namespace xrun::compiler {

/// What one Conv instruction multiplies: output groups × input groups × kernel window part, of one phase.
struct ConvPart {
  uint32_t og0 = 0, ogn = 0, ig0 = 0, ign = 0, kh0 = 0, khn = 0, kw0 = 0, kwn = 0;
  bool last = true;  ///< carries the output stage: table and records are part of the segment
};

/// The bytes of the segment as isa/README.md section 5 lays them out. Channels that do not exist get the weight zero
/// point of their row, so that they add nothing; output channels that do not exist get all zeros.
std::vector<uint8_t> PackConvSegment(const Layer& layer, const PhaseView& phase, const OverlayTensor& in,
                                     const OverlayTensor& out, const ConvPart& part, const HardwareConfig& config);
/// Ring rows of the same.
uint32_t ConvSegmentRows(const Layer& layer, const ConvPart& part, const HardwareConfig& config);

/// Segment of a Depthwise instruction for groups [g0, g0 + gn) and kernel rows [kh0, kh0 + khn).
std::vector<uint8_t> PackDepthwiseSegment(const Layer& layer, const OverlayTensor& out, uint32_t g0, uint32_t gn,
                                          uint32_t kh0, uint32_t khn, bool last, const HardwareConfig& config);

/// A table alone, padded to whole vector memory rows, then `words` (multipliers by count) if any.
std::vector<uint8_t> PackTable(const std::optional<Table>& table, const std::vector<uint32_t>& words,
                               const HardwareConfig& config);

/// What a Conv segment holds beside weights, in whole ring rows: a group's record, the same for every channel; a table.
std::vector<uint8_t> PackRecord(const ChannelParams& params, const HardwareConfig& config);
std::vector<uint8_t> PackRingTable(const Table& table, const HardwareConfig& config);

/// A constant operand in the overlay's DRAM layout.
std::vector<uint8_t> PackConstant(const OverlayTensor& tensor, const HardwareConfig& config);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PACK_WEIGHTS_H_
