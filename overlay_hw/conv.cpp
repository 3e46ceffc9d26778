// The Conv engine: systolic array and output stage.

#include "overlay_hw/checks.h"
#include "overlay_hw/lines.h"
#include "overlay_hw/requant.h"
#include "overlay_hw/shell.h"
#include "overlay_hw/systolic.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

// Stages: 0 the array, 1 the requantize lanes (or the partial buffer), 2 the result client of port B, 3 the residual
// client. They step side by side: an iteration of Convolve's loop is a clock cycle, in which every stage takes at most
// one step. Between them stand small queues; a stage that finds its queue empty, or the next one full, waits. What a
// step decides depends on counters and on what stands in queues already; whatever takes longer to work out (addresses,
// line costs, lanes that meet in a bank) is worked out on the way into a queue.

/// Pixel 0 … kPP after a group's first, in rows and columns of the output tile. The same for all groups.
struct Offsets {
  uint32_t ox[kPP + 1], oy[kPP + 1];
};
void FindOffsets(const ::xrun::Conv& x, Offsets& offsets) {
  uint32_t ox = 0, oy = 0;
  for (uint32_t l = 0; l <= kPP; ++l) {
    HW_PIPELINE
    offsets.ox[l] = ox;
    offsets.oy[l] = oy;
    ++ox;
    if (ox == x.out_w) {
      ox = 0;
      ++oy;
    }
  }
}

/// A stage's way through the pixel groups, output group after output group.
struct Walk {
  uint32_t og, pg;
  uint32_t left;    ///< pixels from the group's first on
  uint32_t ox, oy;  ///< of the group's first pixel
};
void StartWalk(const ::xrun::Conv& x, Walk& walk) {
  walk.og = walk.pg = walk.ox = walk.oy = 0;
  walk.left = x.out_w * x.out_h;
}
void Advance(const ::xrun::Conv& x, const Offsets& offsets, Walk& walk) {
  if (walk.left <= kPP) {
    const uint32_t og = walk.og + 1;
    StartWalk(x, walk);
    walk.og = og;
    return;
  }
  walk.left -= kPP;
  ++walk.pg;
  walk.ox += offsets.ox[kPP];
  walk.oy += offsets.oy[kPP];
  if (walk.ox >= x.out_w) {
    walk.ox -= x.out_w;
    ++walk.oy;
  }
}

/// The lanes of the walk's pixel group.
struct Lanes {
  uint32_t count;
  uint32_t ox[kPP], oy[kPP];
};
void LanesAt(const ::xrun::Conv& x, const Offsets& offsets, const Walk& walk, Lanes& lanes) {
  lanes.count = walk.left < kPP ? walk.left : kPP;
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    const uint32_t ox = walk.ox + offsets.ox[l];
    const bool turns = ox >= x.out_w;
    lanes.ox[l] = turns ? ox - x.out_w : ox;
    lanes.oy[l] = walk.oy + offsets.oy[l] + (turns ? 1 : 0);
  }
}

/// A table of the segment: 32 iterations of 8 bytes. Returns the row after it.
uint32_t LoadTable(RingPort& ring, uint32_t row, Table& table) {
  Block held;
  uint32_t at = kWeightRowBytes;  // the first byte of the held row that was not used
  for (uint32_t i = 0; i < kTableEntries / 8; ++i) {
    HW_PIPELINE
    HW_ITERATION(0);
    const uint32_t left = kWeightRowBytes - at;
    Block next;
    if (left < 8) ReadRow(ring, row++, next);
    HW_UNROLL
    for (uint32_t j = 0; j < 8; ++j) {
      HW_VITIS(unroll)
      const uint32_t k = j < left ? at + j : j - left;
      table.entry[8 * i + j] = j < left ? held.word[k / kCP].lane[k % kCP] : next.word[k / kCP].lane[k % kCP];
    }
    if (left < 8) held = next;
    at = left < 8 ? 8 - left : at + 8;
  }
  HW_END_UNIT();
  return row;
}

/// Records of output groups whose pixel groups are in the array or behind it: as many as there can be.
struct Records {
  int8_t bytes[kResultGroups][kRecordRows * kWeightRowBytes];
};

/// One tap of all lanes: where each word lies. Lanes are bits of masks.
struct Tap {
  bool first, last;  ///< of its pixel group
  bool closes;       ///< the last of its output group
  uint32_t row;      ///< of the ring
  uint32_t inside, pending;
  uint32_t address[kPP];
  uint32_t same_bank[kPP], same_word[kPP];  ///< of the lanes before: whose word lies in this one's bank, is this one's
};
/// Where the taps are: kernel rows, columns and input groups in one flattened loop, for each pixel group.
struct TapWalk {
  Walk walk;
  uint32_t kh, kw, g, plane;
  uint32_t row, blocks;  ///< ring row of the tap's block, and of the output group's first
};

/// A cycle of the address generator.
void StepTaps(const ::xrun::Conv& x, const Offsets& offsets, TapWalk& w, Queue<Tap, 2>& taps) {
  if (w.walk.og == x.oc_groups || Full(taps)) return;
  Lanes lanes;
  LanesAt(x, offsets, w.walk, lanes);
  Tap tap;
  tap.inside = 0;
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    const int32_t iy = static_cast<int32_t>(lanes.oy[l] * x.stride_h + w.kh * x.dilation_h) - x.pad_top;
    const int32_t ix = static_cast<int32_t>(lanes.ox[l] * x.stride_w + w.kw * x.dilation_w) - x.pad_left;
    const bool inside = l < lanes.count && iy >= 0 && iy < static_cast<int32_t>(x.in_h) && ix >= 0 &&
                        ix < HW_MUTATE(14, static_cast<int32_t>(x.in_w), static_cast<int32_t>(x.in_w) - 1);
    if (inside) tap.inside |= 1U << l;
    tap.address[l] = w.plane + static_cast<uint32_t>(iy) * x.src_row_pitch + static_cast<uint32_t>(ix);
    tap.same_bank[l] = tap.same_word[l] = 0;
    HW_UNROLL
    for (uint32_t k = 0; k < l; ++k) {
      HW_VITIS(unroll)
      const uint32_t differs = (tap.address[l] ^ tap.address[k]) & (kActivationWords - 1);
      if ((differs & (kBanks - 1)) == 0) tap.same_bank[l] |= 1U << k;
      if (differs == 0) tap.same_word[l] |= 1U << k;
    }
  }
  tap.pending = tap.inside;
  tap.row = w.row;
  tap.first = w.kh == 0 && w.kw == 0 && w.g == 0;
  ++w.row;
  ++w.g;
  w.plane += x.src_plane_pitch;
  if (w.g == x.ic_groups) {
    w.g = 0;
    w.plane = x.src;
    ++w.kw;
    if (w.kw == x.kernel_w) {
      w.kw = 0;
      ++w.kh;
    }
  }
  tap.last = w.kh == x.kernel_h;
  tap.closes = tap.last && w.walk.left <= kPP;
  if (tap.last) {
    w.kh = 0;
    Advance(x, offsets, w.walk);
    if (tap.closes) {
      w.row += x.keep == 0 ? kRecordRows : 0;
      w.blocks = w.row;
    } else {
      w.row = w.blocks;
    }
  }
  Push(taps, tap);
}

/// One access of port A: each bank gives one word, to all lanes that want it. True when no lane is left.
bool ServeTap(ActivationPort& source, Tap& tap, Word (&words)[kPP]) {
  Word read[kPP];
  uint32_t leaders = 0;  // lanes whose word a bank gives now
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    if ((tap.pending >> l & 1) == 0 || (tap.same_bank[l] & tap.pending) != 0) continue;
    leaders |= 1U << l;
    ReadWord(source, tap.address[l] & (kBanks - 1), tap.address[l] >> kBankShift, read[l]);
  }
  uint32_t left = 0;
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    if ((tap.pending >> l & 1) == 0) continue;
    const uint32_t others = tap.same_bank[l] & leaders;
    if ((others & ~tap.same_word[l]) != 0 && HW_MUTATE(15, true, false)) {
      left |= 1U << l;
      continue;
    }
    words[l] = read[l];
    HW_UNROLL
    for (uint32_t k = 0; k < l; ++k) {
      HW_VITIS(unroll)
      if ((others >> k & 1) != 0) words[l] = read[k];
    }
  }
  tap.pending = left;
  return left == 0;
}

/// The array's way through the instruction.
struct ArrayStage {
  uint32_t og;
  uint32_t records, row;  ///< rows of records still to come before og's taps, and the ring row of the next
  bool serving;           ///< the first tap of the queue has been begun
  uint32_t in_chain;      ///< pixel groups begun, and not yet taken by the output stage
  Feed feed;
};

/// A cycle of the array: a row of records, a tap or a part of it, or a bubble.
void StepArray(const ::xrun::Conv& x, uint32_t og_out, ActivationPort& source, RingPort& ring, Records& records,
               Queue<Tap, 2>& taps, ArrayStage& a, Chain& chain) {
  Feed& feed = a.feed;
  feed.valid = feed.first = feed.last = false;
  if (a.og != x.oc_groups && a.records != 0) {
    if (a.og - og_out < kResultGroups) {
      HW_COUNT(counts.Cycle(0));
      Block block;
      ReadRow(ring, a.row, block);
      const uint32_t from = (kRecordRows - a.records) * kWeightRowBytes;
      HW_UNROLL
      for (uint32_t k = 0; k < kWeightRowBytes; ++k) {
        HW_VITIS(unroll)
        records.bytes[a.og % kResultGroups][from + k] = block.word[k / kCP].lane[k % kCP];
      }
      ++a.row;
      --a.records;
    }
  } else if (taps.count != 0 && (a.serving || !taps.item[0].first || a.in_chain < kResultGroups)) {
    HW_ITERATION(0);
    Tap& tap = taps.item[0];
    if (!a.serving) {
      if (tap.first) ++a.in_chain;
      HW_UNROLL
      for (uint32_t l = 0; l < kPP; ++l) {
        HW_VITIS(unroll)
        HW_UNROLL
        for (uint32_t c = 0; c < kCP; ++c) {
          HW_VITIS(unroll)
          if ((tap.inside >> l & 1) == 0) feed.x[l].lane[c] = static_cast<int8_t>(x.fill);
        }
      }
    }
    a.serving = !ServeTap(source, tap, feed.x);
    if (!a.serving) {
      feed.valid = true;
      feed.first = tap.first;
      feed.last = tap.last;
      ReadRow(ring, tap.row, feed.weights);
      a.row = tap.row + 1;
      if (tap.last) HW_COUNT(counts.EndStage(0));
      if (tap.closes) {
        ++a.og;
        a.records = x.keep == 0 ? kRecordRows : 0;
      }
      Pop(taps);
    }
  }
  Step(chain, feed);
}

typedef LinePlan<kPP> Plan;
struct ResultGroup {
  Plan plan;
  Word words[kPP];
};
struct ResidualWords {
  Word word[kPP];
};

/// Everything behind the array.
struct OutputStage {
  Walk walk;
  bool busy;       ///< with the walk's pixel group
  uint32_t first;  ///< its next lane
  PartialEntry entry;
  Lanes lanes;
  PlannedLine planned;
  ResultGroup out;
};

/// The words of lanes first … first + kRequantPixels - 1.
void OutputWords(const ::xrun::Conv& x, const PartialEntry& entry, uint32_t first, uint32_t count,
                 const int8_t* records, const Table& table, const Table& table2, const Word (&residual)[kPP],
                 Word (&out)[kPP]) {
  HW_UNROLL
  for (uint32_t i = 0; i < kRequantPixels; ++i) {
    HW_VITIS(unroll)
    const uint32_t l = first + i;
    if (l >= count) continue;
    HW_UNROLL
    for (uint32_t oc = 0; oc < kCP; ++oc) {
      HW_VITIS(unroll)
      const Record record = RecordFrom(records + kRecordBytes * oc);
      int32_t a = WrapAdd(entry.pixel[l].lane[oc], record.bias);
      if (x.weight_zero != 0) a = WrapAdd(a, WrapMul(HW_MUTATE(16, -record.zero, record.zero), entry.sum[l]));
      int32_t q = FirstStage(a, record, x.prelu != 0, x.zero_point, x.clamp_lo, x.clamp_hi);
      if (x.table != 0) q = Look(table, q);
      if (x.residual != 0) {
        q = ClampTo(AddRequantized(q - x.main_zero, x.m_main, residual[l].lane[oc] - x.res_zero, x.m_res, x.add_shift,
                                   HW_MUTATE(17, x.zero_point2, x.zero_point)),
                    x.clamp2_lo, x.clamp2_hi);
        if (x.table2 != 0) q = Look(HW_MUTATE(18, table2, table), q);
      }
      out[l].lane[oc] = static_cast<int8_t>(q);
    }
  }
}

/// A pixel group's results from the chain, with what the partial buffer has of them.
void TakeGroup(const ::xrun::Conv& x, uint32_t at, Chain& chain, PartialPort& partial_read, PartialEntry& entry) {
  TakeResults(chain, entry);
  if (x.accumulate == 0) return;
  PartialEntry before;
  ReadPartial(partial_read, at, before);
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    HW_UNROLL
    for (uint32_t oc = 0; oc < kCP; ++oc) {
      HW_VITIS(unroll)
      entry.pixel[l].lane[oc] = WrapAdd(entry.pixel[l].lane[oc], before.pixel[l].lane[oc]);
    }
    entry.sum[l] = HW_MUTATE(19, WrapAdd(entry.sum[l], before.sum[l]), entry.sum[l]);
  }
}

/// A cycle of the output stage: kRequantPixels lanes of a pixel group, or its entry of the partial buffer.
void StepOutput(const ::xrun::Conv& x, const Offsets& offsets, uint32_t groups, OutputStage& o, ArrayStage& a,
                Chain& chain, const Records& records, const Table& table, const Table& table2,
                Queue<ResidualWords, 4>& residuals, Queue<ResultGroup, 4>& results, PartialPort& partial_read,
                PartialPort& partial_write) {
  const uint32_t at = x.partial + o.walk.og * groups + o.walk.pg;
  if (!o.busy) {
    if (!HasResults(chain) || Full(results) || (x.keep == 0 && x.residual != 0 && residuals.count == 0)) return;
    TakeGroup(x, at, chain, partial_read, o.entry);
    --a.in_chain;
    LanesAt(x, offsets, o.walk, o.lanes);
    o.first = 0;
    o.busy = true;
  }
  HW_ITERATION(1);
  if (x.keep != 0) {
    WritePartial(partial_write, at, o.lanes.count, o.entry);
    o.first = o.lanes.count;
  } else {
    OutputWords(x, o.entry, o.first, o.lanes.count, records.bytes[o.walk.og % kResultGroups], table, table2,
                residuals.item[0].word, o.out.words);
    o.first += kRequantPixels;
  }
  if (o.first < o.lanes.count) return;
  o.busy = false;
  if (x.keep == 0) {
    o.out.plan.count = o.lanes.count;
    HW_UNROLL
    for (uint32_t l = 0; l < kPP; ++l) {
      HW_VITIS(unroll)
      o.out.plan.address[l] = x.dst + o.walk.og * x.dst_plane_pitch + o.lanes.oy[l] * x.dst_row_pitch +
                              o.lanes.ox[l] * HW_MUTATE(20, x.dst_step, 1U);
    }
    PlanLines(o.planned, o.out.plan);
    Push(results, o.out);
    if (x.residual != 0) Pop(residuals);
  }
  HW_COUNT(counts.EndStage(1));
  Advance(x, offsets, o.walk);
}

/// Everything before the residual's part of the output stage.
struct ResidualStage {
  Walk walk;
  PlannedLine planned;
  Queue<Plan, 2> plans;
  LineClient client;
  LineSeek seek;
  ResidualWords words;
};
/// A cycle of the residual client, and of what works out its lines.
void StepResidual(const ::xrun::Conv& x, const Offsets& offsets, ActivationPort& port, ResidualStage& r,
                  Queue<ResidualWords, 4>& residuals) {
  if (r.plans.count != 0 && !Full(residuals) && StepRead<3>(port, r.client, r.seek, r.plans.item[0], r.words.word)) {
    Push(residuals, r.words);
    Pop(r.plans);
    HW_COUNT(counts.EndStage(3));
  }
  if (r.walk.og == x.oc_groups || Full(r.plans)) return;
  Lanes lanes;
  LanesAt(x, offsets, r.walk, lanes);
  Plan plan;
  plan.count = lanes.count;
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    plan.address[l] = x.res + r.walk.og * x.res_plane_pitch + lanes.oy[l] * x.res_row_pitch + lanes.ox[l];
  }
  PlanLines(r.planned, plan);
  Push(r.plans, plan);
  Advance(x, offsets, r.walk);
}

void Convolve(const ::xrun::Conv& x, ActivationPort& source, ActivationPort& result, ActivationPort& residual,
              RingPort& ring, PartialPort& partial_read, PartialPort& partial_write) {
  static_assert(kRecordRows * kWeightRowBytes >= kRecordBytes * kCP, "record rows hold a group's records");
  Table table, table2;  // written 8 entries a cycle, read by every lane of the output stage
  HW_VITIS(array_partition variable = table.entry cyclic factor = 8)
  HW_VITIS(bind_storage variable = table.entry type = ram_1wnr impl = lutram)
  HW_VITIS(array_partition variable = table2.entry cyclic factor = 8)
  HW_VITIS(bind_storage variable = table2.entry type = ram_1wnr impl = lutram)
  Records records;
  HW_VITIS(array_partition variable = records.bytes complete dim = 2)
  uint32_t row = x.weights;  // of the segment; ring rows wrap where they are read
  if (x.table != 0) row = LoadTable(ring, row, table);
  if (x.table2 != 0) row = LoadTable(ring, row, table2);
  Offsets offsets;
  FindOffsets(x, offsets);
  const uint32_t groups = DivideUp(x.out_w * x.out_h, kPP);
  const bool other = x.keep == 0 && x.residual != 0;

  Queue<Tap, 2> taps;
  Queue<ResidualWords, 4> residuals;
  Queue<ResultGroup, 4> results;
  TapWalk tap;
  StartWalk(x, tap.walk);
  tap.kh = tap.kw = tap.g = 0;
  tap.plane = x.src;
  tap.row = tap.blocks = row + (x.keep == 0 ? kRecordRows : 0);
  ArrayStage array;
  array.og = array.in_chain = 0;
  array.records = x.keep == 0 ? kRecordRows : 0;
  array.row = row;
  array.serving = false;
  Chain chain;
  StartChain(chain);
  OutputStage output;
  StartWalk(x, output.walk);
  output.busy = false;
  ResidualStage reader;
  StartWalk(x, reader.walk);
  StartLines(reader.client);
  LineClient writer;
  StartLines(writer);
  LineSeek seek;

  HW_COUNT(counts.BeginClock(x.keep != 0 ? 2 : other ? 4 : 3));
  while (output.walk.og != x.oc_groups || results.count != 0) {  // unbounded: to the last result's line
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 16 max = 1048576)
    HW_CLOCK();
    // From the last stage to the first, so that each sees what stood in its queues at the cycle's beginning.
    if (results.count != 0 && StepWrite<2>(result, writer, seek, results.item[0].plan, results.item[0].words)) {
      Pop(results);
      HW_COUNT(counts.EndStage(2));
    }
    if (output.walk.og != x.oc_groups) {
      StepOutput(x, offsets, groups, output, array, chain, records, table, table2, residuals, results, partial_read,
                 partial_write);
    }
    if (other) StepResidual(x, offsets, residual, reader, residuals);
    StepArray(x, output.walk.og, source, ring, records, taps, array, chain);
    StepTaps(x, offsets, tap, taps);
  }
  HW_COUNT(counts.EndClock());
  FlushLine(result, writer);
}

struct ConvSteps {
  RowStream& rows;
  RowCount& acquired;
  StopSignal& stop;
  ActivationPort& source;
  ActivationPort& result;
  ActivationPort& residual;
  RingPort& ring;
  PartialPort& partial_read;
  PartialPort& partial_write;
  uint32_t released;

  Needs needs(const InstructionWord& word) { return NeedsOfConv(word); }
  bool acquire(uint32_t) { return true; }
  Trap execute(const InstructionWord& word, const BaseRegisters&, const Needs& needs) {
    if (needs.release > ReadRowCount(acquired) - released) return Trap::kRingUnderflow;
    return ExecuteConv(word, source, result, residual, ring, partial_read, partial_write);
  }
  bool release(uint32_t count) {
    released += count;
    return count == 0 || Send(rows, count, stop);
  }
};

}  // namespace

Needs NeedsOfConv(const InstructionWord& word) {
  Trap trap = Trap::kIllegalInstruction;
  uint32_t release = 0;
  ::xrun::Sync sync;
  ::xrun::Conv conv;
  switch (static_cast<Opcode>(OpcodeOf(word))) {
    case Opcode::kSync:
      trap = Judge(word, sync);
      break;
    case Opcode::kConv:
      trap = Judge(word, conv);
      release = conv.release;
      break;
    default:
      break;
  }
  Needs needs = HeaderNeeds(word, kConv, trap);
  if (needs.trap == Trap::kNone) needs.release = release;
  return needs;
}

Trap ExecuteConv(const InstructionWord& word, ActivationPort& source, ActivationPort& result, ActivationPort& residual,
                 RingPort& ring, PartialPort& partial_read, PartialPort& partial_write) {
  if (static_cast<Opcode>(OpcodeOf(word)) != Opcode::kConv) return Trap::kNone;
  ::xrun::Conv x;
  Decode(word, x);
  Convolve(x, source, result, residual, ring, partial_read, partial_write);
  return Trap::kNone;
}

void ConvEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines], RowStream& release,
                RowCount& acquired, StopSignal& stop, EngineReport& report, TokenStream& marks, ActivationPort& source,
                ActivationPort& result, ActivationPort& residual, RingPort& ring, PartialPort& partial_read,
                PartialPort& partial_write) {
  ConvSteps steps = {release, acquired, stop, source, result, residual, ring, partial_read, partial_write, 0};
  RunEngine(steps, packets, from, to, stop, report, marks);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
