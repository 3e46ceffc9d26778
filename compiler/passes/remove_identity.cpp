#include <algorithm>
#include <cassert>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace xrun::compiler {

namespace {

bool IsWhole(const SliceAttrs& slice, const Shape& shape) {
  for (size_t d = 0; d < shape.size(); ++d) {
    if (slice.begin[d] != 0 || slice.end[d] != shape[d] || slice.step[d] != 1) return false;
  }
  return true;
}

/// A permutation that keeps the order of all axes longer than 1 moves no element.
bool MovesNothing(const TransposeAttrs& transpose, const Shape& shape) {
  int64_t last = -1;
  for (int64_t axis : transpose.perm) {
    if (shape[static_cast<size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

bool IsIdentity(const Graph& graph, const Node& node, const Shape& in) {
  const Shape& out = graph.at(node.outputs[0]).shape;
  if (node.clamp || in != out) return false;
  switch (node.op) {
    case Op::kReshape:
      return true;
    case Op::kTranspose:
      return MovesNothing(node.as<TransposeAttrs>(), in);
    case Op::kSlice:
      return IsWhole(node.as<SliceAttrs>(), in);
    case Op::kUnary:
      return node.as<UnaryAttrs>().chain.empty();
    case Op::kConcat:
      return node.inputs.size() == 1;
    case Op::kPad:  // same shape: all pads are 0
      return true;
    case Op::kMaxPool:
    case Op::kAveragePool: {
      const auto& pool = node.as<PoolAttrs>();
      return pool.kernel == std::array<int64_t, 2>{1, 1} && pool.stride == std::array<int64_t, 2>{1, 1};
    }
    default:
      return false;
  }
}

}  // namespace

Result<bool> RemoveIdentity(Graph& graph) {
  Rewriter rewriter(graph);
  for (size_t n = 0; n < rewriter.node_count(); ++n) {
    Node& node = rewriter.node(n);
    const ValueId input = rewriter.Resolve(node.inputs[0]);
    if (node.op == Op::kTranspose && MovesNothing(node.as<TransposeAttrs>(), graph.at(input).shape)) {
      node.op = Op::kReshape;  // axes of size 1 changed places
      node.attrs = NoAttrs{};
      rewriter.MarkChanged();
    }
    if (node.op == Op::kReshape) {
      Node* before = rewriter.Producer(input);
      if (before != nullptr && before->op == Op::kReshape && !before->clamp) {
        const bool only = rewriter.ReadOnce(input);
        rewriter.SetInput(node, 0, rewriter.Resolve(before->inputs[0]));
        if (only) node.origin.insert(node.origin.end(), before->origin.begin(), before->origin.end());
      }
    }
    if (IsIdentity(graph, node, graph.at(rewriter.Resolve(node.inputs[0])).shape)) rewriter.Bypass(node);
  }
  return rewriter.Finish();
}

}  // namespace xrun::compiler
