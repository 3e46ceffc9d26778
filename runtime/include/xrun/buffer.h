#ifndef XRUN_BUFFER_H_
#define XRUN_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "xrun/device.h"
#include "xrun/error.h"

namespace xrun::internal {
struct Access;
}

namespace xrun::api {

class Request;

struct BufferOptions {
  /// True: the host's view goes through its caches, quick to compute on; host and device see each other's writes only
  /// after a sync. False: for memory that the host writes or reads once, front to back; syncs cost nothing.
  bool cacheable = true;
};

/// Memory that host and device both reach, for tensors that are not to be copied: Request::bind_input and bind_output.
/// Copies share it; a request keeps what is bound to it alive. Any thread may use it, no two at once on the same bytes.
class XRUN_API Buffer {
 public:
  /// Zeroed and aligned to 4096. Throws Error when the device has no memory left.
  static Buffer allocate(const Device& device, size_t bytes, const BufferOptions& options = {});

  /// The first `bytes` bytes of another driver's dma-buf (a camera's, a video decoder's), with the contents it has. The
  /// descriptor stays the caller's, who may close it afterwards. Device "sim" maps whatever descriptor can be mapped.
  /// Throws Error where the device cannot, and when the dma-buf is smaller.
  static Buffer import_dma_buf(const Device& device, int fd, size_t bytes);

  /// A new descriptor of this memory for another driver or process; the caller closes it. Of device "sim" it is a
  /// memfd. Throws Error where the device cannot.
  int export_dma_buf() const;

  uint8_t* data() const;
  size_t size() const;
  /// All of it as elements of T; a rest too small for one is left out.
  template <typename T>
  std::span<T> as() const {
    static_assert(std::is_trivially_copyable_v<T>);
    return {reinterpret_cast<T*>(data()), size() / sizeof(T)};
  }

  /// After the host wrote and before a device reads; after a device wrote and before the host reads. Of a cacheable
  /// buffer they are the user's duty wherever a device touches it: a tensor bound in Layout::kDevice, an imported
  /// dma-buf. They throw Error for bytes outside of the buffer and when the device fails.
  void sync_to_device() const { sync_to_device(0, size()); }
  void sync_to_device(size_t offset, size_t bytes) const;
  void sync_from_device() const { sync_from_device(0, size()); }
  void sync_from_device(size_t offset, size_t bytes) const;

 private:
  friend class Request;
  friend struct xrun::internal::Access;
  struct Impl;
  explicit Buffer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace xrun::api

#endif  // XRUN_BUFFER_H_
