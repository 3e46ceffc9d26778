// Buffers and requests of xrun_c.h.
#include <chrono>

#include "runtime/c_api.h"

using xrun::api::Buffer;
using xrun::c_api::Guard;

xrun_status xrun_buffer_allocate(const xrun_device* device, size_t bytes, int cacheable, xrun_buffer** buffer,
                                 xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(buffer);
    *buffer = new xrun_buffer{Buffer::allocate(XRUN_NOT_NULL(device)->device, bytes, {cacheable != 0})};
  });
}
xrun_status xrun_buffer_import(const xrun_device* device, int fd, size_t bytes, xrun_buffer** buffer,
                               xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(buffer);
    *buffer = new xrun_buffer{Buffer::import_dma_buf(XRUN_NOT_NULL(device)->device, fd, bytes)};
  });
}
xrun_status xrun_buffer_export(const xrun_buffer* buffer, int* fd, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(fd);
    *fd = XRUN_NOT_NULL(buffer)->buffer.export_dma_buf();
  });
}
void* xrun_buffer_data(const xrun_buffer* buffer) { return buffer->buffer.data(); }
size_t xrun_buffer_size(const xrun_buffer* buffer) { return buffer->buffer.size(); }
xrun_status xrun_buffer_sync_to_device(const xrun_buffer* buffer, size_t offset, size_t bytes, xrun_error** error) {
  return Guard(error, [&] { XRUN_NOT_NULL(buffer)->buffer.sync_to_device(offset, bytes); });
}
xrun_status xrun_buffer_sync_from_device(const xrun_buffer* buffer, size_t offset, size_t bytes, xrun_error** error) {
  return Guard(error, [&] { XRUN_NOT_NULL(buffer)->buffer.sync_from_device(offset, bytes); });
}
void xrun_buffer_free(xrun_buffer* buffer) { delete buffer; }

xrun_status xrun_session_request(xrun_session* session, xrun_request** request, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(request);
    *request = new xrun_request{XRUN_NOT_NULL(session)->session.request()};
  });
}
void xrun_request_destroy(xrun_request* request) { delete request; }

xrun_status xrun_request_input(const xrun_request* request, const char* name, void** data, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(data);
    *data = XRUN_NOT_NULL(request)->request.input(XRUN_NOT_NULL(name)).data();
  });
}
xrun_status xrun_request_output(const xrun_request* request, const char* name, void** data, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(data);
    *data = XRUN_NOT_NULL(request)->request.output(XRUN_NOT_NULL(name)).data();
  });
}

namespace {

xrun::api::Layout LayoutOf(xrun_layout layout) {
  if (layout == XRUN_LAYOUT_MODEL || layout == XRUN_LAYOUT_DEVICE) return static_cast<xrun::api::Layout>(layout);
  throw xrun::api::Error(xrun::api::ErrorCode::kInvalid, "unknown layout " + std::to_string(static_cast<int>(layout)),
                         "XRUN_LAYOUT_MODEL or XRUN_LAYOUT_DEVICE");
}

}  // namespace

xrun_status xrun_request_bind_input(xrun_request* request, const char* name, const xrun_buffer* buffer, size_t offset,
                                    xrun_layout layout, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(request)->request.bind_input(XRUN_NOT_NULL(name), XRUN_NOT_NULL(buffer)->buffer, offset,
                                               LayoutOf(layout));
  });
}
xrun_status xrun_request_bind_output(xrun_request* request, const char* name, const xrun_buffer* buffer, size_t offset,
                                     xrun_layout layout, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(request)->request.bind_output(XRUN_NOT_NULL(name), XRUN_NOT_NULL(buffer)->buffer, offset,
                                                LayoutOf(layout));
  });
}
xrun_status xrun_request_unbind(xrun_request* request, xrun_error** error) {
  return Guard(error, [&] { XRUN_NOT_NULL(request)->request.unbind(); });
}

xrun_status xrun_request_set_priority(xrun_request* request, xrun_priority priority, xrun_error** error) {
  return Guard(error,
               [&] { XRUN_NOT_NULL(request)->request.set_priority(static_cast<xrun::api::Priority>(priority)); });
}

xrun_status xrun_request_submit(xrun_request* request, xrun_callback callback, void* user, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(request);
    if (callback == nullptr) return request->request.submit();
    // Two pointers: std::function keeps them without the heap.
    request->request.submit([callback, user](const xrun::api::Error* failed) {
      if (failed == nullptr) return callback(user, nullptr);
      const xrun_error told{xrun::c_api::CodeOf(failed->code()), failed->message(), failed->hint(), true};
      callback(user, &told);
    });
  });
}
xrun_status xrun_request_wait(xrun_request* request, xrun_error** error) {
  return Guard(error, [&] { XRUN_NOT_NULL(request)->request.wait(); });
}
xrun_status xrun_request_wait_for(xrun_request* request, uint64_t nanoseconds, int* done, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(request);
    XRUN_NOT_NULL(done);
    *done = 1;
    // Longer than the clock reaches is until it is done.
    constexpr uint64_t kYear = 365ULL * 24 * 3600 * 1'000'000'000;
    if (nanoseconds >= kYear) return request->request.wait();
    *done = request->request.wait_for(std::chrono::nanoseconds(static_cast<int64_t>(nanoseconds))) ? 1 : 0;
  });
}
void xrun_request_cancel(xrun_request* request) {
  if (request != nullptr) request->request.cancel();
}
