// Depthwise layers on both engines, against the oracle: blocks as in MobileNet and EfficientNet with random windows,
// functions, zero points of weights, gates and residuals; shares forced, alone and in staggered programs, and chosen.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "random_graph.h"
#include "run_both.h"

namespace xrun::testing {
namespace {

using compiler::CompileOptions;
using compiler::Graph;
using compiler::Shape;
using compiler::ValueId;

/// Some blocks: expansion, depthwise window, perhaps a gate by squeeze and excite, projection, perhaps a residual sum.
Graph RandomBlocks(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "blocks" + std::to_string(seed);
  ValueId x = m.Input({1, m.Channels(20), m.Pick(4, 20), m.Pick(4, 20)});
  const GraphMaker::Window pixel;
  const int64_t blocks = m.Pick(1, 3);
  for (int64_t i = 0; i < blocks; ++i) {
    const Shape shape = m.at(x).shape;
    const int64_t expanded = m.Chance(30) ? shape[1] : m.Pick(17, 90);
    ValueId y = expanded == shape[1] ? x : m.Conv(x, expanded, 1, pixel);
    if (m.Chance(60)) y = m.Unary(y);
    y = m.Conv(y, expanded, expanded, m.RandomWindow(shape[2], shape[3], 5, 2, 2));
    if (m.Chance(60)) y = m.Chance(20) ? m.PRelu(y) : m.Unary(y);
    const ValueId depthwise = y;
    const Shape inner = m.at(y).shape;
    if (m.Chance(50)) {
      GraphMaker::Window all;
      all.kernel_h = inner[2];
      all.kernel_w = inner[3];
      const ValueId squeezed = m.Unary(m.Conv(m.Pool(y, true, false, all), m.Pick(1, 12), 1, pixel));
      y = m.Mul(y, m.Unary(m.Conv(squeezed, expanded, 1, pixel)));
    }
    if (m.Chance(15)) y = m.Concat({y, depthwise}, 1);
    y = m.Conv(y, m.Chance(60) ? shape[1] : m.Channels(30), 1, pixel);
    x = m.at(y).shape == shape ? m.Add(y, x) : y;
  }
  m.Output(x);
  if (seed % 4 == 3) {  // two samples at once
    for (compiler::Value& value : m.graph.values) {
      if (!value.is_constant() && value.shape.size() > 1) value.shape[0] *= 2;
    }
  }
  return std::move(m.graph);
}

/// A configuration so small that vector memory and ring do not hold every layer.
HardwareConfig Small(uint64_t seed) {
  HardwareConfig c;
  c.name = "small";
  c.pixels = 3;
  c.channels = 5;
  c.activation_rows = 128 << seed % 3;
  c.weight_rows = 128 << seed % 4;
  c.vector_rows = 128 << seed % 3;
  c.requant_lanes = 5;
  c.vector_pixels = 2;
  return c;
}

std::vector<uint64_t> Seeds(uint64_t first, uint64_t count) {
  if (const char* seed = std::getenv("XRUN_SEED")) return {std::strtoull(seed, nullptr, 10)};
  // Each seed compiles several programs.
  if (const char* n = std::getenv("XRUN_RANDOM_GRAPHS")) {
    count = std::max<uint64_t>(8, count * std::strtoull(n, nullptr, 10) / 400);
  }
  std::vector<uint64_t> seeds(count);
  for (uint64_t i = 0; i < count; ++i) seeds[i] = first + i;
  return seeds;
}

struct Outcome {
  int shares = 0;  ///< layers of which the array takes a part
  bool staggered = false;
  std::string failure;
};

Outcome Check(uint64_t seed, const HardwareConfig& config, const compiler::TilingLimits& tiling) {
  const Graph graph = RandomBlocks(seed);
  const Tensors inputs = RandomInputs(graph, seed);
  Outcome outcome;
  const Results want = RunOracle(graph, inputs, &outcome.failure);
  if (!outcome.failure.empty()) return outcome;
  CompileOptions options;
  options.config = config;
  options.tiling = tiling;
  options.observer = [&](const std::string& stage, const std::function<std::string()>& text) {
    if (stage != "tile") return;
    const std::string tiles = text(), mark = "channel groups on the array";
    for (size_t at = tiles.find(mark); at != std::string::npos; at = tiles.find(mark, at + 1)) ++outcome.shares;
  };
  auto program = compiler::Compile(graph, options);
  if (!program.ok()) {
    const std::string message = program.failure().ToString();
    if (config.name != "small" || message.find("fits small") == std::string::npos) outcome.failure = message;
    return outcome;
  }
  for (const OverlayStep& step : program->overlay_steps) outcome.staggered |= step.stagger.has_value();
  Results got;
  if (program->cpu_steps.empty()) {
    // Between two equal requests another one, whose data must not get into them.
    const auto outputs = RunRequests(*program, {inputs, RandomInputs(graph, 12345), inputs}, &outcome.failure);
    if (!outcome.failure.empty()) return outcome;
    if (outputs[0] != outputs[2]) outcome.failure = "request 2 of the launch differs from request 0";
    got.codes = outputs[0];
  } else {
    got = RunInRuntime(std::make_shared<const Program>(*std::move(program)), inputs, &outcome.failure);
  }
  if (outcome.failure.empty()) outcome.failure = Difference(got, want);
  return outcome;
}

TEST(Share, Forced) {
  int shares = 0;
  const auto seeds = Seeds(8000000, 80);
  for (const uint64_t seed : seeds) {
    compiler::TilingLimits tiling;
    tiling.share = static_cast<uint32_t>(1 + seed % 89);
    const HardwareConfig& built_in = BuiltInConfigs()[seed % BuiltInConfigs().size()];
    for (const HardwareConfig& config : {Small(seed), built_in}) {
      const Outcome outcome = Check(seed, config, tiling);
      EXPECT_EQ(outcome.failure, "") << "XRUN_SEED=" << seed << " " << config.name << " share=" << tiling.share;
      shares += outcome.shares;
    }
  }
  if (seeds.size() >= 40) {
    EXPECT_GT(shares, static_cast<int>(2 * seeds.size()));
  }
}

TEST(Share, ForcedInStaggeredPrograms) {
  int both = 0;
  const auto seeds = Seeds(8100000, 60);
  for (const uint64_t seed : seeds) {
    compiler::TilingLimits tiling;
    tiling.share = static_cast<uint32_t>(1 + seed % 89);
    tiling.stagger = static_cast<uint32_t>(1 + seed % 97);
    const HardwareConfig& config = BuiltInConfigs()[seed % BuiltInConfigs().size()];
    const Outcome outcome = Check(seed, config, tiling);
    EXPECT_EQ(outcome.failure, "") << "XRUN_SEED=" << seed << " " << config.name << " share=" << tiling.share
                                   << " stagger=" << tiling.stagger;
    both += outcome.shares > 0 && outcome.staggered ? 1 : 0;
  }
  if (seeds.size() >= 40) {
    EXPECT_GT(both, static_cast<int>(seeds.size()) / 6);
  }
}

TEST(Share, Chosen) {
  int shares = 0;
  const auto seeds = Seeds(8200000, 40);
  for (const uint64_t seed : seeds) {
    const HardwareConfig& built_in = BuiltInConfigs()[seed % BuiltInConfigs().size()];
    for (const HardwareConfig& config : {Small(seed), built_in}) {
      const Outcome outcome = Check(seed, config, {});
      EXPECT_EQ(outcome.failure, "") << "XRUN_SEED=" << seed << " " << config.name;
      shares += outcome.shares;
    }
  }
  if (seeds.size() >= 40) {
    EXPECT_GT(shares, static_cast<int>(seeds.size()) / 4);
  }
}

}  // namespace
}  // namespace xrun::testing
