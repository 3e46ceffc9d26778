#ifndef XRUN_COMPILER_PLAN_H_
#define XRUN_COMPILER_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/memory_map.h"
#include "compiler/strips.h"

namespace xrun::compiler {

/// Consecutive layers that are scheduled together.
struct PlannedGroup {
  int32_t first = 0, last = 0;   ///< layers [first, last)
  std::optional<Strips> strips;  ///< none: one layer, cut by itself (schedule_conv.cpp and its like)
  uint32_t base = 0, end = 0;    ///< without strips: the words its tiles may use
};

/// How a partition is computed: groups in order, and how full activation memory is.
struct Plan {
  std::vector<PlannedGroup> groups;
  uint64_t workspace_bytes = 0;
  double cycles = 0;                         ///< the cost model's figure
  uint64_t peak_words = 0, bound_words = 0;  ///< highest word used; most words that live at the same time
  std::vector<MemoryPiece> memory;           ///< who has which words when
};

struct PlanOptions {
  int32_t longest_group = 8;  ///< layers
  size_t states = 6;          ///< ways to divide memory that are kept at each border
};

/// Searches group borders, which tensors stay on chip between groups, and strip heights, by the cost model: least
/// cycles over all. Sets every tensor's place on chip and in the workspace. nullopt when nothing fits (tiles of single
/// layers through DRAM may). The same partition, configuration and options give the same plan.
std::optional<Plan> PlanPartition(Partition* partition, const HardwareConfig& config, const PlanOptions& options);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PLAN_H_
