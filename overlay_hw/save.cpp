// The Save engine: activation memory to DRAM.

#include "overlay_hw/checks.h"
#include "overlay_hw/lines.h"
#include "overlay_hw/shell.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

// Stage 0: the client of port B.
void Copy(const ::xrun::Save& x, uint64_t base, DramPort& dram, ActivationPort& source) {
  LineClient client;
  StartLines(client);
  ByteWriter writer;
  StartBeats(writer);
  uint64_t plane_to = base + x.offset;
  uint32_t plane_from = x.addr;
  HW_ITERATION(0);  // the first line
  for (uint32_t p = 0; p < x.planes; ++p) {
    uint64_t to = plane_to;
    uint32_t from = plane_from;
    for (uint32_t r = 0; r < x.rows; ++r) {
      for (uint32_t c = 0; c < x.cols; c += kChunk) {
        const uint32_t count = x.cols - c < kChunk ? x.cols - c : kChunk;
        uint32_t address[kChunk];
        Word words[kChunk];
        for (uint32_t i = 0; i < kChunk; ++i) address[i] = from + c + i;
        ReadWords<0>(source, client, address, count, words);
        for (uint32_t i = 0; i < kChunk; ++i) {
          if (i < count) WriteBytes(dram, writer, to + static_cast<uint64_t>(c + i) * kCP, words[i].lane);
        }
      }
      to += HW_MUTATE(7, x.row_stride, x.cols * kCP);
      from += x.row_pitch;
    }
    plane_to += x.plane_stride;
    plane_from += HW_MUTATE(8, x.plane_pitch, x.row_pitch);
  }
  FlushBeat(dram, writer);
  HW_END_UNIT();
}

struct SaveSteps {
  DramPort& dram;
  ActivationPort& source;

  Needs needs(const InstructionWord& word) { return NeedsOfSave(word); }
  bool acquire(uint32_t) { return true; }
  Trap execute(const InstructionWord& word, const BaseRegisters& registers, const Needs&) {
    return ExecuteSave(word, registers, dram, source);
  }
  bool release(uint32_t) { return true; }
};

}  // namespace

Needs NeedsOfSave(const InstructionWord& word) {
  Trap trap = Trap::kIllegalInstruction;
  ::xrun::Sync sync;
  ::xrun::Save save;
  switch (static_cast<Opcode>(OpcodeOf(word))) {
    case Opcode::kSync:
      trap = Judge(word, sync);
      break;
    case Opcode::kSave:
      trap = Judge(word, save);
      break;
    default:
      break;
  }
  return HeaderNeeds(word, kSave, trap);
}

Trap ExecuteSave(const InstructionWord& word, const BaseRegisters& registers, DramPort& dram, ActivationPort& source) {
  if (static_cast<Opcode>(OpcodeOf(word)) != Opcode::kSave) return Trap::kNone;
  ::xrun::Save x;
  Decode(word, x);
  const uint64_t end = static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.planes - 1) * x.plane_stride +
                       static_cast<uint64_t>(x.rows - 1) * x.row_stride + static_cast<uint64_t>(x.cols) * kCP;
  const Trap trap = CheckDram(registers, x.base, true, end);
  if (trap != Trap::kNone) return trap;
  Copy(x, registers.address[x.base], dram, source);
  return BusError(dram) ? Trap::kBusError : Trap::kNone;
}

void SaveEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines], StopSignal& stop,
                EngineReport& report, TokenStream& marks, DramPort& dram, ActivationPort& source) {
  SaveSteps steps = {dram, source};
  RunEngine(steps, packets, from, to, stop, report, marks);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
