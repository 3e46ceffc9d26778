// The concurrent overlay as C++: every process of wiring.def a thread, every FIFO bounded, every memory port counted.
// Compiled once for each configuration, -DXRUN_HW_CONFIG=…; what leaves the library is xrun_csim().

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "isa/launch.h"
#include "overlay_hw/control.h"
#include "overlay_hw/csim/api.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
#include "overlay_hw/csim/wiring.inc"

namespace {

/// Rounds a process polls in vain, with nothing moving anywhere meanwhile, until it is taken for blocked. Two are
/// proof: the first may have begun before the last thing moved.
constexpr uint64_t kRoundsInVain = 3;
constexpr std::chrono::microseconds kFirstLook{200}, kLastLook{5000};
/// Beyond any limit: the hour at which whoever still waits has waited too long.
constexpr uint64_t kNoLimit = uint64_t{1} << 62, kTooLate = uint64_t{1} << 63;
constexpr const char* kEngineNames[kEngines] = {"load", "conv", "vector", "save"};

template <typename Memory, uint32_t kPortBanks>
void ResetCount(Port<Memory, kPortBanks>& port) {
  port.count = csim::PortCount(kPortBanks);
}

class ThreadedMachine final : public csim::Machine {
 public:
  void Run(const csim::LaunchInput& input, csim::LaunchResult& result) override {
    result = csim::LaunchResult();
    Reset(input, result);
    if (!result.fault.empty()) return;
    const Launch launch = {{input.program, input.weights, input.requests, input.status, input.request_count},
                           input.cycle_limit == 0 ? kNoLimit : input.cycle_limit,
                           {&flags_, &clock_}};
    std::vector<std::thread> threads;
    running_ = input.request_count == 0 ? 1 : Wiring::kProcesses;
    // The launch that only identifies starts nothing but the control.
    for (size_t p = 0; p < (input.request_count == 0 ? 1 : Wiring::kProcesses); ++p) {
      threads.emplace_back([this, p, &launch] { RunProcess(p, launch); });
    }
    Watch(input, result);
    for (std::thread& t : threads) t.join();
    if (!result.deadlock.empty() && input.cycle_limit == 0) ClearCycles(input);
    CountPorts(result);
    CountDram(result);
  }

 private:
  struct Snapshot {
    size_t moved = 0;
    std::array<uint32_t, kEngines * kReportFields> reports{};
    uint32_t acquired = 0;
    std::array<bool, Wiring::kProcesses> ended{};
    bool operator==(const Snapshot& o) const {
      return moved == o.moved && reports == o.reports && acquired == o.acquired && ended == o.ended;
    }
  };

  void Reset(const csim::LaunchInput& input, csim::LaunchResult& result) {
    bool known = input.stall == nullptr;
    wiring_->VisitFifos([&](const char* name, auto& fifo) {
      fifo.clear();
      if (input.stall != nullptr && std::strcmp(name, input.stall) == 0) {
        fifo.limit_reads(input.stall_after);
        known = true;
      }
    });
    if (!known) result.fault = std::string("no FIFO of the overlay is called ") + input.stall;
    wiring_->VisitPorts([](const char*, auto& port) { ResetCount(port); });
    wiring_->stop = false;
    wiring_->ring_end = false;
    wiring_->rows_acquired = 0;
    for (EngineReport& report : wiring_->control_reports) {
      for (auto& field : report.field) field = 0;
    }
    for (auto& rounds : rounds_) rounds = 0;
    for (auto& ended : ended_) ended = false;
    flags_ = input.flags;
    clock_ = input.cycles;
    wiring_->gmem.Clear();
    wiring_->VisitRouters([](const char*, auto& router) { router.Clear(); });
    for (csim::DramMaster& master : wiring_->gmem_master) master.Clear();
    for (size_t i = 0; i < input.region_count; ++i) {
      wiring_->gmem.AddRegion(input.regions[i].address, input.regions[i].data, input.regions[i].bytes);
    }
    if (input.request_count != 0) LimitInstructions(input);
  }

  /// Lets each engine have as many instructions as it finishes in time. Of a request come the packets of its registers
  /// and of the beginning of its body, then its instructions.
  void LimitInstructions(const csim::LaunchInput& input) {
    PacketStream* const streams[kEngines] = {&wiring_->load_packets, &wiring_->conv_packets, &wiring_->vector_packets,
                                             &wiring_->save_packets};
    constexpr uint64_t kRegisterPackets = kBaseRegisters / 4;
    for (uint32_t e = 0; e < kEngines; ++e) {
      if (input.instructions[e] == ~uint64_t{0}) continue;
      const uint64_t entry = input.program + launch::kImageStreams + launch::kImageStreamBytes * e;
      DramReadPort dram = &wiring_->control_dram_in;
      ByteReader reader;
      const uint64_t prologue = ReadUint32(dram, reader, entry + launch::kStreamPrologue);
      const uint64_t body = ReadUint32(dram, reader, entry + launch::kStreamBody);
      uint64_t left = input.instructions[e], packets = kRegisterPackets + std::min(prologue, left);
      if (left >= prologue) {
        left -= prologue;
        ++packets;
        const uint64_t whole = body == 0 ? 0 : left / body;
        // A request that is done lets the next begin; after the last comes the end.
        packets += body == 0 ? 0 : whole * (body + kRegisterPackets + 1) + left % body;
        if (body == 0 || whole >= input.request_count) packets = ~uint64_t{0};
      }
      streams[e]->limit_reads(packets);
    }
  }

  void RunProcess(size_t process, const Launch& launch) {
    csim::IdleRounds() = &rounds_[process];
    wiring_->Run(process, launch);
    csim::IdleRounds() = nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_[process].store(true, std::memory_order_release);
    --running_;
    changed_.notify_all();
  }

  Snapshot Look() {
    Snapshot s;
    for (size_t p = 0; p < s.ended.size(); ++p) s.ended[p] = ended_[p].load(std::memory_order_acquire);
    wiring_->VisitFifos([&](const char*, auto& fifo) { s.moved += fifo.moved(); });
    for (uint32_t e = 0; e < kEngines; ++e) {
      for (uint32_t f = 0; f < kReportFields; ++f) {
        s.reports[e * kReportFields + f] = ReadReport(wiring_->control_reports[e], static_cast<ReportField>(f));
      }
    }
    s.acquired = wiring_->rows_acquired.load(std::memory_order_acquire);
    return s;
  }

  /// Passes aborts on, and finds out when nothing can move any more.
  void Watch(const csim::LaunchInput& input, csim::LaunchResult& result) {
    using Rounds = std::array<uint64_t, Wiring::kProcesses>;
    const auto rounds = [this] {
      Rounds now{};
      for (size_t p = 0; p < now.size(); ++p) now[p] = rounds_[p].load(std::memory_order_acquire);
      return now;
    };
    // Rounds are read after the first look and before the second: those between them fell into a time in which nothing
    // moved.
    Snapshot before = Look();
    Rounds polled = rounds();
    bool late = false;
    std::chrono::microseconds look = kFirstLook;
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        if (changed_.wait_for(lock, look, [&] { return running_ == 0; })) return;
      }
      look = std::min(2 * look, kLastLook);
      if (input.abort != nullptr && input.abort->load(std::memory_order_relaxed)) {
        flags_.store(input.flags | launch::kFlagAbort, std::memory_order_relaxed);
      }
      const Rounds now = rounds();
      const Snapshot seen = Look();
      if (!(seen == before)) {
        before = seen;
        polled = rounds();
        continue;
      }
      bool blocked = !late && !wiring_->stop.load(std::memory_order_acquire);
      for (size_t p = 0; p < now.size(); ++p) {
        if (!before.ended[p] && now[p] < polled[p] + kRoundsInVain) blocked = false;
      }
      if (!blocked) continue;
      late = true;
      if (std::all_of(input.instructions, input.instructions + kEngines,
                      [](uint64_t n) { return n == ~uint64_t{0}; })) {
        result.deadlock = DescribeDeadlock();
      }
      clock_.store(kTooLate, std::memory_order_release);  // hardware waits until its limit
    }
  }

  std::string DescribeDeadlock() {
    std::string text;
    TokenStream* const to[kEngines] = {wiring_->load_to, wiring_->conv_to, wiring_->vector_to, wiring_->save_to};
    for (uint32_t e = 0; e < kEngines; ++e) {
      EngineReport& report = wiring_->control_reports[e];
      if (ReadReport(report, kReportFinished) != 0) continue;
      text += (text.empty() ? "deadlock: " : "; ") + std::string(kEngineNames[e]) + " (request " +
              std::to_string(ReadReport(report, kReportRequest)) + ", instruction " +
              std::to_string(ReadReport(report, kReportCompleted)) + ") waits for";
      const uint32_t waiting = ReadReport(report, kReportWaiting);
      bool any = false;
      const auto add = [&](const std::string& what) {
        text += (any ? " and " : " ") + what;
        any = true;
      };
      for (uint32_t other = 0; other < kEngines; ++other) {
        if ((waiting >> other & 1) == 0) continue;
        add((to[e][other].size() < kTokenLimit ? "a token from " : "a full counter of ") +
            std::string(kEngineNames[other]));
      }
      if ((waiting & launch::kWaitingRing) != 0) add("free rows of the weight ring");
      if ((waiting & launch::kWaitingDram) != 0) add("instructions from DRAM");
      if (!any) add("nothing it tells of");
    }
    return text.empty() ? "deadlock: every engine has ended, the launch control has not" : text;
  }

  /// A launch without a limit has no count of cycles to speak of.
  void ClearCycles(const csim::LaunchInput& input) {
    const uint64_t at = input.status + launch::kStatusCycles;
    for (size_t i = 0; i < input.region_count; ++i) {
      const csim::Region& r = input.regions[i];
      if (at >= r.address && at + 8 <= r.address + r.bytes) std::memset(r.data + (at - r.address), 0, 8);
    }
  }

  void CountPorts(csim::LaunchResult& result) {
    wiring_->VisitPorts([&](const char* name, const auto& port) {
      result.accesses += port.count.accesses;
      if (port.count.violations == 0 || !result.fault.empty()) return;
      result.fault = std::string("memory port ") + name + " was used more than once in a cycle, " +
                     std::to_string(port.count.violations) + " times";
    });
  }

  void CountDram(csim::LaunchResult& result) {
    for (uint32_t i = 0; i < kDramPorts; ++i) {
      const csim::DramMaster& master = wiring_->gmem_master[i];
      result.dram_beats[i] = master.beats;
      if (master.strays == 0 || !result.fault.empty()) continue;
      result.fault =
          "DRAM port " + std::to_string(i) + " got beats of another port, " + std::to_string(master.strays) + " times";
    }
    wiring_->VisitRouters([&](const char* name, const auto& router) {
      if (router.under_way() == 0 || !result.fault.empty()) return;
      result.fault = std::string("the launch ended with DRAM transfers of ") + name + " under way";
    });
  }

  const std::unique_ptr<Wiring> wiring_ = std::make_unique<Wiring>();
  std::atomic<uint32_t> flags_{0};
  std::atomic<uint64_t> clock_{0};
  std::array<std::atomic<uint64_t>, Wiring::kProcesses> rounds_{};
  std::array<std::atomic<bool>, Wiring::kProcesses> ended_{};
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t running_ = 0;
};

csim::Machine* Create() { return new ThreadedMachine; }

constexpr csim::Api kApi = {csim::kCsimVersion, kConfig.fingerprint, kConfig.name, &Create};

}  // namespace
}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

extern "C" __attribute__((visibility("default"))) const xrun::hw::csim::Api* xrun_csim() {
  return &xrun::hw::XRUN_HW_CONFIG::kApi;
}
