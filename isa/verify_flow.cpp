#include <algorithm>
#include <deque>

#include "isa/verify_shadow.h"
#include "isa/verify_step.h"

namespace xrun {
namespace {

/// One token counter, with what each token and each taking of one tells about order.
class TokenCounter {
 public:
  bool empty() const { return given_ == taken_; }
  bool full() const { return given_ - taken_ == kTokenLimit; }

  void Give(const VectorClock& done) { tokens_[given_++ % kSlots] = done; }
  const VectorClock& Next() const { return tokens_[taken_ % kSlots]; }
  void Take(const VectorClock& start) { takings_[taken_++ % kSlots] = start; }

  /// The counter has room for the next token only since an earlier one was taken: when that instruction started. Null
  /// while the first tokens are given.
  const VectorClock* RoomSince() const {
    return given_ < kTokenLimit ? nullptr : &takings_[(given_ - kTokenLimit) % kSlots];
  }

 private:
  static constexpr uint64_t kSlots = kTokenLimit + 1;
  uint64_t given_ = 0, taken_ = 0;
  std::array<VectorClock, kSlots> tokens_{}, takings_{};
};

/// Rows of the weight ring: totals since launch, in the order of the two engines.
class RingCounter {
 public:
  explicit RingCounter(uint64_t rows) : rows_(rows) {}

  bool CanAcquire(uint64_t rows) const { return acquired_ + rows <= rows_ + released_; }

  /// Joins to `clock` the Conv whose release made room.
  void Acquire(uint64_t rows, uint32_t load_sequence, VectorClock& clock) {
    acquired_ += rows;
    acquisitions_.push_back({load_sequence, acquired_});
    while (!releases_.empty() && rows_ + releases_.front().before < acquired_) {
      room_ = releases_.front().done;
      releases_.pop_front();
    }
    Join(clock, room_);
  }

  /// Whether the rows a Conv gives back were surely acquired when it ran: by executions before `loads_done`.
  bool Holds(uint64_t rows, uint32_t loads_done) {
    while (!acquisitions_.empty() && acquisitions_.front().sequence < loads_done) {
      surely_acquired_ = acquisitions_.front().total;
      acquisitions_.pop_front();
    }
    return released_ + rows <= surely_acquired_;
  }

  void Release(uint64_t rows, const VectorClock& done) {
    releases_.push_back({released_, done});
    released_ += rows;
  }

 private:
  struct Acquisition {
    uint32_t sequence;
    uint64_t total;
  };
  struct ReleaseOfRows {
    uint64_t before;  ///< rows released before this one
    VectorClock done;
  };
  uint64_t rows_, acquired_ = 0, released_ = 0, surely_acquired_ = 0;
  std::deque<Acquisition> acquisitions_;
  std::deque<ReleaseOfRows> releases_;
  VectorClock room_{};
};

class Flow {
 public:
  explicit Flow(const VerifiedStep& step) : step_(step), shadow_(step), ring_(step.program->config.weight_rows) {}

  Status Run() {
    while (true) {
      XRUN_ASSIGN_OR_RETURN(const bool moved, StepOnce());
      XRUN_RETURN_IF_ERROR(FinishRequests());
      if (finished_ == kVerifiedRequests && AllDone()) return {};
      if (!moved) return Deadlock();
    }
  }

 private:
  struct EngineState {
    uint32_t next = 0;        ///< sequence
    bool signalling = false;  ///< done with `next` but for its signals
    VectorClock clock{};      ///< what is done before its next start
    VectorClock done{};       ///< while signalling: what is done after it
  };

  TokenCounter& Counter(size_t from, size_t to) { return counters_[from][to]; }

  /// One start or one completion, of the first engine in order that can: producers first, so that a missing token shows
  /// as the race it is.
  Result<bool> StepOnce() {
    for (uint8_t e = 0; e < kEngines; ++e) {
      const auto engine = static_cast<Engine>(e);
      EngineState& state = engines_[e];
      if (state.next == step_.Executions(engine)) continue;
      const Instruction& instruction = step_.At(engine, state.next);
      if (!state.signalling) {
        if (!CanStart(engine, instruction)) continue;
        XRUN_RETURN_IF_ERROR(Start(engine, instruction));
        state.signalling = true;
        return true;
      }
      if (!CanSignal(engine, instruction)) continue;
      Complete(engine, instruction);
      state.signalling = false;
      return true;
    }
    return false;
  }

  bool CanStart(Engine engine, const Instruction& instruction) {
    const uint32_t wait = HeaderOf(instruction).wait;
    for (size_t from = 0; from < kEngines; ++from) {
      if ((wait >> from & 1) != 0 && Counter(from, engine).empty()) return false;
    }
    const uint32_t acquire = AcquireOf(instruction);
    return acquire == 0 || ring_.CanAcquire(acquire);
  }

  Status Start(Engine engine, const Instruction& instruction) {
    EngineState& state = engines_[engine];
    const uint32_t wait = HeaderOf(instruction).wait;
    for (size_t from = 0; from < kEngines; ++from) {
      if ((wait >> from & 1) != 0) Join(state.clock, Counter(from, engine).Next());
    }
    if (const uint32_t acquire = AcquireOf(instruction); acquire != 0) {
      ring_.Acquire(acquire, state.next, state.clock);
    }
    for (size_t from = 0; from < kEngines; ++from) {
      if ((wait >> from & 1) != 0) Counter(from, engine).Take(state.clock);
    }
    // The first entry's back half is idle. That the last one's front half is, too, changes nothing: the shadow sees to
    // it that neither reads what the other wrote on chip.
    if (!step_.IsLate(engine, state.next) || step_.RequestOf(engine, state.next) != 0) {
      XRUN_RETURN_IF_ERROR(shadow_.Execute(engine, state.next, state.clock));
    }
    state.done = state.clock;
    state.done[engine] = state.next + 1;
    const auto* conv = std::get_if<Conv>(&instruction);
    if (conv != nullptr && conv->release != 0 && !ring_.Holds(conv->release, state.clock[kLoad])) {
      return Failure{step_.Name(engine, state.next) + ": releases more weight ring rows than are held by then", ""};
    }
    return {};
  }

  bool CanSignal(Engine engine, const Instruction& instruction) {
    const uint32_t signal = HeaderOf(instruction).signal;
    for (size_t to = 0; to < kEngines; ++to) {
      if ((signal >> to & 1) != 0 && Counter(engine, to).full()) return false;
    }
    return true;
  }

  void Complete(Engine engine, const Instruction& instruction) {
    EngineState& state = engines_[engine];
    const uint32_t signal = HeaderOf(instruction).signal;
    state.clock = state.done;
    for (size_t to = 0; to < kEngines; ++to) {
      if ((signal >> to & 1) == 0) continue;
      if (const VectorClock* since = Counter(engine, to).RoomSince()) Join(state.clock, *since);
      Counter(engine, to).Give(state.done);
    }
    if (const auto* conv = std::get_if<Conv>(&instruction); conv != nullptr && conv->release != 0) {
      ring_.Release(conv->release, state.done);
    }
    ++state.next;
  }

  bool AllDone() const {
    for (uint8_t e = 0; e < kEngines; ++e) {
      if (engines_[e].next != step_.Executions(static_cast<Engine>(e))) return false;
    }
    return true;
  }

  Status FinishRequests() {
    while (finished_ < kVerifiedRequests) {
      for (size_t e = 0; e < kEngines; ++e) {
        if (engines_[e].next < step_.prologue[e].size() + (finished_ + 1) * step_.body[e].size()) return {};
      }
      XRUN_RETURN_IF_ERROR(shadow_.FinishRequest(finished_++));
    }
    return {};
  }

  Failure Deadlock() {
    std::string text = "deadlock:";
    for (uint8_t e = 0; e < kEngines; ++e) {
      const auto engine = static_cast<Engine>(e);
      const EngineState& state = engines_[e];
      if (state.next == step_.Executions(engine)) continue;
      const Instruction& instruction = step_.At(engine, state.next);
      const Header& header = HeaderOf(instruction);
      text += "\n  " + step_.Name(engine, state.next);
      std::string cause;
      for (uint8_t other = 0; other < kEngines; ++other) {
        const std::string name(EngineName(static_cast<Engine>(other)));
        if (!state.signalling && (header.wait >> other & 1) != 0 && Counter(other, e).empty()) {
          cause += (cause.empty() ? " waits for a token from " : ", ") + name;
        }
        if (state.signalling && (header.signal >> other & 1) != 0 && Counter(e, other).full()) {
          cause += (cause.empty() ? " stalls: its token counter is full to " : ", ") + name;
        }
      }
      if (cause.empty()) cause = " waits for free weight ring rows";
      text += cause;
    }
    return Failure{text, ""};
  }

  const VerifiedStep& step_;
  Shadow shadow_;
  RingCounter ring_;
  TokenCounter counters_[kEngines][kEngines];
  EngineState engines_[kEngines];
  uint32_t finished_ = 0;  ///< requests
};

}  // namespace

Status VerifyFlow(const VerifiedStep& step) { return Flow(step).Run(); }

}  // namespace xrun
