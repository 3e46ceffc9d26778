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

  /// Host memory of a tensor, or its constant, or what is bound to it.
  void* HostData(uint32_t tensor) const { return host_data[tensor]; }

  /// Input or output `tensor` in a user's buffer. `form`: −1 for the model's layout, or the Plan::Packed that the
  /// device finds there. Takes the place of a binding that is there. Allocates nothing.
  void Bind(uint32_t tensor, std::shared_ptr<DeviceBuffer> buffer, uint64_t offset, int32_t form);
  void Unbind(uint32_t tensor);
  void UnbindAll();

  std::shared_ptr<const Plan> plan;
  AlignedMemory host;
  std::unique_ptr<DeviceBuffer> device_memory;
  std::vector<BoundCall> cpu_calls;            ///< as Program::cpu_steps
  std::vector<DeviceRequest> device_requests;  ///< as Program::overlay_steps
  std::vector<void*> host_data;                ///< as Program::tensors
  /// Of the program's inputs, then outputs.
  struct Binding {
    uint32_t tensor = 0;
    int32_t form = -1;
    std::shared_ptr<DeviceBuffer> buffer;  ///< null: the request's own memory
  };
  std::vector<Binding> bindings;
  std::vector<bool> device_form_bound;  ///< as Plan::packed: not to be rearranged
  size_t priority = 1;                  ///< of its next submission

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
  size_t level = 1;  ///< priority of the submission under way
  api::Callback callback;
  std::condition_variable done;
};

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_REQUEST_STATE_H_
