// Cross-layer equalisation: the graph computes what it did, and its channels reach more evenly far.

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/quantize/equalize.h"
#include "tests/unit/quantize_test_util.h"

namespace xrun::compiler {
namespace {

const Clamp kRelu{0.0F, std::numeric_limits<float>::infinity()};

/// Multiplies rows of a convolution's weights and bias, so that its channels reach very differently far.
void Stretch(Graph& graph, const Node& node, float ratio) {
  for (size_t i = 1; i < 3; ++i) {
    Value& value = graph.at(node.inputs[i]);
    std::vector<float> data(value.data<float>(), value.data<float>() + Elements(value.shape));
    const size_t inner = data.size() / static_cast<size_t>(value.shape[0]);
    for (size_t k = 0; k < data.size(); ++k) {
      const size_t c = k / inner;
      data[k] *= c % 4 == 0 ? ratio : c % 4 == 1 ? 1 : 1 / ratio;
    }
    const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
    value.constant = std::make_shared<const std::vector<uint8_t>>(bytes, bytes + data.size() * sizeof(float));
  }
}

std::vector<std::vector<ChannelRange>> Ranges(const Graph& graph, const std::vector<float>& input) {
  auto ranges = ChannelRanges::Create(graph, 1);
  EXPECT_TRUE(ranges.ok());
  const std::span<const float> x(input);
  EXPECT_TRUE(ranges->Add({&x, 1}).ok());
  return ranges->ranges();
}

/// Largest reach of a channel over the smallest.
double Spread(const std::vector<ChannelRange>& channels) {
  double lo = std::numeric_limits<double>::infinity(), hi = 0;
  for (const ChannelRange& c : channels) {
    lo = std::min(lo, static_cast<double>(c.largest));
    hi = std::max(hi, static_cast<double>(c.largest));
  }
  return hi / lo;
}

void ExpectSame(const std::vector<float>& want, const std::vector<float>& got) {
  ASSERT_EQ(want.size(), got.size());
  double error = 0, power = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += std::pow(static_cast<double>(want[i]) - static_cast<double>(got[i]), 2);
    power += std::pow(static_cast<double>(want[i]), 2);
  }
  EXPECT_LT(error, 1e-9 * power);
  EXPECT_GT(power, 0);
}

const Shape kInput = {1, 6, 12, 12};

TEST(Equalize, ThroughReluPoolsGatesAndDepthwise) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  const ValueId first = make.Conv(x, 8, 3, kRelu);
  const ValueId pooled = make.Add(Op::kMaxPool, PoolAttrs{.kernel = {2, 2}, .stride = {2, 2}}, {first});
  const ValueId squeezed = make.Add(Op::kAveragePool, PoolAttrs{.kernel = {6, 6}}, {pooled});
  const ValueId gate = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSigmoid, 0, 0}}}, {make.Conv(squeezed, 8, 1)});
  const ValueId gated = make.Add(Op::kMul, NoAttrs{}, {pooled, gate});
  const ValueId depthwise = make.Conv(gated, 8, 3, kRelu, 8);
  make.graph.outputs = {make.Conv(depthwise, 4, 1)};
  Graph& graph = make.graph;
  Stretch(graph, graph.nodes[0], 8);
  const std::vector<float> input = Noise(kInput, 1), want = Output(graph, input);
  const auto before = Ranges(graph, input);
  const auto names = Equalize(graph, before);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph).failure().message;
  EXPECT_EQ(names.size(), 2U);  // the first and the depthwise one; the gate's does not commute, the last is an output
  ExpectSame(want, Output(graph, input));
  const auto after = Ranges(graph, input);
  const auto at = [&](const std::string& name) {
    const ValueId id = graph.FindValue(name + ".equalized");
    EXPECT_NE(id, kNone) << name;
    return static_cast<size_t>(id);
  };
  const std::string first_name = "Conv0.out";
  const double spread = Spread(before[static_cast<size_t>(first)]);
  EXPECT_GT(spread, 30);
  EXPECT_LT(Spread(after[at(first_name)]), spread / 4);
}

TEST(Equalize, LeavesWhatOtherOperatorsOrTheModelRead) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  const ValueId first = make.Conv(x, 6, 3, kRelu);
  const ValueId sum = make.Add(Op::kAdd, NoAttrs{}, {first, x});
  const ValueId clipped = make.Conv(sum, 6, 1, Clamp{0.0F, 6.0F});
  const ValueId shown = make.Conv(clipped, 6, 1);
  make.graph.outputs = {make.Conv(shown, 6, 1), shown};
  Graph& graph = make.graph;
  const auto ranges = Ranges(graph, Noise(kInput, 2));
  EXPECT_TRUE(Equalize(graph, ranges).empty());
}

/// A residual block behind a convolution, a sum with a gated value, and one of a value with a function of itself.
TEST(Equalize, WhatASumAddsTogether) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  const ValueId trunk = make.Conv(x, 8, 3);
  const ValueId branch = make.Conv(make.Conv(trunk, 16, 1, kRelu), 8, 1);
  const ValueId sum = make.Add(Op::kAdd, NoAttrs{}, {branch, trunk});
  const ValueId squeezed = make.Add(Op::kAveragePool, PoolAttrs{.kernel = {12, 12}}, {sum});
  const ValueId gate = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSigmoid, 0, 0}}}, {make.Conv(squeezed, 8, 1)});
  const ValueId gated = make.Add(Op::kMul, NoAttrs{}, {trunk, gate});
  const ValueId both = make.Add(Op::kAdd, NoAttrs{}, {gated, branch});
  const ValueId own = make.Conv(both, 8, 3, kRelu, 8);
  const ValueId twice = make.Add(Op::kAdd, NoAttrs{}, {own, make.Conv(own, 8, 3, kRelu, 8)});
  make.graph.outputs = {make.Conv(twice, 4, 1)};
  Graph& graph = make.graph;
  Stretch(graph, graph.nodes[0], 8);
  Stretch(graph, graph.nodes[static_cast<size_t>(graph.Producer(branch))], 8);
  Stretch(graph, graph.nodes[static_cast<size_t>(graph.Producer(own))], 8);
  const std::vector<float> input = Noise(kInput, 6), want = Output(graph, input);
  const auto before = Ranges(graph, input);
  const std::vector<ValueId> values = {trunk, branch, sum, both, own, twice};
  std::vector<std::string> names_of;
  for (const ValueId id : values) names_of.push_back(graph.at(id).name);
  const auto names = Equalize(graph, before, kMostEffort);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph).failure().message;
  ExpectSame(want, Output(graph, input));
  EXPECT_EQ(names.size(), 5U);  // trunk with branch, the layer inside the branch, own with the one that it is added to
  const auto after = Ranges(graph, input);
  for (size_t i = 0; i < values.size(); ++i) {
    const ValueId id = graph.FindValue(names_of[i] + ".equalized");
    ASSERT_NE(id, kNone) << names_of[i];
    EXPECT_LT(Spread(after[static_cast<size_t>(id)]), Spread(before[static_cast<size_t>(values[i])]) / 3)
        << names_of[i];
  }
}

TEST(Equalize, TransposedConvolutionTakesFactors) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  const ValueId first = make.Conv(x, 8, 3, kRelu);
  Shape shape = {8, 3, 2, 2};
  const ValueId weights = make.graph.AddConstant("w", DType::kFloat32, shape, Noise(shape, 8).data());
  ConvAttrs attrs;
  attrs.kernel = attrs.stride = {2, 2};
  make.graph.outputs = {make.Add(Op::kConvTranspose, attrs, {first, weights})};
  Graph& graph = make.graph;
  Stretch(graph, graph.nodes[0], 8);
  const std::vector<float> input = Noise(kInput, 7), want = Output(graph, input);
  const auto before = Ranges(graph, input);
  EXPECT_EQ(Equalize(graph, before, kMostEffort).size(), 1U);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph).failure().message;
  ExpectSame(want, Output(graph, input));
  const ValueId equalized = graph.FindValue("Conv0.out.equalized");
  ASSERT_NE(equalized, kNone);
  EXPECT_LT(Spread(Ranges(graph, input)[static_cast<size_t>(equalized)]),
            Spread(before[static_cast<size_t>(first)]) / 3);
}

TEST(Equalize, LeavesSumsWithWhatCannotBeScaled) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  const ValueId silu = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSilu, 0, 0}}}, {make.Conv(x, 6, 1)});
  const ValueId function = make.Add(Op::kAdd, NoAttrs{}, {make.Conv(x, 6, 3), silu});
  const ValueId input = make.Add(Op::kAdd, NoAttrs{}, {make.Conv(x, 6, 3), x});
  const ValueId both = make.Conv(x, 6, 3);
  const ValueId square = make.Add(Op::kMul, NoAttrs{}, {both, make.Add(Op::kAdd, NoAttrs{}, {both, both})});
  make.graph.outputs = {make.Conv(function, 4, 1), make.Conv(input, 4, 1), make.Conv(square, 4, 1)};
  EXPECT_TRUE(Equalize(make.graph, Ranges(make.graph, Noise(kInput, 2)), kMostEffort).empty());
}

TEST(SplitByReach, PartsWithTablesOfTheirOwn) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  const ValueId first = make.Conv(x, 8, 3);
  const ValueId silu = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSilu, 0, 0}}}, {first});
  make.graph.outputs = {make.Conv(make.Conv(silu, 8, 3, {}, 8), 4, 1)};
  Graph& graph = make.graph;
  Stretch(graph, graph.nodes[0], 30);
  const std::vector<float> input = Noise(kInput, 3), want = Output(graph, input);
  const auto names = SplitByReach(graph, Ranges(graph, input));
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph).failure().message;
  EXPECT_EQ(names, std::vector<std::string>{"Conv0"});
  ExpectSame(want, Output(graph, input));
  // The small channels are as large as the others when they are joined: the depthwise layer takes it back.
  const auto after = Ranges(graph, input);
  const ValueId joined = graph.FindValue("Unary1.out.equalized");
  ASSERT_NE(joined, kNone);
  EXPECT_LT(Spread(after[static_cast<size_t>(joined)]), 60);
}

/// As at the start of segmentation networks: what the function makes is also added further on.
TEST(SplitByReach, SumsTakeTheFactors) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  const ValueId silu = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSilu, 0, 0}}}, {make.Conv(x, 8, 3)});
  const ValueId other = make.Conv(make.Conv(silu, 8, 1, kRelu), 8, 1);
  make.graph.outputs = {make.Conv(make.Add(Op::kAdd, NoAttrs{}, {silu, other}), 4, 1)};
  Graph& graph = make.graph;
  Stretch(graph, graph.nodes[0], 30);
  const std::vector<float> input = Noise(kInput, 5), want = Output(graph, input);
  const std::vector<std::string> scaled = {graph.at(silu).name, graph.at(other).name};
  EXPECT_EQ(SplitByReach(graph, Ranges(graph, input), {.sums = true}).size(), 1U);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph).failure().message;
  ExpectSame(want, Output(graph, input));
  for (const std::string& name : scaled) EXPECT_NE(graph.FindValue(name + ".equalized"), kNone) << name;
}

TEST(SplitByReach, FinerWhereAskedFor) {
  const auto split = [](const EqualizeEffort& effort) {
    GraphMaker make;
    const ValueId x = make.Input(kInput);
    const ValueId silu = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSilu, 0, 0}}}, {make.Conv(x, 16, 3)});
    make.graph.outputs = {make.Conv(silu, 4, 1)};
    Stretch(make.graph, make.graph.nodes[0], 3);
    return SplitByReach(make.graph, Ranges(make.graph, Noise(kInput, 4)), effort).size();
  };
  EXPECT_EQ(split({}), 0U);
  EXPECT_EQ(split(kMostEffort), 1U);
}

TEST(SplitByReach, LeavesChannelsOfLikeReach) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  const ValueId silu = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSilu, 0, 0}}}, {make.Conv(x, 8, 3)});
  make.graph.outputs = {make.Conv(silu, 4, 1)};
  const size_t nodes = make.graph.nodes.size();
  EXPECT_TRUE(SplitByReach(make.graph, Ranges(make.graph, Noise(kInput, 4))).empty());
  EXPECT_EQ(make.graph.nodes.size(), nodes);
}

}  // namespace
}  // namespace xrun::compiler
