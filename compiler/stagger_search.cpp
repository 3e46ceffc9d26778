// Where to cut: guesses by what the groups of the plan without stagger cost, then whole schedules, judged by the
// estimate.

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "compiler/emitter.h"
#include "compiler/stagger.h"

namespace xrun::compiler {
namespace {

/// Worth the trouble: part of all cycles.
constexpr double kLeastGain = 0.005;
/// Candidates from which the search goes on; none that takes so many times what there is without stagger.
constexpr size_t kStarts = 3;
constexpr double kFarOff = 1.1;
/// Cycles lost to a shorter ring, as part of those that DRAM is busy.
constexpr double kRingLoss = 0.1;
/// What the choice of a cut needs of a group of the plan without stagger, in cycles.
struct GroupCost {
  double cycles = 0, dram = 0, array = 0;
  uint64_t words = 0;   ///< live
  uint64_t needed = 0;  ///< live, buffers of strips at half their size: they take what there is

  void Add(const GroupCost& other) {
    cycles += other.cycles;
    dram += other.dram;
    array += other.array;
    words = std::max(words, other.words);
    needed = std::max(needed, other.needed);
  }
};

std::vector<GroupCost> CostsOf(const Partition& partition, const Plan& plan, const HardwareConfig& config) {
  const MemoryMap map = MapOf(partition, config, plan);
  std::vector<GroupCost> costs;
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const PlannedGroup& group = plan.groups[g];
    GroupCost cost;
    cost.cycles = group.cycles;
    cost.dram =
        group.strips ? static_cast<double>(group.strips->dram_bytes) / config.dram_bytes_per_cycle() : group.cycles;
    for (int32_t l = group.first; l < group.last; ++l) {
      const Layer& layer = partition.layers[static_cast<size_t>(l)];
      if (layer.kind != LayerKind::kConv) continue;
      const OverlayTensor& in = partition.tensors[static_cast<size_t>(layer.input)];
      const OverlayTensor& out = partition.tensors[static_cast<size_t>(layer.output)];
      cost.array += static_cast<double>(uint64_t{in.groups} * out.groups * layer.kernel_h * layer.kernel_w *
                                        CeilDiv(uint64_t{out.height} * out.width, config.pixels));
    }
    cost.array = std::min(cost.array, cost.cycles);
    cost.words = cost.needed = map.LiveWords(g);
    for (const MemoryPiece& piece : map.pieces) {
      if (piece.kind == MemoryPiece::kBuffer && piece.first_group == g) cost.needed -= piece.words / 2;
    }
    costs.push_back(cost);
  }
  return costs;
}

/// A cut in groups of the plan without stagger.
struct Candidate {
  size_t back = 0, begin = 0, end = 0;  ///< first group of the back half; window [begin, end)
  uint32_t activation_rows = 0, weight_rows = 0;
  bool loads_ahead = false;
  uint32_t longer = 1;  ///< convolutions of the window: so many times LongestConv
  double guess = 0;     ///< cycles

  auto Key() const { return std::make_tuple(back, begin, end, activation_rows, weight_rows, loads_ahead, longer); }
  StaggerCut Cut(const Plan& plan, const HardwareConfig& config) const {
    return {plan.groups[back].first,
            plan.groups[begin].first,
            plan.groups[end - 1].last,
            activation_rows,
            weight_rows,
            longer * LongestConv(weight_rows, config)};
  }
};

/// The best window for each cut, by what the plan's groups cost; best first. `elastic`: buffers of the window's groups
/// may become smaller.
std::vector<Candidate> Guess(const Partition& partition, const Plan& plan, const HardwareConfig& config, bool elastic) {
  const std::vector<GroupCost> groups = CostsOf(partition, plan, config);
  std::vector<Candidate> found;
  GroupCost back;
  for (size_t k = groups.size() - 1; k > 0; --k) {
    back.Add(groups[k]);
    if (back.words > config.activation_words() / 2) break;
    if (back.dram <= back.array || !CanCut(partition, plan.groups[k].first, config)) continue;
    // A bit more than lives at any moment: not everything fits in one piece.
    const uint64_t share = back.words * 9 / 8;
    Candidate best;
    best.guess = (1 - kLeastGain) * plan.cycles;
    for (size_t end = k; end > 0; --end) {
      GroupCost window;
      for (size_t begin = end; begin-- > 0;) {
        window.Add(groups[begin]);
        if ((elastic ? window.needed : window.words) + share > config.activation_words()) break;
        double beside = std::max(window.cycles + back.array, window.dram + back.dram);
        // The front half has less of the ring in its window, which tells where it needs DRAM itself.
        if (elastic) beside += kRingLoss * window.dram;
        const double cycles = plan.cycles - window.cycles - back.cycles + beside;
        if (cycles < best.guess) {
          best = {k,
                  begin,
                  end,
                  CeilDiv(share, config.banks()),
                  config.weight_rows / 2,
                  elastic && plan.options.loads_ahead,
                  1,
                  cycles};
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
  add([](Candidate& n) { n.loads_ahead = !n.loads_ahead; });
  if (c.longer < 4) add([](Candidate& n) { n.longer *= 2; });
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
  add([](Candidate& n) {
    n.begin -= std::min<size_t>(n.begin, 1);
    n.end -= 1;
  });
  add([](Candidate& n) {
    n.begin += 1;
    n.end += 1;
  });
  return found;
}

}  // namespace

std::optional<StaggeredPartition> SearchStagger(const Partition& partition, const Plan& plan, double cycles,
                                                const HardwareConfig& config, size_t tries, WeightImage* weights) {
  WeightImage measured = WeightImage::Measure();
  std::set<decltype(Candidate().Key())> known;
  const auto schedule = [&](const Candidate& c, WeightImage* image) {
    PlanOptions options = plan.options;
    options.loads_ahead = c.loads_ahead;
    return ScheduleStaggered(partition, config, c.Cut(plan, config), options, image);
  };
  const auto evaluate = [&](const Candidate& c) {
    if (!known.insert(c.Key()).second) return std::numeric_limits<double>::infinity();
    const auto found = schedule(c, &measured);
    return found ? found->cycles : std::numeric_limits<double>::infinity();
  };
  // The best guesses, and the latest cuts, which need little of anything: guesses are rough.
  const std::vector<Candidate> guesses = Guess(partition, plan, config, false);
  const std::vector<Candidate> elastic = Guess(partition, plan, config, true);
  std::vector<Candidate> latest = elastic;
  std::stable_sort(latest.begin(), latest.end(), [](const auto& x, const auto& y) { return x.back > y.back; });
  std::vector<std::pair<double, Candidate>> found;
  for (size_t i = 0; i < elastic.size() && known.size() < tries; ++i) {
    if (i < guesses.size()) found.emplace_back(evaluate(guesses[i]), guesses[i]);
    for (const Candidate& c : {elastic[i], latest[i]}) found.emplace_back(evaluate(c), c);
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
  return schedule(best, weights);
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
    cut.longest_conv = 1 + pick % 200;
    if (auto found = ScheduleStaggered(partition, config, cut, options, weights)) return found;
  }
  return std::nullopt;
}

}  // namespace xrun::compiler
