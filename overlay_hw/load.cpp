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

/// Pixels [first, end) of a row that LoadPacked reads.
void PackedPixels(const ::xrun::LoadPacked& x, int64_t& first, int64_t& end) {
  first = x.left > 0 ? x.left : 0;
  end = static_cast<int64_t>(x.left) + static_cast<int64_t>(x.cols - 1) * x.stride + x.taps;
  if (end > static_cast<int64_t>(x.in_cols)) end = x.in_cols;
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

/// The packer: a window of CP bytes over a row of the image. A word is its first taps·channels bytes; then the window
/// moves on by stride·channels, at most CP bytes an iteration. With the last word of a row it moves to the next row.
void Pack(const ::xrun::LoadPacked& x, uint64_t base, DramPort& dram, ActivationPort& result) {
  LineClient client;
  StartLines(client);
  ByteReader reader;
  int64_t first = 0, end = 0;
  PackedPixels(x, first, end);
  const int32_t channels = static_cast<int32_t>(x.channels), used = static_cast<int32_t>(x.taps) * channels;
  const int32_t begin_byte = static_cast<int32_t>(first) * channels, end_byte = static_cast<int32_t>(end) * channels;
  uint64_t row = base + x.offset;
  uint32_t row_to = x.addr;
  for (uint32_t r = 0; r < x.rows; ++r) {
    Word window;
    int32_t at = x.left * channels;  // of the window's byte 0, in the row
    uint32_t fresh = 0;              // bytes from here on are not there yet
    for (uint32_t c = 0; c < x.cols; ++c) {
      // Bytes that came into the window: those of the row inside what is read, `fill` elsewhere.
      int32_t lo = begin_byte - at, hi = end_byte - at;
      if (lo < static_cast<int32_t>(fresh)) lo = static_cast<int32_t>(fresh);
      if (hi > used) hi = used;
      HW_UNROLL
      for (uint32_t i = 0; i < kCP; ++i) {
        HW_VITIS(unroll)
        if (i >= fresh) window.lane[i] = static_cast<int8_t>(x.fill);
      }
      if (lo < hi)
        ReadBytes(dram, reader, row + static_cast<uint64_t>(static_cast<int64_t>(at)), static_cast<uint32_t>(lo),
                  static_cast<uint32_t>(hi), window.lane);
      uint32_t address[1] = {row_to + c};
      Word word[1];
      HW_UNROLL
      for (uint32_t i = 0; i < kCP; ++i) {
        HW_VITIS(unroll)
        word[0].lane[i] = static_cast<int32_t>(i) < used ? window.lane[i] : HW_MUTATE(6, int8_t{0}, int8_t{1});
      }
      WriteWords<0>(result, client, address, 1, word);
      uint32_t left = x.stride * x.channels;
      fresh = static_cast<uint32_t>(used);
      while (left != 0) {  // unbounded: `left` goes down in every round
        HW_PIPELINE
        HW_ITERATION(1);
        const uint32_t n = left < kCP ? left : kCP;
        HW_UNROLL
        for (uint32_t i = 0; i < kCP; ++i) {
          HW_VITIS(unroll)
          if (i + n < kCP) window.lane[i] = window.lane[i + n];
        }
        fresh = fresh > n ? fresh - n : 0;
        left -= n;
      }
      at += static_cast<int32_t>(x.stride * x.channels);
    }
    row += x.row_stride;
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
      int64_t first = 0, end = 0;
      PackedPixels(x, first, end);
      const uint64_t row = static_cast<uint64_t>(x.offset) + static_cast<uint64_t>(x.rows - 1) * x.row_stride;
      trap = CheckDram(registers, x.base, false, end > first ? row + static_cast<uint64_t>(end) * x.channels : 0);
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
