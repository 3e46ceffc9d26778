#ifndef XRUN_OVERLAY_HW_LINT_HLS_STREAM_H_
#define XRUN_OVERLAY_HW_LINT_HLS_STREAM_H_

// hls::stream for the lints: its ends are ports, functions without a body that count as hardware (xrun_lint_*).

#include <stddef.h>

extern "C" {
bool xrun_lint_empty(const void* stream);
bool xrun_lint_read(const void* stream, void* value, size_t bytes);
bool xrun_lint_write(const void* stream, const void* value, size_t bytes);
}

namespace hls {

template <typename T>
class stream {
 public:
  stream() {}
  bool empty() const { return xrun_lint_empty(this); }
  bool read_nb(T& value) { return xrun_lint_read(this, &value, sizeof(T)); }
  bool write_nb(const T& value) { return xrun_lint_write(this, &value, sizeof(T)); }

 private:
  char port_ = 0;
};

}  // namespace hls

#endif  // XRUN_OVERLAY_HW_LINT_HLS_STREAM_H_
