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

/// How a convolution is cut. Rows and columns are those of cells (a cell is one pixel but for layers with phases).
/// Partial sums are used where input groups or kernel are cut.
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
        phases_(PhasesOf(layer, out_)),
        cell_rows_(CeilDiv(out_.height, layer.cell_h)),
        cell_cols_(CeilDiv(out_.width, layer.cell_w)) {
    MakeBlocks();
    for (const Block& b : blocks_) {
      max_ign_ = std::max(max_ign_, b.ign);
      max_ogn_ = std::max(max_ogn_, b.ogn);
    }
    for (const PhaseView& p : phases_) {
      kernel_h_ = std::max(kernel_h_, p.kernel_h);
      kernel_w_ = std::max(kernel_w_, p.kernel_w);
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
              " of " + std::to_string(cell_rows_) + "x" + std::to_string(cell_cols_) + ", output groups " +
              std::to_string(plan_.out_groups) + "/" + std::to_string(out_.groups) + ", input groups " +
              std::to_string(plan_.in_groups) + "/" + std::to_string(max_ign_) + ", kernel rows " +
              std::to_string(plan_.kernel_rows) + "/" + std::to_string(kernel_h_) + ", " +
              (phases_.size() > 1 ? std::to_string(phases_.size()) + " phases, " : "") + std::to_string(plan_.buffers) +
              " buffers, " +
              (plan_.weights_resident ? "weights stay"
               : plan_.weights_outer  ? "weights outside"
                                      : "weights inside");
    return {};
  }

 private:
  void MakeBlocks() {
    const uint32_t cp = e_.config.channels;
    const std::vector<int32_t> logical = out_.LogicalChannels(cp);
    groups_.resize(phases_.size());
    for (uint32_t og = 0; og < out_.groups; ++og) {
      GroupRange all;
      for (size_t p = 0; p < phases_.size(); ++p) {
        groups_[p].push_back(InputGroups(layer_, phases_[p], in_, out_, logical, og, cp));
        all = Join(all, groups_[p].back());
      }
      if (all.count == 0) all = {0, 1};
      if (!blocks_.empty() && blocks_.back().ig0 == all.first && blocks_.back().ign == all.count) {
        ++blocks_.back().ogn;
      } else {
        blocks_.push_back({og, 1, all.first, all.count});
      }
    }
  }

  bool split(const Plan& p) const {
    return p.in_groups < max_ign_ || p.kernel_rows < kernel_h_ || p.kernel_cols < kernel_w_;
  }

  /// Ring rows of a phase's segment for some output groups of a block.
  uint32_t SegmentRows(const Plan& p, const PhaseView& phase, uint32_t out_groups) const {
    return table_rows_ +
           out_groups * (e_.config.param_rows() + std::min(p.kernel_rows, phase.kernel_h) *
                                                      std::min(p.kernel_cols, phase.kernel_w) * p.in_groups);
  }
  uint32_t LargestSegment(const Plan& p, uint32_t out_groups) const {
    uint32_t most = 0;
    for (const PhaseView& phase : phases_) most = std::max(most, SegmentRows(p, phase, out_groups));
    return most;
  }
  uint64_t AllSegments(const Plan& p, uint32_t out_groups) const {
    uint64_t sum = 0;
    for (const PhaseView& phase : phases_) sum += SegmentRows(p, phase, out_groups);
    return sum;
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
  /// No tile needs more rows, or more words a row, than this.
  InputTile LargestInput(const Plan& p) const {
    int64_t above = INT32_MIN, below = INT32_MIN, left = INT32_MIN, right = INT32_MIN;
    for (const PhaseView& phase : phases_) {
      const bool part_h = p.kernel_rows < phase.kernel_h, part_w = p.kernel_cols < phase.kernel_w;
      above = std::max<int64_t>(above, part_h ? 0 : phase.pad_top);
      left = std::max<int64_t>(left, part_w ? 0 : phase.pad_left);
      const int64_t kernel_rows = std::min(p.kernel_rows, phase.kernel_h);
      const int64_t kernel_cols = std::min(p.kernel_cols, phase.kernel_w);
      below = std::max(below, (kernel_rows - 1) * layer_.dilation_h - (part_h ? 0 : phase.pad_top));
      right = std::max(right, (kernel_cols - 1) * layer_.dilation_w - (part_w ? 0 : phase.pad_left));
    }
    const auto extent = [](uint32_t cells, uint32_t stride, int64_t before, int64_t after, uint32_t size) {
      return static_cast<uint32_t>(std::clamp<int64_t>((int64_t{cells} - 1) * stride + before + after + 1, 1, size));
    };
    const uint32_t rows = extent(p.rows, layer_.stride_h, above, below, in_.height);
    const uint32_t cols = extent(p.cols, layer_.stride_w, left, right, in_.width);
    if (p.cols == cell_cols_ && p.kernel_cols >= kernel_w_) {
      const InputSpan x = UnionCols({0, cell_rows_, 0, cell_cols_, true, true});
      return {rows, RowPitch(x.count, cell_cols_)};
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
  uint64_t OutputWords(const Plan& p) const {
    return uint64_t{p.out_groups} * p.rows * layer_.cell_h * p.cols * layer_.cell_w;
  }

  bool Fits(const Plan& p) const {
    uint64_t words = p.buffers * InputWords(p);
    if (!e_.OnChip(out_)) words += p.buffers * OutputWords(p);
    if (res_ != nullptr && !e_.OnChip(*res_)) words += p.buffers * OutputWords(p);
    return words <= e_.tile_words();
  }

  uint32_t RowTiles(const Plan& p) const { return CeilDiv(cell_rows_, p.rows); }
  uint32_t ColTiles(const Plan& p) const { return CeilDiv(cell_cols_, p.cols); }

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
    const double weight_bytes =
        static_cast<double>(AllSegments({p.rows, p.cols, 1, max_ign_, kernel_h_, kernel_w_}, 1)) * out_.groups *
        c.weight_row_bytes();
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
    const double dram = bytes / c.dram_bytes_per_cycle();

    const double pixel_groups = std::ceil(static_cast<double>(p.rows) * p.cols / c.pixels);
    const double out_min = std::ceil(static_cast<double>(c.pixels) * c.channels / c.requant_lanes);
    double cell = 0;
    for (const PhaseView& phase : phases_) {
      cell += std::max(double{1} * phase.kernel_h * phase.kernel_w * max_ign_, out_min);
    }
    const double parts = split(p) ? std::ceil(double{1} * max_ign_ / p.in_groups) *
                                        std::ceil(double{1} * kernel_h_ / p.kernel_rows) *
                                        std::ceil(double{1} * kernel_w_ / p.kernel_cols)
                                  : 1;
    const double calls = tiles * chunks * parts * static_cast<double>(phases_.size());
    const double array = tiles * out_.groups * pixel_groups * cell + calls * 70;
    const double overhead = calls * 20;
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
    const auto cap = [](uint32_t limit, uint32_t cell) {
      return std::min<uint32_t>(limit != 0 ? CeilDiv(limit, cell) : 16383, 16383 / cell);
    };
    const uint32_t ring = e_.config.weight_rows;
    for (const uint32_t rows : TileSizes(cell_rows_, cap(e_.limits.rows, layer_.cell_h))) {
      for (const uint32_t cols : TileSizes(cell_cols_, cap(e_.limits.cols, layer_.cell_w))) {
        p.rows = rows;
        p.cols = cols;
        p.weights_outer = p.weights_resident = false;
        Consider(p);
        if (split(p) || !EveryTileHasAllPhases(p)) continue;
        if (AllSegments(p, p.out_groups) <= ring) {
          p.weights_outer = true;
          Consider(p);
          p.weights_outer = false;
        }
        uint64_t all = 0;
        for (const Block& b : blocks_) {
          Plan q = p;
          q.in_groups = b.ign;
          for (const auto& [og0, ogn] : Split(b.ogn, p.out_groups)) all += AllSegments(q, ogn);
        }
        p.weights_resident = all <= ring;
        if (p.weights_resident) Consider(p);
      }
    }
  }

  /// Weights can stay for several tiles only if the first and the last use them: the ring is given back in order.
  bool EveryTileHasAllPhases(const Plan& p) const {
    const uint32_t last_y = (RowTiles(p) - 1) * p.rows, last_x = (ColTiles(p) - 1) * p.cols;
    return std::all_of(phases_.begin(), phases_.end(), [&](const PhaseView& phase) {
      return phase.cell_y < p.rows && phase.cell_y + phase.cell_rows > last_y && phase.cell_x < p.cols &&
             phase.cell_x + phase.cell_cols > last_x;
    });
  }

  /// Tries output group counts for one way of cutting the sum; false if not even one output group fits the ring.
  bool TryOutGroups(Plan p) {
    const uint32_t ring = e_.config.weight_rows;
    if (LargestSegment(p, 1) > ring) return false;
    // Half the ring, so that the next segment loads while this one is used.
    const uint32_t half = std::max(ring / 2, LargestSegment(p, 1));
    uint32_t most = 1;
    while (most < max_ogn_ && LargestSegment(p, most + 1) <= half) ++most;
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
      for (const uint32_t kw : TileSizes(kernel_w_, 0)) {
        for (const uint32_t kh : TileSizes(kernel_h_, kh_limit)) {
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

  /// A part of the sum of one phase.
  struct PhasePart {
    size_t phase;
    ConvPart part;
    bool first;  ///< nothing to add up with yet
  };

  /// Packs (once) the weights of a part and appends them to the weight section.
  Segment& SegmentOf(const PhasePart& p) {
    const auto key =
        std::array<uint32_t, 5>{static_cast<uint32_t>(p.phase), p.part.og0, p.part.ig0, p.part.kh0, p.part.kw0};
    auto it = segments_.find(key);
    if (it == segments_.end()) {
      const Emitter::Packed packed = e_.PackConv(layer_, phases_[p.phase], in_, out_, p.part);
      it = segments_.emplace(key, Segment{packed.offset, packed.rows}).first;
    }
    return it->second;
  }

  /// The parts that make output groups [og0, og0 + ogn) of a phase.
  std::vector<PhasePart> PartsOf(const Block& block, size_t phase, uint32_t og0, uint32_t ogn) const {
    GroupRange inputs;
    for (uint32_t og = og0; og < og0 + ogn; ++og) inputs = Join(inputs, groups_[phase][og]);
    if (inputs.count == 0) inputs = {block.ig0, 1};
    const PhaseView& view = phases_[phase];
    std::vector<PhasePart> parts;
    for (const auto& [ig0, ign] : Split(inputs.count, split(plan_) ? plan_.in_groups : inputs.count)) {
      for (const auto& [kh0, khn] : Split(view.kernel_h, plan_.kernel_rows)) {
        for (const auto& [kw0, kwn] : Split(view.kernel_w, plan_.kernel_cols)) {
          parts.push_back({phase, {og0, ogn, inputs.first + ig0, ign, kh0, khn, kw0, kwn, false}, parts.empty()});
        }
      }
    }
    parts.back().part.last = true;
    return parts;
  }

  /// A box of cells.
  struct Tile {
    uint32_t y0, yn, x0, xn;
    bool first, last;
  };

  Box OutputBox(const Tile& t, uint32_t og0, uint32_t ogn) const {
    const uint32_t y0 = t.y0 * layer_.cell_h, x0 = t.x0 * layer_.cell_w;
    return {og0, ogn,
            y0,  std::min(t.yn * layer_.cell_h, out_.height - y0),
            x0,  std::min(t.xn * layer_.cell_w, out_.width - x0)};
  }

  void Emit() {
    if (!e_.OnChip(in_)) in_buffers_ = e_.Allocate(static_cast<uint32_t>(InputWords(plan_)), plan_.buffers);
    if (!e_.OnChip(out_)) out_buffers_ = e_.Allocate(static_cast<uint32_t>(OutputWords(plan_)), plan_.buffers);
    if (res_ != nullptr && !e_.OnChip(*res_)) {
      res_buffers_ = e_.Allocate(static_cast<uint32_t>(OutputWords(plan_)), plan_.buffers);
    }
    std::vector<Tile> tiles;
    for (const auto& [y0, yn] : Split(cell_rows_, plan_.rows)) {
      for (const auto& [x0, xn] : Split(cell_cols_, plan_.cols)) tiles.push_back({y0, yn, x0, xn, false, false});
    }
    tiles.front().first = true;
    tiles.back().last = true;

    if (plan_.weights_outer) {
      for (const Block& block : blocks_) {
        for (const auto& [og0, ogn] : Split(block.ogn, plan_.out_groups)) {
          LoadAll(block, block.og0 + og0, ogn);
          for (const Tile& tile : tiles) {
            const Source source = ReadInput({block.ig0, block.ign}, tile);
            EmitTile(block, block.og0 + og0, ogn, tile, source);
          }
        }
      }
      return;
    }
    for (const Tile& tile : tiles) {
      Source source;
      if (!split(plan_)) source = ReadInput({0, in_.groups}, tile);
      for (const Block& block : blocks_) {
        for (const auto& [og0, ogn] : Split(block.ogn, plan_.out_groups)) {
          EmitTile(block, block.og0 + og0, ogn, tile, source);
        }
      }
    }
  }

  /// Loads the segments of all phases, in the order in which the last tile gives them back.
  void LoadAll(const Block& block, uint32_t og0, uint32_t ogn) {
    for (size_t phase = 0; phase < phases_.size(); ++phase) {
      for (const PhasePart& p : PartsOf(block, phase, og0, ogn)) LoadSegment(p);
    }
  }
  void LoadSegment(const PhasePart& p) {
    Segment& segment = SegmentOf(p);
    segment.loaded = e_.LoadSegment(segment.offset, segment.rows);
  }

  /// Where a tile's input lies: `view` is the word of group `group0`, row `rows.first`, column `cols.first`.
  struct Source {
    View view;
    uint32_t group0 = 0;
    InputSpan rows, cols;
  };

  /// Cells of a tile that a phase makes.
  Tile CellsOf(const PhaseView& phase, Tile t) const {
    const auto cut = [](uint32_t* first, uint32_t* count, uint32_t lo, uint32_t n) {
      const uint32_t begin = std::max(*first, lo), end = std::min(*first + *count, lo + n);
      *first = begin;
      *count = end > begin ? end - begin : 0;
    };
    cut(&t.y0, &t.yn, phase.cell_y, phase.cell_rows);
    cut(&t.x0, &t.xn, phase.cell_x, phase.cell_cols);
    return t;
  }

  InputSpan Rows(const PhaseView& phase, uint32_t kh0, uint32_t khn, const Tile& t) const {
    return MakeInputSpan(t.y0, t.yn, kh0, khn, layer_.stride_h, layer_.dilation_h, phase.pad_top, in_.height);
  }
  InputSpan Cols(const PhaseView& phase, uint32_t kw0, uint32_t kwn, const Tile& t) const {
    return MakeInputSpan(t.x0, t.xn, kw0, kwn, layer_.stride_w, layer_.dilation_w, phase.pad_left, in_.width);
  }

  static void Extend(InputSpan* all, const InputSpan& span) {
    if (span.count == 0) return;
    if (all->count == 0) {
      *all = span;
      return;
    }
    const uint32_t first = std::min(all->first, span.first);
    *all = {first, std::max(all->first + all->count, span.first + span.count) - first, 0};
  }
  InputSpan UnionRows(const Tile& tile) const {
    InputSpan all;
    for (const PhaseView& p : phases_) {
      const Tile cells = CellsOf(p, tile);
      if (cells.yn != 0) Extend(&all, Rows(p, 0, p.kernel_h, cells));
    }
    return all;
  }
  InputSpan UnionCols(const Tile& tile) const {
    InputSpan all;
    for (const PhaseView& p : phases_) {
      const Tile cells = CellsOf(p, tile);
      if (cells.xn != 0) Extend(&all, Cols(p, 0, p.kernel_w, cells));
    }
    return all;
  }

  Source Read(const GroupRange& groups, const InputSpan& y, const InputSpan& x, uint32_t cells) {
    Source source{{}, groups.first, y, x};
    if (y.count == 0 || x.count == 0) return source;
    source.view = e_.Read(layer_.input, {groups.first, groups.count, y.first, y.count, x.first, x.count}, &in_buffers_,
                          RowPitch(x.count, cells));
    return source;
  }
  /// All that the phases need of a tile.
  Source ReadInput(const GroupRange& groups, const Tile& tile) {
    return Read(groups, UnionRows(tile), UnionCols(tile), tile.xn);
  }

  void EmitTile(const Block& block, uint32_t og0, uint32_t ogn, const Tile& tile, const Source& whole) {
    const Box box = OutputBox(tile, og0, ogn);
    View res, dst;
    bool placed = false;
    for (size_t phase = 0; phase < phases_.size(); ++phase) {
      const PhaseView& view = phases_[phase];
      const Tile cells = CellsOf(view, tile);
      if (cells.yn == 0 || cells.xn == 0) continue;
      for (const PhasePart& p : PartsOf(block, phase, og0, ogn)) {
        if (!plan_.weights_outer && (!plan_.weights_resident || tile.first)) LoadSegment(p);
        const Source source = split(plan_) ? Read({p.part.ig0, p.part.ign}, Rows(view, p.part.kh0, p.part.khn, cells),
                                                  Cols(view, p.part.kw0, p.part.kwn, cells), cells.xn)
                                           : whole;
        Conv c = MakeConv(p, cells, source);
        if (p.part.last) {
          if (!placed) {
            if (res_ != nullptr) res = e_.Read(layer_.out.residual->tensor, box, &res_buffers_, box.xn);
            dst = e_.Write(layer_.output, box, &out_buffers_);
            placed = true;
          }
          SetOutput(view, cells, box, res, dst, &c);
        }
        const bool stays = plan_.weights_outer || plan_.weights_resident;
        e_.Emit(kConv, c, SegmentOf(p).loaded, !stays || tile.last);
      }
    }
    e_.WriteDone(layer_.output, box, dst);
  }

  Conv MakeConv(const PhasePart& p, const Tile& cells, const Source& source) const {
    const PhaseView& phase = phases_[p.phase];
    const InputSpan y = Rows(phase, p.part.kh0, p.part.khn, cells), x = Cols(phase, p.part.kw0, p.part.kwn, cells);
    Conv c;
    if (y.count != 0 && x.count != 0) {
      c.src = source.view.addr + (p.part.ig0 - source.group0) * source.view.plane_pitch +
              (y.first - source.rows.first) * source.view.row_pitch + (x.first - source.cols.first);
      c.src_row_pitch = source.view.row_pitch;
      c.src_plane_pitch = source.view.plane_pitch;
      c.in_h = y.count;
      c.in_w = x.count;
      c.pad_top = y.pad;
      c.pad_left = x.pad;
    }
    c.fill = layer_.fill.value_or(in_.zero_point);
    c.out_w = cells.xn;
    c.out_h = cells.yn;
    c.ic_groups = p.part.ign;
    c.oc_groups = p.part.ogn;
    c.kernel_h = p.part.khn;
    c.kernel_w = p.part.kwn;
    c.stride_h = layer_.stride_h;
    c.stride_w = layer_.stride_w;
    c.dilation_h = layer_.dilation_h;
    c.dilation_w = layer_.dilation_w;
    c.dst_step = 1;
    c.accumulate = p.first ? 0 : 1;
    c.keep = p.part.last ? 0 : 1;
    c.weight_zero = layer_.has_weight_zero;
    c.clamp_lo = c.clamp2_lo = -128;
    c.clamp_hi = c.clamp2_hi = 127;
    return c;
  }

  void SetOutput(const PhaseView& phase, const Tile& cells, const Box& box, const View& res, const View& dst,
                 Conv* c) const {
    const OutputStage& out = layer_.out;
    c->zero_point = out.zero_point;
    c->clamp_lo = out.clamp_lo;
    c->clamp_hi = out.clamp_hi;
    c->table = out.table ? 1 : 0;
    c->prelu = layer_.prelu;
    if (out.residual) {
      const OutputStage::Residual& r = *out.residual;
      c->residual = 1;
      c->res = res.addr;
      c->res_row_pitch = res.row_pitch;
      c->res_plane_pitch = res.plane_pitch;
      c->m_main = r.m_main;
      c->m_res = r.m_res;
      c->add_shift = r.shift;
      c->main_zero = r.main_zero;
      c->res_zero = r.res_zero;
      c->zero_point2 = r.zero_point;
      c->clamp2_lo = r.clamp_lo;
      c->clamp2_hi = r.clamp_hi;
    }
    c->dst = dst.addr + (cells.y0 * layer_.cell_h + phase.y - box.y0) * dst.row_pitch +
             (cells.x0 * layer_.cell_w + phase.x - box.x0);
    c->dst_row_pitch = dst.row_pitch * layer_.cell_h;
    c->dst_plane_pitch = dst.plane_pitch;
    c->dst_step = layer_.cell_w;
  }

  Emitter& e_;
  const Layer& layer_;
  const OverlayTensor &in_, &out_;
  const OverlayTensor* res_;
  std::vector<PhaseView> phases_;
  uint32_t cell_rows_, cell_cols_;               ///< of the whole output
  std::vector<std::vector<GroupRange>> groups_;  ///< input groups by phase and output group
  std::vector<Block> blocks_;
  uint32_t max_ign_ = 1, max_ogn_ = 1, kernel_h_ = 1, kernel_w_ = 1, table_rows_ = 0;
  Plan plan_;
  Emitter::Buffers in_buffers_, out_buffers_, res_buffers_;
  std::map<std::array<uint32_t, 5>, Segment> segments_;
};

}  // namespace

Status ScheduleConv(Emitter& emitter, const Layer& layer, std::string* report) {
  return ConvScheduler(emitter, layer).Run(report);
}

}  // namespace xrun::compiler
