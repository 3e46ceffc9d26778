#include <algorithm>
#include <array>
#include <cassert>
#include <map>

#include "compiler/schedule.h"
#include "isa/footprint.h"

namespace xrun::compiler {
namespace {

using Index = int32_t;  ///< an instruction: request · body size + emission order
constexpr Index kNever = -1;
using Clock = std::array<Index, kEngines>;  ///< for each engine, the last instruction known to be done

/// Last writer, and last reader of each engine, of one unit of a memory.
struct Unit {
  Index writer = kNever;
  std::array<Index, kEngines> readers{kNever, kNever, kNever, kNever};
};

/// Which earlier instructions the accesses of an instruction must wait for, unit by unit.
class Shadow {
 public:
  Shadow(const HardwareConfig& config, const Schedule& schedule)
      : stagger_(schedule.stagger),
        activation_(config.activation_words()),
        weights_(config.weight_rows),
        vector_(config.vector_rows) {}

  /// DRAM buffers belong to a request. In a staggered program the back half sees what the front half gave it before.
  void BeginRequest() {
    std::vector<Unit> given;
    if (stagger_) given = std::move(dram_[static_cast<uint8_t>(stagger_->out)]);
    dram_.clear();
    if (stagger_) dram_[static_cast<uint8_t>(stagger_->in)] = std::move(given);
  }

  /// Adds an instruction's accesses; raises `dependence[e]` to the last instruction of engine e it must follow.
  void Add(const std::vector<Access>& accesses, Engine engine, const std::vector<Engine>& engine_of, Index index,
           Clock* dependence) {
    // Two walks: an instruction that reads and writes the same unit depends on others, not on itself.
    for (const Access& a : accesses) {
      // Neighbours have mostly the same writer.
      Index known = kNever;
      Visit(a, [&](Unit& u) {
        if (u.writer != known) {
          known = u.writer;
          if (known != kNever) {
            Raise(known, engine_of[static_cast<size_t>(known) % engine_of.size()], engine, dependence);
          }
        }
        if (!a.write) return;
        for (int e = 0; e < kEngines; ++e) {
          Raise(u.readers[static_cast<size_t>(e)], static_cast<Engine>(e), engine, dependence);
        }
      });
    }
    for (const Access& a : accesses) {
      if (a.write) continue;
      Visit(a, [&](Unit& u) { u.readers[engine] = index; });
    }
    for (const Access& a : accesses) {
      if (!a.write) continue;
      Visit(a, [&](Unit& u) { u = Unit{index, {kNever, kNever, kNever, kNever}}; });
    }
  }

 private:
  /// DRAM is watched in lines of this size: coarse is safe, it only adds order.
  static constexpr uint64_t kLine = 64;

  template <typename F>
  void Visit(const Access& a, F&& f) {
    std::vector<Unit>* units = nullptr;
    uint64_t grain = 1;
    switch (a.memory) {
      case Memory::kActivation:
        units = &activation_;
        break;
      case Memory::kVectorMemory:
        units = &vector_;
        break;
      case Memory::kWeightRing:
        if (!stagger_) return;  // ordered by the ring
        units = &weights_;
        break;
      case Memory::kDram:
        if (a.base == kBaseWeights) return;  // never written
        units = &dram_[a.base];
        grain = kLine;
        break;
      default:
        return;  // one engine's own
    }
    for (uint64_t run = 0; run < a.count; ++run) {
      const uint64_t begin = a.start + run * a.pitch;
      const uint64_t last = (begin + a.length - 1) / grain;
      const bool wraps = a.memory == Memory::kWeightRing;
      if (units->size() <= last && !wraps) {
        assert(a.memory == Memory::kDram);
        units->resize(last + 1);
      }
      for (uint64_t i = begin / grain; i <= last; ++i) f((*units)[wraps ? i % units->size() : i]);
    }
  }

  static void Raise(Index i, Engine from, Engine engine, Clock* dependence) {
    if (i != kNever && from != engine) (*dependence)[from] = std::max((*dependence)[from], i);
  }

  std::optional<OverlayStep::Stagger> stagger_;
  std::vector<Unit> activation_, weights_, vector_;
  std::map<uint8_t, std::vector<Unit>> dram_;
};

/// `to` (in its stream) waits for `from`; both as positions in the body.
struct Edge {
  Index from, to;
};

/// The order between a pair of engines: within a request, and from a request to the next. Both lists ascend in `from`
/// and in `to`; that is what makes the k-th wait meet the k-th signal.
struct PairOrder {
  std::vector<Edge> inside, across;
};

/// Tokens a pair may have under way: across requests, and within one beside them. Together below kTokenLimit.
constexpr size_t kMaxAcross = 4, kMaxInside = 10;

/// Merges edges until at most `limit` are under way at any point of the emission order. Two edges under way together
/// merge into one from the later signal to the earlier wait: still forward in emission order, only stricter.
void LimitInside(std::vector<Edge>* edges) {
  std::vector<Edge> kept;
  for (const Edge& e : *edges) {
    const auto under_way =
        static_cast<size_t>(std::count_if(kept.begin(), kept.end(), [&](const Edge& k) { return k.to > e.from; }));
    if (under_way >= kMaxInside) {
      kept.back().from = e.from;
    } else {
      kept.push_back(e);
    }
  }
  *edges = std::move(kept);
}

/// All edges across are under way at once, between two requests.
void LimitAcross(std::vector<Edge>* edges) {
  if (edges->size() <= kMaxAcross) return;
  std::vector<Edge> kept(edges->begin(), edges->begin() + kMaxAcross);
  kept.back().from = edges->back().from;
  *edges = std::move(kept);
}

}  // namespace

void Synchronize(Schedule* schedule, const HardwareConfig& config) {
  std::vector<ScheduledInstruction>& body = schedule->body;
  const auto n = static_cast<Index>(body.size());
  std::vector<Engine> engine_of;
  std::vector<std::vector<Access>> footprints;
  std::vector<Index> segment_load(schedule->segments, kNever);
  for (Index i = 0; i < n; ++i) {
    const ScheduledInstruction& s = body[static_cast<size_t>(i)];
    engine_of.push_back(s.engine);
    footprints.push_back(Footprint(s.instruction, config));
    if (s.engine == kLoad && s.segment != kNone) segment_load[static_cast<size_t>(s.segment)] = i;
  }

  // Request 0 finds the order inside a request; request 1, on top of it, what must hold from one request to the next.
  Shadow shadow(config, *schedule);
  std::array<std::array<PairOrder, kEngines>, kEngines> order;  // [from][to]
  std::vector<Clock> clock(2 * static_cast<size_t>(n));  // what is done when the instruction is done, itself included
  std::array<Index, kEngines> previous{kNever, kNever, kNever, kNever};
  std::vector<std::array<Index, kEngines>> inside(static_cast<size_t>(n), {kNever, kNever, kNever, kNever});
  for (Index request = 0; request < 2; ++request) {
    shadow.BeginRequest();
    for (Index i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(i);
      const Index index = request * n + i;
      const Engine engine = engine_of[at];
      Clock known{kNever, kNever, kNever, kNever};
      if (previous[engine] != kNever) known = clock[static_cast<size_t>(previous[engine])];
      const auto learn = [&](Index from) {
        const Clock& c = clock[static_cast<size_t>(from)];
        for (size_t e = 0; e < kEngines; ++e) known[e] = std::max(known[e], c[e]);
      };
      if (request == 1) {
        for (const Index from : inside[at]) {
          if (from != kNever) learn(n + from);
        }
      }
      Clock dependence{kNever, kNever, kNever, kNever};
      shadow.Add(footprints[at], engine, engine_of, index, &dependence);
      if (engine == kConv && body[at].segment != kNone) {
        dependence[kLoad] =
            std::max(dependence[kLoad], request * n + segment_load[static_cast<size_t>(body[at].segment)]);
      }
      for (size_t e = 0; e < kEngines; ++e) {
        const Index from = dependence[e];
        if (from == kNever || from <= known[e]) continue;
        PairOrder& pair = order[e][engine];
        if (request == 0) {
          inside[at][e] = from;
          pair.inside.push_back({from, i});
        } else {
          assert(from < n && "what request 0 ordered must be ordered in request 1");
          pair.across.push_back({from, i});
        }
        learn(from);
      }
      known[engine] = index;
      clock[static_cast<size_t>(index)] = known;
      previous[engine] = index;
    }
  }

  for (auto& prologue : schedule->prologue) prologue.clear();
  for (size_t from = 0; from < kEngines; ++from) {
    std::array<size_t, kEngines> initial{};
    for (size_t to = 0; to < kEngines; ++to) {
      PairOrder& pair = order[from][to];
      LimitInside(&pair.inside);
      LimitAcross(&pair.across);
      initial[to] = pair.across.size();
      for (const std::vector<Edge>* edges : {&pair.inside, &pair.across}) {
        for (const Edge& e : *edges) {
          HeaderOf(body[static_cast<size_t>(e.from)].instruction).signal |= 1U << to;
          HeaderOf(body[static_cast<size_t>(e.to)].instruction).wait |= 1U << from;
        }
      }
    }
    // The first request waits for a request that never was: the prologue signals in its place.
    const size_t rounds = *std::max_element(initial.begin(), initial.end());
    for (size_t round = 0; round < rounds; ++round) {
      Sync sync;
      for (size_t to = 0; to < kEngines; ++to) {
        if (initial[to] > round) sync.signal |= 1U << to;
      }
      schedule->prologue[from].emplace_back(sync);
    }
  }
}

}  // namespace xrun::compiler
