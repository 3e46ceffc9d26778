// The float executor on whole graphs, and what Quantize makes of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "compiler/quantize/quantize.h"
#include "compiler/quantize/quantize_weights.h"
#include "compiler/quantize/synthetic_inputs.h"
#include "tests/unit/quantize_test_util.h"

namespace xrun::compiler {
namespace {

Quantized QuantizeOrDie(const Graph& graph) {
  auto quantized = Quantize(graph, Calibrated(graph));
  EXPECT_TRUE(quantized.ok()) << quantized.failure().message;
  if (!quantized.ok()) return {};
  const Status verified = Verify(quantized.value().graph);
  EXPECT_TRUE(verified.ok()) << verified.failure().message;
  return std::move(quantized).value();
}

TEST(FloatExecutor, SharedMemoryDoesNotChangeValues) {
  const Graph graph = GraphMaker::Everything();
  const auto image = SyntheticInput({1, 3, 12, 12}, 1, 0, -2, 2);
  const std::span<const float> inputs[1] = {image};
  std::vector<std::vector<float>> seen[2];
  for (int i = 0; i < 2; ++i) {
    auto executor = FloatExecutor::Create(graph, i == 0 ? 1 : 4);
    ASSERT_TRUE(executor.ok()) << executor.failure().message;
    seen[i].resize(graph.values.size());
    ASSERT_TRUE(executor.value()
                    .Run(inputs,
                         [&](ValueId id, std::span<const float> v) {
                           EXPECT_TRUE(seen[i][static_cast<size_t>(id)].empty()) << "a value was shown twice";
                           seen[i][static_cast<size_t>(id)].assign(v.begin(), v.end());
                         })
                    .ok());
    // Outputs are still what the observer saw when everything after them has run.
    for (size_t o = 0; o < graph.outputs.size(); ++o) {
      const auto out = executor.value().output(o);
      EXPECT_TRUE(std::equal(out.begin(), out.end(), seen[i][static_cast<size_t>(graph.outputs[o])].begin()));
    }
    size_t total = 0;
    for (const Node& node : graph.nodes) total += static_cast<size_t>(Elements(graph.at(node.outputs[0]).shape)) * 4;
    EXPECT_LT(executor.value().arena_bytes(), total);
  }
  EXPECT_EQ(seen[0], seen[1]);
}

TEST(FloatExecutor, RefusesWrongInputs) {
  auto executor = FloatExecutor::Create(GraphMaker::Everything(), 1);
  ASSERT_TRUE(executor.ok());
  EXPECT_FALSE(executor.value().Run({}).ok());
  const std::vector<float> small(3);
  const std::span<const float> inputs[1] = {small};
  EXPECT_FALSE(executor.value().Run(inputs).ok());
}

TEST(Quantize, GivesAVerifiedGraphThatKeepsInputsAndOutputs) {
  const Graph graph = GraphMaker::Everything();
  const Quantized quantized = QuantizeOrDie(graph);
  ASSERT_EQ(quantized.graph.outputs.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(quantized.graph.at(quantized.graph.outputs[i]).name, graph.at(graph.outputs[i]).name);
    EXPECT_EQ(quantized.graph.at(quantized.graph.outputs[i]).dtype, DType::kFloat32);
  }
  ASSERT_EQ(quantized.left_float.size(), 1U);
  EXPECT_NE(quantized.left_float[0].node.find("Softmax"), std::string::npos);
  EXPECT_EQ(quantized.graph.metadata.at("calibration"), "calibrated without data");
}

TEST(Quantize, MovedValuesShareParameters) {
  const Quantized quantized = QuantizeOrDie(GraphMaker::Everything());
  const std::set<Op> moving{Op::kMaxPool, Op::kSlice, Op::kPad, Op::kTranspose, Op::kReshape};
  int found = 0;
  for (const Node& node : quantized.graph.nodes) {
    if (!moving.count(node.op)) continue;
    ++found;
    EXPECT_EQ(*quantized.graph.at(node.inputs[0]).quant, *quantized.graph.at(node.outputs[0]).quant) << node.name;
  }
  EXPECT_EQ(found, 5);
}

TEST(Quantize, ConcatInputWithoutOtherReadersTakesItsParameters) {
  const Quantized quantized = QuantizeOrDie(GraphMaker::Everything());
  for (const Node& node : quantized.graph.nodes) {
    if (node.op != Op::kConcat) continue;
    EXPECT_NE(*quantized.graph.at(node.inputs[0]).quant, *quantized.graph.at(node.outputs[0]).quant);
    EXPECT_EQ(*quantized.graph.at(node.inputs[1]).quant, *quantized.graph.at(node.outputs[0]).quant);
  }
}

TEST(Quantize, WeightsAreNearestAndNeverMinus128) {
  const Graph graph = GraphMaker::Everything();
  const Node& node = graph.nodes[0];
  auto scales = WeightScales(graph, node, 0.02F);
  ASSERT_TRUE(scales.ok());
  const auto q = QuantizeWeights(graph, node, scales.value());
  const float* w = graph.at(node.inputs[1]).data<float>();
  for (size_t i = 0; i < q.size(); ++i) {
    const float scale = scales.value()[i / 27];
    ASSERT_GE(q[i], -127);
    ASSERT_LE(std::fabs(w[i] - scale * q[i]), scale * 0.5001F);
  }
  for (size_t c = 0; c < 8; ++c) {
    EXPECT_EQ(127, std::abs(*std::max_element(q.begin() + static_cast<long>(c * 27),
                                              q.begin() + static_cast<long>(c * 27 + 27),
                                              [](int8_t a, int8_t b) { return std::abs(a) < std::abs(b); })));
  }
}

Graph OneConv(std::vector<float> weights, std::vector<float> bias) {
  GraphMaker make;
  const ValueId x = make.Input({1, 1, 4, 4});
  const auto m = static_cast<int64_t>(bias.size());
  const ValueId w = make.graph.AddConstant("w", DType::kFloat32, {m, 1, 1, 1}, weights.data());
  const ValueId b = make.graph.AddConstant("b", DType::kFloat32, {m}, bias.data());
  make.graph.outputs = {make.Add(Op::kConv, ConvAttrs{}, {x, w, b})};
  return make.graph;
}

TEST(Quantize, RaisesAWeightScaleWhoseBiasWouldOverflow) {
  const Graph graph = OneConv({1e-9F, 1.0F, 0.0F}, {5.0F, 1.0F, 3.0F});
  const Quantized quantized = QuantizeOrDie(graph);
  for (const Node& node : quantized.graph.nodes) {
    if (node.op != Op::kConv) continue;
    const Value& bias = quantized.graph.at(node.inputs[2]);
    const auto& scales = quantized.graph.at(node.inputs[1]).quant->scale;
    EXPECT_GT(scales[0], 1e-9F / 127 * 10);
    EXPECT_FLOAT_EQ(scales[1], 1.0F / 127);
    const float want[] = {5.0F, 1.0F, 3.0F};
    for (size_t c = 0; c < 3; ++c) {
      const double real = static_cast<double>(bias.data<int32_t>()[c]) * static_cast<double>(bias.quant->scale[c]);
      EXPECT_NEAR(real, static_cast<double>(want[c]), 1e-2);
      EXPECT_LT(std::abs(int64_t{bias.data<int32_t>()[c]}), int64_t{1} << 31);
    }
  }
}

TEST(Quantize, RaisesAnOutputScaleThatTheRatioWouldExceed) {
  // The products are a million times larger than their sum: weights that cancel on constant images.
  GraphMaker make;
  const ValueId x = make.Input({1, 2, 4, 4});
  const std::vector<float> weights{1e6F, -1e6F};
  const ValueId w = make.graph.AddConstant("w", DType::kFloat32, {1, 2, 1, 1}, weights.data());
  make.graph.outputs = {make.Add(Op::kConv, ConvAttrs{}, {x, w, kNone})};
  auto calibrator = Calibrator::Create(make.graph, 1);
  ASSERT_TRUE(calibrator.ok());
  const std::vector<float> same(32, 1.0F);
  const std::span<const float> inputs[1] = {same};
  ASSERT_TRUE(calibrator.value().Add(inputs).ok());
  auto quantized = Quantize(make.graph, calibrator.value().calibration());
  ASSERT_TRUE(quantized.ok()) << quantized.failure().message;
  for (const Node& node : quantized.value().graph.nodes) {
    if (node.op != Op::kConv) continue;
    const auto scale = [&](ValueId id) { return static_cast<double>(quantized.value().graph.at(id).quant->scale[0]); };
    EXPECT_LT(scale(node.inputs[0]) * scale(node.inputs[1]) / scale(node.outputs[0]), 256.0);
  }
}

TEST(Quantize, NamesWeightsThatAreNotFinite) {
  const Graph graph = OneConv({1.0F, INFINITY}, {0.0F, 0.0F});
  Calibration calibration = Calibrated(OneConv({1.0F, 1.0F}, {0.0F, 0.0F}));
  auto quantized = Quantize(graph, calibration);
  ASSERT_FALSE(quantized.ok());
  EXPECT_NE(quantized.failure().message.find("'Conv0'"), std::string::npos) << quantized.failure().message;
}

TEST(Quantize, TableFunctionsHaveTheFilesParameters) {
  GraphMaker make;
  const ValueId x = make.Conv(make.Input({1, 2, 4, 4}), 3, 1);
  make.graph.outputs = {make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kAffine, 1.0 / 3, 0.1}}}, {x})};
  const Quantized quantized = QuantizeOrDie(make.graph);
  bool seen = false;
  for (const Node& node : quantized.graph.nodes) {
    if (node.op != Op::kUnary) continue;
    seen = true;
    const UnaryFunction& f = node.as<UnaryAttrs>().chain[0];
    EXPECT_EQ(f.a, static_cast<double>(1.0F / 3.0F));
    EXPECT_EQ(f.b, static_cast<double>(0.1F));
  }
  EXPECT_TRUE(seen);
}

TEST(Calibrate, NamesTheNodeWhoseResultIsNotFinite) {
  const Graph graph = OneConv({3e38F}, {0.0F});
  auto calibration = CalibrateWithoutData(graph, -2.5F, 2.5F, 1);
  ASSERT_FALSE(calibration.ok());
  EXPECT_NE(calibration.failure().message.find("'Conv0'"), std::string::npos) << calibration.failure().message;
}

TEST(Calibrate, ZeroActivationsAreNoError) {
  const Quantized quantized = QuantizeOrDie(OneConv({0.0F}, {0.0F}));
  EXPECT_FALSE(quantized.graph.nodes.empty());
}

TEST(Select, LeavesIslandsBetweenFloatOperatorsFloat) {
  GraphMaker make;
  ValueId x = make.Input({1, 8});
  x = make.Add(Op::kSoftmax, AxisAttrs{1}, {x});
  x = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kLog, 0, 0}}}, {x});
  make.graph.outputs = {x};
  const Quantized quantized = QuantizeOrDie(make.graph);
  EXPECT_EQ(quantized.left_float.size(), 2U);
}

}  // namespace
}  // namespace xrun::compiler
