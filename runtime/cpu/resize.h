#ifndef XRUN_RUNTIME_CPU_RESIZE_H_
#define XRUN_RUNTIME_CPU_RESIZE_H_

#include <cstddef>
#include <cstdint>

#include "runtime/cpu/op.h"

namespace xrun {

/// The position of output element `out` along an axis in the coordinates of the input, as ONNX's Resize defines it for
/// each coordinate transformation, in double.
double ResizePosition(const ResizeAttrs& attrs, size_t axis, int64_t in_size, int64_t out_size, int64_t out);

/// What an output element takes from its axis: `count` neighbours (clamped to the input) with weights that sum to 1.
struct ResizeTaps {
  int count = 1;
  int64_t index[4] = {0, 0, 0, 0};
  double weight[4] = {1, 0, 0, 0};
};
ResizeTaps TapsAt(const ResizeAttrs& attrs, size_t axis, int64_t in_size, int64_t out_size, int64_t out);

}  // namespace xrun

#endif  // XRUN_RUNTIME_CPU_RESIZE_H_
