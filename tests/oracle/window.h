#ifndef XRUN_TESTS_ORACLE_WINDOW_H_
#define XRUN_TESTS_ORACLE_WINDOW_H_

#include <array>
#include <vector>

#include "op.h"

namespace xrun::oracle {

/// One spatial axis of a sliding window, as ONNX defines it (pads, auto_pad, dilation, ceil_mode).
struct WindowAxis {
  int64_t in = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;
  int64_t out = 1;

  /// The input position of kernel tap k at output position o; may lie in the padding.
  int64_t Position(int64_t o, int64_t k) const { return o * stride - pad_begin + k * dilation; }
  bool Inside(int64_t position) const { return position >= 0 && position < in; }
};

/// Rows and columns. One-dimensional operators get a row axis of extent 1.
struct Window {
  WindowAxis h;
  WindowAxis w;
};

/// The window of a Conv or pooling node over `in` = [N, C, spatial…] with the given spatial kernel extents.
Window MakeWindow(const Op& op, const Shape& in, const std::vector<int64_t>& kernel);

/// [batch, channels, spatial extents out], of the rank of `in`.
Shape WindowShape(const Window& window, const Shape& in, int64_t channels);

/// One stride, dilation, pad … list of the node for an axis: `values[axis]` or `otherwise` when the list is empty.
int64_t ListAt(const Op& op, const std::vector<int64_t>& values, size_t axis, size_t expected, int64_t otherwise);

/// Elements averaged by output position o along one axis: those inside the input, or (count_include_pad) inside the
/// padded extents.
int64_t Counted(const WindowAxis& axis, int64_t o, bool include_pad);

/// Calls fn(output index, values of the window that lie inside the input).
template <typename T, typename Fn>
void ForEachWindow(const std::vector<T>& in, int64_t planes, const Window& window, Fn fn) {
  const WindowAxis& h = window.h;
  const WindowAxis& w = window.w;
  std::vector<T> inside;
  int64_t index = 0;
  for (int64_t plane = 0; plane < planes; ++plane) {
    for (int64_t oh = 0; oh < h.out; ++oh) {
      for (int64_t ow = 0; ow < w.out; ++ow) {
        inside.clear();
        for (int64_t kh = 0; kh < h.kernel; ++kh) {
          const int64_t ih = h.Position(oh, kh);
          if (!h.Inside(ih)) continue;
          for (int64_t kw = 0; kw < w.kernel; ++kw) {
            const int64_t iw = w.Position(ow, kw);
            if (w.Inside(iw)) inside.push_back(in[(plane * h.in + ih) * w.in + iw]);
          }
        }
        fn(index++, inside);
      }
    }
  }
}

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_WINDOW_H_
