#ifndef XRUN_OVERLAY_HW_REQUANT_H_
#define XRUN_OVERLAY_HW_REQUANT_H_

// What Conv and Vector share of the output stage: channel records and tables. The arithmetic is isa/arithmetic.h.

#include "isa/arithmetic.h"
#include "overlay_hw/memory.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// The record of a channel (isa/README.md, section 5, "Conv").
struct Record {
  int32_t bias;
  uint32_t m, shift, m2, shift2;
  int32_t zero;
};
inline uint32_t Uint32At(const int8_t* bytes) {
  return static_cast<uint32_t>(static_cast<uint8_t>(bytes[0])) |
         static_cast<uint32_t>(static_cast<uint8_t>(bytes[1])) << 8 |
         static_cast<uint32_t>(static_cast<uint8_t>(bytes[2])) << 16 |
         static_cast<uint32_t>(static_cast<uint8_t>(bytes[3])) << 24;
}
inline Record RecordFrom(const int8_t* bytes) {
  Record r;
  r.bias = static_cast<int32_t>(Uint32At(bytes));
  r.m = Uint32At(bytes + 4) & 0xFFFFFFU;
  r.shift = Uint32At(bytes + 4) >> 24 & 0x3FU;
  r.m2 = Uint32At(bytes + 8) & 0xFFFFFFU;
  r.shift2 = Uint32At(bytes + 8) >> 24 & 0x3FU;
  r.zero = bytes[12];
  return r;
}

/// Accumulators wrap modulo 2^32; the compiler proves that they do not.
inline int32_t WrapAdd(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
inline int32_t WrapMul(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}

/// Accumulator to clamped int8: the first half of the output stage.
inline int32_t FirstStage(int32_t acc, const Record& record, bool prelu, int32_t zero_point, int32_t lo, int32_t hi) {
  const bool second = prelu && HW_MUTATE(9, acc < 0, acc >= 0);
  const int32_t q = Requantize(acc, second ? HW_MUTATE(10, record.m2, record.m) : record.m,
                               second ? record.shift2 : record.shift, zero_point);
  return ClampTo(q, lo, HW_MUTATE(11, hi, 127));
}

/// A table of 256 entries, by q + 128.
struct Table {
  int8_t entry[kTableEntries];
};
inline int32_t Look(const Table& table, int32_t q) { return table.entry[static_cast<uint32_t>(q + 128) & 255]; }

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_REQUANT_H_
