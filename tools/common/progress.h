#ifndef XRUN_TOOLS_COMMON_PROGRESS_H_
#define XRUN_TOOLS_COMMON_PROGRESS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace xrun::tools {

enum class ProgressMode : uint8_t { kAuto, kOn, kOff };

/// A line on stderr that says how far a piece of work is and how long it will still take:
///     calibrating  312/500  62 %  8.10 s left
/// kAuto: only on a terminal, and only after two seconds. kOn: at once; without a terminal as separate lines, one every
/// two seconds. The line is wiped when the work ends. Thread-safe.
class Progress {
 public:
  /// `total` units of work, 0 when unknown (then no time left is shown).
  Progress(std::string label, int64_t total, ProgressMode mode);
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Advance(int64_t units = 1) { Show(done_.fetch_add(units) + units); }
  /// The absolute position, for work that reports it; never goes back.
  void Set(int64_t done);
  /// Wipes the line; later calls show nothing.
  void Finish();

  /// For library functions that take a callback of (done, total). The object must outlive the callback.
  std::function<void(int64_t done, int64_t total)> Callback();

  /// The line for a given state, without control characters.
  static std::string Text(const std::string& label, int64_t done, int64_t total, double seconds);

 private:
  void Show(int64_t done);

  const std::string label_;
  std::atomic<int64_t> total_;
  const std::chrono::steady_clock::time_point start_;
  bool terminal_ = false;
  std::atomic<int64_t> done_{0};
  std::atomic<int64_t> next_;  // microseconds after start_ at which the line may be drawn again
  std::mutex drawing_;
  bool drawn_ = false;
  bool finished_ = false;
};

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_COMMON_PROGRESS_H_
