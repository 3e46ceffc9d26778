// The Vector engine: depthwise convolution, pooling, elementwise.

#include "overlay_hw/checks.h"
#include "overlay_hw/requant.h"
#include "overlay_hw/shell.h"
#include "overlay_hw/vector_stages.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

// Multipliers by count that are kept beside the vector memory; further ones are read from it where they are used.
constexpr uint32_t kCountBytes = 4096;
struct Counts {
  uint32_t row = 0;  ///< of the vector memory
  uint8_t bytes[kCountBytes];
};

/// A table of the vector memory: a row an iteration, at least 32.
void LoadTable(VectorPort& port, uint32_t row, Table& table) {
  const uint32_t kIterations = kVectorTableRows < 32 ? 32 : kVectorTableRows;
  for (uint32_t i = 0; i < kIterations; ++i) {
    HW_PIPELINE
    HW_ITERATION(6);
    if (i >= kVectorTableRows) continue;
    Word word;
    ReadVectorRow(port, row + i, word);
    HW_UNROLL
    for (uint32_t c = 0; c < kCP; ++c) {
      HW_VITIS(unroll)
      if (i * kCP + c < kTableEntries) table.entry[i * kCP + c] = word.lane[c];
    }
  }
  HW_END_UNIT();
}

void LoadCounts(const Window& x, VectorPort& port, uint32_t row, Counts& counts_of) {
  counts_of.row = row;
  const uint32_t rows = DivideUp(x.kernel_h * x.kernel_w * 4, kCP);
  for (uint32_t i = 0; i < rows; ++i) {
    HW_PIPELINE
    HW_ITERATION(6);
    Word word;
    ReadVectorRow(port, row + i, word);
    HW_UNROLL
    for (uint32_t c = 0; c < kCP; ++c) {
      HW_VITIS(unroll)
      if (i * kCP + c < kCountBytes) counts_of.bytes[i * kCP + c] = static_cast<uint8_t>(word.lane[c]);
    }
  }
  HW_END_UNIT();
}

uint32_t CountMultiplier(const Window& x, VectorPort& parameters, const Counts& counts_of, uint32_t rows,
                         uint32_t columns) {
  const uint32_t at = ((rows - 1) * x.kernel_w + HW_MUTATE(24, columns - 1, columns)) * 4;
  uint32_t packed = 0;
  HW_UNROLL
  for (uint32_t i = 0; i < 4; ++i) {
    HW_VITIS(unroll)
    uint32_t byte = 0;
    if (at + i < kCountBytes) {
      byte = counts_of.bytes[at + i];
    } else {
      Word word;
      HW_FIXED();
      ReadVectorRow(parameters, counts_of.row + (at + i) / kCP, word);
      byte = static_cast<uint8_t>(word.lane[(at + i) % kCP]);
    }
    packed |= byte << (8 * i);
  }
  return packed;
}

/// One result: accumulators of a pixel to the word that is written.
void Finish(const Window& x, VectorPort& parameters, const int8_t* records, const Counts& counts_of, const Table& table,
            const BlockSums& sums, uint32_t v, Word& word) {
  const uint32_t columns = sums.columns_inside[v], rows = sums.rows_inside;
  uint32_t m = x.m, shift = x.shift;
  const bool some = rows != 0 && columns != 0;
  if (x.per_count && some) {
    const uint32_t packed = CountMultiplier(x, parameters, counts_of, rows, columns);
    m = packed & 0xFFFFFFU;
    shift = packed >> 24 & 0x3FU;
  }
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    const int32_t acc = sums.acc[v].lane[c];
    int32_t q = acc;
    if (x.kind == kDepthwise) {
      const Record record = RecordFrom(records + kRecordBytes * c);
      q = FirstStage(WrapAdd(acc, record.bias), record, x.prelu, x.zero_point, x.clamp_lo, x.clamp_hi);
    } else {
      if (x.kind == kAverage) {
        q = x.per_count && !some ? x.zero_point : Requantized(acc, m, shift, x.zero_point);
      } else if (x.requantize) {
        q = Requantized(WrapAdd(acc, HW_MUTATE(25, -x.in_zero, 0)), m, shift, x.zero_point);
      }
      q = ClampTo(q, x.clamp_lo, x.clamp_hi);
    }
    if (x.table) q = Look(table, q);
    word.lane[c] = static_cast<int8_t>(q);
  }
}

struct BlockResults {
  LinePlan<kVP> plan;
  Word words[kVP];
  uint32_t block;
};
/// From a block's sums to its words, or to the partial buffer.
struct FinishStage {
  BlockWalk walk;
  bool busy = false;  ///< with the walk's block
  uint32_t v;         ///< its next column
  uint32_t entry;     ///< of the partial buffer, of its first column
  BlockSums sums;
  PlannedLine planned;
  BlockResults out;
};

/// A cycle of it: a line of words, or an entry of the partial buffer.
void StepFinish(const Window& x, const ParameterStage& p, const Counts& counts_of, const Table& table,
                VectorPort& parameters, VectorPartialPort& partial_read, VectorPartialPort& partial_write,
                FinishStage& f, Queue<BlockSums, 2>& sums, Queue<BlockResults, 2>& results) {
  if (!f.busy) {
    if (sums.count == 0 || Full(results)) return;
    f.sums = sums.item[0];
    Pop(sums);
    f.v = 0;
    f.busy = true;
    HW_COUNT(counts.Unit(5, f.walk.block));
    if (x.keep) HW_COUNT(counts.Unit(4, f.walk.block));
  }
  const uint32_t count = BlockColumns(x, f.walk);
  if (x.accumulate) {
    HW_ITERATION(5);
    Accumulators before;
    ReadVectorPartial(partial_read, f.entry + f.v, before);
    Join(x, before, f.sums.acc[f.v]);
  }
  uint32_t columns = x.accumulate || x.keep ? 1 : kLineWords;
  if (x.keep) {
    HW_ITERATION(4);
    WriteVectorPartial(partial_write, f.entry + f.v, f.sums.acc[f.v]);
  } else {
    HW_UNROLL
    for (uint32_t i = 0; i < kLineWords; ++i) {
      HW_VITIS(unroll)
      if (i < columns && f.v + i < count) {
        Finish(x, parameters, p.set[f.walk.g & 1].records, counts_of, table, f.sums, f.v + i, f.out.words[f.v + i]);
      }
    }
  }
  f.v += columns;
  if (f.v < count) return;
  f.busy = false;
  f.entry += count;
  if (!x.keep) {
    f.out.block = f.walk.block;
    f.out.plan.count = count;
    HW_UNROLL
    for (uint32_t v = 0; v < kVP; ++v) {
      HW_VITIS(unroll)
      f.out.plan.address[v] = x.dst + f.walk.g * x.dst_plane_pitch + f.walk.oy * x.dst_row_pitch + f.walk.ox + v;
    }
    PlanLines(f.planned, f.out.plan);
    Push(results, f.out);
  }
  Advance(x, f.walk);
}

void RunWindow(const Window& x, ActivationPort& read0, ActivationPort& read1, ActivationPort& read2,
               ActivationPort& result, VectorPort& parameters, VectorPartialPort& partial_read,
               VectorPartialPort& partial_write) {
  uint32_t row = x.params;
  Table table;  // written a row of CP entries a cycle, read by every lane of a line
  HW_VITIS(array_partition variable = table.entry cyclic factor = kCP)
  HW_VITIS(bind_storage variable = table.entry type = ram_1wnr impl = lutram)
  Counts counts_of;  // written a row a cycle, four neighbouring bytes read
  HW_VITIS(array_partition variable = counts_of.bytes cyclic factor = 4 * kCP)
  if (x.table) {
    LoadTable(parameters, row, table);
    row += kVectorTableRows;
  }
  if (x.per_count) LoadCounts(x, parameters, row, counts_of);

  ReadSlot slots[3];  // a line written a cycle, a word read by each lane
  HW_VITIS(array_partition variable = slots complete)
  HW_VITIS(array_partition variable = slots.word complete dim = 1)
  HW_VITIS(array_partition variable = slots.word cyclic factor = kLineWords dim = 2)
  HW_VITIS(bind_storage variable = slots.word type = ram_1wnr impl = lutram)
  HW_UNROLL
  for (uint32_t s = 0; s < 3; ++s) {
    HW_VITIS(unroll)
    StartSlot(x, s, slots[s]);
  }
  ParameterStage p;  // a row written a cycle; of records all are read, of weights a word a pair of lanes
  HW_VITIS(array_partition variable = p.set complete)
  HW_VITIS(array_partition variable = p.set.records complete)
  HW_VITIS(bind_storage variable = p.set.weights type = ram_1wnr impl = lutram)
  StartParameters(x, row, p);
  MultiplyStage multiply;
  StartMultiply(multiply);
  Queue<BlockSums, 2> sums;
  FinishStage finish;
  finish.entry = x.partial;
  Queue<BlockResults, 2> results;
  LineClient writer;
  StartLines(writer);
  LineSeek seek;

  HW_COUNT(counts.BeginBlocks());
  while (finish.walk.g != x.groups || results.count != 0) {  // unbounded: to the last result's line
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 16 max = 1048576)
    HW_CLOCK();
    // From the last stage to the first, so that each sees what stood in its queues at the cycle's beginning.
    if (results.count != 0) {
      HW_COUNT(counts.Unit(4, results.item[0].block));
      if (StepWrite<4>(result, writer, seek, results.item[0].plan, results.item[0].words)) Pop(results);
    }
    if (finish.walk.g != x.groups) {
      StepFinish(x, p, counts_of, table, parameters, partial_read, partial_write, finish, sums, results);
    }
    if (multiply.walk.g != x.groups && !Full(sums) && StepMultiply(x, parameters, p, slots, multiply)) {
      Push(sums, multiply.sums);
      multiply.begun = false;
      Advance(x, multiply.walk);
    }
    StepSlot<1>(x, read0, slots[0]);
    StepSlot<2>(x, read1, slots[1]);
    StepSlot<3>(x, read2, slots[2]);
    HW_UNROLL
    for (uint32_t s = 0; s < 3; ++s) {
      HW_VITIS(unroll)
      StepPlan(x, s, slots[s]);
    }
    StepParameters(x, finish.walk.g, parameters, p);
  }
  HW_COUNT(counts.EndBlocks(DivideUp(x.out_w, x.block_columns) * x.out_h));
  FlushLine(result, writer);
}

// Elementwise. Stages as of a window, side by side for each row: 1 operand a, 2 operand b, 4 the result. Between them
// pass the words of a line at a time.

/// A stage's way through the rows of one tensor.
struct RowWalk {
  uint32_t p, r, c;
  uint32_t row;          ///< how many were before
  uint32_t plane, base;  ///< addresses of the plane's first word and of the row's
};
void StartRows(uint32_t address, RowWalk& walk) {
  walk.p = walk.r = walk.c = walk.row = 0;
  walk.plane = walk.base = address;
}
void AdvanceRows(const ::xrun::Elementwise& x, uint32_t columns, uint32_t row_pitch, uint32_t plane_pitch,
                 RowWalk& walk) {
  walk.c += columns;
  if (walk.c < x.cols) return;
  walk.c = 0;
  ++walk.row;
  ++walk.r;
  walk.base += row_pitch;
  if (walk.r != x.rows) return;
  walk.r = 0;
  ++walk.p;
  walk.plane += plane_pitch;
  walk.base = walk.plane;
}

struct RowWords {
  LinePlan<kLineWords> plan;
  Word words[kLineWords];
  uint32_t row;
};
/// The next words' addresses and line costs; `step` 0: one word for all columns of a row.
void PlanRow(const ::xrun::Elementwise& x, const RowWalk& walk, uint32_t step, PlannedLine& planned, RowWords& to) {
  to.row = walk.row;
  to.plan.count = step == 0 ? 1 : x.cols - walk.c < kLineWords ? x.cols - walk.c : kLineWords;
  HW_UNROLL
  for (uint32_t i = 0; i < kLineWords; ++i) {
    HW_VITIS(unroll)
    to.plan.address[i] = walk.base + walk.c + i;
  }
  PlanLines(planned, to.plan);
}

/// An operand: its lines, worked out ahead, its port, the words read.
struct OperandStage {
  RowWalk walk;
  PlannedLine planned;
  Queue<RowWords, 2> plans, words;
  LineClient client;
  LineSeek seek;
};
template <int kStage>
void StepOperand(const ::xrun::Elementwise& x, uint32_t row_pitch, uint32_t plane_pitch, uint32_t step,
                 ActivationPort& port, OperandStage& o) {
  if (o.plans.count != 0 && !Full(o.words)) {
    RowWords& next = o.plans.item[0];
    HW_COUNT(counts.Unit(kStage, next.row));
    if (StepRead<kStage>(port, o.client, o.seek, next.plan, next.words)) {
      Push(o.words, next);
      Pop(o.plans);
    }
  }
  if (o.walk.p == x.planes || Full(o.plans)) return;
  RowWords next;
  PlanRow(x, o.walk, step, o.planned, next);
  Push(o.plans, next);
  AdvanceRows(x, step == 0 ? x.cols : kLineWords, row_pitch, plane_pitch, o.walk);
}

/// One word of the result.
void Element(const ::xrun::Elementwise& x, const Word& a, const Word& b, const Table& table, Word& out) {
  HW_UNROLL
  for (uint32_t ch = 0; ch < kCP; ++ch) {
    HW_VITIS(unroll)
    const int32_t va = a.lane[ch];
    const int32_t vb = b.lane[x.b_lane0 != 0 ? 0 : ch];
    int32_t q = va;
    if (x.kind == kElementwiseRequantize) {
      q = Requantized(va - x.a_zero, static_cast<uint32_t>(x.m_a), x.shift, x.zero_point);
    } else if (x.kind == kElementwiseAdd) {
      q = AddRequantized(va - x.a_zero, x.m_a, vb - x.b_zero, x.m_b, x.shift, x.zero_point);
    } else if (x.kind == kElementwiseMul) {
      q = Requantized((va - x.a_zero) * (vb - HW_MUTATE(26, x.b_zero, x.a_zero)), static_cast<uint32_t>(x.m_a), x.shift,
                      x.zero_point);
    }
    q = ClampTo(q, x.clamp_lo, x.clamp_hi);
    if (x.table != 0) q = Look(table, q);
    out.lane[ch] = static_cast<int8_t>(q);
  }
}

void RunElementwise(const ::xrun::Elementwise& x, ActivationPort& port_a, ActivationPort& port_b,
                    ActivationPort& result, VectorPort& parameters) {
  Table table;
  HW_VITIS(array_partition variable = table.entry cyclic factor = kCP)
  HW_VITIS(bind_storage variable = table.entry type = ram_1wnr impl = lutram)
  if (x.table != 0) LoadTable(parameters, x.params, table);
  const bool two = x.kind == kElementwiseAdd || x.kind == kElementwiseMul;
  OperandStage a, b;
  StartRows(x.a, a.walk);
  StartRows(x.b, b.walk);
  StartLines(a.client);
  StartLines(b.client);
  RowWalk walk;
  StartRows(x.dst, walk);
  PlannedLine planned;
  Queue<RowWords, 8> results;  // as many as pass while the writer waits for its group
  LineClient writer;
  StartLines(writer);
  LineSeek seek;

  HW_COUNT(counts.BeginBlocks());
  while (walk.p != x.planes || results.count != 0) {  // unbounded: to the last result's line
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 4 max = 1048576)
    HW_CLOCK();
    // From the last stage to the first, so that each sees what stood in its queues at the cycle's beginning.
    if (results.count != 0) {
      HW_COUNT(counts.Unit(4, results.item[0].row));
      if (StepWrite<4>(result, writer, seek, results.item[0].plan, results.item[0].words)) Pop(results);
    }
    if (a.words.count != 0 && (!two || b.words.count != 0) && !Full(results)) {
      RowWords out;
      PlanRow(x, walk, 1, planned, out);
      HW_UNROLL
      for (uint32_t i = 0; i < kLineWords; ++i) {
        HW_VITIS(unroll)
        const Word& other = b.words.item[0].words[x.b_step != 0 ? i : 0];
        if (i < out.plan.count)
          Element(x, a.words.item[0].words[i], two ? other : a.words.item[0].words[i], table, out.words[i]);
      }
      Push(results, out);
      Pop(a.words);
      if (two && (x.b_step != 0 || walk.c + kLineWords >= x.cols)) Pop(b.words);
      AdvanceRows(x, kLineWords, x.dst_row_pitch, x.dst_plane_pitch, walk);
    }
    StepOperand<1>(x, x.a_row_pitch, x.a_plane_pitch, 1, port_a, a);
    if (two) StepOperand<2>(x, HW_MUTATE(27, x.b_row_pitch, x.a_row_pitch), x.b_plane_pitch, x.b_step, port_b, b);
  }
  HW_COUNT(counts.EndBlocks(x.planes * x.rows));
  FlushLine(result, writer);
}

struct VectorSteps {
  ActivationPort& read0;
  ActivationPort& read1;
  ActivationPort& read2;
  ActivationPort& result;
  VectorPort& parameters;
  VectorPartialPort& partial_read;
  VectorPartialPort& partial_write;

  Needs needs(const InstructionWord& word) { return NeedsOfVector(word); }
  bool acquire(uint32_t) { return true; }
  Trap execute(const InstructionWord& word, const BaseRegisters&, const Needs&) {
    return ExecuteVector(word, read0, read1, read2, result, parameters, partial_read, partial_write);
  }
  bool release(uint32_t) { return true; }
};

}  // namespace

Needs NeedsOfVector(const InstructionWord& word) {
  Trap trap = Trap::kIllegalInstruction;
  ::xrun::Sync sync;
  ::xrun::Depthwise depthwise;
  ::xrun::Pool pool;
  ::xrun::Elementwise elementwise;
  switch (static_cast<Opcode>(OpcodeOf(word))) {
    case Opcode::kSync:
      trap = Judge(word, sync);
      break;
    case Opcode::kDepthwise:
      trap = Judge(word, depthwise);
      break;
    case Opcode::kPool:
      trap = Judge(word, pool);
      break;
    case Opcode::kElementwise:
      trap = Judge(word, elementwise);
      break;
    default:
      break;
  }
  return HeaderNeeds(word, kVector, trap);
}

Trap ExecuteVector(const InstructionWord& word, ActivationPort& read0, ActivationPort& read1, ActivationPort& read2,
                   ActivationPort& result, VectorPort& parameters, VectorPartialPort& partial_read,
                   VectorPartialPort& partial_write) {
  switch (static_cast<Opcode>(OpcodeOf(word))) {
    case Opcode::kDepthwise: {
      ::xrun::Depthwise x;
      Decode(word, x);
      RunWindow(WindowOf(x), read0, read1, read2, result, parameters, partial_read, partial_write);
      break;
    }
    case Opcode::kPool: {
      ::xrun::Pool x;
      Decode(word, x);
      RunWindow(WindowOf(x), read0, read1, read2, result, parameters, partial_read, partial_write);
      break;
    }
    case Opcode::kElementwise: {
      ::xrun::Elementwise x;
      Decode(word, x);
      RunElementwise(x, read0, read1, result, parameters);
      break;
    }
    default:
      break;
  }
  return Trap::kNone;
}

void VectorEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines], StopSignal& stop,
                  EngineReport& report, TokenStream& marks, ActivationPort& read0, ActivationPort& read1,
                  ActivationPort& read2, ActivationPort& result, VectorPort& parameters,
                  VectorPartialPort& partial_read, VectorPartialPort& partial_write) {
  VectorSteps steps = {read0, read1, read2, result, parameters, partial_read, partial_write};
  RunEngine(steps, packets, from, to, stop, report, marks);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
