#include "compiler/strided_view.h"

#include <algorithm>
#include <numeric>

namespace xrun::compiler {
StridedView WholeView(ValueId source, const Shape& shape) {
  StridedView view{source, 0, shape, std::vector<int64_t>(shape.size(), 1)};
  for (size_t a = shape.size(); a-- > 1;) view.strides[a - 1] = view.strides[a] * shape[a];
  return view;
}

std::optional<StridedView> Reshaped(const StridedView& view, const Shape& shape) {
  if (Elements(view.shape) != Elements(shape) || Elements(shape) == 0) return std::nullopt;
  StridedView result{view.source, view.offset, shape, std::vector<int64_t>(shape.size(), 1)};
  // From the last axis on: runs of old axes that follow on each other in memory, cut into new axes.
  size_t next = shape.size();
  for (size_t a = view.shape.size(); a-- > 0;) {
    int64_t run = view.shape[a], stride = view.strides[a];
    if (run == 1) continue;
    while (a > 0 && (view.shape[a - 1] == 1 || view.strides[a - 1] == stride * run)) run *= view.shape[--a];
    while (run > 1) {
      if (next == 0) return std::nullopt;
      const int64_t size = shape[--next];
      if (run % size != 0) return std::nullopt;
      result.strides[next] = stride;
      stride *= size;
      run /= size;
    }
  }
  return result;
}

std::optional<StridedView> ViewThrough(const Graph& graph, const Node& node, const StridedView& in) {
  if (node.clamp) return std::nullopt;
  const Shape& shape = graph.at(node.outputs[0]).shape;
  StridedView out = in;
  out.shape = shape;
  switch (node.op) {
    case Op::kReshape:
      return Reshaped(in, shape);
    case Op::kTranspose: {
      const std::vector<int64_t>& perm = node.as<TransposeAttrs>().perm;
      for (size_t a = 0; a < perm.size(); ++a) out.strides[a] = in.strides[static_cast<size_t>(perm[a])];
      return out;
    }
    case Op::kSlice: {
      const auto& slice = node.as<SliceAttrs>();
      for (size_t a = 0; a < shape.size(); ++a) {
        out.offset += slice.begin[a] * in.strides[a];
        out.strides[a] *= slice.step[a];
      }
      return out;
    }
    default:
      return std::nullopt;
  }
}

std::optional<std::vector<int64_t>> OrderInMemory(const StridedView& view) {
  std::vector<int64_t> order(view.shape.size());
  std::iota(order.begin(), order.end(), 0);
  const auto stride = [&](int64_t a) { return view.strides[static_cast<size_t>(a)]; };
  const auto size = [&](int64_t a) { return view.shape[static_cast<size_t>(a)]; };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    if ((size(a) == 1) != (size(b) == 1)) return size(a) == 1;
    return size(a) != 1 && stride(a) > stride(b);
  });
  int64_t expected = 1;
  for (size_t i = order.size(); i-- > 0 && size(order[i]) != 1;) {
    if (stride(order[i]) != expected) return std::nullopt;
    expected *= size(order[i]);
  }
  return order;
}

}  // namespace xrun::compiler
