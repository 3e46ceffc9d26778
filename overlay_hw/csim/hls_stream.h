#ifndef XRUN_OVERLAY_HW_CSIM_HLS_STREAM_H_
#define XRUN_OVERLAY_HW_CSIM_HLS_STREAM_H_

// Stands in for hls_stream.h in C-sim. One reader and one writer, each a thread of its own; bounded once a depth is
// given. The engines use only the calls that do not block: every wait must be left when the launch ends early.

#include <cstddef>
#include <deque>
#include <mutex>

namespace hls {

template <typename T>
class stream {
 public:
  stream() = default;
  explicit stream(const char*) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  /// C-sim only: the FIFO's depth; 0 is without bound.
  void set_depth(size_t depth) {
    const std::lock_guard<std::mutex> lock(mutex_);
    depth_ = depth;
  }
  bool empty() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return items_.empty();
  }
  bool read_nb(T& value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (items_.empty()) return false;
    value = items_.front();
    items_.pop_front();
    return true;
  }
  bool write_nb(const T& value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (depth_ != 0 && items_.size() >= depth_) return false;
    items_.push_back(value);
    return true;
  }
  /// C-sim only: what stands in the FIFO, and a FIFO emptied for the next launch.
  size_t size() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return items_.size();
  }
  void clear() {
    const std::lock_guard<std::mutex> lock(mutex_);
    items_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::deque<T> items_;
  size_t depth_ = 0;
};

}  // namespace hls

#endif  // XRUN_OVERLAY_HW_CSIM_HLS_STREAM_H_
