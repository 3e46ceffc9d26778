#ifndef XRUN_RUNTIME_EXECUTOR_H_
#define XRUN_RUNTIME_EXECUTOR_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "runtime/cpu/workers.h"
#include "runtime/device.h"
#include "runtime/plan.h"
#include "runtime/request_state.h"

namespace xrun::runtime {

/// Most requests of a launch, whatever the options say.
constexpr uint32_t kMaxGroup = 16;
/// Of the request table: a staggered step has one more.
constexpr uint32_t kMaxEntries = kMaxGroup + 1;

/// Told after each step; see internal.h.
struct ExecutedStep {
  uint32_t step = 0;  ///< index into Program::steps
  const RequestState* request = nullptr;
  std::chrono::nanoseconds host_time{0};
  uint64_t cycles = 0;                   ///< LaunchOutcome::cycles
  std::span<const uint64_t> time_marks;  ///< of a launch, where they were asked for
};
using StepListener = std::function<void(const ExecutedStep&)>;

/// What one launch at a time needs: the device's lane, threads and scratch of the CPU steps. One thread at a time, but
/// for `abort`, and `group`, which is guarded by the scheduler's mutex.
struct LaneState {
  LaneState(std::unique_ptr<Lane> lane, const Plan& plan, int cpu_threads, Device& device)
      : device_lane(std::move(lane)),
        gate(device.gate()),
        room(std::max(1U, device.lanes())),
        workers(cpu_threads),
        scratch(ScratchBytes(plan, workers.count())) {}

  std::unique_ptr<Lane> device_lane;
  LaunchGate& gate;
  const uint32_t room;
  size_t priority = 1;  ///< of the group
  cpu::Workers workers;
  AlignedMemory scratch;
  LaunchOutcome outcome;
  std::chrono::nanoseconds time_limit{0};  ///< of each launch
  bool ask_time_marks = false;
  std::vector<uint64_t> time_marks;  ///< of the last launch
  std::atomic<bool> abort{false};

  std::array<RequestState*, kMaxGroup> group{};
  size_t group_size = 0;
  LaneState* next = nullptr;
};

/// Runs all steps of the program for `group` (1…kMaxGroup), whose inputs are filled. True when all went well; otherwise
/// `lane.outcome` says how it ended, with the step in its message. Allocates only then.
bool Execute(const Plan& plan, LaneState& lane, std::span<RequestState* const> group, const StepListener& listener);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_EXECUTOR_H_
