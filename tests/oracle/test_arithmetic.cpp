#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "exact.h"

namespace xrun::oracle {
namespace {

Rational Power(int exponent) { return Exact(std::ldexp(1.0, exponent)); }

TEST(Exact, KeepsEveryBit) {
  EXPECT_EQ(Exact(0.75), Rational(3, 4));
  EXPECT_EQ(Exact(-6.0), Rational(-6));
  EXPECT_EQ(Exact(0.1F), Rational(13421773, 134217728));
  EXPECT_EQ(Exact(0), 0);
  EXPECT_THROW(Exact(NAN), std::domain_error);
}

TEST(RoundHalfEven, TiesGoToEven) {
  EXPECT_EQ(RoundHalfEven(Rational(1, 2)), 0);
  EXPECT_EQ(RoundHalfEven(Rational(3, 2)), 2);
  EXPECT_EQ(RoundHalfEven(Rational(5, 2)), 2);
  EXPECT_EQ(RoundHalfEven(Rational(-1, 2)), 0);
  EXPECT_EQ(RoundHalfEven(Rational(-3, 2)), -2);
  EXPECT_EQ(RoundHalfEven(Rational(-5, 2)), -2);
  EXPECT_EQ(RoundHalfEven(Rational(-7, 3)), -2);
  EXPECT_EQ(RoundHalfEven(Rational(8, 3)), 3);
}

TEST(DeriveMultiplier, NormalisesTo24Bits) {
  EXPECT_EQ(DeriveMultiplier(1), (Multiplier{1 << 23, 23}));
  EXPECT_EQ(DeriveMultiplier(Rational(1, 2)), (Multiplier{1 << 23, 24}));
  EXPECT_EQ(DeriveMultiplier(3), (Multiplier{3 << 22, 22}));
  EXPECT_EQ(DeriveMultiplier(Rational(1, 3)), (Multiplier{11184811, 25}));  // 2^25/3 = 11184810.67
  EXPECT_EQ(DeriveMultiplier(Rational(-1, 3)), (Multiplier{-11184811, 25}));
  EXPECT_EQ(DeriveMultiplier(0), Multiplier{});
}

TEST(DeriveMultiplier, RoundsTiesToEven) {
  // (2^23 + ½) / 2^23 and (2^23 + 1½) / 2^23.
  EXPECT_EQ(DeriveMultiplier(Rational((1 << 24) + 1, 1 << 24)), (Multiplier{1 << 23, 23}));
  EXPECT_EQ(DeriveMultiplier(Rational((1 << 24) + 3, 1 << 24)), (Multiplier{(1 << 23) + 2, 23}));
}

TEST(DeriveMultiplier, RoundingUpTo2To24TakesOneShiftLess) {
  EXPECT_EQ(DeriveMultiplier(Rational((1 << 25) - 1, 1 << 25)),
            (Multiplier{1 << 23, 23}));  // m would be 2^24 − ½, at sh 24
  EXPECT_EQ(DeriveMultiplier(Rational((1 << 26) - 3, 1 << 26)), (Multiplier{(1 << 24) - 1, 24}));
}

TEST(DeriveMultiplier, LimitsOfTheShift) {
  EXPECT_EQ(DeriveMultiplier(Power(-32)), (Multiplier{1 << 23, 55}));
  EXPECT_EQ(DeriveMultiplier(Power(-33)), Multiplier{});                                     // needs sh 56
  EXPECT_EQ(DeriveMultiplier(Power(-32) * Rational((1 << 24) - 1, 1 << 24)), Multiplier{});  // needs sh 56, exactly
  EXPECT_EQ(DeriveMultiplier(Power(-32) * Rational((1 << 25) - 1, 1 << 25)),
            (Multiplier{1 << 23, 55}));  // rounds up to 2^-32
  EXPECT_EQ(DeriveMultiplier(Power(7)), (Multiplier{1 << 23, 16}));
  EXPECT_EQ(DeriveMultiplier(256 - Power(-16)), (Multiplier{(1 << 24) - 1, 16}));
  EXPECT_THROW(DeriveMultiplier(256), std::domain_error);
  EXPECT_THROW(DeriveMultiplier(256 - Power(-18)), std::domain_error);  // rounds up to 2^8
}

TEST(MultiplyRound, RoundsTheExactProductOnce) {
  const Multiplier half{1 << 23, 24};
  EXPECT_EQ(MultiplyRound(1, half), 0);
  EXPECT_EQ(MultiplyRound(3, half), 2);
  EXPECT_EQ(MultiplyRound(5, half), 2);
  EXPECT_EQ(MultiplyRound(-1, half), 0);
  EXPECT_EQ(MultiplyRound(-3, half), -2);
  EXPECT_EQ(MultiplyRound(INT32_MIN, half), -(int64_t{1} << 30));
  EXPECT_EQ(MultiplyRound(INT32_MAX, Multiplier{(1 << 24) - 1, 16}),
            549755780864);  // (2^31−1)(2^24−1)/2^16 = 549755780863.996
  EXPECT_EQ(MultiplyRound(12345, Multiplier{}), 0);
}

TEST(MultiplyRound, MatchesRationals) {
  uint64_t state = 88172645463325252U;
  const auto next = [&] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  };
  for (int i = 0; i < 2000; ++i) {
    const auto v = static_cast<int32_t>(next());
    const Multiplier multiplier{static_cast<int64_t>((1 << 23) + (next() & 0x7FFFFF)),
                                static_cast<int>(16 + next() % 40)};
    const Rational exact(Integer(v) * multiplier.m, Integer(1) << multiplier.sh);
    ASSERT_EQ(RoundHalfEven(exact), MultiplyRound(v, multiplier)) << v << " " << multiplier.m << " " << multiplier.sh;
  }
}

TEST(DeriveSumMultipliers, LargestCommonShift) {
  const SumMultipliers equal = DeriveSumMultipliers({1, 1});
  EXPECT_EQ(equal.sh, 23);
  EXPECT_EQ(equal.m, (std::vector<int64_t>{1 << 23, 1 << 23}));
  const SumMultipliers mixed = DeriveSumMultipliers({Rational(1, 1024), -3});
  EXPECT_EQ(mixed.sh, 22);
  EXPECT_EQ(mixed.m, (std::vector<int64_t>{1 << 12, -(3 << 22)}));
  EXPECT_EQ(DeriveSumMultipliers({Power(-30)}).sh, 47);  // the limit, although m is small
  // 2^24 − ½ at sh 24 rounds to 2^24, which is too large: sh 23.
  EXPECT_EQ(DeriveSumMultipliers({Rational((1 << 25) - 1, 1 << 25)}).sh, 23);
  EXPECT_EQ(DeriveSumMultipliers({(1 << 24) - 1}).sh, 0);
  EXPECT_THROW(DeriveSumMultipliers({1 << 24}), std::domain_error);
}

}  // namespace
}  // namespace xrun::oracle
