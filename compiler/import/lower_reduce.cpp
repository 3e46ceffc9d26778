// ReduceMean and Softmax: both work along axes.

#include <algorithm>
#include <utility>

#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

Result<std::vector<int64_t>> ReduceAxes(const Importer& importer, const NodeView& node, size_t rank) {
  std::vector<int64_t> axes;
  bool given = false;
  if (node.since() >= 18) {
    if (node.has_input(1)) {
      XRUN_ASSIGN_OR_RETURN(axes, importer.IntegerInput(node, 1, "axes"));
      given = !axes.empty();
    }
  } else {
    given = node.Has("axes");
    axes = node.Ints("axes");
  }
  if (!given) {
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  for (int64_t& axis : axes) {
    XRUN_ASSIGN_OR_RETURN(axis, NormalizeAxis(node, axis, rank));
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) return node.Fail("names an axis twice");
  return axes;
}

}  // namespace

/// The mean over H and W is an average pool over the whole plane. Neighbouring axes of any other tensor are brought
/// into that form by a reshape to [1, outer, axes, inner].
Status LowerReduceMean(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  const bool no_axes = node.since() >= 18 && node.Int("noop_with_empty_axes", 0) != 0;
  XRUN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReduceAxes(importer, node, x.size()));
  const bool keep = node.Int("keepdims", 1) != 0;
  XRUN_ASSIGN_OR_RETURN(ValueId value, importer.Input(node, 0));
  const bool axes_empty = node.since() >= 18 && (!node.has_input(1) || importer.Constant(node, 1)->elements() == 0);
  if ((no_axes && axes_empty) || axes.empty()) return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, x);
  const auto first = static_cast<size_t>(axes.front()), last = static_cast<size_t>(axes.back());
  if (last - first + 1 != axes.size()) {
    return node.Fail("reduces axes that are not neighbours", "split it in two ReduceMean nodes");
  }
  Shape target;
  for (size_t d = 0; d < x.size(); ++d) {
    if (d < first || d > last) {
      target.push_back(x[d]);
    } else if (keep) {
      target.push_back(1);
    }
  }
  PoolAttrs attrs;
  if (x.size() == 4 && first == 2 && last == 3) {
    attrs.kernel = {x[2], x[3]};
    if (keep) return importer.EmitFinal(node, Op::kAveragePool, attrs, {value});
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

/// Before opset 13 the softmax runs over all axes from `axis` on together, since then over the one axis.
Status LowerSoftmax(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
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
    XRUN_ASSIGN_OR_RETURN(
        value, importer.Emit(node, importer.Helper(node, "softmax"), Op::kSoftmax, AxisAttrs{rank}, {value}));
    return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, x);
  }
  XRUN_ASSIGN_OR_RETURN(axis, NormalizeAxis(node, axis, x.size()));
  const auto start = x.begin() + static_cast<std::ptrdiff_t>(axis);
  const bool one_axis = !flattens || Elements({start + 1, x.end()}) == 1;
  if (one_axis) return importer.EmitFinal(node, Op::kSoftmax, AxisAttrs{axis}, {value});
  const Shape flat{Elements({x.begin(), start}), Elements({start, x.end()})};
  XRUN_ASSIGN_OR_RETURN(value,
                        importer.Emit(node, importer.Helper(node, "flat"), Op::kReshape, NoAttrs{}, {value}, flat));
  XRUN_ASSIGN_OR_RETURN(value,
                        importer.Emit(node, importer.Helper(node, "softmax"), Op::kSoftmax, AxisAttrs{1}, {value}));
  return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, x);
}

}  // namespace xrun::compiler
