#ifndef XRUN_TOOLS_DRIVER_CAUSES_H_
#define XRUN_TOOLS_DRIVER_CAUSES_H_

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "isa/program.h"
#include "simulator/timing_model.h"

namespace xrun::tools {

/// Where the array's cycles go: every cycle of the Conv engine's timeline belongs to one of these.
enum class ArrayTime : uint8_t {
  kSteps,      ///< multiplying; more than MACs over peak where channels or pixels do not fill the array
  kDepthwise,  ///< multiplying for depthwise layers, beside the vector engine
  kPortConflict,
  kRequantizeLanes,
  kPipelineFill,  ///< fill, drain, parameters and tables, decode
  kWeights,       ///< waits for a LoadWeights or LoadMatrix
  kDram,          ///< waits for activations that come or go
  kVector,
  kTokens,
  kFetch,
  kLaunch,  ///< the launch itself, and what other engines do after the last Conv
  kParts,
};
using ArrayTimes = std::array<uint64_t, static_cast<size_t>(ArrayTime::kParts)>;

struct StepTimes {
  ArrayTimes all{};
  std::map<uint32_t, ArrayTimes> nodes;  ///< by index into Program::nodes: those with Conv instructions
  std::set<uint32_t> depthwise;  ///< of these the depthwise layers: the array's peak is no measure for their MACs
};

/// Of all requests of the launch. `report` must have recorded.
StepTimes DivideArrayTime(const Program& program, const OverlayStep& step, const simulator::TimingReport& report);

/// Named causes of the gap between `times` and `bound` (MACs over the array's peak), in cycles, largest first. They add
/// up to the sum of `times` less `bound`.
std::vector<std::pair<std::string, double>> GapCauses(const ArrayTimes& times, double bound);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_CAUSES_H_
