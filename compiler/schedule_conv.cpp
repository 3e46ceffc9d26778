#include <cassert>
#include <cmath>
#include <limits>
#include <map>

#include "compiler/emitter.h"
#include "compiler/pack_weights.h"

namespace xrun::compiler {
namespace {

/// Output groups that read the same input groups: one block for a dense convolution, several for a grouped one.
struct Block {
  uint32_t og0, ogn, ig0, ign;
};

std::vector<Block> MakeBlocks(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, uint32_t cp) {
  // Channels that are not where they belong could come from any group: then every block reads all.
  if (layer.groups == 1 || !in.channel_map.empty() || !out.channel_map.empty()) return {{0, out.groups, 0, in.groups}};
  const uint32_t in_per_group = in.channels / layer.groups, out_per_group = out.channels / layer.groups;
  std::vector<Block> blocks;
  for (uint32_t og = 0; og < out.groups; ++og) {
    const uint32_t first = og * cp / out_per_group;
    const uint32_t last = (std::min((og + 1) * cp, out.channels) - 1) / out_per_group;
    const uint32_t ig0 = first * in_per_group / cp;
    const uint32_t ign = CeilDiv((last + 1) * in_per_group, cp) - ig0;
    if (!blocks.empty() && blocks.back().ig0 == ig0 && blocks.back().ign == ign) {
      ++blocks.back().ogn;
    } else {
      blocks.push_back({og, 1, ig0, ign});
    }
  }
  return blocks;
}

/// How a convolution is cut. Partial sums are used when part_* do not cover the whole kernel.
struct Plan {
  uint32_t rows = 0, cols = 0, out_groups = 0;
  uint32_t in_groups = 0, kernel_rows = 0, kernel_cols = 0;
  uint32_t buffers = 2;
  bool weights_outer = false;     ///< all pixel tiles under one set of weights, instead of the reverse
  bool weights_resident = false;  ///< pixel tiles outside, but all weights of the layer stay in the ring
  double cycles = std::numeric_limits<double>::infinity();
};

class ConvScheduler {
 public:
  ConvScheduler(Emitter& emitter, const Layer& layer)
      : e_(emitter),
        layer_(layer),
        in_(emitter.tensor(layer.input)),
        out_(emitter.tensor(layer.output)),
        res_(layer.out.residual ? &emitter.tensor(layer.out.residual->tensor) : nullptr),
        blocks_(MakeBlocks(layer, in_, out_, emitter.config.channels)) {
    for (const Block& b : blocks_) {
      max_ign_ = std::max(max_ign_, b.ign);
      max_ogn_ = std::max(max_ogn_, b.ogn);
    }
    table_rows_ = layer.out.table ? e_.config.table_rows() : 0;
  }

  Status Run(std::string* report) {
    if (!Search()) {
      return Failure{"no tile of '" + layer_.name + "' fits " + e_.config.name + ": " +
                         std::to_string(e_.tile_words()) + " activation words are free, the smallest tile needs more",
                     "choose a larger configuration"};
    }
    Emit();
    *report = "conv " + layer_.name + ": tiles " + std::to_string(plan_.rows) + "x" + std::to_string(plan_.cols) +
              " of " + std::to_string(out_.height) + "x" + std::to_string(out_.width) + ", output groups " +
              std::to_string(plan_.out_groups) + "/" + std::to_string(out_.groups) + ", input groups " +
              std::to_string(plan_.in_groups) + "/" + std::to_string(max_ign_) + ", kernel rows " +
              std::to_string(plan_.kernel_rows) + "/" + std::to_string(layer_.kernel_h) + ", " +
              std::to_string(plan_.buffers) + " buffers, " +
              (plan_.weights_resident ? "weights stay"
               : plan_.weights_outer  ? "weights outside"
                                      : "weights inside");
    return {};
  }

 private:
  bool split(const Plan& p) const {
    return p.in_groups < max_ign_ || p.kernel_rows < layer_.kernel_h || p.kernel_cols < layer_.kernel_w;
  }

  uint32_t SegmentRows(const Plan& p, uint32_t out_groups) const {
    return table_rows_ + out_groups * (e_.config.param_rows() + p.kernel_rows * p.kernel_cols * p.in_groups);
  }

  /// Row pitch of an input tile: lanes that pass a row's end meet no bank twice when the pitch is congruent to the
  /// tile's columns; taken when that costs little memory.
  uint32_t RowPitch(uint32_t in_cols, uint32_t out_cols) const {
    const uint32_t nb = e_.config.banks();
    const uint32_t pitch = in_cols + (out_cols % nb + nb - in_cols % nb) % nb;
    return layer_.stride_w == 1 && pitch - in_cols <= in_cols / 4 ? pitch : in_cols;
  }

  struct InputTile {
    uint32_t rows, pitch;
  };
  InputTile LargestInput(const Plan& p) const {
    const uint32_t rows = std::min<uint64_t>(
        in_.height, uint64_t{p.rows - 1} * layer_.stride_h + uint64_t{p.kernel_rows - 1} * layer_.dilation_h + 1);
    const uint32_t cols = std::min<uint64_t>(
        in_.width, uint64_t{p.cols - 1} * layer_.stride_w + uint64_t{p.kernel_cols - 1} * layer_.dilation_w + 1);
    if (p.cols == out_.width && p.kernel_cols == layer_.kernel_w) {
      const InputSpan x = MakeInputSpan(0, out_.width, 0, layer_.kernel_w, layer_.stride_w, layer_.dilation_w,
                                        layer_.pad_left, in_.width);
      return {rows, RowPitch(x.count, out_.width)};
    }
    // Tiles at the border may be narrower with a pitch of their own; none exceeds this.
    return {rows, cols + std::min(cols / 4, e_.config.banks())};
  }

  uint64_t InputWords(const Plan& p) const {
    if (e_.OnChip(in_)) return 0;
    const InputTile tile = LargestInput(p);
    const uint64_t groups = split(p) ? p.in_groups : p.weights_outer ? max_ign_ : in_.groups;
    return groups * tile.rows * tile.pitch;
  }
  uint64_t OutputWords(const Plan& p) const { return uint64_t{p.out_groups} * p.rows * p.cols; }

  bool Fits(const Plan& p) const {
    uint64_t words = p.buffers * InputWords(p);
    if (!e_.OnChip(out_)) words += p.buffers * OutputWords(p);
    if (res_ != nullptr && !e_.OnChip(*res_)) words += p.buffers * OutputWords(p);
    return words <= e_.tile_words();
  }

  uint32_t RowTiles(const Plan& p) const { return CeilDiv(out_.height, p.rows); }
  uint32_t ColTiles(const Plan& p) const { return CeilDiv(out_.width, p.cols); }

  uint32_t OutChunks(const Plan& p) const {
    uint32_t n = 0;
    for (const Block& b : blocks_) n += CeilDiv(b.ogn, p.out_groups);
    return n;
  }

  /// An estimate, for choosing among tilings only.
  double Cycles(const Plan& p) const {
    const HardwareConfig& c = e_.config;
    const double tiles = double{1} * RowTiles(p) * ColTiles(p);
    const double chunks = OutChunks(p);
    const double weight_bytes = double{1} *
                                SegmentRows({p.rows, p.cols, 1, max_ign_, layer_.kernel_h, layer_.kernel_w}, 1) *
                                out_.groups * c.weight_row_bytes();
    const InputTile tile = LargestInput(p);
    const double input_pass = e_.OnChip(in_) ? 0 : tiles * in_.groups * tile.rows * tile.pitch * c.channels;
    double bytes = 0;
    if (split(p)) {
      bytes = input_pass * chunks + weight_bytes * tiles;
    } else if (p.weights_outer) {
      bytes = input_pass * chunks + weight_bytes;
    } else {
      bytes = input_pass + weight_bytes * (p.weights_resident ? 1 : tiles);
    }
    const double out_bytes = double{1} * out_.words() * c.channels;
    if (!e_.OnChip(out_)) bytes += out_bytes;
    if (res_ != nullptr && !e_.OnChip(*res_)) bytes += out_bytes;
    const double dram = bytes / (c.dram_ports * c.dram_port_bytes * c.dram_efficiency / 100.0);

    const double pixel_groups = std::ceil(static_cast<double>(p.rows) * p.cols / c.pixels);
    const double k = double{1} * layer_.kernel_h * layer_.kernel_w * max_ign_;
    const double out_min = std::ceil(static_cast<double>(c.pixels) * c.channels / c.requant_lanes);
    const double parts = split(p) ? std::ceil(double{1} * max_ign_ / p.in_groups) *
                                        std::ceil(double{1} * layer_.kernel_h / p.kernel_rows) *
                                        std::ceil(double{1} * layer_.kernel_w / p.kernel_cols)
                                  : 1;
    const double array = tiles * out_.groups * pixel_groups * std::max(k, out_min) + tiles * chunks * parts * 70;
    const double overhead = tiles * chunks * parts * 20;
    return p.buffers > 1 ? std::max(array, dram) + overhead + (array + dram) / (1 + tiles * chunks)
                         : array + dram + overhead;
  }

  void Consider(Plan p) {
    if (!Fits(p)) return;
    if (split(p)) {
      const uint64_t groups = CeilDiv(uint64_t{p.rows} * p.cols, e_.config.pixels);
      if (groups * p.out_groups > e_.config.partial_entries) return;
    }
    p.cycles = Cycles(p);
    if (p.cycles < plan_.cycles) plan_ = p;
  }

  void TryTiles(Plan p) {
    for (const uint32_t rows :
         TileSizes(out_.height, std::min<uint32_t>(e_.limits.rows ? e_.limits.rows : 16383, 16383))) {
      for (const uint32_t cols :
           TileSizes(out_.width, std::min<uint32_t>(e_.limits.cols ? e_.limits.cols : 16383, 16383))) {
        p.rows = rows;
        p.cols = cols;
        if (split(p)) {
          Consider(p);
          continue;
        }
        p.weights_outer = true;
        p.weights_resident = false;
        Consider(p);
        p.weights_outer = false;
        Consider(p);
        uint64_t all = 0;
        for (const Block& b : blocks_) {
          for (const auto& [og0, ogn] : Split(b.ogn, p.out_groups)) {
            (void)og0;
            Plan q = p;
            q.in_groups = b.ign;
            all += SegmentRows(q, ogn);
          }
        }
        p.weights_resident = all <= e_.config.weight_rows;
        if (p.weights_resident) Consider(p);
      }
    }
  }

  /// Tries output group counts for one way of cutting the sum; false if not even one output group fits the ring.
  bool TryOutGroups(Plan p) {
    const uint32_t ring = e_.config.weight_rows;
    if (SegmentRows(p, 1) > ring) return false;
    // Half the ring, so that the next segment loads while this one is used.
    const uint32_t half = std::max(ring / 2, SegmentRows(p, 1));
    uint32_t most = 1;
    while (most < max_ogn_ && SegmentRows(p, most + 1) <= half) ++most;
    if (e_.limits.out_groups != 0) most = std::min(most, e_.limits.out_groups);
    for (const uint32_t og : TileSizes(max_ogn_, most)) {
      p.out_groups = og;
      TryTiles(p);
    }
    return true;
  }

  bool Search() {
    const uint32_t ig_limit = e_.limits.in_groups, kh_limit = e_.limits.kernel_rows;
    for (const uint32_t buffers : {2U, 1U}) {
      if (e_.limits.single_buffer && buffers == 2) continue;
      // Whole sums first, then the kernel's input groups, rows and columns cut ever finer until something fits.
      for (const uint32_t kw : TileSizes(layer_.kernel_w, 0)) {
        for (const uint32_t kh : TileSizes(layer_.kernel_h, kh_limit)) {
          for (const uint32_t ig : TileSizes(max_ign_, ig_limit)) {
            Plan p;
            p.buffers = buffers;
            p.in_groups = ig;
            p.kernel_rows = kh;
            p.kernel_cols = kw;
            TryOutGroups(p);
            if (std::isfinite(plan_.cycles)) return true;
          }
        }
      }
    }
    return false;
  }

  struct Segment {
    uint64_t offset;
    uint32_t rows;
    int32_t loaded = kNone;
  };

  /// Packs (once) the weights of a part and appends them to the weight section.
  Segment& SegmentOf(const ConvPart& part) {
    const auto key = std::array<uint32_t, 4>{part.og0, part.ig0, part.kh0, part.kw0};
    auto it = segments_.find(key);
    if (it == segments_.end()) {
      const std::vector<uint8_t> bytes = PackConvSegment(layer_, in_, out_, part, e_.config);
      const auto rows = static_cast<uint32_t>(bytes.size() / e_.config.weight_row_bytes());
      it = segments_.emplace(key, Segment{e_.weights.Append(bytes), rows}).first;
    }
    return it->second;
  }

  std::vector<ConvPart> PartsOf(const Block& block, uint32_t og0, uint32_t ogn) const {
    std::vector<ConvPart> parts;
    for (const auto& [ig0, ign] : Split(block.ign, split(plan_) ? plan_.in_groups : block.ign)) {
      for (const auto& [kh0, khn] : Split(layer_.kernel_h, plan_.kernel_rows)) {
        for (const auto& [kw0, kwn] : Split(layer_.kernel_w, plan_.kernel_cols)) {
          parts.push_back({og0, ogn, block.ig0 + ig0, ign, kh0, khn, kw0, kwn, false});
        }
      }
    }
    parts.back().last = true;
    return parts;
  }

  struct PixelTile {
    uint32_t y0, yn, x0, xn;
    bool first, last;
  };

  void Emit() {
    if (!e_.OnChip(in_)) in_buffers_ = e_.Allocate(static_cast<uint32_t>(InputWords(plan_)), plan_.buffers);
    if (!e_.OnChip(out_)) out_buffers_ = e_.Allocate(static_cast<uint32_t>(OutputWords(plan_)), plan_.buffers);
    if (res_ != nullptr && !e_.OnChip(*res_)) {
      res_buffers_ = e_.Allocate(static_cast<uint32_t>(OutputWords(plan_)), plan_.buffers);
    }
    std::vector<PixelTile> tiles;
    for (const auto& [y0, yn] : Split(out_.height, plan_.rows)) {
      for (const auto& [x0, xn] : Split(out_.width, plan_.cols)) tiles.push_back({y0, yn, x0, xn, false, false});
    }
    tiles.front().first = true;
    tiles.back().last = true;

    if (plan_.weights_outer) {
      for (const Block& block : blocks_) {
        for (const auto& [og0, ogn] : Split(block.ogn, plan_.out_groups)) {
          for (const PixelTile& tile : tiles) {
            const ConvPart part = PartsOf(block, block.og0 + og0, ogn)[0];
            const View view = ReadInput(part, tile);
            EmitConv(part, tile, view, tile.first, tile.last);
          }
        }
      }
      return;
    }
    for (const PixelTile& tile : tiles) {
      ConvPart whole{0, 0, 0, in_.groups, 0, layer_.kernel_h, 0, layer_.kernel_w, true};
      View view;
      if (!split(plan_)) view = ReadInput(whole, tile);
      for (const Block& block : blocks_) {
        for (const auto& [og0, ogn] : Split(block.ogn, plan_.out_groups)) {
          for (const ConvPart& part : PartsOf(block, block.og0 + og0, ogn)) {
            View part_view = view;
            if (split(plan_)) {
              part_view = ReadInput(part, tile);
            } else {
              part_view.addr += part.ig0 * view.plane_pitch;
            }
            const bool resident = plan_.weights_resident;
            EmitConv(part, tile, part_view, !resident || tile.first, !resident || tile.last);
          }
        }
      }
    }
  }

  InputSpan Rows(const ConvPart& part, const PixelTile& t) const {
    return MakeInputSpan(t.y0, t.yn, part.kh0, part.khn, layer_.stride_h, layer_.dilation_h, layer_.pad_top,
                         in_.height);
  }
  InputSpan Cols(const ConvPart& part, const PixelTile& t) const {
    return MakeInputSpan(t.x0, t.xn, part.kw0, part.kwn, layer_.stride_w, layer_.dilation_w, layer_.pad_left,
                         in_.width);
  }

  View ReadInput(const ConvPart& part, const PixelTile& tile) {
    const InputSpan y = Rows(part, tile), x = Cols(part, tile);
    if (y.count == 0 || x.count == 0) return {};
    return e_.Read(layer_.input, {part.ig0, part.ign, y.first, y.count, x.first, x.count}, &in_buffers_,
                   RowPitch(x.count, tile.xn));
  }

  void EmitConv(const ConvPart& part, const PixelTile& tile, const View& view, bool load_weights, bool release) {
    Segment& segment = SegmentOf(part);
    if (load_weights) segment.loaded = e_.LoadSegment(segment.offset, segment.rows);
    const InputSpan y = Rows(part, tile), x = Cols(part, tile);
    Conv c;
    c.src = view.addr;
    c.src_row_pitch = view.row_pitch;
    c.src_plane_pitch = view.plane_pitch;
    c.in_h = y.count != 0 && x.count != 0 ? y.count : 0;
    c.in_w = c.in_h != 0 ? x.count : 0;
    c.pad_top = c.in_h != 0 ? y.pad : 0;
    c.pad_left = c.in_h != 0 ? x.pad : 0;
    c.fill = layer_.fill.value_or(in_.zero_point);
    c.out_w = tile.xn;
    c.out_h = tile.yn;
    c.ic_groups = part.ign;
    c.oc_groups = part.ogn;
    c.kernel_h = part.khn;
    c.kernel_w = part.kwn;
    c.stride_h = layer_.stride_h;
    c.stride_w = layer_.stride_w;
    c.dilation_h = layer_.dilation_h;
    c.dilation_w = layer_.dilation_w;
    c.dst_step = 1;
    c.accumulate = part.ig0 != first_ig_of(part) || part.kh0 != 0 || part.kw0 != 0;
    c.keep = part.last ? 0 : 1;
    c.weight_zero = layer_.has_weight_zero;
    c.clamp_lo = c.clamp2_lo = -128;
    c.clamp_hi = c.clamp2_hi = 127;
    if (c.keep) {
      e_.Emit(kConv, c, segment.loaded, release);
      return;
    }
    const OutputStage& out = layer_.out;
    c.zero_point = out.zero_point;
    c.clamp_lo = out.clamp_lo;
    c.clamp_hi = out.clamp_hi;
    c.table = out.table ? 1 : 0;
    c.prelu = layer_.prelu;
    const Box box{part.og0, part.ogn, tile.y0, tile.yn, tile.x0, tile.xn};
    if (out.residual) {
      const OutputStage::Residual& r = *out.residual;
      const View res = e_.Read(r.tensor, box, &res_buffers_, tile.xn);
      c.residual = 1;
      c.res = res.addr;
      c.res_row_pitch = res.row_pitch;
      c.res_plane_pitch = res.plane_pitch;
      c.m_main = r.m_main;
      c.m_res = r.m_res;
      c.add_shift = r.shift;
      c.main_zero = r.main_zero;
      c.res_zero = r.res_zero;
      c.zero_point2 = r.zero_point;
      c.clamp2_lo = r.clamp_lo;
      c.clamp2_hi = r.clamp_hi;
    }
    const View dst = e_.Write(layer_.output, box, &out_buffers_);
    c.dst = dst.addr;
    c.dst_row_pitch = dst.row_pitch;
    c.dst_plane_pitch = dst.plane_pitch;
    e_.Emit(kConv, c, segment.loaded, release);
    e_.WriteDone(layer_.output, box, dst);
  }

  uint32_t first_ig_of(const ConvPart& part) const {
    for (const Block& b : blocks_) {
      if (part.og0 >= b.og0 && part.og0 < b.og0 + b.ogn) return b.ig0;
    }
    return 0;
  }

  Emitter& e_;
  const Layer& layer_;
  const OverlayTensor &in_, &out_;
  const OverlayTensor* res_;
  std::vector<Block> blocks_;
  uint32_t max_ign_ = 1, max_ogn_ = 1, table_rows_ = 0;
  Plan plan_;
  Emitter::Buffers in_buffers_, out_buffers_, res_buffers_;
  std::map<std::array<uint32_t, 4>, Segment> segments_;
};

}  // namespace

Status ScheduleConv(Emitter& emitter, const Layer& layer, std::string* report) {
  return ConvScheduler(emitter, layer).Run(report);
}

}  // namespace xrun::compiler
