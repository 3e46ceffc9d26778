#include "runtime/sim_device.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <thread>
#include <vector>

#include "isa/launch.h"
#include "runtime/io/suggest.h"
#include "runtime/mapped_memory.h"
#include "simulator/simulator.h"

namespace xrun::runtime {
namespace {

constexpr size_t kPage = 4096;

class SimBuffer final : public DeviceBuffer {
 public:
  explicit SimBuffer(std::span<uint8_t> memory) { host_ = memory; }
  ~SimBuffer() override { ::operator delete[](host_.data(), std::align_val_t{kPage}); }
  // Host and simulator share the memory.
  Status SyncToDevice(uint64_t, uint64_t) override { return {}; }
  Status SyncFromDevice(uint64_t, uint64_t) override { return {}; }
};

/// Memory with a descriptor, to be shared with others.
class SimSharedBuffer final : public DeviceBuffer {
 public:
  explicit SimSharedBuffer(std::unique_ptr<MappedMemory> memory) : memory_(std::move(memory)) {
    host_ = memory_->bytes();
  }
  static Result<std::unique_ptr<DeviceBuffer>> Make(Result<std::unique_ptr<MappedMemory>> memory) {
    if (!memory.ok()) return std::move(memory).failure();
    return std::unique_ptr<DeviceBuffer>(std::make_unique<SimSharedBuffer>(std::move(memory).value()));
  }
  Status SyncToDevice(uint64_t, uint64_t) override { return {}; }
  Status SyncFromDevice(uint64_t, uint64_t) override { return {}; }
  Result<int> Export() const override { return memory_->Duplicate(); }

 private:
  std::unique_ptr<MappedMemory> memory_;
};

LaunchState StateOf(Trap trap) {
  switch (trap) {
    case Trap::kAbort:
      return LaunchState::kAborted;
    case Trap::kCycleLimit:
      return LaunchState::kCycleLimit;
    default:
      return LaunchState::kTrapped;
  }
}

/// The parts that all lanes share: decoded once.
struct Prepared {
  std::shared_ptr<const Program> program;
  std::vector<std::shared_ptr<const simulator::PreparedStep>> steps;
};

class SimLane final : public Lane {
 public:
  SimLane(std::shared_ptr<const Prepared> prepared, const simulator::RunOptions& options, uint32_t max_requests)
      : prepared_(std::move(prepared)), options_(options), machine_(prepared_->program->config), table_(max_requests) {}

  void Launch(uint32_t step, std::span<const DeviceRequest* const> requests, const LaunchOptions& options,
              LaunchOutcome& outcome) override {
    assert(!requests.empty() && requests.size() <= table_.size());
    for (size_t r = 0; r < requests.size(); ++r) {
      for (size_t i = 0; i < kBaseRegisters; ++i) {
        const BufferRange& range = requests[r]->registers[i];
        table_[r].registers[i] =
            range.buffer == nullptr ? std::span<uint8_t>{} : range.buffer->host().subspan(range.offset, range.bytes);
      }
    }
    simulator::RunOptions run = options_;
    run.abort = options.abort;
    run.cycle_limit = options.cycle_limit;
    run.time_marks = options.time_marks;
    report_ = {};
    Status status = machine_.Run(*prepared_->steps[step], {table_.data(), requests.size()}, run, &report_);
    outcome.cycles = report_.cycles;
    outcome.state = LaunchState::kDone;
    if (status.ok()) return;
    const simulator::TrapInfo& trap = report_.trap;
    outcome.state = trap.trap == Trap::kNone ? LaunchState::kDeviceError : StateOf(trap.trap);
    outcome.failure = std::move(status).failure();
    if (trap.engine != kAnyEngine && !trap.prologue) {
      const Program& program = *prepared_->program;
      const std::string node = NodeOf(program, program.overlay_steps[step], trap.engine, trap.index);
      if (!node.empty()) outcome.failure = std::move(outcome.failure).In("node '" + node + "'");
    }
  }

 private:
  std::shared_ptr<const Prepared> prepared_;
  simulator::RunOptions options_;
  simulator::Machine machine_;
  std::vector<simulator::LaunchRequest> table_;
  simulator::LaunchReport report_;
};

class SimProgram final : public LoadedProgram {
 public:
  SimProgram(std::shared_ptr<const Prepared> prepared, const simulator::RunOptions& options)
      : prepared_(std::move(prepared)), options_(options) {}
  Result<std::unique_ptr<Lane>> OpenLane(uint32_t max_requests) override {
    return std::unique_ptr<Lane>(std::make_unique<SimLane>(prepared_, options_, max_requests));
  }

 private:
  std::shared_ptr<const Prepared> prepared_;
  simulator::RunOptions options_;
};

class SimDevice final : public Device {
 public:
  SimDevice(std::string name, std::optional<HardwareConfig> config, const simulator::RunOptions& options)
      : name_(std::move(name)), config_(std::move(config)), options_(options) {}

  const std::string& name() const override { return name_; }
  std::string description() const override {
    return "instruction-level simulator, " +
           (config_ ? "configuration " + config_->name : std::string("any configuration")) + ", " +
           simulator::KernelName() + " kernels";
  }
  const std::optional<HardwareConfig>& config() const override { return config_; }
  uint64_t capabilities() const override { return launch::kCapabilities; }
  uint16_t isa_minor() const override { return kIsaMinor; }
  uint32_t lanes() const override { return std::max(1U, std::thread::hardware_concurrency()); }

  Result<std::unique_ptr<DeviceBuffer>> Allocate(uint64_t bytes) override {
    const auto size = static_cast<size_t>(std::max<uint64_t>(bytes, 1));
    auto* memory = static_cast<uint8_t*>(::operator new[](size, std::align_val_t{kPage}, std::nothrow));
    if (memory == nullptr) {
      return Failure{"out of memory: a request of this program needs " + std::to_string(bytes) + " bytes on the device",
                     "fewer requests in flight need less"};
    }
    std::fill_n(memory, size, uint8_t{0});
    return std::unique_ptr<DeviceBuffer>(std::make_unique<SimBuffer>(std::span<uint8_t>(memory, size)));
  }

  Result<std::unique_ptr<DeviceBuffer>> AllocateShared(uint64_t bytes, bool) override {
    return SimSharedBuffer::Make(MappedMemory::Create(bytes));
  }
  Result<std::unique_ptr<DeviceBuffer>> Import(int fd, uint64_t bytes) override {
    return SimSharedBuffer::Make(MappedMemory::Map(fd, bytes));
  }

  Result<std::unique_ptr<LoadedProgram>> Load(std::shared_ptr<const Program> program) override {
    auto prepared = std::make_shared<Prepared>();
    for (const OverlayStep& step : program->overlay_steps)
      prepared->steps.push_back(simulator::Prepare(*program, step));
    prepared->program = std::move(program);
    return std::unique_ptr<LoadedProgram>(std::make_unique<SimProgram>(std::move(prepared), options_));
  }

 private:
  std::string name_;
  std::optional<HardwareConfig> config_;
  simulator::RunOptions options_;
};

}  // namespace

Result<std::shared_ptr<Device>> OpenSimDevice(const std::string& name) {
  simulator::RunOptions options;
  options.checks = simulator::CheckLevel::kLimits;
  std::optional<HardwareConfig> config;
  const size_t colon = name.find(':');
  std::string rest = colon == std::string::npos ? "" : name.substr(colon + 1);
  if (colon != std::string::npos && rest.empty()) {
    return Failure{"device '" + name + "': nothing after the colon", "for example sim, sim:B4096 or sim:check"};
  }
  while (!rest.empty()) {
    const std::string word = rest.substr(0, rest.find(','));
    rest.erase(0, word.size() + 1);
    if (word == "check") {
      options.checks = simulator::CheckLevel::kFull;
    } else if (word == "reference") {
      options.path = simulator::Path::kReference;
    } else if (config) {
      return Failure{"device '" + name + "': unknown option '" + word + "'",
                     "after the configuration: check, reference"};
    } else {
      auto found = FindConfig(word);
      if (!found.ok()) return std::move(found).failure().In("device '" + name + "'");
      config = std::move(found).value();
    }
  }
  return std::shared_ptr<Device>(std::make_shared<SimDevice>(name, std::move(config), options));
}

}  // namespace xrun::runtime
