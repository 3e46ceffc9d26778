#include "compiler/stagger.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <tuple>
#include <variant>

#include "compiler/estimate.h"
#include "compiler/strips.h"
#include "isa/footprint.h"
#include "isa/timing.h"

namespace xrun::compiler {
namespace {

/// Of vector parameter memory the back half has one part in so many. Partial sums are free between atoms and not
/// divided.
constexpr uint32_t kVectorShare = 2;

/// Worth the trouble: part of all cycles.
constexpr double kLeastGain = 0.01;
/// Candidates from which the search goes on; none that takes so many times what there is without stagger.
constexpr size_t kStarts = 3;
constexpr double kFarOff = 1.1;
/// Of the time in which the back half's weight memory fills: the longest convolution beside it.
constexpr double kLongShare = 0.25;

double BytesPerCycle(const HardwareConfig& config) {
  return config.dram_ports * config.dram_port_bytes * config.dram_efficiency / 100.0;
}

/// Cycles of a convolution of the front half during which the back half's weight memory does not run full.
uint64_t LongConv(uint32_t weight_rows, const HardwareConfig& config) {
  return static_cast<uint64_t>(kLongShare * weight_rows * config.weight_row_bytes() / BytesPerCycle(config));
}

uint64_t Align(uint64_t bytes) { return (bytes + 255) / 256 * 256; }

bool IsPortOf(const OverlayTensor& t, bool outputs) {
  return outputs ? t.base >= kBaseOutput0 && t.base < kBaseStatus : t.base >= kBaseInput0 && t.base < kBaseOutput0;
}

/// The two halves as partitions of their own: what crosses the cut is an output of the one and an input of the other.
struct Halves {
  Partition front, back;
  int32_t copies = 0;            ///< layers of the back half that were not the partition's: its first ones
  OverlayStep::Stagger stagger;  ///< without the offset
};

/// Highest register of a range that no tensor uses.
std::optional<uint8_t> FreeRegister(const Partition& partition, int first, int end) {
  for (int base = end - 1; base >= first; --base) {
    const bool used = std::any_of(partition.tensors.begin(), partition.tensors.end(),
                                  [&](const OverlayTensor& t) { return t.base == base; });
    if (!used) return static_cast<uint8_t>(base);
  }
  return std::nullopt;
}

/// A copy of a tensor that counts as part of a layer.
Layer CopyOf(const Layer& of, int32_t from, int32_t to) {
  Layer copy;
  copy.kind = LayerKind::kElementwise;
  copy.elementwise = kElementwiseCopy;
  copy.nodes = of.nodes;
  copy.name = of.name;
  copy.input = from;
  copy.output = to;
  return copy;
}

std::optional<Halves> CutAt(const Partition& partition, int32_t cut, const HardwareConfig& config) {
  const auto root_of = [&](int32_t t) {
    const int32_t parent = partition.tensors[static_cast<size_t>(t)].parent;
    return static_cast<size_t>(parent != kNone ? parent : t);
  };
  struct Use {
    bool written = false;
    int read = 0;
  };
  std::vector<std::array<Use, 2>> uses(partition.tensors.size());
  for (size_t l = 0; l < partition.layers.size(); ++l) {
    const Layer& layer = partition.layers[l];
    const size_t half = static_cast<int32_t>(l) < cut ? 0 : 1;
    uses[root_of(layer.output)][half].written = true;
    const int32_t residual = layer.out.residual ? layer.out.residual->tensor : kNone;
    for (const int32_t t : {layer.input, layer.input_b, residual}) {
      if (t != kNone) ++uses[root_of(t)][half].read;
    }
  }
  const auto out = FreeRegister(partition, kBaseOutput0, kBaseStatus);
  const auto in = FreeRegister(partition, kBaseInput0, kBaseOutput0);
  if (!out || !in) return std::nullopt;
  Halves halves;
  halves.stagger.out = *out;
  halves.stagger.in = *in;
  halves.front.tensors = halves.back.tensors = partition.tensors;
  for (size_t t = 0; t < partition.tensors.size(); ++t) {
    const auto& [front, back] = uses[t];
    const OverlayTensor& tensor = partition.tensors[t];
    if (IsPortOf(tensor, false) && back.read > 0) return std::nullopt;
    if (IsPortOf(tensor, true) && (front.written || front.read > 0)) return std::nullopt;
    if (!front.written || (!back.written && back.read == 0)) continue;
    if (back.written || tensor.base != kBaseWorkspace || tensor.packed) return std::nullopt;
    OverlayTensor& given = halves.front.tensors[t];
    given.base = *out;
    given.offset = halves.stagger.bytes;
    OverlayTensor taken = given;
    taken.base = *in;
    if (back.read > 1) {  // once into activation memory, for all who read it
      const auto copy = static_cast<int32_t>(halves.back.tensors.size());
      halves.back.layers.push_back(CopyOf(partition.layers[static_cast<size_t>(cut)], copy, static_cast<int32_t>(t)));
      halves.back.tensors.push_back(taken);
      ++halves.copies;
    } else {
      halves.back.tensors[t] = taken;
    }
    halves.stagger.bytes += Align(tensor.words() * config.channels);
  }
  if (halves.stagger.bytes == 0) return std::nullopt;
  halves.front.layers.assign(partition.layers.begin(), partition.layers.begin() + cut);
  halves.back.layers.insert(halves.back.layers.end(), partition.layers.begin() + cut, partition.layers.end());
  return halves;
}

/// What one half sees of the machine while both work.
HardwareConfig ShareOf(const HardwareConfig& config, const StaggerCut& cut, bool back) {
  HardwareConfig share = config;
  const uint32_t vector_rows = config.vector_rows / kVectorShare;
  share.activation_rows = back ? cut.activation_rows : config.activation_rows - cut.activation_rows;
  share.weight_rows = back ? cut.weight_rows : config.weight_rows - cut.weight_rows;
  share.vector_rows = back ? vector_rows : config.vector_rows - vector_rows;
  return share;
}

/// Moves what an instruction of the back half touches on chip behind what the front half has.
struct Shift {
  uint32_t words, vector_rows;

  void operator()(std::monostate&) const {}
  void operator()(Sync&) const {}
  void operator()(Load& x) const { x.addr += words; }
  void operator()(LoadPacked& x) const { x.addr += words; }
  void operator()(Save& x) const { x.addr += words; }
  void operator()(LoadWeights&) const {}  // AssignRing
  void operator()(LoadMatrix&) const {}
  void operator()(LoadVector& x) const { x.addr += vector_rows; }
  void operator()(Conv& x) const {
    x.src += words;
    if (x.keep == 0) x.dst += words;
    if (x.residual != 0) x.res += words;
  }
  template <typename T>
  void Window(T& x, bool segment) const {
    x.src += words;
    if (x.keep == 0) x.dst += words;
    if (segment) x.params += vector_rows;
  }
  void operator()(Depthwise& x) const { Window(x, true); }
  void operator()(Pool& x) const { Window(x, x.table != 0 || x.per_count != 0); }
  void operator()(Elementwise& x) const {
    x.a += words;
    x.dst += words;
    if (x.kind == kElementwiseAdd || x.kind == kElementwiseMul) x.b += words;
    if (x.table != 0) x.params += vector_rows;
  }
};

/// An instruction with the loads before it.
struct Atom {
  size_t begin = 0, end = 0;
  double array = 0, vector = 0, dram = 0;  ///< cycles
  double Work() const { return std::max({array, vector, dram}); }
  /// Of the array's and the vector engine's partial sums: uses them; leaves some that wait for their next part.
  std::array<bool, 2> uses{}, open{};
};

std::vector<Atom> AtomsOf(const std::vector<ScheduledInstruction>& body, size_t begin, size_t end,
                          const HardwareConfig& config) {
  std::vector<Atom> atoms;
  std::array<std::vector<std::pair<uint64_t, uint64_t>>, 2> kept;  // entries [first, second)
  Atom atom{begin, begin};
  for (size_t i = begin; i < end; ++i) {
    const Instruction& instruction = body[i].instruction;
    for (const Access& a : Footprint(instruction, config)) {
      if (a.memory != Memory::kPartial && a.memory != Memory::kVectorPartial) continue;
      const size_t memory = a.memory == Memory::kPartial ? 0 : 1;
      const std::pair<uint64_t, uint64_t> entries{a.start, a.start + a.length};
      atom.uses[memory] = true;
      if (a.write) {
        kept[memory].push_back(entries);
      } else {
        std::erase_if(kept[memory],
                      [&](const auto& k) { return k.first < entries.second && entries.first < k.second; });
      }
    }
    if (body[i].engine == kVector) atom.vector += static_cast<double>(CyclesOf(instruction, config).total());
    if (body[i].engine == kConv) atom.array += static_cast<double>(CyclesOf(instruction, config).total());
    atom.dram += static_cast<double>(DramOf(instruction, config).bytes) / BytesPerCycle(config);
    atom.end = i + 1;
    if (body[i].engine == kLoad && i + 1 < end) continue;
    atom.open = {!kept[0].empty(), !kept[1].empty()};
    atoms.push_back(atom);
    atom = {i + 1, i + 1};
  }
  return atoms;
}

/// What decides whose turn it is.
enum class Pace : uint8_t {
  kDram,   ///< the back half's, whenever less of DRAM has been used than of the array
  kEvenly  ///< that of the half which has done less of its own work
};

/// The halves in one order: the back half's atoms among the front half's instructions [begin, end). Nothing where the
/// halves' partial sums bar each other's way.
std::optional<std::vector<ScheduledInstruction>> Merge(const Schedule& front, const Schedule& back, size_t begin,
                                                       size_t end, Pace pace, const HardwareConfig& config) {
  std::vector<ScheduledInstruction> merged(front.body.begin(), front.body.begin() + static_cast<std::ptrdiff_t>(begin));
  const std::vector<Atom> atoms[2] = {AtomsOf(front.body, begin, end, config),
                                      AtomsOf(back.body, 0, back.body.size(), config)};
  double array = 0, dram = 0, work[2] = {0, 0};
  for (size_t half = 0; half < 2; ++half) {
    for (const Atom& a : atoms[half]) {
      array += a.array;
      dram += a.dram;
      work[half] += a.Work();
    }
  }
  size_t next[2] = {0, 0};
  std::array<bool, 2> open[2] = {};
  const auto may = [&](size_t half) {  // nothing comes between the parts of a sum that uses the same memory
    if (next[half] == atoms[half].size()) return false;
    const Atom& atom = atoms[half][next[half]];
    return !(atom.uses[0] && open[1 - half][0]) && !(atom.uses[1] && open[1 - half][1]);
  };
  double used_array = 0, used_dram = 0, done[2] = {0, 0};
  while (next[0] < atoms[0].size() || next[1] < atoms[1].size()) {
    const bool back_turn =
        pace == Pace::kDram ? used_dram * array <= used_array * dram : done[1] * work[0] <= done[0] * work[1];
    size_t half = back_turn ? 1 : 0;
    if (!may(half)) half = 1 - half;
    if (!may(half)) return std::nullopt;
    const Atom& atom = atoms[half][next[half]++];
    open[half] = atom.open;
    used_array += atom.array;
    used_dram += atom.dram;
    done[half] += atom.Work();
    const std::vector<ScheduledInstruction>& from = half == 0 ? front.body : back.body;
    merged.insert(merged.end(), from.begin() + static_cast<std::ptrdiff_t>(atom.begin),
                  from.begin() + static_cast<std::ptrdiff_t>(atom.end));
  }
  merged.insert(merged.end(), front.body.begin() + static_cast<std::ptrdiff_t>(end), front.body.end());
  return merged;
}

/// Convolutions of the window that take long, cut by rows: the back half's weights must not wait for them.
void SplitLong(Schedule* schedule, size_t begin, size_t* end, uint64_t most, const HardwareConfig& config) {
  std::vector<ScheduledInstruction> body;
  for (size_t i = 0; i < schedule->body.size(); ++i) {
    ScheduledInstruction& s = schedule->body[i];
    const auto* conv = std::get_if<Conv>(&s.instruction);
    const uint64_t cycles = i >= begin && i < *end && conv != nullptr ? CyclesOf(s.instruction, config).total() : 0;
    if (cycles <= most || conv->keep != 0 || conv->accumulate != 0 || conv->out_h == 1) {
      body.push_back(s);
      continue;
    }
    // Rows whose pixels fill the lanes, where that is not too many.
    uint32_t rows = std::max(1U, static_cast<uint32_t>(conv->out_h * most / cycles));
    uint32_t unit = 1;
    while (uint64_t{unit} * conv->out_w % config.pixels != 0) ++unit;
    if (rows > unit) rows = rows / unit * unit;
    for (uint32_t y = 0; y < conv->out_h; y += rows) {
      Conv part = *conv;
      part.out_h = std::min(rows, conv->out_h - y);
      const int64_t first = int64_t{y} * conv->stride_h - conv->pad_top;
      const auto skipped = static_cast<uint32_t>(std::clamp<int64_t>(first, 0, conv->in_h));
      part.pad_top = static_cast<decltype(part.pad_top)>(skipped - first);
      part.in_h -= skipped;
      part.src += skipped * conv->src_row_pitch;
      part.dst += y * conv->dst_row_pitch;
      if (conv->residual != 0) part.res += y * conv->res_row_pitch;
      ScheduledInstruction piece = s;
      piece.instruction = part;
      piece.releases = s.releases && y + rows >= conv->out_h;
      body.push_back(piece);
    }
  }
  *end += body.size() - schedule->body.size();
  schedule->body = std::move(body);
}

/// The halves' tensors where each lives, for reports.
void JoinPlaces(const Halves& halves, uint32_t words, Partition* partition) {
  const std::vector<LiveRange> live[2] = {LiveRanges(halves.front), LiveRanges(halves.back)};
  for (size_t t = 0; t < partition->tensors.size(); ++t) {
    OverlayTensor& tensor = partition->tensors[t];
    const bool front = live[0][t].last >= 0;
    const OverlayTensor& from = front ? halves.front.tensors[t] : halves.back.tensors[t];
    tensor.on_chip = from.on_chip;
    if (tensor.on_chip && !front) tensor.on_chip->addr += words;
    if (from.base == kBaseWorkspace) tensor.offset = from.offset;
  }
}

void JoinMemory(const Plan& front, const Plan& back, const HardwareConfig& config, uint32_t words, MemoryMap* map) {
  map->planned = true;
  map->groups.resize(front.groups.size() + back.groups.size());
  map->total_words = config.activation_words();
  map->pieces = front.memory;
  for (MemoryPiece piece : back.memory) {
    piece.first_group += front.groups.size();
    piece.last_group += front.groups.size();
    piece.address += words;
    map->pieces.push_back(std::move(piece));
  }
  map->peak_words = words + back.peak_words;
  map->bound_words = front.bound_words + back.bound_words;
}

}  // namespace

namespace {

/// What the choice of a cut needs of a group of the plan without stagger, in cycles.
struct GroupCost {
  double cycles = 0, dram = 0, array = 0;
  uint64_t words = 0;  ///< live

  void Add(const GroupCost& other) {
    cycles += other.cycles;
    dram += other.dram;
    array += other.array;
    words = std::max(words, other.words);
  }
};

std::vector<GroupCost> CostsOf(const Partition& partition, const Plan& plan, const HardwareConfig& config) {
  std::vector<GroupCost> costs;
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const PlannedGroup& group = plan.groups[g];
    GroupCost cost;
    cost.cycles = group.cycles;
    cost.dram = group.strips ? static_cast<double>(group.strips->dram_bytes) / BytesPerCycle(config) : group.cycles;
    for (int32_t l = group.first; l < group.last; ++l) {
      const Layer& layer = partition.layers[static_cast<size_t>(l)];
      if (layer.kind != LayerKind::kConv) continue;
      const OverlayTensor& in = partition.tensors[static_cast<size_t>(layer.input)];
      const OverlayTensor& out = partition.tensors[static_cast<size_t>(layer.output)];
      cost.array += static_cast<double>(uint64_t{in.groups} * out.groups * layer.kernel_h * layer.kernel_w *
                                        CeilDiv(uint64_t{out.height} * out.width, config.pixels));
    }
    cost.array = std::min(cost.array, cost.cycles);
    for (const MemoryPiece& piece : plan.memory) {
      if (piece.kind != MemoryPiece::kTiles && piece.first_group <= g && g <= piece.last_group) {
        cost.words += piece.words;
      }
    }
    costs.push_back(cost);
  }
  return costs;
}

}  // namespace

namespace {

/// A cut in groups of the plan without stagger.
struct Candidate {
  size_t back = 0, begin = 0, end = 0;  ///< first group of the back half; window [begin, end)
  uint32_t activation_rows = 0, weight_rows = 0;
  double guess = 0;  ///< cycles

  auto Key() const { return std::make_tuple(back, begin, end, activation_rows, weight_rows); }
  StaggerCut Cut(const Plan& plan) const {
    return {plan.groups[back].first, plan.groups[begin].first, plan.groups[end - 1].last, activation_rows, weight_rows};
  }
};

/// The best window for each cut, by what the plan's groups cost; best first.
std::vector<Candidate> Guess(const Partition& partition, const Plan& plan, const HardwareConfig& config) {
  const std::vector<GroupCost> groups = CostsOf(partition, plan, config);
  std::vector<Candidate> found;
  GroupCost back;
  for (size_t k = groups.size() - 1; k > 0; --k) {
    back.Add(groups[k]);
    if (back.words > config.activation_words() / 2) break;
    if (back.dram <= back.array || !CutAt(partition, plan.groups[k].first, config)) continue;
    // A bit more than lives at any moment: not everything fits in one piece.
    const uint64_t share = back.words * 9 / 8;
    Candidate best;
    best.guess = (1 - kLeastGain) * plan.cycles;
    for (size_t end = k; end > 0; --end) {
      GroupCost window;
      for (size_t begin = end; begin-- > 0;) {
        window.Add(groups[begin]);
        if (window.words + share > config.activation_words()) break;
        const double beside = std::max(window.cycles + back.array, window.dram + back.dram);
        const double cycles = plan.cycles - window.cycles - back.cycles + beside;
        if (cycles < best.guess) {
          best = {k, begin, end, CeilDiv(share, config.banks()), config.weight_rows / 2, cycles};
        }
      }
    }
    if (best.back != 0) found.push_back(best);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& x, const auto& y) { return x.guess < y.guess; });
  return found;
}

/// Candidates one step away.
std::vector<Candidate> Neighbours(const Candidate& c, const HardwareConfig& config) {
  std::vector<Candidate> found;
  const auto add = [&](auto&& change) {
    Candidate n = c;
    change(n);
    const bool legal = n.begin < n.end && n.end <= n.back && n.weight_rows >= config.weight_rows / 8 &&
                       n.weight_rows <= config.weight_rows * 3 / 4;
    if (legal) found.push_back(n);
  };
  add([](Candidate& n) { n.begin -= std::min<size_t>(n.begin, 3); });
  add([](Candidate& n) { n.begin = 0; });
  add([&](Candidate& n) {
    n.begin = 0;
    n.weight_rows -= config.weight_rows / 8;
    n.activation_rows = n.activation_rows * 8 / 7;
  });
  add([&](Candidate& n) { n.weight_rows -= config.weight_rows / 8; });
  add([](Candidate& n) { n.end = std::min(n.back, n.end + 2); });
  add([](Candidate& n) { n.activation_rows = n.activation_rows * 7 / 8; });
  add([](Candidate& n) { n.activation_rows = n.activation_rows * 8 / 7; });
  add([](Candidate& n) { n.begin += 1; });
  add([](Candidate& n) { n.end -= 1; });
  add([&](Candidate& n) { n.weight_rows += config.weight_rows / 8; });
  return found;
}

}  // namespace

std::optional<StaggeredPartition> SearchStagger(const Partition& partition, const Plan& plan, double cycles,
                                                const HardwareConfig& config, size_t tries, WeightImage* weights) {
  WeightImage measured = WeightImage::Measure();
  std::set<decltype(Candidate().Key())> known;
  const auto evaluate = [&](const Candidate& c) {
    if (!known.insert(c.Key()).second) return std::numeric_limits<double>::infinity();
    const auto found = ScheduleStaggered(partition, config, c.Cut(plan), plan.options, &measured);
    return found ? found->cycles : std::numeric_limits<double>::infinity();
  };
  // The best guesses, and the latest cuts, which need little of anything: guesses are rough.
  const std::vector<Candidate> guesses = Guess(partition, plan, config);
  std::vector<Candidate> latest = guesses;
  std::stable_sort(latest.begin(), latest.end(), [](const auto& x, const auto& y) { return x.back > y.back; });
  std::vector<std::pair<double, Candidate>> found;
  for (size_t i = 0; i < guesses.size() && known.size() < tries; ++i) {
    for (const Candidate& c : {guesses[i], latest[i]}) found.emplace_back(evaluate(c), c);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  // From the best of them step by step.
  Candidate best;
  double least = (1 - kLeastGain) * cycles;
  for (size_t start = 0; start < std::min(kStarts, found.size()); ++start) {
    auto [reached, at] = found[start];
    if (reached > kFarOff * cycles) break;
    const size_t limit = known.size() + (start == 0 ? 2 * tries : tries / 2);
    for (bool better = true; better && known.size() < limit;) {
      better = false;
      for (const Candidate& c : Neighbours(at, config)) {
        if (known.size() >= limit) break;
        const double next = evaluate(c);
        if (next >= reached) continue;
        reached = next;
        at = c;
        better = true;
        break;
      }
    }
    if (reached < least) {
      least = reached;
      best = at;
    }
  }
  if (best.back == 0) return std::nullopt;
  return ScheduleStaggered(partition, config, best.Cut(plan), plan.options, weights);
}

std::optional<StaggeredPartition> ScheduleStaggered(const Partition& partition, const HardwareConfig& config,
                                                    const StaggerCut& cut, PlanOptions options, WeightImage* weights) {
  auto halves = CutAt(partition, cut.layer, config);
  if (!halves) return std::nullopt;
  const HardwareConfig shares[2] = {ShareOf(config, cut, false), ShareOf(config, cut, true)};
  options.window = PlanOptions::Window{cut.window_first, cut.window_last, shares[0]};
  options.variant = cut.layer;
  options.varied.assign(partition.tensors.size(), false);
  for (size_t t = 0; t < partition.tensors.size(); ++t) {
    options.varied[t] = halves->front.tensors[t].base != partition.tensors[t].base;
  }
  const auto front_plan = PlanPartition(&halves->front, config, options);
  if (!front_plan) return std::nullopt;
  options.window.reset();
  options.cache = nullptr;
  options.varied.clear();
  const auto back_plan = PlanPartition(&halves->back, shares[1], options);
  if (!back_plan) return std::nullopt;
  const uint64_t front_bytes = Align(front_plan->workspace_bytes);
  for (OverlayTensor& t : halves->back.tensors) {
    if (t.base == kBaseWorkspace) t.offset += front_bytes;
  }
  halves->stagger.offset = front_bytes + Align(back_plan->workspace_bytes);

  StaggeredPartition result;
  std::vector<TileReport>* tiles = &result.tiles;
  const uint64_t weight_bytes = weights->size();
  auto front = BuildSchedule(halves->front, config, {}, &*front_plan, weights, tiles);
  if (!front.ok()) {
    weights->Truncate(weight_bytes);
    return std::nullopt;
  }
  auto back = BuildSchedule(halves->back, shares[1], {}, &*back_plan, weights, tiles);
  if (!back.ok()) {
    weights->Truncate(weight_bytes);
    return std::nullopt;
  }
  const uint32_t words = shares[0].activation_words();
  for (ScheduledInstruction& s : back->body) {
    std::visit(Shift{words, shares[0].vector_rows}, s.instruction);
    HeaderOf(s.instruction).late = 1;
    if (s.layer != kNone) s.layer = cut.layer + std::max(0, s.layer - halves->copies);
    if (s.segment != kNone) s.segment += static_cast<int32_t>(front->segments);
  }
  size_t begin = front->body.size(), end = front->body.size();
  for (size_t g = 0; g < front_plan->groups.size(); ++g) {
    const PlannedGroup& group = front_plan->groups[g];
    const bool inside = group.first >= cut.window_first && group.last <= cut.window_last;
    if (inside && group.first == cut.window_first) begin = front->group_starts[g];
    if (group.first == cut.window_last) end = front->group_starts[g];
  }
  Schedule& schedule = result.scheduled.schedule;
  schedule.segments = front->segments + back->segments;
  schedule.front_segments = front->segments;
  schedule.front_rows = shares[0].weight_rows;
  schedule.stagger = halves->stagger;
  SplitLong(&*front, begin, &end, LongConv(cut.weight_rows, config), config);
  schedule.window = {begin, end + back->body.size()};
  const Schedule pattern = schedule;
  for (const Pace pace : {Pace::kDram, Pace::kEvenly}) {
    auto body = Merge(*front, *back, begin, end, pace, config);
    if (!body) continue;
    Schedule paced = pattern;
    paced.body = std::move(*body);
    if (!AssignWeightRows(&paced, config)) continue;
    Synchronize(&paced, config);
    const double cycles = EstimateCycles(paced, config);
    if (cycles >= result.cycles) continue;
    result.cycles = cycles;
    schedule = std::move(paced);
  }
  if (schedule.body.empty()) {
    weights->Truncate(weight_bytes);
    return std::nullopt;
  }
  tiles->push_back({"staggered: from " + partition.layers[static_cast<size_t>(cut.layer)].name +
                    " on for the request before, beside " +
                    partition.layers[static_cast<size_t>(cut.window_first)].name + " to " +
                    partition.layers[static_cast<size_t>(cut.window_last - 1)].name + ", with " +
                    std::to_string(shares[1].activation_words()) + " words and " + std::to_string(cut.weight_rows) +
                    " weight rows; about " + std::to_string(static_cast<uint64_t>(result.cycles)) + " cycles"});
  result.scheduled.partition = partition;
  JoinPlaces(*halves, words, &result.scheduled.partition);
  result.scheduled.workspace_bytes = halves->stagger.offset + halves->stagger.bytes;
  JoinMemory(*front_plan, *back_plan, config, words, &result.memory);
  return result;
}

std::optional<StaggeredPartition> ForceStagger(const Partition& partition, const HardwareConfig& config, uint32_t pick,
                                               const PlanOptions& options, WeightImage* weights) {
  const auto layers = static_cast<uint32_t>(partition.layers.size());
  for (uint32_t turn = 0; turn + 1 < layers; ++turn) {
    StaggerCut cut;
    cut.layer = static_cast<int32_t>(1 + (pick + turn) % (layers - 1));
    cut.window_first = static_cast<int32_t>(pick / 3 % static_cast<uint32_t>(cut.layer));
    cut.window_last = cut.layer;
    cut.activation_rows = config.activation_rows / 2;
    cut.weight_rows = config.weight_rows / 2;
    if (auto found = ScheduleStaggered(partition, config, cut, options, weights)) return found;
  }
  return std::nullopt;
}

}  // namespace xrun::compiler
