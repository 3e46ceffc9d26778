#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace xrun::compiler {

namespace {

using Chain = std::vector<UnaryFunction>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Exporters write 1/6 or sqrt(2) as float32, some with few digits.
bool Near(double a, double b) { return std::abs(a - b) <= 1e-5 * std::max(1e-3, std::abs(b)); }

bool Is(const UnaryFunction& f, UnaryKind kind) { return f.kind == kind; }
bool IsAffine(const UnaryFunction& f, double a, double b) {
  return f.kind == UnaryKind::kAffine && Near(f.a, a) && Near(f.b, b);
}
UnaryFunction Affine(double a, double b) { return {UnaryKind::kAffine, a, b}; }

/// Joins or rewrites the last functions of a chain once; false when nothing applies.
bool SimplifyTail(Chain& chain) {
  const size_t n = chain.size();
  const auto at = [&](size_t back) -> UnaryFunction& { return chain[n - back]; };
  const auto replace = [&](size_t count, const UnaryFunction& f) {
    chain.resize(n - count);
    chain.push_back(f);
    return true;
  };
  if (n >= 1 && Is(at(1), UnaryKind::kAffine) && std::abs(at(1).a - 1) < 1e-6 && at(1).b == 0) {
    chain.pop_back();
    return true;
  }
  if (n >= 4 && Is(at(3), UnaryKind::kExp) && IsAffine(at(2), 1, 1) && Is(at(1), UnaryKind::kReciprocal) &&
      (Is(at(4), UnaryKind::kNeg) || IsAffine(at(4), -1, 0))) {
    return replace(4, {UnaryKind::kSigmoid});
  }
  if (n >= 3 && Is(at(3), UnaryKind::kExp) && IsAffine(at(2), 1, 1) && Is(at(1), UnaryKind::kLog)) {
    return replace(3, {UnaryKind::kSoftplus});
  }
  // Clip(a x + b, 0, c) / c
  if (n >= 3 && Is(at(3), UnaryKind::kAffine) && Is(at(2), UnaryKind::kClip) && at(2).a == 0 && at(2).b > 0 &&
      std::isfinite(at(2).b) && IsAffine(at(1), 1 / at(2).b, 0)) {
    return replace(3, {UnaryKind::kHardSigmoid, at(3).a / at(2).b, at(3).b / at(2).b});
  }
  if (n < 2) return false;
  if (Is(at(2), UnaryKind::kAffine) && Is(at(1), UnaryKind::kAffine)) {
    return replace(2, Affine(at(1).a * at(2).a, at(1).a * at(2).b + at(1).b));
  }
  if (Is(at(2), UnaryKind::kNeg) && Is(at(1), UnaryKind::kAffine)) return replace(2, Affine(-at(1).a, at(1).b));
  if (Is(at(2), UnaryKind::kAffine) && Is(at(1), UnaryKind::kNeg)) return replace(2, Affine(-at(2).a, -at(2).b));
  if (Is(at(2), UnaryKind::kClip) && Is(at(1), UnaryKind::kClip)) {
    return replace(2, {UnaryKind::kClip, std::clamp(at(2).a, at(1).a, at(1).b), std::clamp(at(2).b, at(1).a, at(1).b)});
  }
  return false;
}

void Append(Chain& chain, const Chain& more) {
  for (const UnaryFunction& f : more) {
    chain.push_back(f);
    while (SimplifyTail(chain)) {
    }
  }
}

/// chain = factor · core; the factor is taken out of a trailing a·x + b (b relative to a).
double TakeFactor(Chain& chain) {
  if (chain.empty() || !Is(chain.back(), UnaryKind::kAffine) || chain.back().a == 0) return 1;
  const double factor = chain.back().a, offset = chain.back().b / factor;
  chain.pop_back();
  if (offset != 0) chain.push_back(Affine(1, offset));
  return factor;
}

/// x · f(x) as one function times a factor.
std::optional<std::pair<UnaryFunction, double>> TimesItself(const Chain& f) {
  using Found = std::pair<UnaryFunction, double>;
  switch (f.size()) {
    case 0:
      return Found{{UnaryKind::kPowConst, 2}, 1};
    case 1:
      if (Is(f[0], UnaryKind::kSigmoid)) return Found{{UnaryKind::kSilu}, 1};
      if (Is(f[0], UnaryKind::kHardSigmoid) && Near(f[0].a, 1.0 / 6) && Near(f[0].b, 0.5)) {
        return Found{{UnaryKind::kHardSwish}, 1};
      }
      return std::nullopt;
    case 2:
      if (IsAffine(f[0], 1, 3) && Is(f[1], UnaryKind::kClip) && f[1].a == 0 && f[1].b == 6) {
        return Found{{UnaryKind::kHardSwish}, 6};
      }
      if (IsAffine(f[0], 1.0 / 6, 0.5) && Is(f[1], UnaryKind::kClip) && f[1].a == 0 && f[1].b == 1) {
        return Found{{UnaryKind::kHardSwish}, 1};
      }
      if (Is(f[0], UnaryKind::kSoftplus) && Is(f[1], UnaryKind::kTanh)) return Found{{UnaryKind::kMish}, 1};
      return std::nullopt;
    case 3:
      if (IsAffine(f[0], std::sqrt(0.5), 0) && Is(f[1], UnaryKind::kErf) && IsAffine(f[2], 1, 1)) {
        return Found{{UnaryKind::kGelu}, 2};
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

/// f(x) · g(x) as one chain.
std::optional<Chain> Product(Chain f, Chain g) {
  double factor = TakeFactor(f) * TakeFactor(g);
  if (!f.empty()) std::swap(f, g);
  if (!f.empty()) return std::nullopt;
  const auto found = TimesItself(g);
  if (!found) return std::nullopt;
  factor *= found->second;
  Chain chain{found->first};
  Append(chain, {Affine(factor, 0)});
  return chain;
}

/// max(x, a x) with a in (0, 1).
std::optional<Chain> Maximum(Chain f, Chain g) {
  if (!f.empty()) std::swap(f, g);
  if (!f.empty() || g.size() != 1 || !Is(g[0], UnaryKind::kAffine) || g[0].b != 0) return std::nullopt;
  if (!(g[0].a > 0 && g[0].a < 1)) return std::nullopt;
  return Chain{{UnaryKind::kLeakyRelu, g[0].a}};
}

/// Arithmetic with one number as functions of the other operand.
std::optional<Chain> ScalarArithmetic(Op op, double c, bool constant_first) {
  switch (op) {
    case Op::kAdd:
      return Chain{Affine(1, c)};
    case Op::kSub:
      return Chain{constant_first ? Affine(-1, c) : Affine(1, -c)};
    case Op::kMul:
      return Chain{Affine(c, 0)};
    case Op::kDiv:
      if (constant_first) return Chain{{UnaryKind::kReciprocal}, Affine(c, 0)};
      if (c == 0) return std::nullopt;
      return Chain{Affine(1 / c, 0)};
    case Op::kMin:
      return Chain{{UnaryKind::kClip, -kInfinity, c}};
    case Op::kMax:
      return Chain{{UnaryKind::kClip, c, kInfinity}};
    case Op::kPow:
      if (constant_first) return std::nullopt;
      if (c == 0.5) return Chain{{UnaryKind::kSqrt}};
      return Chain{{UnaryKind::kPowConst, c}};
    case Op::kPRelu:
      if (constant_first) return std::nullopt;
      return Chain{{UnaryKind::kLeakyRelu, c}};
    default:
      return std::nullopt;
  }
}

class Recogniser {
 public:
  explicit Recogniser(Graph& graph) : graph_(graph), rewriter_(graph) {}

  bool Run() {
    // In execution order, so that a node finds its operands rewritten already.
    for (size_t n = 0; n < rewriter_.node_count(); ++n) {
      Node& node = rewriter_.node(n);
      if (graph_.at(node.outputs[0]).dtype != DType::kFloat32 || node.op == Op::kDequantize) continue;
      ScalarToUnary(node);
      PairToUnary(node);
      JoinUnary(node);
    }
    return rewriter_.Finish();
  }

 private:
  void BecomeUnary(Node& node, ValueId x, const Chain& functions) {
    Chain chain;
    Append(chain, functions);
    if (node.clamp) Append(chain, {{UnaryKind::kClip, node.clamp->lo, node.clamp->hi}});
    node.clamp.reset();
    rewriter_.Replace(node, Op::kUnary, UnaryAttrs{chain}, {x});
  }

  void ScalarToUnary(Node& node) {
    if (node.inputs.size() != 2) return;
    const bool first = rewriter_.IsFloatConstant(node.inputs[0]);
    if (first == rewriter_.IsFloatConstant(node.inputs[1])) return;
    const ValueId x = node.inputs[first ? 1 : 0];
    const Value& constant = graph_.at(node.inputs[first ? 0 : 1]);
    if (Elements(constant.shape) != 1 || graph_.at(x).shape != graph_.at(node.outputs[0]).shape) return;
    const auto chain = ScalarArithmetic(node.op, *constant.data<float>(), first);
    if (chain) BecomeUnary(node, x, *chain);
  }

  /// How a value may be written as functions of another: as itself, or as the chain of its producer.
  std::vector<std::pair<ValueId, Chain>> Readings(ValueId id) {
    std::vector<std::pair<ValueId, Chain>> readings{{id, {}}};
    const Node* node = rewriter_.Producer(id);
    if (node != nullptr && node->op == Op::kUnary) readings.emplace_back(node->inputs[0], node->as<UnaryAttrs>().chain);
    return readings;
  }

  /// Mul, Div and Max of two functions of one tensor.
  void PairToUnary(Node& node) {
    if (node.op != Op::kMul && node.op != Op::kDiv && node.op != Op::kMax) return;
    for (const auto& [x, f] : Readings(node.inputs[0])) {
      for (auto [y, g] : Readings(node.inputs[1])) {
        if (x != y || graph_.at(x).is_constant()) continue;
        if (node.op == Op::kDiv) Append(g, {{UnaryKind::kReciprocal}});
        const auto chain = node.op == Op::kMax ? Maximum(f, g) : Product(f, g);
        if (!chain) continue;
        AddOrigins(node);
        BecomeUnary(node, x, *chain);
        return;
      }
    }
  }

  /// The nodes that the pattern absorbs are part of what this node stands for, unless others read them too.
  void AddOrigins(Node& node) {
    for (ValueId id : node.inputs) {
      const Node* before = rewriter_.Producer(id);
      if (before == nullptr || before->op != Op::kUnary || !rewriter_.ReadOnce(id)) continue;
      node.origin.insert(node.origin.end(), before->origin.begin(), before->origin.end());
    }
  }

  void JoinUnary(Node& node) {
    if (node.op != Op::kUnary) return;
    Node* before = rewriter_.Producer(node.inputs[0]);
    if (before == nullptr || before->op != Op::kUnary || !rewriter_.ReadOnce(node.inputs[0])) return;
    Append(before->as<UnaryAttrs>().chain, node.as<UnaryAttrs>().chain);
    rewriter_.FuseInto(*before, node);
  }

  Graph& graph_;
  Rewriter rewriter_;
};

}  // namespace

Result<bool> RecognisePatterns(Graph& graph) {
  // What one round absorbed still counts as a reader until it is dropped; the next round joins across it. Every round
  // that changes something leaves fewer nodes that are not Unary, or fewer nodes.
  bool changed = false;
  while (Recogniser(graph).Run()) changed = true;
  return changed;
}

}  // namespace xrun::compiler
