#ifndef XRUN_COMPILER_CONSTANT_OPS_H_
#define XRUN_COMPILER_CONSTANT_OPS_H_

#include <cstdint>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

// Evaluation of constants while compiling. Shapes have been checked by the callers (infer_shapes.h); bytes are
// row-major.

using Bytes = std::vector<uint8_t>;

/// Value of a float node (or Quantize) whose inputs are all constants, computed by the kernels of runtime/cpu.
Result<Bytes> EvaluateNode(const Graph& graph, const Node& node);
/// Whether EvaluateNode applies: every input is a constant. A Dequantize never does: it is what makes a constant an
/// int8 one.
bool CanEvaluate(const Graph& graph, const Node& node);

/// out[i] = f(a[broadcast i], b[broadcast i]) for the shape BroadcastShapes(a_shape, b_shape).
template <typename T, typename R = T, typename F>
std::vector<R> BroadcastBinary(const T* a, const Shape& a_shape, const T* b, const Shape& b_shape,
                               const Shape& out_shape, F f);

/// Row-major strides of `shape` seen through broadcasting to `out`: 0 on axes that repeat.
std::vector<int64_t> BroadcastStrides(const Shape& shape, const Shape& out);

/// Calls f(offset_a, offset_b) for every element of `shape` in row-major order.
template <typename F>
void ForEachOffset(const Shape& shape, const std::vector<int64_t>& strides_a, const std::vector<int64_t>& strides_b,
                   F f);

Bytes TransposeBytes(const Bytes& data, size_t element_size, const Shape& shape, const std::vector<int64_t>& perm);
/// `begin` and `step` per axis as in SliceAttrs; `out` is the shape of the result.
Bytes SliceBytes(const Bytes& data, size_t element_size, const Shape& shape, const std::vector<int64_t>& begin,
                 const std::vector<int64_t>& step, const Shape& out);
Bytes ConcatBytes(const std::vector<const Bytes*>& parts, size_t element_size, const std::vector<Shape>& shapes,
                  size_t axis);

// ------------------------------------------------------------------------------------------------- implementation

template <typename F>
void ForEachOffset(const Shape& shape, const std::vector<int64_t>& strides_a, const std::vector<int64_t>& strides_b,
                   F f) {
  if (shape.empty()) {
    f(int64_t{0}, int64_t{0});
    return;
  }
  // The last axis is a plain loop, the others count like an odometer.
  const size_t last = shape.size() - 1;
  const int64_t run = shape[last], step_a = strides_a[last], step_b = strides_b[last];
  std::vector<int64_t> index(shape.size(), 0);
  int64_t a = 0, b = 0;
  for (int64_t left = Elements(shape); left > 0; left -= run) {
    for (int64_t i = 0; i < run; ++i) f(a + i * step_a, b + i * step_b);
    for (size_t d = last; d-- > 0;) {
      a += strides_a[d];
      b += strides_b[d];
      if (++index[d] < shape[d]) break;
      a -= strides_a[d] * shape[d];
      b -= strides_b[d] * shape[d];
      index[d] = 0;
    }
  }
}

template <typename T, typename R, typename F>
std::vector<R> BroadcastBinary(const T* a, const Shape& a_shape, const T* b, const Shape& b_shape,
                               const Shape& out_shape, F f) {
  std::vector<R> out;
  out.reserve(static_cast<size_t>(Elements(out_shape)));
  ForEachOffset(out_shape, BroadcastStrides(a_shape, out_shape), BroadcastStrides(b_shape, out_shape),
                [&](int64_t ia, int64_t ib) { out.push_back(static_cast<R>(f(a[ia], b[ib]))); });
  return out;
}

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_CONSTANT_OPS_H_
