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

// Where words go: a step each, a cycle; true in the cycle of the last. All share one window of bytes and one loop.

struct LineTarget {
  Runs to;
  RunWalk walk;
  PlannedLine planned;
  Queue<LineWords, 2> lines;
  LineClient client;
  LineSeek seek;
};
void StartLineTarget(const Runs& to, LineTarget& t) {
  t.to = to;
  StartRuns(to, t.walk);
  StartLines(t.client);
}
/// Words of the window to the lines that the walk comes to: a line's a cycle.
bool StepLines(ActivationPort& result, WordReader& ahead, LineTarget& t) {
  if (t.lines.count != 0 && StepWrite<0>(result, t.client, t.seek, t.lines.item[0].plan, t.lines.item[0].words))
    Pop(t.lines);
  RunWalk& walk = t.walk;
  const uint32_t address = static_cast<uint32_t>(walk.at);
  const uint32_t fit = kLineWords - (address & (kLineWords - 1));
  const uint32_t count = walk.left < fit ? static_cast<uint32_t>(walk.left) : fit;
  if (!Ended(t.to, walk) && !Full(t.lines) && ahead.fill >= count * kCP) {
    LineWords out;
    out.plan.count = count;
    HW_UNROLL
    for (uint32_t i = 0; i < kLineWords; ++i) {
      HW_VITIS(unroll)
      out.plan.address[i] = address + i;
      WordAt(ahead, i, out.words[i]);
    }
    PlanLines(t.planned, out.plan);
    Push(t.lines, out);
    Release<kCP>(ahead, count);
    walk.at += count;
    walk.left -= count;
    if (walk.left == 0) NextRun(t.to, walk);
  }
  return Ended(t.to, walk) && t.lines.count == 0;
}

/// Rows of a memory, of one word or of CP words.
struct RowTarget {
  uint32_t row, rows;
  uint32_t words;  ///< of the row that are there
  Block block;
};
bool StepWeights(uint32_t first, RingPort& ring, WordReader& ahead, RowTarget& t) {
  const uint32_t count = kCP - t.words < kBeatWords ? kCP - t.words : kBeatWords;
  if (ahead.fill < count * kCP) return false;
  HW_UNROLL
  for (uint32_t k = 0; k < kBeatWords; ++k) {
    HW_VITIS(unroll)
    if (k < count) WordAt(ahead, k, t.block.word[t.words + k]);
  }
  Release<kCP>(ahead, count);
  t.words += count;
  if (t.words != kCP) return false;
  HW_ITERATION(0);
  WriteRow(ring, HW_MUTATE(3, first + t.row, first), t.block);
  t.words = 0;
  ++t.row;
  return t.row == t.rows;
}
bool StepVector(uint32_t first, VectorPort& parameters, WordReader& ahead, RowTarget& t) {
  if (ahead.fill < kCP) return false;
  HW_ITERATION(0);
  Word word;
  WordAt(ahead, 0, word);
  WriteVectorRow(parameters, first + t.row, word);
  Release<kCP>(ahead, 1);
  ++t.row;
  return t.row == t.rows;
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
/// Turned, words come in one a cycle, each a column of the block; otherwise as many as a beat has.
bool StepMatrix(const ::xrun::LoadMatrix& x, RingPort& ring, WordReader& ahead, RowTarget& t) {
  const uint32_t most = x.transpose != 0 ? 1 : x.int4 != 0 ? kMatrixWords : kBeatWords;
  const uint32_t left = t.words < x.words ? x.words - t.words : 0, count = left < most ? left : most;
  if (ahead.fill < count * MatrixWordBytes(x)) return false;
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
        t.block.word[c].lane[t.words] = value;
      } else {
        t.block.word[t.words + k].lane[c] = value;
      }
    }
  }
  if (x.int4 != 0) {
    Release<kCP % 2 == 0 ? kCP / 2 : kCP>(ahead, count);
  } else {
    Release<kCP>(ahead, count);
  }
  // Not turned, a block is done with its last word, and words that are not read are `fill`.
  t.words = x.transpose != 0 ? t.words + 1 : t.words + count == x.words ? kCP : t.words + count;
  if (x.transpose != 0 || t.words == kCP) HW_ITERATION(0);
  if (t.words != kCP) return false;
  HW_UNROLL
  for (uint32_t k = 0; k < kCP; ++k) {
    HW_VITIS(unroll)
    HW_UNROLL
    for (uint32_t c = 0; c < kCP; ++c) {
      HW_VITIS(unroll)
      if (x.transpose == 0 && k >= x.words) t.block.word[k].lane[c] = static_cast<int8_t>(x.fill);
    }
  }
  WriteRow(ring, x.row + t.row, t.block);
  t.words = 0;
  ++t.row;
  return t.row == t.rows;
}

/// What comes from DRAM as whole words, and where it goes: the fields of one of the four instructions.
struct WordLoad {
  Opcode opcode;
  uint32_t first;  ///< row of the ring or the vector memory
  ::xrun::LoadMatrix matrix;
};
bool LoadWords(const WordLoad& x, const Runs& from, const Runs& to, DramReadPort& dram, ActivationPort& result,
               RingPort& ring, VectorPort& parameters) {
  WordReader ahead;
  Reads reads;
  StartReads(from, ahead);
  LineTarget lines;
  StartLineTarget(to, lines);
  RowTarget rows;
  rows.row = rows.words = 0;
  rows.rows = to.rows;
  bool done = rows.rows == 0;
  HW_COUNT(counts.BeginClock(1));
  while (!done) {  // unbounded: to the last word's place
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = 1048576)
    HW_CLOCK();
    switch (x.opcode) {
      case Opcode::kLoad:
        done = StepLines(result, ahead, lines);
        break;
      case Opcode::kLoadWeights:
        done = StepWeights(x.first, ring, ahead, rows);
        break;
      case Opcode::kLoadVector:
        done = StepVector(x.first, parameters, ahead, rows);
        break;
      default:
        done = StepMatrix(x.matrix, ring, ahead, rows);
        break;
    }
    StepReads(dram, reads, ahead);
  }
  HW_COUNT(counts.EndClock());
  if (x.opcode == Opcode::kLoad) {
    HW_ITERATION(0);
    FlushLine(result, lines.client);
  }
  HW_END_UNIT();
  return reads.error;
}

bool PackRows(const ::xrun::LoadPacked& x, uint64_t base, DramReadPort& dram, ActivationPort& result) {
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
  WordLoad load = {};
  load.opcode = static_cast<Opcode>(OpcodeOf(word));
  Runs from = {}, to = {};
  uint32_t base = 0;
  uint64_t end = 0;  // of what is read, counted from the base
  ::xrun::LoadPacked packed = {};
  switch (load.opcode) {
    case Opcode::kLoad: {
      ::xrun::Load x;
      Decode(word, x);
      base = x.base;
      end = CopyEnd(x);
      from = RunsOf(x.offset, x.planes, x.rows, x.plane_stride, x.row_stride, uint64_t{x.cols} * kCP);
      to = RunsOf(x.addr, x.planes, x.rows, x.plane_pitch, HW_MUTATE(2, x.row_pitch, x.cols), x.cols);
      break;
    }
    case Opcode::kLoadWeights: {
      ::xrun::LoadWeights x;
      Decode(word, x);
      base = x.base;
      end = x.rows != 0 ? static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows) * kWeightRowBytes : 0;
      from = RunsOf(x.offset, 1, x.rows, 0, kWeightRowBytes, kWeightRowBytes);
      load.first = x.row;
      to.rows = x.rows;
      break;
    }
    case Opcode::kLoadVector: {
      ::xrun::LoadVector x;
      Decode(word, x);
      base = x.base;
      end = static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows) * kCP;
      from = RunsOf(x.offset, 1, x.rows, 0, kCP, kCP);
      load.first = x.addr;
      to.rows = x.rows;
      break;
    }
    case Opcode::kLoadMatrix: {
      ::xrun::LoadMatrix& x = load.matrix;
      Decode(word, x);
      base = x.base;
      const uint32_t bytes = x.words * MatrixWordBytes(x);
      end = static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows - 1) * x.row_stride + bytes;
      from = RunsOf(x.offset, 1, x.rows, 0, x.row_stride, bytes);
      to.rows = x.rows;
      break;
    }
    case Opcode::kLoadPacked:
      Decode(word, packed);
      base = packed.base;
      end = PackedEnd(packed);
      break;
    default:
      return Trap::kNone;
  }
  const Trap trap = CheckDram(registers, base, false, end);
  if (trap != Trap::kNone) return trap;
  from.at += registers.address[base];
  const bool error = load.opcode == Opcode::kLoadPacked ? PackRows(packed, registers.address[base], dram, result)
                                                        : LoadWords(load, from, to, dram, result, ring, parameters);
  return error ? Trap::kBusError : Trap::kNone;
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
