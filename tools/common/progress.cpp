#include "tools/common/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "tools/common/format.h"

namespace xrun::tools {
namespace {

constexpr int64_t kPatience = 2'000'000;  // microseconds before a terminal sees anything
constexpr int64_t kRedraw = 100'000;
constexpr int64_t kLogInterval = 2'000'000;  // between lines that stay
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

Progress::Progress(std::string label, int64_t total, ProgressMode mode)
    : label_(std::move(label)), total_(total), start_(std::chrono::steady_clock::now()), terminal_(isatty(2) == 1) {
  const bool visible = mode == ProgressMode::kOn || (mode == ProgressMode::kAuto && terminal_);
  next_ = !visible ? kNever : mode == ProgressMode::kOn ? 0 : kPatience;
}

void Progress::Set(int64_t done) {
  int64_t before = done_.load();
  while (before < done && !done_.compare_exchange_weak(before, done)) {
  }
  Show(std::max(before, done));
}

std::string Progress::Text(const std::string& label, int64_t done, int64_t total, double seconds) {
  std::string text = label + "  " + std::to_string(done);
  if (total <= 0) return text + "  " + FormatDuration(seconds);
  done = std::min(done, total);
  text = label + "  " + std::to_string(done) + "/" + std::to_string(total) + "  " +
         std::to_string(static_cast<int64_t>(100.0 * static_cast<double>(done) / static_cast<double>(total))) + " %";
  if (done > 0 && done < total) {
    text += "  " + FormatDuration(seconds * static_cast<double>(total - done) / static_cast<double>(done)) + " left";
  }
  return text;
}

void Progress::Show(int64_t done) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start_);
  const int64_t now = elapsed.count();
  int64_t due = next_.load(std::memory_order_relaxed);
  if (now < due) return;
  if (!next_.compare_exchange_strong(due, now + (terminal_ ? kRedraw : kLogInterval))) return;  // another thread draws
  const std::lock_guard lock(drawing_);
  if (finished_) return;
  const std::string text = Text(label_, done, total_, static_cast<double>(now) * 1e-6);
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::Finish() {
  const std::lock_guard lock(drawing_);
  if (drawn_ && terminal_ && !finished_) {
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
  }
  finished_ = true;
  next_ = kNever;
}

std::function<void(int64_t, int64_t)> Progress::Callback() {
  return [this](int64_t done, int64_t total) {
    total_ = total;
    Set(done);
  };
}

}  // namespace xrun::tools
