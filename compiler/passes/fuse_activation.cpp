#include <algorithm>
#include <utility>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace xrun::compiler {

namespace {

bool TakesClamp(Op op) {
  switch (op) {
    case Op::kConv:
    case Op::kConvTranspose:
    case Op::kFullyConnected:
    case Op::kMatMul:
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kAveragePool:
      return true;
    default:
      return false;
  }
}

/// The clamp that does `first`, then `then`.
Clamp Joined(const std::optional<Clamp>& first, const Clamp& then) {
  if (!first) return then;
  return {std::clamp(first->lo, then.lo, then.hi), std::clamp(first->hi, then.lo, then.hi)};
}

}  // namespace

Result<bool> FuseActivation(Graph& graph) {
  Rewriter rewriter(graph);
  for (size_t n = 0; n < rewriter.node_count(); ++n) {
    Node& node = rewriter.node(n);
    if (node.op != Op::kUnary || node.as<UnaryAttrs>().chain.empty()) continue;
    auto& chain = node.as<UnaryAttrs>().chain;
    Node* before = rewriter.Producer(node.inputs[0]);
    if (chain.front().kind != UnaryKind::kClip || before == nullptr || !TakesClamp(before->op)) continue;
    if (graph.at(node.inputs[0]).dtype != DType::kFloat32 || !rewriter.ReadOnce(node.inputs[0])) continue;
    const Clamp clamp{static_cast<float>(chain.front().a), static_cast<float>(chain.front().b)};
    before->clamp = Joined(before->clamp, clamp);
    chain.erase(chain.begin());
    if (chain.empty()) rewriter.FuseInto(*before, node);
    rewriter.MarkChanged();
  }
  return rewriter.Finish();
}

}  // namespace xrun::compiler
