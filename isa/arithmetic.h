#ifndef XRUN_ISA_ARITHMETIC_H_
#define XRUN_ISA_ARITHMETIC_H_

// The normative integer arithmetic (isa/README.md, "Arithmetic"), C++14, shared by host and hardware: includes
// <cstdint> and nothing else. How multipliers are made from scales is host-only: multiplier.h.

#include <cstdint>

namespace xrun {

/// A requantize multiplier: value = m / 2^shift, m = 0 or in [2^23, 2^24), shift in 16…55.
struct Multiplier {
  uint32_t m = 0;
  uint32_t shift = kMinShift;
  static constexpr uint32_t kMinShift = 16;
  static constexpr uint32_t kMaxShift = 55;
  static constexpr uint32_t kMinM = 1U << 23;
  static constexpr uint32_t kMaxM = (1U << 24) - 1;
  friend constexpr bool operator==(const Multiplier& a, const Multiplier& b) {
    return a.m == b.m && a.shift == b.shift;
  }
};

/// Largest shift of an addition's common multiplier pair.
constexpr uint32_t kMaxAddShift = 47;

/// Round half to even of v / 2^shift, exactly; shift in 0…62.
inline int64_t RoundHalfEvenShift(int64_t v, uint32_t shift) {
  if (shift == 0) return v;
  const int64_t floor = v >> shift;  // arithmetic in every compiler we support; asserted by a test
  const uint64_t rest = static_cast<uint64_t>(v) & ((uint64_t{1} << shift) - 1);
  const uint64_t half = uint64_t{1} << (shift - 1);
  const bool up = rest > half || (rest == half && (floor & 1) != 0);
  return floor + (up ? 1 : 0);
}

inline int32_t SaturateInt8(int64_t v) { return static_cast<int32_t>(v < -128 ? -128 : v > 127 ? 127 : v); }

inline int32_t ClampTo(int32_t v, int32_t lo, int32_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/// saturate(zero_point + rhe(acc · m / 2^shift)). |acc| < 2^31, so the product is below 2^55.
inline int32_t Requantize(int32_t acc, uint32_t m, uint32_t shift, int32_t zero_point) {
  return SaturateInt8(zero_point + RoundHalfEvenShift(static_cast<int64_t>(acc) * static_cast<int64_t>(m), shift));
}

/// saturate(zero_point + rhe((m_a (a − a_zero) + m_b (b − b_zero)) / 2^shift)): one exact sum, one rounding.
inline int32_t AddRequantize(int32_t a, int32_t a_zero, int32_t m_a, int32_t b, int32_t b_zero, int32_t m_b,
                             uint32_t shift, int32_t zero_point) {
  const int64_t sum = static_cast<int64_t>(m_a) * (a - a_zero) + static_cast<int64_t>(m_b) * (b - b_zero);
  return SaturateInt8(zero_point + RoundHalfEvenShift(sum, shift));
}

/// The 17-bit product (a − a_zero)(b − b_zero), requantized.
inline int32_t MulRequantize(int32_t a, int32_t a_zero, int32_t b, int32_t b_zero, uint32_t m, uint32_t shift,
                             int32_t zero_point) {
  return Requantize((a - a_zero) * (b - b_zero), m, shift, zero_point);
}

/// A multiplier packed into the 32 bits it has in parameter memory: m in bits 0…23, shift in 24…29.
inline uint32_t PackMultiplier(Multiplier x) { return x.m | (x.shift << 24); }
inline Multiplier UnpackMultiplier(uint32_t word) {
  Multiplier x;
  x.m = word & 0xFFFFFFU;
  x.shift = (word >> 24) & 0x3FU;
  return x;
}

}  // namespace xrun

#endif  // XRUN_ISA_ARITHMETIC_H_
