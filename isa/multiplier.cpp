#include "isa/multiplier.h"

#include <cmath>
#include <string>

namespace xrun {
namespace {

__extension__ using uint128 = unsigned __int128;

/// x = mantissa · 2^exponent with an integer mantissa below 2^24.
struct Decomposed {
  uint64_t mantissa;
  int exponent;
};

Decomposed Decompose(float x) {
  int exponent = 0;
  const float fraction = std::frexp(x, &exponent);  // [0.5, 1)
  return {static_cast<uint64_t>(std::ldexp(fraction, 24)), exponent - 24};
}

int BitLength(uint128 x) {
  int bits = 0;
  for (; x != 0; x >>= 1) ++bits;
  return bits;
}

/// rhe(num · 2^k / den); operands are small enough that the shifted one stays below 2^127 for every k used here.
uint128 DivideRounded(uint128 num, uint128 den, int k) {
  if (k >= 0) {
    num <<= k;
  } else {
    den <<= -k;
  }
  const uint128 quotient = num / den;
  const uint128 rest = num % den;
  const bool up = rest * 2 > den || (rest * 2 == den && (quotient & 1) != 0);
  return quotient + (up ? 1 : 0);
}

Status CheckScale(float scale) {
  if (std::isfinite(scale) && scale > 0) return {};
  return Failure{"scale " + std::to_string(scale) + " is not a positive finite number", ""};
}

struct Fraction {
  uint128 num = 1, den = 1;
  int exponent = 0;  ///< value = num / den · 2^exponent
};

Result<Fraction> MakeFraction(const ScaleRatio& ratio) {
  assert(ratio.numerator.size() <= 2 && ratio.count >= 1 && ratio.count <= (1 << 24));
  Fraction f;
  for (float s : ratio.numerator) {
    XRUN_RETURN_IF_ERROR(CheckScale(s));
    const Decomposed d = Decompose(s);
    f.num *= d.mantissa;
    f.exponent += d.exponent;
  }
  XRUN_RETURN_IF_ERROR(CheckScale(ratio.denominator));
  const Decomposed d = Decompose(ratio.denominator);
  f.den = static_cast<uint128>(d.mantissa) * static_cast<uint64_t>(ratio.count);
  f.exponent -= d.exponent;
  return f;
}

}  // namespace

Result<Multiplier> MakeMultiplier(const ScaleRatio& ratio) {
  XRUN_ASSIGN_OR_RETURN(const Fraction f, MakeFraction(ratio));
  // The quotient num·2^k/den has 24 bits for one of two neighbouring k.
  int k = 24 - (BitLength(f.num) - BitLength(f.den));
  uint128 m = DivideRounded(f.num, f.den, k);
  if (m > Multiplier::kMaxM) {
    // Either one bit too many before rounding, or rounding reached 2^24: both are settled by one bit less, exactly.
    --k;
    m = DivideRounded(f.num, f.den, k);
    if (m > Multiplier::kMaxM) {
      m = Multiplier::kMinM;
      --k;
    }
  }
  assert(m >= Multiplier::kMinM && m <= Multiplier::kMaxM);
  const int shift = k - f.exponent;
  if (shift < static_cast<int>(Multiplier::kMinShift)) {
    return Failure{"the ratio of input to output scale is 256 or more", "a larger output scale is needed"};
  }
  if (shift > static_cast<int>(Multiplier::kMaxShift)) return Multiplier{0, Multiplier::kMinShift};
  return Multiplier{static_cast<uint32_t>(m), static_cast<uint32_t>(shift)};
}

Result<AddMultipliers> MakeAddMultipliers(float scale_a, float scale_b, float scale_y) {
  Fraction f[2];
  const float scales[2] = {scale_a, scale_b};
  for (int i = 0; i < 2; ++i) {
    XRUN_ASSIGN_OR_RETURN(f[i], MakeFraction({{scales[i]}, scale_y, 1}));
  }
  for (int shift = static_cast<int>(kMaxAddShift); shift >= 0; --shift) {
    AddMultipliers result{};
    result.shift = static_cast<uint32_t>(shift);
    bool fits = true;
    for (int i = 0; i < 2 && fits; ++i) {
      const int k = shift + f[i].exponent;
      // Numerator and denominator lie in [2^23, 2^24): beyond these bounds the quotient is plainly too large or zero.
      if (k > 26) {
        fits = false;
      } else if (k < -60) {
        result.m[i] = 0;
      } else {
        const uint128 m = DivideRounded(f[i].num, f[i].den, k);
        fits = m <= Multiplier::kMaxM;
        result.m[i] = static_cast<int32_t>(m);
      }
    }
    if (fits) return result;
  }
  return Failure{"the ratio of an addend's scale to the sum's scale is 2^24 or more",
                 "a larger output scale is needed"};
}

int64_t RoundHalfEven(double x) {
  if (std::isnan(x)) return 0;
  constexpr double kLimit = 9.2e18;
  if (x >= kLimit) return INT64_MAX;
  if (x <= -kLimit) return INT64_MIN;
  const double floor = std::floor(x);
  const double rest = x - floor;
  const auto base = static_cast<int64_t>(floor);
  if (rest > 0.5) return base + 1;
  if (rest < 0.5) return base;
  return base + (base & 1);
}

}  // namespace xrun
