// The Vector engine: depthwise convolution, pooling, elementwise.

#include "overlay_hw/checks.h"
#include "overlay_hw/pair.h"
#include "overlay_hw/requant.h"
#include "overlay_hw/shell.h"
#include "overlay_hw/vector_window.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

// Stages, side by side for each block of VP output columns: 0 the multipliers, 1, 2, 3 the read slots, 4 the result
// client of port B or the write port of the partial buffer, 5 the read port of the partial buffer. Beside a whole
// group: 6 the parameters of the next.

/// Weights and multipliers that are kept beside the vector memory; longer ones are read from it where they are used.
constexpr uint32_t kTapRows = 256, kCountBytes = 4096;
/// Steps of the tree that joins the lanes of shared taps.
constexpr uint32_t kJoinSteps = 8;
static_assert(kVP <= (1U << kJoinSteps), "the tree joins all lanes");

struct Parameters {
  int8_t records[kRecordBytes * kCP];
  Word weights[kTapRows];
  uint8_t counts[kCountBytes];
  Table table;
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

/// The records and weights of a group. Beside the group before: in hardware the buffers are two.
uint32_t LoadGroup(const Window& x, VectorPort& port, uint32_t row, Parameters& p) {
  const uint32_t records = x.keep ? 0 : kRecordBytes, taps = x.kernel_h * x.kernel_w;
  const uint32_t rows = records + taps;
  for (uint32_t i = 0; i < rows; ++i) {
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = 16400)
    HW_ITERATION(6);
    if (i >= records + kTapRows) continue;  // read where it is used
    Word word;
    ReadVectorRow(port, row + i, word);
    if (i >= records) {
      p.weights[i - records] = word;
    } else {
      HW_UNROLL
      for (uint32_t c = 0; c < kCP; ++c) {
        HW_VITIS(unroll)
        p.records[i * kCP + c] = word.lane[c];
      }
    }
  }
  if (x.keep) {
    for (uint32_t i = 0; i < kRecordBytes * kCP; ++i) p.records[i] = 0;
  }
  return row + rows;
}

void LoadCounts(const Window& x, VectorPort& port, uint32_t row, Parameters& p) {
  const uint32_t rows = DivideUp(x.kernel_h * x.kernel_w * 4, kCP);
  for (uint32_t i = 0; i < rows; ++i) {
    HW_PIPELINE
    HW_ITERATION(6);
    Word word;
    ReadVectorRow(port, row + i, word);
    HW_UNROLL
    for (uint32_t c = 0; c < kCP; ++c) {
      HW_VITIS(unroll)
      if (i * kCP + c < kCountBytes) p.counts[i * kCP + c] = static_cast<uint8_t>(word.lane[c]);
    }
  }
  HW_END_UNIT();
}

/// Everything a window's loops share.
struct Engine {
  RowSlot slot[3];
  LineClient write;
  Parameters parameters;
  uint32_t weight_row;  ///< of the group's first weight, in the vector memory
  uint32_t count_row;
};

void ReadSlot(ActivationPort& read0, ActivationPort& read1, ActivationPort& read2, Engine& e, const Window& x,
              const Columns& columns, uint32_t s, int32_t iy, uint32_t base) {
  if (s == 0) {
    ReadRowWords<1>(read0, e.slot[0], x, columns, iy, base);
  } else if (s == 1) {
    ReadRowWords<2>(read1, e.slot[1], x, columns, iy, base);
  } else {
    ReadRowWords<3>(read2, e.slot[2], x, columns, iy, base);
  }
}
/// A block too wide for the row buffers: one tap's word, a line access each.
void ReadOne(ActivationPort& read0, ActivationPort& read1, ActivationPort& read2, Engine& e, uint32_t s,
             uint32_t address, Word& word) {
  const uint32_t at[1] = {address};
  Word words[1];
  e.slot[s].row = -1;
  if (s == 0) {
    ReadWords<1>(read0, e.slot[0].client, at, 1, words);
  } else if (s == 1) {
    ReadWords<2>(read1, e.slot[1].client, at, 1, words);
  } else {
    ReadWords<3>(read2, e.slot[2].client, at, 1, words);
  }
  word = words[0];
}

/// A depthwise step of two lanes: they share the weight, so a DSP makes both products, below 2^15 each.
void DepthwiseTap(const Word& first, const Word& second, const Word& weight, const int8_t* records, Accumulators& to,
                  Accumulators& to_second, bool both) {
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    const int32_t factor = weight.lane[c] - HW_MUTATE(22, records[kRecordBytes * c + 12], 0);
    const int64_t product = static_cast<int64_t>(PairOf(first.lane[c], second.lane[c])) * factor;
    HW_VITIS(bind_op variable = product op = mul impl = dsp)
    int32_t part[2];
    SplitPair(product, part[0], part[1]);
    to.lane[c] = WrapAdd(to.lane[c], part[0]);
    if (both) to_second.lane[c] = WrapAdd(to_second.lane[c], part[1]);
  }
}

/// A pooling lane's step.
void PoolTap(const Window& x, const Word& word, Accumulators& acc) {
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    const int32_t value = word.lane[c];
    if (x.kind == kAverage) {
      acc.lane[c] = WrapAdd(acc.lane[c], value - x.in_zero);
    } else if (HW_MUTATE(23, value > acc.lane[c], value < acc.lane[c])) {
      acc.lane[c] = value;
    }
  }
}

void Join(const Window& x, const Accumulators& from, Accumulators& to) {
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    if (x.kind != kMaximum) {
      to.lane[c] = WrapAdd(to.lane[c], from.lane[c]);
    } else if (from.lane[c] > to.lane[c]) {
      to.lane[c] = from.lane[c];
    }
  }
}

/// A block's sums, and how many kernel rows and columns of each lane lie inside.
struct BlockSums {
  Accumulators acc[kVP];
  uint32_t rows_inside, columns_inside[kVP];
};

/// Where the taps of kernel column `kw` lie in the input row.
struct TapColumns {
  int32_t ix[kVP];
  bool inside[kVP];
};
void FindColumns(const Window& x, uint32_t ox, uint32_t count, uint32_t kw, bool row_inside, bool first_row,
                 BlockSums& sums, TapColumns& taps) {
  HW_UNROLL
  for (uint32_t v = 0; v < kVP; ++v) {
    HW_VITIS(unroll)
    const int32_t ix = static_cast<int32_t>((ox + v) * x.stride_w + kw * x.dilation_w) - x.pad_left;
    const bool column_inside = v < count && ix >= 0 && ix < static_cast<int32_t>(x.in_w);
    if (first_row && column_inside) ++sums.columns_inside[v];
    taps.ix[v] = ix;
    taps.inside[v] = row_inside && column_inside;
  }
}

/// A multiplier step of all lanes. Where out_w is 1 they share the taps of one pixel: taps are dealt to them as they
/// come, and a full deal, or the last, is a step.
struct Dealer {
  bool shared;
  uint32_t dealt, tap, taps;
};
void MultiplyTap(const Window& x, VectorPort& parameters, Engine& e, const TapColumns& taps, const Word (&words)[kVP],
                 uint32_t count, Dealer& dealer, BlockSums& sums) {
  Word weight, fill;
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    fill.lane[c] = static_cast<int8_t>(x.fill);
  }
  if (x.kind == kDepthwise) {
    if (dealer.tap < kTapRows) {
      weight = e.parameters.weights[dealer.tap];
    } else {
      ReadVectorRow(parameters, e.weight_row + dealer.tap, weight);
    }
  }
  ++dealer.tap;
  if (!dealer.shared) HW_ITERATION(0);
  HW_UNROLL
  for (uint32_t v = 0; v < kVP; v += 2) {
    HW_VITIS(unroll)
    const uint32_t second = v + 1 < kVP ? v + 1 : v;
    Accumulators& to = sums.acc[dealer.shared ? dealer.dealt : v];  // shared: count is 1
    if (x.kind == kDepthwise) {
      const Word first_word = taps.inside[v] ? words[v] : fill;
      const Word second_word = taps.inside[second] ? words[second] : fill;
      if (v < count) {
        DepthwiseTap(first_word, second_word, weight, e.parameters.records, to, sums.acc[second],
                     second != v && second < count);
      }
    } else {
      if (taps.inside[v]) PoolTap(x, words[v], to);
      if (second != v && taps.inside[second]) PoolTap(x, words[second], sums.acc[second]);
    }
  }
  if (!dealer.shared) return;
  ++dealer.dealt;
  if (dealer.dealt == kVP || dealer.tap == dealer.taps) {
    HW_ITERATION(0);
    dealer.dealt = 0;
  }
}

/// The multiplier steps and window reads of one block.
void Taps(const Window& x, ActivationPort& read0, ActivationPort& read1, ActivationPort& read2, VectorPort& parameters,
          Engine& e, uint32_t plane, uint32_t oy, uint32_t ox, uint32_t count, BlockSums& sums) {
  const Columns columns = ColumnsOf(x, ox, count);
  Dealer dealer = {x.out_w == 1, 0, 0, x.kernel_h * x.kernel_w};
  sums.rows_inside = 0;
  HW_UNROLL
  for (uint32_t v = 0; v < kVP; ++v) {
    HW_VITIS(unroll)
    sums.columns_inside[v] = 0;
  }
  uint32_t slot = 0;
  for (uint32_t kh = 0; kh < x.kernel_h; ++kh) {
    HW_VITIS(loop_tripcount min = 1 max = 16383)
    const int32_t iy = static_cast<int32_t>(oy * x.stride_h + kh * x.dilation_h) - x.pad_top;
    const bool row_inside = iy >= 0 && iy < static_cast<int32_t>(x.in_h) && columns.from <= columns.to;
    const uint32_t base = plane + static_cast<uint32_t>(iy) * x.src_row_pitch;
    if (row_inside) ++sums.rows_inside;
    if (row_inside && !columns.fits) {
      for (uint32_t kw = 0; kw < x.kernel_w; ++kw) {
        HW_VITIS(loop_tripcount min = 1 max = 16383)
        TapColumns taps;
        Word words[kVP];
        FindColumns(x, ox, count, kw, row_inside, kh == 0, sums, taps);
        for (uint32_t v = 0; v < count; ++v) {
          HW_VITIS(loop_tripcount min = 1 max = kVP)
          if (taps.inside[v]) ReadOne(read0, read1, read2, e, slot, base + static_cast<uint32_t>(taps.ix[v]), words[v]);
        }
        MultiplyTap(x, parameters, e, taps, words, count, dealer, sums);
      }
    } else {
      if (row_inside) ReadSlot(read0, read1, read2, e, x, columns, slot, iy, base);
      for (uint32_t kw = 0; kw < x.kernel_w; ++kw) {
        HW_PIPELINE
        HW_VITIS(loop_tripcount min = 1 max = 16383)
        TapColumns taps;
        Word words[kVP];
        FindColumns(x, ox, count, kw, row_inside, kh == 0, sums, taps);
        HW_UNROLL
        for (uint32_t v = 0; v < kVP; ++v) {
          HW_VITIS(unroll)
          if (taps.inside[v]) words[v] = e.slot[slot].word[static_cast<uint32_t>(taps.ix[v]) % kRowWords];
        }
        MultiplyTap(x, parameters, e, taps, words, count, dealer, sums);
      }
    }
    slot = slot == 2 ? 0 : slot + 1;
  }
  if (!dealer.shared) return;
  for (uint32_t level = 0; level < kJoinSteps; ++level) {
    HW_PIPELINE
    HW_ITERATION(0);
    const uint32_t step = 1U << level;
    HW_UNROLL
    for (uint32_t v = 0; v < kVP; ++v) {
      HW_VITIS(unroll)
      if ((v & (2 * step - 1)) == 0 && v + step < kVP) Join(x, sums.acc[v + step], sums.acc[v]);
    }
  }
}

uint32_t CountMultiplier(const Window& x, VectorPort& parameters, Engine& e, uint32_t rows, uint32_t columns) {
  const uint32_t at = ((rows - 1) * x.kernel_w + HW_MUTATE(24, columns - 1, columns)) * 4;
  uint32_t packed = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    HW_VITIS(unroll)
    uint32_t byte = 0;
    if (at + i < kCountBytes) {
      byte = e.parameters.counts[at + i];
    } else {
      Word word;
      HW_FIXED();
      ReadVectorRow(parameters, e.count_row + (at + i) / kCP, word);
      byte = static_cast<uint8_t>(word.lane[(at + i) % kCP]);
    }
    packed |= byte << (8 * i);
  }
  return packed;
}

/// One result: accumulators of a pixel to the word that is written.
void Finish(const Window& x, VectorPort& parameters, Engine& e, const BlockSums& sums, uint32_t v, Word& word) {
  const uint32_t columns = sums.columns_inside[v], rows = sums.rows_inside;
  uint32_t m = x.m, shift = x.shift;
  const bool some = rows != 0 && columns != 0;
  if (x.per_count && some) {
    const uint32_t packed = CountMultiplier(x, parameters, e, rows, columns);
    m = packed & 0xFFFFFFU;
    shift = packed >> 24 & 0x3FU;
  }
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    const int32_t acc = sums.acc[v].lane[c];
    int32_t q = acc;
    if (x.kind == kDepthwise) {
      const Record record = RecordFrom(e.parameters.records + kRecordBytes * c);
      q = FirstStage(WrapAdd(acc, record.bias), record, x.prelu, x.zero_point, x.clamp_lo, x.clamp_hi);
    } else {
      if (x.kind == kAverage) {
        q = x.per_count && !some ? x.zero_point : Requantized(acc, m, shift, x.zero_point);
      } else if (x.requantize) {
        q = Requantized(WrapAdd(acc, HW_MUTATE(25, -x.in_zero, 0)), m, shift, x.zero_point);
      }
      q = ClampTo(q, x.clamp_lo, x.clamp_hi);
    }
    if (x.table) q = Look(e.parameters.table, q);
    word.lane[c] = static_cast<int8_t>(q);
  }
}

void RunWindow(const Window& x, ActivationPort& read0, ActivationPort& read1, ActivationPort& read2,
               ActivationPort& result, VectorPort& parameters, VectorPartialPort& partial_read,
               VectorPartialPort& partial_write, Engine& e) {
  for (uint32_t s = 0; s < 3; ++s) StartLines(e.slot[s].client);
  StartLines(e.write);
  uint32_t row = x.params;
  if (x.table) {
    LoadTable(parameters, row, e.parameters.table);
    row += kVectorTableRows;
  }
  e.count_row = row;
  if (x.per_count) LoadCounts(x, parameters, row, e.parameters);
  uint32_t plane = x.src, plane_to = x.dst, entry = x.partial;
  for (uint32_t g = 0; g < x.groups; ++g) {
    HW_VITIS(loop_tripcount min = 1 max = 4095)
    if (x.kind == kDepthwise) {
      e.weight_row = row + (x.keep ? 0 : kRecordBytes);
      row = LoadGroup(x, parameters, row, e.parameters);
    }
    HW_COUNT(counts.BeginGroup(6));
    e.slot[0].row = e.slot[1].row = e.slot[2].row = -1;
    for (uint32_t oy = 0; oy < x.out_h; ++oy) {
      HW_VITIS(loop_tripcount min = 1 max = 16383)
      for (uint32_t ox = 0; ox < x.out_w; ox += kVP) {
        HW_VITIS(loop_tripcount min = 1 max = 16383)
        const uint32_t count = x.out_w - ox < kVP ? x.out_w - ox : kVP;
        BlockSums sums;
        const int32_t start = x.kind != kMaximum ? 0
                              : x.accumulate     ? INT32_MIN
                                                 : -128;  // joined with the kept sums below
        HW_UNROLL
        for (uint32_t v = 0; v < kVP; ++v) {
          HW_VITIS(unroll)
          HW_UNROLL
          for (uint32_t c = 0; c < kCP; ++c) {
            HW_VITIS(unroll)
            sums.acc[v].lane[c] = start;
          }
        }
        Taps(x, read0, read1, read2, parameters, e, plane, oy, ox, count, sums);
        uint32_t to[kVP];
        Word words[kVP];
        for (uint32_t v = 0; v < count; ++v) {
          HW_PIPELINE
          HW_VITIS(loop_tripcount min = 1 max = kVP)
          if (x.accumulate) {
            HW_ITERATION(5);
            Accumulators before;
            ReadVectorPartial(partial_read, entry + v, before);
            Join(x, before, sums.acc[v]);
          }
          if (x.keep) {
            HW_ITERATION(4);
            WriteVectorPartial(partial_write, entry + v, sums.acc[v]);
          } else {
            Finish(x, parameters, e, sums, v, words[v]);
          }
          to[v] = plane_to + oy * x.dst_row_pitch + ox + v;
        }
        if (!x.keep) WriteWords<4>(result, e.write, to, count, words);
        entry += count;
        HW_COUNT(counts.EndBlock());
      }
    }
    plane += x.src_plane_pitch;
    plane_to += x.dst_plane_pitch;
  }
  HW_COUNT(counts.EndGroups());
  FlushLine(result, e.write);
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
  Engine e;
  switch (static_cast<Opcode>(OpcodeOf(word))) {
    case Opcode::kDepthwise: {
      ::xrun::Depthwise x;
      Decode(word, x);
      RunWindow(WindowOf(x), read0, read1, read2, result, parameters, partial_read, partial_write, e);
      break;
    }
    case Opcode::kPool: {
      ::xrun::Pool x;
      Decode(word, x);
      RunWindow(WindowOf(x), read0, read1, read2, result, parameters, partial_read, partial_write, e);
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
