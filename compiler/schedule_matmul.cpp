// Products of two activations: a 1x1 convolution of input a whose weights LoadMatrix makes of input b.

#include <cmath>
#include <limits>

#include "compiler/emitter.h"
#include "compiler/pack_weights.h"

namespace xrun::compiler {
namespace {

/// How a product is cut: pixel tiles outside, output groups inside, and where the sum over all input groups does not
/// fit, parts of it innermost.
struct Plan {
  uint32_t rows = 0, cols = 0, out_groups = 0, in_groups = 0;
  uint32_t buffers = 2;
  double cycles = std::numeric_limits<double>::infinity();
};

class MatMulScheduler {
 public:
  MatMulScheduler(Emitter& emitter, const Layer& layer)
      : e_(emitter),
        layer_(layer),
        a_(emitter.tensor(layer.input)),
        b_(emitter.tensor(layer.input_b)),
        out_(emitter.tensor(layer.output)),
        length_(a_.channels),
        columns_(layer.transposed ? b_.channels : b_.height * b_.width),
        record_rows_(emitter.config.param_rows()),
        table_rows_(layer.out.table ? emitter.config.table_rows() : 0) {
    // −za of every input channel, as one or two int8 numbers.
    if (a_.zero_point == -128) {
      fills_ = {64, 64};
    } else if (a_.zero_point != 0) {
      fills_ = {-a_.zero_point};
    }
  }

  Status Run(std::string* report) {
    if (!Search()) {
      return Failure{"no tile of '" + layer_.name + "' fits " + e_.config.name + ": " +
                         std::to_string(e_.tile_words()) + " activation words are free, the smallest tile needs more",
                     "choose a larger configuration"};
    }
    Emit();
    *report = "product " + layer_.name + ": tiles " + std::to_string(plan_.rows) + "x" + std::to_string(plan_.cols) +
              " of " + std::to_string(out_.height) + "x" + std::to_string(out_.width) + ", output groups " +
              std::to_string(plan_.out_groups) + "/" + std::to_string(out_.groups) + ", input groups " +
              std::to_string(plan_.in_groups) + "/" + std::to_string(a_.groups) + ", " + std::to_string(plan_.buffers) +
              " buffers" + (layer_.transposed ? ", transposed" : "") + (fills_.empty() ? "" : ", zero point first");
    return {};
  }

 private:
  bool split(const Plan& p) const { return p.in_groups < a_.groups; }

  uint32_t SegmentRows(const Plan& p, uint32_t out_groups) const {
    return table_rows_ + out_groups * (record_rows_ + p.in_groups);
  }
  uint64_t InputWords(const Plan& p) const { return e_.OnChip(a_) ? 0 : uint64_t{p.in_groups} * p.rows * p.cols; }
  uint64_t OutputWords(const Plan& p) const { return e_.OnChip(out_) ? 0 : uint64_t{p.out_groups} * p.rows * p.cols; }

  void Consider(Plan p) {
    if (p.buffers * (InputWords(p) + OutputWords(p)) > e_.tile_words()) return;
    const uint64_t pixel_groups = CeilDiv(uint64_t{p.rows} * p.cols, e_.config.pixels);
    const bool partial = split(p) || !fills_.empty();
    if (partial && pixel_groups * p.out_groups > e_.config.partial_entries) return;
    p.cycles = Cycles(p, static_cast<double>(pixel_groups));
    if (p.cycles < plan_.cycles) plan_ = p;
  }

  /// An estimate, for choosing among tilings only.
  double Cycles(const Plan& p, double pixel_groups) const {
    const HardwareConfig& c = e_.config;
    const double tiles = double{1} * CeilDiv(out_.height, p.rows) * CeilDiv(out_.width, p.cols);
    const double chunks = CeilDiv(out_.groups, p.out_groups), parts = CeilDiv(a_.groups, p.in_groups);
    const double pixels = double{1} * out_.height * out_.width;
    const double blocks = double{1} * out_.groups * a_.groups;
    double words = tiles * blocks * c.channels + pixels * out_.groups;
    if (!e_.OnChip(a_)) words += pixels * a_.groups * (split(p) ? chunks : 1);
    const double dram = words * c.channels / c.dram_bytes_per_cycle();
    const double load = std::max(dram, tiles * blocks * (layer_.transposed ? c.channels : 1));
    const double out_min = std::ceil(static_cast<double>(c.pixels) * c.channels / c.requant_lanes);
    const double passes = 1 + static_cast<double>(fills_.size());
    const double calls = tiles * chunks * parts * passes;
    const double array = tiles * out_.groups * pixel_groups * std::max(passes * a_.groups, out_min) + calls * 70;
    const double overhead = calls * 20;
    return p.buffers > 1 ? std::max(array, load) + overhead + (array + load) / (1 + tiles * chunks)
                         : array + load + overhead;
  }

  bool Search() {
    const uint32_t ring = e_.config.weight_rows;
    const auto cap = [](uint32_t limit) { return limit != 0 ? std::min(limit, 16383U) : 16383U; };
    for (const uint32_t buffers : {2U, 1U}) {
      if (e_.limits.single_buffer && buffers == 2) continue;
      for (const uint32_t in_groups : TileSizes(a_.groups, e_.limits.in_groups)) {
        Plan p;
        p.buffers = buffers;
        p.in_groups = in_groups;
        if (SegmentRows(p, 1) > ring) continue;
        // Half the ring, so that the next segment loads while this one is used.
        const uint32_t half = std::max(ring / 2, SegmentRows(p, 1));
        uint32_t most = (half - table_rows_) / (record_rows_ + in_groups);
        if (e_.limits.out_groups != 0) most = std::min(most, e_.limits.out_groups);
        // One sum needs tiles of one shape, and only of one output group can a Conv step over the record.
        if (!fills_.empty()) most = 1;
        for (const uint32_t out_groups : TileSizes(out_.groups, most)) {
          p.out_groups = out_groups;
          for (const uint32_t rows : TileSizes(out_.height, cap(e_.limits.rows))) {
            for (const uint32_t cols : TileSizes(out_.width, cap(e_.limits.cols))) {
              p.rows = rows;
              p.cols = cols;
              Consider(p);
            }
          }
        }
        if (std::isfinite(plan_.cycles)) return true;
      }
    }
    return false;
  }

  void Emit() {
    if (!e_.OnChip(a_)) in_buffers_ = e_.Allocate(static_cast<uint32_t>(InputWords(plan_)), plan_.buffers);
    if (!e_.OnChip(out_)) out_buffers_ = e_.Allocate(static_cast<uint32_t>(OutputWords(plan_)), plan_.buffers);
    record_ = e_.weights.Append(PackRecord(layer_.params[0], e_.config));
    if (layer_.out.table) table_ = e_.weights.Append(PackRingTable(*layer_.out.table, e_.config));
    for (const auto& [y0, yn] : Split(out_.height, plan_.rows)) {
      for (const auto& [x0, xn] : Split(out_.width, plan_.cols)) {
        const Box tile{0, a_.groups, y0, yn, x0, xn};
        View source;
        if (!split(plan_)) source = e_.Read(layer_.input, tile, &in_buffers_, xn);
        for (const auto& [og0, ogn] : Split(out_.groups, plan_.out_groups)) EmitTile(tile, og0, ogn, source);
      }
    }
  }

  void EmitTile(const Box& tile, uint32_t og0, uint32_t ogn, View source) {
    const Box box{og0, ogn, tile.y0, tile.yn, tile.x0, tile.xn};
    View dst;
    bool first = true;
    for (const auto& [ig0, ign] : Split(a_.groups, plan_.in_groups)) {
      const bool last = ig0 + ign == a_.groups;
      const int32_t segment = LoadSegment(og0, ogn, ig0, ign, last);
      if (split(plan_)) {
        source = e_.Read(layer_.input, {ig0, ign, tile.y0, tile.yn, tile.x0, tile.xn}, &in_buffers_, tile.xn);
      }
      Conv c;
      c.out_w = tile.xn;
      c.out_h = tile.yn;
      c.ic_groups = ign;
      c.oc_groups = ogn;
      c.kernel_h = c.kernel_w = c.stride_h = c.stride_w = c.dilation_h = c.dilation_w = c.dst_step = 1;
      c.weight_zero = layer_.has_weight_zero;
      c.clamp_lo = c.clamp2_lo = -128;
      c.clamp_hi = c.clamp2_hi = 127;
      for (const int32_t fill : fills_) {  // nothing inside: the fill times every weight
        c.fill = fill;
        c.keep = 1;
        c.accumulate = first ? 0 : 1;
        e_.Emit(kConv, c, segment, false, last ? table_rows_ + record_rows_ : 0);
        first = false;
      }
      c.accumulate = first ? 0 : 1;
      c.keep = last ? 0 : 1;
      c.src = source.addr;
      c.src_row_pitch = source.row_pitch;
      c.src_plane_pitch = source.plane_pitch;
      c.in_h = tile.yn;
      c.in_w = tile.xn;
      if (last) {
        dst = e_.Write(layer_.output, box, &out_buffers_);
        SetOutput(dst, &c);
      }
      e_.Emit(kConv, c, segment, true);
      first = false;
    }
    e_.WriteDone(layer_.output, box, dst);
  }

  void SetOutput(const View& dst, Conv* c) const {
    c->zero_point = layer_.out.zero_point;
    c->clamp_lo = layer_.out.clamp_lo;
    c->clamp_hi = layer_.out.clamp_hi;
    c->table = layer_.out.table ? 1 : 0;
    c->dst = dst.addr;
    c->dst_row_pitch = dst.row_pitch;
    c->dst_plane_pitch = dst.plane_pitch;
  }

  int32_t LoadSegment(uint32_t og0, uint32_t ogn, uint32_t ig0, uint32_t ign, bool last) {
    Emitter::SegmentBuilder segment = e_.NewSegment();
    if (last && table_rows_ != 0) e_.AddWeights(&segment, table_, table_rows_);
    for (uint32_t og = og0; og < og0 + ogn; ++og) {
      if (last) e_.AddWeights(&segment, record_, record_rows_);
      AddBlocks(&segment, og, ig0, ign);
    }
    return segment.segment;
  }

  /// The blocks of one output group and some input groups. Only the last input group can be short.
  void AddBlocks(Emitter::SegmentBuilder* segment, uint32_t og, uint32_t ig0, uint32_t ign) {
    const uint32_t cp = e_.config.channels;
    const uint32_t full = std::min(ign, std::max(length_ / cp, ig0) - ig0);
    if (full != 0) AddRun(segment, og, ig0, full, cp);
    if (full != ign) AddRun(segment, og, ig0 + full, 1, length_ % cp);
  }

  void AddRun(Emitter::SegmentBuilder* segment, uint32_t og, uint32_t ig, uint32_t rows, uint32_t inputs) {
    const uint32_t cp = e_.config.channels;
    const OverlayTensor root = e_.Memory(b_);
    const uint64_t plane = uint64_t{root.height} * root.width;
    const uint64_t first = uint64_t{b_.y0} * root.width + b_.x0;
    const uint32_t outputs = std::min(cp, columns_ - og * cp);
    LoadMatrix m;
    m.base = root.base;
    m.rows = rows;
    m.fill = b_.zero_point;
    m.transpose = layer_.transposed ? 1 : 0;
    const uint32_t group = b_.group0 + (layer_.transposed ? og : ig);
    const uint32_t pixel = (layer_.transposed ? ig : og) * cp;
    m.offset = static_cast<uint32_t>(root.offset + (group * plane + first + pixel) * cp);
    m.row_stride = static_cast<uint32_t>(layer_.transposed ? uint64_t{cp} * cp : plane * cp);
    m.words = layer_.transposed ? inputs : outputs;
    m.lanes = layer_.transposed ? outputs : inputs;
    e_.AddMatrix(segment, m);
  }

  Emitter& e_;
  const Layer& layer_;
  const OverlayTensor &a_, &b_, &out_;
  uint32_t length_, columns_;  ///< of the sum; of the result (its channels)
  uint32_t record_rows_, table_rows_;
  std::vector<int32_t> fills_;
  uint64_t record_ = 0, table_ = 0;  ///< offsets in the weight section
  Plan plan_;
  Emitter::Buffers in_buffers_, out_buffers_;
};

}  // namespace

Status ScheduleMatMul(Emitter& emitter, const Layer& layer, std::string* report) {
  return MatMulScheduler(emitter, layer).Run(report);
}

}  // namespace xrun::compiler
