#include "compiler/schedule.h"

#include <algorithm>
#include <cassert>
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

}  // namespace

Result<Schedule> BuildSchedule(const Partition& placed, const HardwareConfig& config, const TilingLimits& limits,
                               const Plan* plan, WeightImage* weights, std::vector<TileReport>* report) {
  Partition partition = placed;
  for (OverlayTensor& t : partition.tensors) {
    if (t.constant != nullptr) t.offset = weights->Append(PackConstant(t, config));
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
    for (const PlannedGroup& group : plan->groups) {
      schedule.group_starts.push_back(schedule.body.size());
      emitter.config = plan->options.ConfigOf(group.first, config);
      if (group.strips) {
        const bool shared = plan->options.window && &plan->options.ConfigOf(group.first, config) != &config;
        XRUN_RETURN_IF_ERROR(ScheduleStrips(emitter, shared ? share : whole, *group.strips, &text));
      } else {
        emitter.BeginLayer(group.first, group.base, group.end);
        XRUN_RETURN_IF_ERROR(ScheduleAlone(emitter, partition.layers[static_cast<size_t>(group.first)], &text));
      }
      add(text);
    }
  }
  if (weights->size() > UINT32_MAX) {
    return Failure{"the weights need more than 4 GiB", ""};
  }
  return schedule;
}

namespace {

/// Ring rows that a load fills.
uint32_t RowsOf(const Instruction& load) {
  const auto* matrix = std::get_if<LoadMatrix>(&load);
  return matrix != nullptr ? matrix->rows : std::get<LoadWeights>(load).rows;
}

struct Segment {
  size_t load = 0, release = 0;  ///< positions in emission order: the first of its loads, the last of its readers
  uint32_t rows = 0, extra = 0;  ///< extra: skipped rows acquired with it
  uint32_t first = 0;            ///< row
  uint32_t begin = 0, end = 0;   ///< rows that it may have, where tokens order them
};

/// Most rows live at any moment of a segment's life: others start or are live where it starts.
uint64_t MostRows(const std::vector<Segment>& segments, const Segment& s) {
  uint64_t most = 0;
  for (const Segment& moment : segments) {
    if (moment.load < s.load || moment.load > s.release) continue;
    uint64_t live = 0;
    for (const Segment& other : segments) {
      if (other.load <= moment.load && other.release > moment.load) live += other.rows + other.extra;
      if (other.load > s.release) break;
    }
    most = std::max(most, live);
  }
  return most;
}

/// The body must use a multiple of the ring: segments take in the missing rows, as far as what is live with them
/// leaves room. Segments that are not live together each have the whole ring, so the room always
/// suffices.
void AssignRing(std::vector<Segment>* segments, uint32_t ring) {
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
  assert(missing == 0);
  uint64_t position = 0;
  for (Segment& s : *segments) {
    position += s.extra;
    s.first = static_cast<uint32_t>(position % ring);
    position += s.rows;
  }
}

/// Rows for segments that tokens order: each goes behind the one before it, where nothing lives meanwhile. Where a
/// segment finds no room beside those that live with it, they begin anew at the first row they may have.
bool AssignRows(std::span<Segment> segments) {
  const auto lives = [&](size_t k, size_t i) { return segments[k].release > segments[i].load; };
  const auto find = [&](size_t i, uint32_t from) {
    for (uint32_t at = from; at + segments[i].rows <= segments[i].end;) {
      uint32_t after = at;
      for (size_t k = 0; k < i; ++k) {
        const Segment& other = segments[k];
        if (lives(k, i) && other.first < at + segments[i].rows && at < other.first + other.rows) {
          after = std::max(after, other.first + other.rows);
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
    next = at + segments[i].rows;
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
      if (s.row == 0) segment.load = i;
      segment.rows += RowsOf(s.instruction);
    } else if (s.releases) {
      segment.release = i;
    }
  }
  const bool ring = !schedule->stagger;
  if (ring) {
    AssignRing(&segments, config.weight_rows);
  } else {
    const std::span<Segment> all(segments), front = all.first(schedule->front_segments);
    const std::span<Segment> back = all.subspan(schedule->front_segments);
    for (Segment& s : front) {
      const bool beside = s.load >= schedule->window.first && s.load < schedule->window.second;
      s.end = beside ? schedule->front_rows : config.weight_rows;
    }
    for (Segment& s : back) {
      s.begin = schedule->front_rows;
      s.end = config.weight_rows;
    }
    if (!AssignRows(front) || !AssignRows(back)) return false;
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
