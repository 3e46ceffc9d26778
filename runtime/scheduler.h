#ifndef XRUN_RUNTIME_SCHEDULER_H_
#define XRUN_RUNTIME_SCHEDULER_H_

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/executor.h"
#include "runtime/request_state.h"

namespace xrun::runtime {

struct SchedulerOptions {
  uint32_t in_flight = 4;
  uint32_t lanes = 1;
  uint32_t group = 8;  ///< requests of a launch, at most kMaxGroup
  int cpu_threads = 1;
  std::chrono::nanoseconds timeout{0};
  size_t priority = 1;  ///< api::Priority, of requests that do not say otherwise
};

/// Requests of one session: their memory, the queue, and the lanes that execute them.
///
/// Requests are executed by priority, those of one in the order of submission, by threads of the session, one a lane,
/// started when first needed; or on the caller's own thread by RunNow when a lane is free and nothing waits (no thread
/// is woken then). A lane takes as many waiting requests as leave the other free lanes their share, and puts them into
/// one launch. When a launch of several ends early, each of its requests is run again on its own, so that only the one
/// at fault fails.
///
/// Everything is guarded by one mutex, held for a few list operations at a time. Thread-safe. The steady state
/// allocates nothing: queue and free list run through the requests.
class Scheduler {
 public:
  static Result<std::unique_ptr<Scheduler>> Create(std::shared_ptr<Device> device, std::shared_ptr<const Plan> plan,
                                                   const SchedulerOptions& options);
  ~Scheduler();

  /// Memory for a request of the caller's own; never waits.
  Result<RequestState*> Acquire();
  /// The same for a run(): at most `in_flight` at a time, waits for one. TryAcquireForRun returns null instead of
  /// waiting.
  Result<RequestState*> AcquireForRun();
  Result<RequestState*> TryAcquireForRun();
  /// Gives it back; cancels it first and waits when it is under way.
  void Release(RequestState* request);
  void ReleaseFromRun(RequestState* request);

  /// False when it is under way already.
  bool Submit(RequestState* request, api::Callback callback);
  enum class Waited { kDone, kTimeout, kNeverSubmitted };
  /// Until it is done, or `until`.
  Waited Wait(RequestState* request, Clock::time_point until = Clock::time_point::max());
  void Cancel(RequestState* request);
  /// Submitted and not done: nobody else may touch its memory.
  bool UnderWay(const RequestState* request);
  /// Submit and Wait, on this thread where possible.
  void RunNow(RequestState* request);

  /// For tools: from now on each launch carries one request and the listener is told of its steps, with time marks if
  /// asked for.
  void SetListener(StepListener listener, bool time_marks = false);

  const Plan& plan() const { return *plan_; }
  uint32_t in_flight() const { return options_.in_flight; }
  uint32_t lanes() const { return options_.lanes; }

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Queue {
    RequestState *first = nullptr, *last = nullptr;
  };

  Scheduler(std::shared_ptr<Device> device, std::shared_ptr<const Plan> plan, const SchedulerOptions& options);

  Result<RequestState*> Take(Lock& lock);
  void Enqueue(RequestState* request);
  void RemoveFromQueue(RequestState* request);
  RequestState* PopQueue(Queue& queue);
  RequestState* PopHighest();
  LaneState* TakeLane();
  void ReturnLane(LaneState* lane);
  void StartThreads();
  void WorkLoop();
  void WatchLoop();
  void Begin(RequestState* request, api::Callback callback);
  void Assign(LaneState* lane, RequestState* request);
  void RunGroup(LaneState* lane, Lock& lock);
  void RunAlone(LaneState* lane, RequestState* request, Lock& lock);
  void Complete(RequestState* request, Lock& lock);
  /// `reached`: LaunchOutcome's, of the launch that was ended for it.
  void FailEarly(RequestState* request, const std::string& reached = {});
  void Abort(LaneState* lane);
  void Expire(Clock::time_point now, Clock::time_point& next);

  const std::shared_ptr<Device> device_;
  const std::shared_ptr<const Plan> plan_;
  const SchedulerOptions options_;
  std::unique_ptr<LoadedProgram> loaded_;

  std::mutex mutex_;
  std::condition_variable work_, run_slot_, watch_;
  std::vector<std::unique_ptr<RequestState>> requests_;
  std::vector<std::unique_ptr<LaneState>> lanes_;
  RequestState* free_ = nullptr;
  LaneState* free_lanes_ = nullptr;
  uint32_t free_lane_count_ = 0;
  std::array<Queue, kPriorities> queues_;
  uint32_t queued_ = 0;  ///< in all of them
  uint32_t runs_ = 0;    ///< requests taken by run()
  std::vector<std::thread> threads_;
  std::thread watchdog_;
  bool watchdog_asleep_ = false;
  bool stop_ = false;
  StepListener listener_;
};

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_SCHEDULER_H_
