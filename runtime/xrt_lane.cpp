// Launches: the request table, the run, the wait, and what the status page says when it did not go well.

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include "runtime/xrt_board.h"
#include "simulator/simulator.h"

namespace xrun::runtime {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// The head and tail of a status page, without time marks: what is looked at after each launch.
constexpr uint32_t kStatusRead = launch::kStatusEngines + launch::kStatusEngineBytes * kEngines;
constexpr milliseconds kFirstLook{1}, kLastLook{20};
/// What XRT gets to tell that a launch is over, after the status page says so.
constexpr milliseconds kShortestGrace{10}, kLongestGrace{1000};
/// Short launches are met awake: falling asleep and waking up costs more than they last.
constexpr std::chrono::microseconds kSpin{30}, kShortestSleep{20}, kLongestSleep{1000};

constexpr const char* kCauses =
    "usual causes: the board's power supply, heat, a clock too fast for the design, memory that does not answer; "
    "xquery --doctor looks";
constexpr const char* kReset =
    "; a unit that hangs starts afresh with xmutil unloadapp and loadapp (Zynq, Kria) or xbutil reset (Alveo)";

std::string Milliseconds(nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(time).count()) + " ms";
}

class XrtLane final : public Lane {
 public:
  XrtLane(std::shared_ptr<const XrtProgramMemory> program, uint32_t max_requests, std::unique_ptr<XrtSlot> slot)
      : program_(std::move(program)), board_(*program_->board), max_requests_(max_requests), slot_(std::move(slot)) {
    if (program_->options.verify) {
      machine_.emplace(program_->program->config);
      for (const OverlayStep& step : program_->program->overlay_steps) {
        steps_.push_back(simulator::Prepare(*program_->program, step));
      }
    }
  }

  void Launch(uint32_t step, std::span<const DeviceRequest* const> requests, const LaunchOptions& options,
              LaunchOutcome& outcome) override {
    assert(!requests.empty() && requests.size() <= max_requests_);
    nanoseconds limit = program_->options.limit;
    if (options.time_limit.count() > 0) limit = std::min(limit, options.time_limit);
    // A launch that found no free unit is moved to another place in XRT's queue, once: it may stand behind a unit that
    // hangs while others work.
    for (int attempt = 0;; ++attempt) {
      outcome.state = LaunchState::kDone;
      outcome.cycles = 0;
      if (auto status = Start(step, requests, options, limit); !status.ok()) {
        return Fail(outcome, LaunchState::kDeviceError, std::move(status).failure());
      }
      const End end = Wait(options, limit);
      if (end == End::kEnded) return Finish(step, requests, options, outcome);
      const bool again = end == End::kNotStarted && attempt == 0 && board_.units() > 1;
      if (!again) GiveUp(end, step, requests, limit, outcome);
      if (auto status = Abandon(requests); !status.ok()) {
        if (again) Fail(outcome, LaunchState::kDeviceError, std::move(status).failure());
        return;
      }
      if (!again) return;
    }
  }

 private:
  enum class End : uint8_t {
    kEnded,       ///< XRT says so
    kNotStarted,  ///< the overlay never began it
    kHung,        ///< began, and neither it nor its limits ended it
    kLost,        ///< the status page says that it is over, XRT does not
    kGone         ///< the device does not answer
  };

  const Program& program() const { return *program_->program; }
  std::span<uint8_t> page() const { return {slot_->host + slot_->status_at, launch::kStatusPageBytes}; }

  static void Fail(LaunchOutcome& outcome, LaunchState state, Failure failure) {
    outcome.state = state;
    outcome.failure = std::move(failure);
  }

  Status Start(uint32_t step, std::span<const DeviceRequest* const> requests, const LaunchOptions& options,
               nanoseconds limit) {
    if (slot_ == nullptr) {
      XRUN_ASSIGN_OR_RETURN(slot_, board_.MakeSlot(max_requests_, program_->status_bytes));
    }
    const std::span<uint8_t> table{slot_->host, slot_->status_at};
    for (size_t r = 0; r < requests.size(); ++r) {
      for (size_t base = 0; base < kBaseRegisters; ++base) {
        const BufferRange& range = requests[r]->registers[base];
        const uint64_t address =
            range.buffer == nullptr ? 0 : static_cast<XrtBuffer*>(range.buffer)->address() + range.offset;
        launch::PutRegister(table, r, base, address, range.bytes);
      }
    }
    std::memset(page().data(), 0, kStatusRead);
    uint64_t cycle_limit =
        std::max<uint64_t>(1, static_cast<uint64_t>(limit.count()) * board_.identity().config.clock_mhz / 1000);
    if (options.cycle_limit != 0) cycle_limit = std::min(cycle_limit, options.cycle_limit);
    auto started = board_.Try("launch", [&] {
      slot_->memory.sync(XCL_BO_SYNC_BO_TO_DEVICE, slot_->status_at + kStatusRead, 0);
      if (slot_->step != step) {
        slot_->run.set_arg(0, program_->images[step]);
        slot_->run.set_arg(1, program_->weights);
        slot_->step = step;
      }
      slot_->run.set_arg(4, static_cast<uint32_t>(requests.size()));
      slot_->run.set_arg(5, cycle_limit);
      slot_->run.set_arg(6, options.time_marks.empty() ? uint32_t{0} : launch::kFlagTimeMarks);
      slot_->run.start();
    });
    if (!started.ok()) {
      ++board_.errors;
      // XRT takes this run for started: it is not used again.
      slot_->may_finish = false;
      board_.Bury({program_, std::move(slot_), {}});
      return std::move(started).failure();
    }
    ++board_.launches;
    return {};
  }

  /// Looks at the run until it is over, ever more seldom. XRT's own waits are not used: wait(timeout) of 2.13 does not
  /// time out while other runs complete, so a unit that hangs beside others that work would not be noticed; and with a
  /// callback, XRT's thread that waits for the missing completion keeps the process from ending.
  End Wait(const LaunchOptions& options, nanoseconds limit) {
    // The overlay counts the limit in cycles of the clock that it was configured for. The board's may be slower
    // (linkers lower a clock that the design does not reach): down to two thirds, the overlay's limit still comes
    // first.
    const nanoseconds patience = limit + std::max<nanoseconds>(limit / 2, kShortestGrace);
    const nanoseconds grace = std::clamp<nanoseconds>(limit / 2, kShortestGrace, kLongestGrace);
    const Clock::time_point begin = Clock::now();
    std::optional<Clock::time_point> running, over;
    bool aborted = false;
    nanoseconds look = kFirstLook, next_look = look;
    for (;;) {
      if (slot_->IsOver()) return End::kEnded;
      const Clock::time_point now = Clock::now();
      const nanoseconds elapsed = now - begin;
      if (elapsed < kSpin) {
        std::this_thread::yield();
        continue;
      }
      if (!aborted && options.abort != nullptr && options.abort->load(std::memory_order_relaxed)) {
        board_.Abort();  // where it cannot be, the launch ends by itself or by its limit
        aborted = true;
      }
      if (elapsed >= next_look) {
        look = std::min<nanoseconds>(2 * look, kLastLook);
        next_look = elapsed + look;
        if (!ReadStatus().ok()) return End::kGone;
        const auto state = launch::Get<uint32_t>(page(), launch::kStatusState);
        if (state == 0) {
          // Others before it in the queue, also of other processes, may each take up to the limit.
          if (elapsed > 4 * patience) return End::kNotStarted;
        } else if (state == static_cast<uint32_t>(launch::State::kRunning)) {
          if (!running) running = now;
          if (now - *running > patience) return End::kHung;
        } else {
          if (!over) over = now;
          if (now - *over > grace) return End::kLost;
        }
      }
      std::this_thread::sleep_for(std::clamp<nanoseconds>(elapsed / 8, kShortestSleep, kLongestSleep));
    }
  }

  Status ReadStatus() {
    return board_.Try("reading the status page",
                      [&] { slot_->memory.sync(XCL_BO_SYNC_BO_FROM_DEVICE, kStatusRead, slot_->status_at); });
  }

  Status ReadMarks(std::span<uint64_t> marks) {
    const uint64_t at = slot_->status_at + launch::kStatusPageBytes;
    XRUN_RETURN_IF_ERROR(board_.Try("reading the time marks",
                                    [&] { slot_->memory.sync(XCL_BO_SYNC_BO_FROM_DEVICE, marks.size_bytes(), at); }));
    const std::span<const uint8_t> bytes{slot_->host + at, marks.size_bytes()};
    for (size_t i = 0; i < marks.size(); ++i) marks[i] = launch::Get<uint64_t>(bytes, sizeof(uint64_t) * i);
    return {};
  }

  /// XRT says that the launch is over.
  void Finish(uint32_t step, std::span<const DeviceRequest* const> requests, const LaunchOptions& options,
              LaunchOutcome& outcome) {
    auto state = board_.Try("state of the run", [&] { return slot_->run.state(); });
    if (!state.ok()) return Fail(outcome, LaunchState::kDeviceError, std::move(state).failure());
    auto read = ReadStatus();
    if (!read.ok()) return Fail(outcome, LaunchState::kDeviceError, std::move(read).failure());
    const auto count = static_cast<uint32_t>(requests.size());
    if (*state == ERT_CMD_STATE_COMPLETED && launch::Get<uint32_t>(page(), 0) == launch::kStatusMagic &&
        launch::Get<uint32_t>(page(), launch::kStatusState) == static_cast<uint32_t>(launch::State::kDone) &&
        launch::Get<uint32_t>(page(), launch::kStatusCompleted) == count) {
      outcome.cycles = launch::Get<uint64_t>(page(), launch::kStatusCycles);
      if (!options.time_marks.empty()) {
        if (auto status = ReadMarks(options.time_marks); !status.ok()) {
          return Fail(outcome, LaunchState::kDeviceError, std::move(status).failure());
        }
      }
      if (machine_) Verify(step, requests, outcome);
      return;
    }
    ++board_.errors;
    auto status = launch::ReadStatusPage(page());
    if (*state != ERT_CMD_STATE_COMPLETED) {
      std::string text = "XRT ended the launch in its state " + StateName(*state);
      if (status.ok()) text += "; reached: " + Progress(step, *status, count);
      return Fail(outcome, LaunchState::kDeviceError, {text, std::string(kCauses)});
    }
    if (!status.ok()) {
      return Fail(outcome, LaunchState::kDeviceError,
                  std::move(status).failure().In("the overlay ended the launch without a status page"));
    }
    if (status->state != launch::State::kTrapped) {
      return Fail(outcome, LaunchState::kDeviceError,
                  {"the launch is over, but its status page says " + std::to_string(status->completed) + " of " +
                       std::to_string(count) + " requests; reached: " + Progress(step, *status, count),
                   kCauses});
    }
    outcome.cycles = status->cycles;
    Trapped(step, *status, count, outcome);
  }

  void Trapped(uint32_t step, const launch::StatusPage& status, uint32_t count, LaunchOutcome& outcome) {
    const std::string trap(TrapName(status.trap));
    if (status.trap == Trap::kAbort || status.trap == Trap::kCycleLimit) {
      outcome.reached = Progress(step, status, count);
    }
    if (status.trap == Trap::kAbort) {
      return Fail(outcome, LaunchState::kAborted, {trap + "; reached: " + outcome.reached, ""});
    }
    if (status.trap == Trap::kCycleLimit) {
      return Fail(outcome, LaunchState::kCycleLimit,
                  {trap + " after " + std::to_string(status.cycles) + " cycles; reached: " + outcome.reached, kCauses});
    }
    const Engine engine = launch::TrappedEngine(status);
    const std::string where = engine == kAnyEngine ? "" : " in the " + std::string(EngineName(engine)) + " engine";
    Fail(outcome, LaunchState::kTrapped, {trap + where + "; reached: " + Progress(step, status, count), ""});
  }

  std::string Progress(uint32_t step, const launch::StatusPage& status, uint32_t count) const {
    return launch::ProgressText(program(), program().overlay_steps[step], status, count);
  }

  static std::string StateName(ert_cmd_state state) {
    switch (state) {
      case ERT_CMD_STATE_ERROR:
        return "ERROR";
      case ERT_CMD_STATE_ABORT:
        return "ABORT";
      case ERT_CMD_STATE_TIMEOUT:
        return "TIMEOUT";
      case ERT_CMD_STATE_NORESPONSE:
        return "NORESPONSE";
      default:
        return std::to_string(state);
    }
  }

  /// The text of a launch that XRT did not end.
  void GiveUp(End end, uint32_t step, std::span<const DeviceRequest* const> requests, nanoseconds limit,
              LaunchOutcome& outcome) {
    if (end == End::kGone) {
      ++board_.errors;
      return Fail(outcome, LaunchState::kDeviceError,
                  {"the device does not answer any more: it was removed, reset, or lost its power",
                   "when it is back (xquery --doctor), open it again"});
    }
    ++board_.hangs;
    if (end == End::kNotStarted) {
      return Fail(outcome, LaunchState::kDeviceError,
                  {"no unit of the overlay began the launch: all are busy with earlier ones, of this or another "
                   "process, or hang",
                   std::string("fuser -v /dev/dri/renderD* says who uses the device") + kReset});
    }
    auto status = launch::ReadStatusPage(page());
    if (end == End::kLost) {
      return Fail(outcome, LaunchState::kDeviceError,
                  {"the overlay has ended the launch, but XRT was not told: its completion is lost",
                   "usual causes: interrupts of the unit not connected or masked; XRT's log says more (dmesg)"});
    }
    std::string text = "no end after " + Milliseconds(limit) + ", the limit, and the overlay's own limit did not help";
    if (status.ok()) {
      outcome.reached = Progress(step, *status, static_cast<uint32_t>(requests.size()));
      text += "; reached: " + outcome.reached;
    }
    Fail(outcome, LaunchState::kDeviceError, {text, std::string(kCauses) + kReset});
  }

  /// The launch may still run: its memory is left to it, and this lane and the requests get other.
  Status Abandon(std::span<const DeviceRequest* const> requests) {
    XrtGrave grave{program_, std::move(slot_), {}};
    std::vector<DeviceBuffer*> moved;
    Status result;
    for (const DeviceRequest* request : requests) {
      for (const BufferRange& range : request->registers) {
        if (range.buffer == nullptr || std::find(moved.begin(), moved.end(), range.buffer) != moved.end()) continue;
        moved.push_back(range.buffer);
        auto old = static_cast<XrtBuffer*>(range.buffer)->Move();
        if (old.ok()) {
          grave.buffers.push_back(*std::move(old));
        } else if (result.ok()) {
          result = std::move(old).failure();
        }
      }
    }
    board_.Bury(std::move(grave));
    return result;
  }

  /// Does the launch again in the simulator, on the host's copies, and compares outputs.
  void Verify(uint32_t step, std::span<const DeviceRequest* const> requests, LaunchOutcome& outcome) {
    std::vector<simulator::LaunchRequest> table(requests.size());
    // What is the same memory on the board is the same here: a staggered step's entries meet there.
    std::map<std::pair<const DeviceBuffer*, uint64_t>, std::vector<uint8_t>> memory;
    for (size_t r = 0; r < requests.size(); ++r) {
      for (size_t base = kBaseWorkspace; base < kBaseStatus; ++base) {
        const BufferRange& range = requests[r]->registers[base];
        if (range.buffer == nullptr) continue;
        if (auto status = range.buffer->SyncFromDevice(range.offset, range.bytes); !status.ok()) {
          return Fail(outcome, LaunchState::kDeviceError, std::move(status).failure());
        }
        const auto bytes = range.buffer->host().subspan(range.offset, range.bytes);
        std::vector<uint8_t>& copy = memory[{range.buffer, range.offset}];
        if (copy.empty()) copy.assign(bytes.begin(), bytes.end());
        table[r].registers[base] = copy;
      }
    }
    simulator::RunOptions run;
    run.checks = simulator::CheckLevel::kLimits;
    if (auto status = machine_->Run(*steps_[step], table, run); !status.ok()) {
      return Fail(outcome, LaunchState::kDeviceError,
                  std::move(status).failure().In("the overlay ended without a trap, the simulator does not"));
    }
    for (size_t r = 0; r < requests.size(); ++r) {
      for (size_t base = kBaseOutput0; base < kBaseStatus; ++base) {
        const BufferRange& range = requests[r]->registers[base];
        if (range.buffer == nullptr) continue;
        const auto board = range.buffer->host().subspan(range.offset, range.bytes);
        const auto& right = table[r].registers[base];
        const auto [a, b] = std::mismatch(board.begin(), board.end(), right.begin());
        if (a == board.end()) continue;
        ++board_.errors;
        return Fail(outcome, LaunchState::kDeviceError,
                    {"verify: request " + std::to_string(r) + ", output register " + std::to_string(base) + ", byte " +
                         std::to_string(a - board.begin()) + " is " + std::to_string(static_cast<int8_t>(*a)) +
                         ", in the simulator " + std::to_string(static_cast<int8_t>(*b)),
                     kCauses});
      }
    }
  }

  const std::shared_ptr<const XrtProgramMemory> program_;
  XrtBoard& board_;
  const uint32_t max_requests_;
  std::unique_ptr<XrtSlot> slot_;
  std::optional<simulator::Machine> machine_;  ///< only with `verify`
  std::vector<std::shared_ptr<const simulator::PreparedStep>> steps_;
};

}  // namespace

std::unique_ptr<Lane> MakeXrtLane(std::shared_ptr<const XrtProgramMemory> program, uint32_t max_requests,
                                  std::unique_ptr<XrtSlot> slot) {
  return std::make_unique<XrtLane>(std::move(program), max_requests, std::move(slot));
}

}  // namespace xrun::runtime
