// The sequential top's dispatcher: engines take turns, each goes on until it has to wait.

#include "overlay_hw/sequential.h"

#include "overlay_hw/launch_reads.h"
#include "overlay_hw/status_page.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

/// An engine's stream and where it stands.
struct Stream {
  StreamPlace place;
  uint32_t next;  ///< instruction, counted from the prologue's first
  uint32_t request, completed, waiting, unsent;
  bool finished;
  Trap trap;
};

struct Dispatcher {
  Stream stream[kEngines];
  uint8_t tokens[kEngines][kEngines];
  uint32_t ring_free;
  BaseRegisters load_registers, save_registers;
};

void LoadRegisters(const LaunchArguments& arguments, uint64_t weight_bytes, uint32_t request, DramReadPort& dram,
                   BaseRegisters& registers) {
  UnitReader reader;
  StartRegisters(arguments.requests, request, reader);
  for (uint32_t group = 0; group < kBaseRegisters / 4; ++group) {
    uint64_t part[kUnitParts];
    NextRegisters(dram, reader, group, arguments.weights, weight_bytes, part);
    for (uint32_t i = 0; i < 4; ++i) {
      registers.address[4 * group + i] = part[2 * i];
      registers.limit[4 * group + i] = part[2 * i + 1];
    }
  }
}

/// Sends what counters take; true when nothing is left.
bool SendSignals(Dispatcher& d, uint32_t engine) {
  Stream& s = d.stream[engine];
  for (uint32_t to = 0; to < kEngines; ++to) {
    if ((s.unsent >> to & 1) == 0 || d.tokens[engine][to] == kTokenLimit) continue;
    ++d.tokens[engine][to];
    s.unsent &= ~(1U << to);
  }
  return s.unsent == 0;
}

Needs NeedsOf(uint32_t engine, const InstructionWord& word) {
  switch (engine) {
    case kLoad:
      return NeedsOfLoad(word);
    case kConv:
      return NeedsOfConv(word);
    case kVector:
      return NeedsOfVector(word);
    default:
      return NeedsOfSave(word);
  }
}

}  // namespace

void RunSequential(const LaunchArguments& arguments, DramReadPort& dram, DramWritePort& dram_out,
                   ActivationPort& conv_source, ActivationPort& conv_result, ActivationPort& conv_residual,
                   ActivationPort& vector_read0, ActivationPort& vector_read1, ActivationPort& vector_read2,
                   ActivationPort& vector_result, ActivationPort& load_result, ActivationPort& save_source,
                   RingPort& ring_read, RingPort& ring_write, PartialPort& partial_read, PartialPort& partial_write,
                   VectorPort& vector_memory_read, VectorPort& vector_memory_write,
                   VectorPartialPort& vector_partial_read, VectorPartialPort& vector_partial_write) {
  WriteStatusHead(dram_out, arguments.status, false);
  if (arguments.request_count == 0) return;
  Dispatcher d;
  ByteReader reader;
  const ImageHead head = ReadImageHead(dram, reader, arguments.program);
  for (uint32_t e = 0; e < kEngines; ++e) {
    Stream& s = d.stream[e];
    s.place = ReadStreamPlace(dram, reader, arguments.program, e);
    s.next = s.request = s.completed = s.waiting = s.unsent = 0;
    s.trap = Trap::kNone;
    s.finished = s.place.prologue + s.place.body == 0;
    if (s.finished) s.request = arguments.request_count;
    for (uint32_t to = 0; to < kEngines; ++to) d.tokens[e][to] = 0;
  }
  d.ring_free = kWeightRows;
  LoadRegisters(arguments, head.weight_bytes, 0, dram, d.load_registers);
  d.save_registers = d.load_registers;
  Trap trap = Trap::kNone;
  bool moved = true;
  while (moved && trap == Trap::kNone) {  // unbounded: as long as the program; it ends when no engine can go on
    moved = false;
    for (uint32_t e = 0; e < kEngines && trap == Trap::kNone; ++e) {
      Stream& s = d.stream[e];
      if (s.finished) continue;
      s.waiting = 0;
      if (s.unsent == 0) {
        InstructionWord word;
        UnitReader unit;
        StartUnits(s.place.at + static_cast<uint64_t>(s.next) * kInstructionBytes, 1, unit);
        NextUnit(dram, unit, word.part);
        const Needs needs = NeedsOf(e, word);
        if (needs.trap == Trap::kIllegalInstruction) {
          s.trap = trap = needs.trap;
          break;
        }
        for (uint32_t from = 0; from < kEngines; ++from) {
          if ((needs.wait >> from & 1) != 0 && d.tokens[from][e] == 0) s.waiting |= 1U << from;
        }
        if (needs.acquire > d.ring_free) s.waiting |= launch::kWaitingRing;
        if (s.waiting != 0) continue;
        for (uint32_t from = 0; from < kEngines; ++from)
          d.tokens[from][e] = static_cast<uint8_t>(d.tokens[from][e] - (needs.wait >> from & 1));
        d.ring_free -= needs.acquire;
        s.trap = needs.trap;
        if (s.trap == Trap::kNone && d.ring_free + needs.release > kWeightRows) s.trap = Trap::kRingUnderflow;
        const bool in_body = s.next >= s.place.prologue;
        if (s.trap == Trap::kNone &&
            !(in_body && launch::IsIdle(head.staggered, needs.late != 0, s.request, arguments.request_count))) {
          switch (e) {
            case kLoad:
              s.trap = ExecuteLoad(word, d.load_registers, dram, load_result, ring_write, vector_memory_write);
              break;
            case kConv:
              s.trap =
                  ExecuteConv(word, conv_source, conv_result, conv_residual, ring_read, partial_read, partial_write);
              break;
            case kVector:
              s.trap = ExecuteVector(word, vector_read0, vector_read1, vector_read2, vector_result, vector_memory_read,
                                     vector_partial_read, vector_partial_write);
              break;
            default:
              s.trap = ExecuteSave(word, d.save_registers, dram_out, save_source);
              break;
          }
        }
        trap = s.trap;
        if (trap != Trap::kNone) break;
        d.ring_free += needs.release;
        s.unsent = needs.signal;
        moved = true;
      }
      const uint32_t before = s.unsent;
      if (!SendSignals(d, e)) {
        moved = moved || s.unsent != before;  // some went out: who waits for them can go on
        s.waiting = s.unsent;
        continue;
      }
      moved = true;
      ++s.next;
      ++s.completed;
      if (s.next < s.place.prologue + s.place.body) continue;
      ++s.request;
      if (s.request == arguments.request_count || s.place.body == 0) {
        s.finished = true;
        s.request = arguments.request_count;
      } else if (e == kLoad || e == kSave) {
        LoadRegisters(arguments, head.weight_bytes, s.request, dram, e == kLoad ? d.load_registers : d.save_registers);
      }
      s.completed = 0;
      s.next = s.place.prologue;
    }
  }
  EngineStatus engines[kEngines];
  for (uint32_t e = 0; e < kEngines; ++e) {
    const Stream& s = d.stream[e];
    // No engine can go on: what the host sees as a cycle limit that expired.
    if (trap == Trap::kNone && !s.finished) trap = Trap::kCycleLimit;
    engines[e].trap = static_cast<uint32_t>(s.trap);
    engines[e].request = s.request;
    engines[e].completed = s.completed;
    engines[e].waiting = s.waiting;
  }
  WriteStatusTail(dram_out, arguments.status, trap, 0, engines);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
