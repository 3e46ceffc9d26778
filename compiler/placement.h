#ifndef XRUN_COMPILER_PLACEMENT_H_
#define XRUN_COMPILER_PLACEMENT_H_

#include <string>
#include <string_view>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Where the nodes of a quantized graph run, and in which order.

/// kFolded: nothing to do at run time. Of a quantized graph's nodes that is a Quantize whose only job is to convert a
/// model input, or a Dequantize whose only job is to convert a model output: the runtime does that at the border.
enum class Place : uint8_t { kOverlay, kCpu, kFolded };
std::string_view Name(Place place);  ///< "overlay", "cpu", "folded": as programs and reports have it

/// Where something runs, why, and what would change that (empty where nothing would or nothing needs to).
struct Placement {
  Place place = Place::kFolded;
  std::string reason, hint;
};

/// The place of every node, by index.
std::vector<Placement> PlaceNodes(const Graph& graph);

/// True for an operator that an instruction computes, int8 to int8: what PlaceNodes starts from.
bool IsOverlayNode(const Graph& graph, const Node& node);

/// Operators that move int8 values without looking at them: exact on the CPU too.
bool OnlyMoves(const Graph& graph, const Node& node);

/// Nodes of one kind that run one after another.
struct StepNodes {
  bool overlay = false;
  std::vector<NodeId> nodes;
};

/// Order of execution: all overlay nodes that can run, then all CPU nodes that can, and so on.
std::vector<StepNodes> OrderSteps(const Graph& graph, const std::vector<Placement>& places);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PLACEMENT_H_
