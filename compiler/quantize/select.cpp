#include "compiler/quantize/select.h"

#include <algorithm>

namespace xrun::compiler {

namespace {

bool IsFloatConstant(const Graph& graph, ValueId id) {
  return id != kNone && graph.at(id).is_constant() && graph.at(id).dtype == DType::kFloat32;
}

bool IsMatrixOp(Op op) {
  return op == Op::kConv || op == Op::kConvTranspose || op == Op::kFullyConnected || op == Op::kMatMul;
}

bool MovesOnly(Op op) {
  return op == Op::kTranspose || op == Op::kReshape || op == Op::kSlice || op == Op::kConcat || op == Op::kResize ||
         op == Op::kGather;
}

/// Movement at the end of the model that the overlay's layout does not absorb (into another order of axes, or joining
/// what was brought into another shape), and what moves its results on: it would run on the CPU anyway, where int8 in
/// between gains nothing and may cost another rounding.
void LeaveTailFloat(const Graph& graph, const std::vector<NodeId>& producer,
                    const std::vector<std::vector<size_t>>& consumers, std::vector<bool>* selected) {
  const size_t count = graph.nodes.size();
  std::vector<bool> tail(count, false), left(count, false);
  for (size_t n = count; n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (!(*selected)[n] || !MovesOnly(node.op)) continue;
    const auto& readers = consumers[static_cast<size_t>(node.outputs[0])];
    tail[n] = std::all_of(readers.begin(), readers.end(), [&](size_t r) { return !(*selected)[r] || tail[r]; });
  }
  for (size_t n = 0; n < count; ++n) {
    if (!tail[n]) continue;
    const Node& node = graph.nodes[n];
    left[n] = node.op == Op::kTranspose || node.op == Op::kResize;
    for (ValueId id : node.inputs) {
      const NodeId from = producer[static_cast<size_t>(id)];
      if (from == kNone) continue;
      const bool reshaped = node.op == Op::kConcat && graph.nodes[static_cast<size_t>(from)].op == Op::kReshape;
      if (!(*selected)[static_cast<size_t>(from)] || reshaped) left[n] = true;
    }
    if (left[n]) (*selected)[n] = false;
  }
}

/// Slopes are exact multipliers of the overlay's records: one a channel, not negative.
std::string WhyPReluIsNotQuantizable(const Graph& graph, const Node& node) {
  if (!IsFloatConstant(graph, node.inputs[1])) return "its slopes are not constant";
  const Value& slopes = graph.at(node.inputs[1]);
  const Shape& in = graph.at(node.inputs[0]).shape;
  if (!SlopesPerChannel(in, slopes.shape)) return "its slopes are not one for all or one a channel";
  const float* data = slopes.data<float>();
  const bool fits = std::all_of(data, data + Elements(slopes.shape), [](float a) { return a >= 0 && a <= 128; });
  return fits ? "" : "a slope is outside 0…128";
}

}  // namespace

bool SlopesPerChannel(const Shape& in, const Shape& slopes) {
  if (Elements(slopes) == 1) return slopes.size() <= in.size();
  if (slopes.size() > in.size() || in.size() < 2) return false;
  // Aligned at the last axis: all ones but for axis 1.
  for (size_t a = 0; a < in.size(); ++a) {
    const size_t missing = in.size() - slopes.size();
    const int64_t size = a < missing ? 1 : slopes[a - missing];
    if (size != (a == 1 ? in[1] : 1)) return false;
  }
  return true;
}

bool KeepsParameters(Op op) {
  switch (op) {
    case Op::kMaxPool:
    case Op::kReshape:
    case Op::kTranspose:
    case Op::kSlice:
    case Op::kPad:
    case Op::kResize:
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
    case Op::kGather:
      return true;
    default:
      return false;
  }
}

std::string WhyNotQuantizable(const Graph& graph, const Node& node) {
  for (ValueId id : node.inputs) {
    if (id != kNone && graph.at(id).dtype != DType::kFloat32) {
      if (node.op == Op::kGather && id == node.inputs[1] && graph.at(id).is_constant()) continue;
      return "works on " + std::string(Name(graph.at(id).dtype));
    }
  }
  const Shape& result = graph.at(node.outputs[0]).shape;
  if (result.size() > 4 && !MovesOnly(node.op) && !IsMatrixOp(node.op)) {
    return "works on " + std::to_string(result.size()) + " axes, the overlay's layout has 4";
  }
  switch (node.op) {
    case Op::kConv:
    case Op::kConvTranspose:
    case Op::kFullyConnected:
      if (!IsFloatConstant(graph, node.inputs[1])) return "its weights are not constant";
      if (node.inputs.size() > 2 && node.inputs[2] != kNone && !IsFloatConstant(graph, node.inputs[2])) {
        return "its bias is not constant";
      }
      return "";
    case Op::kMatMul:
      if (graph.at(node.inputs[0]).shape.size() < 2 || graph.at(node.inputs[1]).shape.size() < 2) {
        return "an operand is a vector";
      }
      return "";
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kMaxPool:
    case Op::kAveragePool:
    case Op::kUnary:
    case Op::kConcat:
    case Op::kSlice:
    case Op::kPad:
    case Op::kReshape:
    case Op::kTranspose:
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
    case Op::kGather:
      return "";
    case Op::kPRelu:
      return WhyPReluIsNotQuantizable(graph, node);
    case Op::kResize:
      return node.as<ResizeAttrs>().mode == ResizeMode::kCubic ? "has no quantized form in mode cubic" : "";
    default:
      return "has no quantized form";
  }
}

std::string HowToQuantize(Op op) {
  switch (op) {
    case Op::kConv:
    case Op::kConvTranspose:
    case Op::kFullyConnected:
      return "make weights and bias initializers of the model";
    case Op::kMatMul:
      return "with operands of two axes or more it has one";
    case Op::kDiv:
      return "write it as a Mul with the reciprocal";
    case Op::kMin:
    case Op::kMax:
      return "with constant bounds write it as Clip";
    case Op::kPRelu:
      return "with constant slopes, one a channel and none negative, it has one";
    case Op::kPow:
      return "with a constant exponent it has one";
    case Op::kSoftmax:
      return "at the end of a model leave it out: the order of the classes stays the same";
    default:
      return "";
  }
}

std::vector<bool> SelectQuantized(const Graph& graph) {
  const size_t count = graph.nodes.size();
  std::vector<bool> selected(count);
  std::vector<NodeId> producer(graph.values.size(), kNone);
  std::vector<std::vector<size_t>> consumers(graph.values.size());
  for (size_t n = 0; n < count; ++n) {
    selected[n] = WhyNotQuantizable(graph, graph.nodes[n]).empty();
    for (ValueId id : graph.nodes[n].outputs) producer[static_cast<size_t>(id)] = static_cast<NodeId>(n);
    for (ValueId id : graph.nodes[n].inputs) {
      if (id != kNone) consumers[static_cast<size_t>(id)].push_back(n);
    }
  }
  LeaveTailFloat(graph, producer, consumers, &selected);
  // A cheap operator is worth quantizing only next to one that is quantized anyhow. Graph inputs count as such for
  // arithmetic, not for mere movement.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t n = 0; n < count; ++n) {
      const Node& node = graph.nodes[n];
      if (!selected[n] || IsMatrixOp(node.op)) continue;
      bool neighbour = false;
      for (ValueId id : node.inputs) {
        if (id == kNone || graph.at(id).is_constant()) continue;
        const NodeId from = producer[static_cast<size_t>(id)];
        neighbour |= from == kNone ? !KeepsParameters(node.op) : selected[static_cast<size_t>(from)];
      }
      for (ValueId id : node.outputs) {
        for (size_t to : consumers[static_cast<size_t>(id)]) neighbour |= selected[to];
      }
      if (!neighbour) selected[n] = false, changed = true;
    }
  }
  return selected;
}

}  // namespace xrun::compiler
