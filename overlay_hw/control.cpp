#include "overlay_hw/control.h"

#include "overlay_hw/status_page.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

/// Where the time marks of an engine go, and which comes next.
struct MarkPlace {
  uint64_t at;
  uint32_t count, next;
};

/// False where there is no memory.
bool ReadMarkPlaces(DramReadPort& dram, const LaunchArguments& arguments, MarkPlace (&places)[kEngines]) {
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
  return !reader.reads.error;
}

/// Takes a mark from each engine that has one; writes it where marks are wanted.
void TakeMarks(DramWritePort& dram, TokenStream (&marks)[kEngines], bool wanted, uint64_t cycles,
               MarkPlace (&places)[kEngines]) {
  for (uint32_t e = 0; e < kEngines; ++e) {
    Token token;
    if (!marks[e].read_nb(token) || !wanted || places[e].count == 0) continue;
    if (token != 0) {  // an idle instruction leaves the time at which it last did something
      ByteWriter writer;
      PutUint64(dram, writer, places[e].at + 8 * uint64_t{places[e].next}, cycles);
      FinishWrites(dram, writer);
    }
    places[e].next = places[e].next + 1 == places[e].count ? 0 : places[e].next + 1;
  }
}

}  // namespace

void ControlEngine(const Launch& launch, DramReadPort& dram_in, DramWritePort& dram_out, StartStream (&start)[kEngines],
                   TokenStream (&judged)[kEngines], StopSignal& stop, StopSignal& ring_end,
                   EngineReport (&reports)[kEngines], TokenStream (&marks)[kEngines]) {
  const LaunchArguments arguments = launch.arguments;
  const bool run = arguments.request_count != 0;
  // The engines begin beside the page's head. Each FIFO is empty: one entry a launch.
  if (run) {
    for (uint32_t e = 0; e < kEngines; ++e) start[e].write_nb(arguments);
  }
  WriteStatusHead(dram_out, arguments.status, run);
  if (!run) return;

  const bool wanted = (ReadFlags(launch.wires) & launch::kFlagTimeMarks) != 0;
  MarkPlace places[kEngines];
  Trap trap = Trap::kNone;
  uint32_t trapped = kEngines;
  uint64_t cycles = 0;
  bool image = true, readable = ReadMarkPlaces(dram_in, arguments, places);
  uint32_t heard = 0;
  for (;;) {  // unbounded: ends when every engine has left, which `stop` makes each of them do
    cycles = ReadClock(launch.wires);
    uint32_t finished = 0;
    for (uint32_t e = 0; e < kEngines; ++e) {
      Token right;
      if ((heard >> e & 1) == 0 && judged[e].read_nb(right)) {
        heard |= 1U << e;
        if (right == kImageOther) image = false;
        if (right == kImageUnreadable) readable = false;
      }
      if (ReadReport(reports[e], kReportFinished) == 0) continue;
      finished |= 1U << e;
      const Trap found = static_cast<Trap>(ReadReport(reports[e], kReportTrap));
      if (found != Trap::kNone && trap == Trap::kNone) {
        trap = found;
        trapped = e;
      }
    }
    TakeMarks(dram_out, marks, wanted, cycles, places);
    constexpr uint32_t kAll = (1U << kEngines) - 1, kRing = 1U << kLoad | 1U << kConv;
    if (finished == kAll && heard == kAll) break;
    if ((finished & kRing) == kRing) SetStop(ring_end, true);
    if (trap == Trap::kNone) {
      if (!readable) {
        trap = Trap::kBusError;
      } else if (!image) {
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
  for (uint32_t i = 0; i < kMarkDepth; ++i) TakeMarks(dram_out, marks, wanted, cycles, places);
  if (trap == Trap::kNone && !readable) trap = Trap::kBusError;
  if (trap == Trap::kNone && !image) trap = Trap::kIllegalInstruction;
  if (trap == Trap::kCycleLimit) cycles = launch.cycle_limit;
  EngineStatus engines[kEngines];
  for (uint32_t e = 0; e < kEngines; ++e) {
    engines[e].trap = e == trapped ? static_cast<uint32_t>(trap) : 0;
    engines[e].request = ReadReport(reports[e], kReportRequest);
    engines[e].completed = ReadReport(reports[e], kReportCompleted);
    engines[e].waiting = ReadReport(reports[e], kReportWaiting);
  }
  WriteStatusTail(dram_out, arguments.status, trap, cycles, engines);
}

void FetchProcess(uint32_t engine, StartStream& start, TokenStream& judged, DramReadPort& dram, PacketStream& packets,
                  StopSignal& stop) {
  LaunchArguments arguments = {};
  while (!start.read_nb(arguments)) {  // unbounded: ends with the next launch
    if (Stopped(stop)) return;
    Idle();
  }
  judged.write_nb(FetchEngine(engine, arguments, dram, packets, stop));
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
