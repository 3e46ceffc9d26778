// What the engines write differently from isa/arithmetic.h, on its own: two products in one multiplication, and the
// short rounding.

#include "isa/arithmetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "overlay_hw/systolic.h"

namespace xrun::hw::XRUN_HW_CONFIG {
namespace {

TEST(Pair, EveryProductIsExact) {
  // Weights of int8, and of the Vector engine: a weight less its zero point.
  for (int32_t w = -255; w <= 255; ++w) {
    for (int32_t a = -128; a <= 127; ++a) {
      for (int32_t b = -128; b <= 127; ++b) {
        int32_t first = 0, second = 0;
        SplitPair(static_cast<int64_t>(PairOf(a, b)) * w, first, second);
        if (first != a * w || second != b * w) FAIL() << a << ", " << b << " times " << w;
      }
    }
  }
}

TEST(Pair, FactorsFitADsp) {
  for (const int32_t a : {-128, 127}) {
    for (const int32_t b : {-128, 127}) {
      EXPECT_GE(PairOf(a, b), -(1 << 26));
      EXPECT_LT(PairOf(a, b), 1 << 26);
    }
  }
}

/// All lanes and channels the same three values; the sums are the furthest a chain can go.
TEST(Pair, ChainsAtTheirEnds) {
  static_assert(kCP > kPairChain, "a full chain and a rest");
  for (const int32_t a : {-128, -1, 0, 127}) {
    for (const int32_t b : {-128, -1, 0, 127}) {
      for (const int32_t w : {-128, -1, 127}) {
        Word x[2];
        Block block;
        for (uint32_t c = 0; c < kCP; ++c) {
          x[0].lane[c] = static_cast<int8_t>(a);
          x[1].lane[c] = static_cast<int8_t>(b);
          for (Word& word : block.word) word.lane[c] = static_cast<int8_t>(w);
        }
        ElementResult sums;
        for (const int32_t steps : {1, 2}) {
          Multiply(x, block, steps == 1, sums);
          const int32_t n = steps * static_cast<int32_t>(kCP);
          EXPECT_EQ(sums.sum[0], n * a);
          EXPECT_EQ(sums.sum[1], n * b);
          for (uint32_t oc = 0; oc < kCP; ++oc) {
            EXPECT_EQ(sums.acc[0].lane[oc], n * a * w) << a << ' ' << b << ' ' << w;
            EXPECT_EQ(sums.acc[1].lane[oc], n * b * w) << a << ' ' << b << ' ' << w;
          }
        }
      }
    }
  }
}

TEST(Rounding, IsRoundHalfEvenAndSaturate) {
  std::mt19937_64 random(1);
  const auto check = [](int64_t v, uint32_t shift, int32_t zero) {
    ASSERT_EQ(RoundSaturate(v, shift, zero), SaturateInt8(zero + RoundHalfEvenShift(v, shift)))
        << v << " by " << shift << ", zero point " << zero;
  };
  constexpr int64_t kMost = int64_t{1} << 55;
  for (uint32_t shift = 0; shift <= 62; ++shift) {
    for (int i = 0; i < 20000; ++i) {
      const auto zero = static_cast<int32_t>(random() % 256) - 128;
      // Anything; and near results inside int8, ties and their neighbours among them.
      check(static_cast<int64_t>(random() >> (8 + random() % 56)) * (random() % 2 == 0 ? 1 : -1), shift, zero);
      const auto half = static_cast<int64_t>(random() % 4096) - 2048;
      const int64_t near = shift == 0 ? half : half * (int64_t{1} << std::min(shift - 1, 43U));
      check(near + static_cast<int64_t>(random() % 3) - 1, shift, zero);
    }
    for (const int64_t end : {-kMost, -kMost + 1, kMost - 1, int64_t{0}, int64_t{-1}, int64_t{1}}) check(end, shift, 0);
  }
}

}  // namespace
}  // namespace xrun::hw::XRUN_HW_CONFIG
