#ifndef XRUN_OVERLAY_HW_VECTOR_WINDOW_H_
#define XRUN_OVERLAY_HW_VECTOR_WINDOW_H_

// Depthwise and Pool as one window operation, and the row buffers through which it sees its input.

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
};

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
  return w;
}

/// Words of a kernel row a slot keeps: a block's window and the lines it begins and ends in, or a block does not fit
/// and fetches each tap by itself, slower than the formula (README).
constexpr uint32_t kRowWords = PowerOfTwoFrom(kVP * 4 + 96);

/// A read slot: the line it accessed last and the columns of the input row it keeps, column ix in entry ix mod
/// kRowWords.
struct RowSlot {
  LineClient client;
  int32_t row;  ///< input row kept; -1: none
  Word word[kRowWords];
};

/// What a block of output columns reads of each kernel row: columns from … to.
struct Columns {
  int32_t from, to;
  bool fits;
};
inline Columns ColumnsOf(const Window& x, uint32_t ox, uint32_t count) {
  Columns c;
  c.from = static_cast<int32_t>(ox * x.stride_w) - x.pad_left;
  if (c.from < 0) c.from = 0;
  c.to = static_cast<int32_t>((ox + count - 1) * x.stride_w + (x.kernel_w - 1) * x.dilation_w) - x.pad_left;
  if (c.to > static_cast<int32_t>(x.in_w) - 1) c.to = static_cast<int32_t>(x.in_w) - 1;
  c.fits = c.to - c.from + 1 + 2 * static_cast<int32_t>(kLineWords) <= static_cast<int32_t>(kRowWords);
  return c;
}

/// Reads what the slot does not have of columns `columns` of input row `iy`, whose column 0 lies at `base`.
template <int kStage>
inline void ReadRowWords(ActivationPort& port, RowSlot& slot, const Window& x, const Columns& columns, int32_t iy,
                         uint32_t base) {
  uint32_t line = LineOf(base + static_cast<uint32_t>(columns.from));
  const uint32_t end = LineOf(base + static_cast<uint32_t>(columns.to));
  if (slot.row == iy && line < slot.client.at + 1) line = slot.client.at + HW_MUTATE(21, 1U, 2U);
  slot.row = iy;
  for (; line <= end; ++line) {  // unbounded: to the last line of the block
    HW_VITIS(loop_tripcount min = 0 max = kRowWords)
    SeekRead<kStage>(port, slot.client, line);
    HW_UNROLL
    for (uint32_t i = 0; i < kLineWords; ++i) {
      HW_VITIS(unroll)
      const int32_t ix = static_cast<int32_t>(line * kLineWords + i) - static_cast<int32_t>(base);
      if (ix >= 0 && ix < static_cast<int32_t>(x.in_w))
        slot.word[static_cast<uint32_t>(ix) % kRowWords] = slot.client.line.word[i];
    }
  }
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_VECTOR_WINDOW_H_
