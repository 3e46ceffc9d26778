#ifndef XRUN_OVERLAY_HW_CSIM_IDLE_H_
#define XRUN_OVERLAY_HW_CSIM_IDLE_H_

// A process that finds nothing to do polls again. In C-sim each round is counted, so that a watcher can tell a process
// that polls in vain from one that computes, and a process that waits long leaves the processor to others.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace xrun {
namespace hw {
namespace csim {

/// Rounds in vain of the process this thread runs; null outside of a launch.
inline std::atomic<uint64_t>*& IdleRounds() {
  static thread_local std::atomic<uint64_t>* rounds = nullptr;
  return rounds;
}

inline void Idle() {
  static thread_local unsigned streak = 0;
  static thread_local std::chrono::steady_clock::time_point last;
  if (std::atomic<uint64_t>* rounds = IdleRounds()) rounds->fetch_add(1, std::memory_order_acq_rel);
  const auto now = std::chrono::steady_clock::now();
  if (now - last > std::chrono::microseconds(100)) streak = 0;  // it worked in between
  if (++streak < 32) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  last = std::chrono::steady_clock::now();
}

}  // namespace csim
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CSIM_IDLE_H_
