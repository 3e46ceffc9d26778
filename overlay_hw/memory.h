#ifndef XRUN_OVERLAY_HW_MEMORY_H_
#define XRUN_OVERLAY_HW_MEMORY_H_

// On-chip memories and the ports through which engines see them (isa/README.md, section 2).
//
// For the HLS tools a port is the array itself: an argument of the engine, a memory interface of its IP. In C-sim it is
// a reference to the memory that counts accesses. The functions below are the same for both. Words are banked into
// parts of at most 64 bits, each a memory of its own.
//
// A slot of port B is a memory interface of fixed latency: the rotating multiplexer answers every access within 8
// cycles, since an engine spaces its accesses by the line costs (isa/README.md, "Why no client is ever late").

#include <cstdint>

#include "overlay_hw/config.h"
#include "overlay_hw/pragmas.h"

#if defined(XRUN_HW_BARE) && !defined(XRUN_HW_BARE_CSIM)
#include <ap_int.h>
#else
#include "overlay_hw/csim/ap_int.h"
#endif
#include "overlay_hw/csim/count_macros.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

typedef ap_uint<static_cast<int>(kPartBits)> Part;

/// A word as engines compute on it: CP channels of one pixel, or one output channel's weights of a ring row.
struct Word {
  int8_t lane[kCP];
};

/// Channels of one pixel group's entry in the partial buffers.
struct Accumulators {
  int32_t lane[kCP];
};

#ifdef XRUN_HW_BARE

typedef Part ActivationPort[kBanks][kParts][kActivationRows];
typedef Part RingPort[kCP][kParts][kWeightRows];
typedef Part VectorPort[kParts][kVectorRows];
typedef int32_t PartialPort[kPP][kCP + 1][kPartialEntries];  ///< of each pixel lane: CP accumulators, then sum(x)
typedef int32_t VectorPartialPort[kCP][kVectorPartialEntries];
#define XRUN_HW_MEMORY(port) port
#define XRUN_HW_ACCESS(port, bank, row)

#else

struct ActivationMemory {
  Part data[kBanks][kParts][kActivationRows];
};
struct RingMemory {
  Part data[kCP][kParts][kWeightRows];
};
struct VectorMemory {
  Part data[kParts][kVectorRows];
};
struct PartialMemory {
  int32_t data[kPP][kCP + 1][kPartialEntries];
};
struct VectorPartialMemory {
  int32_t data[kCP][kVectorPartialEntries];
};

template <typename Memory, uint32_t kPortBanks>
struct Port {
  explicit Port(Memory& m) : memory(&m), count(kPortBanks) {}
  Memory* memory;
  csim::PortCount count;
};
typedef Port<ActivationMemory, kBanks> ActivationPort;
typedef Port<RingMemory, 1> RingPort;
typedef Port<VectorMemory, 1> VectorPort;
typedef Port<PartialMemory, 1> PartialPort;
typedef Port<VectorPartialMemory, 1> VectorPartialPort;
#define XRUN_HW_MEMORY(port) port.memory->data
#define XRUN_HW_ACCESS(port, bank, row) port.count.Access(bank, row)

#endif

inline int8_t Byte(const Part& part, uint32_t i) {
  return static_cast<int8_t>(
      static_cast<uint8_t>(static_cast<uint64_t>(part.range(static_cast<int>(8 * i + 7), static_cast<int>(8 * i)))));
}

inline void Unpack(const Part& part, uint32_t p, Word& word) {
  HW_UNROLL
  for (uint32_t i = 0; i < kPartBytes; ++i) {
    HW_VITIS(unroll)
    word.lane[p * kPartBytes + i] = Byte(part, i);
  }
}

inline Part Pack(const Word& word, uint32_t p) {
  Part part = 0;
  HW_UNROLL
  for (uint32_t i = 0; i < kPartBytes; ++i) {
    HW_VITIS(unroll)
    part.range(static_cast<int>(8 * i + 7), static_cast<int>(8 * i)) =
        static_cast<uint64_t>(static_cast<uint8_t>(word.lane[p * kPartBytes + i]));
  }
  return part;
}

/// Reads activation word `row` of `bank`.
inline void ReadWord(ActivationPort& port, uint32_t bank, uint32_t row, Word& word) {
  XRUN_HW_ACCESS(port, bank, row & (kActivationRows - 1));
  HW_UNROLL
  for (uint32_t p = 0; p < kParts; ++p) {
    HW_VITIS(unroll)
    Unpack(XRUN_HW_MEMORY(port)[bank][p][row & (kActivationRows - 1)], p, word);
  }
}
inline void WriteWord(ActivationPort& port, uint32_t bank, uint32_t row, const Word& word) {
  XRUN_HW_ACCESS(port, bank, row & (kActivationRows - 1));
  HW_UNROLL
  for (uint32_t p = 0; p < kParts; ++p) {
    HW_VITIS(unroll)
    XRUN_HW_MEMORY(port)[bank][p][row & (kActivationRows - 1)] = Pack(word, p);
  }
}

/// A line: kLineWords neighbouring words, all in the banks of one bank group.
struct Line {
  Word word[kLineWords];
};
inline void ReadLine(ActivationPort& port, uint32_t line, Line& to) {
  HW_UNROLL
  for (uint32_t i = 0; i < kLineWords; ++i) {
    HW_VITIS(unroll)
    ReadWord(port, line % kSlots * kLineWords + i, line / kSlots, to.word[i]);
  }
}
/// Writes the words of a line that are `enabled`.
inline void WriteLine(ActivationPort& port, uint32_t line, const Line& from, const bool (&enabled)[kLineWords]) {
  HW_UNROLL
  for (uint32_t i = 0; i < kLineWords; ++i) {
    HW_VITIS(unroll)
    if (enabled[i]) WriteWord(port, line % kSlots * kLineWords + i, line / kSlots, from.word[i]);
  }
}

/// A ring row: word oc of it holds the CP weights of output channel oc.
struct Block {
  Word word[kCP];
};
inline void ReadRow(RingPort& port, uint32_t row, Block& block) {
  XRUN_HW_ACCESS(port, 0, row & (kWeightRows - 1));
  HW_UNROLL
  for (uint32_t oc = 0; oc < kCP; ++oc) {
    HW_VITIS(unroll)
    HW_UNROLL
    for (uint32_t p = 0; p < kParts; ++p) {
      HW_VITIS(unroll)
      Unpack(XRUN_HW_MEMORY(port)[oc][p][row & (kWeightRows - 1)], p, block.word[oc]);
    }
  }
}
inline void WriteRow(RingPort& port, uint32_t row, const Block& block) {
  XRUN_HW_ACCESS(port, 0, row & (kWeightRows - 1));
  HW_UNROLL
  for (uint32_t oc = 0; oc < kCP; ++oc) {
    HW_VITIS(unroll)
    HW_UNROLL
    for (uint32_t p = 0; p < kParts; ++p) {
      HW_VITIS(unroll)
      XRUN_HW_MEMORY(port)[oc][p][row & (kWeightRows - 1)] = Pack(block.word[oc], p);
    }
  }
}

/// Rows of the vector parameter memory. `row` is below kVectorRows: CheckOnChip.
inline void ReadVectorRow(VectorPort& port, uint32_t row, Word& word) {
  XRUN_HW_ACCESS(port, 0, row);
  HW_UNROLL
  for (uint32_t p = 0; p < kParts; ++p) {
    HW_VITIS(unroll)
    Unpack(XRUN_HW_MEMORY(port)[p][row], p, word);
  }
}
inline void WriteVectorRow(VectorPort& port, uint32_t row, const Word& word) {
  XRUN_HW_ACCESS(port, 0, row);
  HW_UNROLL
  for (uint32_t p = 0; p < kParts; ++p) {
    HW_VITIS(unroll)
    XRUN_HW_MEMORY(port)[p][row] = Pack(word, p);
  }
}

/// One entry of the partial buffer: the accumulators of all pixel lanes and their sum(x).
struct PartialEntry {
  Accumulators pixel[kPP];
  int32_t sum[kPP];
};
inline void ReadPartial(PartialPort& port, uint32_t entry, PartialEntry& to) {
  XRUN_HW_ACCESS(port, 0, entry);
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    HW_UNROLL
    for (uint32_t c = 0; c < kCP; ++c) {
      HW_VITIS(unroll)
      to.pixel[l].lane[c] = XRUN_HW_MEMORY(port)[l][c][entry];
    }
    to.sum[l] = XRUN_HW_MEMORY(port)[l][kCP][entry];
  }
}
/// Writes the first `pixels` pixel lanes of an entry.
inline void WritePartial(PartialPort& port, uint32_t entry, uint32_t pixels, const PartialEntry& from) {
  XRUN_HW_ACCESS(port, 0, entry);
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    if (l >= pixels) continue;
    HW_UNROLL
    for (uint32_t c = 0; c < kCP; ++c) {
      HW_VITIS(unroll)
      XRUN_HW_MEMORY(port)[l][c][entry] = from.pixel[l].lane[c];
    }
    XRUN_HW_MEMORY(port)[l][kCP][entry] = from.sum[l];
  }
}

inline void ReadVectorPartial(VectorPartialPort& port, uint32_t entry, Accumulators& to) {
  XRUN_HW_ACCESS(port, 0, entry);
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    to.lane[c] = XRUN_HW_MEMORY(port)[c][entry];
  }
}
inline void WriteVectorPartial(VectorPartialPort& port, uint32_t entry, const Accumulators& from) {
  XRUN_HW_ACCESS(port, 0, entry);
  HW_UNROLL
  for (uint32_t c = 0; c < kCP; ++c) {
    HW_VITIS(unroll)
    XRUN_HW_MEMORY(port)[c][entry] = from.lane[c];
  }
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_MEMORY_H_
