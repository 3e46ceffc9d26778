#ifndef XRUN_COMPILER_INFER_SHAPES_H_
#define XRUN_COMPILER_INFER_SHAPES_H_

#include <string>

#include "compiler/graph.h"

namespace xrun::compiler {

/// No tensor of a graph may have more elements than this; nothing we compile for comes near, and products of
/// dimensions below it cannot overflow.
constexpr int64_t kMaxElements = int64_t{1} << 31;

/// Kernel sizes, strides, dilations and pads beyond this are refused; sums and products of them cannot overflow.
constexpr int64_t kMaxWindowAttribute = 1 << 16;

/// Elements of a shape of positive dimensions; a failure when a dimension is not positive or the limit is passed.
Result<int64_t> CheckedElements(const Shape& shape);

/// NumPy's broadcasting of two shapes.
Result<Shape> BroadcastShapes(const Shape& a, const Shape& b);

/// "1x3x224x224"; "scalar" for rank 0.
std::string ShapeText(const Shape& shape);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_INFER_SHAPES_H_
