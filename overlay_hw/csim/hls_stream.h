#ifndef XRUN_OVERLAY_HW_CSIM_HLS_STREAM_H_
#define XRUN_OVERLAY_HW_CSIM_HLS_STREAM_H_

// Stands in for hls_stream.h in C-sim. One reader and one writer, each a thread of its own; bounded once a depth is
// given. The engines use only the calls that do not block: every wait must be left when the launch ends early.

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

namespace hls {

template <typename T>
class stream {
 public:
  stream() : fifo_(std::make_shared<Fifo>()) {}
  explicit stream(const char*) : stream() {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  bool empty() const {
    const std::lock_guard<std::mutex> lock(fifo_->mutex);
    return fifo_->items.empty() || fifo_->read == fifo_->read_limit;
  }
  bool read_nb(T& value) {
    const std::lock_guard<std::mutex> lock(fifo_->mutex);
    if (fifo_->items.empty() || fifo_->read == fifo_->read_limit) return false;
    value = fifo_->items.front();
    fifo_->items.pop_front();
    ++fifo_->read;
    return true;
  }
  bool write_nb(const T& value) {
    const std::lock_guard<std::mutex> lock(fifo_->mutex);
    if (fifo_->depth != 0 && fifo_->items.size() >= fifo_->depth) return false;
    fifo_->items.push_back(value);
    ++fifo_->written;
    return true;
  }

  // C-sim only.

  /// The FIFO's depth; 0 is without bound.
  void set_depth(size_t depth) {
    const std::lock_guard<std::mutex> lock(fifo_->mutex);
    fifo_->depth = depth;
  }
  /// Makes this end and the other one those of one FIFO: engines hold streams in arrays of their own.
  void join(stream& other) { fifo_ = other.fifo_; }
  /// Equal for the two ends of a FIFO.
  const void* id() const { return fifo_.get(); }
  /// What stands in the FIFO.
  size_t size() const {
    const std::lock_guard<std::mutex> lock(fifo_->mutex);
    return fifo_->items.size();
  }
  /// Items written and read since clear(): changes whenever anything moves.
  size_t moved() const {
    const std::lock_guard<std::mutex> lock(fifo_->mutex);
    return fifo_->written + fifo_->read;
  }
  /// The reader gets no more than `items` until the next clear().
  void limit_reads(size_t items) {
    const std::lock_guard<std::mutex> lock(fifo_->mutex);
    fifo_->read_limit = items;
  }
  /// Empties the FIFO for the next launch.
  void clear() {
    const std::lock_guard<std::mutex> lock(fifo_->mutex);
    fifo_->items.clear();
    fifo_->written = fifo_->read = 0;
    fifo_->read_limit = ~size_t{0};
  }

 private:
  struct Fifo {
    mutable std::mutex mutex;
    std::deque<T> items;
    size_t depth = 0, written = 0, read = 0, read_limit = ~size_t{0};
  };
  std::shared_ptr<Fifo> fifo_;
};

}  // namespace hls

#endif  // XRUN_OVERLAY_HW_CSIM_HLS_STREAM_H_
