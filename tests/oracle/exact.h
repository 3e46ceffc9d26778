#ifndef XRUN_TESTS_ORACLE_EXACT_H_
#define XRUN_TESTS_ORACLE_EXACT_H_

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <vector>

/// The arithmetic of the charter, section 2, in exact numbers.
namespace xrun::oracle {

using Integer = boost::multiprecision::cpp_int;
using Rational = boost::multiprecision::cpp_rational;

/// The exact value of a finite float or double.
Rational Exact(double value);

/// rhe: the nearest integer, the even one of two equally near.
Integer RoundHalfEven(const Rational& value);

/// Stands for m / 2^sh.
struct Multiplier {
  int64_t m = 0;
  int sh = 0;
  bool operator==(const Multiplier&) const = default;
};

/// `ratio` rounded once (rhe) to 24 bits: |m| in [2^23, 2^24), sh in 16…55. A ratio whose *rounded* value would need sh
/// >= 56 gives m = 0; one whose rounded value is 2^8 or more throws std::domain_error.
Multiplier DeriveMultiplier(const Rational& ratio);

/// rhe(value · m / 2^sh).
int64_t MultiplyRound(int64_t value, const Multiplier& multiplier);

/// rhe(numerator / 2^sh).
int64_t ShiftRound(int64_t numerator, int sh);

/// Add and Sub: m_i = rhe(ratio_i · 2^sh) with the largest common sh <= 47 for which all |m_i| < 2^24.
/// Throws std::domain_error when even sh = 0 is too large.
struct SumMultipliers {
  std::vector<int64_t> m;
  int sh = 0;
};
SumMultipliers DeriveSumMultipliers(const std::vector<Rational>& ratios);

/// `value` limited to lo…hi.
int64_t Saturate(const Integer& value, int64_t lo, int64_t hi);
int64_t Saturate(int64_t value, int64_t lo, int64_t hi);

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_EXACT_H_
