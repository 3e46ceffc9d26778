// The board as XRT sees it: the low-level library that libxrt_coreutil loads as $XILINX_XRT/lib/libxrt_core.so.2, or
// finds in the process when this is linked into it. Registers a system with one device as soon as it is loaded.

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xclbin.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <system_error>
#include <tuple>

#include "tests/stand_in_board/driver.h"
#include "tests/stand_in_board/xrt_abi.h"

namespace xrun::stand_in {
namespace {

constexpr uint64_t kNoAddress = ~uint64_t{0};

/// A buffer object: memory of the host, memory of the board, or both. They share nothing: what is not synced is not
/// seen.
struct Buffer {
  Buffer(void* user_memory, size_t size, unsigned flags_) : bytes(size), flags(flags_), host(user_memory) {
    const bool command = (flags & XCL_BO_FLAGS_EXECBUF) != 0;
    if (!command && (flags & XCL_BO_FLAGS_HOST_ONLY) == 0) {
      address = Driver::Get().Allocate(flags & XRT_BO_FLAGS_MEMIDX_MASK, bytes);
    }
    if (host != nullptr || (flags & XCL_BO_FLAGS_DEV_ONLY) != 0) return;
    void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
      if (address != kNoAddress) Driver::Get().Release(address, bytes, epoch, generation);
      throw std::bad_alloc();
    }
    host = mapped;
    own = true;
  }
  Buffer(const Buffer&) = delete;
  ~Buffer() {
    if (own) ::munmap(host, bytes);
    if (address != kNoAddress) Driver::Get().Release(address, bytes, epoch, generation);
  }

  size_t bytes;
  unsigned flags;
  void* host;
  bool own = false;
  uint64_t address = kNoAddress;
  uint64_t epoch = Driver::Get().epoch();
  uint64_t generation = Driver::Get().generation();
};

/// Buffers exported as file descriptors, in this process only; known by inode, so that a duplicate is the same.
struct Exports {
  std::mutex mutex;
  std::map<uint64_t, std::shared_ptr<Buffer>> buffers;
};
uint64_t InodeOf(int descriptor) {
  struct stat file {};
  if (::fstat(descriptor, &file) != 0) Fail(errno, "dma-buf");
  return file.st_ino;
}
Exports& AllExports() {
  static Exports* exports = new Exports;
  return *exports;
}

/// An opened device: what a file descriptor of the driver is.
struct Handle {
  unsigned id = 0;
  std::shared_ptr<xrt_core::device> device;
  uint64_t epoch = Driver::Get().epoch();
  std::mutex mutex;
  std::map<unsigned, std::shared_ptr<Buffer>> buffers;
  unsigned next = 1;
};

/// Events are counted per handle; commands under way keep the counter alive.
struct Events {
  std::mutex mutex;
  std::condition_variable arrived;
  int count = 0;
};

template <typename T>
struct Property final : xrt_core::query::request {
  explicit Property(T v) : value(std::move(v)) {}
  boost::any get(const xrt_core::device*) const override { return value; }
  T value;
};

// Numbers of coreutil's property keys that xrt::device asks for: address on the bus, platform name.
constexpr int kKeyBusAddress = 8, kKeyPlatform = 12;

const xrt_core::query::request& PropertyOf(xrt_core::query::key_type key) {
  using BusAddress = std::tuple<uint16_t, uint16_t, uint16_t, uint16_t>;
  static const auto* address = new Property<BusAddress>(BusAddress{0, 0x5E, 0, 1});
  static const auto* platform = new Property<std::string>("xrun_stand_in_1");
  if (static_cast<int>(key) == kKeyBusAddress) return *address;
  if (static_cast<int>(key) == kKeyPlatform) return *platform;
  throw xrt_core::query::no_such_key(key);
}

class Device final : public xrt_core::device {
 public:
  Device(Handle* handle, unsigned id) : device(id), handle_(handle) {}

  void close_device() override {
    // The handle owns this object, which must outlive the handle's members.
    const std::shared_ptr<xrt_core::device> self = std::move(handle_->device);
    delete std::exchange(handle_, nullptr);
  }
  void open_context(const unsigned char* uuid, unsigned unit, bool shared) override {
    CheckAlive();
    Driver::Get().OpenContext(uuid, unit, shared);
  }
  void close_context(const unsigned char*, unsigned unit) override { Driver::Get().CloseContext(unit, handle_->epoch); }

  xclBufferHandle alloc_bo(size_t bytes, unsigned flags) override { return Add(nullptr, bytes, flags); }
  xclBufferHandle alloc_bo(void* memory, size_t bytes, unsigned flags) override { return Add(memory, bytes, flags); }
  void free_bo(xclBufferHandle buffer) override {
    std::shared_ptr<Buffer> last;  // destroyed after the lock
    const std::lock_guard lock(handle_->mutex);
    const auto it = handle_->buffers.find(buffer);
    if (it == handle_->buffers.end()) return;
    last = std::move(it->second);
    handle_->buffers.erase(it);
  }
  xclBufferExportHandle export_bo(xclBufferHandle buffer) const override {
    const int descriptor = ::memfd_create("xrun-stand-in", MFD_CLOEXEC);
    if (descriptor < 0) Fail(errno, "export");
    const std::lock_guard lock(AllExports().mutex);
    AllExports().buffers[InodeOf(descriptor)] = Find(buffer);
    return descriptor;
  }
  xclBufferHandle import_bo(xclBufferExportHandle descriptor) override {
    CheckAlive();
    std::shared_ptr<Buffer> buffer;
    {
      const std::lock_guard lock(AllExports().mutex);
      const auto it = AllExports().buffers.find(InodeOf(descriptor));
      if (it == AllExports().buffers.end()) Fail(EINVAL, "import of what was not exported");
      buffer = it->second;
    }
    const std::lock_guard lock(handle_->mutex);
    handle_->buffers[handle_->next] = std::move(buffer);
    return handle_->next++;
  }
  void close_export_handle(xclBufferExportHandle descriptor) override {
    {
      const std::lock_guard lock(AllExports().mutex);
      AllExports().buffers.erase(InodeOf(descriptor));
    }
    ::close(descriptor);
  }
  xclBufferHandle import_bo(pid_t, xclBufferExportHandle) override { Fail(ENOTSUP, "import from another process"); }
  void copy_bo(xclBufferHandle to, xclBufferHandle from, size_t bytes, size_t to_offset, size_t from_offset) override {
    CheckAlive();
    const auto a = Find(to), b = Find(from);
    if (to_offset + bytes > a->bytes || from_offset + bytes > b->bytes) Fail(EINVAL, "copy beyond a buffer");
    std::vector<uint8_t> content(bytes);
    Driver::Get().CopyFrom(b->address + from_offset, content.data(), bytes);
    Driver::Get().CopyTo(a->address + to_offset, content.data(), bytes);
  }
  void sync_bo(xclBufferHandle handle, xclBOSyncDirection direction, size_t bytes, size_t offset) override {
    CheckAlive();
    const auto buffer = Find(handle);
    if (offset > buffer->bytes || bytes > buffer->bytes - offset) Fail(EINVAL, "sync beyond the buffer");
    if (buffer->address == kNoAddress || buffer->host == nullptr) return;
    uint8_t* host = static_cast<uint8_t*>(buffer->host) + offset;
    if (direction == XCL_BO_SYNC_BO_TO_DEVICE) {
      Driver::Get().CopyTo(buffer->address + offset, host, bytes);
    } else {
      Driver::Get().CopyFrom(buffer->address + offset, host, bytes);
    }
  }
  void* map_bo(xclBufferHandle handle, bool) override {
    const auto buffer = Find(handle);
    if (buffer->host == nullptr) Fail(EINVAL, "a buffer without host memory");
    return buffer->host;
  }
  void unmap_bo(xclBufferHandle, void*) override {}
  void get_bo_properties(xclBufferHandle handle, xclBOProperties* properties) const override {
    const auto buffer = Find(handle);
    properties->handle = handle;
    properties->flags = buffer->flags;
    properties->size = buffer->bytes;
    properties->paddr = buffer->address;
  }

  void reg_read(uint32_t unit, uint32_t offset, uint32_t* value) const override {
    CheckAlive();
    *value = Driver::Get().ReadRegister(unit, offset);
  }
  void reg_write(uint32_t unit, uint32_t offset, uint32_t value) override {
    CheckAlive();
    Driver::Get().WriteRegister(unit, offset, value);
  }
  void xread(xclAddressSpace, uint64_t, void*, size_t) const override { Fail(ENOTSUP, "xread"); }
  void xwrite(xclAddressSpace, uint64_t, const void*, size_t) override { Fail(ENOTSUP, "xwrite"); }
  void unmgd_pread(void* to, size_t bytes, uint64_t address) override { Driver::Get().CopyFrom(address, to, bytes); }
  void unmgd_pwrite(const void* from, size_t bytes, uint64_t address) override {
    Driver::Get().CopyTo(address, from, bytes);
  }

  void exec_buf(xclBufferHandle handle) override {
    CheckAlive();
    const auto buffer = Find(handle);
    Command command;
    command.packet = static_cast<ert_start_kernel_cmd*>(buffer->host);
    // The unit that had this packet before wrote its state: an atomic read takes up what it did.
    const uint32_t header = __atomic_load_n(&command.packet->header, __ATOMIC_ACQUIRE);
    if ((header >> 23 & 0x1F) != ERT_START_CU) Fail(ENOTSUP, "a command other than the start of a unit");
    command.keep = buffer;
    command.epoch = handle_->epoch;
    command.event = [events = events_] {
      {
        const std::lock_guard lock(events->mutex);
        ++events->count;
      }
      events->arrived.notify_all();
    };
    Driver::Get().Submit(std::move(command));
  }
  int exec_wait(int milliseconds) const override {
    std::unique_lock lock(events_->mutex);
    if (!events_->arrived.wait_for(lock, std::chrono::milliseconds(milliseconds), [&] { return events_->count > 0; })) {
      return 0;
    }
    --events_->count;
    return 1;
  }

  void load_axlf(const axlf* image) override {
    CheckAlive();
    Driver::Get().Load(image);
    register_axlf(image);
  }

  void* get_device_handle() const override { return handle_; }
  void* get_mgmt_handle() const override { return nullptr; }
  void* get_user_handle() const override { return handle_; }
  bool is_userpf() const override { return true; }
  const xrt_core::query::request& lookup_query(xrt_core::query::key_type key) const override { return PropertyOf(key); }

  void reclock(const uint16_t*) override { Fail(ENOTSUP, "another clock"); }
  void p2p_enable(bool) override { Fail(ENOTSUP, "peer to peer"); }
  void p2p_disable(bool) override { Fail(ENOTSUP, "peer to peer"); }
  void set_cma(bool, uint64_t) override { Fail(ENOTSUP, "contiguous memory"); }
  void update_scheduler_status() override {}
  void user_reset(int) override { Fail(ENOTSUP, "reset"); }
  int open_ip_interrupt_notify(unsigned) override { Fail(ENOTSUP, "interrupts of a unit"); }
  void close_ip_interrupt_notify(int) override { Fail(ENOTSUP, "interrupts of a unit"); }
  void enable_ip_interrupt(int) override { Fail(ENOTSUP, "interrupts of a unit"); }
  void disable_ip_interrupt(int) override { Fail(ENOTSUP, "interrupts of a unit"); }
  void wait_ip_interrupt(int) override { Fail(ENOTSUP, "interrupts of a unit"); }
  std::cv_status wait_ip_interrupt(int, int32_t) override { Fail(ENOTSUP, "interrupts of a unit"); }
  void get_info(void*) const override {}
  void read(uint64_t, void*, uint64_t) const override { Fail(ENOTSUP, "read"); }
  void write(uint64_t, const void*, uint64_t) const override { Fail(ENOTSUP, "write"); }
  void reset(void*) const override { Fail(ENOTSUP, "reset"); }
  void xclmgmt_load_xclbin(const char*) const override { Fail(ENOTSUP, "the management function"); }
  int open(const std::string&, int) const override { Fail(ENOTSUP, "open"); }
  void close(int) const override { Fail(ENOTSUP, "close"); }

 private:
  void CheckAlive() const { Driver::Get().CheckAlive(handle_->epoch); }
  std::shared_ptr<Buffer> Find(xclBufferHandle handle) const {
    const std::lock_guard lock(handle_->mutex);
    const auto it = handle_->buffers.find(handle);
    if (it == handle_->buffers.end()) Fail(ENOENT, "no such buffer");
    return it->second;
  }
  xclBufferHandle Add(void* memory, size_t bytes, unsigned flags) {
    CheckAlive();
    auto buffer = std::make_shared<Buffer>(memory, bytes, flags);
    const std::lock_guard lock(handle_->mutex);
    handle_->buffers[handle_->next] = std::move(buffer);
    return handle_->next++;
  }

  Handle* handle_;
  const std::shared_ptr<Events> events_ = std::make_shared<Events>();
};

class System final : public xrt_core::system {
 public:
  void get_xrt_info(void*) override {}
  void get_os_info(void*) override {}
  void get_devices(void*) const override {}
  std::pair<unsigned, unsigned> get_total_devices(bool) const override { return {1, 1}; }
  std::shared_ptr<xrt_core::device> get_userpf_device(unsigned id) const override {
    if (id != 0) return nullptr;
    Driver::Get().CheckAlive(Driver::Get().epoch());
    auto* handle = new Handle;
    handle->id = id;
    handle->device = xrt_core::get_userpf_device(handle, id);  // calls the function below once
    return handle->device;
  }
  std::shared_ptr<xrt_core::device> get_userpf_device(void* handle, unsigned id) const override {
    return std::make_shared<Device>(static_cast<Handle*>(handle), id);
  }
  std::shared_ptr<xrt_core::device> get_mgmtpf_device(unsigned) const override { return nullptr; }
  int get_monitor_access_type() const override { return 0; }
  void program_plp(const xrt_core::device*, const std::vector<char>&, bool) const override {
    Fail(ENOTSUP, "the management function");
  }
  void mem_read(const xrt_core::device*, long long, long long, const std::string&) const override {
    Fail(ENOTSUP, "mem_read");
  }
  void mem_write(const xrt_core::device*, long long, long long, unsigned) const override { Fail(ENOTSUP, "mem_write"); }
};

/// Its constructor makes it the system of the process; never destroyed, as coreutil may ask it to the end.
const System* const kSystem = new System;

}  // namespace
}  // namespace xrun::stand_in
