#ifndef XRUN_TESTS_STAND_IN_BOARD_XRT_ABI_H_
#define XRUN_TESTS_STAND_IN_BOARD_XRT_ABI_H_

// The two C++ interfaces that libxrt_coreutil 2.13 (Debian 12) expects of a low-level library and that it does not
// install headers for: a system, which knows devices, and a device, which is buffers, contexts and commands. Declared
// here from the order of the slots in the library's own vtables (`readelf -r`, `nm -DC`); CMake checks the sizes of
// both before it builds anything with this header. Only slots that the public XRT API reaches on a board without AI
// engines do something; the others refuse.

#include <ert.h>
#include <xrt.h>

#include <boost/any.hpp>
#include <condition_variable>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace xrt_core {

class device;

namespace query {

enum class key_type : int {};

class exception : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// What coreutil takes as "this board has no such property".
class no_such_key : public exception {
 public:
  explicit no_such_key(key_type key) : exception("no such property of the board"), key_(key) {}

 private:
  [[maybe_unused]] key_type key_;
};

/// A property of a device. Eight slots.
struct request {
  enum class modifier { subdev, entry };
  virtual ~request() = default;
  virtual boost::any get(const device*) const = 0;
  virtual boost::any get(const device*, const boost::any&) const { throw exception("no argument is taken"); }
  virtual boost::any get(const device*, const boost::any&, const boost::any&) const {
    throw exception("no arguments are taken");
  }
  virtual boost::any get(const device*, modifier, const std::string&) const { throw exception("no modifier is taken"); }
  virtual boost::any get(const device*, const boost::any&, const boost::any&, const boost::any&) const {
    throw exception("no arguments are taken");
  }
  virtual void put(const device*, const boost::any&) const { throw exception("cannot be changed"); }
};

}  // namespace query

struct ishim {
  virtual void close_device() = 0;  // 0
  virtual void open_context(const unsigned char* uuid, unsigned unit, bool shared) = 0;
  virtual void close_context(const unsigned char* uuid, unsigned unit) = 0;
  virtual xclBufferHandle alloc_bo(size_t bytes, unsigned flags) = 0;
  virtual xclBufferHandle alloc_bo(void* memory, size_t bytes, unsigned flags) = 0;
  virtual void free_bo(xclBufferHandle handle) = 0;  // 5
  virtual xclBufferExportHandle export_bo(xclBufferHandle handle) const = 0;
  virtual xclBufferHandle import_bo(xclBufferExportHandle handle) = 0;
  virtual void close_export_handle(xclBufferExportHandle handle) = 0;
  virtual xclBufferHandle import_bo(pid_t process, xclBufferExportHandle handle) = 0;
  virtual void copy_bo(xclBufferHandle to, xclBufferHandle from, size_t bytes, size_t to_offset,
                       size_t from_offset) = 0;  // 10
  virtual void sync_bo(xclBufferHandle handle, xclBOSyncDirection direction, size_t bytes, size_t offset) = 0;
  virtual void* map_bo(xclBufferHandle handle, bool write) = 0;
  virtual void unmap_bo(xclBufferHandle handle, void* address) = 0;
  virtual void get_bo_properties(xclBufferHandle handle, xclBOProperties* properties) const = 0;
  virtual void reg_read(uint32_t unit, uint32_t offset, uint32_t* value) const = 0;  // 15
  virtual void reg_write(uint32_t unit, uint32_t offset, uint32_t value) = 0;
  virtual void xread(xclAddressSpace space, uint64_t address, void* to, size_t bytes) const = 0;
  virtual void xwrite(xclAddressSpace space, uint64_t address, const void* from, size_t bytes) = 0;
  virtual void unmgd_pread(void* to, size_t bytes, uint64_t address) = 0;
  virtual void unmgd_pwrite(const void* from, size_t bytes, uint64_t address) = 0;  // 20
  virtual void exec_buf(xclBufferHandle command) = 0;
  virtual int exec_wait(int milliseconds) const = 0;
  virtual void load_axlf(const axlf* image) = 0;
  virtual void reclock(const uint16_t* frequencies) = 0;
  virtual void p2p_enable(bool force) = 0;  // 25
  virtual void p2p_disable(bool force) = 0;
  virtual void set_cma(bool enable, uint64_t bytes) = 0;
  virtual void update_scheduler_status() = 0;
  virtual void user_reset(int kind) = 0;
  virtual int open_ip_interrupt_notify(unsigned unit) = 0;  // 30
  virtual void close_ip_interrupt_notify(int handle) = 0;
  virtual void enable_ip_interrupt(int handle) = 0;
  virtual void disable_ip_interrupt(int handle) = 0;
  virtual void wait_ip_interrupt(int handle) = 0;
  virtual std::cv_status wait_ip_interrupt(int handle, int32_t milliseconds) = 0;  // 35
#define XRUN_AI_ENGINE_SLOT(n) \
  virtual void ai_engine_##n() { throw std::runtime_error("the stand-in board has no AI engines"); }
  XRUN_AI_ENGINE_SLOT(36)
  XRUN_AI_ENGINE_SLOT(37)
  XRUN_AI_ENGINE_SLOT(38)
  XRUN_AI_ENGINE_SLOT(39)
  XRUN_AI_ENGINE_SLOT(40)
  XRUN_AI_ENGINE_SLOT(41)
  XRUN_AI_ENGINE_SLOT(42)
  XRUN_AI_ENGINE_SLOT(43)
  XRUN_AI_ENGINE_SLOT(44)
  XRUN_AI_ENGINE_SLOT(45)
  XRUN_AI_ENGINE_SLOT(46)
  XRUN_AI_ENGINE_SLOT(47)
  XRUN_AI_ENGINE_SLOT(48)
  XRUN_AI_ENGINE_SLOT(49)
  XRUN_AI_ENGINE_SLOT(50)
  XRUN_AI_ENGINE_SLOT(51)
  XRUN_AI_ENGINE_SLOT(52)
  XRUN_AI_ENGINE_SLOT(53)
  XRUN_AI_ENGINE_SLOT(54)
  XRUN_AI_ENGINE_SLOT(55)
  XRUN_AI_ENGINE_SLOT(56)
#undef XRUN_AI_ENGINE_SLOT
};

class device : public ishim {
 public:
  explicit device(unsigned id);  // defined by coreutil
  virtual ~device();             // 57, 58; defined by coreutil
  virtual void* get_device_handle() const = 0;
  virtual void* get_mgmt_handle() const = 0;  // 60
  virtual void* get_user_handle() const = 0;
  virtual bool is_userpf() const = 0;
  virtual const query::request& lookup_query(query::key_type key) const = 0;
  virtual void get_info(void* tree) const = 0;
  virtual void read(uint64_t address, void* to, uint64_t bytes) const = 0;  // 65
  virtual void write(uint64_t address, const void* from, uint64_t bytes) const = 0;
  virtual void reset(void* kind) const = 0;
  virtual void xclmgmt_load_xclbin(const char* image) const = 0;
  virtual int open(const std::string& node, int flags) const = 0;
  virtual void close(int handle) const = 0;  // 70
  void register_axlf(const axlf* image);     // defined by coreutil

 private:
  /// Members of coreutil's class, which its constructor and destructor own; more than they need.
  char reserved_[1024];
};

class system {
 public:
  virtual void get_xrt_info(void* tree) = 0;  // 0
  virtual void get_os_info(void* tree) = 0;
  virtual void get_devices(void* tree) const = 0;
  virtual unsigned get_device_id(const std::string& name) const;  // 3; defined by coreutil
  virtual std::pair<unsigned, unsigned> get_total_devices(bool user) const = 0;
  virtual std::shared_ptr<device> get_userpf_device(unsigned id) const = 0;
  virtual std::shared_ptr<device> get_userpf_device(void* handle, unsigned id) const = 0;
  virtual std::shared_ptr<device> get_mgmtpf_device(unsigned id) const = 0;
  virtual int get_monitor_access_type() const = 0;
  virtual void program_plp(const device* device, const std::vector<char>& image, bool force) const = 0;
  virtual void mem_read(const device* device, long long address, long long bytes, const std::string& file) const = 0;
  virtual void mem_write(const device* device, long long address, long long bytes, unsigned pattern) const = 0;

 protected:
  system();  // defined by coreutil: makes this object the system of the process
};

/// Defined by coreutil: the device object of a handle, made by the system the first time.
std::shared_ptr<device> get_userpf_device(void* handle, unsigned id);

}  // namespace xrt_core

#endif  // XRUN_TESTS_STAND_IN_BOARD_XRT_ABI_H_
