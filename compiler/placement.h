#ifndef XRUN_COMPILER_PLACEMENT_H_
#define XRUN_COMPILER_PLACEMENT_H_

#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Where the nodes of a quantized graph run, and in which order.

/// True for operators that Lower places on the overlay (int8 in, int8 out).
bool IsOverlayNode(const Graph& graph, const Node& node);

/// A Quantize whose only job is to convert a model input, or a Dequantize whose only job is to convert a model output:
/// the runtime does that at the border; no step is made for them.
bool IsBorderNode(const Graph& graph, const Node& node);

/// Operators that move int8 values without looking at them: exact on the CPU too.
bool OnlyMoves(const Graph& graph, const Node& node);

/// Nodes of one kind that run one after another.
struct StepNodes {
  bool overlay = false;
  std::vector<NodeId> nodes;
};

/// Order of execution: all overlay nodes that can run, then all CPU nodes that can, and so on.
std::vector<StepNodes> OrderSteps(const Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PLACEMENT_H_
