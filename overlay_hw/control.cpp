#include "overlay_hw/control.h"

#include "isa/launch.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

/// Bytes after the page's state that are written at the end: state to the last engine.
constexpr uint64_t kTailAt = launch::kStatusState;

void Put32(DramPort& dram, ByteWriter& writer, uint64_t address, uint32_t value) {
  int8_t bytes[4];
  HW_UNROLL
  for (uint32_t i = 0; i < 4; ++i) {
    HW_VITIS(unroll)
    bytes[i] = static_cast<int8_t>(static_cast<uint8_t>(value >> (8 * i)));
  }
  WriteBytes(dram, writer, address, bytes);
}
void Put64(DramPort& dram, ByteWriter& writer, uint64_t address, uint64_t value) {
  Put32(dram, writer, address, static_cast<uint32_t>(value));
  Put32(dram, writer, address + 4, static_cast<uint32_t>(value >> 32));
}

/// The configuration's fields in the order of the status page.
constexpr uint32_t kFields[] = {kConfig.pixels,
                                kConfig.channels,
                                kConfig.activation_rows,
                                kConfig.weight_rows,
                                kConfig.partial_entries,
                                kConfig.vector_rows,
                                kConfig.vector_partial_entries,
                                kConfig.requant_lanes,
                                kConfig.vector_pixels,
                                kConfig.clock_mhz,
                                kConfig.dram_ports,
                                kConfig.dram_port_bytes,
                                kConfig.dram_efficiency,
                                kConfig.dram_burst_bytes,
                                kConfig.dram_outstanding,
                                kConfig.dram_read_latency,
                                kConfig.dram_write_response,
                                kConfig.decode_cycles,
                                kConfig.token_cycles,
                                kConfig.launch_cycles};
constexpr uint32_t kFieldCount = sizeof(kFields) / sizeof(kFields[0]);
static_assert(launch::kStatusConfig + 4 * kFieldCount <= launch::kStatusState, "the fields fit before the state");

/// Head, then zeros to the end of the page, then the state: a page with state 1 is complete.
void WriteHead(DramPort& dram, uint64_t page, bool running) {
  ByteWriter writer;
  StartBeats(writer);
  Put32(dram, writer, page, launch::kStatusMagic);
  Put32(dram, writer, page + launch::kStatusVersionAt, launch::kStatusLayoutVersion);
  Put32(dram, writer, page + launch::kStatusIsaMajor, uint32_t{kIsaMajor} | uint32_t{kIsaMinor} << 16);
  Put32(dram, writer, page + launch::kStatusFieldCount, kFieldCount);
  Put64(dram, writer, page + launch::kStatusCapabilities, launch::kCapabilities);
  Put64(dram, writer, page + launch::kStatusFingerprint, kConfig.fingerprint);
  for (uint32_t i = 0; i < kFieldCount; ++i) {
    Put32(dram, writer, page + launch::kStatusConfig + 4 * i, kFields[i]);
  }
  for (uint64_t at = launch::kStatusConfig + 4 * kFieldCount; at < launch::kStatusPageBytes; at += 4) {
    const bool state = running && at == launch::kStatusState;
    Put32(dram, writer, page + at, state ? static_cast<uint32_t>(launch::State::kRunning) : 0);
  }
  FlushBeat(dram, writer);
}

/// Where the time marks of an engine go, and which comes next.
struct MarkPlace {
  uint64_t at;
  uint32_t count, next;
};

void ReadMarkPlaces(DramPort& dram, const LaunchArguments& arguments, MarkPlace (&places)[kEngines]) {
  ByteReader reader;
  uint32_t begin[kEngines + 1];
  for (uint32_t e = 0; e < kEngines; ++e) {
    begin[e] = ReadUint32(dram, reader, arguments.program + launch::kImageMarks + 4 * e);
  }
  begin[kEngines] = ReadUint32(dram, reader, arguments.program + launch::kImageStatusBytes);
  for (uint32_t e = 0; e < kEngines; ++e) {
    places[e].at = arguments.status + begin[e];
    places[e].count = (begin[e + 1] - begin[e]) / 8;
    places[e].next = 0;
  }
}

/// Takes a mark from each engine that has one; writes it where marks are wanted.
void TakeMarks(DramPort& dram, TokenStream (&marks)[kEngines], bool wanted, uint64_t cycles,
               MarkPlace (&places)[kEngines]) {
  for (uint32_t e = 0; e < kEngines; ++e) {
    Token token;
    if (!marks[e].read_nb(token) || !wanted || places[e].count == 0) continue;
    if (token != 0) {  // an idle instruction leaves the time at which it last did something
      ByteWriter writer;
      StartBeats(writer);
      Put64(dram, writer, places[e].at + 8 * uint64_t{places[e].next}, cycles);
      FlushBeat(dram, writer);
    }
    places[e].next = places[e].next + 1 == places[e].count ? 0 : places[e].next + 1;
  }
}

void WriteTail(DramPort& dram, uint64_t page, Trap trap, uint64_t cycles, uint32_t trapped,
               EngineReport (&reports)[kEngines]) {
  ByteWriter writer;
  StartBeats(writer);
  uint32_t completed = ~uint32_t{0};
  for (uint32_t e = 0; e < kEngines; ++e) {
    const uint64_t at = page + launch::kStatusEngines + launch::kStatusEngineBytes * e;
    const uint32_t request = ReadReport(reports[e], kReportRequest);
    if (request < completed) completed = request;
    Put32(dram, writer, at + launch::kEngineTrap, e == trapped ? static_cast<uint32_t>(trap) : 0);
    Put32(dram, writer, at + launch::kEngineRequest, request);
    Put32(dram, writer, at + launch::kEngineCompleted, ReadReport(reports[e], kReportCompleted));
    Put32(dram, writer, at + launch::kEngineWaiting, ReadReport(reports[e], kReportWaiting));
  }
  Put32(dram, writer, page + launch::kStatusTrap, static_cast<uint32_t>(trap));
  Put32(dram, writer, page + launch::kStatusCompleted, completed);
  Put64(dram, writer, page + launch::kStatusCycles, cycles);
  FlushBeat(dram, writer);
  // The state comes last: who sees it sees the rest.
  const launch::State state = trap == Trap::kNone ? launch::State::kDone : launch::State::kTrapped;
  Put32(dram, writer, page + kTailAt, static_cast<uint32_t>(state));
  FlushBeat(dram, writer);
}

}  // namespace

void ControlEngine(const Launch& launch, DramPort& dram, StartStream (&start)[kEngines],
                   TokenStream (&judged)[kEngines], StopSignal& stop, StopSignal& ring_end,
                   EngineReport (&reports)[kEngines], TokenStream (&marks)[kEngines]) {
  const LaunchArguments arguments = launch.arguments;
  const bool run = arguments.request_count != 0;
  WriteHead(dram, arguments.status, run);
  if (!run) return;

  const bool wanted = (ReadFlags(launch.wires) & launch::kFlagTimeMarks) != 0;
  MarkPlace places[kEngines];
  ReadMarkPlaces(dram, arguments, places);
  for (uint32_t e = 0; e < kEngines; ++e) start[e].write_nb(arguments);  // empty: one entry a launch

  Trap trap = Trap::kNone;
  uint32_t trapped = kEngines;
  uint64_t cycles = 0;
  bool image = true;
  uint32_t heard = 0;
  for (;;) {  // unbounded: ends when every engine has left, which `stop` makes each of them do
    cycles = ReadClock(launch.wires);
    uint32_t finished = 0;
    for (uint32_t e = 0; e < kEngines; ++e) {
      Token right;
      if ((heard >> e & 1) == 0 && judged[e].read_nb(right)) {
        heard |= 1U << e;
        if (right == 0) image = false;
      }
      if (ReadReport(reports[e], kReportFinished) == 0) continue;
      finished |= 1U << e;
      const Trap found = static_cast<Trap>(ReadReport(reports[e], kReportTrap));
      if (found != Trap::kNone && trap == Trap::kNone) {
        trap = found;
        trapped = e;
      }
    }
    TakeMarks(dram, marks, wanted, cycles, places);
    constexpr uint32_t kAll = (1U << kEngines) - 1, kRing = 1U << kLoad | 1U << kConv;
    if (finished == kAll && heard == kAll) break;
    if ((finished & kRing) == kRing) SetStop(ring_end, true);
    if (trap == Trap::kNone) {
      if (!image) {
        trap = Trap::kIllegalInstruction;
      } else if ((ReadFlags(launch.wires) & launch::kFlagAbort) != 0) {
        trap = Trap::kAbort;
      } else if (launch.cycle_limit != 0 && cycles > launch.cycle_limit) {
        trap = Trap::kCycleLimit;
      }
    }
    if (trap != Trap::kNone) SetStop(stop, true);
    Idle();
  }
  SetStop(ring_end, true);
  for (uint32_t i = 0; i < kMarkDepth; ++i) TakeMarks(dram, marks, wanted, cycles, places);
  if (trap == Trap::kNone && !image) trap = Trap::kIllegalInstruction;
  if (trap == Trap::kNone && BusError(dram)) trap = Trap::kBusError;
  if (trap == Trap::kCycleLimit) cycles = launch.cycle_limit;
  WriteTail(dram, arguments.status, trap, cycles, trapped, reports);
}

void FetchProcess(uint32_t engine, StartStream& start, TokenStream& judged, DramPort& dram, PacketStream& packets,
                  StopSignal& stop) {
  LaunchArguments arguments = {};
  while (!start.read_nb(arguments)) {  // unbounded: ends with the next launch
    if (Stopped(stop)) return;
    Idle();
  }
  const bool right = FetchEngine(engine, arguments, dram, packets, stop);
  judged.write_nb(right ? Token(1) : Token(0));
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
