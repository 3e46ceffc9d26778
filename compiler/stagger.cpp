#include "compiler/stagger.h"

#include <algorithm>
#include <iterator>
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
  void operator()(LoadWeights&) const {}  // AssignWeightRows
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
    atom.dram += static_cast<double>(DramOf(instruction, config).bytes) / config.dram_bytes_per_cycle();
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

/// The front half's groups are the map's; what the back half has is shown while the front half's groups run beside
/// which its instructions stand.
MemoryMap JoinMemory(const Halves& halves, const Plan& front, const Plan& back, const StaggerCut& cut,
                     const ScheduledPartition& scheduled, const HardwareConfig& config) {
  const uint32_t words = ShareOf(config, cut, false).activation_words();
  const auto group_of = [](const Plan& plan, int32_t layer) {
    size_t g = 0;
    while (plan.groups[g].last <= layer) ++g;
    return g;
  };
  struct Beside {
    size_t first = SIZE_MAX, last = 0;
  };
  std::vector<Beside> beside(back.groups.size());
  size_t now = 0;
  for (const ScheduledInstruction& s : scheduled.schedule.body) {
    if (s.layer == kNone) continue;
    if (s.layer < cut.layer) {
      now = group_of(front, s.layer);
      continue;
    }
    Beside& b = beside[group_of(back, s.layer - cut.layer + halves.copies)];
    b.first = std::min(b.first, now);
    b.last = std::max(b.last, now);
  }
  MemoryMap map = MapOf(scheduled.partition, config, front);
  MemoryMap alone;  // the back half's pieces over its own groups
  alone.pieces = back.memory;
  for (size_t b = 0; b < beside.size(); ++b) {
    for (size_t g = beside[b].first; g <= beside[b].last; ++g) {
      map.bound_words = std::max(map.bound_words, map.LiveWords(g) + alone.LiveWords(b));
    }
  }
  for (MemoryPiece piece : back.memory) {
    Beside span;
    for (size_t g = piece.first_group; g <= piece.last_group; ++g) {
      span.first = std::min(span.first, beside[g].first);
      span.last = std::max(span.last, beside[g].last);
    }
    piece.first_group = std::min(span.first, span.last);  // a group of copies counts as the next one's
    piece.last_group = span.last;
    piece.address += words;
    piece.name += " (of the request before)";
    map.peak_words = std::max(map.peak_words, piece.address + piece.words);
    map.pieces.push_back(std::move(piece));
  }
  return map;
}

}  // namespace

uint64_t LongestConv(uint32_t weight_rows, const HardwareConfig& config) {
  return static_cast<uint64_t>(0.25 * weight_rows * config.weight_row_bytes() / config.dram_bytes_per_cycle());
}

bool CanCut(const Partition& partition, int32_t layer, const HardwareConfig& config) {
  return CutAt(partition, layer, config).has_value();
}

std::optional<StaggeredPartition> ScheduleStaggered(const Partition& partition, const HardwareConfig& config,
                                                    const StaggerCut& cut, PlanOptions options, WeightImage* weights) {
  auto halves = CutAt(partition, cut.layer, config);
  if (!halves) return std::nullopt;
  const HardwareConfig shares[2] = {ShareOf(config, cut, false), ShareOf(config, cut, true)};
  // A half is planned as for a machine of its own.
  const HardwareConfig least = HardwareConfig::Least();
  for (const HardwareConfig& share : shares) {
    if (share.weight_rows < least.weight_rows || share.vector_rows < least.vector_rows) return std::nullopt;
  }
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
  SplitLong(&*front, begin, &end, cut.longest_conv, config);
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
  result.memory = JoinMemory(*halves, *front_plan, *back_plan, cut, result.scheduled, config);
  return result;
}

}  // namespace xrun::compiler
