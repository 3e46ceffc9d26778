#include "runtime/launch_gate.h"

#include <cassert>

namespace xrun::runtime {

bool LaunchGate::Open(size_t priority, uint32_t room) const {
  uint32_t higher = 0;
  for (size_t p = priority + 1; p < kPriorities; ++p) higher += under_way_[p];
  return higher < room;
}

bool LaunchGate::Enter(size_t priority, uint32_t room, const std::atomic<bool>& abort) {
  assert(priority < kPriorities && room >= 1);
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.wait(lock, [&] { return Open(priority, room) || abort.load(std::memory_order_relaxed); });
  --waiting_;
  if (abort.load(std::memory_order_relaxed)) return false;
  ++under_way_[priority];
  return true;
}

void LaunchGate::Leave(size_t priority) {
  const std::lock_guard lock(mutex_);
  assert(under_way_[priority] > 0);
  --under_way_[priority];
  if (waiting_ != 0) changed_.notify_all();
}

void LaunchGate::Wake() {
  const std::lock_guard lock(mutex_);
  if (waiting_ != 0) changed_.notify_all();
}

}  // namespace xrun::runtime
