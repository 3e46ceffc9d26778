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
