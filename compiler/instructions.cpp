#include "compiler/instructions.h"

#include <cassert>

#include "compiler/lower_layer.h"

namespace xrun::compiler {
namespace {

/// The fields that Conv, Depthwise and Pool share.
template <typename Window>
void SetWindow(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work, Window* w) {
  const InputSpan cols =
      MakeInputSpan(0, out.width, 0, layer.kernel_w, layer.stride_w, layer.dilation_w, layer.pad_left, in.width);
  assert(work.rows.count != 0 && cols.count != 0);
  w->src = work.src.addr + cols.first;
  w->src_row_pitch = work.src.row_pitch;
  w->src_plane_pitch = work.src.plane_pitch;
  w->in_h = work.rows.count;
  w->in_w = cols.count;
  w->pad_top = work.rows.pad;
  w->pad_left = cols.pad;
  w->dst = work.dst.addr;
  w->dst_row_pitch = work.dst.row_pitch;
  w->dst_plane_pitch = work.dst.plane_pitch;
  w->out_w = out.width;
  w->out_h = work.yn;
  w->kernel_h = layer.kernel_h;
  w->kernel_w = layer.kernel_w;
  w->stride_h = layer.stride_h;
  w->stride_w = layer.stride_w;
  w->dilation_h = layer.dilation_h;
  w->dilation_w = layer.dilation_w;
  w->zero_point = layer.out.zero_point;
  w->clamp_lo = layer.out.clamp_lo;
  w->clamp_hi = layer.out.clamp_hi;
  w->table = layer.out.table ? 1 : 0;
}

/// Rows, then planes, that follow on each other in all operands become one: fewer jumps between lines.
void JoinRows(bool has_b, bool b_whole, Elementwise* e) {
  if (has_b && !b_whole) return;
  const auto contiguous = [&](uint32_t a, uint32_t b, uint32_t dst, uint32_t size) {
    return a == size && dst == size && (!has_b || b == size);
  };
  if (e->rows == 1 || contiguous(e->a_row_pitch, e->b_row_pitch, e->dst_row_pitch, e->cols)) {
    e->cols *= e->rows;
    e->rows = 1;
    if (e->planes == 1 || contiguous(e->a_plane_pitch, e->b_plane_pitch, e->dst_plane_pitch, e->cols)) {
      e->cols *= e->planes;
      e->planes = 1;
    }
  }
}

}  // namespace

Conv ConvOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work) {
  Conv c;
  SetWindow(layer, in, out, work, &c);
  c.fill = layer.fill.value_or(in.zero_point);
  c.ic_groups = work.in_groups;
  c.oc_groups = work.out_groups;
  c.dst_step = 1;
  c.weight_zero = layer.has_weight_zero;
  c.prelu = layer.prelu;
  c.clamp2_lo = -128;
  c.clamp2_hi = 127;
  if (layer.out.residual) {
    const OutputStage::Residual& r = *layer.out.residual;
    c.residual = 1;
    c.res = work.res.addr;
    c.res_row_pitch = work.res.row_pitch;
    c.res_plane_pitch = work.res.plane_pitch;
    c.m_main = r.m_main;
    c.m_res = r.m_res;
    c.add_shift = r.shift;
    c.main_zero = r.main_zero;
    c.res_zero = r.res_zero;
    c.zero_point2 = r.zero_point;
    c.clamp2_lo = r.clamp_lo;
    c.clamp2_hi = r.clamp_hi;
  }
  return c;
}

Depthwise DepthwiseOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work) {
  Depthwise d;
  SetWindow(layer, in, out, work, &d);
  d.groups = work.out_groups;
  d.fill = in.zero_point;
  d.prelu = layer.prelu ? 1 : 0;
  return d;
}

Pool PoolOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work) {
  Pool p;
  SetWindow(layer, in, out, work, &p);
  p.groups = work.out_groups;
  p.average = layer.average;
  p.in_zero = in.zero_point;
  p.shift = Multiplier::kMinShift;
  p.requantize = !layer.average && layer.requantize ? 1 : 0;
  if (p.average != 0 || p.requantize != 0) {
    const int64_t taps = CountedTaps(layer, 0, in.sample_height(), 0) * CountedTaps(layer, 1, in.width, 0);
    const Multiplier& m = layer.pool_multipliers[layer.average ? static_cast<size_t>(taps - 1) : 0];
    p.m = m.m;
    p.shift = m.shift;
  }
  return p;
}

Elementwise ElementwiseOf(const Layer& layer, const OverlayTensor& a, const OverlayTensor* b, const OverlayTensor& out,
                          const RowWork& work) {
  Elementwise e;
  e.kind = layer.elementwise;
  e.planes = out.groups;
  e.rows = work.yn;
  e.cols = out.width;
  e.a = work.src.addr;
  e.a_row_pitch = work.src.row_pitch;
  e.a_plane_pitch = work.src.plane_pitch;
  e.a_zero = a.zero_point;
  bool b_whole = true;
  if (b != nullptr) {
    const bool one_row = b->sample_height() == 1 && (b->samples == 1 ? out.height : out.sample_height()) != 1;
    const bool one_column = b->width == 1 && out.width != 1;
    const bool one_channel = b->channels == 1 && out.channels != 1;
    b_whole = !one_row && !one_column && !one_channel;
    e.b = work.b.addr;
    e.b_row_pitch = one_row ? 0 : work.b.row_pitch;
    e.b_plane_pitch = one_channel ? 0 : work.b.plane_pitch;
    e.b_step = one_column ? 0 : 1;
    e.b_lane0 = one_channel ? 1 : 0;
    e.b_zero = b->zero_point;
  }
  e.dst = work.dst.addr;
  e.dst_row_pitch = work.dst.row_pitch;
  e.dst_plane_pitch = work.dst.plane_pitch;
  e.m_a = layer.m_a;
  e.m_b = layer.m_b;
  e.shift = layer.shift;
  e.zero_point = layer.out.zero_point;
  e.clamp_lo = layer.out.clamp_lo;
  e.clamp_hi = layer.out.clamp_hi;
  e.table = layer.out.table ? 1 : 0;
  JoinRows(b != nullptr, b_whole, &e);
  return e;
}

Elementwise RepeatOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work,
                     uint32_t row) {
  // The sum of nothing times the first pixels and once operand b, which alone can stay where it is along a row.
  Elementwise e;
  e.kind = kElementwiseAdd;
  e.planes = out.groups;
  e.rows = in.width;
  e.cols = layer.cell_w;
  const uint32_t from = (work.y0 + row) / layer.cell_h - work.rows.first;
  e.a = e.b = work.src.addr + from * work.src.row_pitch;
  e.b_row_pitch = 1;
  e.b_plane_pitch = work.src.plane_pitch;
  e.dst = work.dst.addr + row * work.dst.row_pitch;
  e.dst_row_pitch = layer.cell_w;
  e.dst_plane_pitch = work.dst.plane_pitch;
  e.m_b = 1;
  e.clamp_lo = -128;
  e.clamp_hi = 127;
  return e;
}

Elementwise RowCopy(uint32_t groups, uint32_t rows, uint32_t cols, const View& from, const View& to) {
  Elementwise e;
  e.kind = kElementwiseCopy;
  e.planes = groups;
  e.rows = rows;
  e.cols = cols;
  e.a = from.addr;
  e.a_row_pitch = from.row_pitch;
  e.a_plane_pitch = from.plane_pitch;
  e.dst = to.addr;
  e.dst_row_pitch = to.row_pitch;
  e.dst_plane_pitch = to.plane_pitch;
  e.b_step = 1;
  e.clamp_lo = -128;
  e.clamp_hi = 127;
  JoinRows(false, true, &e);
  return e;
}

}  // namespace xrun::compiler
