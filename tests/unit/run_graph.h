#ifndef XRUN_TESTS_UNIT_RUN_GRAPH_H_
#define XRUN_TESTS_UNIT_RUN_GRAPH_H_

#include <cstring>
#include <utility>
#include <vector>

#include "compiler/constant_ops.h"
#include "compiler/graph.h"

namespace xrun::test {

/// Runs a float or QDQ graph node by node on float inputs, in the order of graph.inputs. Float outputs come back in the
/// order of graph.outputs.
inline Result<std::vector<std::vector<float>>> RunGraph(compiler::Graph graph,
                                                        const std::vector<std::vector<float>>& inputs) {
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(inputs[i].data());
    graph.at(graph.inputs[i]).constant =
        std::make_shared<const compiler::Bytes>(bytes, bytes + inputs[i].size() * sizeof(float));
  }
  for (const compiler::Node& node : graph.nodes) {
    XRUN_ASSIGN_OR_RETURN(compiler::Bytes data, compiler::EvaluateNode(graph, node));
    graph.at(node.outputs[0]).constant = std::make_shared<const compiler::Bytes>(std::move(data));
  }
  std::vector<std::vector<float>> outputs;
  for (compiler::ValueId id : graph.outputs) {
    const compiler::Value& value = graph.at(id);
    outputs.emplace_back(value.data<float>(), value.data<float>() + compiler::Elements(value.shape));
  }
  return outputs;
}

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_RUN_GRAPH_H_
