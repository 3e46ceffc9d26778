#include "runtime/csim_device.h"

#include <dlfcn.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "isa/launch_image.h"
#include "overlay_hw/csim/api.h"
#include "simulator/prepared.h"
#include "simulator/simulator.h"

namespace xrun::runtime {
namespace {

namespace csim = hw::csim;

constexpr size_t kPage = 4096;
/// Addresses the overlay sees: each region has a range of its own.
constexpr uint64_t kRegionSpan = uint64_t{1} << 36;

class CsimBuffer final : public DeviceBuffer {
 public:
  explicit CsimBuffer(std::span<uint8_t> memory) { host_ = memory; }
  ~CsimBuffer() override { ::operator delete[](host_.data(), std::align_val_t{kPage}); }
  // Host and C-sim share the memory.
  Status SyncToDevice(uint64_t, uint64_t) override { return {}; }
  Status SyncFromDevice(uint64_t, uint64_t) override { return {}; }
};

std::string LibraryName(const std::string& config) { return "libxrun_csim_" + config + ".so"; }

/// Where libraries are looked for, best first.
std::vector<std::string> SearchPath() {
  std::vector<std::string> folders;
  if (const char* path = std::getenv("XRUN_CSIM_PATH"); path != nullptr && *path != '\0') folders.emplace_back(path);
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&OpenCsimDevice), &info) != 0 && info.dli_fname != nullptr) {
    std::error_code error;
    std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::filesystem::path here = std::filesystem::path(info.dli_fname).parent_path();
    for (const std::filesystem::path& folder : {here, self.parent_path()}) {
      if (folder.empty()) continue;
      folders.push_back(folder.string());
      folders.push_back((folder / ".." / "lib").string());
    }
  }
  return folders;
}

/// The library of a configuration, loaded once a process and kept.
Result<const csim::Api*> LoadApi(const HardwareConfig& config) {
  static std::mutex mutex;
  static std::vector<const csim::Api*> loaded;
  const std::lock_guard lock(mutex);
  const uint64_t fingerprint = Fingerprint(config);
  for (const csim::Api* api : loaded) {
    if (api->fingerprint == fingerprint) return api;
  }
  const std::string file = LibraryName(config.name);
  std::string path = file;
  for (const std::string& folder : SearchPath()) {
    const std::filesystem::path candidate = std::filesystem::path(folder) / file;
    std::error_code error;
    if (std::filesystem::exists(candidate, error)) {
      path = candidate.string();
      break;
    }
  }
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Failure{
        "no C-sim of configuration " + config.name + ": " + file + " was not found (" + std::string(dlerror()) + ")",
        "build it: cmake --build BUILD --target xrun_csim_" + config.name +
            ", for a configuration of your own with -DXRUN_CSIM_CONFIG=arch.json; XRUN_CSIM_PATH names "
            "another folder"};
  }
  const auto entry = reinterpret_cast<csim::EntryPoint>(dlsym(library, csim::kEntryPoint));
  const csim::Api* const api = entry == nullptr ? nullptr : entry();
  if (api == nullptr || api->version != csim::kCsimVersion) {
    dlclose(library);
    return Failure{path + " is not a C-sim library of this version", "build it again"};
  }
  if (api->fingerprint != fingerprint) {
    dlclose(library);
    return Failure{path + " is the C-sim of another configuration than '" + config.name + "' of this program",
                   "configurations need names of their own; build the library again with this description"};
  }
  loaded.push_back(api);
  return api;
}

struct Stall {
  std::string fifo;
  size_t after = 0;
};

/// The parts that all lanes share.
struct Prepared {
  std::shared_ptr<const Program> program;
  const csim::Api* api = nullptr;
  std::vector<std::vector<uint8_t>> images;
  /// For the timing model, which is the only clock there is.
  std::vector<std::shared_ptr<const simulator::PreparedStep>> steps;
  std::optional<Stall> stall;
};

class CsimLane final : public Lane {
 public:
  CsimLane(std::shared_ptr<const Prepared> prepared, uint32_t max_requests)
      : prepared_(std::move(prepared)),
        machine_(prepared_->api->create()),
        weights_(prepared_->program->weights.begin(), prepared_->program->weights.end()),
        table_(size_t{max_requests} * launch::kRequestBytes) {}

  void Launch(uint32_t step, std::span<const DeviceRequest* const> requests, const LaunchOptions& options,
              LaunchOutcome& outcome) override {
    assert(!requests.empty() && requests.size() * launch::kRequestBytes <= table_.size());
    outcome.state = LaunchState::kDone;
    outcome.cycles = 0;
    outcome.reached.clear();
    csim::LaunchInput input = {};
    if (Status status = SetTime(step, requests.size(), options, input); !status.ok()) {
      outcome.state = LaunchState::kDeviceError;
      outcome.failure = std::move(status).failure();
      return;
    }
    regions_.clear();
    const std::vector<uint8_t>& image = prepared_->images[step];
    // Nothing of these is written: the overlay has only reading clients there.
    image_ = image;
    status_.assign(launch::Get<uint32_t>(image, launch::kImageStatusBytes), 0);
    input.program = Add(image_);
    input.weights = Add(weights_);
    input.status = Add(status_);
    for (size_t r = 0; r < requests.size(); ++r) {
      for (size_t base = 0; base < kBaseRegisters; ++base) {
        const BufferRange& range = requests[r]->registers[base];
        const uint64_t address =
            range.buffer == nullptr ? 0 : Add(range.buffer->host().subspan(range.offset, range.bytes));
        launch::PutRegister(table_, r, base, address, range.buffer == nullptr ? 0 : range.bytes);
      }
    }
    input.requests = Add(table_);
    input.request_count = static_cast<uint32_t>(requests.size());
    input.flags = options.time_marks.empty() ? 0 : launch::kFlagTimeMarks;
    input.regions = regions_.data();
    input.region_count = regions_.size();
    input.abort = options.abort;
    if (prepared_->stall) {
      input.stall = prepared_->stall->fifo.c_str();
      input.stall_after = prepared_->stall->after;
    }
    csim::LaunchResult result;
    machine_->Run(input, result);
    Finish(step, static_cast<uint32_t>(requests.size()), result, outcome);
  }

 private:
  uint64_t Add(std::span<uint8_t> bytes) {
    regions_.push_back({(regions_.size() + 1) * kRegionSpan, bytes.data(), bytes.size()});
    return regions_.back().address;
  }

  /// Cycles, limit and time marks are the timing model's, as in the simulator: C-sim counts none.
  Status SetTime(uint32_t step, size_t requests, const LaunchOptions& options, csim::LaunchInput& input) const {
    std::fill(std::begin(input.instructions), std::end(input.instructions), ~uint64_t{0});
    input.cycle_limit = options.cycle_limit;
    const simulator::PreparedStep& prepared = *prepared_->steps[step];
    const uint32_t count = prepared.step().Requests(requests);
    if (options.cycle_limit != 0) {
      if (auto timing = prepared.Timing(count); timing.ok()) {
        input.cycles = (*timing)->cycles;
        if (input.cycles > options.cycle_limit) {
          XRUN_ASSIGN_OR_RETURN(const simulator::TimingReport cut,
                                simulator::SimulateTiming(prepared, {count, false, 0, options.cycle_limit}));
          std::copy(cut.instructions_done.begin(), cut.instructions_done.end(), input.instructions);
          input.cycles = 0;
        }
      }
    }
    if (!options.time_marks.empty()) {
      XRUN_RETURN_IF_ERROR(simulator::ModelTimeMarks(prepared, count, options.time_marks));
    }
    return {};
  }

  void Finish(uint32_t step, uint32_t count, const csim::LaunchResult& result, LaunchOutcome& outcome) {
    const Program& program = *prepared_->program;
    const auto fail = [&](LaunchState state, std::string text) {
      outcome.state = state;
      outcome.failure = Failure{std::move(text), ""};
    };
    if (!result.fault.empty()) return fail(LaunchState::kDeviceError, result.fault);
    auto page = launch::ReadStatusPage(status_);
    if (!page.ok()) return fail(LaunchState::kDeviceError, page.failure().message);
    outcome.cycles = page->cycles;
    if (page->state == launch::State::kDone) return;
    outcome.reached = launch::ProgressText(program, program.overlay_steps[step], *page, count);
    const std::string trap(TrapName(page->trap));
    if (!result.deadlock.empty()) {
      return fail(LaunchState::kCycleLimit, trap + ": " + result.deadlock + "; reached: " + outcome.reached);
    }
    if (page->trap == Trap::kAbort) return fail(LaunchState::kAborted, trap + "; reached: " + outcome.reached);
    if (page->trap == Trap::kCycleLimit) {
      return fail(LaunchState::kCycleLimit,
                  trap + ": not done after " + std::to_string(page->cycles) + " cycles; reached: " + outcome.reached);
    }
    const Engine engine = launch::TrappedEngine(*page);
    const std::string where = engine == kAnyEngine ? "" : " in the " + std::string(EngineName(engine)) + " engine";
    fail(LaunchState::kTrapped, trap + where + "; reached: " + outcome.reached);
    outcome.reached.clear();
  }

  const std::shared_ptr<const Prepared> prepared_;
  const std::unique_ptr<csim::Machine> machine_;
  std::vector<uint8_t> weights_, image_, table_, status_;
  std::vector<csim::Region> regions_;
};

class CsimProgram final : public LoadedProgram {
 public:
  explicit CsimProgram(std::shared_ptr<const Prepared> prepared) : prepared_(std::move(prepared)) {}
  Result<std::unique_ptr<Lane>> OpenLane(uint32_t max_requests) override {
    return std::unique_ptr<Lane>(std::make_unique<CsimLane>(prepared_, max_requests));
  }

 private:
  std::shared_ptr<const Prepared> prepared_;
};

class CsimDevice final : public Device {
 public:
  CsimDevice(std::string name, std::optional<HardwareConfig> config, std::optional<Stall> stall)
      : name_(std::move(name)), config_(std::move(config)), stall_(std::move(stall)) {}

  const std::string& name() const override { return name_; }
  std::string description() const override {
    return "C simulation of the overlay, " +
           (config_ ? "configuration " + config_->name : std::string("the program's configuration")) +
           ", one thread an engine";
  }
  const std::optional<HardwareConfig>& config() const override { return config_; }
  uint64_t capabilities() const override { return launch::kCapabilities; }
  uint16_t isa_minor() const override { return kIsaMinor; }
  uint32_t lanes() const override { return 1; }

  Result<std::unique_ptr<DeviceBuffer>> Allocate(uint64_t bytes) override {
    const auto size = static_cast<size_t>(std::max<uint64_t>(bytes, 1));
    if (size >= kRegionSpan)
      return Failure{"a buffer of " + std::to_string(bytes) + " bytes is too large for C-sim", ""};
    auto* memory = static_cast<uint8_t*>(::operator new[](size, std::align_val_t{kPage}, std::nothrow));
    if (memory == nullptr) {
      return Failure{"out of memory: a request of this program needs " + std::to_string(bytes) + " bytes on the device",
                     "fewer requests in flight need less"};
    }
    std::fill_n(memory, size, uint8_t{0});
    return std::unique_ptr<DeviceBuffer>(std::make_unique<CsimBuffer>(std::span<uint8_t>(memory, size)));
  }

  Result<std::unique_ptr<LoadedProgram>> Load(std::shared_ptr<const Program> program) override {
    auto prepared = std::make_shared<Prepared>();
    XRUN_ASSIGN_OR_RETURN(prepared->api, LoadApi(program->config));
    for (const OverlayStep& step : program->overlay_steps) {
      prepared->images.push_back(launch::BuildImage(*program, step));
      prepared->steps.push_back(simulator::Prepare(*program, step));
    }
    prepared->program = std::move(program);
    prepared->stall = stall_;
    return std::unique_ptr<LoadedProgram>(std::make_unique<CsimProgram>(std::move(prepared)));
  }

 private:
  std::string name_;
  std::optional<HardwareConfig> config_;
  std::optional<Stall> stall_;
};

}  // namespace

Result<std::shared_ptr<Device>> OpenCsimDevice(const std::string& name) {
  const std::string where = "device '" + name + "'";
  std::optional<HardwareConfig> config;
  std::optional<Stall> stall;
  const size_t colon = name.find(':');
  std::string rest = colon == std::string::npos ? "" : name.substr(colon + 1);
  if (colon != std::string::npos && rest.empty()) {
    return Failure{where + ": nothing after the colon", "for example csim or csim:B512"};
  }
  while (!rest.empty()) {
    const std::string word = rest.substr(0, rest.find(','));
    rest.erase(0, word.size() + 1);
    if (word.rfind("stall=", 0) == 0) {
      const size_t middle = word.rfind(':');
      Stall s;
      const char* const end = word.data() + word.size();
      if (middle == std::string::npos || middle < 6 ||
          std::from_chars(word.data() + middle + 1, end, s.after).ptr != end || middle + 1 == word.size()) {
        return Failure{where + ": '" + word + "' is not stall=FIFO:ITEMS", "for example stall=token_load_conv:3"};
      }
      s.fifo = word.substr(6, middle - 6);
      stall = std::move(s);
    } else if (config) {
      return Failure{where + ": unknown option '" + word + "'", "after the configuration: stall=FIFO:ITEMS"};
    } else {
      auto found = FindConfig(word);
      if (!found.ok()) return std::move(found).failure().In(where);
      config = std::move(found).value();
    }
  }
  if (config) {
    if (auto api = LoadApi(*config); !api.ok()) return std::move(api).failure().In(where);
  }
  return std::shared_ptr<Device>(std::make_shared<CsimDevice>(name, std::move(config), std::move(stall)));
}

}  // namespace xrun::runtime
