#ifndef XRUN_OVERLAY_HW_REQUANT_H_
#define XRUN_OVERLAY_HW_REQUANT_H_

// What Conv and Vector share of the output stage: rounding, channel records and tables. What the rounding has to give
// is isa/arithmetic.h; here it is written for few LUTs.

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

/// saturate(zero + rhe(v / 2^shift)) for |v| ≤ 2^55, an int8 zero and shifts of 0…63. Whatever lies outside −512…511
/// saturates in any case: the shift keeps a window of 18 bits by whole bytes, then moves that by up to seven, instead
/// of moving 56 bits. The circuit is round_saturate of resources/units.v, proved equal to the long form there.
inline int32_t RoundSaturate(int64_t v, uint32_t shift, int32_t zero) {
  const uint64_t bits = static_cast<uint64_t>(v);
  const uint32_t fine = shift & 7;
  const bool negative = v < 0;
  uint32_t window = 0;  // a guard bit below the point of a shift by whole bytes, 17 bits above
  bool below = false, over = false;
  HW_UNROLL
  for (uint32_t k = 0; k < 8; ++k) {
    HW_VITIS(unroll)
    if (shift >> 3 != k) continue;
    window =
        static_cast<uint32_t>(k == 0 ? bits << 1 : static_cast<uint64_t>(v >> (k == 0 ? 0 : 8 * k - 1))) & 0x3FFFFU;
    below = k != 0 && (bits & ((uint64_t{1} << (k == 0 ? 0 : 8 * k - 1)) - 1)) != 0;
    over = k < 5 && (v >> (k < 5 ? 8 * k + 16 : 0)) != (negative ? -1 : 0);
  }
  const int32_t shifted = (static_cast<int32_t>(window << 14) >> 14) >> fine;
  const bool half = (shifted & 1) != 0, sticky = HW_MUTATE(32, below, false) || (window & ((1U << fine) - 1)) != 0;
  int32_t kept = shifted >> 1;
  if (HW_MUTATE(33, over, false) || kept < -1024 || kept > 1023) {
    kept = negative ? -1024 : 1023;
  } else if (half && (sticky || (kept & 1) != 0)) {
    ++kept;
  }
  return ClampTo(zero + kept, -128, 127);
}

/// The roundings of isa/arithmetic.h by these names.
inline int32_t Requantized(int32_t acc, uint32_t m, uint32_t shift, int32_t zero) {
  return RoundSaturate(static_cast<int64_t>(acc) * static_cast<int64_t>(m), shift, zero);
}
inline int32_t AddRequantized(int32_t a, int32_t m_a, int32_t b, int32_t m_b, uint32_t shift, int32_t zero) {
  return RoundSaturate(static_cast<int64_t>(m_a) * a + static_cast<int64_t>(m_b) * b, shift, zero);
}

/// Accumulator to clamped int8: the first half of the output stage.
inline int32_t FirstStage(int32_t acc, const Record& record, bool prelu, int32_t zero_point, int32_t lo, int32_t hi) {
  const bool second = prelu && HW_MUTATE(9, acc < 0, acc >= 0);
  const int32_t q = Requantized(acc, second ? HW_MUTATE(10, record.m2, record.m) : record.m,
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
