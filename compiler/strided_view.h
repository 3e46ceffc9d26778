#ifndef XRUN_COMPILER_STRIDED_VIEW_H_
#define XRUN_COMPILER_STRIDED_VIEW_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Elements of another value, its source: index i of `shape` is the source's element offset + Σ i[a]·strides[a] in
/// row-major order. What moves do to a tensor, as long as nothing is copied.
struct StridedView {
  ValueId source = kNone;
  int64_t offset = 0;
  Shape shape;
  std::vector<int64_t> strides;
};

/// All of a value of this shape, in its own order.
StridedView WholeView(ValueId source, const Shape& shape);

/// The same elements in another shape, where strides can say that.
std::optional<StridedView> Reshaped(const StridedView& view, const Shape& shape);

/// What a Reshape, Transpose or Slice makes of a view of its input; nothing for other nodes and where strides cannot
/// say it.
std::optional<StridedView> ViewThrough(const Graph& graph, const Node& node, const StridedView& in);

/// The axes of a view, largest stride first, if it holds each element of a contiguous range of the source once; nothing
/// otherwise. The range begins at `offset`.
std::optional<std::vector<int64_t>> OrderInMemory(const StridedView& view);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_STRIDED_VIEW_H_
