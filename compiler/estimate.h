#ifndef XRUN_COMPILER_ESTIMATE_H_
#define XRUN_COMPILER_ESTIMATE_H_

#include <array>
#include <vector>

#include "compiler/schedule.h"
#include "isa/hardware_config.h"

namespace xrun::compiler {

/// Requests of a launch that estimates are for: as many as throughput is stated for.
constexpr uint32_t kEstimatedRequests = 8;

/// Cycles of a request in a launch of so many, for a schedule with its tokens and weight rows: the four engines in the
/// order that tokens and ring allow, own cycles exact, a transfer's beats in one piece on each port. What choices are
/// made by; figures that people see come from the simulator's timed mode.
double EstimateCycles(const Schedule& schedule, const HardwareConfig& config);

/// When each instruction of a step's bodies starts and ends in a launch of one request, by the same play.
struct EstimatedTime {
  double start = 0, end = 0;
};
std::array<std::vector<EstimatedTime>, kEngines> EstimateTimes(const OverlayStep& step, const HardwareConfig& config);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_ESTIMATE_H_
