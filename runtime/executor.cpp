#include "runtime/executor.h"

#include "isa/launch_image.h"
#include "isa/time_marks.h"
#include "runtime/layout.h"

namespace xrun::runtime {
namespace {

/// "launch 2 of 3 (nodes 'Conv_0' … 'Add_7')": an overlay step as users know it.
std::string StepText(const Program& program, uint32_t index) {
  std::string text =
      "overlay launch " + std::to_string(index + 1) + " of " + std::to_string(program.overlay_steps.size());
  uint32_t first = ~0U, last = 0;
  for (const NodeRange& range : program.overlay_steps[index].ranges) {
    first = std::min(first, range.node);
    last = std::max(last, range.node);
  }
  if (first < program.nodes.size() && last < program.nodes.size()) {
    text += " (nodes '" + program.nodes[first].name + "' to '" + program.nodes[last].name + "')";
  }
  return text;
}

bool Fail(LaneState& lane, LaunchState state, Failure failure) {
  lane.outcome.state = state;
  lane.outcome.failure = std::move(failure);
  return false;
}

bool LaunchStep(const Plan& plan, LaneState& lane, uint32_t index, std::span<RequestState* const> group) {
  const Plan::Overlay& step = plan.overlay[index];
  const HardwareConfig& config = plan.program->config;
  const OverlayStep& overlay = plan.program->overlay_steps[index];
  std::array<const DeviceRequest*, kMaxEntries> requests;
  const auto failed = [&](Status& status) {
    return Fail(lane, LaunchState::kDeviceError, std::move(status).failure().In(StepText(*plan.program, index)));
  };
  for (size_t r = 0; r < group.size(); ++r) {
    RequestState& request = *group[r];
    requests[r] = &request.device_requests[index];
    for (uint32_t p : step.pack) {
      if (request.device_form_bound[p]) continue;
      const Plan::Packed& packed = plan.packed[p];
      Pack(packed.layout, packed.layout.Word(config), static_cast<const int8_t*>(request.HostData(packed.tensor)),
           request.device_memory->host().data() + packed.offset);
      auto status = request.device_memory->SyncToDevice(packed.offset, packed.bytes);
      if (!status.ok()) return failed(status);
    }
  }
  const auto count = static_cast<uint32_t>(group.size());
  std::array<DeviceRequest, kMaxEntries> entries;
  if (overlay.stagger) {
    for (uint32_t e = 0; e < overlay.Entries(count); ++e) {
      for (uint32_t base = 0; base < kBaseRegisters; ++base) {
        const launch::EntrySource from = launch::SourceOf(overlay, count, e, base);
        if (from.request)
          entries[e].registers[base] = group[*from.request]->device_requests[index].registers[from.base];
      }
      requests[e] = &entries[e];
    }
  }
  LaunchOptions options;
  options.abort = &lane.abort;
  options.time_limit = lane.time_limit;
  if (lane.ask_time_marks) {
    lane.time_marks.assign(TimeMarksOf(overlay).marks.size(), 0);
    options.time_marks = lane.time_marks;
  }
  if (!lane.gate.Enter(lane.priority, lane.room, lane.abort)) {
    return Fail(lane, LaunchState::kAborted, {"stopped before " + StepText(*plan.program, index), ""});
  }
  lane.device_lane->Launch(index, {requests.data(), overlay.Entries(count)}, options, lane.outcome);
  lane.gate.Leave(lane.priority);
  if (lane.outcome.state != LaunchState::kDone) {
    lane.outcome.failure = std::move(lane.outcome.failure).In(StepText(*plan.program, index));
    return false;
  }
  for (RequestState* request : group) {
    for (uint32_t p : step.unpack) {
      if (request->device_form_bound[p]) continue;
      const Plan::Packed& packed = plan.packed[p];
      auto status = request->device_memory->SyncFromDevice(packed.offset, packed.bytes);
      if (!status.ok()) return failed(status);
      Unpack(packed.layout, packed.layout.Word(config), request->device_memory->host().data() + packed.offset,
             static_cast<int8_t*>(request->HostData(packed.tensor)));
    }
  }
  return true;
}

}  // namespace

bool Execute(const Plan& plan, LaneState& lane, std::span<RequestState* const> group, const StepListener& listener) {
  lane.outcome.state = LaunchState::kDone;
  lane.outcome.reached.clear();
  const auto& steps = plan.program->steps;
  for (uint32_t i = 0; i < steps.size(); ++i) {
    if (lane.abort.load(std::memory_order_relaxed)) {
      return Fail(lane, LaunchState::kAborted, {"stopped before step " + std::to_string(i), ""});
    }
    const auto begin = listener ? Clock::now() : Clock::time_point{};
    lane.outcome.cycles = 0;
    lane.time_marks.clear();
    if (steps[i].kind == Step::Kind::kOverlay) {
      if (!LaunchStep(plan, lane, steps[i].index, group)) return false;
    } else {
      for (RequestState* request : group) {
        cpu::RunOp(request->cpu_calls[steps[i].index].call, {lane.scratch.data(), lane.scratch.size()}, lane.workers);
      }
    }
    if (listener) listener({i, group[0], Clock::now() - begin, lane.outcome.cycles, lane.time_marks});
  }
  return true;
}

}  // namespace xrun::runtime
