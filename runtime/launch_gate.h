#ifndef XRUN_RUNTIME_LAUNCH_GATE_H_
#define XRUN_RUNTIME_LAUNCH_GATE_H_

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace xrun::runtime {

/// Levels of api::Priority, lowest first.
constexpr size_t kPriorities = 3;

/// Priorities between the sessions of one device in one process. Devices start launches in the order in which they
/// come; so a launch goes there only while launches of higher priority leave room. Launches of one priority never wait
/// for each other here, and one that has begun is not interrupted. Thread-safe; allocates nothing.
class LaunchGate {
 public:
  /// Waits while `room` or more launches of a higher priority are under way. False: `abort` became true meanwhile, and
  /// there is nothing to leave.
  bool Enter(size_t priority, uint32_t room, const std::atomic<bool>& abort);
  void Leave(size_t priority);
  /// After an `abort` was set: its waiter looks again.
  void Wake();

 private:
  bool Open(size_t priority, uint32_t room) const;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<uint32_t, kPriorities> under_way_{};
  uint32_t waiting_ = 0;
};

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_LAUNCH_GATE_H_
