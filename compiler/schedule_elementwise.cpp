#include "compiler/emitter.h"
#include "compiler/pack_weights.h"

namespace xrun::compiler {
namespace {

/// Copy with table, add, multiply: boxes of the result with the matching boxes of the operands.
class ElementwiseScheduler {
 public:
  ElementwiseScheduler(Emitter& emitter, const Layer& layer)
      : e_(emitter),
        layer_(layer),
        a_(emitter.tensor(layer.input)),
        b_(layer.input_b == kNone ? nullptr : &emitter.tensor(layer.input_b)),
        out_(emitter.tensor(layer.output)) {
    a_repeats_ = a_.height * a_.width == 1 && out_.height * out_.width != 1;
    b_full_ = b_ == nullptr || (b_->channels == out_.channels && b_->height == out_.height && b_->width == out_.width);
  }

  Status Run(std::string* report) {
    if (!Search()) {
      return Failure{"no tile of '" + layer_.name + "' fits " + e_.config.name + ": " +
                         std::to_string(e_.tile_words()) + " activation words are free",
                     "choose a larger configuration"};
    }
    Emit();
    *report = "elementwise " + layer_.name + ": tiles " + std::to_string(tile_.yn) + "x" + std::to_string(tile_.xn) +
              " of " + std::to_string(out_.height) + "x" + std::to_string(out_.width) + ", groups " +
              std::to_string(tile_.gn) + "/" + std::to_string(out_.groups) + ", " + std::to_string(buffers_) +
              " buffers";
    return {};
  }

 private:
  /// The box of b that meets a box of the result: one element along the axes that b repeats.
  Box BoxOfB(const Box& box) const {
    Box b = box;
    if (b_->channels == 1 && out_.channels != 1) b.g0 = 0, b.gn = 1;
    if (b_->height == 1 && out_.height != 1) b.y0 = 0, b.yn = 1;
    if (b_->width == 1 && out_.width != 1) b.x0 = 0, b.xn = 1;
    return b;
  }

  uint64_t Words(const OverlayTensor& t, const Box& box) const { return e_.OnChip(t) ? 0 : box.words(); }

  Box BoxOfA(const Box& box) const { return a_repeats_ ? Box{box.g0, box.gn, 0, 1, 0, 1} : box; }

  bool Fits(const Box& box) const {
    uint64_t words = Words(a_, BoxOfA(box)) + Words(out_, box);
    if (b_ != nullptr) words += Words(*b_, BoxOfB(box));
    return buffers_ * words <= e_.tile_words();
  }

  bool Search() {
    const auto cap = [](uint32_t limit) { return limit == 0 ? 16383 : std::min<uint32_t>(limit, 16383); };
    for (buffers_ = e_.limits.single_buffer ? 1 : 2; buffers_ >= 1; --buffers_) {
      uint64_t best = 0;
      for (const uint32_t g : TileSizes(out_.groups, e_.limits.out_groups)) {
        for (const uint32_t r : TileSizes(out_.height, cap(e_.limits.rows))) {
          for (const uint32_t c : TileSizes(out_.width, cap(e_.limits.cols))) {
            const Box box{0, g, 0, r, 0, c};
            if (Fits(box) && box.words() > best) {
              best = box.words();
              tile_ = box;
            }
          }
        }
      }
      if (best != 0) return true;
    }
    return false;
  }

  void Emit() {
    if (!e_.OnChip(a_)) a_buffers_ = e_.Allocate(static_cast<uint32_t>(BoxOfA(tile_).words()), buffers_);
    if (!e_.OnChip(out_)) out_buffers_ = e_.Allocate(static_cast<uint32_t>(tile_.words()), buffers_);
    if (b_ != nullptr && !e_.OnChip(*b_)) {
      b_buffers_ = e_.Allocate(static_cast<uint32_t>(BoxOfB(tile_).words()), buffers_);
    }
    uint32_t params = 0;
    if (layer_.out.table) {
      const std::vector<uint8_t> bytes = PackTable(layer_.out.table, {}, e_.config);
      params = e_.LoadVectorSegment(e_.weights.Append(bytes), e_.config.vector_table_rows());
    }
    for (const auto& [g0, gn] : Split(out_.groups, tile_.gn)) {
      for (const auto& [y0, yn] : Split(out_.height, tile_.yn)) {
        for (const auto& [x0, xn] : Split(out_.width, tile_.xn)) EmitTile({g0, gn, y0, yn, x0, xn}, params);
      }
    }
  }

  void EmitTile(const Box& box, uint32_t params) {
    Elementwise e;
    e.kind = layer_.elementwise;
    e.planes = box.gn;
    e.rows = box.yn;
    e.cols = box.xn;
    const Box ab = BoxOfA(box);
    const View a = e_.Read(layer_.input, ab, &a_buffers_, ab.xn);
    e.a = a.addr;
    e.a_row_pitch = a.row_pitch;
    e.a_plane_pitch = a.plane_pitch;
    e.a_zero = a_.zero_point;
    if (b_ != nullptr) {
      const Box bb = BoxOfB(box);
      const View b = e_.Read(layer_.input_b, bb, &b_buffers_, bb.xn);
      e.b = b.addr;
      e.b_row_pitch = b_->height == 1 && out_.height != 1 ? 0 : b.row_pitch;
      e.b_plane_pitch = b_->channels == 1 && out_.channels != 1 ? 0 : b.plane_pitch;
      e.b_step = b_->width == 1 && out_.width != 1 ? 0 : 1;
      e.b_lane0 = b_->channels == 1 && out_.channels != 1 ? 1 : 0;
      e.b_zero = b_->zero_point;
    }
    const View dst = e_.Write(layer_.output, box, &out_buffers_);
    e.dst = dst.addr;
    e.dst_row_pitch = dst.row_pitch;
    e.dst_plane_pitch = dst.plane_pitch;
    e.m_a = layer_.m_a;
    e.m_b = layer_.m_b;
    e.shift = layer_.shift;
    e.zero_point = layer_.out.zero_point;
    e.clamp_lo = layer_.out.clamp_lo;
    e.clamp_hi = layer_.out.clamp_hi;
    e.table = layer_.out.table ? 1 : 0;
    e.params = params;
    if (a_repeats_) {
      EmitRepeated(e);
    } else {
      JoinRows(&e);
      e_.Emit(kVector, e);
    }
    e_.WriteDone(layer_.output, box, dst);
  }

  /// One pixel into all: operand a has no step along a row, so the columns of the result become rows of one word.
  void EmitRepeated(Elementwise e) {
    const uint32_t rows = e.rows, pitch = e.dst_row_pitch;
    e.a_row_pitch = 0;
    e.dst_row_pitch = 1;
    const bool whole = pitch == e.cols && rows * e.cols <= 16383;
    e.rows = whole ? rows * e.cols : e.cols;
    e.cols = 1;
    for (uint32_t row = 0; row < (whole ? 1 : rows); ++row) {
      e_.Emit(kVector, e);
      e.dst += pitch;
    }
  }

  /// Rows, then planes, that follow on each other in all operands become one: fewer jumps between lines.
  void JoinRows(Elementwise* e) const {
    const bool has_b = b_ != nullptr;
    if (has_b && !b_full_) return;
    const auto contiguous = [](uint32_t pitch, uint32_t size) { return pitch == size; };
    if (e->rows == 1 || (contiguous(e->a_row_pitch, e->cols) && contiguous(e->dst_row_pitch, e->cols) &&
                         (!has_b || contiguous(e->b_row_pitch, e->cols)))) {
      e->cols *= e->rows;
      e->rows = 1;
      if (e->planes == 1 || (contiguous(e->a_plane_pitch, e->cols) && contiguous(e->dst_plane_pitch, e->cols) &&
                             (!has_b || contiguous(e->b_plane_pitch, e->cols)))) {
        e->cols *= e->planes;
        e->planes = 1;
      }
    }
  }

  Emitter& e_;
  const Layer& layer_;
  const OverlayTensor& a_;
  const OverlayTensor* b_;
  const OverlayTensor& out_;
  bool a_repeats_ = false, b_full_ = true;
  Box tile_;
  uint32_t buffers_ = 2;
  Emitter::Buffers a_buffers_, b_buffers_, out_buffers_;
};

}  // namespace

Status ScheduleElementwise(Emitter& emitter, const Layer& layer, std::string* report) {
  return ElementwiseScheduler(emitter, layer).Run(report);
}

}  // namespace xrun::compiler
