#ifndef XRUN_RUNTIME_DEVICE_H_
#define XRUN_RUNTIME_DEVICE_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "isa/hardware_config.h"
#include "isa/isa.h"
#include "isa/program.h"
#include "isa/result.h"
#include "runtime/launch_gate.h"

// What the runtime asks of a device; simulator, C-sim and board each implement these four classes and nothing else.
//
//   Device   what it is                    ─ Load ─▶  LoadedProgram   instructions and weights where the device reads
//   them
//            memory both sides can reach   ─ Allocate ─▶  DeviceBuffer
//   LoadedProgram  ─ OpenLane ─▶  Lane     one launch at a time, on the calling thread
//
// A launch blocks the thread that makes it: concurrency is several lanes, each used by one thread at a time. A board
// queues the launches of its lanes (two a compute unit keep it busy); a thread asleep in a wait costs it nothing, and
// the simulator needs the thread to compute on.

namespace xrun::runtime {

/// Memory of the host that the device can address too. Host and device see the same bytes only after a sync: the
/// runtime syncs what it wrote before a launch and what it reads after one. Devices that share memory do nothing there.
class DeviceBuffer {
 public:
  virtual ~DeviceBuffer() = default;
  std::span<uint8_t> host() const { return host_; }
  virtual Status SyncToDevice(uint64_t offset, uint64_t bytes) = 0;
  virtual Status SyncFromDevice(uint64_t offset, uint64_t bytes) = 0;
  /// A new dma-buf file descriptor of this memory, the caller's to close. Devices without dma-buf keep this.
  virtual Result<int> Export() const {
    return Failure{"memory of this device cannot be exported as a dma-buf", "copy through Buffer::data()"};
  }

 protected:
  std::span<uint8_t> host_;  ///< aligned to 4096
};

/// What one base register of a request refers to. No buffer: the register is not set.
struct BufferRange {
  DeviceBuffer* buffer = nullptr;
  uint64_t offset = 0;  ///< a multiple of 4096
  uint64_t bytes = 0;
};
struct DeviceRequest {
  std::array<BufferRange, kBaseRegisters> registers;  ///< weights and status page are the LoadedProgram's
};

struct LaunchOptions {
  /// Becomes true from another thread when the launch is to end early.
  const std::atomic<bool>* abort = nullptr;
  /// Cycles after which the device itself ends the launch; 0: none.
  uint64_t cycle_limit = 0;
  /// Empty, or as long as the step's time marks (isa/time_marks.h): asks for them, in their order.
  std::span<uint64_t> time_marks;
  /// Time the launch is worth; 0: no end. A device that cannot be aborted ends it by then.
  std::chrono::nanoseconds time_limit{0};
};

enum class LaunchState : uint8_t {
  kDone,
  kAborted,      ///< `abort` was seen
  kCycleLimit,   ///< cut off by the device
  kTrapped,      ///< an instruction could not be executed
  kDeviceError,  ///< the device did not do its part: no completion, error state, failed transfer
};

/// How a launch ended. Reused from launch to launch: filled without allocating when all went well.
struct LaunchOutcome {
  LaunchState state = LaunchState::kDone;
  /// Unless kDone: what happened, complete but for the step: engine, instruction, disassembly, ONNX node, cause.
  Failure failure;
  /// Of a launch that was ended from outside, by abort or limit: where each engine stood; empty where not known.
  std::string reached;
  /// Modelled or measured cycles where the device knows them, else 0.
  uint64_t cycles = 0;
};

/// A place to make launches of one program. One thread at a time.
class Lane {
 public:
  virtual ~Lane() = default;
  /// Runs overlay step `step` for all `requests` (1…max_requests of the lane) in one launch and returns when it has
  /// ended.
  virtual void Launch(uint32_t step, std::span<const DeviceRequest* const> requests, const LaunchOptions& options,
                      LaunchOutcome& outcome) = 0;
};

class LoadedProgram {
 public:
  virtual ~LoadedProgram() = default;
  virtual Result<std::unique_ptr<Lane>> OpenLane(uint32_t max_requests) = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  virtual const std::string& name() const = 0;  ///< as given to OpenDevice
  virtual std::string description() const = 0;

  /// The configuration it has; none for a simulator that takes each program's own.
  virtual const std::optional<HardwareConfig>& config() const = 0;
  virtual uint64_t capabilities() const = 0;  ///< bits of isa/README.md, section 7
  virtual uint16_t isa_minor() const = 0;
  /// Launches worth having under way at a time.
  virtual uint32_t lanes() const = 0;

  virtual Result<std::unique_ptr<DeviceBuffer>> Allocate(uint64_t bytes) = 0;  ///< zeroed
  /// Memory for a user's api::Buffer, zeroed. `cacheable`: the host's view goes through its caches, quick to compute
  /// on, and syncs do the work; otherwise it does not, and syncs find nothing to do. A device with one kind keeps this.
  virtual Result<std::unique_ptr<DeviceBuffer>> AllocateShared(uint64_t bytes, bool cacheable) {
    static_cast<void>(cacheable);
    return Allocate(bytes);
  }
  /// The first `bytes` bytes of another driver's dma-buf, as they are: mapped for the host, addressable by the device.
  /// The descriptor stays the caller's and may be closed afterwards. Devices without dma-buf keep this.
  virtual Result<std::unique_ptr<DeviceBuffer>> Import(int fd, uint64_t bytes) {
    static_cast<void>(fd), static_cast<void>(bytes);
    return Failure{"device '" + name() + "' cannot import a dma-buf", "allocate a Buffer on it and copy"};
  }
  /// The program must have passed CheckProgram.
  virtual Result<std::unique_ptr<LoadedProgram>> Load(std::shared_ptr<const Program> program) = 0;

  /// The executor passes every launch through it; devices need not know.
  LaunchGate& gate() { return gate_; }

 private:
  LaunchGate gate_;
};

/// "sim", "sim:CONFIG[,check][,reference]", "xrt:N[,…]" (xrt_device.h); the grammar of api::Device::open.
Result<std::shared_ptr<Device>> OpenDevice(const std::string& name);

/// Whether `program` runs on `device`: the same functional configuration, no capability it lacks. The failure names the
/// fields that differ and the command that recompiles.
Status CheckProgram(const Device& device, const Program& program);

/// Capability bits in words.
std::string CapabilityText(uint64_t bits);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_DEVICE_H_
