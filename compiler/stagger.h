#ifndef XRUN_COMPILER_STAGGER_H_
#define XRUN_COMPILER_STAGGER_H_

// Staggered programs (isa/README.md, section 4): the end of many networks is bound by its weights' bytes and the
// beginning by the array. Cut in two halves that work side by side, the front one for a request and the back one for
// the request before, each uses what the other leaves.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "compiler/build_program.h"
#include "compiler/plan.h"
#include "compiler/schedule.h"
#include "isa/program.h"

namespace xrun::compiler {

/// Where to cut, and what the back half has of the on-chip memories.
struct StaggerCut {
  int32_t layer = 0;                          ///< the back half's first
  int32_t window_first = 0, window_last = 0;  ///< layers of the front half beside which the back half works
  uint32_t activation_rows = 0;               ///< of each bank, the last ones
  uint32_t weight_rows = 0;                   ///< of the weight memory, the last ones
  /// Cycles of the longest convolution beside the back half: what takes longer is cut by rows, so that the back half's
  /// weights need not wait for it.
  uint64_t longest_conv = 0;
};

/// A quarter of the time in which so many rows of weights arrive.
uint64_t LongestConv(uint32_t weight_rows, const HardwareConfig& config);

/// Whether the layers from `layer` on can be a back half: whether what they take from the others, and give, can go
/// through DRAM so.
bool CanCut(const Partition& partition, int32_t layer, const HardwareConfig& config);

struct StaggeredPartition {
  ScheduledPartition scheduled;
  std::vector<TileReport> tiles;
  MemoryMap memory;
  double cycles = std::numeric_limits<double>::infinity();  ///< of a request among others, by the estimate
};

/// Both halves planned, scheduled and merged, with weight rows and tokens. nullopt when they do not fit their shares;
/// then nothing was added to the weights.
std::optional<StaggeredPartition> ScheduleStaggered(const Partition& partition, const HardwareConfig& config,
                                                    const StaggerCut& cut, PlanOptions options, WeightImage* weights);

/// The best cut found in about 3 · `tries` schedules, by the estimate; nullopt where none is clearly better than
/// `cycles`, what a schedule after `plan`, without stagger, takes.
std::optional<StaggeredPartition> SearchStagger(const Partition& partition, const Plan& plan, double cycles,
                                                const HardwareConfig& config, size_t tries, WeightImage* weights);

/// A staggered schedule, wanted or not: the first that fits, of cuts, windows and shares that begin with a pick; for
/// tests.
std::optional<StaggeredPartition> ForceStagger(const Partition& partition, const HardwareConfig& config, uint32_t pick,
                                               const PlanOptions& options, WeightImage* weights);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_STAGGER_H_
