#ifndef XRUN_OVERLAY_HW_VECTOR_WINDOW_H_
#define XRUN_OVERLAY_HW_VECTOR_WINDOW_H_

// Depthwise and Pool as one window operation.

#include "overlay_hw/lines.h"
#include "overlay_hw/requant.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

enum WindowKind : uint8_t { kDepthwise, kMaximum, kAverage };

struct Window {
  uint8_t kind;
  uint32_t src, src_row_pitch, src_plane_pitch, in_w, in_h;
  uint32_t dst, dst_row_pitch, dst_plane_pitch, out_w, out_h;
  uint32_t groups, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  int32_t pad_top, pad_left, fill;
  uint32_t params, partial, m, shift;
  bool accumulate, keep, table, prelu, per_count, requantize;
  int32_t in_zero, zero_point, clamp_lo, clamp_hi;
  uint32_t block_columns, segment_taps;  ///< output columns of a block, kernel columns read at a time
};

/// Words of an input row that a slot keeps: a block's window and the lines it begins and ends in. Where a kernel row of
/// a block is wider, it is read in segments, slower than the formula (ENGINES.md).
constexpr uint32_t kRowWords = PowerOfTwoFrom(kVP * 4 + 96);

inline void FitWindow(Window& w) {
  const uint32_t room = kRowWords - 2 * kLineWords;
  const uint32_t columns = w.out_w < kVP ? w.out_w : kVP;
  const uint32_t span = (columns - 1) * w.stride_w + (w.kernel_w - 1) * w.dilation_w + 1;
  w.block_columns = kVP;
  w.segment_taps = w.kernel_w;
  if ((span < w.in_w ? span : w.in_w) <= room) return;
  if ((columns - 1) * w.stride_w >= room) w.block_columns = 1;
  const uint32_t first = w.block_columns == 1 ? 0 : (columns - 1) * w.stride_w;
  const uint32_t taps = 1 + (room - 1 - first) / w.dilation_w;
  if (taps < w.kernel_w) w.segment_taps = taps;
}

template <typename T>
inline Window CommonWindow(const T& x) {
  Window w;
  w.src = x.src;
  w.src_row_pitch = x.src_row_pitch;
  w.src_plane_pitch = x.src_plane_pitch;
  w.in_w = x.in_w;
  w.in_h = x.in_h;
  w.dst = x.dst;
  w.dst_row_pitch = x.dst_row_pitch;
  w.dst_plane_pitch = x.dst_plane_pitch;
  w.out_w = x.out_w;
  w.out_h = x.out_h;
  w.groups = x.groups;
  w.kernel_h = x.kernel_h;
  w.kernel_w = x.kernel_w;
  w.stride_h = x.stride_h;
  w.stride_w = x.stride_w;
  w.dilation_h = x.dilation_h;
  w.dilation_w = x.dilation_w;
  w.pad_top = x.pad_top;
  w.pad_left = x.pad_left;
  w.params = x.params;
  w.partial = x.partial;
  w.accumulate = x.accumulate != 0;
  w.keep = x.keep != 0;
  w.table = x.table != 0;
  w.zero_point = x.zero_point;
  w.clamp_lo = x.clamp_lo;
  w.clamp_hi = x.clamp_hi;
  return w;
}
inline Window WindowOf(const ::xrun::Depthwise& x) {
  Window w = CommonWindow(x);
  w.kind = kDepthwise;
  w.fill = x.fill;
  w.prelu = x.prelu != 0;
  w.per_count = w.requantize = false;
  w.m = w.shift = 0;
  w.in_zero = 0;
  FitWindow(w);
  return w;
}
inline Window WindowOf(const ::xrun::Pool& x) {
  Window w = CommonWindow(x);
  w.kind = x.average != 0 ? kAverage : kMaximum;
  w.fill = 0;
  w.prelu = false;
  w.per_count = x.per_count != 0;
  w.requantize = x.requantize != 0;
  w.m = x.m;
  w.shift = x.shift;
  w.in_zero = x.in_zero;
  FitWindow(w);
  return w;
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_VECTOR_WINDOW_H_
