#ifndef XRUN_OVERLAY_HW_PACKER_H_
#define XRUN_OVERLAY_HW_PACKER_H_

// LoadPacked: a window of CP bytes over one image row, or over two that follow on each other, each a part of the window
// with bytes of its own. Both parts read ahead through one port: a part asks for a burst when it has room for all its
// beats, so that beats, which come in the order asked, never have to wait for the other part's.

#include "overlay_hw/lines.h"
#include "overlay_hw/runs.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// What LoadPacked takes of an image row: lanes [from, to) of a word. Bytes of the row are numbered as lanes of the
/// row's first word; those of the image that are read are [begin, end).
struct PackedPart {
  uint32_t from, to;
  int64_t at;  ///< byte of the image row that lane 0 would have
  int64_t begin, end;
};
inline PackedPart PartOf(const ::xrun::LoadPacked& x, bool second) {
  const uint32_t head = x.taps != 0 ? x.taps * x.channels : x.head;
  const int64_t left = static_cast<int64_t>(x.left) * x.channels;
  PackedPart part;
  part.from = second ? head : 0;
  part.to = second ? head + x.tail : head;
  part.at = second ? left - head : left + HW_MUTATE(38, x.skip, 0U);
  const int64_t begin = part.at + part.from;
  const int64_t end = part.at + static_cast<int64_t>(x.cols - 1) * x.stride * x.channels + part.to;
  const int64_t row = static_cast<int64_t>(x.in_cols) * x.channels;
  part.begin = begin > 0 ? begin : 0;
  part.end = end < row ? end : row;
  return part;
}
/// Rows of words whose image row of the `second` part lies inside are [first, end).
struct PackedRows {
  uint32_t first, end;
};
inline int64_t RowStep(const ::xrun::LoadPacked& x) { return x.row_step != 0 ? HW_MUTATE(41, x.row_step, 1U) : 1; }
inline int64_t FirstRow(const ::xrun::LoadPacked& x, bool second) {
  return static_cast<int64_t>(x.top) + (second ? HW_MUTATE(37, 1, 0) : 0);
}
inline PackedRows RowsOf(const ::xrun::LoadPacked& x, bool second) {
  PackedRows rows = {0, x.rows};
  if (x.in_rows == 0) return rows;
  const uint32_t step = static_cast<uint32_t>(RowStep(x));
  const int64_t first = FirstRow(x, second), left = static_cast<int64_t>(x.in_rows) - first;
  const uint32_t before = HW_MUTATE(43, first < 0, false) ? DivideUp(static_cast<uint32_t>(-first), step) : 0;
  const uint32_t until = left > 0 ? DivideUp(static_cast<uint32_t>(left), step) : 0;
  rows.first = before < x.rows ? before : x.rows;
  rows.end = HW_MUTATE(42, until < x.rows, false) ? until : x.rows;
  return rows;
}
inline bool ReadsNothing(const PackedPart& part, const PackedRows& rows) {
  return part.from == part.to || part.begin >= part.end || rows.first >= rows.end;
}
/// Byte of the image row of row `r` of words, counted from the base.
inline uint64_t RowAt(const ::xrun::LoadPacked& x, bool second, uint32_t r) {
  return static_cast<uint64_t>(x.offset) +
         static_cast<uint64_t>(FirstRow(x, second) + static_cast<int64_t>(r) * RowStep(x)) * x.row_stride;
}
/// End of the bytes that LoadPacked reads, counted from the base; 0: none.
inline uint64_t PackedEnd(const ::xrun::LoadPacked& x) {
  uint64_t end = 0;
  for (uint32_t second = 0; second < 2; ++second) {
    const PackedPart part = PartOf(x, second != 0);
    const PackedRows rows = RowsOf(x, second != 0);
    if (ReadsNothing(part, rows)) continue;
    const uint64_t last = RowAt(x, second != 0, rows.end - 1) + static_cast<uint64_t>(part.end);
    if (last > end) end = last;
  }
  return end;
}

/// Beats of a part that are there or on their way. Two bursts of the ports' latency at what a part takes.
constexpr uint32_t kPartBeats = 32;
/// Beats that a part asks for at a time: up to the end of a burst, and not more than half of what it can hold.
constexpr uint32_t kBurstBeats = kDramBurstBytes / kBusBytes,
                   kPartAskBeats = kBurstBeats < kPartBeats / 2 ? kBurstBeats : kPartBeats / 2;
/// A part's bytes, in the order the window takes them: of all rows that lie inside, one behind the other.
struct PartReader {
  PackedPart part;
  PackedRows rows;
  ReadAhead<kCP> ahead;
  Beat beats[kPartBeats];        ///< a ring
  uint32_t first, count, asked;  ///< of it: the oldest beat, those that are there, those asked for as well
  int64_t next;                  ///< byte of the image row that the front of the bytes is
};
inline void StartPart(const ::xrun::LoadPacked& x, uint64_t base, bool second, PartReader& p) {
  p.part = PartOf(x, HW_MUTATE(36, second, false));
  p.rows = RowsOf(x, second);
  p.first = p.count = p.asked = 0;
  const bool none = ReadsNothing(p.part, p.rows);
  if (none) p.rows.end = p.rows.first;
  StartReads(RunsOf(base + RowAt(x, second, p.rows.first) + static_cast<uint64_t>(p.part.begin), none ? 0 : 1,
                    p.rows.end - p.rows.first, 0, static_cast<uint64_t>(RowStep(x)) * x.row_stride,
                    none ? 0 : static_cast<uint64_t>(p.part.end - p.part.begin)),
             p.ahead);
}
/// Which part a burst that was asked for belongs to.
struct PartAsk {
  uint32_t part, beats;
};
constexpr uint32_t kPartAsks = 8;

/// Room for the next burst of a part's run.
inline bool WantsBeats(const PartReader& p) {
  return !Ended(p.ahead.runs, p.ahead.asks) && p.asked + kPartAskBeats <= kPartBeats;
}
/// A cycle of both parts' reading: a beat comes, one of each part goes into its window of bytes, a burst is asked for.
inline void StepParts(DramReadPort& port, Reads& reads, Queue<PartAsk, kPartAsks>& asks, PartReader (&parts)[2],
                      uint32_t& turn) {
  Beat beat;
  if (asks.count != 0 && Take(port, reads, beat)) {
    PartReader& p = parts[asks.item[0].part];
    p.beats[(p.first + p.count) % kPartBeats] = beat;
    ++p.count;
    --asks.item[0].beats;
    if (asks.item[0].beats == 0) Pop(asks);
  }
  HW_UNROLL
  for (uint32_t i = 0; i < 2; ++i) {
    HW_VITIS(unroll)
    PartReader& p = parts[i];
    if (p.count == 0 || p.ahead.fill > kCP) continue;
    TakeBeat(p.ahead, p.beats[p.first]);
    p.first = (p.first + 1) % kPartBeats;
    --p.count;
    --p.asked;
  }
  if (Full(asks)) return;
  const uint32_t i = WantsBeats(parts[turn]) ? turn : 1 - turn;
  if (!WantsBeats(parts[i])) return;
  PartAsk ask = {i, 0};
  const uint64_t at = parts[i].ahead.asks.at / kBusBytes;
  ask.beats = StepAsk(port, reads, parts[i].ahead, kPartAskBeats - static_cast<uint32_t>(at % kPartAskBeats));
  if (ask.beats == 0) return;
  parts[i].asked += ask.beats;
  Push(asks, ask);
  turn = 1 - i;
}

/// The window's way through the instruction.
struct PackWalk {
  uint32_t r, c, to;
  int64_t moved;  ///< how far the window's lanes are beyond those of the row's first word
  uint32_t lost;  ///< as many bytes of the window have to come anew
  uint32_t left;  ///< bytes that the window has yet to move on; 0: a word has to come
  Word window;
};
inline void BeginPackedRow(PackWalk& w, PartReader (&parts)[2]) {
  w.c = w.left = 0;
  w.moved = 0;
  w.lost = kCP;
  parts[0].next = parts[0].part.begin;
  parts[1].next = parts[1].part.begin;
}
inline bool RowInside(const PartReader& p, uint32_t r) { return r >= p.rows.first && r < p.rows.end; }

/// Lanes of a part that have to come, and how many bytes of the row they are: lane `lo` and on. Others are `fill`.
struct Fresh {
  uint32_t first, lo, count;
};
inline Fresh FreshOf(const PartReader& p, const PackWalk& w) {
  const PackedPart& part = p.part;
  Fresh fresh;
  fresh.first = part.to > w.lost ? part.to - w.lost : 0;
  if (fresh.first < part.from) fresh.first = part.from;
  const int64_t at = part.at + w.moved;
  int64_t lo = part.begin - at, hi = part.end - at;
  if (lo < static_cast<int64_t>(fresh.first)) lo = fresh.first;
  if (hi > static_cast<int64_t>(part.to)) hi = part.to;
  fresh.lo = static_cast<uint32_t>(lo);
  fresh.count = RowInside(p, w.r) && lo < hi ? static_cast<uint32_t>(hi - lo) : 0;
  return fresh;
}
inline void FillPart(const ::xrun::LoadPacked& x, PartReader& p, const Fresh& fresh, PackWalk& w) {
  constexpr uint32_t kSpan = PowerOfTwoFrom(kCP);
  int8_t bytes[kSpan] = {};
  HW_UNROLL
  for (uint32_t i = 0; i < kCP; ++i) {
    HW_VITIS(unroll)
    bytes[i] = p.ahead.bytes[i];
  }
  Rotate(bytes, fresh.lo & (kSpan - 1));
  HW_UNROLL
  for (uint32_t i = 0; i < kCP; ++i) {
    HW_VITIS(unroll)
    if (i < fresh.first || i >= p.part.to) continue;
    const bool comes = i >= fresh.lo && i < fresh.lo + fresh.count;
    w.window.lane[i] = comes ? bytes[i] : static_cast<int8_t>(x.fill);
  }
}
/// Bytes of the row that the window leaves behind unread when it moves on by `n`.
inline uint32_t Skipped(const PartReader& p, const PackWalk& w, int64_t next, uint32_t n) {
  int64_t until = p.part.at + w.moved + n + p.part.from;
  if (until > p.part.end) until = p.part.end;
  return RowInside(p, w.r) && until > next ? static_cast<uint32_t>(until - next) : 0;
}

/// A cycle of the packer: a word comes out of the window when its bytes are there, and the window moves on by up to CP
/// bytes, in both rows at once; with the last word of a row of words it moves to the next.
inline void StepPacker(const ::xrun::LoadPacked& x, PartReader (&parts)[2], PackWalk& w, PlannedLine& planned,
                       Queue<LineWords, 2>& lines) {
  if (w.r == x.rows) return;
  const bool word = w.left == 0;
  const Fresh fresh[2] = {FreshOf(parts[0], w), FreshOf(parts[1], w)};
  const uint32_t left = word ? x.stride * x.channels : w.left, n = left < kCP ? left : kCP;
  uint32_t bytes[2];
  bool there = true;
  HW_UNROLL
  for (uint32_t i = 0; i < 2; ++i) {
    HW_VITIS(unroll)
    const uint32_t come = word ? fresh[i].count : 0;
    bytes[i] = come + Skipped(parts[i], w, parts[i].next + come, n);
    there = there && parts[i].ahead.fill >= bytes[i];
  }
  if (!there || (word && Full(lines))) return;
  HW_ITERATION(1);
  if (word) {
    FillPart(x, parts[0], fresh[0], w);
    FillPart(x, parts[1], fresh[1], w);
    LineWords out;
    out.plan.count = 1;
    HW_UNROLL
    for (uint32_t i = 0; i < kLineWords; ++i) {
      HW_VITIS(unroll)
      out.plan.address[i] = w.to + w.c;
    }
    HW_UNROLL
    for (uint32_t i = 0; i < kCP; ++i) {
      HW_VITIS(unroll)
      out.words[0].lane[i] = i < parts[1].part.to ? w.window.lane[i] : HW_MUTATE(6, int8_t{0}, int8_t{1});
    }
    PlanLines(planned, out.plan);
    Push(lines, out);
    w.lost = 0;
  }
  HW_UNROLL
  for (uint32_t i = 0; i < 2; ++i) {
    HW_VITIS(unroll)
    ReleaseBytes(parts[i].ahead, bytes[i]);
    parts[i].next += bytes[i];
  }
  Word moved;
  HW_UNROLL
  for (uint32_t i = 0; i < kCP; ++i) {
    HW_VITIS(unroll)
    moved.lane[i] = w.window.lane[(i + n) % kCP];
  }
  w.window = moved;
  w.lost = w.lost + n < kCP ? w.lost + n : kCP;
  w.left = left - n;
  w.moved += n;
  if (w.left != 0) return;
  ++w.c;
  if (w.c != x.cols) return;
  ++w.r;
  w.to += x.row_pitch;
  BeginPackedRow(w, parts);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_PACKER_H_
