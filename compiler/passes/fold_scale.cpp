#include <optional>
#include <utility>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace xrun::compiler {

namespace {

/// What a node does to each output channel of the operator before it: scale · x + shift.
struct ChannelAffine {
  ValueId x = kNone;
  std::vector<double> scale, shift;
};

/// A constant as one number per channel; nothing when it also varies along another axis.
std::optional<std::vector<double>> PerChannel(const Value& constant, const Shape& out, size_t axis) {
  const size_t missing = out.size() - constant.shape.size();
  bool varies = false;
  for (size_t d = 0; d < constant.shape.size(); ++d) {
    if (constant.shape[d] == 1) continue;
    if (d + missing != axis) return std::nullopt;
    varies = true;
  }
  std::vector<double> values(static_cast<size_t>(out[axis]));
  for (size_t c = 0; c < values.size(); ++c) values[c] = constant.data<float>()[varies ? c : 0];
  return values;
}

std::optional<ChannelAffine> ArithmeticAffine(Rewriter& rewriter, const Node& node) {
  if (node.op != Op::kAdd && node.op != Op::kSub && node.op != Op::kMul && node.op != Op::kDiv) return std::nullopt;
  const Graph& graph = rewriter.graph();
  const bool constant_first = rewriter.IsFloatConstant(node.inputs[0]);
  if (constant_first == rewriter.IsFloatConstant(node.inputs[1])) return std::nullopt;
  ChannelAffine affine;
  affine.x = node.inputs[constant_first ? 1 : 0];
  const Value& constant = graph.at(node.inputs[constant_first ? 0 : 1]);
  const Shape& out = graph.at(node.outputs[0]).shape;
  Node* linear = rewriter.Producer(affine.x);
  if (linear == nullptr || !IsFoldableLinear(rewriter, *linear) || graph.at(affine.x).shape != out) return std::nullopt;
  const auto values = PerChannel(constant, out, ChannelAxis(graph, *linear));
  if (!values) return std::nullopt;
  for (double value : *values) {
    double scale = 1, shift = 0;
    if (node.op == Op::kAdd) {
      shift = value;
    } else if (node.op == Op::kSub) {
      scale = constant_first ? -1 : 1;
      shift = constant_first ? value : -value;
    } else if (node.op == Op::kMul) {
      scale = value;
    } else {
      if (constant_first || value == 0) return std::nullopt;
      scale = 1 / value;
    }
    affine.scale.push_back(scale);
    affine.shift.push_back(shift);
  }
  return affine;
}

/// A Unary chain that begins with a·x + b.
std::optional<ChannelAffine> LeadingAffine(Rewriter& rewriter, const Node& node) {
  if (node.op != Op::kUnary || node.as<UnaryAttrs>().chain.empty()) return std::nullopt;
  const UnaryFunction& first = node.as<UnaryAttrs>().chain.front();
  Node* linear = rewriter.Producer(node.inputs[0]);
  if (first.kind != UnaryKind::kAffine || linear == nullptr || !IsFoldableLinear(rewriter, *linear))
    return std::nullopt;
  const Shape& out = rewriter.graph().at(node.outputs[0]).shape;
  const auto channels = static_cast<size_t>(out[ChannelAxis(rewriter.graph(), *linear)]);
  return ChannelAffine{node.inputs[0], std::vector<double>(channels, first.a), std::vector<double>(channels, first.b)};
}

}  // namespace

Result<bool> FoldScale(Graph& graph) {
  Rewriter rewriter(graph);
  for (size_t n = 0; n < rewriter.node_count(); ++n) {
    Node& node = rewriter.node(n);
    auto affine = ArithmeticAffine(rewriter, node);
    if (!affine) affine = LeadingAffine(rewriter, node);
    if (!affine || !rewriter.ReadOnce(affine->x)) continue;
    Node& linear = *rewriter.Producer(affine->x);
    XRUN_RETURN_IF_ERROR(ScaleOutput(rewriter, linear, affine->scale, affine->shift, "scaled"));
    if (node.op == Op::kUnary) {
      auto& chain = node.as<UnaryAttrs>().chain;
      chain.erase(chain.begin());
      if (!chain.empty()) continue;
    }
    linear.clamp = node.clamp;
    rewriter.FuseInto(linear, node);
  }
  return rewriter.Finish();
}

}  // namespace xrun::compiler
