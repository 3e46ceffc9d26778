#ifndef XRUN_RUNTIME_CPU_WORKERS_H_
#define XRUN_RUNTIME_CPU_WORKERS_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace xrun::cpu {

/// A fixed set of threads that share out numbered tasks. The caller is worker 0 and takes part. Which worker gets which
/// task is left to chance, so a kernel's result must not depend on it: tasks are cut by shape, never by thread count,
/// and own disjoint parts of the output. Run() neither allocates nor throws. One caller at a time.
class Workers {
 public:
  /// `threads` counts the caller; less than 1 means one per hardware thread.
  explicit Workers(int threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int count() const { return static_cast<int>(threads_.size()) + 1; }

  /// Calls fn(task, worker) for every task in [0, tasks), worker in [0, count()), and returns when all are done.
  template <typename Fn>
  void Run(int64_t tasks, const Fn& fn) {
    RunErased(
        tasks, [](const void* context, int64_t task, int worker) { (*static_cast<const Fn*>(context))(task, worker); },
        &fn);
  }

 private:
  using TaskFn = void (*)(const void* context, int64_t task, int worker);

  void RunErased(int64_t tasks, TaskFn fn, const void* context);
  void Work(int worker);
  void Loop(int worker);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  uint64_t generation_ = 0;
  size_t busy_ = 0;
  bool stop_ = false;
  int64_t tasks_ = 0;
  std::atomic<int64_t> next_{0};
  TaskFn fn_ = nullptr;
  const void* context_ = nullptr;
};

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_WORKERS_H_
