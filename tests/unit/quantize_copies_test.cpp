// Copied channels: the graph computes what it did, and rounding its activations to int8 harms less.

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "compiler/quantize/copy_channels.h"
#include "compiler/quantize/equalize.h"
#include "compiler/quantize/rounding_trial.h"
#include "compiler/quantize/select.h"
#include "tests/unit/quantize_test_util.h"

namespace xrun::compiler {
namespace {

const Clamp kRelu6{0.0F, 6.0F};
const Shape kInput = {1, 3, 12, 12};

void ExpectNear(const std::vector<float>& want, const std::vector<float>& got) {
  ASSERT_EQ(want.size(), got.size());
  for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(want[i], got[i], 1e-4F * (1 + std::fabs(want[i]))) << i;
}

/// Conv, depthwise Conv, function or not, pool, Conv: all channel by channel in between.
Graph Chain(bool function = true) {
  GraphMaker make;
  ValueId y = make.Conv(make.Input(kInput), 8, 3, kRelu6);
  y = make.Conv(y, 8, 3, {}, 8);
  if (function) y = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kHardSwish, 0, 0}}}, {y});
  y = make.Add(Op::kMaxPool, PoolAttrs{{2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}, false}, {y});
  make.graph.outputs = {make.Conv(y, 5, 1)};
  return make.graph;
}

ActivationParams Params(const Graph& graph) {
  auto params =
      ChooseActivationParams(graph, SelectQuantized(graph), Calibrated(graph), CalibrationMethod::kMinMax, 99.99);
  EXPECT_TRUE(params.ok());
  return std::move(params).value();
}

double Loss(const Graph& graph, const ActivationParams& params, const std::vector<ValueId>& rounded) {
  auto trial = RoundingTrial::Create(graph, params, 1);
  EXPECT_TRUE(trial.ok());
  const std::vector<float> input = Noise(kInput, 5);
  const std::span<const float> x(input);
  EXPECT_TRUE(trial->Add({&x, 1}).ok());
  std::vector<bool> which(graph.values.size(), false);
  for (const ValueId id : rounded) which[static_cast<size_t>(id)] = true;
  const auto loss = trial->Loss(which);
  EXPECT_TRUE(loss.ok());
  return *loss;
}

TEST(CopyChannels, ResultsStayThroughWhatTreatsChannelsAlone) {
  Graph graph = Chain();
  const std::vector<float> input = Noise(kInput, 5), want = Output(graph, input);
  const auto candidates = FindCopyCandidates(graph, SelectQuantized(graph));
  ASSERT_EQ(candidates.size(), 1u);
  EXPECT_EQ(candidates[0].convs, std::vector<NodeId>{0});
  EXPECT_EQ(candidates[0].values.size(), 4u);
  EXPECT_EQ(candidates[0].depthwise, std::vector<NodeId>{1});
  EXPECT_EQ(candidates[0].readers, std::vector<NodeId>{4});
  const CopyShifts shifts = CopyChannels(graph, candidates, {4});
  ASSERT_TRUE(Verify(graph).ok());
  EXPECT_EQ(graph.at(candidates[0].values[0]).shape, (Shape{1, 32, 12, 12}));
  ExpectNear(want, Output(graph, input));
  // The first convolution is shifted by eighths, −3/8, −1/8, 1/8, 3/8, each for all channels; so are the four depthwise
  // ones and the four functions that follow, each by one of these.
  ASSERT_EQ(shifts.size(), 9u);
  std::multiset<double> of_parts;
  for (const auto& [id, shift] : shifts) {
    if (shift.size() == 32) {
      for (size_t i = 0; i < 32; ++i) EXPECT_DOUBLE_EQ(shift[i], static_cast<double>(i / 8) / 4 - 0.375);
      continue;
    }
    ASSERT_EQ(shift, std::vector<double>(8, shift[0]));
    of_parts.insert(shift[0]);
  }
  EXPECT_EQ(of_parts, (std::multiset<double>{-0.375, -0.375, -0.125, -0.125, 0.125, 0.125, 0.375, 0.375}));
}

/// What rounding everything but input and result does to Conv, `function`, Conv with the channels between copied.
double LossWithCopies(int copies, const std::vector<UnaryFunction>& function) {
  GraphMaker make;
  ValueId y = make.Conv(make.Input(kInput), 8, 3);
  if (!function.empty()) y = make.Add(Op::kUnary, UnaryAttrs{function}, {y});
  make.graph.outputs = {make.Conv(y, 5, 1)};
  Graph& graph = make.graph;
  const auto candidates = FindCopyCandidates(graph, SelectQuantized(graph));
  EXPECT_EQ(candidates.size(), 1u);
  const CopyShifts shifts = CopyChannels(graph, candidates, {copies});
  const ActivationParams params = Params(graph);
  ShiftCopies(graph, shifts, params);
  std::vector<ValueId> rounded;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::kSlice && !graph.IsOutput(node.outputs[0])) rounded.push_back(node.outputs[0]);
  }
  return Loss(graph, params, rounded);
}

TEST(CopyChannels, ShiftedCopiesRoundToFinerSteps) {
  // A quarter of the noise's power, for the convolution alone as for one with a function, whose own rounding counts
  // too.
  for (const auto& function : {std::vector<UnaryFunction>{}, {{UnaryKind::kHardSwish, 0, 0}}}) {
    double losses[3];
    for (int i = 0; i < 3; ++i) losses[i] = LossWithCopies(1 << i, function);
    EXPECT_GT(losses[0], 1e-6);
    EXPECT_LT(losses[1], 0.36 * losses[0]);
    EXPECT_GT(losses[1], 0.18 * losses[0]);
    EXPECT_LT(losses[2], 0.36 * losses[1]);
  }
}

TEST(CopyChannels, TakesWhatSplitByReachMade) {
  GraphMaker make;
  const ValueId x = make.Input(kInput);
  ValueId y = make.Conv(x, 8, 3);
  const NodeId conv = make.graph.Producer(y);
  for (size_t i = 1; i < 3; ++i) {  // half of the channels are small
    Value& value = make.graph.at(make.graph.nodes[static_cast<size_t>(conv)].inputs[i]);
    std::vector<float> data(value.data<float>(), value.data<float>() + Elements(value.shape));
    for (size_t k = 0; k < data.size(); ++k) data[k] *= k * 8 / data.size() % 2 == 0 ? 1.0F : 0.01F;
    const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
    value.constant = std::make_shared<const std::vector<uint8_t>>(bytes, bytes + data.size() * sizeof(float));
  }
  y = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kHardSwish, 0, 0}}}, {y});
  make.graph.outputs = {make.Conv(y, 5, 1)};
  Graph& graph = make.graph;
  const std::vector<float> input = Noise(kInput, 5), want = Output(graph, input);
  auto ranges = ChannelRanges::Create(graph, 1);
  ASSERT_TRUE(ranges.ok());
  const std::span<const float> span(input);
  ASSERT_TRUE(ranges->Add({&span, 1}).ok());
  ASSERT_EQ(SplitByReach(graph, ranges->ranges()).size(), 1u);

  const auto candidates = FindCopyCandidates(graph, SelectQuantized(graph));
  ASSERT_EQ(candidates.size(), 1u);
  EXPECT_GE(candidates[0].convs.size(), 2u);
  const CopyShifts shifts = CopyChannels(graph, candidates, {2});
  EXPECT_EQ(shifts.size(), 4 * candidates[0].convs.size());  // two copies, each a convolution and a function
  ASSERT_TRUE(Verify(graph).ok());
  ExpectNear(want, Output(graph, input));
}

TEST(CopyChannels, FollowsEveryBranchOfAConcatOnce) {
  GraphMaker make;
  const ValueId y = make.Conv(make.Input(kInput), 8, 3);
  const ValueId a = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kHardSwish, 0, 0}}}, {y});
  const ValueId b = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kNeg, 0, 0}}}, {y});
  make.graph.outputs = {make.Conv(make.Add(Op::kConcat, AxisAttrs{1}, {a, b}), 5, 1)};
  Graph& graph = make.graph;
  const std::vector<float> input = Noise(kInput, 1), want = Output(graph, input);
  const auto candidates = FindCopyCandidates(graph, SelectQuantized(graph));
  ASSERT_EQ(candidates.size(), 1u);
  EXPECT_EQ(candidates[0].convs.size(), 1u);
  EXPECT_EQ(candidates[0].values.size(), 4u);
  EXPECT_EQ(candidates[0].readers.size(), 1u);
  CopyChannels(graph, candidates, {2});
  ASSERT_TRUE(Verify(graph).ok());
  ExpectNear(want, Output(graph, input));
}

TEST(CopyChannels, NotWhereSomethingElseReads) {
  for (const bool output : {false, true}) {
    GraphMaker make;
    const ValueId y = make.Conv(make.Input(kInput), 8, 3);
    const ValueId z = make.Conv(y, 8, 3);
    if (output) {
      make.graph.outputs = {y, z};
    } else {
      make.graph.outputs = {make.Conv(make.Add(Op::kAdd, NoAttrs{}, {y, z}), 4, 1)};
    }
    EXPECT_TRUE(FindCopyCandidates(make.graph, SelectQuantized(make.graph)).empty()) << output;
  }
}

void ExpectChosenWhereRoundingHarms(bool function) {
  Graph graph = Chain(function);
  const auto candidates = FindCopyCandidates(graph, SelectQuantized(graph));
  const std::vector<float> input = Noise(kInput, 5);
  const std::span<const float> x(input);
  for (const bool coarse : {false, true}) {
    ActivationParams params = Params(graph);
    for (const ValueId id : candidates[0].values) {
      auto& quant = params.params[static_cast<size_t>(id)];
      if (coarse) {
        quant->scale[0] *= 30;
      } else {
        quant.reset();  // not rounded at all
      }
    }
    auto trial = RoundingTrial::Create(graph, params, 1);
    ASSERT_TRUE(trial.ok());
    ASSERT_TRUE(trial->Add({&x, 1}).ok());
    const auto copies = ChooseCopies(graph, candidates, *trial, {.most_macs = 10});
    ASSERT_TRUE(copies.ok());
    EXPECT_EQ(*copies, std::vector<int>{coarse ? 4 : 1});
    const auto none = ChooseCopies(graph, candidates, *trial, {.most_macs = 0});
    ASSERT_TRUE(none.ok());
    // One group of channels has room for two copies of eight, but not where a function gives each a group of its own.
    EXPECT_EQ(*none, std::vector<int>{coarse && !function ? 2 : 1});
  }
}

TEST(ChooseCopies, OnlyWhereRoundingHarms) { ExpectChosenWhereRoundingHarms(false); }

TEST(ChooseCopies, FunctionsMakeCopiesCostMore) { ExpectChosenWhereRoundingHarms(true); }

TEST(Ranges, OfLogitsKeepTheLargest) {
  float hi[2];
  for (const bool softmax : {false, true}) {
    GraphMaker make;
    const ValueId logits = make.Conv(make.Input({1, 16, 1, 1}), 200, 1);
    make.graph.outputs = {softmax ? make.Add(Op::kSoftmax, AxisAttrs{1}, {logits}) : logits};
    const Graph& graph = make.graph;
    Calibration calibration = Calibrated(graph);
    std::vector<float> seen(20000, 1.0F);
    for (size_t i = 0; i < seen.size(); ++i) seen[i] = i == 0 ? 16.0F : -1.0F + 2e-4F * static_cast<float>(i % 10000);
    ActivationStats& stats = calibration.stats[static_cast<size_t>(logits)];
    stats = {};
    stats.Add(seen);
    const auto params =
        ChooseActivationParams(graph, SelectQuantized(graph), calibration, CalibrationMethod::kPercentile, 99);
    ASSERT_TRUE(params.ok());
    const QuantParams& quant = *params->params[static_cast<size_t>(logits)];
    hi[softmax ? 1 : 0] = quant.scale[0] * static_cast<float>(127 - quant.zero_point[0]);
  }
  EXPECT_LT(hi[0], 2.0F);   // elsewhere the method cuts one value in many off
  EXPECT_GT(hi[1], 17.0F);  // in front of a Softmax it decides, and has room above
}

}  // namespace
}  // namespace xrun::compiler
