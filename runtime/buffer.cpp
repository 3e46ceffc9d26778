#include "xrun/buffer.h"

#include "runtime/api_impl.h"

namespace xrun::api {
namespace {

void CheckRange(const Buffer& buffer, size_t offset, size_t bytes) {
  if (offset <= buffer.size() && bytes <= buffer.size() - offset) return;
  Throw({"sync of " + std::to_string(bytes) + " bytes at " + std::to_string(offset) + " of a buffer of " +
             std::to_string(buffer.size()),
         ""});
}

void CheckSize(const char* what, size_t bytes) {
  if (bytes == 0) Throw({std::string(what) + " of 0 bytes", "TensorInfo::bytes() is what a tensor takes"});
}

void ThrowUnlessOk(Status status) {
  if (!status.ok()) Throw(std::move(status).failure(), ErrorCode::kDevice);
}

}  // namespace

Buffer::Buffer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Buffer Buffer::allocate(const Device& device, size_t bytes, const BufferOptions& options) {
  CheckSize("a buffer", bytes);
  auto impl = std::make_shared<Impl>();
  impl->device = internal::Access::Of(device);
  impl->memory = ValueOrThrow(impl->device->AllocateShared(bytes, options.cacheable), ErrorCode::kDevice);
  impl->bytes = bytes;
  return Buffer(std::move(impl));
}

Buffer Buffer::import_dma_buf(const Device& device, int fd, size_t bytes) {
  CheckSize("a dma-buf", bytes);
  auto impl = std::make_shared<Impl>();
  impl->device = internal::Access::Of(device);
  impl->memory = ValueOrThrow(impl->device->Import(fd, bytes));
  impl->bytes = bytes;
  return Buffer(std::move(impl));
}

int Buffer::export_dma_buf() const { return ValueOrThrow(impl_->memory->Export()); }

uint8_t* Buffer::data() const { return impl_->memory->host().data(); }
size_t Buffer::size() const { return impl_->bytes; }

void Buffer::sync_to_device(size_t offset, size_t bytes) const {
  CheckRange(*this, offset, bytes);
  ThrowUnlessOk(impl_->memory->SyncToDevice(offset, bytes));
}

void Buffer::sync_from_device(size_t offset, size_t bytes) const {
  CheckRange(*this, offset, bytes);
  ThrowUnlessOk(impl_->memory->SyncFromDevice(offset, bytes));
}

}  // namespace xrun::api
