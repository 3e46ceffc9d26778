#include "compiler/schedule.h"

#include <cassert>

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
    const StripContext context(partition, config);
    for (const PlannedGroup& group : plan->groups) {
      if (group.strips) {
        XRUN_RETURN_IF_ERROR(ScheduleStrips(emitter, context, *group.strips, &text));
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

}  // namespace

void AssignRing(Schedule* schedule, const HardwareConfig& config) {
  struct Segment {
    size_t load = 0, release = 0;  ///< positions in emission order: the first of its loads, the last of its readers
    uint32_t rows = 0, extra = 0;  ///< extra: skipped rows acquired in front
  };
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

  // The body must use a multiple of the ring: segments take in the missing rows, as far as what is live with them
  // leaves room. Segments that are not live together each have the whole ring, so the room always suffices.
  uint64_t total = 0;
  for (const Segment& s : segments) total += s.rows;
  uint64_t missing = (config.weight_rows - total % config.weight_rows) % config.weight_rows;
  for (Segment& s : segments) {
    if (missing == 0) break;
    // Most rows live at any moment of this segment's life: others start or are live where it starts.
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
    assert(most <= config.weight_rows);
    s.extra = static_cast<uint32_t>(std::min(missing, config.weight_rows - most));
    missing -= s.extra;
  }
  assert(missing == 0);

  uint64_t position = 0;
  std::vector<uint32_t> row(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    position += segments[i].extra;
    row[i] = static_cast<uint32_t>(position % config.weight_rows);
    position += segments[i].rows;
  }
  for (ScheduledInstruction& s : schedule->body) {
    if (s.segment == kNone) continue;
    const auto i = static_cast<size_t>(s.segment);
    const uint32_t first = (row[i] + s.row) % config.weight_rows;
    const uint32_t extra = s.row == 0 ? segments[i].extra : 0;
    if (auto* load = std::get_if<LoadWeights>(&s.instruction)) {
      load->row = first;
      load->acquire = load->rows + extra;
    } else if (auto* matrix = std::get_if<LoadMatrix>(&s.instruction)) {
      matrix->row = first;
      matrix->acquire = matrix->rows + extra;
    } else {
      auto& conv = std::get<Conv>(s.instruction);
      conv.weights = first;
      conv.release = s.releases ? segments[i].rows + segments[i].extra : 0;
    }
  }
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
