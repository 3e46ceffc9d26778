#include <limits>
#include <map>
#include <tuple>

#include "compiler/emitter.h"
#include "compiler/lower_layer.h"
#include "compiler/pack_weights.h"

namespace xrun::compiler {
namespace {

/// Output positions [first, first + count) along an axis whose windows count the same number of taps.
struct Stretch {
  uint32_t first, count;
  int64_t taps;
};

/// Depthwise convolution and pooling: window operators that keep channel groups apart.
class WindowScheduler {
 public:
  WindowScheduler(Emitter& emitter, const Layer& layer)
      : e_(emitter),
        layer_(layer),
        in_(emitter.tensor(layer.input)),
        out_(emitter.tensor(layer.output)),
        stretches_{MakeStretches(0), MakeStretches(1)} {}

  Status Run(std::string* report) {
    if (!Search()) {
      return Failure{"no tile of '" + layer_.name + "' fits " + e_.config.name + ": " +
                         std::to_string(e_.tile_words()) + " activation words are free" +
                         (layer_.has_weight_zero ? ", and weights with zero points cannot be summed in parts" : ""),
                     "choose a larger configuration"};
    }
    Emit();
    *report = std::string(pool() ? "pool " : "depthwise ") + layer_.name + ": tiles " + std::to_string(rows_) + "x" +
              std::to_string(cols_) + " of " + std::to_string(out_.height) + "x" + std::to_string(out_.width) +
              ", groups " + std::to_string(groups_) + "/" + std::to_string(out_.groups) + ", kernel rows " +
              std::to_string(kernel_rows_) + "/" + std::to_string(layer_.kernel_h) + ", " + std::to_string(buffers_) +
              " buffers";
    return {};
  }

 private:
  bool pool() const { return layer_.kind == LayerKind::kPool; }
  bool split() const { return kernel_rows_ < layer_.kernel_h; }

  uint32_t table_rows() const { return layer_.out.table ? e_.config.vector_table_rows() : 0; }

  uint32_t SegmentRows() const {
    if (pool())
      return table_rows() + (PerCount() ? CeilDiv(layer_.pool_multipliers.size() * 4, e_.config.channels) : 0);
    return table_rows() + groups_ * (16 + kernel_rows_ * layer_.kernel_w);
  }

  /// Averages whose windows do not all count the same number of taps: one instruction with a multiplier for each count
  /// where the counts are those of the taps inside and fit vector memory, else one instruction for each stretch.
  bool Uniform() const { return stretches_[0].size() == 1 && stretches_[1].size() == 1; }
  bool PerCount() const {
    return layer_.average && !Uniform() && !layer_.count_include_pad && !split() &&
           table_rows() + CeilDiv(layer_.pool_multipliers.size() * 4, e_.config.channels) <= e_.config.vector_rows / 2;
  }

  std::vector<Stretch> MakeStretches(int axis) const {
    const uint32_t out = axis == 0 ? out_.height : out_.width;
    const uint32_t in = axis == 0 ? in_.height : in_.width;
    std::vector<Stretch> stretches;
    for (uint32_t o = 0; o < out; ++o) {
      const int64_t taps = layer_.average ? CountedTaps(layer_, axis, in, o) : 0;
      if (!stretches.empty() && stretches.back().taps == taps) {
        ++stretches.back().count;
      } else {
        stretches.push_back({o, 1, taps});
      }
    }
    return stretches;
  }

  uint64_t InputWords() const {
    if (e_.OnChip(in_)) return 0;
    const uint64_t rows = std::min<uint64_t>(
        in_.height, uint64_t{rows_ - 1} * layer_.stride_h + uint64_t{kernel_rows_ - 1} * layer_.dilation_h + 1);
    const uint64_t cols = std::min<uint64_t>(
        in_.width, uint64_t{cols_ - 1} * layer_.stride_w + uint64_t{layer_.kernel_w - 1} * layer_.dilation_w + 1);
    return groups_ * rows * cols;
  }
  uint64_t OutputWords() const { return e_.OnChip(out_) ? 0 : uint64_t{groups_} * rows_ * cols_; }

  bool Fits() const {
    if (buffers_ * (InputWords() + OutputWords()) > e_.tile_words()) return false;
    if (SegmentRows() > e_.config.vector_rows) return false;
    if (!split()) return true;
    if (layer_.has_weight_zero) return false;
    return uint64_t{groups_} * rows_ * cols_ <= e_.config.vector_partial_entries;
  }

  /// The largest tiles that fit, preferring whole rows, then many groups; partial sums only when nothing else fits.
  bool Search() {
    const auto cap = [](uint32_t limit) { return limit == 0 ? 16383 : std::min<uint32_t>(limit, 16383); };
    // Sums in parts need weights without zero points.
    for (const uint32_t kh : TileSizes(layer_.kernel_h, layer_.has_weight_zero ? 0 : e_.limits.kernel_rows)) {
      kernel_rows_ = kh;
      for (buffers_ = e_.limits.single_buffer ? 1 : 2; buffers_ >= 1; --buffers_) {
        uint64_t best = 0;
        std::tuple<uint32_t, uint32_t, uint32_t> found{0, 0, 0};
        for (const uint32_t g : TileSizes(out_.groups, e_.limits.out_groups)) {
          for (const uint32_t r : TileSizes(out_.height, cap(e_.limits.rows))) {
            for (const uint32_t c : TileSizes(out_.width, cap(e_.limits.cols))) {
              groups_ = g;
              rows_ = r;
              cols_ = c;
              if (!Fits()) continue;
              // Input read for the whole layer decides; ties go to fewer instructions.
              const uint64_t tiles =
                  uint64_t{CeilDiv(out_.groups, g)} * CeilDiv(out_.height, r) * CeilDiv(out_.width, c);
              const uint64_t cost = tiles * (InputWords() + 300) + 1;
              if (best == 0 || cost < best) {
                best = cost;
                found = {g, r, c};
              }
            }
          }
        }
        if (best != 0) {
          std::tie(groups_, rows_, cols_) = found;
          return true;
        }
      }
    }
    return false;
  }

  void Emit() {
    if (!e_.OnChip(in_)) in_buffers_ = e_.Allocate(static_cast<uint32_t>(InputWords()), buffers_);
    if (!e_.OnChip(out_)) out_buffers_ = e_.Allocate(static_cast<uint32_t>(OutputWords()), buffers_);
    std::vector<Stretch> rows{{0, out_.height, 0}}, cols{{0, out_.width, 0}};
    if (layer_.average && !PerCount()) {
      rows = stretches_[0];
      cols = stretches_[1];
    }
    for (const auto& [g0, gn] : Split(out_.groups, groups_)) {
      for (const Stretch& sy : rows) {
        for (const auto& [y, yn] : Split(sy.count, rows_)) {
          for (const Stretch& sx : cols) {
            for (const auto& [x, xn] : Split(sx.count, cols_)) {
              EmitTile({g0, gn, sy.first + y, yn, sx.first + x, xn}, sy.taps * sx.taps);
            }
          }
        }
      }
    }
  }

  void EmitTile(const Box& box, int64_t taps) {
    for (const auto& [kh0, khn] : Split(layer_.kernel_h, kernel_rows_)) {
      const bool last = kh0 + khn == layer_.kernel_h;
      const uint32_t params = LoadParams(box, kh0, khn, last);
      const InputSpan y =
          MakeInputSpan(box.y0, box.yn, kh0, khn, layer_.stride_h, layer_.dilation_h, layer_.pad_top, in_.height);
      const InputSpan x = MakeInputSpan(box.x0, box.xn, 0, layer_.kernel_w, layer_.stride_w, layer_.dilation_w,
                                        layer_.pad_left, in_.width);
      const bool empty = y.count == 0 || x.count == 0;
      View src;
      if (!empty) {
        src = e_.Read(layer_.input, {box.g0, box.gn, y.first, y.count, x.first, x.count}, &in_buffers_, x.count);
      }
      const View dst = last ? e_.Write(layer_.output, box, &out_buffers_) : View{};
      // Named: clang 14 does not capture structured bindings by [&].
      const auto fill_common = [&, kh0 = kh0, khn = khn](auto* i) {
        i->src = src.addr;
        i->src_row_pitch = src.row_pitch;
        i->src_plane_pitch = src.plane_pitch;
        i->in_h = empty ? 0 : y.count;
        i->in_w = empty ? 0 : x.count;
        i->pad_top = empty ? 0 : y.pad;
        i->pad_left = empty ? 0 : x.pad;
        i->dst = dst.addr;
        i->dst_row_pitch = dst.row_pitch;
        i->dst_plane_pitch = dst.plane_pitch;
        i->out_w = box.xn;
        i->out_h = box.yn;
        i->groups = box.gn;
        i->kernel_h = khn;
        i->kernel_w = layer_.kernel_w;
        i->stride_h = layer_.stride_h;
        i->stride_w = layer_.stride_w;
        i->dilation_h = layer_.dilation_h;
        i->dilation_w = layer_.dilation_w;
        i->params = params;
        i->accumulate = kh0 != 0;
        i->keep = last ? 0 : 1;
        i->zero_point = last ? layer_.out.zero_point : 0;
        i->clamp_lo = last ? layer_.out.clamp_lo : -128;
        i->clamp_hi = last ? layer_.out.clamp_hi : 127;
        i->table = last && layer_.out.table ? 1 : 0;
      };
      if (pool()) {
        Pool p;
        fill_common(&p);
        p.average = layer_.average;
        p.in_zero = in_.zero_point;
        p.shift = Multiplier::kMinShift;
        p.per_count = PerCount() ? 1 : 0;
        p.requantize = !layer_.average && layer_.requantize && last ? 1 : 0;
        if (layer_.average && !p.per_count && taps > 0) {
          SetMultiplier(layer_.pool_multipliers[static_cast<size_t>(taps - 1)], &p);
        } else if (p.requantize) {
          SetMultiplier(layer_.pool_multipliers[0], &p);
        }
        e_.Emit(kVector, p);
      } else {
        Depthwise d;
        fill_common(&d);
        d.fill = in_.zero_point;
        d.prelu = layer_.prelu && last ? 1 : 0;
        e_.Emit(kVector, d);
      }
      if (last) e_.WriteDone(layer_.output, box, dst);
    }
  }

  static void SetMultiplier(const Multiplier& m, Pool* p) {
    p->m = m.m;
    p->shift = m.shift;
  }

  /// First vector memory row of the segment; loaded anew only when it is not the one loaded last.
  uint32_t LoadParams(const Box& box, uint32_t kh0, uint32_t khn, bool last) {
    const auto key = pool() ? std::make_tuple(0U, 0U, last) : std::make_tuple(box.g0, kh0, last);
    auto it = segments_.find(key);
    if (it == segments_.end()) {
      std::vector<uint8_t> bytes;
      if (!pool()) {
        bytes = PackDepthwiseSegment(layer_, out_, box.g0, box.gn, kh0, khn, last, e_.config);
      } else if (last) {
        std::vector<uint32_t> multipliers;
        if (PerCount()) {
          for (uint32_t vh = 1; vh <= layer_.kernel_h; ++vh) {
            for (uint32_t vw = 1; vw <= layer_.kernel_w; ++vw) {
              multipliers.push_back(PackMultiplier(layer_.pool_multipliers[size_t{vh} * vw - 1]));
            }
          }
        }
        bytes = PackTable(layer_.out.table, multipliers, e_.config);
      }
      const auto rows = static_cast<uint32_t>(bytes.size() / e_.config.channels);
      it = segments_.emplace(key, SegmentPlace{rows == 0 ? 0 : e_.weights.Append(bytes), rows}).first;
    }
    if (it->second.rows == 0) return 0;
    if (current_ != key || !loaded_) {
      current_ = key;
      loaded_ = true;
      current_addr_ = e_.LoadVectorSegment(it->second.offset, it->second.rows);
    }
    return current_addr_;
  }

  struct SegmentPlace {
    uint64_t offset;
    uint32_t rows;
  };

  Emitter& e_;
  const Layer& layer_;
  const OverlayTensor &in_, &out_;
  std::array<std::vector<Stretch>, 2> stretches_;
  uint32_t rows_ = 0, cols_ = 0, groups_ = 0, kernel_rows_ = 0, buffers_ = 2;
  Emitter::Buffers in_buffers_, out_buffers_;
  std::map<std::tuple<uint32_t, uint32_t, bool>, SegmentPlace> segments_;
  std::tuple<uint32_t, uint32_t, bool> current_{};
  bool loaded_ = false;
  uint32_t current_addr_ = 0;
};

}  // namespace

Status ScheduleWindow(Emitter& emitter, const Layer& layer, std::string* report) {
  return WindowScheduler(emitter, layer).Run(report);
}

}  // namespace xrun::compiler
