#include "runtime/scheduler.h"

#include <algorithm>
#include <cassert>
#include <system_error>
#include <utility>

namespace xrun::runtime {
namespace {

std::string Seconds(std::chrono::nanoseconds time) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  if (us < 1000) return std::to_string(us) + " us";
  if (us < 1000000) return std::to_string(us / 1000) + " ms";
  std::string text = std::to_string(us / 1000000);
  if (us % 1000000 != 0) text += "." + std::to_string(us % 1000000 / 100000);
  return text + " s";
}

}  // namespace

Scheduler::Scheduler(std::shared_ptr<Device> device, std::shared_ptr<const Plan> plan, const SchedulerOptions& options)
    : device_(std::move(device)), plan_(std::move(plan)), options_(options) {}

Result<std::unique_ptr<Scheduler>> Scheduler::Create(std::shared_ptr<Device> device, std::shared_ptr<const Plan> plan,
                                                     const SchedulerOptions& options) {
  assert(options.group >= 1 && options.group <= kMaxGroup && options.lanes >= 1);
  std::unique_ptr<Scheduler> scheduler(new Scheduler(std::move(device), std::move(plan), options));
  XRUN_ASSIGN_OR_RETURN(scheduler->loaded_, scheduler->device_->Load(scheduler->plan_->program));
  uint32_t entries = options.group;
  for (const OverlayStep& step : scheduler->plan_->program->overlay_steps) {
    entries = std::max(entries, step.Entries(options.group));
  }
  for (uint32_t i = 0; i < options.lanes; ++i) {
    XRUN_ASSIGN_OR_RETURN(auto lane, scheduler->loaded_->OpenLane(entries));
    scheduler->lanes_.push_back(
        std::make_unique<LaneState>(std::move(lane), *scheduler->plan_, options.cpu_threads, *scheduler->device_));
    scheduler->lanes_.back()->time_limit = options.timeout;
    scheduler->ReturnLane(scheduler->lanes_.back().get());
  }
  for (uint32_t i = 0; i < options.in_flight; ++i) {
    XRUN_ASSIGN_OR_RETURN(auto request, RequestState::Create(scheduler->plan_, *scheduler->device_));
    request->next = scheduler->free_;
    scheduler->free_ = request.get();
    scheduler->requests_.push_back(std::move(request));
  }
  if (options.timeout.count() > 0) scheduler->watchdog_ = std::thread([s = scheduler.get()] { s->WatchLoop(); });
  return scheduler;
}

Scheduler::~Scheduler() {
  {
    const Lock lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  watch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  if (watchdog_.joinable()) watchdog_.join();
}

Result<RequestState*> Scheduler::Take(Lock& lock) {
  if (free_ == nullptr) {
    lock.unlock();
    auto created = RequestState::Create(plan_, *device_);
    lock.lock();
    if (!created.ok()) return std::move(created).failure();
    requests_.push_back(std::move(created).value());
    requests_.back()->priority = options_.priority;
    return requests_.back().get();
  }
  RequestState* request = free_;
  free_ = request->next;
  request->next = nullptr;
  request->phase = Phase::kIdle;
  request->priority = options_.priority;
  return request;
}

Result<RequestState*> Scheduler::Acquire() {
  Lock lock(mutex_);
  return Take(lock);
}

Result<RequestState*> Scheduler::AcquireForRun() {
  Lock lock(mutex_);
  run_slot_.wait(lock, [this] { return runs_ < options_.in_flight; });
  ++runs_;
  auto taken = Take(lock);
  if (!taken.ok()) --runs_;
  return taken;
}

Result<RequestState*> Scheduler::TryAcquireForRun() {
  Lock lock(mutex_);
  if (runs_ >= options_.in_flight) return nullptr;
  ++runs_;
  auto taken = Take(lock);
  if (!taken.ok()) --runs_;
  return taken;
}

void Scheduler::Release(RequestState* request) {
  Cancel(request);
  Wait(request);
  request->UnbindAll();
  const Lock lock(mutex_);
  request->next = free_;
  free_ = request;
}

void Scheduler::ReleaseFromRun(RequestState* request) {
  Release(request);
  const Lock lock(mutex_);
  --runs_;
  run_slot_.notify_one();
}

void Scheduler::Begin(RequestState* request, api::Callback callback) {
  ++request->generation;
  request->cancelled = request->timed_out = request->failed = false;
  request->callback = std::move(callback);
  request->level = request->priority;
  if (options_.timeout.count() > 0) {
    request->submitted = Clock::now();
    request->deadline = request->submitted + options_.timeout;
    if (watchdog_asleep_) watch_.notify_one();
  }
}

bool Scheduler::Submit(RequestState* request, api::Callback callback) {
  const Lock lock(mutex_);
  if (request->phase == Phase::kQueued || request->phase == Phase::kRunning) return false;
  StartThreads();
  Begin(request, std::move(callback));
  Enqueue(request);
  return true;
}

void Scheduler::RunNow(RequestState* request) {
  Lock lock(mutex_);
  if (queued_ == 0 && free_lanes_ != nullptr) {
    Begin(request, nullptr);
    LaneState* lane = TakeLane();
    Assign(lane, request);
    RunGroup(lane, lock);
    ReturnLane(lane);
    return;
  }
  StartThreads();
  Begin(request, nullptr);
  Enqueue(request);
  request->done.wait(lock, [&] { return request->phase == Phase::kDone; });
}

Scheduler::Waited Scheduler::Wait(RequestState* request, Clock::time_point until) {
  Lock lock(mutex_);
  if (request->phase == Phase::kIdle) return Waited::kNeverSubmitted;
  const auto done = [&] { return request->phase == Phase::kDone; };
  if (until == Clock::time_point::max()) {
    request->done.wait(lock, done);
    return Waited::kDone;
  }
  return request->done.wait_until(lock, until, done) ? Waited::kDone : Waited::kTimeout;
}

void Scheduler::Cancel(RequestState* request) {
  Lock lock(mutex_);
  if (request->phase == Phase::kQueued) {
    RemoveFromQueue(request);
    request->cancelled = true;
    FailEarly(request);
    Complete(request, lock);
  } else if (request->phase == Phase::kRunning) {
    request->cancelled = true;
    Abort(request->lane);
  }
}

bool Scheduler::UnderWay(const RequestState* request) {
  const Lock lock(mutex_);
  return request->phase == Phase::kQueued || request->phase == Phase::kRunning;
}

void Scheduler::Abort(LaneState* lane) {
  lane->abort.store(true, std::memory_order_relaxed);
  device_->gate().Wake();
}

void Scheduler::SetListener(StepListener listener, bool time_marks) {
  const Lock lock(mutex_);
  listener_ = std::move(listener);
  for (const auto& lane : lanes_) lane->ask_time_marks = time_marks;
}

void Scheduler::Enqueue(RequestState* request) {
  request->phase = Phase::kQueued;
  request->next = nullptr;
  Queue& queue = queues_[request->level];
  (queue.first == nullptr ? queue.first : queue.last->next) = request;
  queue.last = request;
  ++queued_;
  if (free_lanes_ != nullptr) work_.notify_one();
}

RequestState* Scheduler::PopQueue(Queue& queue) {
  RequestState* request = queue.first;
  queue.first = request->next;
  if (queue.first == nullptr) queue.last = nullptr;
  request->next = nullptr;
  --queued_;
  return request;
}

RequestState* Scheduler::PopHighest() {
  size_t level = kPriorities - 1;
  while (queues_[level].first == nullptr) --level;
  return PopQueue(queues_[level]);
}

void Scheduler::RemoveFromQueue(RequestState* request) {
  Queue& queue = queues_[request->level];
  RequestState** link = &queue.first;
  RequestState* before = nullptr;
  while (*link != request) {
    before = *link;
    link = &(*link)->next;
  }
  *link = request->next;
  if (queue.last == request) queue.last = before;
  request->next = nullptr;
  --queued_;
}

LaneState* Scheduler::TakeLane() {
  LaneState* lane = free_lanes_;
  free_lanes_ = lane->next;
  --free_lane_count_;
  lane->group_size = 0;
  lane->abort.store(false, std::memory_order_relaxed);
  return lane;
}

void Scheduler::ReturnLane(LaneState* lane) {
  lane->group_size = 0;
  lane->next = free_lanes_;
  free_lanes_ = lane;
  ++free_lane_count_;
  if (queued_ != 0) work_.notify_one();
}

void Scheduler::Assign(LaneState* lane, RequestState* request) {
  request->phase = Phase::kRunning;
  request->lane = lane;
  lane->group[lane->group_size++] = request;
}

void Scheduler::StartThreads() {
  while (threads_.size() < options_.lanes) {
    try {
      threads_.emplace_back([this] { WorkLoop(); });
    } catch (const std::system_error&) {
      if (threads_.empty()) throw;
      return;  // fewer threads do the work
    }
  }
}

void Scheduler::WorkLoop() {
  Lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || (queued_ != 0 && free_lanes_ != nullptr); });
    if (stop_) return;
    const uint32_t share = (queued_ + free_lane_count_ - 1) / free_lane_count_;
    const uint32_t count = std::clamp(share, 1U, listener_ ? 1U : options_.group);
    LaneState* lane = TakeLane();
    for (uint32_t i = 0; i < count; ++i) Assign(lane, PopHighest());
    RunGroup(lane, lock);
    ReturnLane(lane);
  }
}

void Scheduler::RunGroup(LaneState* lane, Lock& lock) {
  const size_t count = lane->group_size;
  if (count > 1) {
    lane->priority = lane->group[0]->level;  // the highest of them, which was popped first
    lock.unlock();
    const bool ok = Execute(*plan_, *lane, {lane->group.data(), count}, listener_);
    lock.lock();
    if (ok) {
      for (size_t i = 0; i < count; ++i) Complete(lane->group[i], lock);
      return;
    }
  }
  for (size_t i = 0; i < count; ++i) RunAlone(lane, lane->group[i], lock);
}

void Scheduler::RunAlone(LaneState* lane, RequestState* request, Lock& lock) {
  for (;;) {
    if (request->cancelled || request->timed_out) {
      FailEarly(request, lane->outcome.reached);
      break;
    }
    lane->abort.store(false, std::memory_order_relaxed);
    lane->priority = request->level;
    lock.unlock();
    const bool ok = Execute(*plan_, *lane, {&request, 1}, listener_);
    lock.lock();
    if (ok) break;
    // Its time is over, however the launch ended. A device that keeps the session's timeout by a limit of its own may
    // be a little before the watchdog.
    if (lane->outcome.state == LaunchState::kCycleLimit && options_.timeout.count() > 0 &&
        Clock::now() >= request->deadline - options_.timeout / 8) {
      request->timed_out = true;
    }
    if (request->timed_out) continue;
    // An abort was meant for this request, or for another of its group: then this one starts again.
    if (lane->outcome.state == LaunchState::kAborted) continue;
    request->failed = true;
    request->code =
        lane->outcome.state == LaunchState::kCycleLimit ? api::ErrorCode::kTimeout : api::ErrorCode::kDevice;
    request->failure = std::move(lane->outcome.failure);
    break;
  }
  Complete(request, lock);
}

void Scheduler::FailEarly(RequestState* request, const std::string& reached) {
  request->failed = true;
  const std::string where = request->phase == Phase::kQueued ? "while it waited for its turn" : "while it was running";
  if (request->timed_out) {
    request->code = api::ErrorCode::kTimeout;
    request->failure = {"request not done after " + Seconds(options_.timeout) + ", the session's timeout; it ended " +
                            where + (reached.empty() ? "" : "; reached: " + reached),
                        reached.empty()
                            ? "raise the session's timeout, or keep fewer requests in flight"
                            : "raise the session's timeout, keep fewer requests in flight, or look at the device "
                              "(xquery --doctor): power, heat or a wrong clock make launches hang"};
  } else {
    request->code = api::ErrorCode::kCancelled;
    request->failure = {"request cancelled " + where, ""};
  }
}

void Scheduler::Complete(RequestState* request, Lock& lock) {
  request->lane = nullptr;
  request->phase = Phase::kDone;
  if (request->callback) {
    request->phase = Phase::kCallback;
    const uint64_t generation = request->generation;
    // The callback may submit again, with another one: this one lives here.
    const api::Callback callback = std::exchange(request->callback, nullptr);
    std::unique_ptr<const api::Error> error;
    if (request->failed) {
      error = std::make_unique<api::Error>(request->code, request->failure.message, request->failure.hint);
    }
    lock.unlock();
    callback(error.get());
    lock.lock();
    if (request->generation != generation) return;
    request->phase = Phase::kDone;
  }
  request->done.notify_all();
}

void Scheduler::Expire(Clock::time_point now, Clock::time_point& next) {
  for (const auto& lane : lanes_) {
    for (size_t i = 0; i < lane->group_size; ++i) {
      RequestState* request = lane->group[i];
      if (request->phase != Phase::kRunning || request->lane != lane.get() || request->timed_out) continue;
      if (request->deadline > now) {
        next = std::min(next, request->deadline);
        continue;
      }
      request->timed_out = true;
      Abort(lane.get());
    }
  }
  for (const Queue& queue : queues_) {
    if (queue.first != nullptr) next = std::min(next, queue.first->deadline);
  }
}

void Scheduler::WatchLoop() {
  Lock lock(mutex_);
  bool lingered = false;
  while (!stop_) {
    const auto now = Clock::now();
    // Deadlines ascend along a queue: all requests of a session have the same timeout.
    for (Queue& queue : queues_) {
      while (queue.first != nullptr && queue.first->deadline <= now) {
        RequestState* request = PopQueue(queue);
        request->timed_out = true;
        FailEarly(request);
        Complete(request, lock);
      }
    }
    auto next = Clock::time_point::max();
    Expire(now, next);
    if (next != Clock::time_point::max()) {
      lingered = false;
      watch_.wait_until(lock, next);
    } else if (!lingered) {
      // A request submitted from now on cannot expire before this wait ends: submitting need not wake this thread,
      // which would cost more than a small network.
      lingered = true;
      watch_.wait_for(lock, options_.timeout);
    } else {
      watchdog_asleep_ = true;
      watch_.wait(lock);
      watchdog_asleep_ = false;
      lingered = false;
    }
  }
}

}  // namespace xrun::runtime
