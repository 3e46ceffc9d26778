// The event simulation. Time runs in ticks of 1/dram_efficiency cycle: a beat takes 100 of them, a cycle
// dram_efficiency, and everything is an integer. At equal times engines go before ports and lower numbers first, so
// that a run is exactly repeatable.

#include "simulator/timing_model.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "simulator/prepared.h"

namespace xrun::simulator {
namespace {

constexpr uint64_t kNever = ~uint64_t{0};
constexpr uint64_t kTicksPerBeat = 100;
constexpr uint64_t kImageHeaderBytes = 128;
constexpr uint64_t kStatusHeadBytes = 320;  ///< what a launch writes at its start; the rest is part of launch_cycles
constexpr size_t kFetchAhead = 3;           ///< the burst in use and two more

/// Who asks a port for bursts, in the order of turns.
enum Requester : uint8_t { kByLoad, kBySave, kByFetch, kByStatus = kByFetch + kEngines, kRequesters };
bool Writes(uint8_t requester) { return requester == kBySave || requester == kByStatus; }

struct Burst {
  uint32_t bytes, beats;
  uint64_t tag;  ///< of a fetch: the chunk's end
};

/// First in, first out; memory is kept.
template <typename T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  size_t size() const { return items_.size() - head_; }
  const T& front() const { return items_[head_]; }
  const T& operator[](size_t i) const { return items_[head_ + i]; }
  const T& back() const { return items_.back(); }
  void push(T item) {
    if (head_ > 64 && head_ * 2 > items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(head_));
      head_ = 0;
    }
    items_.push_back(item);
  }
  T pop() { return items_[head_++]; }

 private:
  std::vector<T> items_;
  size_t head_ = 0;
};

struct Port {
  std::array<Fifo<Burst>, kRequesters> queues;
  Fifo<uint64_t> under_way;  ///< arrival of reads, ascending
  uint64_t free_at = 0;
  uint8_t last = kRequesters - 1;
  uint64_t event = kNever;
  PortTime time;
};

/// Instructions [.., end) of an engine's whole sequence that arrive at `arrival` (kNever: not yet known).
struct Chunk {
  uint64_t end = 0;
  uint64_t arrival = kNever;
};

struct Token {
  uint64_t arrival;
  uint32_t instruction;
};

enum class Phase : uint8_t { kWaiting, kDecoding, kRunning, kSignalling, kFinished };

struct EngineRun {
  Phase phase = Phase::kWaiting;
  uint64_t event = kNever;
  uint64_t position = 0, total = 0;  ///< in the sequence prologue, body, body, …
  uint32_t next = 0, request = 0;    ///< index into the stream
  uint64_t ready = 0;                ///< when the engine became free
  uint64_t start = 0, chip_done = 0, dram_done = 0, done = 0;
  uint64_t bursts_left = 0;
  uint32_t unsent = 0;
  Stall waited_for = Stall::kCauses;
  std::vector<Chunk> chunks;  ///< at most kFetchAhead; the first has the next instruction
  uint64_t fetch_position = 0;
  uint64_t body_address = 0, prologue_address = 0;
  std::array<uint64_t, kStallCauses> stalled{};  ///< ticks
  uint64_t busy = 0;                             ///< cycles
};

class Simulation {
 public:
  Simulation(const PreparedStep& step, const TimingOptions& options)
      : step_(step),
        config_(step.config()),
        options_(options),
        entries_(step.step().Entries(options.requests)),
        cycle_(config_.dram_efficiency),
        cycles_(step.Cycles()) {}

  Result<TimingReport> Run();

 private:
  uint64_t Ticks(uint64_t cycles) const { return cycles * cycle_; }
  const PreparedInstruction& Next(Engine e) const { return step_.streams()[e].instructions[engines_[e].next]; }
  /// The half of a staggered program that has no request in this entry only takes and gives tokens and rows.
  bool Idle(const EngineRun& e, const PreparedInstruction& p) const {
    return step_.step().Idle(HeaderOf(p.instruction).late != 0, e.request, entries_);
  }
  uint64_t OwnOf(Engine engine) const {
    const EngineRun& e = engines_[engine];
    return Idle(e, Next(engine)) ? 0 : cycles_[engine][e.next].total();
  }

  void Begin();
  void Step(Engine e, uint64_t now);
  void PlanStart(Engine e);
  void Start(Engine e, uint64_t now);
  void Issue(Engine e, uint64_t now);
  void Finish(Engine e, uint64_t now);
  void Signal(Engine e, uint64_t now);
  void MoveOn(Engine e, uint64_t now);
  void FetchMore(Engine e, uint64_t now);
  void Enqueue(uint8_t requester, uint64_t address, uint64_t bytes, uint64_t now, uint64_t tag = 0);
  void PlanPort(Port& port, uint64_t now);
  void Serve(Port& port, uint64_t now);
  void BurstServed(uint8_t requester, uint64_t tag, uint64_t arrival);
  void Record(Engine e);
  Failure Deadlock() const;
  TimingReport Report(uint64_t end, bool limited);

  const PreparedStep& step_;
  const HardwareConfig& config_;
  const TimingOptions& options_;
  const uint32_t entries_;  ///< of the request table
  const uint64_t cycle_;    ///< ticks
  const std::array<std::vector<OwnCycles>, kEngines>& cycles_;
  std::array<EngineRun, kEngines> engines_;
  std::array<Port, 2> ports_;
  std::array<std::array<Fifo<Token>, kEngines>, kEngines> tokens_;
  uint64_t ring_free_ = 0;
  Fifo<std::pair<uint64_t, uint64_t>> ring_releases_;  ///< when they reach Load, rows
  TimingReport report_;
  std::array<std::vector<int32_t>, kEngines> node_of_;
};

void Simulation::Begin() {
  ring_free_ = config_.weight_rows;
  uint64_t address = kImageHeaderBytes;
  for (uint8_t i = 0; i < kEngines; ++i) {
    EngineRun& e = engines_[i];
    const PreparedStream& stream = step_.streams()[i];
    e.prologue_address = address;
    e.body_address = address + uint64_t{stream.prologue} * kInstructionBytes;
    address += stream.instructions.size() * kInstructionBytes;
    e.total = stream.prologue + uint64_t{stream.body()} * entries_;
    if (e.total == 0) e.phase = Phase::kFinished;
  }
  if (options_.record) {
    report_.nodes.resize(step_.nodes().size());
    for (size_t n = 0; n < report_.nodes.size(); ++n) report_.nodes[n].node = static_cast<uint32_t>(n);
    for (uint8_t i = 0; i < kEngines; ++i) node_of_[i].assign(step_.streams()[i].body(), -1);
    for (const NodeRange& range : step_.step().ranges) {
      for (uint32_t k = range.first; k < range.first + range.count && k < node_of_[range.engine].size(); ++k) {
        if (range.node < report_.nodes.size()) node_of_[range.engine][k] = static_cast<int32_t>(range.node);
      }
    }
  }
  Enqueue(kByStatus, 0, kStatusHeadBytes, 0);
  for (uint8_t i = 0; i < kEngines; ++i) {
    FetchMore(static_cast<Engine>(i), 0);
    if (engines_[i].phase == Phase::kWaiting) PlanStart(static_cast<Engine>(i));
  }
}

// ---------------------------------------------------------------------------------------------------------------- DRAM

void Simulation::Enqueue(uint8_t requester, uint64_t address, uint64_t bytes, uint64_t now, uint64_t tag) {
  ForEachBurst(address, bytes, config_, [&](const DramBurst& burst) {
    ports_[burst.port].queues[requester].push({burst.bytes, burst.beats, tag});
  });
  for (Port& port : ports_) PlanPort(port, now);
}

void Simulation::PlanPort(Port& port, uint64_t now) {
  bool read = false, write = false;
  for (uint8_t r = 0; r < kRequesters; ++r) {
    if (!port.queues[r].empty()) (Writes(r) ? write : read) = true;
  }
  port.event = kNever;
  const uint64_t at = std::max(now, port.free_at);
  if (write) port.event = at;
  if (read) {
    // The oldest read that keeps a new one from beginning, if there are as many as may be under way.
    const size_t under_way = port.under_way.size();
    const uint64_t room =
        under_way < config_.dram_outstanding ? 0 : port.under_way[under_way - config_.dram_outstanding];
    port.event = std::min(port.event, std::max(at, room));
  }
}

void Simulation::Serve(Port& port, uint64_t now) {
  while (!port.under_way.empty() && port.under_way.front() <= now) port.under_way.pop();
  const bool reads = port.under_way.size() < config_.dram_outstanding;
  uint8_t turn = port.last;
  for (uint8_t i = 0; i < kRequesters; ++i) {
    turn = static_cast<uint8_t>((turn + 1) % kRequesters);
    if (!port.queues[turn].empty() && (Writes(turn) || reads)) break;
  }
  assert(!port.queues[turn].empty() && (Writes(turn) || reads));
  port.last = turn;
  const Burst burst = port.queues[turn].pop();
  const uint64_t length = burst.beats * kTicksPerBeat;
  port.free_at = now + length;
  uint64_t arrival = now + length;
  if (Writes(turn)) {
    port.time.write_beats += burst.beats;
  } else {
    arrival += Ticks(config_.dram_read_latency);
    port.under_way.push(arrival);
    port.time.read_beats += burst.beats;
  }
  ++port.time.bursts;
  if (options_.sample_cycles != 0) {
    const size_t slot = port.free_at / Ticks(options_.sample_cycles);
    if (report_.samples.size() <= slot) report_.samples.resize(slot + 1);
    (Writes(turn) ? report_.samples[slot].write_bytes : report_.samples[slot].read_bytes) += burst.bytes;
  }
  PlanPort(port, now);
  BurstServed(turn, burst.tag, arrival);
}

void Simulation::BurstServed(uint8_t requester, uint64_t tag, uint64_t arrival) {
  if (requester == kByStatus) return;
  if (requester >= kByFetch) {
    const auto engine = static_cast<Engine>(requester - kByFetch);
    EngineRun& e = engines_[engine];
    const auto chunk = std::find_if(e.chunks.begin(), e.chunks.end(), [&](const Chunk& c) { return c.end == tag; });
    assert(chunk != e.chunks.end());
    chunk->arrival = arrival;
    if (e.phase == Phase::kWaiting) PlanStart(engine);
    return;
  }
  EngineRun& e = engines_[requester == kByLoad ? kLoad : kSave];
  e.dram_done = std::max(e.dram_done, arrival);
  if (--e.bursts_left != 0) return;
  if (requester == kBySave) e.dram_done += Ticks(config_.dram_write_response);
  e.event = std::max(e.chip_done, e.dram_done);
}

void Simulation::FetchMore(Engine engine, uint64_t now) {
  EngineRun& e = engines_[engine];
  const PreparedStream& stream = step_.streams()[engine];
  while (e.chunks.size() < kFetchAhead && e.fetch_position < e.total) {
    // A burst ends where the burst size or the stream does; a body starts anew for every request.
    const uint64_t position = e.fetch_position;
    const bool prologue = position < stream.prologue;
    const uint64_t in_body = prologue || stream.body() == 0 ? 0 : (position - stream.prologue) % stream.body();
    const uint64_t address =
        prologue ? e.prologue_address + position * kInstructionBytes : e.body_address + in_body * kInstructionBytes;
    const uint64_t left = prologue ? stream.instructions.size() - position : stream.body() - in_body;
    const uint64_t burst = config_.dram_burst_bytes;
    const uint64_t count = std::min(left, ((address / burst + 1) * burst - address) / kInstructionBytes);
    e.fetch_position += count;
    e.chunks.push_back({e.fetch_position, kNever});
    report_.bytes[static_cast<size_t>(Traffic::kFetch)] += count * kInstructionBytes;
    Enqueue(static_cast<uint8_t>(kByFetch + uint8_t{engine}), address, count * kInstructionBytes, now,
            e.fetch_position);
  }
}

// ------------------------------------------------------------------------------------------------------------- engines

/// When the next instruction can start, as far as that is known; if not, whoever makes it known plans again.
void Simulation::PlanStart(Engine engine) {
  EngineRun& e = engines_[engine];
  const PreparedInstruction& p = Next(engine);
  e.event = kNever;
  uint64_t start = e.ready;
  Stall cause = Stall::kCauses;
  const auto need = [&](uint64_t time, Stall why) {
    if (time > start) {
      start = time;
      cause = why;
    }
  };
  if (e.chunks.empty() || e.chunks.front().arrival == kNever) return;
  need(e.chunks.front().arrival, Stall::kFetch);
  for (uint8_t from = 0; from < kEngines; ++from) {
    if ((p.wait >> from & 1) == 0) continue;
    if (tokens_[from][engine].empty()) return;
    need(tokens_[from][engine].front().arrival, static_cast<Stall>(from));
  }
  if (p.acquire > ring_free_) {
    uint64_t rows = ring_free_;
    size_t i = 0;
    while (rows < p.acquire) {
      if (i == ring_releases_.size()) return;
      rows += ring_releases_[i++].second;
    }
    need(ring_releases_[i - 1].first, Stall::kRing);
  }
  e.waited_for = cause;
  e.event = start;
}

void Simulation::Start(Engine engine, uint64_t now) {
  EngineRun& e = engines_[engine];
  const PreparedInstruction& p = Next(engine);
  if (e.waited_for != Stall::kCauses) e.stalled[static_cast<size_t>(e.waited_for)] += now - e.ready;
  e.start = now;
  for (uint8_t from = 0; from < kEngines; ++from) {
    if ((p.wait >> from & 1) == 0) continue;
    const Token token = tokens_[from][engine].pop();
    if (options_.record) {
      report_.tokens.push_back(
          {static_cast<Engine>(from), engine, token.instruction, static_cast<uint32_t>(e.position)});
    }
    EngineRun& sender = engines_[from];  // may have waited for room in the counter
    if (sender.phase == Phase::kSignalling) sender.event = now;
  }
  if (p.acquire != 0) {
    while (ring_free_ < p.acquire || (!ring_releases_.empty() && ring_releases_.front().first <= now)) {
      ring_free_ += ring_releases_.pop().second;
    }
    ring_free_ -= p.acquire;
  }
  const uint64_t own = OwnOf(engine);
  e.busy += config_.decode_cycles + own;
  e.chip_done = now + Ticks(config_.decode_cycles + own);
  e.dram_done = 0;
  if (p.touches_dram && !Idle(e, p)) {
    e.phase = Phase::kDecoding;
    e.event = now + Ticks(config_.decode_cycles);
  } else {
    e.phase = Phase::kRunning;
    e.event = e.chip_done;
  }
}

void Simulation::Issue(Engine engine, uint64_t now) {
  EngineRun& e = engines_[engine];
  const PreparedInstruction& p = Next(engine);
  e.phase = Phase::kRunning;
  e.event = kNever;
  const uint8_t requester = engine == kLoad ? kByLoad : kBySave;
  const Traffic kind = engine == kSave                                      ? Traffic::kSave
                       : std::holds_alternative<LoadWeights>(p.instruction) ? Traffic::kWeights
                       : std::holds_alternative<LoadMatrix>(p.instruction)  ? Traffic::kWeights
                       : std::holds_alternative<LoadVector>(p.instruction)  ? Traffic::kVectorParameters
                                                                            : Traffic::kLoad;
  uint64_t& bytes_moved = report_.bytes[static_cast<size_t>(kind)];
  ForEachDramRun(p.instruction, config_, [&](uint64_t offset, uint64_t bytes) {
    bytes_moved += bytes;
    ForEachBurst(offset, bytes, config_, [&](const DramBurst& burst) {
      ports_[burst.port].queues[requester].push({burst.bytes, burst.beats, 0});
      ++e.bursts_left;
    });
  });
  for (Port& port : ports_) PlanPort(port, now);
}

void Simulation::Finish(Engine engine, uint64_t now) {
  EngineRun& e = engines_[engine];
  const PreparedInstruction& p = Next(engine);
  e.done = now;
  e.stalled[static_cast<size_t>(engine == kSave ? Stall::kDramWrite : Stall::kDramRead)] += now - e.chip_done;
  if (options_.record) Record(engine);
  ++report_.instructions_done[engine];
  if (p.release != 0) {
    ring_releases_.push({now + Ticks(config_.token_cycles), p.release});
    if (engines_[kLoad].phase == Phase::kWaiting) PlanStart(kLoad);
  }
  e.unsent = p.signal;
  e.phase = Phase::kSignalling;
  Signal(engine, now);
}

void Simulation::Signal(Engine engine, uint64_t now) {
  EngineRun& e = engines_[engine];
  e.event = kNever;  // until a receiver takes one
  for (uint8_t to = 0; to < kEngines; ++to) {
    if ((e.unsent >> to & 1) == 0 || tokens_[engine][to].size() == kTokenLimit) continue;
    tokens_[engine][to].push({now + Ticks(config_.token_cycles), static_cast<uint32_t>(e.position)});
    e.unsent &= ~(1U << to);
    if (engines_[to].phase == Phase::kWaiting) PlanStart(static_cast<Engine>(to));
  }
  if (e.unsent == 0) MoveOn(engine, now);
}

void Simulation::MoveOn(Engine engine, uint64_t now) {
  EngineRun& e = engines_[engine];
  const PreparedStream& stream = step_.streams()[engine];
  e.stalled[static_cast<size_t>(Stall::kTokenFull)] += now - e.done;
  e.ready = now;
  ++e.position;
  if (++e.next == stream.instructions.size()) {
    e.next = stream.prologue;
    ++e.request;
  }
  if (e.position == e.total) {
    e.phase = Phase::kFinished;
    e.event = kNever;
    return;
  }
  e.phase = Phase::kWaiting;
  if (e.position == e.chunks.front().end) e.chunks.erase(e.chunks.begin());
  FetchMore(engine, now);
  PlanStart(engine);
}

void Simulation::Step(Engine engine, uint64_t now) {
  switch (engines_[engine].phase) {
    case Phase::kWaiting:
      return Start(engine, now);
    case Phase::kDecoding:
      return Issue(engine, now);
    case Phase::kRunning:
      return Finish(engine, now);
    case Phase::kSignalling:
      return Signal(engine, now);
    case Phase::kFinished:
      assert(false);
  }
}

// -------------------------------------------------------------------------------------------------------------- report

void Simulation::Record(Engine engine) {
  const EngineRun& e = engines_[engine];
  const PreparedStream& stream = step_.streams()[engine];
  InstructionTime time;
  time.request = e.request;
  time.prologue = e.next < stream.prologue;
  time.idle = Idle(e, Next(engine));
  time.index = time.prologue ? e.next : e.next - stream.prologue;
  time.start = e.start / cycle_;
  time.end = e.done / cycle_;
  if (e.waited_for != Stall::kCauses && e.start > e.ready) {
    time.waited_for = e.waited_for;
    time.waited = (e.start - e.ready) / cycle_;
  }
  time.dram_stall = (e.done - e.chip_done) / cycle_;
  report_.instructions[engine].push_back(time);
  // The first request's: the back half's come with the second entry.
  const uint32_t first = step_.step().stagger && HeaderOf(Next(engine).instruction).late != 0 ? 1 : 0;
  if (time.prologue || time.request != first || node_of_[engine][time.index] < 0) return;
  NodeTime& node = report_.nodes[static_cast<size_t>(node_of_[engine][time.index])];
  if (node.end == 0 || time.start < node.start) node.start = time.start;
  node.end = std::max(node.end, time.end);
  node.busy[engine] += config_.decode_cycles + OwnOf(engine);
}

Failure Simulation::Deadlock() const {
  std::string text = "deadlock:";
  for (uint8_t i = 0; i < kEngines; ++i) {
    const EngineRun& e = engines_[i];
    if (e.phase == Phase::kFinished) continue;
    const PreparedInstruction& p = Next(static_cast<Engine>(i));
    text += ' ' + std::string(EngineName(static_cast<Engine>(i))) + " (request " + std::to_string(e.request) +
            ", instruction " + std::to_string(e.next) + ") waits for";
    for (uint8_t other = 0; other < kEngines; ++other) {
      if (e.phase == Phase::kSignalling && (e.unsent >> other & 1) != 0) {
        text += " a full counter of " + std::string(EngineName(static_cast<Engine>(other)));
      } else if (e.phase == Phase::kWaiting && (p.wait >> other & 1) != 0 && tokens_[other][i].empty()) {
        text += " a token from " + std::string(EngineName(static_cast<Engine>(other)));
      }
    }
    if (e.phase == Phase::kWaiting && p.acquire > ring_free_) text += " free rows of the weight ring";
    text += ';';
  }
  text.pop_back();
  return {text, ""};
}

TimingReport Simulation::Report(uint64_t end, bool limited) {
  report_.requests = options_.requests;
  report_.limited = limited;
  report_.cycles = limited ? options_.cycle_limit : (end + cycle_ - 1) / cycle_ + config_.launch_cycles;
  report_.bytes[static_cast<size_t>(Traffic::kStatus)] = kStatusHeadBytes;
  for (uint8_t i = 0; i < kEngines; ++i) {
    const EngineRun& e = engines_[i];
    EngineTime& time = report_.engines[i];
    time.instructions = report_.instructions_done[i];
    time.busy = e.busy;
    for (size_t s = 0; s < kStallCauses; ++s) time.stalled[s] = e.stalled[s] / cycle_;
    time.last_end = e.done / cycle_;
    time.idle = end > e.done ? (end - e.done) / cycle_ : 0;
  }
  for (size_t p = 0; p < ports_.size(); ++p) {
    report_.ports[p] = ports_[p].time;
    report_.ports[p].busy = (ports_[p].time.read_beats + ports_[p].time.write_beats) * kTicksPerBeat / cycle_;
  }
  for (size_t i = 0; i < report_.samples.size(); ++i) report_.samples[i].cycle = i * options_.sample_cycles;
  return std::move(report_);
}

Result<TimingReport> Simulation::Run() {
  Begin();
  uint64_t limit = kNever;
  if (options_.cycle_limit != 0) {
    limit = Ticks(options_.cycle_limit - std::min<uint64_t>(options_.cycle_limit, config_.launch_cycles));
  }
  for (;;) {
    uint64_t now = kNever;
    for (const EngineRun& e : engines_) now = std::min(now, e.event);
    bool engine_event = now != kNever;
    for (const Port& port : ports_) {
      if (port.event < now) {
        now = port.event;
        engine_event = false;
      }
    }
    if (now == kNever) break;
    if (now > limit) return Report(limit, true);
    if (engine_event) {
      uint8_t i = 0;
      while (engines_[i].event != now) ++i;
      Step(static_cast<Engine>(i), now);
    } else {
      Serve(ports_[0].event == now ? ports_[0] : ports_[1], now);
    }
  }
  uint64_t end = 0;
  for (const EngineRun& e : engines_) {
    if (e.phase != Phase::kFinished) return Deadlock();
    end = std::max(end, e.done);
  }
  return Report(end, false);
}

}  // namespace

Result<TimingReport> SimulateTiming(const PreparedStep& step, const TimingOptions& options) {
  assert(options.requests >= 1);
  for (uint8_t e = 0; e < kEngines; ++e) {
    const PreparedStream& stream = step.streams()[e];
    for (size_t i = 0; i < stream.instructions.size(); ++i) {
      const PreparedInstruction& p = stream.instructions[i];
      if (p.trap == Trap::kNone) continue;
      return Failure{"no timing for a program that traps: " + std::string(EngineName(static_cast<Engine>(e))) +
                         " instruction " + std::to_string(i) + ": " + p.cause,
                     ""};
    }
  }
  return Simulation(step, options).Run();
}

}  // namespace xrun::simulator
