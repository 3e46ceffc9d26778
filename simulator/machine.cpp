// A launch: four streams in the order tokens and ring allow. Which of the allowed orders makes no difference to a
// program without races, so engines simply take turns and each goes on until it has to wait.

#include <algorithm>
#include <cassert>
#include <deque>

#include "simulator/fast.h"
#include "simulator/machine_state.h"
#include "simulator/prepared.h"
#include "simulator/reference.h"
#include "simulator/shadow.h"
#include "simulator/simulator.h"
#include "simulator/status_page.h"

namespace xrun::simulator {
namespace {

/// What orders engines, as data for the race check: the clocks that travel with tokens and ring rows.
struct OrderTracker {
  explicit OrderTracker(const HardwareConfig& config) : weight_rows(config.weight_rows), shadow(config) {}

  void Begin(const PreparedStep& step, std::span<const LaunchRequest> requests) {
    clocks = {};
    tokens = {};
    releases.clear();
    acquired = released = total_released = 0;
    ring_clock = {};
    shadow.Begin(step, requests);
  }
  static void Join(Clock& into, const Clock& other) {
    for (size_t e = 0; e < kEngines; ++e) into[e] = std::max(into[e], other[e]);
  }
  /// `engine` begins an instruction: takes its tokens and rows.
  void Start(Engine engine, const PreparedInstruction& p) {
    Clock& clock = clocks[engine];
    ++clock[engine];
    for (uint8_t from = 0; from < kEngines; ++from) {
      if ((p.wait >> from & 1) == 0) continue;
      Join(clock, tokens[from][engine].front());
      tokens[from][engine].pop_front();
    }
    if (p.acquire == 0) return;
    acquired += p.acquire;
    // The rows were free once this much had been released: after the release that reached it, whatever the timing.
    while (!releases.empty() && (released < acquired - std::min<uint64_t>(acquired, weight_rows))) {
      released = releases.front().first;
      ring_clock = releases.front().second;
      releases.pop_front();
    }
    Join(clock, ring_clock);
  }
  void Signal(Engine from, Engine to) { tokens[from][to].push_back(clocks[from]); }
  void Release(Engine engine, uint32_t rows) {
    if (rows == 0) return;
    total_released += rows;
    releases.emplace_back(total_released, clocks[engine]);
  }

  uint64_t weight_rows;
  std::array<Clock, kEngines> clocks{};
  std::array<std::array<std::deque<Clock>, kEngines>, kEngines> tokens;
  std::deque<std::pair<uint64_t, Clock>> releases;  ///< rows released by then in all, and the clock of the Conv
  uint64_t acquired = 0, released = 0, total_released = 0;
  Clock ring_clock{};
  Shadow shadow;
};

/// The end of each marked instruction in the last entry in which it was not idle.
Status FillTimeMarks(const TimingReport& timing, const PreparedStep& step, std::span<uint64_t> out) {
  size_t at = 0;
  for (uint8_t e = 0; e < kEngines; ++e) {
    const PreparedStream& stream = step.streams()[e];
    std::vector<uint32_t> mark_of(stream.body(), 0);  // 1 + index into `out`
    for (uint32_t i = 0; i < stream.body(); ++i) {
      const PreparedInstruction& p = stream.instructions[stream.prologue + i];
      if (p.trap == Trap::kIllegalInstruction || HeaderOf(p.instruction).mark == 0) continue;
      if (at == out.size()) return Failure{"the step has more time marks than the launch has room for", ""};
      mark_of[i] = static_cast<uint32_t>(++at);
    }
    for (const InstructionTime& time : timing.instructions[e]) {
      if (!time.prologue && !time.idle && mark_of[time.index] != 0) out[mark_of[time.index] - 1] = time.end;
    }
  }
  if (at != out.size()) return Failure{"the step has fewer time marks than the launch asks for", ""};
  return {};
}

struct EngineState {
  uint32_t next = 0;       ///< index into the stream: prologue, then body
  uint32_t request = 0;    ///< the prologue counts in request 0
  uint32_t completed = 0;  ///< in this request
  uint64_t total = 0;
  uint32_t unsent = 0;   ///< signals of the last instruction that met a full counter
  uint32_t waiting = 0;  ///< as the status page has it
  bool finished = false;
};

}  // namespace

struct Machine::State {
  explicit State(const HardwareConfig& config) : memory(config), kernels(&ActiveKernels()) {
    WriteStatusHead(status_head, config);
  }

  Status Run(const PreparedStep& step, std::span<const LaunchRequest> requests, const RunOptions& options,
             LaunchReport* report);

  enum class Progress : uint8_t { kMoved, kBlocked, kTrapped };
  Progress Advance(Engine engine);
  /// Sends what can be sent of `unsent`; true when nothing is left.
  bool SendSignals(Engine engine);
  void NextInstruction(Engine engine);
  /// The half of a staggered program that has no request in this entry.
  bool Idle(Engine engine, const PreparedInstruction& p) const {
    return step->step().Idle(HeaderOf(p.instruction).late != 0, engines[engine].request,
                             static_cast<uint32_t>(requests.size()));
  }
  bool Check(Engine engine, const PreparedInstruction& p);
  void Execute(Engine engine, const PreparedInstruction& p);
  void SetTrap(Engine engine, Trap trap, std::string cause);
  std::string DescribeDeadlock() const;

  MachineState memory;
  const Kernels* kernels;
  std::array<uint8_t, launch::kStatusPageBytes> status_head{};
  std::unique_ptr<OrderTracker> order;  ///< made by the first kFull run

  // The launch under way.
  const PreparedStep* step = nullptr;
  std::span<const LaunchRequest> requests;
  const RunOptions* options = nullptr;
  bool check_order = false;
  std::array<EngineState, kEngines> engines{};
  std::array<std::array<uint32_t, kEngines>, kEngines> tokens{};
  uint64_t ring_free = 0;
  std::array<uint64_t, kEngines> stop_at{};  ///< instructions each engine finishes before the cycle limit
  LaunchReport report;
};

void Machine::State::SetTrap(Engine engine, Trap trap, std::string cause) {
  report.trap.trap = trap;
  report.trap.engine = engine;
  report.trap.cause = std::move(cause);
  if (engine == kAnyEngine) return;
  const EngineState& e = engines[engine];
  const PreparedStream& stream = step->streams()[engine];
  report.trap.prologue = e.next < stream.prologue;
  // In the first entry a back half is nobody's yet.
  report.trap.request = step->step().RequestOf(e.request != 0 && IsLate(step->WordAt(engine, e.next)), e.request);
  report.trap.index = report.trap.prologue ? e.next : e.next - stream.prologue;
  report.trap.disassembly = Disassemble(step->WordAt(engine, e.next), engine);
}

bool Machine::State::SendSignals(Engine engine) {
  EngineState& e = engines[engine];
  for (uint8_t to = 0; to < kEngines; ++to) {
    if ((e.unsent >> to & 1) == 0 || tokens[engine][to] == kTokenLimit) continue;
    ++tokens[engine][to];
    e.unsent &= ~(1U << to);
    if (check_order) order->Signal(engine, static_cast<Engine>(to));
  }
  return e.unsent == 0;
}

void Machine::State::NextInstruction(Engine engine) {
  EngineState& e = engines[engine];
  const PreparedStream& stream = step->streams()[engine];
  ++e.next;
  ++e.completed;
  ++e.total;
  ++report.instructions[engine];
  if (e.next < stream.instructions.size()) return;
  if (++e.request == requests.size() || stream.body() == 0) {
    e.finished = true;
    e.request = static_cast<uint32_t>(requests.size());
  }
  e.completed = 0;
  e.next = stream.prologue;
}

bool Machine::State::Check(Engine engine, const PreparedInstruction& p) {
  if (p.trap != Trap::kNone) {
    SetTrap(engine, p.trap, p.cause);
    return false;
  }
  const bool idle = Idle(engine, p);
  if (p.touches_dram && !idle) {
    const uint32_t base = p.base;
    const bool read_only = base == kBaseWeights || (base >= kBaseInput0 && base < kBaseOutput0) || base == kBaseStatus;
    if (p.writes_dram && read_only) {
      SetTrap(engine, Trap::kReadOnly, "writes to base register " + std::to_string(base) + ", which is read only");
      return false;
    }
    const uint64_t limit = base == kBaseWeights  ? step->weights().size()
                           : base == kBaseStatus ? 0
                                                 : requests[engines[engine].request].registers[base].size();
    if (p.dram_end > limit) {
      SetTrap(engine, Trap::kDramLimit,
              limit == 0 ? "base register " + std::to_string(base) + " is not set"
                         : "reaches byte " + std::to_string(p.dram_end - 1) + " of base register " +
                               std::to_string(base) + ", whose limit is " + std::to_string(limit));
      return false;
    }
  }
  if (ring_free + p.release > memory.config.weight_rows) {
    SetTrap(engine, Trap::kRingUnderflow,
            "releases " + std::to_string(p.release) + " rows of the weight ring, of which only " +
                std::to_string(memory.config.weight_rows - ring_free) + " are held");
    return false;
  }
  if (!check_order || idle) return true;
  const auto& footprint = step->Footprints()[engine][engines[engine].next];
  if (auto finding = order->shadow.Check(engine, order->clocks[engine], engines[engine].request, footprint)) {
    SetTrap(engine, finding->trap, std::move(finding->cause));
    return false;
  }
  return true;
}

void Machine::State::Execute(Engine engine, const PreparedInstruction& p) {
  uint8_t* dram = nullptr;
  const uint8_t* source = nullptr;
  if (p.touches_dram) {
    if (p.base == kBaseWeights) {
      source = step->weights().data();
    } else {
      source = dram = requests[engines[engine].request].registers[p.base].data();
    }
  }
  const bool fast = options->path == Path::kFast;
  std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, Save>) {
          fast ? fast::Execute(x, memory, *kernels, dram) : reference::Execute(x, memory, dram);
        } else if constexpr (std::is_same_v<T, Load>) {
          fast ? fast::Execute(x, memory, *kernels, source) : reference::Execute(x, memory, source);
        } else if constexpr (std::is_same_v<T, LoadMatrix> || std::is_same_v<T, LoadPacked>) {
          reference::Execute(x, memory, source);  // bound by its bytes: nothing to be won
        } else if constexpr (std::is_same_v<T, LoadWeights> || std::is_same_v<T, LoadVector>) {
          if (x.rows != 0) fast ? fast::Execute(x, memory, source) : reference::Execute(x, memory, source);
        } else if constexpr (!std::is_same_v<T, Sync> && !std::is_same_v<T, std::monostate>) {
          fast ? fast::Execute(x, memory, *kernels) : reference::Execute(x, memory);
        }
      },
      p.instruction);
}

Machine::State::Progress Machine::State::Advance(Engine engine) {
  EngineState& e = engines[engine];
  e.waiting = 0;
  if (const uint32_t unsent = e.unsent; unsent != 0) {
    if (!SendSignals(engine)) {
      e.waiting = e.unsent;
      return e.unsent != unsent ? Progress::kMoved : Progress::kBlocked;
    }
    NextInstruction(engine);
    return Progress::kMoved;
  }
  if (e.finished || e.total >= stop_at[engine]) return Progress::kBlocked;
  const PreparedInstruction& p = step->streams()[engine].instructions[e.next];
  if (p.trap == Trap::kIllegalInstruction) {  // does not decode: what it waits for is not known
    SetTrap(engine, p.trap, p.cause);
    return Progress::kTrapped;
  }
  for (uint8_t from = 0; from < kEngines; ++from) {
    if ((p.wait >> from & 1) != 0 && tokens[from][engine] == 0) e.waiting |= 1U << from;
  }
  if (p.acquire > ring_free) e.waiting |= launch::kWaitingRing;
  if (e.waiting != 0) return Progress::kBlocked;
  for (uint8_t from = 0; from < kEngines; ++from) tokens[from][engine] -= p.wait >> from & 1;
  ring_free -= p.acquire;
  if (check_order) order->Start(engine, p);

  if (!Check(engine, p)) return Progress::kTrapped;
  if (!Idle(engine, p)) {
    Execute(engine, p);
    report.macs += p.macs;
  }
  ring_free += p.release;
  if (check_order) order->Release(engine, p.release);
  e.unsent = p.signal;
  if (SendSignals(engine)) NextInstruction(engine);
  return Progress::kMoved;
}

std::string Machine::State::DescribeDeadlock() const {
  std::string text = "deadlock:";
  for (uint8_t i = 0; i < kEngines; ++i) {
    const EngineState& e = engines[i];
    if (e.finished) continue;
    text += ' ' + std::string(EngineName(static_cast<Engine>(i))) + " (request " + std::to_string(e.request) +
            ", instruction " + std::to_string(e.completed) + ") waits for";
    for (uint8_t from = 0; from < kEngines; ++from) {
      if ((e.waiting >> from & 1) == 0) continue;
      text += e.unsent != 0 ? " a full counter of " : " a token from ";
      text += EngineName(static_cast<Engine>(from));
    }
    if ((e.waiting & launch::kWaitingRing) != 0) text += " free rows of the weight ring";
    text += ';';
  }
  text.pop_back();
  return text;
}

Status Machine::State::Run(const PreparedStep& prepared, std::span<const LaunchRequest> launch,
                           const RunOptions& run_options, LaunchReport* out) {
  const std::span<uint8_t> page = run_options.status_page;
  if (!page.empty() && page.size() != launch::kStatusPageBytes) {
    return Failure{"the status page has " + std::to_string(page.size()) + " bytes, not 4096", ""};
  }
  if (!(prepared.config() == memory.config)) {
    const auto differences = FunctionalDifferences(prepared.config(), memory.config);
    return Failure{"the program was compiled for configuration '" + prepared.config().name + "', the machine is '" +
                       memory.config.name + "'" + (differences.empty() ? "" : " (" + differences[0] + ")"),
                   ""};
  }
  if (!page.empty()) std::copy(status_head.begin(), status_head.end(), page.begin());
  report.trap.trap = Trap::kNone;
  report.trap.engine = kAnyEngine;
  report.trap.disassembly.clear();
  report.trap.cause.clear();
  report.trap.request = report.trap.index = 0;
  report.trap.prologue = false;
  report.requests_completed = 0;
  report.instructions = {};
  report.macs = report.cycles = 0;
  if (launch.empty()) {
    if (out != nullptr) *out = report;
    return {};
  }
  if (!page.empty()) WriteStatusState(page, launch::State::kRunning, Trap::kNone, 0, 0);

  step = &prepared;
  requests = launch;
  options = &run_options;
  check_order = run_options.checks == CheckLevel::kFull;
  engines = {};
  tokens = {};
  ring_free = memory.config.weight_rows;
  stop_at.fill(~uint64_t{0});
  bool limited = false;
  if (run_options.timed || run_options.cycle_limit != 0) {
    // A program that deadlocks has no timing; executing it finds that out, too.
    if (auto timing = prepared.Timing(prepared.step().Requests(launch.size())); timing.ok()) {
      report.cycles = (*timing)->cycles;
      if (run_options.cycle_limit != 0 && report.cycles > run_options.cycle_limit) {
        XRUN_ASSIGN_OR_RETURN(const TimingReport cut, SimulateTiming(prepared, {prepared.step().Requests(launch.size()),
                                                                                false, 0, run_options.cycle_limit}));
        stop_at = cut.instructions_done;
        report.cycles = run_options.cycle_limit;
        limited = true;
      }
    }
  }
  if (!run_options.time_marks.empty()) {
    XRUN_RETURN_IF_ERROR(ModelTimeMarks(prepared, prepared.step().Requests(launch.size()), run_options.time_marks));
  }
  if (check_order) {
    if (order == nullptr) order = std::make_unique<OrderTracker>(memory.config);
    order->Begin(prepared, launch);
  }
  for (uint8_t e = 0; e < kEngines; ++e) {
    engines[e].finished = prepared.streams()[e].instructions.empty();
    if (engines[e].finished) engines[e].request = static_cast<uint32_t>(launch.size());
  }

  bool trapped = false;
  for (bool moved = true; moved && !trapped;) {
    moved = false;
    for (uint8_t e = 0; e < kEngines && !trapped; ++e) {
      for (Progress progress = Progress::kMoved; progress == Progress::kMoved;) {
        if (run_options.abort != nullptr && run_options.abort->load(std::memory_order_relaxed)) {
          SetTrap(kAnyEngine, Trap::kAbort, "the host asked to stop");
          trapped = true;
          break;
        }
        progress = Advance(static_cast<Engine>(e));
        moved = moved || progress == Progress::kMoved;
        trapped = progress == Progress::kTrapped;
      }
    }
  }
  const bool all_done = std::all_of(engines.begin(), engines.end(), [](const EngineState& e) { return e.finished; });
  if (!trapped && !all_done) {
    trapped = true;
    SetTrap(kAnyEngine, Trap::kCycleLimit,
            limited ? "not done after " + std::to_string(run_options.cycle_limit) + " cycles" : DescribeDeadlock());
  }
  report.requests_completed = static_cast<uint32_t>(launch.size());
  for (const EngineState& e : engines) report.requests_completed = std::min(report.requests_completed, e.request);
  if (!page.empty()) {
    for (uint8_t e = 0; e < kEngines; ++e) {
      const bool mine = trapped && report.trap.engine == e;
      WriteStatusEngine(
          page, static_cast<Engine>(e),
          {mine ? report.trap.trap : Trap::kNone, engines[e].request, engines[e].completed, engines[e].waiting});
    }
    WriteStatusState(page, trapped ? launch::State::kTrapped : launch::State::kDone, report.trap.trap,
                     report.requests_completed, report.cycles);
  }
  if (out != nullptr) *out = report;
  if (trapped) return Failure{Describe(report.trap), ""};
  return {};
}

Machine::Machine(const HardwareConfig& config) : state_(std::make_unique<State>(config)) {}
Machine::~Machine() = default;
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;

Status Machine::Run(const PreparedStep& step, std::span<const LaunchRequest> requests, const RunOptions& options,
                    LaunchReport* report) {
  return state_->Run(step, requests, options, report);
}

Status Machine::Identify(std::span<uint8_t> status_page) const {
  if (status_page.size() != launch::kStatusPageBytes) {
    return Failure{"the status page has " + std::to_string(status_page.size()) + " bytes, not 4096", ""};
  }
  std::copy(state_->status_head.begin(), state_->status_head.end(), status_page.begin());
  return {};
}

const HardwareConfig& Machine::config() const { return state_->memory.config; }

Status ModelTimeMarks(const PreparedStep& step, uint32_t requests, std::span<uint64_t> marks) {
  XRUN_ASSIGN_OR_RETURN(const TimingReport timing, SimulateTiming(step, {requests, true, 0, 0}));
  return FillTimeMarks(timing, step, marks);
}

Status RunOnce(const Program& program, const OverlayStep& step, std::span<const LaunchRequest> requests,
               const RunOptions& options, LaunchReport* report) {
  const PreparedStep prepared(program, step);
  Machine machine(program.config);
  return machine.Run(prepared, requests, options, report);
}

std::string Describe(const TrapInfo& trap) {
  if (trap.trap == Trap::kNone) return "no trap";
  std::string text(TrapName(trap.trap));
  if (trap.engine != kAnyEngine) {
    text += ": request " + std::to_string(trap.request) + ", " + std::string(EngineName(trap.engine)) +
            (trap.prologue ? " prologue" : " body") + " instruction " + std::to_string(trap.index) + " (`" +
            trap.disassembly + "`)";
  }
  return text + ": " + trap.cause;
}

std::string KernelName() { return ActiveKernels().name; }

}  // namespace xrun::simulator
