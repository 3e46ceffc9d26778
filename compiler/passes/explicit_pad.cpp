#include <limits>
#include <utility>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace xrun::compiler {

namespace {

bool PadsOnlyThePlane(const PadAttrs& pad) {
  return pad.before.size() == 4 && pad.before[0] == 0 && pad.before[1] == 0 && pad.after[0] == 0 && pad.after[1] == 0;
}

/// Whether all elements are certainly at least 0: a MaxPool cannot tell padding with 0 from padding with nothing then.
bool NotNegative(Rewriter& rewriter, ValueId id) {
  const Node* node = rewriter.Producer(id);
  if (node == nullptr) return false;
  if (node->clamp) return node->clamp->lo >= 0;
  if (node->op != Op::kUnary || node->as<UnaryAttrs>().chain.empty()) return false;
  const UnaryFunction& last = node->as<UnaryAttrs>().chain.back();
  return last.kind == UnaryKind::kSigmoid || last.kind == UnaryKind::kHardSigmoid ||
         (last.kind == UnaryKind::kClip && last.a >= 0);
}

bool FillFits(Rewriter& rewriter, const Node& node, const Node& pad_node) {
  const float value = pad_node.as<PadAttrs>().value;
  if (node.op != Op::kMaxPool) return value == 0.0F;
  return value <= std::numeric_limits<float>::lowest() || (value == 0.0F && NotNegative(rewriter, pad_node.inputs[0]));
}

std::array<int64_t, 4> Sum(const std::array<int64_t, 4>& pads, const PadAttrs& pad) {
  return {pads[0] + pad.before[2], pads[1] + pad.before[3], pads[2] + pad.after[2], pads[3] + pad.after[3]};
}

/// The pool's attributes with the padding taken in; nothing when they would mean something else.
std::optional<PoolAttrs> PoolWithPads(const Node& node, const PadAttrs& pad) {
  PoolAttrs pool = node.as<PoolAttrs>();
  const std::array<int64_t, 4> none{pool.pads[0], pool.pads[1], pool.pads[2] - pool.ceil_pads[0],
                                    pool.pads[3] - pool.ceil_pads[1]};
  const bool padded = none != std::array<int64_t, 4>{0, 0, 0, 0};
  if (node.op == Op::kAveragePool) {
    if (padded && !pool.count_include_pad) return std::nullopt;
    pool.count_include_pad = true;  // the padded zeros were elements
  }
  pool.pads = Sum(pool.pads, pad);
  for (size_t d = 0; d < 2; ++d) {
    // A window must see some input (infer_shapes.cpp), dilated ones are left alone altogether.
    if (pool.pads[d] >= pool.kernel[d] || pool.pads[d + 2] - pool.ceil_pads[d] >= pool.kernel[d]) return std::nullopt;
    if (pool.dilation[d] != 1) return std::nullopt;
  }
  return pool;
}

}  // namespace

Result<bool> ExplicitPad(Graph& graph) {
  Rewriter rewriter(graph);
  for (size_t n = 0; n < rewriter.node_count(); ++n) {
    Node& node = rewriter.node(n);
    if (node.op != Op::kConv && node.op != Op::kMaxPool && node.op != Op::kAveragePool) continue;
    const Node* pad_node = rewriter.Producer(node.inputs[0]);
    if (pad_node == nullptr || pad_node->op != Op::kPad || graph.at(node.inputs[0]).dtype != DType::kFloat32) continue;
    const PadAttrs& pad = pad_node->as<PadAttrs>();
    if (!PadsOnlyThePlane(pad) || !FillFits(rewriter, node, *pad_node)) continue;
    if (node.op == Op::kConv) {
      node.as<ConvAttrs>().pads = Sum(node.as<ConvAttrs>().pads, pad);
    } else {
      const auto pool = PoolWithPads(node, pad);
      if (!pool) continue;
      node.attrs = *pool;
    }
    rewriter.SetInput(node, 0, pad_node->inputs[0]);
    node.origin.insert(node.origin.end(), pad_node->origin.begin(), pad_node->origin.end());
  }
  return rewriter.Finish();
}

}  // namespace xrun::compiler
