// The Load engine: DRAM to activation memory, weight ring and vector parameter memory.

#include "overlay_hw/checks.h"
#include "overlay_hw/lines.h"
#include "overlay_hw/shell.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

// Stages. Stage 0: the client of port B or the memory's write port. Stage 1: the packer.

uint64_t CopyEnd(const ::xrun::Load& x) {
  return static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.planes - 1) * x.plane_stride +
         static_cast<uint64_t>(x.rows - 1) * x.row_stride + static_cast<uint64_t>(x.cols) * kCP;
}
uint32_t MatrixWordBytes(const ::xrun::LoadMatrix& x) { return x.int4 != 0 ? kCP / 2 : kCP; }

/// What LoadPacked takes of an image row: lanes [from, to) of a word. Bytes of the row are numbered as lanes of the
/// row's first word; those of the image that are read are [begin, end).
struct PackedPart {
  uint32_t from, to;
  int64_t at;  ///< byte of the image row that lane 0 would have
  int64_t begin, end;
};
PackedPart PartOf(const ::xrun::LoadPacked& x, bool second) {
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
/// Image row of the first row of words' `second` part, and of the last.
int64_t FirstRow(const ::xrun::LoadPacked& x, bool second) { return static_cast<int64_t>(x.top) + (second ? 1 : 0); }
int64_t LastRow(const ::xrun::LoadPacked& x, bool second) {
  return FirstRow(x, second) + static_cast<int64_t>(x.rows - 1) * (x.row_step != 0 ? x.row_step : 1);
}
bool RowInside(const ::xrun::LoadPacked& x, int64_t row) {
  return x.in_rows == 0 || (row >= 0 && row < static_cast<int64_t>(x.in_rows));
}
/// End of the bytes that LoadPacked reads, counted from the base; 0: none.
uint64_t PackedEnd(const ::xrun::LoadPacked& x) {
  uint64_t end = 0;
  for (int32_t second = 0; second < 2; ++second) {
    const PackedPart part = PartOf(x, second != 0);
    // The last row inside that is as many steps from the first as a row of words is.
    int64_t row = LastRow(x, second != 0);
    const int64_t step = x.row_step != 0 ? x.row_step : 1;
    if (x.in_rows != 0 && row >= static_cast<int64_t>(x.in_rows)) {
      const int64_t over = row - static_cast<int64_t>(x.in_rows);
      row -= (over / step + 1) * step;
    }
    if (part.from == part.to || part.begin >= part.end || row < 0 || row < FirstRow(x, second != 0)) continue;
    const uint64_t last =
        static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(row) * x.row_stride + static_cast<uint64_t>(part.end);
    if (last > end) end = last;
  }
  return end;
}

void Copy(const ::xrun::Load& x, uint64_t base, DramPort& dram, ActivationPort& result) {
  LineClient client;
  StartLines(client);
  ByteReader reader;
  uint64_t plane_from = base + x.offset;
  uint32_t plane_to = x.addr;
  for (uint32_t p = 0; p < x.planes; ++p) {
    uint64_t from = plane_from;
    uint32_t to = plane_to;
    for (uint32_t r = 0; r < x.rows; ++r) {
      for (uint32_t c = 0; c < x.cols; c += kChunk) {
        const uint32_t count = x.cols - c < kChunk ? x.cols - c : kChunk;
        uint32_t address[kChunk];
        Word words[kChunk];
        for (uint32_t i = 0; i < kChunk; ++i) {
          address[i] = to + c + i;
          if (i < count) ReadBytes(dram, reader, from + static_cast<uint64_t>(c + i) * kCP, 0, kCP, words[i].lane);
        }
        WriteWords<0>(result, client, address, count, words);
      }
      from += x.row_stride;
      to += HW_MUTATE(2, x.row_pitch, x.cols);
    }
    plane_from += x.plane_stride;
    plane_to += x.plane_pitch;
  }
  HW_ITERATION(0);
  FlushLine(result, client);
  HW_END_UNIT();
}

void LoadWeightRows(const ::xrun::LoadWeights& x, uint64_t base, DramPort& dram, RingPort& ring) {
  ByteReader reader;
  for (uint32_t i = 0; i < x.rows; ++i) {
    Block block;
    const uint64_t from = base + x.offset + static_cast<uint64_t>(i) * kWeightRowBytes;
    for (uint32_t oc = 0; oc < kCP; ++oc) {
      ReadBytes(dram, reader, from + oc * kCP, 0, kCP, block.word[oc].lane);
    }
    HW_ITERATION(0);
    WriteRow(ring, HW_MUTATE(3, x.row + i, x.row), block);
  }
  HW_END_UNIT();
}

void LoadVectorRows(const ::xrun::LoadVector& x, uint64_t base, DramPort& dram, VectorPort& parameters) {
  ByteReader reader;
  for (uint32_t i = 0; i < x.rows; ++i) {
    Word word;
    ReadBytes(dram, reader, base + x.offset + static_cast<uint64_t>(i) * kCP, 0, kCP, word.lane);
    HW_ITERATION(0);
    WriteVectorRow(parameters, x.addr + i, word);
  }
  HW_END_UNIT();
}

/// One word of a block: its elements, `fill` where the matrix has none.
void MatrixWord(const ::xrun::LoadMatrix& x, uint64_t from, uint32_t j, DramPort& dram, ByteReader& reader, Word& to) {
  int8_t bytes[kCP] = {};
  if (j < x.words) ReadBytes(dram, reader, from, 0, MatrixWordBytes(x), bytes);
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    const uint8_t pair = static_cast<uint8_t>(bytes[c / 2]);
    const uint32_t nibble = HW_MUTATE(4, (c & 1) != 0, (c & 1) == 0) ? pair >> 4 : pair & 15U;
    const int8_t half = static_cast<int8_t>(HW_MUTATE(5, (nibble ^ 8U), (nibble ^ 0U)) - HW_MUTATE(5, 8U, 0U));
    to.lane[c] = j >= x.words || c >= x.lanes ? static_cast<int8_t>(x.fill) : x.int4 != 0 ? half : bytes[c];
  }
}

void LoadMatrixRows(const ::xrun::LoadMatrix& x, uint64_t base, DramPort& dram, RingPort& ring) {
  ByteReader reader;
  uint64_t from = base + x.offset;
  for (uint32_t i = 0; i < x.rows; ++i) {
    Block block;
    for (uint32_t j = 0; j < kCP; ++j) {
      // Turned, words come in one an iteration, each a column of the block; otherwise the row goes out as it came.
      Word word;
      MatrixWord(x, from + j * MatrixWordBytes(x), j, dram, reader, word);
      if (x.transpose != 0) HW_ITERATION(0);
      HW_UNROLL
      for (uint32_t c = 0; c < kCP; ++c) {
        HW_VITIS(unroll)
        if (x.transpose != 0) {
          block.word[c].lane[j] = word.lane[c];
        } else {
          block.word[j].lane[c] = word.lane[c];
        }
      }
    }
    if (x.transpose == 0) HW_ITERATION(0);
    WriteRow(ring, x.row + i, block);
    from += x.row_stride;
  }
  HW_END_UNIT();
}

/// Bytes of one image row that come into the window: those that are read, `fill` elsewhere. `moved` is how far the
/// window's lanes are beyond those of the row's first word; lanes of the part below `fresh` are there already.
void FillPart(const ::xrun::LoadPacked& x, const PackedPart& part, bool inside, uint64_t row, int64_t moved,
              uint32_t fresh, DramPort& dram, ByteReader& reader, Word& window) {
  const uint32_t first = fresh > part.from ? fresh : part.from;
  HW_UNROLL
  for (uint32_t i = 0; i < kCP; ++i) {
    HW_VITIS(unroll)
    if (i >= first && i < part.to) window.lane[i] = static_cast<int8_t>(x.fill);
  }
  const int64_t at = part.at + moved;
  int64_t lo = part.begin - at, hi = part.end - at;
  if (lo < static_cast<int64_t>(first)) lo = first;
  if (hi > static_cast<int64_t>(part.to)) hi = part.to;
  if (inside && lo < hi)
    ReadBytes(dram, reader, row + static_cast<uint64_t>(at), static_cast<uint32_t>(lo), static_cast<uint32_t>(hi),
              window.lane);
}

/// The packer: a window of CP bytes, the first `head` of an image row and the next `tail` of the row below it, each
/// read in order by a reader of its own. A word is the window; then the window moves on by stride·channels bytes, at
/// most CP an iteration, in both rows at once. With the last word of a row of words it moves to the next row.
void Pack(const ::xrun::LoadPacked& x, uint64_t base, DramPort& dram, ActivationPort& result) {
  LineClient client;
  StartLines(client);
  ByteReader head_reader, tail_reader;
  const PackedPart head = PartOf(x, false), tail = PartOf(x, HW_MUTATE(36, true, false));
  const int64_t step = x.row_step != 0 ? x.row_step : 1;
  int64_t image_row = x.top;
  uint64_t row = base + x.offset + static_cast<uint64_t>(image_row * static_cast<int64_t>(x.row_stride));
  uint32_t row_to = x.addr;
  for (uint32_t r = 0; r < x.rows; ++r) {
    const bool head_inside = RowInside(x, image_row), tail_inside = RowInside(x, image_row + HW_MUTATE(37, 1, 0));
    Word window;
    int64_t moved = 0;
    uint32_t lost = kCP;  // as many bytes of the window have to come anew
    for (uint32_t c = 0; c < x.cols; ++c) {
      FillPart(x, head, head_inside, row, moved, head.to > lost ? head.to - lost : 0, dram, head_reader, window);
      FillPart(x, tail, tail_inside, row + x.row_stride, moved, tail.to > lost ? tail.to - lost : 0, dram, tail_reader,
               window);
      uint32_t address[1] = {row_to + c};
      Word word[1];
      HW_UNROLL
      for (uint32_t i = 0; i < kCP; ++i) {
        HW_VITIS(unroll)
        word[0].lane[i] = i < tail.to ? window.lane[i] : HW_MUTATE(6, int8_t{0}, int8_t{1});
      }
      WriteWords<0>(result, client, address, 1, word);
      uint32_t left = x.stride * x.channels;
      lost = 0;
      while (left != 0) {  // unbounded: `left` goes down in every round
        HW_PIPELINE
        HW_ITERATION(1);
        const uint32_t n = left < kCP ? left : kCP;
        HW_UNROLL
        for (uint32_t i = 0; i < kCP; ++i) {
          HW_VITIS(unroll)
          if (i + n < kCP) window.lane[i] = window.lane[i + n];
        }
        lost = lost + n < kCP ? lost + n : kCP;
        left -= n;
      }
      moved += static_cast<int64_t>(x.stride) * x.channels;
    }
    image_row += step;
    row += static_cast<uint64_t>(step) * x.row_stride;
    row_to += x.row_pitch;
  }
  HW_END_UNIT();
  HW_ITERATION(0);
  FlushLine(result, client);
  HW_END_UNIT();
}

struct LoadSteps {
  RowStream& rows;
  TokenStream& granted;
  StopSignal& stop;
  EngineReport& report;
  DramPort& dram;
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

Trap ExecuteLoad(const InstructionWord& word, const BaseRegisters& registers, DramPort& dram, ActivationPort& result,
                 RingPort& ring, VectorPort& parameters) {
  Trap trap = Trap::kNone;
  switch (static_cast<Opcode>(OpcodeOf(word))) {
    case Opcode::kLoad: {
      ::xrun::Load x;
      Decode(word, x);
      trap = CheckDram(registers, x.base, false, CopyEnd(x));
      if (trap == Trap::kNone) Copy(x, registers.address[x.base], dram, result);
      break;
    }
    case Opcode::kLoadWeights: {
      ::xrun::LoadWeights x;
      Decode(word, x);
      const uint64_t end = static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows) * kWeightRowBytes;
      trap = CheckDram(registers, x.base, false, x.rows != 0 ? end : 0);
      if (trap == Trap::kNone) LoadWeightRows(x, registers.address[x.base], dram, ring);
      break;
    }
    case Opcode::kLoadVector: {
      ::xrun::LoadVector x;
      Decode(word, x);
      trap = CheckDram(registers, x.base, false, static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows) * kCP);
      if (trap == Trap::kNone) LoadVectorRows(x, registers.address[x.base], dram, parameters);
      break;
    }
    case Opcode::kLoadPacked: {
      ::xrun::LoadPacked x;
      Decode(word, x);
      trap = CheckDram(registers, x.base, false, PackedEnd(x));
      if (trap == Trap::kNone) Pack(x, registers.address[x.base], dram, result);
      break;
    }
    case Opcode::kLoadMatrix: {
      ::xrun::LoadMatrix x;
      Decode(word, x);
      trap = CheckDram(registers, x.base, false,
                       static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows - 1) * x.row_stride +
                           x.words * MatrixWordBytes(x));
      if (trap == Trap::kNone) LoadMatrixRows(x, registers.address[x.base], dram, ring);
      break;
    }
    default:
      break;
  }
  return trap == Trap::kNone && BusError(dram) ? Trap::kBusError : trap;
}

void LoadEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines], RowStream& acquire,
                TokenStream& granted, StopSignal& stop, EngineReport& report, TokenStream& marks, DramPort& dram,
                ActivationPort& result, RingPort& ring, VectorPort& parameters) {
  LoadSteps steps = {acquire, granted, stop, report, dram, result, ring, parameters};
  RunEngine(steps, packets, from, to, stop, report, marks);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
