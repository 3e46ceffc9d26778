// The Save engine: activation memory to DRAM.

#include "overlay_hw/checks.h"
#include "overlay_hw/lines.h"
#include "overlay_hw/runs.h"
#include "overlay_hw/shell.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

// Stage 0: the client of port B. One loop whose iteration is a clock cycle: lines come in, their words go into a window
// of bytes, from it beats to DRAM.

/// The next words that lie in one line and in one run: `from` walks on chip, `to` through DRAM.
void StepParts(const Runs& from, RunWalk& walk, const Runs& to, RunWalk& out, PlannedLine& planned,
               Queue<LinePlan<kLineWords>, 2>& parts) {
  if (Ended(from, walk) || Full(parts)) return;
  const uint32_t address = static_cast<uint32_t>(walk.at);
  uint32_t count = kLineWords - (address & (kLineWords - 1));
  if (walk.left < count) count = static_cast<uint32_t>(walk.left);
  if (out.left < count) count = static_cast<uint32_t>(out.left);
  LinePlan<kLineWords> part;
  part.count = count;
  HW_UNROLL
  for (uint32_t i = 0; i < kLineWords; ++i) {
    HW_VITIS(unroll)
    part.address[i] = address + i;
  }
  PlanLines(planned, part);
  Push(parts, part);
  walk.at += count;
  walk.left -= count;
  if (walk.left == 0) NextRun(from, walk);
  out.left -= count;
  if (out.left == 0) NextRun(to, out);
}

bool Copy(const ::xrun::Save& x, uint64_t base, DramWritePort& dram, ActivationPort& source) {
  const uint64_t row_stride = HW_MUTATE(7, x.row_stride, x.cols * kCP);
  const Runs runs = RunsOf(base + x.offset, x.planes, x.rows, x.plane_stride, row_stride, uint64_t{x.cols} * kCP);
  WriteBehind behind;
  StartWrites(runs, behind);
  const Runs from = RunsOf(x.addr, x.planes, x.rows, HW_MUTATE(8, x.plane_pitch, x.row_pitch), x.row_pitch, x.cols);
  Runs to = runs;  // in words
  to.length = runs.length / kCP;
  RunWalk walk, out;
  StartRuns(from, walk);
  StartRuns(to, out);
  PlannedLine planned;
  Queue<LinePlan<kLineWords>, 2> parts;
  Queue<LineWords, 2> lines;
  LineClient client;
  StartLines(client);
  LineSeek seek;
  LineWords line;
  HW_COUNT(counts.BeginClock(1));
  HW_ITERATION(0);                                     // the first line
  while (!Ended(runs, behind.gives) || behind.ends) {  // unbounded: to the last run's last beat
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = 1048576)
    HW_CLOCK();
    StepWrites(dram, behind);
    if (lines.count != 0 && HasRoom(behind)) {
      GiveWrites(behind, lines.item[0].words, lines.item[0].plan.count);
      Pop(lines);
    }
    if (parts.count != 0 && !Full(lines)) {
      line.plan = parts.item[0];
      if (StepRead<0>(source, client, seek, line.plan, line.words)) {
        Push(lines, line);
        Pop(parts);
      }
    }
    StepParts(from, walk, to, out, planned, parts);
  }
  HW_COUNT(counts.EndClock());
  WaitWritten(dram, behind.writes);
  HW_END_UNIT();
  return behind.writes.error;
}

struct SaveSteps {
  DramWritePort& dram;
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

Trap ExecuteSave(const InstructionWord& word, const BaseRegisters& registers, DramWritePort& dram,
                 ActivationPort& source) {
  if (static_cast<Opcode>(OpcodeOf(word)) != Opcode::kSave) return Trap::kNone;
  ::xrun::Save x;
  Decode(word, x);
  const uint64_t end = static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.planes - 1) * x.plane_stride +
                       static_cast<uint64_t>(x.rows - 1) * x.row_stride + static_cast<uint64_t>(x.cols) * kCP;
  const Trap trap = CheckDram(registers, x.base, true, end);
  if (trap != Trap::kNone) return trap;
  return Copy(x, registers.address[x.base], dram, source) ? Trap::kBusError : Trap::kNone;
}

void SaveEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines], StopSignal& stop,
                EngineReport& report, TokenStream& marks, DramWritePort& dram, ActivationPort& source) {
  SaveSteps steps = {dram, source};
  RunEngine(steps, packets, from, to, stop, report, marks);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
