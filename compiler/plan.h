#ifndef XRUN_COMPILER_PLAN_H_
#define XRUN_COMPILER_PLAN_H_

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "compiler/memory_map.h"
#include "compiler/strips.h"

namespace xrun::compiler {

/// Consecutive layers that are scheduled together.
struct PlannedGroup {
  int32_t first = 0, last = 0;   ///< layers [first, last)
  std::optional<Strips> strips;  ///< none: one layer, cut by itself (schedule_conv.cpp and its like)
  uint32_t base = 0, end = 0;    ///< without strips: the words its tiles may use
  double cycles = 0;             ///< the cost model's figure
};

/// What planning found out about groups of layers; plans of the same partition, or of its first layers, may share one.
struct PlanCache {
  struct Choice {
    double cycles = std::numeric_limits<double>::infinity();
    std::shared_ptr<const Strips> strips;
  };
  struct Choices {
    FreeWords valid;
    Choice plain, shared;  ///< the better of both ways, where depthwise layers may be shared
  };
  /// First and last layer, roots on chip that it touches, rows of the machine's memories, PlanOptions::variant where it
  /// makes a difference.
  using Key = std::tuple<int32_t, int32_t, std::vector<int32_t>, uint32_t, uint32_t, int32_t>;
  /// Each for numbers of words that are free beside what is kept on chip.
  std::map<Key, std::vector<Choices>> choices;
};

struct PlanOptions {
  int32_t longest_group = 8;  ///< layers
  size_t states = 6;          ///< ways to divide memory that are kept at each border
  /// Layers [first, last) that have less than the whole machine: the first words and rows of its memories, as `share`
  /// has them. Groups end at both ends.
  struct Window {
    int32_t first = 0, last = 0;
    HardwareConfig share;
  };
  std::optional<Window> window = {};
  /// The first weights or rows of a group come while the group before still loads its last ones (schedule.cpp). A
  /// matter of the schedule, not of the plan: better in some networks, worse in others, whose strips then come late.
  bool loads_ahead = false;
  /// May be null. Partitions that share a cache and have tensors (`varied`, by root) that differ in where they live or
  /// for how long tell them apart by `variant`.
  PlanCache* cache = nullptr;
  int32_t variant = -1;
  std::vector<bool> varied = {};

  DepthwiseShare share = {};
  bool use_shares = true;  ///< where it is allowed; a cache answers for both

  /// What a group that begins at `layer` sees of the machine.
  const HardwareConfig& ConfigOf(int32_t layer, const HardwareConfig& config) const {
    return window && layer >= window->first && layer < window->last ? window->share : config;
  }
};

/// How a partition is computed: groups in order, and how full activation memory is.
struct Plan {
  PlanOptions options;
  std::vector<PlannedGroup> groups;
  uint64_t workspace_bytes = 0;
  double cycles = 0;                         ///< the cost model's figure
  uint64_t peak_words = 0, bound_words = 0;  ///< highest word used; most words that live at the same time
  std::vector<MemoryPiece> memory;           ///< who has which words when

  /// The array takes a part of a depthwise layer.
  bool SharesDepthwise() const;
};

/// Searches group borders, which tensors stay on chip between groups, and strip heights, by the cost model: least
/// cycles over all. Sets every tensor's place on chip and in the workspace. nullopt when nothing fits (tiles of single
/// layers through DRAM may). The same partition, configuration and options give the same plan.
std::optional<Plan> PlanPartition(Partition* partition, const HardwareConfig& config, const PlanOptions& options);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PLAN_H_
