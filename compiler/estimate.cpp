#include "compiler/estimate.h"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <vector>

#include "isa/timing.h"

namespace xrun::compiler {
namespace {

/// What is needed of an instruction, once.
struct Item {
  uint32_t wait = 0, signal = 0, acquire = 0, release = 0;
  double own = 0;
  std::array<double, 2> port{};  ///< cycles
  bool reads = false;
  bool late = false;
};

Item ItemOf(const Instruction& instruction, const HardwareConfig& config) {
  Item item;
  item.wait = HeaderOf(instruction).wait;
  item.signal = HeaderOf(instruction).signal;
  item.acquire = AcquireOf(instruction);
  if (const auto* conv = std::get_if<Conv>(&instruction)) item.release = conv->release;
  item.own = static_cast<double>(CyclesOf(instruction, config).total()) + config.decode_cycles;
  const DramTransfer transfer = DramOf(instruction, config);
  for (size_t p = 0; p < 2; ++p) {
    item.port[p] = static_cast<double>(transfer.port_beats[p]) * 100.0 / config.dram_efficiency;
    // Many short bursts: the port waits for those under way.
    if (transfer.write || transfer.port_bursts[p] <= config.dram_outstanding) continue;
    const double under_way = static_cast<double>(transfer.port_bursts[p] * config.dram_read_latency) + item.port[p];
    item.port[p] = std::max(item.port[p], under_way / config.dram_outstanding);
  }
  item.reads = transfer.bytes != 0 && !transfer.write;
  item.late = HeaderOf(instruction).late != 0;
  return item;
}

class Play {
 public:
  Play(bool staggered, uint32_t requests, const HardwareConfig& config)
      : config_(config),
        staggered_(staggered),
        entries_(requests + (staggered ? 1 : 0)),
        ring_free_(config.weight_rows) {}

  void AddPrologue(size_t from, const Instruction& sync) {
    for (size_t to = 0; to < kEngines; ++to) {
      if ((HeaderOf(sync).signal >> to & 1) != 0) tokens_[from][to].push_back(0);
    }
  }
  void Add(size_t engine, const Instruction& instruction) { items_[engine].push_back(ItemOf(instruction, config_)); }

  /// Told of each instruction that was not idle: engine, index in the body, start, end.
  std::function<void(size_t, size_t, double, double)> observer;

  /// When the last engine is done.
  double Finish() {
    for (;;) {
      double start = 0;
      size_t engine = kEngines;
      for (size_t e = 0; e < kEngines; ++e) {
        if (items_[e].empty() || next_[e] == items_[e].size() * entries_) continue;
        const double at = StartOf(e);
        if (at >= 0 && (engine == kEngines || at < start)) {
          start = at;
          engine = e;
        }
      }
      if (engine == kEngines) break;
      Execute(engine, start);
    }
    return *std::max_element(free_.begin(), free_.end());
  }

 private:
  const Item& Next(size_t engine) const { return items_[engine][next_[engine] % items_[engine].size()]; }

  /// Negative: not yet known.
  double StartOf(size_t engine) const {
    const Item& item = Next(engine);
    double start = free_[engine];
    for (size_t from = 0; from < kEngines; ++from) {
      if ((item.wait >> from & 1) == 0) continue;
      if (tokens_[from][engine].empty()) return -1;
      start = std::max(start, tokens_[from][engine].front());
    }
    uint64_t rows = ring_free_;
    for (size_t i = 0; rows < item.acquire; ++i) {
      if (i == releases_.size()) return -1;
      rows += releases_[i].second;
      start = std::max(start, releases_[i].first);
    }
    return start;
  }

  void Execute(size_t engine, double start) {
    const Item& item = Next(engine);
    for (size_t from = 0; from < kEngines; ++from) {
      if ((item.wait >> from & 1) != 0) tokens_[from][engine].pop_front();
    }
    while (ring_free_ < item.acquire) {
      ring_free_ += releases_.front().second;
      releases_.pop_front();
    }
    ring_free_ -= item.acquire;
    const auto entry = static_cast<uint32_t>(next_[engine] / items_[engine].size());
    const bool idle = launch::IsIdle(staggered_, item.late, entry, entries_);
    double done = start + (idle ? config_.decode_cycles : item.own);
    for (size_t p = 0; p < 2; ++p) {
      if (item.port[p] == 0 || idle) continue;
      port_free_[p] = std::max(port_free_[p], start + config_.decode_cycles) + item.port[p];
      done = std::max(done, port_free_[p] + (item.reads ? config_.dram_read_latency : config_.dram_write_response));
    }
    for (size_t to = 0; to < kEngines; ++to) {
      if ((item.signal >> to & 1) != 0) tokens_[engine][to].push_back(done + config_.token_cycles);
    }
    if (item.release != 0) releases_.emplace_back(done + config_.token_cycles, item.release);
    if (observer && !idle) observer(engine, next_[engine] % items_[engine].size(), start, done);
    free_[engine] = done;
    ++next_[engine];
  }

  const HardwareConfig& config_;
  const bool staggered_;
  const uint32_t entries_;
  std::array<std::vector<Item>, kEngines> items_;
  std::array<size_t, kEngines> next_{};
  std::array<double, kEngines> free_{};
  std::array<double, 2> port_free_{};
  std::array<std::array<std::deque<double>, kEngines>, kEngines> tokens_;
  uint64_t ring_free_;
  std::deque<std::pair<double, uint32_t>> releases_;
};

}  // namespace

double EstimateCycles(const Schedule& schedule, const HardwareConfig& config) {
  Play play(schedule.stagger.has_value(), kEstimatedRequests, config);
  for (size_t from = 0; from < kEngines; ++from) {
    for (const Instruction& sync : schedule.prologue[from]) play.AddPrologue(from, sync);
  }
  for (const ScheduledInstruction& s : schedule.body) play.Add(s.engine, s.instruction);
  return (play.Finish() + config.launch_cycles) / kEstimatedRequests;
}

std::array<std::vector<EstimatedTime>, kEngines> EstimateTimes(const OverlayStep& step, const HardwareConfig& config) {
  Play play(step.stagger.has_value(), 1, config);
  std::array<std::vector<EstimatedTime>, kEngines> times;
  for (uint8_t e = 0; e < kEngines; ++e) {
    const auto engine = static_cast<Engine>(e);
    for (const InstructionWord& word : step.prologue[e]) play.AddPrologue(e, Decode(word, engine).value());
    for (const InstructionWord& word : step.body[e]) play.Add(e, Decode(word, engine).value());
    times[e].resize(step.body[e].size());
  }
  play.observer = [&](size_t engine, size_t index, double start, double end) { times[engine][index] = {start, end}; };
  play.Finish();
  return times;
}

}  // namespace xrun::compiler
