#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "compiler/lower_layer.h"
#include "compiler/strips.h"
#include "isa/timing.h"

namespace xrun::compiler {
namespace {

/// Segments of weights that stream: not more of the ring, so that the next ones load meanwhile.
constexpr uint32_t kStreamParts = 4;
/// Times that shares of depthwise layers are balanced.
constexpr int kShareTurns = 2;

class Maker {
 public:
  Maker(const StripContext& context, const OnChipQuery& on_chip, int32_t first, int32_t last, uint32_t rows,
        const std::vector<uint32_t>& shares)
      : c_(context), on_chip_(on_chip), shares_(shares) {
    s_.first = first;
    s_.last = last;
    s_.rows = rows;
  }

  std::optional<Strips> Make(int64_t free_words, FreeWords* valid) {
    if (!CountRows() || !SetStages() || !PlanWeights()) return std::nullopt;
    if (!MakeBuffers()) return std::nullopt;
    FindSame();
    int64_t kept = 0;
    for (const auto& [out, in] : s_.same) kept += static_cast<int64_t>(WholeWords(c_.tensor(out), c_.config));
    if (!FitBuffers(free_words, kept, valid)) return std::nullopt;
    ListEvents();
    DropWrongSame();
    int64_t shared = 0;
    for (const auto& [out, in] : s_.same) shared += static_cast<int64_t>(WholeWords(c_.tensor(out), c_.config));
    if (!valid->Suffice(free_words, static_cast<int64_t>(s_.words) - shared)) {
      if (!FitBuffers(free_words, shared, valid)) return std::nullopt;
      ListEvents();
    }
    steps_ = SetCost(c_, &s_);
    return std::move(s_);
  }

  /// Of the strips that Make returned.
  const std::vector<StripStep>& steps() const { return steps_; }

 private:
  using Operand = StripLayer::Operand;

  const StripLayer& Info(const Strips::Work& w) const { return c_.layers[static_cast<size_t>(w.layer)]; }
  const Layer& LayerOf(const Strips::Work& w) const { return c_.partition.layers[static_cast<size_t>(w.layer)]; }
  bool Inside(int32_t layer) const { return s_.first <= layer && layer < s_.last; }
  bool MadeHere(int32_t root) const {
    return std::any_of(s_.works.begin(), s_.works.end(), [&](const auto& w) { return Info(w).output_root == root; });
  }
  /// Used by layers after the group, or an output of the network.
  bool Escapes(int32_t root) const {
    return c_.live[static_cast<size_t>(root)].last >= s_.last || c_.tensor(root).base != kBaseWorkspace;
  }

  /// From the last layer back: rows of each layer's result after each strip.
  bool CountRows() {
    for (int32_t l = s_.first; l < s_.last; ++l) {
      s_.works.push_back({l, 0, {}, shares_[static_cast<size_t>(l - s_.first)]});
      if (!c_.layers[static_cast<size_t>(l)].simple) return false;
    }
    const uint32_t height = c_.tensor(Info(s_.works.back()).output_root).height;
    s_.rows = std::min(s_.rows, height);
    s_.strips = CeilDiv(height, s_.rows);
    const auto n = static_cast<size_t>(s_.strips);
    std::map<int32_t, std::vector<uint32_t>> needed;  // by root
    for (size_t i = s_.works.size(); i-- > 0;) {
      Strips::Work& w = s_.works[i];
      const int32_t root = Info(w).output_root;
      const uint32_t rows = c_.tensor(root).height;
      auto [it, fresh] = needed.try_emplace(root, n, 0);
      if (fresh) {
        // Nobody here reads it: made evenly.
        for (size_t s = 0; s < n; ++s) {
          it->second[s] = i + 1 == s_.works.size() ? static_cast<uint32_t>(std::min<uint64_t>(rows, (s + 1) * s_.rows))
                                                   : CeilDiv(rows * (s + 1), n);
        }
      }
      if (Escapes(root)) it->second[n - 1] = rows;
      w.done = it->second;
      if (w.done[0] == 0) return false;
      for (const Operand& operand : Info(w).operands) {
        auto& rows_of = needed.try_emplace(operand.root, n, 0).first->second;
        for (size_t s = 0; s < n; ++s) {
          const InputSpan span = c_.Rows(w.layer, operand, 0, w.done[s]);
          rows_of[s] = std::max(rows_of[s], span.first + span.count);
        }
      }
    }
    // A tensor made in several pieces may have been read before its last producer was looked at.
    for (const Strips::Work& w : s_.works) {
      if (w.done != needed[Info(w).output_root]) return false;
    }
    needed_ = std::move(needed);
    return true;
  }

  bool SetStages() {
    // A layer's operands come from earlier layers; pieces of one tensor are made at the same stage.
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < s_.works.size(); ++i) {
        uint32_t stage = s_.works[i].stage;
        for (size_t p = 0; p < s_.works.size(); ++p) {
          const bool same = Info(s_.works[p]).output_root == Info(s_.works[i]).output_root;
          if (same) stage = std::max(stage, s_.works[p].stage);
          if (p >= i) continue;
          for (const Operand& operand : Info(s_.works[i]).operands) {
            if (operand.root != Info(s_.works[p]).output_root) continue;
            const bool both = s_.works[p].array_groups != 0 || s_.works[i].array_groups != 0;
            const uint32_t lag = Info(s_.works[p]).engine == Info(s_.works[i]).engine && !both ? 0 : 1;
            stage = std::max(stage, s_.works[p].stage + lag);
          }
          if (same && p < i && ReadsBetween(p, i)) return false;
        }
        if (stage > s_.works.size()) return false;
        changed = changed || stage != s_.works[i].stage;
        s_.works[i].stage = stage;
      }
    }
    // Everything that comes from DRAM comes a strip ahead.
    const bool loads = std::any_of(s_.works.begin(), s_.works.end(), [&](const Strips::Work& w) {
      const auto& operands = Info(w).operands;
      return std::any_of(operands.begin(), operands.end(), [&](const Operand& o) { return Loads(o.root); });
    });
    if (loads) {
      for (Strips::Work& w : s_.works) ++w.stage;
    }
    return true;
  }
  /// A layer between two producers of one tensor reads it: rows would have to be ready before they are made.
  bool ReadsBetween(size_t p, size_t i) const {
    const int32_t root = Info(s_.works[p]).output_root;
    for (size_t k = p + 1; k <= i; ++k) {
      for (const Operand& operand : Info(s_.works[k]).operands) {
        if (operand.root == root) return true;
      }
    }
    return false;
  }
  bool Loads(int32_t root) const { return !MadeHere(root) && !on_chip_(root); }

  bool PlanWeights() {
    uint64_t ring = 0, vector = 0;
    struct Last {
      uint64_t step;
      size_t work;
    };
    std::vector<Last> order;
    s_.stream = s_.strips == 1 ||
                (s_.works.size() == 1 && Info(s_.works[0]).engine == kConv &&
                 Info(s_.works[0]).weight_bytes > uint64_t{c_.config.weight_rows} * c_.config.weight_row_bytes());
    for (size_t i = 0; i < s_.works.size(); ++i) {
      const Strips::Work& w = s_.works[i];
      const StripLayer& info = Info(w);
      const uint32_t groups = c_.tensor(LayerOf(w).output).groups;
      vector += info.vector_rows - w.array_groups * info.vector_group_rows;
      uint32_t chunk = groups;
      std::pair<uint32_t, uint32_t> parts{LayerOf(w).kernel_h, info.in_groups};
      if (w.array_groups != 0) {
        // Each group's segment with its own table.
        chunk = w.array_groups;
        if (s_.stream)
          chunk = std::min(chunk, std::max(1U, c_.config.weight_rows / kStreamParts / info.array_group_rows));
        if (!s_.stream) ring += uint64_t{w.array_groups} * info.array_group_rows;
      }
      if (info.engine == kConv) {
        const uint64_t all = info.table_rows + uint64_t{info.group_rows} * groups;
        if (s_.stream) {
          const uint32_t part = c_.config.weight_rows / kStreamParts;
          const uint32_t most = std::max(1U, (std::max(part, info.table_rows) - info.table_rows) / info.group_rows);
          chunk = CeilDiv(groups, CeilDiv(groups, most));
          if (info.group_rows > part) parts = SumParts(w, part);
        } else {
          ring += all;
        }
      }
      if (info.engine == kConv || w.array_groups != 0) {
        uint32_t strip = s_.strips - 1;
        while (strip > 0 && w.Rows(strip) == 0) --strip;
        order.push_back({uint64_t{strip} + w.stage, i});
      }
      s_.chunk_groups.push_back(chunk);
      s_.sum_parts.push_back(parts);
    }
    s_.ring_rows = ring;
    if (ring > c_.config.weight_rows || vector > c_.config.vector_rows) return false;
    std::stable_sort(order.begin(), order.end(), [](const Last& a, const Last& b) { return a.step < b.step; });
    for (const Last& l : order) s_.weight_order.push_back(l.work);
    return true;
  }

  /// Kernel rows, then input groups of one output group cut until a segment is `most` rows, where partial sums hold.
  std::pair<uint32_t, uint32_t> SumParts(const Strips::Work& w, uint32_t most) const {
    const Layer& layer = LayerOf(w);
    const OverlayTensor& out = c_.tensor(layer.output);
    const uint32_t groups = Info(w).in_groups;
    const std::pair<uint32_t, uint32_t> whole{layer.kernel_h, groups};
    if (CeilDiv(uint64_t{s_.rows} * out.width, c_.config.pixels) > c_.config.partial_entries) return whole;
    // A part of the kernel's rows must lie inside the tensor somewhere, for every strip.
    bool inside = layer.pad_top == 0;
    for (uint32_t strip = 0; inside && strip < s_.strips; ++strip) {
      for (const auto& [y0, yn] : c_.Stretches(w.layer, w.First(strip), w.Rows(strip))) {
        inside = inside && (yn == 0 || c_.KernelRows(w.layer, y0, yn, layer.kernel_h - 1, 1).count != 0);
      }
    }
    const uint32_t row = layer.kernel_w * groups;
    if (row <= most && inside) return {std::max(1U, most / row), groups};
    if (row <= most) return whole;
    return {inside ? 1 : layer.kernel_h, std::max(1U, most / (layer.kernel_w * (inside ? 1 : layer.kernel_h)))};
  }

  /// Row pitch at which lanes that pass a row's end meet no bank twice, where a convolution reads the tensor.
  uint32_t PitchOf(int32_t root) const {
    const uint32_t width = c_.tensor(root).width, banks = c_.config.banks();
    for (const Strips::Work& w : s_.works) {
      const StripLayer& info = Info(w);
      if ((info.engine != kConv && w.array_groups == 0) || info.operands[0].root != root) continue;
      const Layer& layer = LayerOf(w);
      const uint32_t out = c_.tensor(layer.output).width;
      for (uint32_t extra = 0; extra <= std::min(banks, width / 5); ++extra) {
        if (layer.stride_h * (width + extra) % banks == layer.stride_w * out % banks) return width + extra;
      }
      return width;
    }
    return width;
  }

  bool MakeBuffers() {
    std::map<int32_t, Strips::Buffer> buffers;
    const auto widen = [&](int32_t root, int32_t index) {
      const OverlayTensor& t = c_.tensor(index);
      auto [it, fresh] = buffers.try_emplace(root);
      Strips::Buffer& b = it->second;
      const uint32_t begin = fresh ? t.group0 : std::min(b.group0, t.group0);
      const uint32_t end = fresh ? t.group0 + t.groups : std::max(b.group0 + b.groups, t.group0 + t.groups);
      b.root = root;
      b.group0 = begin;
      b.groups = b.stored = end - begin;
    };
    for (const Strips::Work& w : s_.works) {
      const StripLayer& info = Info(w);
      if (!on_chip_(info.output_root)) widen(info.output_root, LayerOf(w).output);
      for (const Operand& operand : info.operands) {
        if (!on_chip_(operand.root)) widen(operand.root, operand.tensor);
      }
    }
    for (auto& [root, b] : buffers) {
      const bool made = MadeHere(root);
      if (made && !AllReadIsMade(root)) return false;
      if (!made && !IsThere(root, b.group0, b.groups)) return false;
      b.loads = !made;
      b.saves = made && Escapes(root);
      b.pitch = PitchOf(root);
      b.to = needed_[root];
      b.from.push_back(0);
      for (size_t s = 1; s < b.to.size(); ++s) b.from.push_back(b.to[s - 1]);
      uint32_t least = UINT32_MAX, most = 0;
      b.low = b.from;
      uint32_t first_row = UINT32_MAX;
      for (const Strips::Work& w : s_.works) {
        if (Info(w).output_root == root) least = std::min(least, w.stage);
        for (const Operand& operand : Info(w).operands) {
          if (operand.root != root) continue;
          most = std::max(most, w.stage);
          if (b.loads) least = std::min(least, w.stage - 1);
          for (uint32_t s = 0; s < s_.strips; ++s) {
            if (w.Rows(s) == 0) continue;
            const uint32_t row = c_.Rows(w.layer, operand, w.First(s), w.Rows(s)).first;
            b.low[s] = std::min(b.low[s], row);
            if (s == 0) first_row = std::min(first_row, row);
          }
        }
      }
      if (b.loads) b.low[0] = b.from[0] = first_row;  // rows above are skipped
      // What a later strip needs, the strips before must not let go.
      for (size_t s = b.low.size() - 1; s-- > 0;) b.low[s] = std::min(b.low[s], b.low[s + 1]);
      b.stage = least;
      b.lag = std::max(most > least ? most - least : 0, b.saves ? 1U : 0U);
      s_.buffers.push_back(b);
    }
    return true;
  }

  /// Channel groups that a buffer loads exist by now: some that lie between those that are read may be made later.
  bool IsThere(int32_t root, uint32_t group0, uint32_t groups) const {
    const OverlayTensor& t = c_.tensor(root);
    if (t.constant != nullptr || (t.base >= kBaseInput0 && t.base < kBaseOutput0)) return true;
    std::vector<bool> there(t.groups, false);
    for (int32_t l = 0; l < s_.first; ++l) {
      if (c_.layers[static_cast<size_t>(l)].output_root != root) continue;
      const OverlayTensor& part = c_.tensor(c_.partition.layers[static_cast<size_t>(l)].output);
      std::fill_n(there.begin() + part.group0, part.groups, true);
    }
    return std::find(there.begin() + group0, there.begin() + group0 + groups, false) == there.begin() + group0 + groups;
  }

  /// Channel groups of a tensor that are read here are made here.
  bool AllReadIsMade(int32_t root) const {
    std::vector<bool> made(c_.tensor(root).groups, false);
    for (const Strips::Work& w : s_.works) {
      if (Info(w).output_root != root) continue;
      const OverlayTensor& t = c_.tensor(LayerOf(w).output);
      std::fill_n(made.begin() + t.group0, t.groups, true);
    }
    for (const Strips::Work& w : s_.works) {
      for (const Operand& operand : Info(w).operands) {
        const OverlayTensor& t = c_.tensor(operand.tensor);
        if (operand.root != root) continue;
        if (std::find(made.begin() + t.group0, made.begin() + t.group0 + t.groups, false) !=
            made.begin() + t.group0 + t.groups) {
          return false;
        }
      }
    }
    return true;
  }

  /// Places each strip's rows in a buffer of this capacity; false if rows still needed would be overwritten.
  static bool Place(uint32_t capacity, Strips::Buffer* b) {
    b->capacity = capacity;
    const size_t n = b->to.size();
    b->place.assign(n, 0);
    b->wraps.assign(n, false);
    struct Span {
      int64_t begin, end;
      bool Meets(const Span& o) const { return begin < o.end && o.begin < end; }
    };
    const auto block = [&](size_t s) { return Span{b->place[s] + b->low[s], b->place[s] + b->to[s]}; };
    const auto free = [&](const Span& span, size_t s) {
      for (size_t back = 1; back <= b->lag && back <= s; ++back) {
        if (span.Meets(block(s - back))) return false;
      }
      return true;
    };
    b->place[0] = -int64_t{b->loads ? b->low[0] : 0};
    if (b->place[0] + b->to[0] > capacity) return false;
    for (size_t s = 1; s < n; ++s) {
      b->place[s] = b->place[s - 1];
      if (b->to[s] == b->from[s]) continue;
      if (b->place[s] + b->to[s] <= capacity && free({b->place[s] + b->from[s], b->place[s] + b->to[s]}, s)) continue;
      const int64_t place = -int64_t{b->low[s]};
      const Span all{0, int64_t{b->to[s]} - b->low[s]};
      if (all.end > capacity || !free(all, s)) return false;
      const Span kept{b->place[s - 1] + b->low[s], b->place[s - 1] + b->from[s]};
      if (kept.Meets({0, int64_t{b->from[s]} - b->low[s]}) && kept.begin < kept.end) return false;
      b->place[s] = place;
      b->wraps[s] = true;
    }
    return true;
  }

  /// The largest buffers that fit: whole tensors, else several times the least; of what is computed at once, result
  /// and residual operand may lie in DRAM and pass chunk by chunk. `more` words are free beside.
  bool FitBuffers(int64_t free_words, int64_t more, FreeWords* valid) {
    for (Strips::Buffer& b : s_.buffers) b.stored = b.groups;
    if (FitRows(free_words, more, valid)) return true;
    if (s_.works.size() > 1 || !s_.stream || s_.strips > 1 || Info(s_.works[0]).engine != kConv) return false;
    const uint32_t most = s_.chunk_groups[0];
    for (const uint32_t chunk : {most, CeilDiv(most, 2), CeilDiv(most, 4)}) {
      for (const bool residual : {false, true}) {
        for (const uint32_t chunks : {3U, 2U}) {
          s_.chunk_groups[0] = chunk;
          for (Strips::Buffer& b : s_.buffers) {
            b.stored = PassesInChunks(b, residual) ? std::min(b.groups, chunks * chunk) : b.groups;
          }
          if (FitRows(free_words, more, valid)) return true;
        }
      }
    }
    s_.chunk_groups[0] = most;
    return false;
  }

  /// Whether all that happens to a buffer's tensor here is that a chunk is made and saved, or loaded and added.
  bool PassesInChunks(const Strips::Buffer& b, bool residual) const {
    const Layer& layer = LayerOf(s_.works[0]);
    const StripLayer& info = Info(s_.works[0]);
    const auto readers = std::count_if(info.operands.begin(), info.operands.end(),
                                       [&](const Operand& operand) { return operand.root == b.root; });
    if (b.saves) return readers == 0;
    return residual && readers == 1 && info.operands.back().root == b.root &&
           info.operands.back().role == Operand::kResidual && b.groups == c_.tensor(layer.output).groups;
  }

  bool FitRows(int64_t free_words, int64_t more, FreeWords* valid) {
    std::vector<uint32_t> least;
    for (Strips::Buffer& b : s_.buffers) {
      const uint32_t rows = b.to.back() - (b.loads ? b.low[0] : 0);
      uint32_t capacity = 1;
      for (size_t s = 0; s < b.to.size(); ++s) capacity = std::max(capacity, b.to[s] - b.low[s]);
      while (capacity < rows && !Place(capacity, &b)) ++capacity;
      least.push_back(std::min(capacity, rows));
    }
    for (const double times : {1e6, 4.0, 3.0, 2.0, 1.5, 1.25, 1.0}) {
      s_.words = 0;
      for (size_t i = 0; i < s_.buffers.size(); ++i) {
        Strips::Buffer& b = s_.buffers[i];
        const uint32_t rows = b.to.back() - (b.loads ? b.low[0] : 0);
        const double wish = b.loads ? std::min(times, 2.0) * least[i] : times * least[i];
        uint32_t capacity = wish >= rows ? rows : static_cast<uint32_t>(wish);
        while (capacity < rows && !Place(capacity, &b)) ++capacity;
        if (capacity == rows && !Place(rows, &b)) return false;
        s_.words += (b.words() + c_.config.banks() - 1) / c_.config.banks() * c_.config.banks();
      }
      if (valid->Suffice(free_words, static_cast<int64_t>(s_.words) - more)) return true;
    }
    return false;
  }

  void ListEvents() {
    s_.events.clear();
    uint32_t stages = 0;
    for (const Strips::Work& w : s_.works) stages = std::max(stages, w.stage);
    for (uint32_t step = 0; step < s_.strips + stages; ++step) {
      const auto strip_at = [&](uint32_t stage) {
        return step >= stage && step - stage < s_.strips ? std::optional<uint32_t>(step - stage) : std::nullopt;
      };
      for (size_t i = 0; i < s_.buffers.size(); ++i) {
        const Strips::Buffer& b = s_.buffers[i];
        const auto strip = b.loads ? strip_at(b.stage) : std::nullopt;
        if (strip && b.to[*strip] > b.from[*strip]) s_.events.push_back({Strips::Event::kLoad, i, *strip});
      }
      std::vector<bool> copied(s_.buffers.size(), false);
      for (size_t i = 0; i < s_.works.size(); ++i) {
        const Strips::Work& w = s_.works[i];
        const auto strip = strip_at(w.stage);
        if (!strip || w.Rows(*strip) == 0) continue;
        if (const Strips::Buffer* b = s_.Find(Info(w).output_root)) {
          const auto index = static_cast<size_t>(b - s_.buffers.data());
          if (b->wraps[*strip] && b->low[*strip] < b->from[*strip] && !copied[index]) {
            copied[index] = true;
            s_.events.push_back({Strips::Event::kCopy, index, *strip});
          }
        }
        s_.events.push_back({Strips::Event::kLayer, i, *strip});
      }
    }
  }

  /// Results that may lie where an operand of the same shape ends its life: each word is read before it is written.
  void FindSame() {
    for (const Strips::Work& w : s_.works) {
      const StripLayer& info = Info(w);
      const int32_t out = info.output_root;
      const OverlayTensor& t = c_.tensor(out);
      if (!on_chip_(out) || LayerOf(w).output != out || c_.live[static_cast<size_t>(out)].first < w.layer) continue;
      if (t.base != kBaseWorkspace) continue;
      for (const Operand& operand : info.operands) {
        const bool in_place = operand.role == Operand::kResidual ||
                              (operand.role == Operand::kMain && LayerOf(w).kind == LayerKind::kElementwise);
        const int32_t in = operand.root;
        if (!in_place || in == out || operand.tensor != in || !on_chip_(in) || MadeHere(in)) continue;
        const OverlayTensor& x = c_.tensor(in);
        if (x.groups != t.groups || x.height != t.height || x.width != t.width || x.base != kBaseWorkspace) continue;
        if (c_.live[static_cast<size_t>(in)].last >= s_.last || x.constant != nullptr) continue;
        if (info.operands[0].root == in && LayerOf(w).kind == LayerKind::kConv) continue;
        if (info.operands.size() > 1 && info.operands[0].root == info.operands[1].root) continue;
        const bool taken = std::any_of(s_.same.begin(), s_.same.end(), [&](const auto& p) { return p.second == in; });
        if (!taken) s_.same.emplace_back(out, in);
        break;
      }
    }
  }

  /// Drops pairs of which a row is read after it has been overwritten.
  void DropWrongSame() {
    std::erase_if(s_.same, [&](const auto& pair) {
      uint32_t written = 0;
      for (const Strips::Event& e : s_.events) {
        if (e.kind != Strips::Event::kLayer) continue;
        const Strips::Work& w = s_.works[e.index];
        for (const Operand& operand : Info(w).operands) {
          if (operand.root != pair.second) continue;
          if (c_.Rows(w.layer, operand, w.First(e.strip), w.Rows(e.strip)).first < written) return true;
        }
        if (Info(w).output_root == pair.first) written = w.done[e.strip];
      }
      return false;
    });
  }

  const StripContext& c_;
  const OnChipQuery& on_chip_;
  const std::vector<uint32_t>& shares_;
  Strips s_;
  std::map<int32_t, std::vector<uint32_t>> needed_;
  std::vector<StripStep> steps_;
};

}  // namespace

StripChoices MakeStrips(const StripContext& context, int32_t first, int32_t last, uint32_t rows,
                        const OnChipQuery& on_chip, int64_t free_words, FreeWords* valid) {
  StripChoices made;
  const std::vector<uint32_t> none(static_cast<size_t>(last - first), 0);
  Maker plain(context, on_chip, first, last, rows, none);
  made.plain = plain.Make(free_words, valid);
  auto shares = LeastShares(context, first, last);
  if (!shares) return made;
  if (context.share.forced != 0) {
    const std::vector<uint32_t> forced = ForcedShares(context, first, last);
    if (forced != none) made.shared = Maker(context, on_chip, first, last, rows, forced).Make(free_words, valid);
    return made;
  }
  // Balanced by the cost without shares, or with no more than vector memory asks for; then by the cost of that.
  const Strips* best = made.plain ? &*made.plain : nullptr;
  std::vector<StripStep> steps = plain.steps();
  if (*shares != none) {
    Maker least(context, on_chip, first, last, rows, *shares);
    made.shared = least.Make(free_words, valid);
    best = made.shared ? &*made.shared : nullptr;
    steps = least.steps();
  }
  for (int turn = 0; best != nullptr && turn < kShareTurns; ++turn) {
    std::vector<uint32_t> balanced = BalancedShares(context, *best, steps);
    if (balanced == *shares) break;
    Maker maker(context, on_chip, first, last, rows, balanced);
    auto next = maker.Make(free_words, valid);
    if (!next || next->cycles >= best->cycles) break;
    made.shared = std::move(next);
    best = &*made.shared;
    steps = maker.steps();
    *shares = std::move(balanced);
  }
  return made;
}

}  // namespace xrun::compiler
