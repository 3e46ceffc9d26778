#include "runtime/cpu/workers.h"

#include <algorithm>

namespace xrun::cpu {

Workers::Workers(int threads) {
  if (threads < 1) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  threads_.reserve(static_cast<size_t>(threads - 1));
  for (int worker = 1; worker < threads; ++worker) threads_.emplace_back([this, worker] { Loop(worker); });
}

Workers::~Workers() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::RunErased(int64_t tasks, TaskFn fn, const void* context) {
  if (threads_.empty() || tasks <= 1) {
    for (int64_t task = 0; task < tasks; ++task) fn(context, task, 0);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    tasks_ = tasks;
    fn_ = fn;
    context_ = context;
    next_.store(0, std::memory_order_relaxed);
    busy_ = threads_.size();
    ++generation_;
  }
  start_.notify_all();
  Work(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
}

void Workers::Work(int worker) {
  for (;;) {
    const int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    fn_(context_, task, worker);
  }
}

void Workers::Loop(int worker) {
  uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
    }
    Work(worker);
    bool last = false;
    {
      std::lock_guard lock(mutex_);
      last = --busy_ == 0;
    }
    if (last) done_.notify_one();
  }
}

}  // namespace xrun::cpu
