#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "compiler/quantize/choose_range.h"
#include "compiler/quantize/synthetic_inputs.h"

namespace xrun::compiler {
namespace {

std::vector<float> Normal(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.5F, 2.0F);
  std::vector<float> values(count);
  for (float& v : values) v = normal(random);
  return values;
}

bool SameBins(const ActivationStats& a, const ActivationStats& b) {
  const auto x = a.Bins();
  const auto y = b.Bins();
  return a.min() == b.min() && a.max() == b.max() && a.count() == b.count() && a.bin_width() == b.bin_width() &&
         std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](const auto& p, const auto& q) { return p.center == q.center && p.count == q.count; });
}

TEST(ActivationStats, DoesNotDependOnOrderOrOnJobs) {
  std::vector<float> values = Normal(5000, 1);
  values.push_back(900.0F);
  values.insert(values.end(), 100, 0.0F);
  values.push_back(-3e-7F);
  ActivationStats whole;
  whole.Add(values);
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(values.begin(), values.end(), random);
    ActivationStats parts[3];
    for (size_t i = 0; i < values.size(); i += 7) {
      parts[random() % 3].Add(std::span(values).subspan(i, std::min<size_t>(7, values.size() - i)));
    }
    ActivationStats merged;
    for (const ActivationStats& part : parts) merged.Merge(part);
    ASSERT_TRUE(SameBins(whole, merged));
  }
}

TEST(ActivationStats, CountsEveryValueInItsBin) {
  const std::vector<float> values = Normal(3000, 3);
  ActivationStats stats;
  stats.Add(values);
  for (const auto& bin : stats.Bins()) {
    const auto inside = std::count_if(values.begin(), values.end(), [&](float v) {
      return std::fabs(static_cast<double>(v) - bin.center) < stats.bin_width() / 2;
    });
    ASSERT_EQ(static_cast<double>(inside), bin.count);
  }
  EXPECT_LE(stats.Bins().size(), 2049U);
}

TEST(ActivationStats, ReportsWhatIsNotFinite) {
  ActivationStats stats;
  stats.Add(std::vector<float>{1.0F, NAN, INFINITY, -2.0F});
  EXPECT_EQ(stats.not_finite(), 2U);
  EXPECT_EQ(stats.count(), 2U);
  EXPECT_EQ(stats.min(), -2.0F);
  EXPECT_EQ(stats.max(), 1.0F);
}

TEST(MakeParams, RepresentsZeroAndTheEnds) {
  for (const Range range : {Range{0, 6}, Range{-1, 1}, Range{-0.1F, 4}, Range{-7, 0}, Range{-3e38F, 3e38F}}) {
    const QuantParams params = MakeParams(range);
    const auto real = [&](int q) { return static_cast<double>(params.scale[0]) * (q - params.zero_point[0]); };
    ASSERT_GE(params.zero_point[0], -128);
    ASSERT_LE(params.zero_point[0], 127);
    EXPECT_NEAR(real(-128), static_cast<double>(range.lo), static_cast<double>(params.scale[0]) * 0.51);
    EXPECT_NEAR(real(127), static_cast<double>(range.hi), static_cast<double>(params.scale[0]) * 0.51);
  }
  EXPECT_EQ(MakeParams({0, 6}).zero_point[0], -128);
}

TEST(MakeParams, DegenerateRangesGetAUsableScale) {
  for (const Range range : {Range{0, 0}, Range{0, 1e-40F}, Range{-1e-30F, 0}}) {
    EXPECT_FLOAT_EQ(MakeParams(range).scale[0], 1.0F / 255);
  }
}

TEST(ChooseRange, MseBeatsMinMaxOnLongTails) {
  // Long tails, as activations without a bound have.
  std::vector<float> values = Normal(50000, 4);
  for (float& v : values) v = v * v * v;
  ActivationStats stats;
  stats.Add(values);
  const auto error = [&](CalibrationMethod method) {
    return QuantizationError(stats, MakeParams(ChooseRange(stats, method, 99.99)));
  };
  EXPECT_LT(error(CalibrationMethod::kMse), error(CalibrationMethod::kMinMax));
  EXPECT_LE(error(CalibrationMethod::kAuto), error(CalibrationMethod::kMse));
  EXPECT_LE(error(CalibrationMethod::kAuto), error(CalibrationMethod::kPercentile));
  EXPECT_LE(error(CalibrationMethod::kAuto), error(CalibrationMethod::kEntropy));
}

TEST(ChooseRange, MseIsWhatATrueSearchFinds) {
  // Against the values themselves rather than the histogram, over both ends on a coarse grid.
  const std::vector<float> values = Normal(4000, 5);
  ActivationStats stats;
  stats.Add(values);
  const auto true_error = [&](Range range) {
    const QuantParams params = MakeParams(range);
    double sum = 0;
    for (const float v : values) {
      const double q = std::clamp(
          std::nearbyint(static_cast<double>(v) / static_cast<double>(params.scale[0])) + params.zero_point[0], -128.0,
          127.0);
      const double e = static_cast<double>(v) - static_cast<double>(params.scale[0]) * (q - params.zero_point[0]);
      sum += e * e;
    }
    return sum;
  };
  double least = INFINITY;
  for (float lo = 0.5F; lo <= 1.0F; lo += 0.02F) {
    for (float hi = 0.5F; hi <= 1.0F; hi += 0.02F)
      least = std::min(least, true_error({stats.min() * lo, stats.max() * hi}));
  }
  EXPECT_LT(true_error(ChooseRange(stats, CalibrationMethod::kMse, 0)), 1.05 * least);
}

TEST(ChooseRange, PercentileLeavesOutThatShare) {
  std::vector<float> values(10000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  ActivationStats stats;
  stats.Add(values);
  const Range range = ChooseRange(stats, CalibrationMethod::kPercentile, 99.0);
  EXPECT_NEAR(range.hi, 9900.0F, 8.0F);
  EXPECT_EQ(range.lo, 0.0F);
}

TEST(ChooseRange, SpendsNoLevelsWhereTheReaderIsFlat) {
  ActivationStats stats;
  stats.Add(Normal(20000, 6));
  const std::vector<UnaryFunction> relu{{UnaryKind::kClip, 0, INFINITY}};
  EXPECT_GT(ChooseRange(stats, CalibrationMethod::kMse, 0, relu).lo, 0.3F * stats.min());
}

TEST(SyntheticInput, FillsTheRangeTheSameEveryTime) {
  const auto a = SyntheticInput({1, 3, 32, 40}, 0, 0, -2.5F, 2.5F);
  EXPECT_EQ(a, SyntheticInput({1, 3, 32, 40}, 0, 0, -2.5F, 2.5F));
  EXPECT_NE(a, SyntheticInput({1, 3, 32, 40}, 1, 0, -2.5F, 2.5F));
  EXPECT_EQ(*std::min_element(a.begin(), a.end()), -2.5F);
  EXPECT_EQ(*std::max_element(a.begin(), a.end()), 2.5F);
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{1, 100000}, Shape{1, 1, 1, 1}}) {
    for (const float v : SyntheticInput(shape, 3, 1, -1, 1)) {
      EXPECT_GE(v, -1.0F);
      EXPECT_LE(v, 1.0F);
    }
  }
}

}  // namespace
}  // namespace xrun::compiler
