#include "compiler/plan.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <map>
#include <memory>
#include <set>

namespace xrun::compiler {
namespace {

using Roots = std::vector<int32_t>;  ///< ascending

/// Into how many strips a result is cut.
constexpr uint32_t kStripCounts[] = {1, 2, 3, 4, 5, 7, 8, 10, 14, 19, 28, 38, 56, 112, 208, 416};

using Choice = PlanCache::Choice;

class Search {
 public:
  /// `percent` of activation memory may be used.
  Search(const StripContext& context, const StripContext& share, const PlanOptions& options, uint32_t percent)
      : c_(context),
        share_(share),
        options_(options),
        words_(uint64_t{context.config.activation_words()} * percent / 100),
        share_words_(uint64_t{share.config.activation_words()} * percent / 100),
        cache_(options.cache != nullptr ? *options.cache : own_cache_),
        layers_(static_cast<int32_t>(context.layers.size())) {
    for (size_t r = 0; r < c_.live.size(); ++r) {
      const OverlayTensor& t = c_.partition.tensors[r];
      const LiveRange& l = c_.live[r];
      keepable_.push_back(l.last >= 0 && l.last > l.first && t.constant == nullptr && t.base == kBaseWorkspace &&
                          !t.in_dram && t.height * uint64_t{t.width} <= 16383 && WholeWords(t, c_.config) <= words_);
    }
  }

  /// Groups with their strips, and roots kept on chip at the border before each group and inside it.
  struct Found {
    std::vector<PlannedGroup> groups;
    Roots on_chip;
    double cycles = 0;
  };

  std::optional<Found> Run() {
    borders_.resize(static_cast<size_t>(layers_) + 1);
    borders_[0][{}] = {0, -1, {}, nullptr};
    for (int32_t i = 0; i < layers_; ++i) {
      Prune(&borders_[static_cast<size_t>(i)]);
      for (const auto& [roots, state] : borders_[static_cast<size_t>(i)]) Extend(i, roots, state.cycles);
    }
    const auto& end = borders_[static_cast<size_t>(layers_)];
    if (end.empty()) return std::nullopt;
    Found found;
    auto at = std::min_element(end.begin(), end.end(),
                               [](const auto& a, const auto& b) { return a.second.cycles < b.second.cycles; });
    found.cycles = at->second.cycles;
    std::set<int32_t> on_chip;
    int32_t border = layers_;
    while (border > 0) {
      const State& s = at->second;
      PlannedGroup group;
      group.first = s.from;
      group.last = border;
      if (s.strips != nullptr) group.strips = *s.strips;
      group.cycles = s.cycles - borders_[static_cast<size_t>(s.from)].at(s.before).cycles;
      found.groups.push_back(std::move(group));
      on_chip.insert(at->first.begin(), at->first.end());
      border = s.from;
      at = borders_[static_cast<size_t>(border)].find(s.before);
      assert(at != borders_[static_cast<size_t>(border)].end());
    }
    std::reverse(found.groups.begin(), found.groups.end());
    found.on_chip.assign(on_chip.begin(), on_chip.end());
    return found;
  }

 private:
  struct State {
    double cycles;
    int32_t from;
    Roots before;
    std::shared_ptr<const Strips> strips;
  };
  using Border = std::map<Roots, State>;

  void Prune(Border* border) const {
    while (border->size() > options_.states) {
      border->erase(std::max_element(border->begin(), border->end(),
                                     [](const auto& a, const auto& b) { return a.second.cycles < b.second.cycles; }));
    }
  }

  bool InWindow(int32_t layer) const {
    return options_.window && layer >= options_.window->first && layer < options_.window->last;
  }
  const StripContext& ContextOf(int32_t layer) const { return InWindow(layer) ? share_ : c_; }
  uint64_t WordsOf(int32_t layer) const { return InWindow(layer) ? share_words_ : words_; }

  const LiveRange& Live(int32_t root) const { return c_.live[static_cast<size_t>(root)]; }
  uint64_t Words(int32_t root) const { return WholeWords(c_.tensor(root), c_.config); }

  /// All groups that begin at layer i, with `kept` on chip.
  void Extend(int32_t i, const Roots& kept, double cycles) {
    uint64_t ring = 0;
    for (int32_t j = i + 1; j <= layers_ && j - i <= options_.longest_group; ++j) {
      const StripLayer& added = c_.layers[static_cast<size_t>(j - 1)];
      const Layer& layer = c_.partition.layers[static_cast<size_t>(j - 1)];
      if (j - i > 1 && (!added.simple || !c_.layers[static_cast<size_t>(i)].simple)) break;
      if (InWindow(j - 1) != InWindow(i)) break;
      if (added.engine == kConv && added.simple) {
        ring += added.table_rows + uint64_t{added.group_rows} * c_.tensor(layer.output).groups;
        if (j - i > 1 && ring > ContextOf(i).config.weight_rows) break;
      }
      Roots fresh;
      for (int32_t l = i; l < j; ++l) {
        const int32_t root = c_.layers[static_cast<size_t>(l)].output_root;
        if (keepable_[static_cast<size_t>(root)] && Live(root).first >= i && Live(root).last >= j &&
            std::find(fresh.begin(), fresh.end(), root) == fresh.end()) {
          fresh.push_back(root);
        }
      }
      const uint32_t subsets = fresh.size() <= 3 ? 1U << fresh.size() : 2;
      for (uint32_t subset = 0; subset < subsets; ++subset) {
        Roots all = kept;
        for (size_t k = 0; k < fresh.size(); ++k) {
          if (fresh.size() <= 3 ? (subset >> k & 1) != 0 : subset == 1) all.push_back(fresh[k]);
        }
        std::sort(all.begin(), all.end());
        uint64_t used = 0;
        for (const int32_t root : all) used += Words(root);
        const Choice best = Best(i, j, all, used);
        if (best.cycles == std::numeric_limits<double>::infinity()) continue;
        Roots after;
        for (const int32_t root : all) {
          if (Live(root).last >= j) after.push_back(root);
        }
        const double total = cycles + best.cycles;
        Border& border = borders_[static_cast<size_t>(j)];
        const auto it = border.find(after);
        if (it == border.end() || total < it->second.cycles) border[after] = {total, i, kept, best.strips};
      }
    }
  }

  /// The best strips of layers [i, j); a single layer that has none is cut by itself.
  Choice Best(int32_t i, int32_t j, const Roots& kept, uint64_t used) {
    Roots touched;
    for (const int32_t root : kept) {
      if (Live(root).last >= i && Touches(i, j, root)) touched.push_back(root);
    }
    const HardwareConfig& h = ContextOf(i).config;
    const int32_t variant = Varies(i, j) ? options_.variant : -1;
    const auto words = static_cast<int64_t>(WordsOf(i)), free = words - static_cast<int64_t>(used);
    const OnChipQuery on_chip = [&](int32_t root) { return std::binary_search(kept.begin(), kept.end(), root); };
    std::vector<PlanCache::Choices>& known = cache_.choices[{i, j, touched, h.weight_rows, h.vector_rows, variant}];
    auto found = std::find_if(known.begin(), known.end(), [&](const auto& c) { return c.valid.Holds(free); });
    if (found == known.end()) {
      known.push_back(BestStrips(i, j, touched, on_chip, free));
      found = known.end() - 1;
    }
    Choice best = options_.use_shares ? found->shared : found->plain;
    if (best.strips == nullptr && j == i + 1 && free >= words / 4) best.cycles = AloneCycles(i, on_chip);
    return best;
  }

  PlanCache::Choices BestStrips(int32_t i, int32_t j, const Roots& touched, const OnChipQuery& on_chip, int64_t free) {
    PlanCache::Choices best;
    // What is shared in place counts twice among the words in use; MakeStrips gives it back.
    uint64_t shared_words = 0;
    for (const int32_t root : touched) shared_words = std::max(shared_words, Words(root));
    if (!best.valid.Suffice(free, -static_cast<int64_t>(shared_words))) return best;
    if (!c_.layers[static_cast<size_t>(j - 1)].simple) return best;
    const auto take = [](std::shared_ptr<const Strips> strips, int* worse, Choice* choice) {
      if (strips == nullptr || *worse > 3) return;
      if (strips->cycles < choice->cycles) {
        *choice = {strips->cycles, std::move(strips)};
        *worse = 0;
      } else {
        ++*worse;
      }
    };
    const auto keep = [](std::optional<Strips>* strips) {
      return *strips ? std::make_shared<const Strips>(*std::move(*strips)) : nullptr;
    };
    const uint32_t height = c_.tensor(c_.layers[static_cast<size_t>(j - 1)].output_root).height;
    uint32_t last_rows = 0;
    int worse_plain = 0, worse_shared = 0;
    for (const uint32_t count : kStripCounts) {
      if (count > height || (worse_plain > 3 && worse_shared > 3)) break;
      if (count == 1 && j - i > 1) continue;
      const uint32_t rows = CeilDiv(height, count);
      if (rows == last_rows) continue;
      last_rows = rows;
      StripChoices made = MakeStrips(ContextOf(i), i, j, rows, on_chip, free, &best.valid);
      const std::shared_ptr<const Strips> plain = keep(&made.plain), shared = keep(&made.shared);
      take(plain, &worse_plain, &best.plain);
      take(shared != nullptr ? shared : plain, &worse_shared, &best.shared);
    }
    return best;
  }

  bool Varies(int32_t i, int32_t j) const {
    for (size_t root = 0; root < options_.varied.size(); ++root) {
      if (options_.varied[root] && Touches(i, j, static_cast<int32_t>(root))) return true;
    }
    return false;
  }

  bool Touches(int32_t i, int32_t j, int32_t root) const {
    for (int32_t l = i; l < j; ++l) {
      const StripLayer& layer = c_.layers[static_cast<size_t>(l)];
      if (layer.output_root == root) return true;
      for (const auto& operand : layer.operands) {
        if (operand.root == root) return true;
      }
    }
    return false;
  }

  /// A rough figure for a layer cut by itself: it only competes with itself, with other tensors on chip.
  double AloneCycles(int32_t l, const OnChipQuery& on_chip) const {
    const Layer& layer = c_.partition.layers[static_cast<size_t>(l)];
    const StripLayer& info = c_.layers[static_cast<size_t>(l)];
    const OverlayTensor &in = c_.tensor(layer.input), &out = c_.tensor(layer.output);
    const HardwareConfig& h = c_.config;
    double work = 1.5 * static_cast<double>(out.words());
    if (layer.kind == LayerKind::kConv) {
      work = 1.3 * static_cast<double>(out.words()) * in.groups * layer.kernel_h * layer.kernel_w / h.pixels;
    } else if (layer.kind == LayerKind::kDepthwise) {
      work = std::max(work, 1.1 * static_cast<double>(out.words()) * layer.kernel_h * layer.kernel_w / h.vector_pixels);
    }
    double bytes = static_cast<double>(info.weight_bytes);
    for (const auto& operand : info.operands) {
      if (!on_chip(operand.root)) bytes += 1.3 * static_cast<double>(c_.tensor(operand.tensor).words()) * h.channels;
    }
    if (!on_chip(info.output_root)) bytes += static_cast<double>(out.words()) * h.channels;
    const double dram = bytes / h.dram_bytes_per_cycle();
    return std::max(work, dram) + 0.1 * dram + 500;
  }

  const StripContext& c_;
  const StripContext& share_;
  const PlanOptions& options_;
  uint64_t words_, share_words_;
  PlanCache own_cache_;
  PlanCache& cache_;
  int32_t layers_;
  std::vector<bool> keepable_;
  std::vector<Border> borders_;
};

/// Something that needs words of activation memory while groups [first, last] run.
struct Item {
  LiveRange live;
  uint64_t words = 0;
  uint64_t limit = 0;  ///< no word of it lies there or beyond
  uint64_t address = 0;
  std::vector<int32_t> roots;  ///< whole tensors at this address
  Strips::Buffer* buffer = nullptr;
  PlannedGroup* alone = nullptr;
};

/// Lowest addresses for all items, in several orders; the first order in which all fit.
bool PlaceItems(std::vector<Item>* items) {
  const auto size = [](const Item& a, const Item& b) { return a.words > b.words; };
  const auto length = [](const Item& i) { return i.live.last - i.live.first; };
  for (int attempt = 0; attempt < 4; ++attempt) {
    std::stable_sort(items->begin(), items->end(), [&](const Item& a, const Item& b) {
      switch (attempt) {
        case 0:
          return size(a, b);
        case 1:
          return length(a) != length(b) ? length(a) > length(b) : size(a, b);
        case 2:
          return a.live.first != b.live.first ? a.live.first < b.live.first : size(a, b);
        default:
          return a.live.last != b.live.last ? a.live.last > b.live.last : size(a, b);
      }
    });
    bool fits = true;
    for (size_t i = 0; fits && i < items->size(); ++i) {
      Item& item = (*items)[i];
      std::vector<std::pair<uint64_t, uint64_t>> taken;
      for (size_t k = 0; k < i; ++k) {
        const Item& other = (*items)[k];
        if (other.live.Overlaps(item.live)) taken.emplace_back(other.address, other.address + other.words);
      }
      std::sort(taken.begin(), taken.end());
      uint64_t address = 0;
      for (const auto& [begin, end] : taken) {
        if (address + item.words <= begin) break;
        address = std::max(address, end);
      }
      item.address = address;
      fits = address + item.words <= item.limit;
    }
    if (fits) return true;
  }
  return false;
}

uint64_t Banks(uint64_t words, const HardwareConfig& config) {
  return (words + config.banks() - 1) / config.banks() * config.banks();
}

class Placer {
 public:
  Placer(Partition* partition, const StripContext& context, const PlanOptions& options, Plan* plan)
      : partition_(partition), c_(context), options_(options), plan_(plan) {
    for (size_t g = 0; g < plan_->groups.size(); ++g) {
      for (int32_t l = plan_->groups[g].first; l < plan_->groups[g].last; ++l)
        group_.push_back(static_cast<int32_t>(g));
    }
  }

  bool OnChip(const Roots& roots) {
    const HardwareConfig& h = c_.config;
    std::map<int32_t, size_t> item_of;
    std::vector<Item> items;
    for (const int32_t root : roots) {
      item_of[root] = items.size();
      items.push_back({Groups(root), WholeWords(c_.tensor(root), h), 0, 0, {root}, nullptr, nullptr});
    }
    // Results that take an operand's place, one after another.
    for (const PlannedGroup& group : plan_->groups) {
      if (!group.strips) continue;
      for (const auto& [out, in] : group.strips->same) {
        const size_t from = item_of.at(out), to = item_of.at(in);
        if (from == to) continue;
        Item& kept = items[to];
        Item& gone = items[from];
        kept.live = {std::min(kept.live.first, gone.live.first), std::max(kept.live.last, gone.live.last)};
        for (const int32_t root : gone.roots) {
          kept.roots.push_back(root);
          item_of[root] = to;
        }
        gone.roots.clear();
      }
    }
    std::erase_if(items, [](const Item& i) { return i.roots.empty(); });
    std::vector<uint64_t> live_words(plan_->groups.size(), 0);
    for (const Item& item : items) AddWords(item, &live_words);
    for (size_t g = 0; g < plan_->groups.size(); ++g) {
      PlannedGroup& group = plan_->groups[g];
      const LiveRange now{static_cast<int32_t>(g), static_cast<int32_t>(g)};
      if (group.strips) {
        for (Strips::Buffer& b : group.strips->buffers) {
          items.push_back({now, Banks(b.words(), h), 0, 0, {}, &b, nullptr});
        }
      } else {
        const uint64_t limit = Limit(now);
        const uint64_t rest = limit - std::min<uint64_t>(limit, live_words[g]);
        items.push_back({now, rest / 2 / h.banks() * h.banks(), 0, 0, {}, nullptr, &group});
      }
    }
    for (Item& item : items) item.limit = Limit(item.live);
    if (!PlaceItems(&items)) return false;
    LetLoadsComeEarly(&items);
    Apply(items);
    return true;
  }

  void Workspace() {
    std::vector<Item> items;
    for (size_t i = 0; i < partition_->tensors.size(); ++i) {
      const OverlayTensor& t = partition_->tensors[i];
      if (c_.live[i].last < 0 || t.on_chip || t.base != kBaseWorkspace || Inside(static_cast<int32_t>(i))) continue;
      const uint64_t bytes = (t.words() * c_.config.channels + 255) / 256 * 256;
      items.push_back(
          {Groups(static_cast<int32_t>(i)), bytes, UINT64_MAX, 0, {static_cast<int32_t>(i)}, nullptr, nullptr});
    }
    const bool fits = PlaceItems(&items);
    assert(fits);
    (void)fits;
    for (const Item& item : items) {
      partition_->tensors[static_cast<size_t>(item.roots[0])].offset = item.address;
      plan_->workspace_bytes = std::max(plan_->workspace_bytes, item.address + item.words);
    }
  }

 private:
  LiveRange Groups(int32_t root) const {
    const LiveRange& l = c_.live[static_cast<size_t>(root)];
    return {group_[static_cast<size_t>(l.first)], group_[static_cast<size_t>(l.last)]};
  }

  /// The words that things which live in these groups may have.
  uint64_t Limit(const LiveRange& groups) const {
    uint64_t words = c_.config.activation_words();
    for (int32_t g = groups.first; g <= groups.last; ++g) {
      const int32_t layer = plan_->groups[static_cast<size_t>(g)].first;
      words = std::min<uint64_t>(words, options_.ConfigOf(layer, c_.config).activation_words());
    }
    return words;
  }

  /// Lives only in a buffer.
  bool Inside(int32_t root) const {
    const LiveRange g = Groups(root);
    return g.first == g.last && plan_->groups[static_cast<size_t>(g.first)].strips.has_value();
  }

  /// Moves buffers that are loaded to where nothing lives in the group before either, if there is such a place: their
  /// first rows can then come while that group computes.
  void LetLoadsComeEarly(std::vector<Item>* items) const {
    for (Item& item : *items) {
      if (item.buffer == nullptr || !item.buffer->loads || item.live.first == 0) continue;
      const LiveRange both{item.live.first - 1, item.live.last};
      std::vector<std::pair<uint64_t, uint64_t>> taken;
      for (const Item& other : *items) {
        if (&other != &item && other.live.Overlaps(both))
          taken.emplace_back(other.address, other.address + other.words);
      }
      std::sort(taken.begin(), taken.end());
      uint64_t address = 0;
      for (const auto& [begin, end] : taken) {
        if (address + item.words <= begin) break;
        address = std::max(address, end);
      }
      if (address + item.words <= Limit(both)) item.address = address;
    }
  }

  static void AddWords(const Item& item, std::vector<uint64_t>* words) {
    for (int32_t g = item.live.first; g <= item.live.last; ++g) (*words)[static_cast<size_t>(g)] += item.words;
  }

  MemoryPiece PieceOf(const Item& item) const {
    MemoryPiece piece;
    piece.first_group = static_cast<size_t>(item.live.first);
    piece.last_group = static_cast<size_t>(item.live.last);
    piece.address = item.address;
    piece.words = item.words;
    for (const int32_t root : item.roots) piece.name += (piece.name.empty() ? "" : ", ") + c_.tensor(root).name;
    if (item.buffer != nullptr) {
      piece.kind = MemoryPiece::kBuffer;
      piece.name = c_.tensor(item.buffer->root).name;
    } else if (item.alone != nullptr) {
      piece.kind = MemoryPiece::kTiles;
      piece.name = partition_->layers[static_cast<size_t>(item.alone->first)].name;
    }
    return piece;
  }

  void Apply(const std::vector<Item>& items) {
    std::vector<uint64_t> live_words(plan_->groups.size(), 0);
    for (const Item& item : items) {
      plan_->peak_words = std::max(plan_->peak_words, item.address + item.words);
      plan_->memory.push_back(PieceOf(item));
      if (item.alone == nullptr) AddWords(item, &live_words);
      for (const int32_t root : item.roots) {
        OverlayTensor& t = partition_->tensors[static_cast<size_t>(root)];
        t.on_chip = OverlayTensor::OnChip{static_cast<uint32_t>(item.address), t.width, t.height * t.width};
      }
      if (item.buffer != nullptr) item.buffer->address = static_cast<uint32_t>(item.address);
      if (item.alone != nullptr) {
        // All words up to the next item, not just those asked for.
        uint64_t end = item.limit;
        for (const Item& other : items) {
          if (&other != &item && other.live.Overlaps(item.live) && other.address >= item.address + item.words) {
            end = std::min(end, other.address);
          }
        }
        item.alone->base = static_cast<uint32_t>(item.address);
        item.alone->end = static_cast<uint32_t>(end);
        plan_->memory.back().words = end - item.address;
      }
    }
    for (const uint64_t words : live_words) plan_->bound_words = std::max(plan_->bound_words, words);
  }

  Partition* partition_;
  const StripContext& c_;
  const PlanOptions& options_;
  Plan* plan_;
  std::vector<int32_t> group_;  ///< of each layer
};

}  // namespace

bool Plan::SharesDepthwise() const {
  return std::any_of(groups.begin(), groups.end(), [](const PlannedGroup& group) {
    return group.strips && std::any_of(group.strips->works.begin(), group.strips->works.end(),
                                       [](const Strips::Work& w) { return w.array_groups != 0; });
  });
}

std::optional<Plan> PlanPartition(Partition* partition, const HardwareConfig& config, const PlanOptions& options) {
  for (OverlayTensor& t : partition->tensors) t.on_chip.reset();
  const StripContext context(*partition, config, options.share);
  const StripContext share(*partition, options.window ? options.window->share : config, options.share);
  // A plan that fits by numbers of words may not fit in one piece: then again with less.
  for (const uint32_t percent : {100, 95, 88, 75, 60}) {
    auto found = Search(context, share, options, percent).Run();
    if (!found) return std::nullopt;
    Plan plan;
    plan.options = options;
    plan.groups = std::move(found->groups);
    plan.cycles = found->cycles;
    Placer placer(partition, context, options, &plan);
    if (!placer.OnChip(found->on_chip)) continue;
    placer.Workspace();
    return plan;
  }
  return std::nullopt;
}

}  // namespace xrun::compiler
