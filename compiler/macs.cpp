#include "compiler/macs.h"

namespace xrun::compiler {

uint64_t Macs(const Graph& graph, const Node& node) {
  const auto elements = [&](ValueId id) { return static_cast<uint64_t>(Elements(graph.at(id).shape)); };
  switch (node.op) {
    case Op::kConv: {  // weights [M, C/g, KH, KW]: one of M at each output element
      const Shape& weights = graph.at(node.inputs[1]).shape;
      return elements(node.outputs[0]) * static_cast<uint64_t>(Elements(weights) / weights[0]);
    }
    case Op::kConvTranspose: {  // weights [C, M/g, KH, KW]: one of C at each input element
      const Shape& weights = graph.at(node.inputs[1]).shape;
      return elements(node.inputs[0]) * static_cast<uint64_t>(Elements(weights) / weights[0]);
    }
    case Op::kMatMul: {
      const Shape& a = graph.at(node.inputs[0]).shape;
      const int64_t length = node.as<MatMulAttrs>().transpose_a ? a[a.size() - 2] : a.back();
      return elements(node.outputs[0]) * static_cast<uint64_t>(length);
    }
    case Op::kFullyConnected:  // the sum runs over the last axis of the first operand
      return elements(node.outputs[0]) * static_cast<uint64_t>(graph.at(node.inputs[0]).shape.back());
    default:
      return 0;
  }
}

}  // namespace xrun::compiler
