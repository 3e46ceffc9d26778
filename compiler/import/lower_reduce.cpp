// Reductions, Softmax and LogSoftmax: they work along axes.

#include <algorithm>
#include <cassert>
#include <utility>

#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

/// Axes are an input from this version of the operator on.
int AxesAsInput(const std::string& op) { return op == "ReduceSum" ? 13 : 18; }

struct Reduction {
  std::vector<int64_t> axes;  ///< ascending
  bool keep_dims = true;
};

/// No axes mean all of them, unless noop_with_empty_axes.
Result<Reduction> ReductionOf(const Importer& importer, const NodeView& node, size_t rank) {
  Reduction reduction;
  reduction.keep_dims = node.Int("keepdims", 1) != 0;
  std::vector<int64_t>& axes = reduction.axes;
  bool all = true;
  if (node.since() >= AxesAsInput(node.op())) {
    const bool nothing = node.Int("noop_with_empty_axes", 0) != 0;
    if (node.has_input(1)) {
      XRUN_ASSIGN_OR_RETURN(axes, importer.IntegerInput(node, 1, "axes"));
    }
    all = axes.empty() && !nothing;
  } else {
    if (node.input_count() > 1) return node.Fail("has axes as an input, which came with a later opset");
    all = !node.Has("axes");
    axes = node.Ints("axes");
  }
  for (size_t d = 0; all && d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  for (int64_t& axis : axes) {
    XRUN_ASSIGN_OR_RETURN(axis, NormalizeAxis(node, axis, rank));
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) return node.Fail("names an axis twice");
  return reduction;
}

/// The mean over neighbouring axes: an average pool over the whole plane of H and W, or of [1, outer, axes, inner].
Status LowerMean(Importer& importer, const NodeView& node, const Reduction& reduction, const Shape& x) {
  const std::vector<int64_t>& axes = reduction.axes;
  const auto first = static_cast<size_t>(axes.front()), last = static_cast<size_t>(axes.back());
  XRUN_ASSIGN_OR_RETURN(ValueId value, importer.Input(node, 0));
  Shape target;
  for (size_t d = 0; d < x.size(); ++d) {
    if (d < first || d > last) {
      target.push_back(x[d]);
    } else if (reduction.keep_dims) {
      target.push_back(1);
    }
  }
  PoolAttrs attrs;
  if (x.size() == 4 && first == 2 && last == 3) {
    attrs.kernel = {x[2], x[3]};
    if (reduction.keep_dims) return importer.EmitFinal(node, Op::kAveragePool, attrs, {value});
  } else {
    const auto at = [&](size_t d) { return x.begin() + static_cast<std::ptrdiff_t>(d); };
    const Shape plane{1, Elements({x.begin(), at(first)}), Elements({at(first), at(last + 1)}),
                      Elements({at(last + 1), x.end()})};
    attrs.kernel = {plane[2], 1};
    XRUN_ASSIGN_OR_RETURN(value,
                          importer.Emit(node, importer.Helper(node, "plane"), Op::kReshape, NoAttrs{}, {value}, plane));
  }
  XRUN_ASSIGN_OR_RETURN(value, importer.Emit(node, importer.Helper(node, "mean"), Op::kAveragePool, attrs, {value}));
  return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, target);
}

ReduceKind KindOf(const std::string& op) {
  constexpr std::pair<const char*, ReduceKind> kKinds[] = {
      {"ReduceSum", ReduceKind::kSum},       {"ReduceMean", ReduceKind::kMean},
      {"ReduceMax", ReduceKind::kMax},       {"ReduceMin", ReduceKind::kMin},
      {"ReduceProd", ReduceKind::kProd},     {"ReduceL1", ReduceKind::kL1},
      {"ReduceL2", ReduceKind::kL2},         {"ReduceSumSquare", ReduceKind::kSumSquare},
      {"ReduceLogSum", ReduceKind::kLogSum}, {"ReduceLogSumExp", ReduceKind::kLogSumExp}};
  for (const auto& [name, kind] : kKinds) {
    if (op == name) return kind;
  }
  assert(false && "an operator in the table without its reduction");
  return ReduceKind::kSum;
}

/// noop_with_empty_axes: nothing is summed, but what is done before and after the sum is (a square, a logarithm), as
/// over one more axis of 1.
Status LowerEmptyReduction(Importer& importer, const NodeView& node, ValueId value, const Shape& x) {
  const ReduceKind kind = KindOf(node.op());
  const bool plain = kind == ReduceKind::kSum || kind == ReduceKind::kMean || kind == ReduceKind::kMax ||
                     kind == ReduceKind::kMin || kind == ReduceKind::kProd;
  if (plain) return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, x);
  Shape column = x;
  column.push_back(1);
  XRUN_ASSIGN_OR_RETURN(value,
                        importer.Emit(node, importer.Helper(node, "column"), Op::kReshape, NoAttrs{}, {value}, column));
  return importer.EmitFinal(node, Op::kReduce, ReduceAttrs{kind, {static_cast<int64_t>(x.size())}, false}, {value});
}

}  // namespace

/// ReduceMean of neighbouring axes as far as a pool can be; everything else is a Reduce.
Status LowerReduce(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(Reduction reduction, ReductionOf(importer, node, x.size()));
  const std::vector<int64_t>& axes = reduction.axes;
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  if (axes.empty()) return LowerEmptyReduction(importer, node, value, x);
  const bool neighbours = axes.back() - axes.front() + 1 == static_cast<int64_t>(axes.size());
  int64_t window = 1;
  for (int64_t axis : axes) window *= x[static_cast<size_t>(axis)];
  const bool pools = neighbours && window <= kMaxWindowAttribute;
  if (node.op() == "ReduceMean" && pools) return LowerMean(importer, node, reduction, x);
  return importer.EmitFinal(node, Op::kReduce, ReduceAttrs{KindOf(node.op()), axes, reduction.keep_dims}, {value});
}

/// Softmax and LogSoftmax. Before opset 13 they run over all axes from `axis` on together, since then over the one
/// axis.
Status LowerSoftmax(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  const Op op = node.op() == "LogSoftmax" ? Op::kLogSoftmax : Op::kSoftmax;
  const bool flattens = node.since() < 13;
  int64_t axis = node.Int("axis", flattens ? 1 : -1);
  if (node.since() == 1 && axis < 0) return node.Fail("axis is negative");
  XRUN_ASSIGN_OR_RETURN(ValueId value, importer.Input(node, 0));
  const auto rank = static_cast<int64_t>(x.size());
  if (flattens && axis == rank) {
    // An empty run of axes: every element is alone, as in [elements, 1].
    Shape column = x;
    column.push_back(1);
    XRUN_ASSIGN_OR_RETURN(value,
                          importer.Emit(node, importer.Helper(node, "flat"), Op::kReshape, NoAttrs{}, {value}, column));
    XRUN_ASSIGN_OR_RETURN(value, importer.Emit(node, importer.Helper(node, "softmax"), op, AxisAttrs{rank}, {value}));
    return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, x);
  }
  XRUN_ASSIGN_OR_RETURN(axis, NormalizeAxis(node, axis, x.size()));
  const auto start = x.begin() + static_cast<std::ptrdiff_t>(axis);
  const bool one_axis = !flattens || Elements({start + 1, x.end()}) == 1;
  if (one_axis) return importer.EmitFinal(node, op, AxisAttrs{axis}, {value});
  const Shape flat{Elements({x.begin(), start}), Elements({start, x.end()})};
  XRUN_ASSIGN_OR_RETURN(value,
                        importer.Emit(node, importer.Helper(node, "flat"), Op::kReshape, NoAttrs{}, {value}, flat));
  XRUN_ASSIGN_OR_RETURN(value, importer.Emit(node, importer.Helper(node, "softmax"), op, AxisAttrs{1}, {value}));
  return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, x);
}

}  // namespace xrun::compiler
