// The Load engine: DRAM to activation memory, weight ring and vector parameter memory.

#include "overlay_hw/checks.h"
#include "overlay_hw/packer.h"
#include "overlay_hw/shell.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

// Stages. Stage 0: the client of port B or the memory's write port. Stage 1: the packer. Each instruction is one loop
// whose iteration is a clock cycle: words go where they belong, out of a window of bytes; a beat of DRAM comes into it;
// the next run is asked for.

uint64_t CopyEnd(const ::xrun::Load& x) {
  return static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.planes - 1) * x.plane_stride +
         static_cast<uint64_t>(x.rows - 1) * x.row_stride + static_cast<uint64_t>(x.cols) * kCP;
}
uint32_t MatrixWordBytes(const ::xrun::LoadMatrix& x) { return x.int4 != 0 ? kCP / 2 : kCP; }

typedef ReadAhead<kBeatWordBytes> WordReader;

/// Word i of the window.
void WordAt(const WordReader& ahead, uint32_t i, Word& word) {
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    word.lane[c] = ahead.bytes[i * kCP + c];
  }
}

/// Words of the window to the lines that the walk comes to: a line's a cycle.
void StepLines(const Runs& to, RunWalk& walk, PlannedLine& planned, WordReader& ahead, Queue<LineWords, 2>& lines) {
  if (Ended(to, walk) || Full(lines)) return;
  const uint32_t address = static_cast<uint32_t>(walk.at);
  const uint32_t fit = kLineWords - (address & (kLineWords - 1));
  const uint32_t count = walk.left < fit ? static_cast<uint32_t>(walk.left) : fit;
  if (ahead.fill < count * kCP) return;
  LineWords out;
  out.plan.count = count;
  HW_UNROLL
  for (uint32_t i = 0; i < kLineWords; ++i) {
    HW_VITIS(unroll)
    out.plan.address[i] = address + i;
    WordAt(ahead, i, out.words[i]);
  }
  PlanLines(planned, out.plan);
  Push(lines, out);
  Release<kCP>(ahead, count);
  walk.at += count;
  walk.left -= count;
  if (walk.left == 0) NextRun(to, walk);
}

bool Copy(const ::xrun::Load& x, uint64_t base, DramReadPort& dram, ActivationPort& result) {
  WordReader ahead;
  Reads reads;
  StartReads(RunsOf(base + x.offset, x.planes, x.rows, x.plane_stride, x.row_stride, uint64_t{x.cols} * kCP), ahead);
  const Runs to = RunsOf(x.addr, x.planes, x.rows, x.plane_pitch, HW_MUTATE(2, x.row_pitch, x.cols), x.cols);
  RunWalk walk;
  StartRuns(to, walk);
  PlannedLine planned;
  Queue<LineWords, 2> lines;
  LineClient client;
  StartLines(client);
  LineSeek seek;
  HW_COUNT(counts.BeginClock(1));
  while (!Ended(to, walk) || lines.count != 0) {  // unbounded: to the last word's line
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = 1048576)
    HW_CLOCK();
    if (lines.count != 0 && StepWrite<0>(result, client, seek, lines.item[0].plan, lines.item[0].words)) Pop(lines);
    StepLines(to, walk, planned, ahead, lines);
    StepReads(dram, reads, ahead);
  }
  HW_COUNT(counts.EndClock());
  HW_ITERATION(0);
  FlushLine(result, client);
  HW_END_UNIT();
  return reads.error;
}

bool LoadWeightRows(const ::xrun::LoadWeights& x, uint64_t base, DramReadPort& dram, RingPort& ring) {
  WordReader ahead;
  Reads reads;
  StartReads(RunsOf(base + x.offset, 1, x.rows, 0, kWeightRowBytes, kWeightRowBytes), ahead);
  Block block;
  uint32_t i = 0, oc = 0;  // row, and words of it that are there
  HW_COUNT(counts.BeginClock(1));
  while (i != x.rows) {  // unbounded: DRAM answers
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = 65536)
    HW_CLOCK();
    const uint32_t count = kCP - oc < kBeatWords ? kCP - oc : kBeatWords;
    if (ahead.fill >= count * kCP) {
      HW_UNROLL
      for (uint32_t k = 0; k < kBeatWords; ++k) {
        HW_VITIS(unroll)
        if (k < count) WordAt(ahead, k, block.word[oc + k]);
      }
      Release<kCP>(ahead, count);
      oc += count;
      if (oc == kCP) {
        HW_ITERATION(0);
        WriteRow(ring, HW_MUTATE(3, x.row + i, x.row), block);
        oc = 0;
        ++i;
      }
    }
    StepReads(dram, reads, ahead);
  }
  HW_COUNT(counts.EndClock());
  HW_END_UNIT();
  return reads.error;
}

bool LoadVectorRows(const ::xrun::LoadVector& x, uint64_t base, DramReadPort& dram, VectorPort& parameters) {
  WordReader ahead;
  Reads reads;
  StartReads(RunsOf(base + x.offset, 1, x.rows, 0, kCP, kCP), ahead);
  uint32_t i = 0;
  HW_COUNT(counts.BeginClock(1));
  while (i != x.rows) {  // unbounded: DRAM answers
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = 65536)
    HW_CLOCK();
    if (ahead.fill >= kCP) {
      HW_ITERATION(0);
      Word word;
      WordAt(ahead, 0, word);
      WriteVectorRow(parameters, x.addr + i, word);
      Release<kCP>(ahead, 1);
      ++i;
    }
    StepReads(dram, reads, ahead);
  }
  HW_COUNT(counts.EndClock());
  HW_END_UNIT();
  return reads.error;
}

/// Words of a block that the window can give in a cycle.
constexpr uint32_t kMatrixWords = kCP % 2 == 0 ? 2 * kBeatWords : kBeatWords;

/// Word k of the window, its elements made bytes, `fill` where the matrix has none.
void MatrixWord(const ::xrun::LoadMatrix& x, const WordReader& ahead, uint32_t k, Word& to) {
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    const uint32_t whole = k * kCP + c, two = k * (kCP / 2) + c / 2;
    const uint8_t pair = static_cast<uint8_t>(ahead.bytes[two]);
    const uint32_t nibble = HW_MUTATE(4, (c & 1) != 0, (c & 1) == 0) ? pair >> 4 : pair & 15U;
    const int8_t half = static_cast<int8_t>(HW_MUTATE(5, (nibble ^ 8U), (nibble ^ 0U)) - HW_MUTATE(5, 8U, 0U));
    const int8_t byte = ahead.bytes[whole < kBeatWordBytes ? whole : 0];
    to.lane[c] = c >= x.lanes ? static_cast<int8_t>(x.fill) : x.int4 != 0 ? half : byte;
  }
}

bool LoadMatrixRows(const ::xrun::LoadMatrix& x, uint64_t base, DramReadPort& dram, RingPort& ring) {
  WordReader ahead;
  Reads reads;
  const uint32_t bytes = MatrixWordBytes(x);
  StartReads(RunsOf(base + x.offset, 1, x.rows, 0, x.row_stride, uint64_t{x.words} * bytes), ahead);
  Block block;
  uint32_t i = 0, j = 0;  // block, and words of it that are there
  // Turned, words come in one a cycle, each a column of the block; otherwise as many as a beat has.
  const uint32_t most = x.transpose != 0 ? 1 : x.int4 != 0 ? kMatrixWords : kBeatWords;
  HW_COUNT(counts.BeginClock(1));
  while (i != x.rows) {  // unbounded: DRAM answers
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = 65536)
    HW_CLOCK();
    const uint32_t left = j < x.words ? x.words - j : 0, count = left < most ? left : most;
    if (ahead.fill >= count * bytes) {
      HW_UNROLL
      for (uint32_t k = 0; k < kMatrixWords; ++k) {
        HW_VITIS(unroll)
        if (k >= count && (k != 0 || x.transpose == 0)) continue;
        Word word;
        MatrixWord(x, ahead, k, word);
        HW_UNROLL
        for (uint32_t c = 0; c < kCP; ++c) {
          HW_VITIS(unroll)
          const int8_t value = k < count ? word.lane[c] : static_cast<int8_t>(x.fill);
          if (x.transpose != 0) {
            block.word[c].lane[j] = value;
          } else {
            block.word[j + k].lane[c] = value;
          }
        }
      }
      if (x.int4 != 0) {
        Release<kCP % 2 == 0 ? kCP / 2 : kCP>(ahead, count);
      } else {
        Release<kCP>(ahead, count);
      }
      // Not turned, a block is done with its last word, and words that are not read are `fill`.
      j = x.transpose != 0 ? j + 1 : j + count == x.words ? kCP : j + count;
      if (x.transpose != 0 || j == kCP) HW_ITERATION(0);
      if (j == kCP) {
        HW_UNROLL
        for (uint32_t k = 0; k < kCP; ++k) {
          HW_VITIS(unroll)
          HW_UNROLL
          for (uint32_t c = 0; c < kCP; ++c) {
            HW_VITIS(unroll)
            if (x.transpose == 0 && k >= x.words) block.word[k].lane[c] = static_cast<int8_t>(x.fill);
          }
        }
        WriteRow(ring, x.row + i, block);
        j = 0;
        ++i;
      }
    }
    StepReads(dram, reads, ahead);
  }
  HW_COUNT(counts.EndClock());
  HW_END_UNIT();
  return reads.error;
}

bool Pack(const ::xrun::LoadPacked& x, uint64_t base, DramReadPort& dram, ActivationPort& result) {
  PartReader parts[2];  // of the beats one is written and one read a cycle
  HW_VITIS(array_partition variable = parts complete)
  HW_VITIS(bind_storage variable = parts.beats type = ram_s2p impl = lutram)
  StartPart(x, base, false, parts[0]);
  StartPart(x, base, true, parts[1]);
  Reads reads;
  Queue<PartAsk, kPartAsks> asks;
  uint32_t turn = 0;
  PackWalk walk;
  walk.r = 0;
  walk.to = x.addr;
  BeginPackedRow(walk, parts);
  PlannedLine planned;
  Queue<LineWords, 2> lines;
  LineClient client;
  StartLines(client);
  LineSeek seek;
  HW_COUNT(counts.BeginClock(2));
  while (walk.r != x.rows || lines.count != 0) {  // unbounded: to the last word's line
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = 1048576)
    HW_CLOCK();
    if (lines.count != 0 && StepWrite<0>(result, client, seek, lines.item[0].plan, lines.item[0].words)) Pop(lines);
    StepPacker(x, parts, walk, planned, lines);
    StepParts(dram, reads, asks, parts, turn);
  }
  HW_COUNT(counts.EndClock());
  HW_END_UNIT();
  HW_ITERATION(0);
  FlushLine(result, client);
  HW_END_UNIT();
  return reads.error;
}

struct LoadSteps {
  RowStream& rows;
  TokenStream& granted;
  StopSignal& stop;
  EngineReport& report;
  DramReadPort& dram;
  ActivationPort& result;
  RingPort& ring;
  VectorPort& parameters;

  Needs needs(const InstructionWord& word) { return NeedsOfLoad(word); }
  bool acquire(uint32_t count) {
    if (count == 0) return true;
    if (!Send(rows, count, stop)) return false;
    Token token;
    bool waiting = false;
    while (!granted.read_nb(token)) {  // unbounded: the rows are granted, or the launch stops
      if (Stopped(stop)) return false;
      if (!waiting) SetReport(report, kReportWaiting, launch::kWaitingRing);
      waiting = true;
      Idle();
    }
    if (waiting) SetReport(report, kReportWaiting, 0);
    return true;
  }
  Trap execute(const InstructionWord& word, const BaseRegisters& registers, const Needs&) {
    return ExecuteLoad(word, registers, dram, result, ring, parameters);
  }
  bool release(uint32_t) { return true; }
};

}  // namespace

Needs NeedsOfLoad(const InstructionWord& word) {
  Trap trap = Trap::kIllegalInstruction;
  uint32_t acquire = 0;
  ::xrun::Sync sync;
  ::xrun::Load load;
  ::xrun::LoadWeights weights;
  ::xrun::LoadVector vector;
  ::xrun::LoadPacked packed;
  ::xrun::LoadMatrix matrix;
  switch (static_cast<Opcode>(OpcodeOf(word))) {
    case Opcode::kSync:
      trap = Judge(word, sync);
      break;
    case Opcode::kLoad:
      trap = Judge(word, load);
      break;
    case Opcode::kLoadWeights:
      trap = Judge(word, weights);
      acquire = weights.acquire;
      break;
    case Opcode::kLoadVector:
      trap = Judge(word, vector);
      break;
    case Opcode::kLoadPacked:
      trap = Judge(word, packed);
      break;
    case Opcode::kLoadMatrix:
      trap = Judge(word, matrix);
      acquire = matrix.acquire;
      break;
    default:
      break;
  }
  Needs needs = HeaderNeeds(word, kLoad, trap);
  if (needs.trap == Trap::kNone) needs.acquire = acquire;
  return needs;
}

Trap ExecuteLoad(const InstructionWord& word, const BaseRegisters& registers, DramReadPort& dram,
                 ActivationPort& result, RingPort& ring, VectorPort& parameters) {
  Trap trap = Trap::kNone;
  bool error = false;
  switch (static_cast<Opcode>(OpcodeOf(word))) {
    case Opcode::kLoad: {
      ::xrun::Load x;
      Decode(word, x);
      trap = CheckDram(registers, x.base, false, CopyEnd(x));
      if (trap == Trap::kNone) error = Copy(x, registers.address[x.base], dram, result);
      break;
    }
    case Opcode::kLoadWeights: {
      ::xrun::LoadWeights x;
      Decode(word, x);
      const uint64_t end = static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows) * kWeightRowBytes;
      trap = CheckDram(registers, x.base, false, x.rows != 0 ? end : 0);
      if (trap == Trap::kNone) error = LoadWeightRows(x, registers.address[x.base], dram, ring);
      break;
    }
    case Opcode::kLoadVector: {
      ::xrun::LoadVector x;
      Decode(word, x);
      trap = CheckDram(registers, x.base, false, static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows) * kCP);
      if (trap == Trap::kNone) error = LoadVectorRows(x, registers.address[x.base], dram, parameters);
      break;
    }
    case Opcode::kLoadPacked: {
      ::xrun::LoadPacked x;
      Decode(word, x);
      trap = CheckDram(registers, x.base, false, PackedEnd(x));
      if (trap == Trap::kNone) error = Pack(x, registers.address[x.base], dram, result);
      break;
    }
    case Opcode::kLoadMatrix: {
      ::xrun::LoadMatrix x;
      Decode(word, x);
      trap = CheckDram(registers, x.base, false,
                       static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows - 1) * x.row_stride +
                           x.words * MatrixWordBytes(x));
      if (trap == Trap::kNone) error = LoadMatrixRows(x, registers.address[x.base], dram, ring);
      break;
    }
    default:
      break;
  }
  return error ? Trap::kBusError : trap;
}

void LoadEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines], RowStream& acquire,
                TokenStream& granted, StopSignal& stop, EngineReport& report, TokenStream& marks, DramReadPort& dram,
                ActivationPort& result, RingPort& ring, VectorPort& parameters) {
  LoadSteps steps = {acquire, granted, stop, report, dram, result, ring, parameters};
  RunEngine(steps, packets, from, to, stop, report, marks);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
