// Weights rounded with what calibration saw of their inputs, bias correction, weights that were integers once.

#include "compiler/quantize/quantize_weights.h"

#include <cmath>
#include <random>

#include "compiler/quantize/quantize.h"
#include "compiler/quantize/round_weights.h"
#include "compiler/quantize/select.h"
#include "tests/unit/quantize_test_util.h"

namespace xrun::compiler {
namespace {

/// A smooth picture: neighbours vary together, as real inputs do.
std::vector<float> Smooth(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> phase(0.0F, 6.3F), level(0.0F, 1.0F);
  std::vector<float> data;
  for (int64_t c = 0; c < shape[1]; ++c) {
    const float px = phase(random), py = phase(random), base = level(random);
    for (int64_t y = 0; y < shape[2]; ++y) {
      for (int64_t x = 0; x < shape[3]; ++x) {
        data.push_back(base +
                       std::sin(0.2F * static_cast<float>(x) + px) * std::cos(0.17F * static_cast<float>(y) + py));
      }
    }
  }
  return data;
}

/// Calibration, moments and the float results of one graph with one input.
struct Learnt {
  Calibration calibration;
  std::vector<InputMoments> moments;
};

Learnt Learn(const Graph& graph, const std::vector<std::vector<float>>& samples) {
  Learnt learnt;
  auto calibrator = Calibrator::Create(graph, 1);
  EXPECT_TRUE(calibrator.ok());
  for (const auto& sample : samples) {
    const std::span<const float> input(sample);
    EXPECT_TRUE(calibrator->Add({&input, 1}).ok());
  }
  learnt.calibration = std::move(calibrator->calibration());
  auto collector = CollectMoments(graph, learnt.calibration, {}, 1);
  EXPECT_TRUE(collector.ok());
  for (const auto& sample : samples) {
    const std::span<const float> input(sample);
    EXPECT_TRUE(collector->Add({&input, 1}).ok());
  }
  learnt.moments = collector->Take();
  return learnt;
}

std::vector<std::vector<float>> Samples(const Shape& shape, unsigned count) {
  std::vector<std::vector<float>> samples;
  for (unsigned i = 0; i < count; ++i) samples.push_back(Smooth(shape, 100 + i));
  return samples;
}

/// Per output channel, the mean and the variance about it, over the seen inputs, of what rounding the weights changes.
struct Change {
  double mean = 0, variance = 0;
};
Change ChangeOf(const Graph& graph, const Node& node, const std::vector<float>& scales,
                const std::vector<int8_t>& quantized, const InputMoments& m, size_t channel) {
  const auto taps = static_cast<size_t>(m.taps);
  const size_t group = channel / (scales.size() / static_cast<size_t>(m.groups));
  const float* weights = graph.at(node.inputs[1]).data<float>();
  std::vector<double> error;
  for (size_t t = 0; t < taps; ++t) {
    error.push_back(static_cast<double>(weights[channel * taps + t]) -
                    static_cast<double>(scales[channel]) * quantized[channel * taps + t]);
  }
  Change change;
  const auto n = static_cast<double>(m.positions);
  for (size_t a = 0; a < taps; ++a) {
    change.mean += error[a] * m.codes[group * taps + a] / n;
    for (size_t b = 0; b < taps; ++b) {
      change.variance += error[a] * error[b] * m.products[(group * taps + a) * taps + b] / n;
    }
  }
  change.variance -= change.mean * change.mean;
  return change;
}

class RoundingOf : public testing::TestWithParam<int64_t> {};

TEST_P(RoundingOf, KeepsResultsCloserThanTheNearest) {
  const int64_t groups = GetParam();
  GraphMaker make;
  const ValueId x = make.Input({1, 8, 20, 24});
  make.graph.outputs = {make.Conv(x, 16, 3, {}, groups)};
  const Graph& graph = make.graph;
  const Node& node = graph.nodes[0];
  const Learnt learnt = Learn(graph, Samples({1, 8, 20, 24}, 6));
  const InputMoments& m = learnt.moments[0];
  ASSERT_EQ(m.groups, groups);
  ASSERT_EQ(m.positions, 6 * 256);
  const auto scales = WeightScales(graph, node, 0.01F);
  ASSERT_TRUE(scales.ok());
  const std::vector<int8_t> nearest = QuantizeWeights(graph, node, *scales);
  const std::vector<int8_t> rounded = RoundWeights(graph, node, *scales, m);
  double nearest_sum = 0, rounded_sum = 0;
  for (size_t c = 0; c < 16; ++c) {
    nearest_sum += ChangeOf(graph, node, *scales, nearest, m, c).variance;
    rounded_sum += ChangeOf(graph, node, *scales, rounded, m, c).variance;
  }
  EXPECT_LT(rounded_sum, 0.3 * nearest_sum);
  EXPECT_GT(rounded_sum, 0);
}

INSTANTIATE_TEST_SUITE_P(Groups, RoundingOf, testing::Values(1, 2, 8));

TEST(RoundWeights, NearestWithoutProducts) {
  GraphMaker make;
  const ValueId x = make.Input({1, 4, 6, 6});
  make.graph.outputs = {make.Conv(x, 4, 3)};
  const Node& node = make.graph.nodes[0];
  const auto scales = WeightScales(make.graph, node, 0.01F);
  ASSERT_TRUE(scales.ok());
  EXPECT_EQ(RoundWeights(make.graph, node, *scales, {}), QuantizeWeights(make.graph, node, *scales));
}

TEST(RoundWeights, WeightsOnAGridStayExact) {
  GraphMaker make;
  const ValueId x = make.Input({1, 3, 20, 20});
  std::vector<float> weights;
  std::mt19937 random(5);
  const float step = 0.0123F;
  for (int i = 0; i < 6 * 27; ++i) {
    // Channel 5 reaches further than a byte does.
    const int reach = i / 27 == 5 ? 200 : 10 + 20 * (i / 27);
    weights.push_back(step * static_cast<float>(std::uniform_int_distribution<int>(-reach, reach)(random)));
  }
  weights[5 * 27] = step * 200;
  const ValueId w = make.graph.AddConstant("w", DType::kFloat32, {6, 3, 3, 3}, weights.data());
  make.graph.outputs = {make.Add(Op::kConv, ConvAttrs{.kernel = {3, 3}}, {x, w})};
  const Learnt learnt = Learn(make.graph, Samples({1, 3, 20, 20}, 2));
  const Node& node = make.graph.nodes[0];
  const auto scales = WeightScales(make.graph, node, 0.01F);
  ASSERT_TRUE(scales.ok());
  const std::vector<int8_t> rounded = RoundWeights(make.graph, node, *scales, learnt.moments[0]);
  for (size_t i = 0; i < 5 * 27; ++i) {
    EXPECT_NEAR((*scales)[i / 27] * static_cast<float>(rounded[i]), weights[i], 1e-5F) << i;
  }
  EXPECT_NEAR((*scales)[0], step, 1e-6F);
  EXPECT_NEAR((*scales)[5], step * 200 / 127, 1e-6F);
}

TEST(BiasCorrection, KeepsTheMeanOfEveryChannel) {
  GraphMaker make;
  const ValueId x = make.Input({1, 4, 16, 16});
  make.graph.outputs = {make.Conv(x, 8, 3)};
  const Graph& graph = make.graph;
  const Learnt learnt = Learn(graph, Samples({1, 4, 16, 16}, 4));
  const Node& node = graph.nodes[0];
  const float input_scale = 0.012F;
  const auto scales = WeightScales(graph, node, input_scale);
  ASSERT_TRUE(scales.ok());
  std::vector<int8_t> coarse = QuantizeWeights(graph, node, *scales);
  for (int8_t& q : coarse) q = static_cast<int8_t>(q / 16 * 16);  // far too small, all of them
  const InputMoments& m = learnt.moments[0];
  const std::vector<double> corrections = BiasCorrections(graph, node, *scales, coarse, input_scale, m);
  ASSERT_EQ(corrections.size(), 8U);
  for (size_t c = 0; c < corrections.size(); ++c) {
    double real = 0, rounded = 0;
    for (size_t t = 0; t < static_cast<size_t>(m.taps); ++t) {
      const size_t at = c * static_cast<size_t>(m.taps) + t;
      real += static_cast<double>(graph.at(node.inputs[1]).data<float>()[at]) * m.reals[t] * InputMoments::kRealUnit;
      rounded += static_cast<double>((*scales)[c]) * coarse[at] * m.codes[t];
    }
    const double unit = static_cast<double>(input_scale) / static_cast<double>(m.positions);
    EXPECT_NEAR(rounded * unit + corrections[c], real * unit, 1e-6);
    EXPECT_GT(std::fabs(corrections[c]), 1e-4);
  }
}

TEST(BiasCorrection, GivesABiasToProductsWithoutOne) {
  GraphMaker make;
  const ValueId x = make.Input({1, 4, 16, 16});
  make.graph.outputs = {make.Add(Op::kConv, ConvAttrs{}, {x, make.Constant({8, 4, 1, 1})})};
  const Learnt learnt = Learn(make.graph, Samples({1, 4, 16, 16}, 4));
  auto with = Quantize(make.graph, learnt.calibration, {}, &learnt.moments);
  auto without = Quantize(make.graph, learnt.calibration, {.correct_bias = false}, &learnt.moments);
  ASSERT_TRUE(with.ok() && without.ok());
  EXPECT_EQ(with->graph.nodes[1].inputs.size(), 3U);
  EXPECT_EQ(without->graph.nodes[1].inputs.size(), 2U);
}

TEST(InputMoments, DoNotDependOnTheOrderOfSamples) {
  GraphMaker make;
  const ValueId x = make.Input({1, 4, 10, 10});
  make.graph.outputs = {make.Conv(x, 8, 3)};
  const auto samples = Samples({1, 4, 10, 10}, 5);
  const Learnt learnt = Learn(make.graph, samples);
  auto first = CollectMoments(make.graph, learnt.calibration, {}, 1);
  auto second = CollectMoments(make.graph, learnt.calibration, {}, 2);
  ASSERT_TRUE(first.ok() && second.ok());
  for (size_t i = samples.size(); i-- > 0;) {
    const std::span<const float> input(samples[i]);
    ASSERT_TRUE((i % 2 == 0 ? first : second)->Add({&input, 1}).ok());
  }
  first->Merge(*second);
  const InputMoments merged = first->Take()[0];
  EXPECT_EQ(merged.positions, learnt.moments[0].positions);
  EXPECT_EQ(merged.codes, learnt.moments[0].codes);
  EXPECT_EQ(merged.reals, learnt.moments[0].reals);
  EXPECT_EQ(merged.products, learnt.moments[0].products);
}

}  // namespace
}  // namespace xrun::compiler
