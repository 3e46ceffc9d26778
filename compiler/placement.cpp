#include "compiler/placement.h"

#include <algorithm>

#include "compiler/lower_layer.h"

namespace xrun::compiler {
namespace {

/// Reshape [1,C,H,W] → [1,a,b,H,W], this Transpose (0,2,1,3,4), Reshape → [1,C,H,W].
bool IsChannelShuffle(const Graph& graph, const Node& node) {
  if (node.as<TransposeAttrs>().perm != std::vector<int64_t>{0, 2, 1, 3, 4}) return false;
  const Shape& split = graph.at(node.inputs[0]).shape;
  const NodeId before = graph.Producer(node.inputs[0]);
  const std::vector<NodeId> after = graph.Consumers(node.outputs[0]);
  if (before == kNone || after.size() != 1 || split[0] != 1 || graph.IsOutput(node.outputs[0])) return false;
  const Shape joined{1, split[1] * split[2], split[3], split[4]};
  const Node& first = graph.nodes[static_cast<size_t>(before)];
  const Node& last = graph.nodes[static_cast<size_t>(after[0])];
  return first.op == Op::kReshape && last.op == Op::kReshape && graph.at(first.inputs[0]).shape == joined &&
         graph.at(last.outputs[0]).shape == joined;
}

}  // namespace

bool IsOverlayNode(const Graph& graph, const Node& node) {
  const Value& out = graph.at(node.outputs[0]);
  const Value& in = graph.at(node.inputs[0]);
  if (out.dtype != DType::kInt8 || in.dtype != DType::kInt8) return false;
  const auto placeable = [&](ValueId id) { return OverlayDims(graph.at(id)).ok(); };
  switch (node.op) {
    case Op::kConv:
    case Op::kConvTranspose:
    case Op::kFullyConnected:
    case Op::kMaxPool:
    case Op::kAveragePool:
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kUnary:
    case Op::kPad:
      return true;
    case Op::kConcat:
    case Op::kSlice:
      return placeable(node.inputs[0]) && placeable(node.outputs[0]);
    case Op::kReshape: {
      if (placeable(node.inputs[0]) && placeable(node.outputs[0])) return true;
      const auto shuffles = [&](NodeId id) {
        return id != kNone && graph.nodes[static_cast<size_t>(id)].op == Op::kTranspose &&
               IsChannelShuffle(graph, graph.nodes[static_cast<size_t>(id)]);
      };
      const std::vector<NodeId> readers = graph.Consumers(node.outputs[0]);
      return shuffles(graph.Producer(node.inputs[0])) || (readers.size() == 1 && shuffles(readers[0]));
    }
    case Op::kTranspose:
      return IsChannelShuffle(graph, node);
    default:
      return false;
  }
}

bool IsBorderNode(const Graph& graph, const Node& node) {
  if (node.op == Op::kQuantize) {
    const ValueId in = node.inputs[0];
    if (std::find(graph.inputs.begin(), graph.inputs.end(), in) == graph.inputs.end()) return false;
    // Other float readers, or another quantization, need the float input itself.
    return graph.Consumers(in).size() == 1 && !graph.IsOutput(in);
  }
  if (node.op == Op::kDequantize) {
    const ValueId in = node.inputs[0], out = node.outputs[0];
    if (!graph.IsOutput(out) || !graph.Consumers(out).empty() || graph.IsOutput(in)) return false;
    // The value must come from the overlay, and only one model output can stand for it.
    const NodeId producer = graph.Producer(in);
    if (producer == kNone || !IsOverlayNode(graph, graph.nodes[static_cast<size_t>(producer)])) return false;
    for (const NodeId reader : graph.Consumers(in)) {
      const Node& other = graph.nodes[static_cast<size_t>(reader)];
      if (other.op == Op::kDequantize) return other.outputs[0] == out;
    }
    return false;
  }
  return false;
}

bool OnlyMoves(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::kTranspose:
    case Op::kReshape:
    case Op::kSlice:
    case Op::kConcat:
      break;
    default:
      return false;
  }
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId in) { return graph.at(in).quant == graph.at(node.outputs[0]).quant; });
}

std::vector<StepNodes> OrderSteps(const Graph& graph) {
  std::vector<bool> available(graph.values.size(), false);
  for (ValueId id : graph.inputs) available[static_cast<size_t>(id)] = true;
  std::vector<bool> done(graph.nodes.size(), false);
  const auto ready = [&](const Node& node) {
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id == kNone || graph.at(id).is_constant() || available[static_cast<size_t>(id)];
    });
  };
  const auto finish = [&](size_t i) {
    done[i] = true;
    for (ValueId id : graph.nodes[i].outputs) available[static_cast<size_t>(id)] = true;
  };

  std::vector<StepNodes> steps;
  size_t left = graph.nodes.size();
  for (bool overlay = true; left != 0; overlay = !overlay) {
    StepNodes step{overlay, {}};
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      if (done[i] || !ready(node)) continue;
      const bool border = IsBorderNode(graph, node);
      if (!border && IsOverlayNode(graph, node) != overlay) continue;
      finish(i);
      --left;
      if (!border) step.nodes.push_back(static_cast<NodeId>(i));
    }
    if (!step.nodes.empty()) steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace xrun::compiler
