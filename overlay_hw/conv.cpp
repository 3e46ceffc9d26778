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

// Stages, side by side for each pixel group: 0 the array, 1 the requantize lanes (or the partial buffer), 2 the result
// client of port B, 3 the residual client.

/// Positions of the lanes of a pixel group in the output tile, walked in order.
struct Pixels {
  uint32_t left;    ///< pixels from the group's first on
  uint32_t ox, oy;  ///< of the group's first pixel
};
struct Lanes {
  uint32_t count;
  uint32_t ox[kPP], oy[kPP];
};
void NextLanes(const ::xrun::Conv& x, Pixels& pixels, Lanes& lanes) {
  lanes.count = pixels.left < kPP ? pixels.left : kPP;
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    lanes.ox[l] = pixels.ox;
    lanes.oy[l] = pixels.oy;
    ++pixels.ox;
    if (pixels.ox == x.out_w) {
      pixels.ox = 0;
      ++pixels.oy;
    }
  }
  pixels.left -= lanes.count;
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

/// Records of output groups whose pixel groups are in the array or behind it: as many as the chain can hold.
struct Records {
  int8_t bytes[kElements][kRecordRows * kWeightRowBytes];
};
void LoadRecords(RingPort& ring, uint32_t row, Records& records, uint32_t set) {
  for (uint32_t r = 0; r < kRecordRows; ++r) {
    HW_PIPELINE
    HW_COUNT(counts.Cycle(0));
    Block block;
    ReadRow(ring, row + r, block);
    HW_UNROLL
    for (uint32_t k = 0; k < kWeightRowBytes; ++k) {
      HW_VITIS(unroll)
      records.bytes[set][r * kWeightRowBytes + k] = block.word[k / kCP].lane[k % kCP];
    }
  }
}

/// One tap of all lanes: where each word lies.
struct Tap {
  bool inside[kPP], pending[kPP];
  uint32_t address[kPP];
};
void FindTap(const ::xrun::Conv& x, const Lanes& lanes, uint32_t kh, uint32_t kw, uint32_t plane, Tap& tap) {
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    const int32_t iy = static_cast<int32_t>(lanes.oy[l] * x.stride_h + kh * x.dilation_h) - x.pad_top;
    const int32_t ix = static_cast<int32_t>(lanes.ox[l] * x.stride_w + kw * x.dilation_w) - x.pad_left;
    tap.inside[l] = tap.pending[l] = l < lanes.count && iy >= 0 && iy < static_cast<int32_t>(x.in_h) && ix >= 0 &&
                                     ix < HW_MUTATE(14, static_cast<int32_t>(x.in_w), static_cast<int32_t>(x.in_w) - 1);
    tap.address[l] = plane + static_cast<uint32_t>(iy) * x.src_row_pitch + static_cast<uint32_t>(ix);
  }
}
/// One access of port A: each bank gives one word, to all lanes that want it. True when no lane is left.
bool ServeTap(ActivationPort& source, Tap& tap, Word (&words)[kPP]) {
  bool busy[kBanks];
  uint32_t row[kBanks];
  Word read[kBanks];
  HW_UNROLL
  for (uint32_t b = 0; b < kBanks; ++b) {
    HW_VITIS(unroll)
    busy[b] = false;
  }
  bool complete = true;
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    if (!tap.pending[l]) continue;
    const uint32_t bank = tap.address[l] & (kBanks - 1), at = tap.address[l] >> kBankShift;
    if (!busy[bank]) {
      busy[bank] = true;
      row[bank] = at;
      ReadWord(source, bank, at, read[bank]);
    }
    if (row[bank] == at || HW_MUTATE(15, false, true)) {
      words[l] = read[bank];
      tap.pending[l] = false;
    } else {
      complete = false;
    }
  }
  return complete;
}

/// Everything behind the array.
struct OutputStage {
  Pixels pixels;
  uint32_t og, pg, groups;  ///< pixel group under way, and how many an output group has
  LineClient write, read;
};

void OutputWords(const ::xrun::Conv& x, const PartialEntry& entry, const Lanes& lanes, const int8_t* records,
                 const Table& table, const Table& table2, const Word (&residual)[kPP], Word (&out)[kPP]) {
  for (uint32_t first = 0; first < lanes.count; first += kRequantPixels) {
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = kPP)
    HW_ITERATION(1);
    HW_UNROLL
    for (uint32_t i = 0; i < kRequantPixels; ++i) {
      HW_VITIS(unroll)
      const uint32_t l = first + i;
      if (l >= lanes.count) continue;
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
}

/// Takes the results of the next pixel group to where they go.
void Output(const ::xrun::Conv& x, OutputStage& stage, Chain& chain, const Records& records, const Table& table,
            const Table& table2, ActivationPort& result, ActivationPort& residual, PartialPort& partial_read,
            PartialPort& partial_write) {
  PartialEntry entry;
  TakeResults(chain, entry);
  Lanes lanes;
  NextLanes(x, stage.pixels, lanes);
  const uint32_t at = x.partial + stage.og * stage.groups + stage.pg;
  if (x.accumulate != 0) {
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
  if (x.keep != 0) {
    HW_ITERATION(1);
    WritePartial(partial_write, at, lanes.count, entry);
  } else {
    uint32_t to[kPP], from[kPP];
    HW_UNROLL
    for (uint32_t l = 0; l < kPP; ++l) {
      HW_VITIS(unroll)
      to[l] = x.dst + stage.og * x.dst_plane_pitch + lanes.oy[l] * x.dst_row_pitch +
              lanes.ox[l] * HW_MUTATE(20, x.dst_step, 1U);
      from[l] = x.res + stage.og * x.res_plane_pitch + lanes.oy[l] * x.res_row_pitch + lanes.ox[l];
    }
    Word other[kPP], out[kPP];
    if (x.residual != 0) ReadWords<3>(residual, stage.read, from, lanes.count, other);
    OutputWords(x, entry, lanes, records.bytes[stage.og % kElements], table, table2, other, out);
    WriteWords<2>(result, stage.write, to, lanes.count, out);
  }
  HW_COUNT(counts.EndOutput(1, 3));
  ++stage.pg;
  if (stage.pg == stage.groups) {
    stage.pg = 0;
    ++stage.og;
    stage.pixels = {x.out_w * x.out_h, 0, 0};
  }
}

void Convolve(const ::xrun::Conv& x, ActivationPort& source, ActivationPort& result, ActivationPort& residual,
              RingPort& ring, PartialPort& partial_read, PartialPort& partial_write) {
  static_assert(kRecordRows * kWeightRowBytes >= kRecordBytes * kCP, "record rows hold a group's records");
  Table table, table2;
  Records records;
  HW_VITIS(array_partition variable = records.bytes complete dim = 2)
  Chain chain;
  StartChain(chain);
  OutputStage stage;
  StartLines(stage.write);
  StartLines(stage.read);
  stage.og = stage.pg = 0;
  stage.groups = PixelGroups(x);
  stage.pixels = {x.out_w * x.out_h, 0, 0};

  uint32_t row = x.weights;  // of the segment; ring rows wrap where they are read
  if (x.table != 0) row = LoadTable(ring, row, table);
  if (x.table2 != 0) row = LoadTable(ring, row, table2);
  Feed feed;
  for (uint32_t og = 0; og < x.oc_groups; ++og) {
    HW_VITIS(loop_tripcount min = 1 max = 2047)
    if (x.keep == 0) {
      LoadRecords(ring, row, records, og % kElements);
      row += kRecordRows;
    }
    Pixels pixels = {x.out_w * x.out_h, 0, 0};
    for (uint32_t pg = 0; pg < stage.groups; ++pg) {
      HW_VITIS(loop_tripcount min = 1 max = 65536)
      Lanes lanes;
      NextLanes(x, pixels, lanes);
      // One flattened loop over kernel rows, columns and input groups; a tap whose lanes meet in a bank takes more.
      uint32_t kh = 0, kw = 0, g = 0, block = row, plane = x.src;
      bool begins = true, ends = false, fresh = true;
      Tap tap;
      while (!ends) {  // unbounded: to the last tap of kernel and input groups
        HW_PIPELINE
        HW_VITIS(loop_tripcount min = 1 max = 32768)
        HW_ITERATION(0);
        if (fresh) {
          FindTap(x, lanes, kh, kw, plane, tap);
          HW_UNROLL
          for (uint32_t l = 0; l < kPP; ++l) {
            HW_VITIS(unroll)
            HW_UNROLL
            for (uint32_t c = 0; c < kCP; ++c) {
              HW_VITIS(unroll)
              if (!tap.inside[l]) feed.x[l].lane[c] = static_cast<int8_t>(x.fill);
            }
          }
        }
        fresh = ServeTap(source, tap, feed.x);
        if (!fresh) continue;
        feed.valid = true;
        feed.first = begins;
        begins = false;
        ReadRow(ring, block, feed.weights);
        ++block;
        ++g;
        plane += x.src_plane_pitch;
        if (g == x.ic_groups) {
          g = 0;
          plane = x.src;
          ++kw;
          if (kw == x.kernel_w) {
            kw = 0;
            ++kh;
            ends = kh == x.kernel_h;
          }
        }
        feed.last = ends;
        Step(chain, feed);
      }
      HW_COUNT(counts.EndArray(0));
      for (uint32_t i = 0; i < kElements; ++i) {
        if (HasResults(chain))
          Output(x, stage, chain, records, table, table2, result, residual, partial_read, partial_write);
      }
    }
    row += x.kernel_h * x.kernel_w * x.ic_groups;
  }
  feed.valid = feed.first = feed.last = false;
  for (uint32_t i = 0; i + 1 < kElements; ++i) {  // the chain runs empty: fixed cycles
    HW_PIPELINE
    HW_FIXED();
    Step(chain, feed);
  }
  for (uint32_t i = 0; i < kElements; ++i) {
    if (HasResults(chain))
      Output(x, stage, chain, records, table, table2, result, residual, partial_read, partial_write);
  }
  FlushLine(result, stage.write);
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
