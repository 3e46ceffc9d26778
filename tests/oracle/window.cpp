#include "window.h"

#include <algorithm>

namespace xrun::oracle {
namespace {

void ResolveAxis(const Op& op, WindowAxis* a) {
  const std::string auto_pad = op.String("auto_pad", "NOTSET");
  const int64_t span = (a->kernel - 1) * a->dilation + 1;
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    a->out = (a->in + a->stride - 1) / a->stride;
    const int64_t total = std::max<int64_t>(0, (a->out - 1) * a->stride + span - a->in);
    a->pad_begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    a->pad_end = total - a->pad_begin;
    return;
  }
  if (auto_pad == "VALID") a->pad_begin = a->pad_end = 0;
  if (auto_pad != "VALID" && auto_pad != "NOTSET") op.Fail("auto_pad " + auto_pad + " is unknown");
  const int64_t room = a->in + a->pad_begin + a->pad_end - span;
  if (room < 0) op.Fail("the window is larger than the padded input");
  a->out = room / a->stride + 1;
  if (op.Int("ceil_mode", 0) != 0) {
    a->out = (room + a->stride - 1) / a->stride + 1;
    // A window that would start in the padding behind the input is dropped (ONNX, since operator version 19 in words).
    if ((a->out - 1) * a->stride >= a->in + a->pad_begin) --a->out;
  }
}

}  // namespace

int64_t ListAt(const Op& op, const std::vector<int64_t>& values, size_t axis, size_t expected, int64_t otherwise) {
  if (values.empty()) return otherwise;
  if (values.size() != expected)
    op.Fail("an attribute list has " + std::to_string(values.size()) + " entries instead of " +
            std::to_string(expected));
  return values[axis];
}

Window MakeWindow(const Op& op, const Shape& in, const std::vector<int64_t>& kernel) {
  const size_t rank = kernel.size();
  if (in.size() != rank + 2 || rank < 1 || rank > 2)
    op.Fail("only one or two spatial axes are supported, the input is " + ToString(in));
  Window window;
  for (size_t i = 0; i < rank; ++i) {
    WindowAxis& axis = i + 1 == rank ? window.w : window.h;
    axis.in = in[i + 2];
    axis.kernel = kernel[i];
    axis.stride = ListAt(op, op.Ints("strides"), i, rank, 1);
    axis.dilation = ListAt(op, op.Ints("dilations"), i, rank, 1);
    axis.pad_begin = ListAt(op, op.Ints("pads"), i, 2 * rank, 0);
    axis.pad_end = ListAt(op, op.Ints("pads"), i + rank, 2 * rank, 0);
    if (axis.kernel < 1 || axis.stride < 1 || axis.dilation < 1 || axis.pad_begin < 0 || axis.pad_end < 0)
      op.Fail("window attributes out of range");
    ResolveAxis(op, &axis);
  }
  return window;
}

Shape WindowShape(const Window& window, const Shape& in, int64_t channels) {
  Shape shape = {in[0], channels};
  if (in.size() == 4) shape.push_back(window.h.out);
  shape.push_back(window.w.out);
  return shape;
}

}  // namespace xrun::oracle
