#ifndef XRUN_COMPILER_PLACEMENT_H_
#define XRUN_COMPILER_PLACEMENT_H_

#include <string>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Where the nodes of a quantized graph run, and in which order.

/// kBorder: a Quantize whose only job is to convert a model input, or a Dequantize whose only job is to convert a model
/// output: the runtime does that at the border; no step is made for them.
enum class Place : uint8_t { kOverlay, kCpu, kBorder };

struct NodePlace {
  Place place = Place::kCpu;
  std::string reason;  ///< in words, for reports
};

/// The place of every node, by index.
std::vector<NodePlace> PlaceNodes(const Graph& graph);

/// Operators that move int8 values without looking at them: exact on the CPU too.
bool OnlyMoves(const Graph& graph, const Node& node);

/// Nodes of one kind that run one after another.
struct StepNodes {
  bool overlay = false;
  std::vector<NodeId> nodes;
};

/// Order of execution: all overlay nodes that can run, then all CPU nodes that can, and so on.
std::vector<StepNodes> OrderSteps(const Graph& graph, const std::vector<NodePlace>& places);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PLACEMENT_H_
