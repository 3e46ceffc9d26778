#ifndef XRUN_RUNTIME_REQUEST_STATE_H_
#define XRUN_RUNTIME_REQUEST_STATE_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/device.h"
#include "runtime/plan.h"
#include "xrun/error.h"
#include "xrun/session.h"

namespace xrun::runtime {

using Clock = std::chrono::steady_clock;

struct LaneState;

/// Where a request stands. Only the scheduler changes it, under its lock.
enum class Phase : uint8_t {
  kIdle,      ///< never submitted since it was handed out
  kQueued,    ///< waiting for a lane
  kRunning,   ///< in a lane's group
  kCallback,  ///< executed; its callback is being told
  kDone
};

/// All memory of one execution of the program, set up once, and its place in the scheduler.
struct RequestState {
  /// Fails when the device has no memory left.
  static Result<std::unique_ptr<RequestState>> Create(std::shared_ptr<const Plan> plan, Device& device);

  /// Host memory of a tensor, or its constant.
  void* HostData(uint32_t tensor) const {
    const Plan::Tensor& t = plan->tensors[tensor];
    return t.constant != nullptr ? const_cast<uint8_t*>(t.constant) : static_cast<void*>(host.data() + t.host_offset);
  }

  std::shared_ptr<const Plan> plan;
  AlignedMemory host;
  std::unique_ptr<DeviceBuffer> device_memory;
  std::vector<BoundCall> cpu_calls;            ///< as Program::cpu_steps
  std::vector<DeviceRequest> device_requests;  ///< as Program::overlay_steps

  // The rest belongs to the scheduler and is guarded by its mutex.
  Phase phase = Phase::kIdle;
  uint64_t generation = 0;  ///< counts submissions: a callback can tell whether it was followed by another one
  RequestState* next = nullptr;
  LaneState* lane = nullptr;  ///< while kRunning
  Clock::time_point submitted;
  Clock::time_point deadline = Clock::time_point::max();
  bool cancelled = false, timed_out = false;
  bool failed = false;
  api::ErrorCode code = api::ErrorCode::kDevice;
  Failure failure;
  api::Callback callback;
  std::condition_variable done;
};

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_REQUEST_STATE_H_
