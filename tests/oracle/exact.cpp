#include "exact.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace xrun::oracle {
namespace {

__extension__ typedef __int128 Wide;

constexpr int kMantissaBits = 24;
constexpr int kMinShift = 16;
constexpr int kMaxShift = 55;
constexpr int kMaxSumShift = 47;

Rational PowerOfTwo(int exponent) {
  Integer power = 1;
  power <<= std::abs(exponent);
  return exponent >= 0 ? Rational(power) : Rational(Integer(1), power);
}

int64_t ShiftRoundWide(Wide value, int sh) {
  if (sh == 0) return static_cast<int64_t>(value);
  Wide quotient = value >> sh;  // floor
  const Wide remainder = value - (quotient << sh);
  const Wide half = Wide{1} << (sh - 1);
  if (remainder > half || (remainder == half && (quotient & 1) != 0)) ++quotient;
  return static_cast<int64_t>(quotient);
}

}  // namespace

Rational Exact(double value) {
  if (!std::isfinite(value)) throw std::domain_error("not a finite number");
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);                  // |fraction| in [0.5, 1), or 0
  const auto mantissa = static_cast<int64_t>(std::ldexp(fraction, 53));  // 53 bits: exact
  return Rational(mantissa) * PowerOfTwo(exponent - 53);
}

Integer RoundHalfEven(const Rational& value) {
  const Integer n = boost::multiprecision::numerator(value);
  const Integer d = boost::multiprecision::denominator(value);  // > 0
  Integer quotient = n / d;                                     // truncates
  Integer remainder = n % d;                                    // has the sign of n
  if (remainder < 0) {
    remainder += d;
    quotient -= 1;
  }
  const Integer twice = remainder * 2;
  const bool odd = (quotient % 2) != 0;
  if (twice > d || (twice == d && odd)) quotient += 1;
  return quotient;
}

Multiplier DeriveMultiplier(const Rational& ratio) {
  if (ratio == 0) return {};
  const Rational magnitude = abs(ratio);
  // The shift that brings the magnitude into [2^23, 2^24): right up to one from the bit lengths, then corrected.
  int sh = kMantissaBits - 1 - static_cast<int>(msb(boost::multiprecision::numerator(magnitude))) +
           static_cast<int>(msb(boost::multiprecision::denominator(magnitude)));
  const Integer low = Integer(1) << (kMantissaBits - 1);
  const Integer high = Integer(1) << kMantissaBits;
  while (magnitude * PowerOfTwo(sh) < low) ++sh;
  while (magnitude * PowerOfTwo(sh) >= high) --sh;
  Integer m = RoundHalfEven(magnitude * PowerOfTwo(sh));
  if (m == high) {
    m = low;
    --sh;
  }
  if (sh < kMinShift) throw std::domain_error("the scale ratio is 2^8 or more");
  if (sh > kMaxShift) return {};
  const auto unsigned_m = m.convert_to<int64_t>();
  return {ratio < 0 ? -unsigned_m : unsigned_m, sh};
}

int64_t MultiplyRound(int64_t value, const Multiplier& multiplier) {
  // |m| < 2^24, so the product of any int64 stays below 2^87.
  return ShiftRoundWide(Wide{value} * multiplier.m, multiplier.sh);
}

int64_t ShiftRound(int64_t numerator, int sh) { return ShiftRoundWide(numerator, sh); }

SumMultipliers DeriveSumMultipliers(const std::vector<Rational>& ratios) {
  const Integer limit = Integer(1) << kMantissaBits;
  for (int sh = kMaxSumShift; sh >= 0; --sh) {
    SumMultipliers result;
    result.sh = sh;
    for (const Rational& ratio : ratios) {
      const Integer m = RoundHalfEven(ratio * PowerOfTwo(sh));
      if (abs(m) >= limit) break;
      result.m.push_back(m.convert_to<int64_t>());
    }
    if (result.m.size() == ratios.size()) return result;
  }
  throw std::domain_error("the scale ratio is 2^24 or more");
}

int64_t Saturate(const Integer& value, int64_t lo, int64_t hi) {
  if (value < lo) return lo;
  if (value > hi) return hi;
  return value.convert_to<int64_t>();
}

int64_t Saturate(int64_t value, int64_t lo, int64_t hi) { return std::clamp(value, lo, hi); }

}  // namespace xrun::oracle
