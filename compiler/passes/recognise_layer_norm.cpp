#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace xrun::compiler {

namespace {

class Finder {
 public:
  explicit Finder(Graph& graph) : rewriter_(graph) {}

  bool Run() {
    for (size_t n = 0; n < rewriter_.node_count(); ++n) {
      Node& node = rewriter_.node(n);
      if (!rewriter_.removed(n) && (node.op == Op::kDiv || node.op == Op::kMul)) Try(node);
    }
    return rewriter_.Finish();
  }

 private:
  struct Found {
    ValueId x = kNone;
    double epsilon = 0;
  };

  const Value& at(ValueId id) { return rewriter_.graph().at(rewriter_.Resolve(id)); }

  static bool Is(const UnaryFunction& f, UnaryKind kind) { return f.kind == kind; }

  /// The value of which `id` is the mean over the last axis, one number a row; kNone when it is not.
  ValueId MeanOfLast(ValueId id) {
    Node* node = rewriter_.Producer(id);
    if (node != nullptr && node->op == Op::kReduce) {
      const Shape& in = at(node->inputs[0]).shape;
      const auto& attrs = node->as<ReduceAttrs>();
      const bool last = attrs.kind == ReduceKind::kMean && attrs.axes == std::vector<int64_t>{std::ssize(in) - 1};
      return last ? rewriter_.Resolve(node->inputs[0]) : kNone;
    }
    if (node != nullptr && node->op == Op::kReshape) node = rewriter_.Producer(node->inputs[0]);
    if (node == nullptr || node->op != Op::kAveragePool || node->clamp) return kNone;
    const Node* plane = rewriter_.Producer(node->inputs[0]);
    if (plane == nullptr || plane->op != Op::kReshape) return kNone;
    const ValueId from = rewriter_.Resolve(plane->inputs[0]);
    const Shape& in = at(node->inputs[0]).shape;
    const Shape& source = at(from).shape;
    // [.., .., D, 1]: the last axis is one column of a plane.
    const bool last = source.size() > 1 && in[2] == source.back() && in[3] == 1;
    const auto& pool = node->as<PoolAttrs>();
    const bool whole = pool.kernel == std::array<int64_t, 2>{in[2], 1} && at(node->outputs[0]).shape[2] == 1;
    return last && whole ? from : kNone;
  }

  /// x, where `id` is x less the mean of its rows.
  ValueId Centered(ValueId id) {
    const Node* sub = rewriter_.Producer(id);
    if (sub == nullptr || sub->op != Op::kSub || sub->clamp) return kNone;
    const ValueId x = rewriter_.Resolve(sub->inputs[0]);
    return MeanOfLast(sub->inputs[1]) == x ? x : kNone;
  }

  /// What the rows of `centered` are divided by: sqrt(mean of its squares + epsilon), or the reciprocal.
  std::optional<double> Deviation(ValueId id, ValueId centered, bool reciprocal) {
    const Node* root = rewriter_.Producer(id);
    if (root == nullptr || root->op != Op::kUnary || root->clamp) return std::nullopt;
    const auto& chain = root->as<UnaryAttrs>().chain;
    if (chain.size() < 2 || !Is(chain[0], UnaryKind::kAffine) || chain[0].a != 1 || chain[0].b <= 0) {
      return std::nullopt;
    }
    const bool rooted = Is(chain[1], UnaryKind::kSqrt) && chain.size() == (reciprocal ? 3U : 2U) &&
                        (!reciprocal || Is(chain[2], UnaryKind::kReciprocal));
    const bool power =
        Is(chain[1], UnaryKind::kPowConst) && chain.size() == 2 && chain[1].a == (reciprocal ? -0.5 : 0.5);
    if (!rooted && !power) return std::nullopt;
    const ValueId squares = MeanOfLast(root->inputs[0]);
    const Node* square = squares == kNone ? nullptr : rewriter_.Producer(squares);
    if (square == nullptr || square->op != Op::kUnary || square->clamp) return std::nullopt;
    const auto& power_of_two = square->as<UnaryAttrs>().chain;
    if (power_of_two.size() != 1 || !Is(power_of_two[0], UnaryKind::kPowConst) || power_of_two[0].a != 2) {
      return std::nullopt;
    }
    // Some exporters subtract the mean twice, once for each use.
    const ValueId squared = rewriter_.Resolve(square->inputs[0]);
    if (squared != centered && (Centered(squared) == kNone || Centered(squared) != Centered(centered))) {
      return std::nullopt;
    }
    return chain[0].b;
  }

  std::optional<Found> Normalized(const Node& node) {
    if (node.clamp) return std::nullopt;
    const bool division = node.op == Op::kDiv;
    for (size_t side = 0; side < (division ? 1U : 2U); ++side) {
      const ValueId centered = rewriter_.Resolve(node.inputs[side]);
      const ValueId x = Centered(centered);
      if (x == kNone) continue;
      if (const auto epsilon = Deviation(node.inputs[1 - side], centered, !division)) return Found{x, *epsilon};
    }
    return std::nullopt;
  }

  /// The constant of one number a column with which `op` alone reads `id`, and the node; null when there is none.
  Node* ReaderWithColumns(ValueId id, Op op, int64_t columns, ValueId* constant) {
    if (!rewriter_.ReadOnce(id)) return nullptr;
    for (size_t n = 0; n < rewriter_.node_count(); ++n) {
      Node& reader = rewriter_.node(n);
      if (rewriter_.removed(n) || reader.op != op || reader.inputs.size() != 2) continue;
      for (size_t side = 0; side < 2; ++side) {
        if (rewriter_.Resolve(reader.inputs[side]) != rewriter_.Resolve(id)) continue;
        const ValueId other = reader.inputs[1 - side];
        if (!rewriter_.IsFloatConstant(other) || at(other).shape != Shape{columns}) return nullptr;
        *constant = other;
        return &reader;
      }
    }
    return nullptr;
  }

  void Try(Node& node) {
    const auto found = Normalized(node);
    if (!found) return;
    const Shape shape = at(found->x).shape;
    const int64_t columns = shape.back();
    std::vector<ValueId> inputs = {found->x};
    Node* last = &node;
    ValueId scale = kNone, bias = kNone;
    Node* scaled = ReaderWithColumns(node.outputs[0], Op::kMul, columns, &scale);
    if (scaled != nullptr) {
      rewriter_.FuseInto(*last, *scaled);
      inputs.push_back(scale);
      if (Node* shifted = scaled->clamp ? nullptr : ReaderWithColumns(last->outputs[0], Op::kAdd, columns, &bias)) {
        rewriter_.FuseInto(*last, *shifted);
        last->clamp = shifted->clamp;
        inputs.push_back(bias);
      } else {
        last->clamp = scaled->clamp;
      }
    } else {
      inputs.push_back(rewriter_.AddFloats(at(node.outputs[0]).name + ".ones", {columns},
                                           std::vector<float>(static_cast<size_t>(columns), 1.0F)));
    }
    rewriter_.Replace(*last, Op::kLayerNorm, LayerNormAttrs{std::ssize(shape) - 1, static_cast<float>(found->epsilon)},
                      std::move(inputs));
  }

  Rewriter rewriter_;
};

}  // namespace

Result<bool> RecogniseLayerNorm(Graph& graph) { return Finder(graph).Run(); }

}  // namespace xrun::compiler
