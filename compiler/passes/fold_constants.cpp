#include <utility>

#include "compiler/constant_ops.h"
#include "compiler/passes/passes.h"

namespace xrun::compiler {

Result<bool> FoldConstants(Graph& graph) {
  bool changed = false;
  std::vector<Node> kept;
  for (Node& node : graph.nodes) {
    const bool result_read = !graph.IsOutput(node.outputs[0]);
    if (!CanEvaluate(graph, node) || !result_read) {
      kept.push_back(std::move(node));
      continue;
    }
    XRUN_ASSIGN_OR_RETURN(Bytes data, EvaluateNode(graph, node));
    graph.at(node.outputs[0]).constant = std::make_shared<const Bytes>(std::move(data));
    changed = true;
  }
  graph.nodes = std::move(kept);
  if (changed) graph.RemoveDead();
  return changed;
}

}  // namespace xrun::compiler
