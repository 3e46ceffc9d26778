// Border cases and refusals of the operators that only the CPU runs; that they compute what ONNX says is in
// compiler_import_node_test.cpp.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "compiler/float_executor.h"
#include "tests/unit/onnx_builder.h"

namespace xrun::test {
namespace {

using compiler::Graph;
using compiler::Shape;
using Floats = std::vector<float>;

constexpr int kFloat = onnx::TensorProto::FLOAT, kInt64 = onnx::TensorProto::INT64;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Runs on one thread and on three: the same bytes.
Floats Compute(const OnnxBuilder& builder, const std::vector<Floats>& inputs) {
  auto graph = builder.Import();
  EXPECT_TRUE(graph.ok()) << graph.failure().ToString();
  if (!graph.ok()) return {};
  std::vector<std::span<const float>> spans(inputs.begin(), inputs.end());
  std::vector<Floats> results;
  for (const int threads : {1, 3}) {
    auto executor = compiler::FloatExecutor::Create(*graph, threads);
    EXPECT_TRUE(executor.ok()) << executor.failure().ToString();
    if (!executor.ok()) return {};
    const Status ran = executor->Run(spans);
    EXPECT_TRUE(ran.ok());
    results.emplace_back(executor->output(0).begin(), executor->output(0).end());
  }
  EXPECT_EQ(results[0].size(), results[1].size());
  EXPECT_EQ(std::memcmp(results[0].data(), results[1].data(), results[0].size() * sizeof(float)), 0);
  return results[0];
}

std::string Refusal(const OnnxBuilder& builder) {
  auto graph = builder.Import();
  return graph.ok() ? "imported" : graph.failure().ToString();
}

#define EXPECT_REFUSED(builder, text) EXPECT_NE(Refusal(builder).find(text), std::string::npos) << Refusal(builder)

OnnxBuilder WithInput(int64_t opset, const std::vector<Dim>& x) {
  OnnxBuilder builder(opset);
  builder.Input("x", x).Output("y");
  return builder;
}

/// x and z become integers, op, and float again.
OnnxBuilder IntegerOp(const std::string& op, int64_t count) {
  OnnxBuilder b = WithInput(13, {count});
  b.Input("z", {count});
  b.Node("Cast", {"x"}, {"xi"}).Int("to", kInt64);
  b.Node("Cast", {"z"}, {"zi"}).Int("to", kInt64);
  b.Node(op, {"xi", "zi"}, {"yi"});
  b.Node("Cast", {"yi"}, {"y"}).Int("to", kFloat);
  return b;
}

TEST(CpuOperators, IntegersDivideWithoutStopping) {
  EXPECT_EQ(Compute(IntegerOp("Div", 4), {{7, -7, 5, 5}, {2, 2, 0, -1}}), (Floats{3, -3, 0, -5}));
  EXPECT_EQ(Compute(IntegerOp("Mod", 4), {{7, -7, 5, 5}, {3, 3, 0, -3}}), (Floats{1, 2, 0, -1}));
  EXPECT_EQ(Compute(IntegerOp("Max", 2), {{7, -7}, {2, 2}}), (Floats{7, 2}));
}

TEST(CpuOperators, IntegersChangeSign) {
  for (const char* op : {"Neg", "Abs"}) {
    OnnxBuilder b = WithInput(13, {3});
    b.Node("Cast", {"x"}, {"xi"}).Int("to", kInt64);
    b.Node(op, {"xi"}, {"yi"});
    b.Node("Cast", {"yi"}, {"y"}).Int("to", kFloat);
    EXPECT_EQ(Compute(b, {{-3, 0, 4}}), (op[0] == 'N' ? Floats{3, 0, -4} : Floats{3, 0, 4}));
  }
}

TEST(CpuOperators, WhereDropsWhatItDoesNotChoose) {
  OnnxBuilder b = WithInput(13, {4});
  b.Init("zero", {}, {0});
  b.Node("IsNaN", {"x"}, {"bad"});
  b.Node("Where", {"bad", "zero", "x"}, {"y"});
  EXPECT_EQ(Compute(b, {{1, kNan, -2, kNan}}), (Floats{1, 0, -2, 0}));
}

TEST(CpuOperators, ComparisonsWithNanAreFalse) {
  for (const char* op : {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}) {
    OnnxBuilder b = WithInput(16, {1});
    b.Node(op, {"x", "x"}, {"is"});
    b.Node("Cast", {"is"}, {"y"}).Int("to", kFloat);
    EXPECT_EQ(Compute(b, {{kNan}}), (Floats{0})) << op;
  }
}

TEST(CpuOperators, TopKKeepsTheFirstOfEqualOnes) {
  for (const bool places : {false, true}) {
    OnnxBuilder b = WithInput(11, {2, 4});
    b.InitInts("k", {1}, {3});
    b.Node("TopK", {"x", "k"}, {places ? "v" : "y", "i"});
    if (places) b.Node("Cast", {"i"}, {"y"}).Int("to", kFloat);
    const Floats y = Compute(b, {{5, 9, 9, 1, 2, kNan, 3, 3}});
    ASSERT_EQ(y.size(), 6U);
    if (places) {
      EXPECT_EQ(y, (Floats{1, 2, 0, 1, 2, 3}));
    } else {
      EXPECT_EQ((Floats{y[0], y[1], y[2], y[4], y[5]}), (Floats{9, 9, 5, 3, 3}));
      EXPECT_TRUE(std::isnan(y[3]));
    }
  }
}

OnnxBuilder Nms(int64_t most, const std::vector<Dim>& scores = {1, 2, 3}) {
  OnnxBuilder b = WithInput(11, {1, 3, 4});
  b.Input("scores", scores);
  b.InitInts("most", {1}, {most}).Init("iou", {1}, {0.5F}).Init("least", {1}, {0.25F});
  b.Node("NonMaxSuppression", {"x", "scores", "most", "iou", "least"}, {"rows"});
  b.Node("Cast", {"rows"}, {"y"}).Int("to", kFloat);
  return b;
}

TEST(CpuOperators, NonMaxSuppressionFillsWithMinusOne) {
  // Boxes 0 and 1 overlap by more than half; class 1 has no score above the threshold but that of box 2.
  const Floats boxes{0, 0, 10, 10, 0, 1, 10, 11, 20, 20, 30, 30}, scores{0.5F, 0.75F, 0.25F, 0, 0.25F, 1};
  EXPECT_EQ(Compute(Nms(2), {boxes, scores}), (Floats{0, 0, 1, 0, 1, 2, -1, -1, -1, -1, -1, -1}));
  EXPECT_EQ(Compute(Nms(1), {boxes, scores}), (Floats{0, 0, 1, 0, 1, 2}));
  EXPECT_EQ(Compute(Nms(100), {boxes, scores}).size(), 2U * 3 * 3);
  EXPECT_EQ(Compute(Nms(1), {boxes, {kNan, kNan, kNan, kNan, kNan, kNan}}), (Floats{-1, -1, -1, -1, -1, -1}));
  auto graph = Nms(2).Import();
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->metadata.count("padded:rows"), 1U);
  EXPECT_REFUSED(Nms(0), "chooses no boxes");
  EXPECT_REFUSED(Nms(1, {1, 2, 4}), "needs boxes");
}

TEST(CpuOperators, ComputedIndicesStayInside) {
  for (const char* op : {"GatherElements", "GatherND"}) {
    OnnxBuilder b = WithInput(13, {4});
    b.Init("data", {3}, {10, 20, 30});
    b.Node("Cast", {"x"}, {"i"}).Int("to", kInt64);
    const bool nd = op[6] == 'N';
    b.InitInts("column", {2}, {4, 1});
    if (nd) b.Node("Reshape", {"i", "column"}, {"ic"});
    b.Node(op, {"data", nd ? "ic" : "i"}, {"y"});
    EXPECT_EQ(Compute(b, {{-1, 1, 99, -99}}), (Floats{30, 20, 30, 10})) << op;
  }
  OnnxBuilder outside = WithInput(13, {3});
  outside.InitInts("i", {1}, {3});
  outside.Node("GatherElements", {"x", "i"}, {"y"});
  EXPECT_REFUSED(outside, "index 3 is outside of axis 0 of 3");
}

TEST(CpuOperators, MirrorsGoOnBeyondOneLength) {
  const auto padded = [](const char* mode) {
    OnnxBuilder b = WithInput(19, {3});
    b.InitInts("pads", {2}, {5, 1});
    b.Node("Pad", {"x", "pads"}, {"y"}).String("mode", mode);
    return Compute(b, {{1, 2, 3}});
  };
  EXPECT_EQ(padded("reflect"), (Floats{2, 1, 2, 3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(padded("edge"), (Floats{1, 1, 1, 1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(padded("wrap"), (Floats{2, 3, 1, 2, 3, 1, 2, 3, 1}));
}

TEST(CpuOperators, ExpandAddsAxes) {
  OnnxBuilder b = WithInput(13, {2, 1});
  b.InitInts("shape", {3}, {2, 1, 2});
  b.Node("Expand", {"x", "shape"}, {"y"});
  EXPECT_EQ(Compute(b, {{1, 2}}), (Floats{1, 1, 2, 2, 1, 1, 2, 2}));
}

TEST(CpuOperators, GroupNormalizationHasParametersOfGroupsThenOfChannels) {
  const Floats x{1, 3, 5, 7, 2, 2, 4, 4};  // groups of two channels of two
  const auto run = [&](int64_t opset, const Floats& scale, const Floats& bias) {
    OnnxBuilder b = WithInput(opset, {1, 4, 2});
    const auto count = static_cast<int64_t>(scale.size());
    b.Init("s", {count}, scale).Init("b", {count}, bias);
    b.Node("GroupNormalization", {"x", "s", "b"}, {"y"}).Int("num_groups", 2).Float("epsilon", 0);
    return Compute(b, {x});
  };
  const Floats groups = run(18, {1, 10}, {0, 1}), channels = run(21, {1, 1, 10, 10}, {0, 0, 1, 1});
  ASSERT_EQ(groups.size(), x.size());
  const float far = 3 / std::sqrt(5.0F), near = 1 / std::sqrt(5.0F);
  const Floats want{-far, -near, near, far, -9, -9, 11, 11};
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(groups[i], want[i], 1e-5) << i;
    EXPECT_NEAR(channels[i], want[i], 1e-5) << i;
  }
}

/// No axis is summed over, but what stands around the sum is computed.
TEST(CpuOperators, ReduceOfNothingSquaresAndTakesLogarithmsAllTheSame) {
  const std::pair<const char*, Floats> kCases[] = {{"ReduceL1", {2, 0.5F}},
                                                   {"ReduceL2", {2, 0.5F}},
                                                   {"ReduceSumSquare", {4, 0.25F}},
                                                   {"ReduceLogSumExp", {-2, 0.5F}}};
  for (const auto& [op, expected] : kCases) {
    OnnxBuilder b = WithInput(18, {1, 2});
    b.Node(op, {"x"}, {"y"}).Int("noop_with_empty_axes", 1);
    const Floats y = Compute(b, {{-2, 0.5F}});
    ASSERT_EQ(y.size(), 2U) << op;
    for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(y[i], expected[i], 1e-6F) << op;
  }
  OnnxBuilder log = WithInput(18, {2});
  log.Node("ReduceLogSum", {"x"}, {"y"}).Int("noop_with_empty_axes", 1);
  const Floats y = Compute(log, {{1, 0.5F}});
  ASSERT_EQ(y.size(), 2U);
  EXPECT_NEAR(y[1], std::log(0.5F), 1e-6F);
}

TEST(CpuOperators, ReduceOfNothingIsTheInput) {
  OnnxBuilder b = WithInput(18, {2, 2});
  b.InitInts("axes", {0}, {});
  b.Node("ReduceMax", {"x", "axes"}, {"y"}).Int("noop_with_empty_axes", 1);
  EXPECT_EQ(Compute(b, {{1, 2, 3, 4}}), (Floats{1, 2, 3, 4}));
  OnnxBuilder all = WithInput(18, {2, 2});
  all.Node("ReduceLogSumExp", {"x"}, {"y"});
  EXPECT_EQ(Compute(all, {{1000, 1000, -1000, -1000}}), (Floats{1000 + std::log(2.0F)}));
}

TEST(CpuOperators, RefusalsSayWhy) {
  OnnxBuilder mod = WithInput(13, {2});
  mod.Init("two", {}, {2});
  mod.Node("Mod", {"x", "two"}, {"y"});
  EXPECT_REFUSED(mod, "needs fmod=1");

  OnnxBuilder logic = WithInput(13, {2});
  logic.Node("And", {"x", "x"}, {"y"});
  EXPECT_REFUSED(logic, "cast it to bool");

  OnnxBuilder where = WithInput(13, {2});
  where.InitInts("i", {2}, {1, 2});
  where.Node("IsNaN", {"x"}, {"c"});
  where.Node("Where", {"c", "x", "i"}, {"y"});
  EXPECT_REFUSED(where, "cast one to the type of the other");

  OnnxBuilder wrap = WithInput(13, {2});
  wrap.InitInts("pads", {2}, {1, 1});
  wrap.Node("Pad", {"x", "pads"}, {"y"}).String("mode", "wrap");
  EXPECT_REFUSED(wrap, "mode 'wrap' is not known in this opset");

  OnnxBuilder top = WithInput(11, {2});
  top.InitInts("k", {1}, {3});
  top.Node("TopK", {"x", "k"}, {"y", "i"});
  EXPECT_REFUSED(top, "k is 3, the axis has 2 elements");

  OnnxBuilder tile = WithInput(13, {2});
  tile.InitInts("repeats", {1}, {0});
  tile.Node("Tile", {"x", "repeats"}, {"y"});
  EXPECT_REFUSED(tile, "repeats axis 0 0 times");

  OnnxBuilder norm = WithInput(17, {2, 3});
  norm.Init("s", {2}, {1, 1});
  norm.Node("LayerNormalization", {"x", "s"}, {"y"});
  EXPECT_REFUSED(norm, "does not fit 3");
}

}  // namespace
}  // namespace xrun::test
