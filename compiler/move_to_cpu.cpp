#include "compiler/move_to_cpu.h"

#include <cassert>

#include "compiler/integer_form.h"
#include "compiler/placement.h"

namespace xrun::compiler {
namespace {

/// An int8 or int32 constant as real numbers.
ValueId DequantizedConstant(Graph* graph, ValueId id) {
  const Value& from = graph->at(id);
  const QuantParams& quant = *from.quant;
  const int64_t count = Elements(from.shape);
  int64_t inner = count;  // elements that share a scale, one after another
  for (int axis = 0; axis <= quant.axis; ++axis) inner /= from.shape[static_cast<size_t>(axis)];
  std::vector<float> data(static_cast<size_t>(count));
  for (size_t i = 0; i < data.size(); ++i) {
    const size_t channel = quant.axis < 0 ? 0 : i / static_cast<size_t>(inner) % quant.scale.size();
    const int32_t q = from.dtype == DType::kInt8 ? from.data<int8_t>()[i] : from.data<int32_t>()[i];
    data[i] = static_cast<float>(static_cast<double>(q - int64_t{quant.zero_point[channel]}) *
                                 static_cast<double>(quant.scale[channel]));
  }
  return graph->AddConstant(graph->UniqueName(from.name + ".float"), DType::kFloat32, from.shape, data.data());
}

ValueId AddFloatLike(Graph* graph, ValueId id) {
  Value value;
  value.name = graph->UniqueName(graph->at(id).name + ".float");
  value.shape = graph->at(id).shape;
  return graph->AddValue(std::move(value));
}

Node Conversion(const Graph& graph, Op op, ValueId from, ValueId to, const std::string& reason) {
  Node node;
  node.op = op;
  node.name = graph.at(op == Op::kDequantize ? to : from).name + (op == Op::kDequantize ? ".dequantize" : ".quantize");
  node.inputs = {from};
  node.outputs = {to};
  node.origin = {node.name};
  node.cpu_reason = reason;
  return node;
}

}  // namespace

bool IsQuantizedOperator(const Graph& graph, const Node& node) {
  if (node.op == Op::kQuantize || node.op == Op::kDequantize || node.inputs.empty()) return false;
  return graph.at(node.inputs[0]).dtype == DType::kInt8 && graph.at(node.outputs[0]).dtype == DType::kInt8;
}

void MoveToCpu(Graph* graph, NodeId id, const std::string& reason) {
  Node& moved = graph->nodes[static_cast<size_t>(id)];
  assert(IsQuantizedOperator(*graph, moved));
  moved.cpu_reason = reason;
  if (OnlyMoves(*graph, moved) || MakeIntegerForm(*graph, moved)) return;
  Node node = moved;
  std::vector<Node> replacement;
  const std::string conversion = "converts for '" + node.name + "', which runs on the CPU";
  for (ValueId& in : node.inputs) {
    if (in == kNone || !graph->at(in).quant) continue;
    if (graph->at(in).is_constant()) {
      in = DequantizedConstant(graph, in);
      continue;
    }
    const ValueId real = AddFloatLike(graph, in);
    replacement.push_back(Conversion(*graph, Op::kDequantize, in, real, conversion));
    in = real;
  }
  const ValueId result = node.outputs[0];
  node.outputs[0] = AddFloatLike(graph, result);
  Node back = Conversion(*graph, Op::kQuantize, node.outputs[0], result, conversion);
  replacement.push_back(std::move(node));
  replacement.push_back(std::move(back));
  auto& nodes = graph->nodes;
  nodes.erase(nodes.begin() + id);
  nodes.insert(nodes.begin() + id, std::make_move_iterator(replacement.begin()),
               std::make_move_iterator(replacement.end()));
}

}  // namespace xrun::compiler
