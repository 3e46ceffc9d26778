#ifndef XRUN_OVERLAY_HW_VECTOR_STAGES_H_
#define XRUN_OVERLAY_HW_VECTOR_STAGES_H_

// The stages of a window instruction before its results: the three read slots with their row buffers, the parameters of
// the next group, the multipliers. Each is a function that takes one cycle's step (conv.cpp says how such steps are put
// together). Their ways through the instruction are the same: blocks of up to VP output columns, row after row, group
// after group.

#include "overlay_hw/pair.h"
#include "overlay_hw/queue.h"
#include "overlay_hw/vector_window.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

// Stages, side by side for each block of VP output columns: 0 the multipliers, 1, 2, 3 the read slots, 4 the result
// client of port B or the write port of the partial buffer, 5 the read port of the partial buffer. Beside a whole
// group: 6 the parameters of the next.

/// Weights that are kept beside the vector memory; longer kernels' are read from it where they are used.
constexpr uint32_t kTapRows = 256;
/// Steps of the tree that joins the lanes of shared taps.
constexpr uint32_t kJoinSteps = 8;
static_assert(kVP <= (1U << kJoinSteps), "the tree joins all lanes");
/// Pairs of lanes: each has CP multipliers.
constexpr uint32_t kPairs = (kVP + 1) / 2;

/// A stage's way through the blocks.
struct BlockWalk {
  uint32_t g = 0, oy = 0, ox = 0;
  uint32_t block = 0;  ///< how many were before
};
inline uint32_t BlockColumns(const Window& x, const BlockWalk& walk) {
  return x.out_w - walk.ox < x.block_columns ? x.out_w - walk.ox : x.block_columns;
}
inline void Advance(const Window& x, BlockWalk& walk) {
  ++walk.block;
  walk.ox += x.block_columns;
  if (walk.ox < x.out_w) return;
  walk.ox = 0;
  ++walk.oy;
  if (walk.oy < x.out_h) return;
  walk.oy = 0;
  ++walk.g;
}

/// Kernel columns kw … kw + count - 1 of kernel row kh, of one block: what a slot reads at a time. All of the row, but
/// where its words do not fit the row buffers.
struct Segment {
  bool inside;       ///< some of it lies in the input
  int32_t iy;        ///< input row
  int32_t from, to;  ///< input columns
  uint32_t base;     ///< address of column 0
};
inline Segment SegmentOf(const Window& x, const BlockWalk& walk, uint32_t kh, uint32_t kw) {
  Segment s;
  const uint32_t last = kw + x.segment_taps < x.kernel_w ? kw + x.segment_taps - 1 : x.kernel_w - 1;
  s.iy = static_cast<int32_t>(walk.oy * x.stride_h + kh * x.dilation_h) - x.pad_top;
  s.from = static_cast<int32_t>(walk.ox * x.stride_w + kw * x.dilation_w) - x.pad_left;
  s.to = static_cast<int32_t>((walk.ox + BlockColumns(x, walk) - 1) * x.stride_w + last * x.dilation_w) - x.pad_left;
  if (s.from < 0) s.from = 0;
  if (s.to > static_cast<int32_t>(x.in_w) - 1) s.to = static_cast<int32_t>(x.in_w) - 1;
  s.inside = s.iy >= 0 && s.iy < static_cast<int32_t>(x.in_h) && s.from <= s.to;
  s.base = x.src + walk.g * x.src_plane_pitch + static_cast<uint32_t>(s.iy) * x.src_row_pitch;
  return s;
}

/// What a slot reads for one segment: lines line … end, the first at `cost`, into one half of its buffer.
struct ReadPlan {
  uint32_t line, end, cost, base, half, block;
  bool tight;  ///< would overwrite what the segment before needs
};
/// A read slot: the lines it wants, worked out ahead; the row being read; the rows the multipliers have.
struct ReadSlot {
  // Ahead.
  BlockWalk walk;
  uint32_t kh, kw;
  bool ended;
  uint32_t group;
  int32_t row, from;  ///< input row and first column of the segment before; row -1: none
  uint32_t half;
  PlannedLine planned;
  Queue<ReadPlan, 2> plans;
  // The port.
  LineClient client;
  bool busy;
  uint32_t line, left;
  // Segments begun, and those of them that are complete, that the multipliers are not done with.
  uint32_t begun;
  Queue<uint32_t, 2> complete;  ///< their halves
  Word word[2][kRowWords];      ///< of a row, column ix in entry ix mod kRowWords
};
inline void StartSlot(const Window& x, uint32_t s, ReadSlot& slot) {
  slot.walk = BlockWalk();
  slot.kh = s;
  slot.kw = slot.group = slot.half = 0;
  slot.ended = s >= x.kernel_h;
  slot.row = -1;
  slot.from = 0;
  slot.planned = PlannedLine();
  slot.plans.count = slot.complete.count = 0;
  StartLines(slot.client);
  slot.busy = false;
  slot.begun = 0;
}

/// Works out the lines of the next segment, one a cycle.
inline void StepPlan(const Window& x, uint32_t s, ReadSlot& slot) {
  if (slot.ended || Full(slot.plans)) return;
  const Segment segment = SegmentOf(x, slot.walk, slot.kh, slot.kw);
  if (segment.inside) {
    ReadPlan plan;
    plan.line = LineOf(segment.base + static_cast<uint32_t>(segment.from));
    plan.end = LineOf(segment.base + static_cast<uint32_t>(segment.to));
    plan.base = segment.base;
    plan.block = slot.walk.block;
    const bool same = x.segment_taps == x.kernel_w && slot.row == segment.iy && slot.group == slot.walk.g;
    if (same) {
      if (plan.line < slot.planned.at + 1) plan.line = slot.planned.at + HW_MUTATE(21, 1U, 2U);
    } else {
      slot.half ^= 1U;
    }
    const int32_t last = static_cast<int32_t>(plan.end * kLineWords + kLineWords - 1 - segment.base);
    plan.tight = same && last - slot.from >= static_cast<int32_t>(kRowWords);
    plan.half = slot.half;
    plan.cost = !slot.planned.begun || plan.line == slot.planned.at
                    ? 0
                    : HW_MUTATE(1, LineCost(slot.planned.at, plan.line), 1U);
    slot.row = segment.iy;
    slot.group = slot.walk.g;
    slot.from = segment.from;
    if (plan.line <= plan.end) {
      slot.planned.begun = true;
      slot.planned.at = plan.end;
    }
    Push(slot.plans, plan);
  }
  slot.kw += x.segment_taps;
  if (slot.kw < x.kernel_w) return;
  slot.kw = 0;
  slot.kh += 3;
  if (slot.kh < x.kernel_h) return;
  slot.kh = s;
  Advance(x, slot.walk);
  slot.ended = slot.walk.g == x.groups;
}

inline void KeepLine(const Window& x, const ReadPlan& plan, ReadSlot& slot) {
  HW_UNROLL
  for (uint32_t i = 0; i < kLineWords; ++i) {
    HW_VITIS(unroll)
    const int32_t ix = static_cast<int32_t>(slot.line * kLineWords + i) - static_cast<int32_t>(plan.base);
    if (ix >= 0 && ix < static_cast<int32_t>(x.in_w))
      slot.word[plan.half][static_cast<uint32_t>(ix) % kRowWords] = slot.client.line.word[i];
  }
  ++slot.line;
}
/// A cycle of a slot's port; at most one line comes in.
template <int kStage>
inline void StepSlot(const Window& x, ActivationPort& port, ReadSlot& slot) {
  if (slot.plans.count == 0) return;
  const ReadPlan& plan = slot.plans.item[0];
  if (!slot.busy) {
    if (slot.begun > 1 || (slot.begun == 1 && plan.tight)) return;
    ++slot.begun;
    slot.busy = true;
    slot.line = plan.line;
    slot.left = 0;
    HW_COUNT(counts.Unit(kStage, plan.block));
  }
  if (slot.line <= plan.end && !slot.client.held) {  // the first line, in the fixed cycles
    ReadLine(port, slot.line, slot.client.line);
    slot.client.held = true;
    KeepLine(x, plan, slot);
  } else {
    if (slot.line == plan.line && slot.line <= plan.end && plan.cost == 0) KeepLine(x, plan, slot);
    if (slot.line <= plan.end) {
      HW_ITERATION(kStage);
      if (slot.left == 0) slot.left = slot.line == plan.line ? plan.cost : 1;
      --slot.left;
      if (slot.left == 0) {
        ReadLine(port, slot.line, slot.client.line);
        KeepLine(x, plan, slot);
      }
    }
  }
  if (slot.line <= plan.end) return;
  slot.busy = false;
  Push(slot.complete, plan.half);
  Pop(slot.plans);
}

/// Records and weights of a group. Two sets: one in use, one being loaded.
struct GroupParameters {
  int8_t records[kRecordBytes * kCP];
  Word weights[kTapRows];
};
struct ParameterStage {
  uint32_t g;           ///< group being loaded
  uint32_t row, begin;  ///< of the vector memory: next, and the group's first
  uint32_t at, rows;    ///< rows of the group loaded, of all
  uint32_t weight_row[2];
  GroupParameters set[2];
};
inline void StartParameters(const Window& x, uint32_t row, ParameterStage& p) {
  p.g = p.at = 0;
  p.row = row;
  p.rows = x.kind == kDepthwise ? (x.keep ? 0 : kRecordBytes) + x.kernel_h * x.kernel_w : 0;
  if (x.kind != kDepthwise) p.g = x.groups;
  for (uint32_t s = 0; s < 2; ++s) {
    for (uint32_t i = 0; i < kRecordBytes * kCP; ++i) p.set[s].records[i] = 0;
  }
}
/// A row of the next group's parameters. `finished`: groups whose results are all out. Where weights are read from the
/// memory as they are used, its port is free only between groups.
inline void StepParameters(const Window& x, uint32_t finished, VectorPort& port, ParameterStage& p) {
  const bool in_place = x.kernel_h * x.kernel_w > kTapRows;
  if (p.g == x.groups || p.g > finished + (in_place ? 0 : 1)) return;
  HW_COUNT(counts.Unit(6, p.g));
  HW_ITERATION(6);
  const uint32_t records = x.keep ? 0 : kRecordBytes;
  GroupParameters& set = p.set[p.g & 1];
  if (p.at == 0) p.weight_row[p.g & 1] = p.row + records;
  if (p.at < records + kTapRows) {
    Word word;
    ReadVectorRow(port, p.row, word);
    if (p.at >= records) {
      set.weights[p.at - records] = word;
    } else {
      HW_UNROLL
      for (uint32_t c = 0; c < kCP; ++c) {
        HW_VITIS(unroll)
        set.records[p.at * kCP + c] = word.lane[c];
      }
    }
  }
  ++p.row;
  ++p.at;
  if (p.at != p.rows) return;
  p.at = 0;
  ++p.g;
}

/// A depthwise step of two lanes: they share the weight, so a DSP makes both products, below 2^15 each.
inline void DepthwiseTap(const Word& first, const Word& second, const Word& weight, const int8_t* records,
                         Accumulators& to, Accumulators& to_second, bool one, bool both) {
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    const int32_t factor = weight.lane[c] - HW_MUTATE(22, records[kRecordBytes * c + 12], 0);
    const int64_t product = static_cast<int64_t>(PairOf(first.lane[c], second.lane[c])) * factor;
    HW_VITIS(bind_op variable = product op = mul impl = dsp)
    int32_t part[2];
    SplitPair(product, part[0], part[1]);
    if (one) to.lane[c] = WrapAdd(to.lane[c], part[0]);
    if (both) to_second.lane[c] = WrapAdd(to_second.lane[c], part[1]);
  }
}

/// A pooling lane's step.
inline void PoolTap(const Window& x, const Word& word, Accumulators& acc) {
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

inline void Join(const Window& x, const Accumulators& from, Accumulators& to) {
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

/// The multipliers' way through a block. Where out_w is 1 the lanes share the taps of one pixel, those of a kernel row
/// in a cycle, as many as there are lanes, or pairs of lanes for Depthwise (a pair's multiplication has one weight); a
/// tree joins them at the end.
struct MultiplyStage {
  BlockWalk walk;
  bool begun;  ///< with the walk's block
  uint32_t kh, kw, tap;
  uint32_t segment_end;  ///< first kernel column after the segment; 0: no segment begun
  Segment segment;
  uint32_t slot, half;
  uint32_t join;  ///< steps of the tree that are done
  bool joins;
  BlockSums sums;
};
inline void StartMultiply(MultiplyStage& m) {
  m.walk = BlockWalk();
  m.begun = false;
}
inline void BeginBlock(const Window& x, MultiplyStage& m) {
  const int32_t start = x.kind != kMaximum ? 0 : x.accumulate ? INT32_MIN : -128;  // joined with the kept sums later
  HW_UNROLL
  for (uint32_t v = 0; v < kVP; ++v) {
    HW_VITIS(unroll)
    m.sums.columns_inside[v] = 0;
    HW_UNROLL
    for (uint32_t c = 0; c < kCP; ++c) {
      HW_VITIS(unroll)
      m.sums.acc[v].lane[c] = start;
    }
  }
  m.sums.rows_inside = 0;
  m.kh = m.kw = m.tap = m.segment_end = m.slot = m.join = 0;
  m.joins = false;
  m.begun = true;
  HW_COUNT(counts.Unit(0, m.walk.block));
}

/// One cycle's taps: kernel column m.kw of all lanes, or several columns of one pixel where they share them. Returns
/// how many.
inline uint32_t MultiplyTaps(const Window& x, VectorPort& parameters, const ParameterStage& p, const ReadSlot& slot,
                             MultiplyStage& m) {
  const bool shared = x.out_w == 1;
  const uint32_t count = BlockColumns(x, m.walk), set = m.walk.g & 1;
  const uint32_t left = m.segment_end - m.kw;
  // Weights past those kept come from the memory, one a cycle.
  const bool in_place = x.kind == kDepthwise && m.tap + kPairs > kTapRows;
  const uint32_t most = x.kind == kDepthwise ? kPairs : kVP;
  const uint32_t taps = !shared || in_place ? 1 : left < most ? left : most;
  Word fill, read;
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    fill.lane[c] = static_cast<int8_t>(x.fill);
  }
  if (x.kind == kDepthwise && m.tap >= kTapRows) ReadVectorRow(parameters, p.weight_row[set] + m.tap, read);
  HW_UNROLL
  for (uint32_t pair = 0; pair < kPairs; ++pair) {
    HW_VITIS(unroll)
    const uint32_t lane = 2 * pair, second = lane + 1 < kVP ? lane + 1 : lane;
    Word words[2];
    bool active[2], inside[2];
    HW_UNROLL
    for (uint32_t i = 0; i < 2; ++i) {
      HW_VITIS(unroll)
      // Shared, a tap is a lane's own, or a pair's.
      const uint32_t own = x.kind == kDepthwise ? pair : lane + i;
      const uint32_t v = shared ? 0 : lane + i, kw = m.kw + (shared ? own : 0);
      active[i] = shared ? own < taps && (i == 0 || x.kind != kDepthwise) : lane + i < kVP && v < count;
      const int32_t ix = static_cast<int32_t>((m.walk.ox + v) * x.stride_w + kw * x.dilation_w) - x.pad_left;
      const bool column = active[i] && ix >= 0 && ix < static_cast<int32_t>(x.in_w);
      if (column && m.kh == 0) ++m.sums.columns_inside[v];
      inside[i] = column && m.segment.inside;
      words[i] = inside[i] ? slot.word[m.half][static_cast<uint32_t>(ix) % kRowWords] : fill;
    }
    if (x.kind == kDepthwise) {
      const Word weight = m.tap >= kTapRows ? read : p.set[set].weights[(m.tap + (shared ? pair : 0)) % kTapRows];
      DepthwiseTap(words[0], words[1], weight, p.set[set].records, m.sums.acc[lane], m.sums.acc[second], active[0],
                   second != lane && active[1]);
    } else {
      if (inside[0]) PoolTap(x, words[0], m.sums.acc[lane]);
      if (second != lane && inside[1]) PoolTap(x, words[1], m.sums.acc[second]);
    }
  }
  return taps;
}

/// A cycle of the multipliers. True when the block's sums are complete.
inline bool StepMultiply(const Window& x, VectorPort& parameters, const ParameterStage& p, ReadSlot (&slots)[3],
                         MultiplyStage& m) {
  if (!m.begun) {
    if (p.g <= m.walk.g && x.kind == kDepthwise) return false;  // its parameters are on their way
    BeginBlock(x, m);
  }
  if (m.joins) {
    HW_ITERATION(0);
    const uint32_t step = 1U << m.join;
    HW_UNROLL
    for (uint32_t v = 0; v < kVP; ++v) {
      HW_VITIS(unroll)
      if ((v & (2 * step - 1)) == 0 && v + step < kVP) Join(x, m.sums.acc[v + step], m.sums.acc[v]);
    }
    ++m.join;
    return m.join == kJoinSteps;
  }
  ReadSlot& slot = slots[m.slot];
  if (m.segment_end == 0) {
    m.segment = SegmentOf(x, m.walk, m.kh, m.kw);
    if (m.segment.inside) {
      if (slot.complete.count == 0) return false;  // its words are on their way
      m.half = slot.complete.item[0];
    }
    if (m.kw == 0 && m.segment.iy >= 0 && m.segment.iy < static_cast<int32_t>(x.in_h)) ++m.sums.rows_inside;
    m.segment_end = m.kw + x.segment_taps < x.kernel_w ? m.kw + x.segment_taps : x.kernel_w;
  }
  const uint32_t taps = MultiplyTaps(x, parameters, p, slot, m);
  m.kw += taps;
  m.tap += taps;
  const bool last = m.kh + 1 == x.kernel_h && m.kw == x.kernel_w;
  HW_ITERATION(0);
  if (m.kw != m.segment_end) return false;
  m.segment_end = 0;
  if (m.segment.inside) {
    Pop(slot.complete);
    --slot.begun;
  }
  if (m.kw != x.kernel_w) return false;
  m.kw = 0;
  ++m.kh;
  m.slot = m.slot == 2 ? 0 : m.slot + 1;
  if (!last) return false;
  m.joins = x.out_w == 1;
  return !m.joins;
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_VECTOR_STAGES_H_
