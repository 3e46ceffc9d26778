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
  Table table;
  Counts counts_of;
  if (x.table) {
    LoadTable(parameters, row, table);
    row += kVectorTableRows;
  }
  if (x.per_count) LoadCounts(x, parameters, row, counts_of);

  ReadSlot slots[3];
  HW_UNROLL
  for (uint32_t s = 0; s < 3; ++s) {
    HW_VITIS(unroll)
    StartSlot(x, s, slots[s]);
  }
  ParameterStage p;
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

/// Stages as of a window: 1 operand a, 2 operand b, 4 the result, side by side for each row.
void RunElementwise(const ::xrun::Elementwise& x, ActivationPort& port_a, ActivationPort& port_b,
                    ActivationPort& result, VectorPort& parameters) {
  LineClient a, b, write;
  StartLines(a);
  StartLines(b);
  StartLines(write);
  Table table;
  if (x.table != 0) LoadTable(parameters, x.params, table);
  const bool two = x.kind == kElementwiseAdd || x.kind == kElementwiseMul;
  uint32_t plane_a = x.a, plane_b = x.b, plane_to = x.dst;
  for (uint32_t p = 0; p < x.planes; ++p) {
    uint32_t row_a = plane_a, row_b = plane_b, row_to = plane_to;
    for (uint32_t r = 0; r < x.rows; ++r) {
      for (uint32_t c = 0; c < x.cols; c += kChunk) {
        const uint32_t count = x.cols - c < kChunk ? x.cols - c : kChunk;
        uint32_t at_a[kChunk], at_b[kChunk], to[kChunk];
        Word words_a[kChunk], words_b[kChunk], out[kChunk];
        HW_UNROLL
        for (uint32_t i = 0; i < kChunk; ++i) {
          HW_VITIS(unroll)
          at_a[i] = row_a + c + i;
          at_b[i] = row_b + (x.b_step != 0 ? c + i : 0);
          to[i] = row_to + c + i;
        }
        ReadWords<1>(port_a, a, at_a, count, words_a);
        if (two) ReadWords<2>(port_b, b, at_b, count, words_b);
        for (uint32_t i = 0; i < count; ++i) {
          HW_PIPELINE
          HW_VITIS(loop_tripcount min = 1 max = kChunk)
          HW_UNROLL
          for (uint32_t ch = 0; ch < kCP; ++ch) {
            HW_VITIS(unroll)
            const int32_t va = words_a[i].lane[ch];
            const int32_t vb = two ? words_b[i].lane[x.b_lane0 != 0 ? 0 : ch] : 0;
            int32_t q = va;
            if (x.kind == kElementwiseRequantize) {
              q = Requantized(va - x.a_zero, static_cast<uint32_t>(x.m_a), x.shift, x.zero_point);
            } else if (x.kind == kElementwiseAdd) {
              q = AddRequantized(va - x.a_zero, x.m_a, vb - x.b_zero, x.m_b, x.shift, x.zero_point);
            } else if (x.kind == kElementwiseMul) {
              q = Requantized((va - x.a_zero) * (vb - HW_MUTATE(26, x.b_zero, x.a_zero)), static_cast<uint32_t>(x.m_a),
                              x.shift, x.zero_point);
            }
            q = ClampTo(q, x.clamp_lo, x.clamp_hi);
            if (x.table != 0) q = Look(table, q);
            out[i].lane[ch] = static_cast<int8_t>(q);
          }
        }
        WriteWords<4>(result, write, to, count, out);
      }
      HW_END_UNIT();
      row_a += x.a_row_pitch;
      row_b += HW_MUTATE(27, x.b_row_pitch, x.a_row_pitch);
      row_to += x.dst_row_pitch;
    }
    plane_a += x.a_plane_pitch;
    plane_b += x.b_plane_pitch;
    plane_to += x.dst_plane_pitch;
  }
  FlushLine(result, write);
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
