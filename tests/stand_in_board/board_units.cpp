// The compute units: their queues, the launches, and what goes wrong with them.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "simulator/prepared.h"
#include "simulator/status_page.h"
#include "tests/stand_in_board/board.h"

namespace xrun::stand_in {
namespace {

/// Cycle limits above are only kept by launches that stall: below, the simulator's timing model is asked.
constexpr double kModelledLimitSeconds = 0.05;

/// Registers of a launch, from a unit's register file.
struct Launch {
  explicit Launch(const std::array<uint32_t, 64>& r)
      : program(Wide(r, launch::kRegProgram)),
        weights(Wide(r, launch::kRegWeights)),
        requests(Wide(r, launch::kRegRequests)),
        status(Wide(r, launch::kRegStatus)),
        count(r[launch::kRegRequestCount / 4]),
        cycle_limit(Wide(r, launch::kRegCycleLimit)),
        flags(r[launch::kRegFlags / 4]) {}
  static uint64_t Wide(const std::array<uint32_t, 64>& r, uint32_t at) {
    return r[at / 4] | uint64_t{r[at / 4 + 1]} << 32;
  }
  uint64_t program, weights, requests, status;
  uint32_t count;
  uint64_t cycle_limit;
  uint32_t flags;
};

double Seconds(uint64_t cycles, const HardwareConfig& config) {
  return static_cast<double>(cycles) / (1e6 * config.clock_mhz);
}

/// When a launch that began at `begin` is over by its cycle limit. The latest time: it has none, or one of days.
Clock::time_point LimitAt(Clock::time_point begin, uint64_t cycle_limit, const HardwareConfig& config) {
  const double seconds = Seconds(cycle_limit, config);
  if (cycle_limit == 0 || seconds > 1e6) return Clock::time_point::max();
  return begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

void Board::AwaitLateUnits(uint64_t address, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  const auto units = units_;
  lock.unlock();
  for (const auto& unit : units) {
    std::unique_lock unit_lock(unit->mutex);
    unit->caught_up.wait(unit_lock, [&] {
      const bool asked = unit->status_at >= address && unit->status_at - address < bytes;
      return !unit->busy || !asked || Clock::now() < unit->limit_at;
    });
  }
}

void Board::BeLate() {
  std::unique_lock lock(mutex_);
  const auto lateness = options_.lateness;
  lock.unlock();
  std::this_thread::sleep_for(lateness);
}

void Board::Submit(Command command) {
  command.submitted = Clock::now();
  const std::lock_guard lock(mutex_);
  const ert_start_kernel_cmd& packet = *command.packet;
  Unit* best = nullptr;
  size_t least = ~size_t{0};
  for (size_t i = 0; i < units_.size(); ++i) {
    if ((packet.cu_mask >> i & 1) == 0) continue;
    const std::lock_guard unit_lock(units_[i]->mutex);
    const size_t load = units_[i]->queue.size() + (units_[i]->busy ? 1 : 0);
    if (load >= least) continue;
    least = load;
    best = units_[i].get();
  }
  if (best == nullptr) Fail(EINVAL, "a command for no unit");
  const std::lock_guard unit_lock(best->mutex);
  best->queue.push_back(std::move(command));
  best->wake.notify_all();
}

size_t Board::Abandon(uint64_t client) {
  std::unique_lock lock(mutex_);
  const auto units = units_;
  lock.unlock();
  size_t count = 0;
  for (const auto& unit : units) {
    std::unique_lock unit_lock(unit->mutex);
    count += std::erase_if(unit->queue, [&](const Command& command) { return command.client == client; });
    const auto running = [&] { return unit->busy && unit->client == client; };
    count += running() ? 1 : 0;
    unit->caught_up.wait(unit_lock, [&] { return !running(); });
  }
  return count;
}

bool Board::WhileAtWork(uint64_t client, const std::function<void()>& f) {
  std::unique_lock lock(mutex_);
  const auto units = units_;
  lock.unlock();
  for (const auto& unit : units) {
    const std::lock_guard unit_lock(unit->mutex);
    if (!unit->busy || unit->client != client) continue;
    f();
    return true;
  }
  return false;
}

uint32_t Board::ReadRegister(unsigned unit, uint32_t offset) {
  const std::lock_guard lock(mutex_);
  if (unit >= units_.size() || offset / 4 >= units_[unit]->registers.size()) Fail(EINVAL, "no such register");
  const std::lock_guard unit_lock(units_[unit]->mutex);
  return units_[unit]->registers[offset / 4];
}

void Board::WriteRegister(unsigned unit, uint32_t offset, uint32_t value) {
  const std::lock_guard lock(mutex_);
  if (unit >= units_.size() || offset / 4 >= units_[unit]->registers.size()) Fail(EINVAL, "no such register");
  Unit& u = *units_[unit];
  const std::lock_guard unit_lock(u.mutex);
  u.registers[offset / 4] = value;
  if (offset == launch::kRegFlags && (value & launch::kFlagAbort) != 0) {
    u.abort = true;
    u.wake.notify_all();
  }
}

void Board::UnitLoop(Unit& unit) {
  std::unique_lock lock(unit.mutex);
  for (;;) {
    unit.wake.wait(lock, [&] { return unit.stop || !unit.queue.empty(); });
    if (unit.stop) return;
    Command command = std::move(unit.queue.front());
    unit.queue.pop_front();
    unit.busy = true;
    unit.client = command.client;
    unit.reset = false;
    unit.abort = false;
    // The register map begins with the four control words; masks of further units stand before it.
    const ert_start_kernel_cmd& packet = *command.packet;
    const uint32_t words = packet.count - 1 - packet.extra_cu_masks;
    for (uint32_t i = 4; i < words && i < unit.registers.size(); ++i) {
      unit.registers[i] = packet.data[packet.extra_cu_masks + i];
    }
    const Launch launch(unit.registers);
    unit.status_at = launch.status;
    unit.limit_at = LimitAt(Clock::now(), launch.cycle_limit, unit.machine.config());
    lock.unlock();
    ert_cmd_state state = ERT_CMD_STATE_ERROR;
    try {
      state = Execute(unit, command);
    } catch (const std::exception&) {
      // An address beyond memory: the bus answers with an error.
    }
    if (removed_ || command.epoch != epoch_) state = ERT_CMD_STATE_ABORT;
    {
      const std::lock_guard order(order_);  // what was written before is seen by who sees the state
    }
    // The state, then the event: who sees the event must see the state.
    const uint32_t header = command.packet->header & ~0xFU;
    __atomic_store_n(&command.packet->header, header | static_cast<uint32_t>(state), __ATOMIC_RELEASE);
    lock.lock();
    ++unit.launches;
    unit.busy = false;
    unit.caught_up.notify_all();
    lock.unlock();
    command.event();
    command = {};
    lock.lock();
  }
}

bool Board::WaitForRepair(Unit& unit, bool heeds) {
  if (!heeds) {
    const std::lock_guard lock(unit.mutex);
    unit.limit_at = Clock::time_point::max();
    unit.caught_up.notify_all();
  }
  // Looked at every millisecond: what stands still has time.
  for (;;) {
    {
      const std::lock_guard lock(unit.mutex);
      if (unit.reset) return true;
    }
    if (heeds && (unit.abort || Clock::now() >= unit.limit_at)) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Board::Prepared& Board::PreparedAt(Unit& unit, uint64_t image_at, uint64_t weights_at) {
  const auto memory = Memory(image_at, memory_bytes_ - image_at);
  std::unique_ptr<Prepared>& known = unit.prepared[image_at];
  if (known != nullptr && std::equal(known->image.begin(), known->image.end(), memory.begin())) {
    if (known->program.weights.data() == memory_ + weights_at) return *known;
  }
  auto image = launch::ReadImage(memory);
  if (!image.ok()) Fail(EINVAL, image.failure().message);
  auto prepared = std::make_unique<Prepared>();
  prepared->image.assign(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(image->bytes));
  prepared->status_bytes = image->status_bytes;
  auto words = std::make_shared<launch::Image>(std::move(image).value());
  Program& program = prepared->program;
  program.config = unit.machine.config();
  program.weights = Memory(weights_at, words->weight_bytes);
  OverlayStep& step = program.overlay_steps.emplace_back();
  for (size_t e = 0; e < kEngines; ++e) {
    step.prologue[e] = words->prologue[e];
    step.body[e] = words->body[e];
  }
  if (words->staggered) step.stagger = OverlayStep::Stagger{0, 0, 0, 0};  // its registers are in the request table
  program.storage.push_back(words);
  prepared->step = simulator::Prepare(program, step);
  known = std::move(prepared);
  return *known;
}

void Board::Occupy(Unit& unit, Clock::time_point begin, uint64_t requests, uint64_t dram_bytes) {
  std::unique_lock lock(mutex_);
  Clock::time_point until = begin + options_.latency * static_cast<int64_t>(requests);
  if (options_.dram_bytes_per_second != 0) {
    const std::chrono::duration<double> transfer(static_cast<double>(dram_bytes) /
                                                 static_cast<double>(options_.dram_bytes_per_second));
    dram_free_ = std::max(dram_free_, begin) + std::chrono::duration_cast<Clock::duration>(transfer);
    until = std::max(until, dram_free_);
  }
  lock.unlock();
  unit.free_at = until;
  std::this_thread::sleep_until(until);
}

ert_cmd_state Board::Execute(Unit& unit, const Command& command) {
  // A unit of a board takes up its next launch when the one before is done. Its thread here, on a busy host, gets there
  // later: that costs no time of the board's.
  Clock::time_point begin = std::max(command.submitted, unit.free_at);
  const Launch launch(unit.registers);
  const std::span<uint8_t> page = unit.page;
  const auto show_page = [&] { CopyTo(launch.status, page.data(), page.size()); };
  if (launch.count == 0) {
    const Status status = unit.machine.Identify(page);
    show_page();
    return status.ok() ? ERT_CMD_STATE_COMPLETED : ERT_CMD_STATE_ERROR;
  }
  const std::optional<Fault> fault = TakeFault(true);
  if (fault == Fault::kErrorState) return ERT_CMD_STATE_ERROR;
  if (fault == Fault::kBusyUnit) {
    std::unique_lock lock(mutex_);
    const auto busy_time = options_.busy_time;
    lock.unlock();
    std::this_thread::sleep_for(busy_time);
    begin = Clock::now();
  }

  const Prepared& prepared = PreparedAt(unit, launch.program, launch.weights);
  std::vector<simulator::LaunchRequest> table(launch.count);
  const auto entries = Memory(launch.requests, uint64_t{launch::kRequestBytes} * launch.count);
  uint64_t dram_bytes = prepared.program.weights.size() + prepared.image.size() * launch.count;
  for (size_t r = 0; r < table.size(); ++r) {
    for (size_t base = kBaseWorkspace; base < kBaseStatus; ++base) {
      const size_t at = r * launch::kRequestBytes + base * launch::kRequestRegisterBytes;
      const auto address = launch::Get<uint64_t>(entries, at), limit = launch::Get<uint64_t>(entries, at + 8);
      if (limit != 0) table[r].registers[base] = Memory(address, limit);
      if (base != kBaseWorkspace) dram_bytes += limit;
    }
  }
  simulator::RunOptions run;
  run.checks = simulator::CheckLevel::kLimits;
  run.abort = &unit.abort;
  run.status_page = page;
  std::vector<uint64_t> marks;
  if ((launch.flags & launch::kFlagTimeMarks) != 0) {
    marks.resize((prepared.status_bytes - launch::kStatusPageBytes) / sizeof(uint64_t));
    run.time_marks = marks;
    run.timed = true;
  }
  if (launch.cycle_limit != 0 && marks.empty() &&
      Seconds(launch.cycle_limit, unit.machine.config()) < kModelledLimitSeconds) {
    run.cycle_limit = launch.cycle_limit;
  }

  if (fault == Fault::kHang || fault == Fault::kStall || fault == Fault::kRemoval) {
    // What it gets done is what the model has done by half of the launch's time, its fixed part not counted.
    auto timing = prepared.step->Timing(prepared.step->step().Requests(launch.count));
    if (!timing.ok()) return ERT_CMD_STATE_ERROR;
    const uint64_t cycles = (*timing)->cycles, fixed = unit.machine.config().launch_cycles;
    run.cycle_limit = cycles - (cycles - std::min(cycles, fixed)) / 2;
    run.time_marks = {};
    (void)unit.machine.Run(*prepared.step, table, run);
    if (fault == Fault::kRemoval) {
      const std::lock_guard lock(mutex_);
      ++epoch_;
      removed_ = true;
      counts_ = {};
      for (const auto& u : units_) {
        u->contexts = 0;
        u->exclusive = false;
      }
      return ERT_CMD_STATE_ABORT;
    }
    simulator::WriteStatusState(page, launch::State::kRunning, Trap::kNone, 0, 0);
    show_page();
    if (WaitForRepair(unit, fault == Fault::kStall)) {
      // A unit that comes back may still write what it had under way. Nobody must have that memory by now.
      for (const simulator::LaunchRequest& request : table) {
        for (size_t base = kBaseOutput0; base < kBaseStatus; ++base) {
          const auto& output = request.registers[base];
          std::fill(output.begin(), output.end(), kLateWrite);
        }
      }
      return ERT_CMD_STATE_TIMEOUT;
    }
    BeLate();
    const Trap trap = unit.abort ? Trap::kAbort : Trap::kCycleLimit;
    simulator::WriteStatusState(page, launch::State::kTrapped, trap, 0, launch.cycle_limit);
    show_page();
    return ERT_CMD_STATE_COMPLETED;
  }
  // The head comes first, as on hardware; then the rest.
  simulator::WriteStatusHead(page, unit.machine.config());
  simulator::WriteStatusState(page, launch::State::kRunning, Trap::kNone, 0, 0);
  show_page();
  BeLate();
  const Status status = unit.machine.Run(*prepared.step, table, run);
  Occupy(unit, begin, launch.count, dram_bytes);
  (void)status;  // on the status page, as on a board
  const auto mark_bytes = Memory(launch.status + launch::kStatusPageBytes, sizeof(uint64_t) * marks.size());
  for (size_t i = 0; i < marks.size(); ++i) launch::Put<uint64_t>(mark_bytes, sizeof(uint64_t) * i, marks[i]);
  if (fault == Fault::kCorruptOutput) {
    for (size_t base = kBaseOutput0; base < kBaseStatus; ++base) {
      const auto& output = table.back().registers[base];
      if (output.empty()) continue;
      output[output.size() / 3] ^= 0x10;
      break;
    }
  }
  show_page();
  if (fault == Fault::kLostCompletion) {
    WaitForRepair(unit, false);
    return ERT_CMD_STATE_TIMEOUT;
  }
  return command.epoch == epoch_ ? ERT_CMD_STATE_COMPLETED : ERT_CMD_STATE_ABORT;
}

}  // namespace xrun::stand_in
