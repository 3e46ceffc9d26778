#include "compiler/schedule.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <span>

#include "compiler/emitter.h"
#include "compiler/pack_weights.h"
#include "compiler/plan.h"

namespace xrun::compiler {

namespace {

Status ScheduleAlone(Emitter& emitter, const Layer& layer, std::string* report) {
  switch (layer.kind) {
    case LayerKind::kConv:
      return ScheduleConv(emitter, layer, report);
    case LayerKind::kDepthwise:
    case LayerKind::kPool:
      return ScheduleWindow(emitter, layer, report);
    case LayerKind::kElementwise:
      return ScheduleElementwise(emitter, layer, report);
    case LayerKind::kMatMul:
      return ScheduleMatMul(emitter, layer, report);
  }
  assert(false && "every kind of layer is listed");
  return {};
}

/// A layer of a stack of samples, of which each is to be computed by itself: the same layer over boxes of the stacks,
/// one for each sample. Adds the boxes.
std::vector<Layer> SamplesOf(const Layer& layer, Partition* partition) {
  const uint32_t samples = partition->tensors[static_cast<size_t>(layer.output)].samples;
  if (samples == 1) return {layer};
  std::vector<Layer> alone(samples, layer);
  for (uint32_t s = 0; s < samples; ++s) {
    const auto box = [&](int32_t* tensor) {
      if (*tensor == kNone || partition->tensors[static_cast<size_t>(*tensor)].samples == 1) return;
      OverlayTensor t = partition->tensors[static_cast<size_t>(*tensor)];
      t.height = t.sample_height();
      t.y0 += s * t.height;
      t.samples = 1;
      t.places.clear();
      t.on_chip.reset();
      if (t.parent == kNone) t.parent = *tensor;
      *tensor = static_cast<int32_t>(partition->tensors.size());
      partition->tensors.push_back(std::move(t));
    };
    box(&alone[s].input);
    box(&alone[s].input_b);
    box(&alone[s].output);
    if (alone[s].out.residual) box(&alone[s].out.residual->tensor);
  }
  return alone;
}

/// Ring rows that a load fills; 0 for all that loads something else.
uint32_t RowsOf(const Instruction& load) {
  if (const auto* matrix = std::get_if<LoadMatrix>(&load)) return matrix->rows;
  const auto* weights = std::get_if<LoadWeights>(&load);
  return weights != nullptr ? weights->rows : 0;
}

/// Lets the first loads of each group come while the group before still loads. Where that one's own weights stay in the
/// ring till its end, these are weights: a part of them before each of its last strips, as far as the ring has room.
/// Where its weights stream, they are the first rows of tensors in DRAM, before the last of these weights. Otherwise
/// they would come after all of that, when the array waits for them already.
class LoadsAhead {
 public:
  LoadsAhead(const Partition& partition, const Plan& plan, const HardwareConfig& config, Schedule* schedule)
      : partition_(partition), plan_(plan), config_(config), s_(*schedule) {}

  void Run() {
    for (size_t g = 0; g + 1 < plan_.groups.size(); ++g) {
      const std::vector<size_t> parts = Parts(g);
      const std::vector<size_t> strips = LoadsOfStrips(g);
      came_ = 0;
      if (!parts.empty() && strips.size() >= 2) Move(g, parts, strips);
      MoveInputs(g);
    }
  }

 private:
  size_t Begin(size_t g) const { return g < s_.group_starts.size() ? s_.group_starts[g] : s_.body.size(); }

  /// Positions of the weight loads that may come before group g ends.
  std::vector<size_t> Parts(size_t g) const {
    const PlannedGroup &now = plan_.groups[g], &next = plan_.groups[g + 1];
    const HardwareConfig& share = plan_.options.ConfigOf(now.first, config_);
    if (!now.strips || now.strips->stream || !next.strips) return {};
    if (&share != &plan_.options.ConfigOf(next.first, config_)) return {};
    uint64_t rows = came_;
    for (size_t i = Begin(g); i < Begin(g + 1); ++i) rows += RowsOf(s_.body[i].instruction);
    std::vector<size_t> parts;
    for (size_t i = Begin(g + 1); i < Begin(g + 2); ++i) {
      const uint32_t more = RowsOf(s_.body[i].instruction);
      if (more == 0) continue;
      rows += more;
      if (rows > share.weight_rows) break;
      parts.push_back(i);
    }
    return parts;
  }

  /// Where in group g, which computes in between, each run of other loads begins.
  std::vector<size_t> LoadsOfStrips(size_t g) const {
    std::vector<size_t> starts;
    bool computed = true;
    for (size_t i = Begin(g); i < Begin(g + 1); ++i) {
      const ScheduledInstruction& s = s_.body[i];
      if (s.engine == Engine::kConv || s.engine == Engine::kVector) computed = true;
      if (s.engine != Engine::kLoad || s.segment != kNone || !computed) continue;
      starts.push_back(i);
      computed = false;
    }
    return starts;
  }

  /// Whether nothing of group g lies where a buffer of the next one does, or makes what it loads.
  bool IsFree(size_t g, const Strips::Buffer& b) const {
    const uint64_t begin = b.address, end = begin + b.words();
    const bool taken = std::any_of(plan_.memory.begin(), plan_.memory.end(), [&](const MemoryPiece& piece) {
      return piece.first_group <= g && g <= piece.last_group && piece.address < end &&
             begin < piece.address + piece.words;
    });
    const auto& works = plan_.groups[g].strips->works;
    return !taken && std::none_of(works.begin(), works.end(), [&](const Strips::Work& w) {
      const int32_t output = partition_.layers[static_cast<size_t>(w.layer)].output;
      const int32_t parent = partition_.tensors[static_cast<size_t>(output)].parent;
      return (parent == kNone ? output : parent) == b.root;
    });
  }

  void MoveInputs(size_t g) {
    const PlannedGroup &now = plan_.groups[g], &next = plan_.groups[g + 1];
    if (!now.strips || !now.strips->stream || !next.strips) return;
    if (&plan_.options.ConfigOf(now.first, config_) != &plan_.options.ConfigOf(next.first, config_)) return;
    std::vector<size_t> weights;
    for (size_t i = Begin(g); i < Begin(g + 1); ++i) {
      if (RowsOf(s_.body[i].instruction) != 0) weights.push_back(i);
    }
    if (weights.size() < 3) return;
    size_t inputs = 0;
    for (size_t i = Begin(g + 1); i < Begin(g + 2); ++i, ++inputs) {
      const auto* load = std::get_if<Load>(&s_.body[i].instruction);
      if (load == nullptr) break;
      const auto& buffers = next.strips->buffers;
      const auto buffer = std::find_if(buffers.begin(), buffers.end(), [&](const Strips::Buffer& b) {
        return b.loads && b.address <= load->addr && load->addr < b.address + b.words();
      });
      if (buffer == buffers.end() || !IsFree(g, *buffer)) break;
    }
    const auto at = [&](size_t i) { return s_.body.begin() + static_cast<std::ptrdiff_t>(i); };
    std::rotate(at(weights[weights.size() - 2]), at(Begin(g + 1)), at(Begin(g + 1) + inputs));
    s_.group_starts[g + 1] += inputs;
  }

  void Move(size_t g, const std::vector<size_t>& parts, const std::vector<size_t>& strips) {
    std::multimap<size_t, size_t> before;  // a strip's loads → parts
    for (size_t p = 0; p < parts.size(); ++p) {
      const size_t back = parts.size() - p;
      before.emplace(strips[strips.size() > back ? strips.size() - back : 1], parts[p]);
      came_ += RowsOf(s_.body[parts[p]].instruction);
    }
    const auto first = static_cast<std::ptrdiff_t>(strips[1]), last = static_cast<std::ptrdiff_t>(parts.back()) + 1;
    std::vector<ScheduledInstruction> moved;
    for (size_t i = strips[1]; i < Begin(g + 1); ++i) {
      const auto [from, to] = before.equal_range(i);
      for (auto it = from; it != to; ++it) moved.push_back(s_.body[it->second]);
      moved.push_back(s_.body[i]);
    }
    size_t part = 0;
    for (size_t i = Begin(g + 1); i <= parts.back(); ++i) {
      if (part < parts.size() && parts[part] == i) {
        ++part;
        continue;
      }
      moved.push_back(s_.body[i]);
    }
    assert(static_cast<std::ptrdiff_t>(moved.size()) == last - first);
    std::move(moved.begin(), moved.end(), s_.body.begin() + first);
    s_.group_starts[g + 1] += parts.size();
  }

  const Partition& partition_;
  const Plan& plan_;
  const HardwareConfig& config_;
  Schedule& s_;
  uint64_t came_ = 0;  ///< rows of the group at hand that came ahead
};

}  // namespace

Result<Schedule> BuildSchedule(const Partition& placed, const HardwareConfig& config, const TilingLimits& limits,
                               const Plan* plan, WeightImage* weights, std::vector<TileReport>* report) {
  Partition partition = placed;
  for (OverlayTensor& t : partition.tensors) {
    if (t.constant != nullptr) t.offset = weights->Append(PackConstant(t, config));
  }
  std::vector<std::vector<Layer>> alone;  // by group of the plan that has no strips
  if (plan != nullptr) {
    for (const PlannedGroup& group : plan->groups) {
      alone.emplace_back();
      if (!group.strips) alone.back() = SamplesOf(partition.layers[static_cast<size_t>(group.first)], &partition);
    }
  }
  Schedule schedule;
  Emitter emitter(partition, config, limits, weights, &schedule);
  const auto add = [&](const std::string& text) {
    if (report != nullptr) report->push_back({text});
  };
  std::string text;
  if (plan == nullptr) {
    for (size_t i = 0; i < partition.layers.size(); ++i) {
      emitter.BeginLayer(static_cast<int32_t>(i));
      XRUN_RETURN_IF_ERROR(ScheduleAlone(emitter, partition.layers[i], &text));
      add(text);
    }
  } else {
    const PlanOptions& options = plan->options;
    const StripContext whole(partition, config, options.share);
    const StripContext share(partition, options.window ? options.window->share : config, options.share);
    for (size_t g = 0; g < plan->groups.size(); ++g) {
      const PlannedGroup& group = plan->groups[g];
      schedule.group_starts.push_back(schedule.body.size());
      emitter.config = plan->options.ConfigOf(group.first, config);
      if (group.strips) {
        const bool shared = plan->options.window && &plan->options.ConfigOf(group.first, config) != &config;
        XRUN_RETURN_IF_ERROR(ScheduleStrips(emitter, shared ? share : whole, *group.strips, &text));
      } else {
        for (const Layer& layer : alone[g]) {
          emitter.BeginLayer(group.first, group.base, group.end);
          XRUN_RETURN_IF_ERROR(ScheduleAlone(emitter, layer, &text));
        }
      }
      add(text);
    }
  }
  if (plan != nullptr && plan->options.loads_ahead) LoadsAhead(partition, *plan, config, &schedule).Run();
  if (weights->size() > UINT32_MAX) {
    return Failure{"the weights need more than 4 GiB", ""};
  }
  return schedule;
}

namespace {

struct Segment {
  struct Part {
    size_t load = 0;  ///< position in emission order
    uint32_t row = 0, rows = 0;
  };
  std::vector<Part> parts;       ///< in order
  size_t release = 0;            ///< position of the last of its readers
  uint32_t rows = 0, extra = 0;  ///< extra: skipped rows acquired with the first part
  uint32_t first = 0;            ///< row
  uint32_t begin = 0, end = 0;   ///< rows that it may have, where tokens order them

  size_t load() const { return parts.front().load; }
  /// Rows held at a moment.
  uint64_t Held(size_t moment) const {
    uint64_t held = 0;
    for (const Part& part : parts) {
      if (part.load <= moment && moment < release) held += part.rows + (part.row == 0 ? extra : 0);
    }
    return held;
  }
};

/// Most rows live at any moment of a segment's life: others start or are live where it starts.
uint64_t MostRows(const std::vector<Segment>& segments, const Segment& s) {
  uint64_t most = 0;
  for (const Segment& moment : segments) {
    if (moment.load() > s.release) break;
    for (const Segment::Part& part : moment.parts) {
      if (part.load < s.load() || part.load > s.release) continue;
      uint64_t live = 0;
      for (const Segment& other : segments) {
        if (other.load() > part.load) break;
        live += other.Held(part.load);
      }
      most = std::max(most, live);
    }
  }
  return most;
}

/// The body must use a multiple of the ring: segments take in the missing rows, as far as what is live with them
/// leaves room. Segments that are not live together each have the whole ring, so the room suffices unless weights come
/// ahead: false where it does not.
bool AssignRing(std::vector<Segment>* segments, uint32_t ring) {
  uint64_t total = 0;
  for (const Segment& s : *segments) total += s.rows;
  uint64_t missing = (ring - total % ring) % ring;
  for (Segment& s : *segments) {
    if (missing == 0) break;
    const uint64_t most = MostRows(*segments, s);
    assert(most <= ring);
    s.extra = static_cast<uint32_t>(std::min(missing, ring - most));
    missing -= s.extra;
  }
  if (missing != 0) return false;
  uint64_t position = 0;
  for (Segment& s : *segments) {
    position += s.extra;
    s.first = static_cast<uint32_t>(position % ring);
    position += s.rows;
  }
  return true;
}

/// Rows for segments that tokens order: each goes behind the one before it, where nothing lives meanwhile. Where a
/// segment finds no room beside those that live with it, they begin anew at the first row they may have. One that may
/// have all rows may go over the memory's end: row numbers count modulo `ring`.
bool AssignRows(std::span<Segment> segments, uint32_t ring) {
  const auto lives = [&](size_t k, size_t i) { return segments[k].release > segments[i].load(); };
  const auto find = [&](size_t i, uint32_t from) {
    const bool all = segments[i].begin == 0 && segments[i].end == ring;
    for (uint32_t at = from; at + (all ? 1 : segments[i].rows) <= segments[i].end;) {
      uint32_t after = at;
      for (size_t k = 0; k < i; ++k) {
        for (const Segment::Part& part : segments[i].parts) {
          if (segments[k].release <= part.load) continue;
          // The other's rows, and what of them goes over the end as rows before 0 and after `ring`.
          const uint32_t begin = ring + at + part.row;
          for (const uint32_t turn : {0U, ring, 2 * ring}) {
            const uint32_t first = segments[k].first + turn, end = first + segments[k].rows;
            if (first < begin + part.rows && begin < end) after = std::max(after, at + end - begin);
          }
        }
      }
      if (after == at) return at;
      at = after;
    }
    return UINT32_MAX;
  };
  uint32_t next = 0;
  size_t again = 0;  // segments up to here have begun anew already
  for (size_t i = 0; i < segments.size(); ++i) {
    uint32_t at = find(i, std::max(next, segments[i].begin));
    if (at == UINT32_MAX) at = find(i, segments[i].begin);
    if (at == UINT32_MAX) {
      size_t first = 0;
      while (first < i && !lives(first, i)) ++first;
      if (i < again || first == i) return false;
      again = i + 1;
      i = first;
      at = find(i, segments[i].begin);
      if (at == UINT32_MAX) return false;
    }
    segments[i].first = at;
    next = (at + segments[i].rows) % ring;
  }
  return true;
}

}  // namespace

bool AssignWeightRows(Schedule* schedule, const HardwareConfig& config) {
  std::vector<Segment> segments(schedule->segments);
  for (size_t i = 0; i < schedule->body.size(); ++i) {
    const ScheduledInstruction& s = schedule->body[i];
    if (s.segment == kNone) continue;
    Segment& segment = segments[static_cast<size_t>(s.segment)];
    if (s.engine == kLoad) {
      segment.parts.push_back({i, s.row, RowsOf(s.instruction)});
      segment.rows += segment.parts.back().rows;
    } else if (s.releases) {
      segment.release = i;
    }
  }
  const bool ring = !schedule->stagger;
  if (ring) {
    if (!AssignRing(&segments, config.weight_rows)) return false;
  } else {
    const std::span<Segment> all(segments), front = all.first(schedule->front_segments);
    const std::span<Segment> back = all.subspan(schedule->front_segments);
    for (Segment& s : front) {
      const bool beside = s.load() >= schedule->window.first && s.load() < schedule->window.second;
      s.end = beside ? schedule->front_rows : config.weight_rows;
    }
    for (Segment& s : back) {
      s.begin = schedule->front_rows;
      s.end = config.weight_rows;
    }
    if (!AssignRows(front, config.weight_rows) || !AssignRows(back, config.weight_rows)) return false;
  }
  for (ScheduledInstruction& s : schedule->body) {
    if (s.segment == kNone) continue;
    const auto i = static_cast<size_t>(s.segment);
    const uint32_t first = (segments[i].first + s.row) % config.weight_rows;
    const uint32_t extra = s.row == 0 ? segments[i].extra : 0;
    if (auto* load = std::get_if<LoadWeights>(&s.instruction)) {
      load->row = first;
      load->acquire = ring ? load->rows + extra : 0;
    } else if (auto* matrix = std::get_if<LoadMatrix>(&s.instruction)) {
      matrix->row = first;
      matrix->acquire = ring ? matrix->rows + extra : 0;
    } else {
      auto& conv = std::get<Conv>(s.instruction);
      conv.weights = first;
      conv.release = ring && s.releases ? segments[i].rows + segments[i].extra : 0;
    }
  }
  return true;
}

std::string ToText(const Schedule& schedule, const Partition& partition) {
  std::string text;
  for (size_t i = 0; i < schedule.body.size(); ++i) {
    const ScheduledInstruction& s = schedule.body[i];
    text += std::to_string(i) + "\t" + std::string(EngineName(s.engine)) + "\t" +
            (s.layer == kNone ? "-" : partition.layers[static_cast<size_t>(s.layer)].name) + "\t" +
            Disassemble(s.instruction) + "\n";
  }
  return text;
}

}  // namespace xrun::compiler
