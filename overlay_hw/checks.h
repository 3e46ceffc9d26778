#ifndef XRUN_OVERLAY_HW_CHECKS_H_
#define XRUN_OVERLAY_HW_CHECKS_H_

// What makes an instruction illegal (isa/README.md, "What is legal"), in the two steps the traps tell apart: ranges of
// fields, then addresses beyond an on-chip memory. One rule is not hardware's: that a destination meets no operand of
// the same instruction is proved before a program is accepted (isa/verify*), and costs more than it guards here.

#include "isa/arithmetic.h"
#include "overlay_hw/decode.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// The last input line a window touches in one direction; false where every tap of every output is outside.
inline bool LastTouched(uint32_t out, uint32_t kernel, uint32_t stride, uint32_t dilation, int32_t pad, uint32_t in,
                        uint32_t& last) {
  const int32_t most = static_cast<int32_t>((out - 1) * stride + (kernel - 1) * dilation) - pad;
  const int32_t end = static_cast<int32_t>(in) - 1;
  if (in == 0 || most < 0) return false;
  if (most <= end) {
    last = static_cast<uint32_t>(most);
    return true;
  }
  if ((dilation == 1 || kernel == 1) && (out == 1 || stride <= kernel)) {  // no gaps
    if (-pad > end) return false;
    last = HW_MUTATE(28, in - 1, in);
    return true;
  }
  bool any = false;
  last = 0;
  for (uint32_t k = 0; k < kernel; ++k) {
    HW_VITIS(loop_tripcount min = 1 max = 16383)
    const int32_t first = static_cast<int32_t>(k * dilation) - pad;
    if (first > end) break;
    uint32_t steps = static_cast<uint32_t>(end - first) / stride;
    if (steps > out - 1) steps = out - 1;
    const int32_t at = first + static_cast<int32_t>(steps * stride);
    if (at < 0) continue;
    if (!any || static_cast<uint32_t>(at) > last) last = static_cast<uint32_t>(at);
    any = true;
  }
  return any;
}

/// Whether the last word of planes × rows × columns lies in activation memory.
inline bool InActivations(uint64_t address, uint32_t planes, uint32_t plane_pitch, uint32_t last_row,
                          uint32_t row_pitch, uint32_t last_col) {
  return address + static_cast<uint64_t>(planes - 1) * plane_pitch + static_cast<uint64_t>(last_row) * row_pitch +
             last_col <
         kActivationWords;
}

template <typename T>
inline bool WindowInActivations(const T& x, uint32_t planes) {
  uint32_t row = 0, col = 0;
  if (!LastTouched(x.out_h, x.kernel_h, x.stride_h, x.dilation_h, x.pad_top, x.in_h, row)) return true;
  if (!LastTouched(x.out_w, x.kernel_w, x.stride_w, x.dilation_w, x.pad_left, x.in_w, col)) return true;
  return InActivations(x.src, planes, x.src_plane_pitch, row, x.src_row_pitch, col);
}

inline bool IsMultiplier(int32_t m) {
  return m == 0 || (m >= static_cast<int32_t>(Multiplier::kMinM) && m <= static_cast<int32_t>(Multiplier::kMaxM));
}
inline bool IsAddMultiplier(int32_t m) {
  return m >= -static_cast<int32_t>(Multiplier::kMaxM) && m <= static_cast<int32_t>(Multiplier::kMaxM);
}
inline bool IsShift(uint32_t shift) { return shift >= Multiplier::kMinShift && shift <= Multiplier::kMaxShift; }

template <typename T>
inline bool WindowRanges(const T& x) {
  return x.out_w != 0 && x.out_h != 0 && x.kernel_h != 0 && x.kernel_w != 0 && x.stride_h != 0 && x.stride_w != 0 &&
         x.dilation_h != 0 && x.dilation_w != 0;
}

inline bool Ranges(const ::xrun::Sync&) { return true; }
inline bool Ranges(const ::xrun::Load& x) { return x.planes != 0 && x.rows != 0 && x.cols != 0; }
inline bool Ranges(const ::xrun::Save& x) { return x.planes != 0 && x.rows != 0 && x.cols != 0; }
inline bool Ranges(const ::xrun::LoadWeights&) { return true; }
inline bool Ranges(const ::xrun::LoadVector& x) { return x.rows != 0; }
inline bool Ranges(const ::xrun::LoadPacked& x) {
  return x.in_cols != 0 && x.channels != 0 && (x.taps != 0) != (x.head != 0) && (x.in_rows != 0 || x.top == 0) &&
         x.stride != 0 && x.rows != 0 && x.cols != 0;
}
inline bool Ranges(const ::xrun::LoadMatrix& x) { return x.rows != 0 && x.words != 0 && x.lanes != 0; }
inline bool Ranges(const ::xrun::Conv& x) {
  if (!WindowRanges(x) || x.dst_step == 0 || x.ic_groups == 0 || x.oc_groups == 0) return false;
  if (x.table2 != 0 && x.residual == 0) return false;
  if (x.keep != 0) return true;
  if (x.clamp_lo > x.clamp_hi) return false;
  if (x.residual == 0) return true;
  return x.add_shift <= kMaxAddShift && IsAddMultiplier(x.m_main) && IsAddMultiplier(x.m_res) &&
         HW_MUTATE(29, x.clamp2_lo <= x.clamp2_hi, true);
}
inline bool Ranges(const ::xrun::Depthwise& x) {
  return WindowRanges(x) && x.groups != 0 && (x.keep != 0 || x.clamp_lo <= x.clamp_hi);
}
inline bool Ranges(const ::xrun::Pool& x) {
  if (!WindowRanges(x) || x.groups == 0) return false;
  if (x.per_count != 0 && (x.average == 0 || x.accumulate != 0 || x.keep != 0)) return false;
  if (x.keep != 0) return true;
  const bool multiplies = x.average != 0 ? x.per_count == 0 : x.requantize != 0;
  if (multiplies && !(IsMultiplier(static_cast<int32_t>(x.m)) && IsShift(x.shift))) return false;
  return x.clamp_lo <= x.clamp_hi;
}
inline bool Ranges(const ::xrun::Elementwise& x) {
  if (x.planes == 0 || x.rows == 0 || x.cols == 0 || x.clamp_lo > x.clamp_hi) return false;
  if (x.kind == kElementwiseCopy) return true;
  if (x.kind == kElementwiseAdd) return x.shift <= kMaxAddShift && IsAddMultiplier(x.m_a) && IsAddMultiplier(x.m_b);
  return IsMultiplier(x.m_a) && IsShift(x.shift);
}

template <typename T>
inline bool CopyOnChip(const T& x) {
  return InActivations(x.addr, x.planes, x.plane_pitch, x.rows - 1, x.row_pitch, x.cols - 1);
}
inline bool OnChip(const ::xrun::Sync&) { return true; }
inline bool OnChip(const ::xrun::Load& x) { return CopyOnChip(x); }
inline bool OnChip(const ::xrun::Save& x) { return CopyOnChip(x); }
inline bool OnChip(const ::xrun::LoadWeights& x) {
  return x.row < kWeightRows && x.rows <= kWeightRows && x.acquire <= kWeightRows;
}
inline bool OnChip(const ::xrun::LoadVector& x) { return x.addr + x.rows <= kVectorRows; }
inline bool OnChip(const ::xrun::LoadPacked& x) {
  return (x.taps != 0 ? x.taps * x.channels : x.head) + x.tail <= kCP &&
         InActivations(x.addr, 1, 0, x.rows - 1, x.row_pitch, x.cols - 1);
}
inline bool OnChip(const ::xrun::LoadMatrix& x) {
  return x.row < kWeightRows && x.rows <= kWeightRows && x.acquire <= kWeightRows && x.words <= kCP && x.lanes <= kCP &&
         (x.int4 == 0 || kCP % 2 == 0);
}
inline uint32_t PixelGroups(const ::xrun::Conv& x) { return DivideUp(x.out_w * x.out_h, kPP); }
inline bool OnChip(const ::xrun::Conv& x) {
  if (!WindowInActivations(x, x.ic_groups)) return false;
  if (x.keep == 0) {
    if (!InActivations(x.dst, x.oc_groups, x.dst_plane_pitch, x.out_h - 1, x.dst_row_pitch, (x.out_w - 1) * x.dst_step))
      return false;
    if (x.residual != 0 &&
        !InActivations(x.res, x.oc_groups, x.res_plane_pitch, x.out_h - 1, x.res_row_pitch, x.out_w - 1))
      return false;
  }
  const uint64_t blocks = static_cast<uint64_t>(x.kernel_h * x.kernel_w) * x.ic_groups;
  const uint64_t segment = (x.table + x.table2) * kTableRows + x.oc_groups * ((x.keep != 0 ? 0 : kRecordRows) + blocks);
  if (x.weights >= kWeightRows || segment > HW_MUTATE(30, kWeightRows, 2 * kWeightRows) || x.release > kWeightRows)
    return false;
  if (x.accumulate == 0 && x.keep == 0) return true;
  return x.partial + static_cast<uint64_t>(x.oc_groups) * PixelGroups(x) <= kPartialEntries;
}
template <typename T>
inline bool VectorWindowOnChip(const T& x, uint64_t segment) {
  if (!WindowInActivations(x, x.groups)) return false;
  if (x.keep == 0 && !InActivations(x.dst, x.groups, x.dst_plane_pitch, x.out_h - 1, x.dst_row_pitch, x.out_w - 1))
    return false;
  if (segment != 0 && x.params + segment > kVectorRows) return false;
  if (x.accumulate == 0 && x.keep == 0) return true;
  return x.partial + static_cast<uint64_t>(x.groups) * (x.out_h * x.out_w) <= kVectorPartialEntries;
}
inline bool OnChip(const ::xrun::Depthwise& x) {
  const uint64_t group = (x.keep != 0 ? 0 : kRecordBytes) + x.kernel_h * x.kernel_w;
  return VectorWindowOnChip(x, (x.table != 0 ? kVectorTableRows : 0) + x.groups * group);
}
inline bool OnChip(const ::xrun::Pool& x) {
  const uint64_t counts = x.per_count != 0 ? static_cast<uint64_t>(x.kernel_h) * x.kernel_w * 4 : 0;
  return VectorWindowOnChip(x, (x.table != 0 ? kVectorTableRows : 0) + (counts + kCP - 1) / kCP);
}
inline bool OnChip(const ::xrun::Elementwise& x) {
  if (!InActivations(x.a, x.planes, x.a_plane_pitch, x.rows - 1, x.a_row_pitch, x.cols - 1)) return false;
  if (x.kind >= kElementwiseAdd &&
      !InActivations(x.b, x.planes, x.b_plane_pitch, x.rows - 1, x.b_row_pitch, x.b_step != 0 ? x.cols - 1 : 0))
    return false;
  if (!InActivations(x.dst, x.planes, x.dst_plane_pitch, x.rows - 1, x.dst_row_pitch, x.cols - 1)) return false;
  return x.table == 0 || x.params + kVectorTableRows <= kVectorRows;
}

/// Decodes and judges; `x` is only good where the result is kNone.
template <typename T>
inline Trap Judge(const InstructionWord& word, T& x) {
  if (!Decode(word, x) || !Ranges(x)) return Trap::kIllegalInstruction;
  return OnChip(x) ? Trap::kNone : Trap::kOnChipLimit;
}

/// The header's part of Needs; tokens of or to the engine itself are illegal.
inline Needs HeaderNeeds(const InstructionWord& word, uint32_t engine, Trap trap) {
  Needs needs;
  needs.wait = WaitOf(word) & ~(1U << engine);
  needs.signal = SignalOf(word) & ~(1U << engine);
  needs.mark = MarkOf(word);
  needs.late = LateOf(word);
  needs.acquire = needs.release = 0;
  needs.trap = ((WaitOf(word) | SignalOf(word)) >> engine & 1) != 0 ? Trap::kIllegalInstruction : trap;
  return needs;
}

/// Bytes [0, end) of a base register, of which `end` may be 0.
inline Trap CheckDram(const BaseRegisters& registers, uint32_t base, bool write, uint64_t end) {
  if (end == 0) return Trap::kNone;
  const bool read_only = base == kBaseWeights || (base >= kBaseInput0 && base < kBaseOutput0) || base == kBaseStatus;
  if (write && read_only) return Trap::kReadOnly;
  const uint64_t limit = base == kBaseStatus ? 0 : registers.limit[base];
  return end > limit ? Trap::kDramLimit : Trap::kNone;
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CHECKS_H_
