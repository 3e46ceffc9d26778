#include "runtime/xrt_device.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "isa/time_marks.h"
#include "runtime/xrt_board.h"

namespace xrun::runtime {
namespace {

/// Launches queued for a unit: one runs while the next one's request table and buffers are on their way.
constexpr uint32_t kLanesPerUnit = 2;

class XrtProgram final : public LoadedProgram {
 public:
  explicit XrtProgram(std::shared_ptr<const XrtProgramMemory> memory) : memory_(std::move(memory)) {}
  Result<std::unique_ptr<Lane>> OpenLane(uint32_t max_requests) override {
    XRUN_ASSIGN_OR_RETURN(auto slot, memory_->board->MakeSlot(max_requests, memory_->status_bytes));
    return MakeXrtLane(memory_, max_requests, std::move(slot));
  }

 private:
  const std::shared_ptr<const XrtProgramMemory> memory_;
};

class XrtDevice final : public Device {
 public:
  XrtDevice(std::string name, XrtOptions options, std::shared_ptr<XrtBoard> board)
      : name_(std::move(name)),
        options_(std::move(options)),
        board_(std::move(board)),
        config_(board_->identity().config) {}

  const std::string& name() const override { return name_; }
  std::string description() const override {
    const uint32_t units = board_->units();
    return "XRT device " + std::to_string(board_->index()) + ", " + std::to_string(units) +
           (units == 1 ? " unit" : " units") + " of the overlay, configuration " + config_->name + " at " +
           std::to_string(config_->clock_mhz) + " MHz";
  }
  const std::optional<HardwareConfig>& config() const override { return config_; }
  uint64_t capabilities() const override { return board_->identity().capabilities; }
  uint16_t isa_minor() const override { return board_->identity().isa_minor; }
  uint32_t lanes() const override { return kLanesPerUnit * board_->units(); }

  Result<std::unique_ptr<DeviceBuffer>> Allocate(uint64_t bytes) override { return Zeroed(bytes, true, false); }
  Result<std::unique_ptr<DeviceBuffer>> AllocateShared(uint64_t bytes, bool cacheable) override {
    return Zeroed(bytes, cacheable, true);
  }
  Result<std::unique_ptr<DeviceBuffer>> Import(int descriptor, uint64_t bytes) override {
    XRUN_ASSIGN_OR_RETURN(xrt::bo memory, board_->Import(descriptor, bytes));
    XRUN_ASSIGN_OR_RETURN(auto buffer, Wrap(std::move(memory), bytes, true));
    return std::unique_ptr<DeviceBuffer>(std::move(buffer));
  }

  Result<std::unique_ptr<LoadedProgram>> Load(std::shared_ptr<const Program> program) override {
    XRUN_ASSIGN_OR_RETURN(auto memory, LoadMemory(std::move(program)));
    return std::unique_ptr<LoadedProgram>(std::make_unique<XrtProgram>(std::move(memory)));
  }

  Result<std::shared_ptr<const XrtProgramMemory>> LoadMemory(std::shared_ptr<const Program> program) {
    auto memory = std::make_shared<XrtProgramMemory>();
    memory->board = board_;
    memory->options = options_;
    XRUN_ASSIGN_OR_RETURN(memory->weights, Upload(program->weights));
    for (const OverlayStep& step : program->overlay_steps) {
      XRUN_ASSIGN_OR_RETURN(xrt::bo image, Upload(launch::BuildImage(*program, step)));
      memory->images.push_back(std::move(image));
      memory->status_bytes = std::max(memory->status_bytes, TimeMarksOf(step).StatusBytes());
    }
    memory->program = std::move(program);
    return std::shared_ptr<const XrtProgramMemory>(std::move(memory));
  }

  XrtBoard& board() const { return *board_; }

 private:
  Result<std::unique_ptr<XrtBuffer>> Wrap(xrt::bo memory, uint64_t bytes, bool shared) {
    return board_->Try("mapping a buffer", [&] {
      return std::make_unique<XrtBuffer>(board_, std::move(memory), std::max<uint64_t>(bytes, 1), shared);
    });
  }
  Result<std::unique_ptr<DeviceBuffer>> Zeroed(uint64_t bytes, bool cacheable, bool shared) {
    XRUN_ASSIGN_OR_RETURN(xrt::bo memory, board_->Allocate(bytes, cacheable));
    XRUN_ASSIGN_OR_RETURN(auto buffer, Wrap(std::move(memory), bytes, shared));
    std::fill(buffer->host().begin(), buffer->host().end(), uint8_t{0});
    XRUN_RETURN_IF_ERROR(buffer->SyncToDevice(0, buffer->host().size()));
    return std::unique_ptr<DeviceBuffer>(std::move(buffer));
  }
  Result<xrt::bo> Upload(std::span<const uint8_t> bytes) {
    XRUN_ASSIGN_OR_RETURN(xrt::bo memory, board_->Allocate(bytes.size()));
    XRUN_RETURN_IF_ERROR(board_->Try("loading a program", [&] {
      auto* host = memory.map<uint8_t*>();
      std::copy(bytes.begin(), bytes.end(), host);
      memory.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    }));
    return memory;
  }

  const std::string name_;
  const XrtOptions options_;
  const std::shared_ptr<XrtBoard> board_;
  const std::optional<HardwareConfig> config_;
};

template <typename T>
bool ParseNumber(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<XrtOptions> ParseXrtName(const std::string& name) {
  const auto bad = [&](const std::string& what) {
    return Failure{"device '" + name + "': " + what,
                   "for example xrt:0 or xrt:0,xclbin=overlay.xclbin,limit=2; options are xclbin=FILE, unit=NAME, "
                   "limit=SECONDS, verify"};
  };
  XrtOptions options;
  const size_t colon = name.find(':');
  if (colon == std::string::npos) return bad("the number of the device is missing");
  std::string rest = name.substr(colon + 1);
  for (bool first = true; first || !rest.empty(); first = false) {
    const std::string word = rest.substr(0, rest.find(','));
    rest.erase(0, word.size() + 1);
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (first) {
      if (!ParseNumber(word, options.index)) return bad("'" + word + "' is no number of a device");
    } else if (key == "xclbin" && !value.empty()) {
      options.xclbin = value;
    } else if (key == "unit" && !value.empty()) {
      options.unit = value;
    } else if (key == "limit") {
      double seconds = 0;
      if (!ParseNumber(value, seconds) || !(seconds >= 0.001 && seconds <= 3600)) {
        return bad("limit must be 0.001 to 3600 seconds");
      }
      options.limit = std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
    } else if (word == "verify") {
      options.verify = true;
    } else {
      return bad("unknown option '" + word + "'");
    }
  }
  if (options.xclbin.empty()) {
    if (const char* path = std::getenv("XRUN_XCLBIN")) options.xclbin = path;
  }
  return options;
}

Result<std::shared_ptr<Device>> OpenXrtDevice(const std::string& name) {
  XRUN_ASSIGN_OR_RETURN(const XrtOptions options, ParseXrtName(name));
  XRUN_ASSIGN_OR_RETURN(auto board, XrtBoard::Open(name, options));
  return std::shared_ptr<Device>(std::make_shared<XrtDevice>(name, options, std::move(board)));
}

Result<unsigned> CountXrtDevices() {
  try {
    return xrt::system::enumerate_devices();
  } catch (const std::exception& error) {
    return Failure{std::string("XRT: ") + error.what(), ""};
  }
}

Result<std::vector<double>> TimePlainXrt(Device& device, std::shared_ptr<const Program> program, unsigned launches) {
  auto* xrt = dynamic_cast<XrtDevice*>(&device);
  if (xrt == nullptr) return Failure{"device '" + device.name() + "' is no XRT device", ""};
  XRUN_ASSIGN_OR_RETURN(const auto memory, xrt->LoadMemory(std::move(program)));
  XRUN_ASSIGN_OR_RETURN(const auto slot, xrt->board().MakeSlot(1, memory->status_bytes));
  std::vector<double> times;
  XRUN_RETURN_IF_ERROR(xrt->board().Try("timing XRT", [&] {
    slot->memory.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    slot->run.set_arg(0, memory->images.at(0));
    slot->run.set_arg(1, memory->weights);
    slot->run.set_arg(4, uint32_t{1});
    slot->run.set_arg(5, uint64_t{0});
    slot->run.set_arg(6, uint32_t{0});
    for (unsigned i = 0; i < launches; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      slot->run.start();
      slot->run.wait();
      times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
    }
  }));
  return times;
}

void ReapXrtLaunches() { XrtBoard::Reap(); }

Result<XrtReport> ReportXrtDevice(const Device& device) {
  const auto* xrt = dynamic_cast<const XrtDevice*>(&device);
  if (xrt == nullptr) return Failure{"device '" + device.name() + "' is no XRT device", ""};
  return xrt->board().Report();
}

}  // namespace xrun::runtime
