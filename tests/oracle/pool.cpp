#include <algorithm>
#include <map>
#include <set>

#include "float_layers.h"

namespace xrun::oracle {
namespace {

/// A result of `in`'s scale and zero point, of another shape, that waits for its QuantizeLinear.
Scaled ResultLike(const Scaled& in, Shape shape) {
  Scaled out;
  out.shape = std::move(shape);
  out.scale = in.scale;
  out.v.resize(Count(out.shape));
  return out;
}

const Scaled& Activation(const Op& op) {
  const Scaled& in = op.Quantized(0);
  if (!in.params) op.Fail("the input must have one scale and zero point");
  return in;
}

/// Gives each element the scale of `in` divided by its own count.
void DivideBy(const Scaled& in, const std::vector<int64_t>& counts, Scaled* out) {
  std::map<int64_t, uint32_t> group_of;
  out->scale.clear();
  out->group.resize(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto [it, added] = group_of.emplace(counts[i], static_cast<uint32_t>(group_of.size()));
    if (added) out->scale.push_back(in.scale[0] / counts[i]);
    out->group[i] = it->second;
  }
}

}  // namespace

int64_t Counted(const WindowAxis& axis, int64_t o, bool include_pad) {
  int64_t n = 0;
  for (int64_t k = 0; k < axis.kernel; ++k) {
    const int64_t position = axis.Position(o, k);
    if (include_pad ? position < axis.in + axis.pad_end : axis.Inside(position)) ++n;
  }
  return n;
}

Values MaxPool(const Op& op) {
  if (!op.IsInteger(0)) return FloatPool(op);
  const Scaled& in = Activation(op);
  if (op.output_count() > 1) op.Fail("the Indices output is not supported");
  const Window window = MakeWindow(op, in.shape, op.Ints("kernel_shape"));
  Scaled out = ResultLike(in, WindowShape(window, in.shape, in.shape[1]));
  // Padding never wins: it is −128, in terms of v = q − zp the least possible value.
  const int64_t padding = in.params->lo - in.params->zero_point;
  ForEachWindow(in.v, in.shape[0] * in.shape[1], window, [&](int64_t i, const std::vector<int64_t>& inside) {
    out.v[i] = padding;
    for (int64_t v : inside) out.v[i] = std::max(out.v[i], v);
  });
  return {MakeValue(std::move(out))};
}

Values AveragePool(const Op& op) {
  if (!op.IsInteger(0)) return FloatPool(op);
  const Scaled& in = Activation(op);
  const Window window = MakeWindow(op, in.shape, op.Ints("kernel_shape"));
  const bool include_pad = op.Int("count_include_pad", 0) != 0;
  Scaled out = ResultLike(in, WindowShape(window, in.shape, in.shape[1]));
  std::vector<int64_t> counts(out.v.size());
  ForEachWindow(in.v, in.shape[0] * in.shape[1], window, [&](int64_t i, const std::vector<int64_t>& inside) {
    for (int64_t v : inside) out.v[i] += v;
    const int64_t n = Counted(window.h, i / window.w.out % window.h.out, include_pad) *
                      Counted(window.w, i % window.w.out, include_pad);
    counts[i] = std::max<int64_t>(n, 1);  // a window wholly in the padding averages nothing: 0
  });
  DivideBy(in, counts, &out);
  return {MakeValue(std::move(out))};
}

/// ReduceMean over any axes, and GlobalAveragePool.
Values ReduceMean(const Op& op) {
  const Shape& in_shape = ShapeOf(op.Input(0));
  const size_t rank = in_shape.size();
  std::set<int64_t> reduced;
  bool keep = true;
  if (op.type() == "GlobalAveragePool") {
    if (rank < 3) op.Fail("the input must have spatial axes");
    for (size_t axis = 2; axis < rank; ++axis) reduced.insert(static_cast<int64_t>(axis));
  } else {
    keep = op.Int("keepdims", 1) != 0;
    const std::vector<int64_t> axes = op.IntsFrom("axes", 1).value_or(std::vector<int64_t>{});
    for (int64_t axis : axes) reduced.insert(op.Axis(axis, rank));
    if (axes.empty() && op.Int("noop_with_empty_axes", 0) != 0) return {op.Shared(0)};
    if (axes.empty())
      for (size_t axis = 0; axis < rank; ++axis) reduced.insert(static_cast<int64_t>(axis));
  }
  Shape kept = in_shape;  // with extents 1 where reduced: for the index computation
  Shape shape;
  int64_t n = 1;
  for (size_t axis = 0; axis < rank; ++axis) {
    const bool is_reduced = reduced.count(static_cast<int64_t>(axis)) != 0;
    if (is_reduced) n *= in_shape[axis];
    if (is_reduced) kept[axis] = 1;
    if (keep || !is_reduced) shape.push_back(kept[axis]);
  }
  if (!op.IsInteger(0)) return FloatMean(op, kept, shape);
  const Scaled& in = Activation(op);
  Scaled out = ResultLike(in, shape);
  const std::vector<int64_t> target = BroadcastIndex(kept, in.shape);
  for (size_t i = 0; i < in.v.size(); ++i) out.v[target[i]] += in.v[i];
  DivideBy(in, std::vector<int64_t>(out.v.size(), std::max<int64_t>(n, 1)), &out);
  return {MakeValue(std::move(out))};
}

}  // namespace xrun::oracle
