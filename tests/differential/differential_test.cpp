// Random quantized graphs through compiler and simulator against the oracle: same bytes on every configuration, at
// every tiling, at every optimization level. Each test prints nothing; a failure names seed, configuration and tiling,
// and XRUN_SEED=… runs that seed alone. XRUN_RANDOM_GRAPHS=N runs N seeds a test.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "compiler/lower.h"
#include "isa/hardware_config.h"
#include "random_graph.h"
#include "run_both.h"
#include "runtime/cpu/integer.h"

namespace xrun::testing {
namespace {

using compiler::CompileOptions;
using compiler::Graph;

/// Ways of cutting layers that reach every path of the tiler.
struct Variant {
  std::string name;
  int optimization;
  compiler::TilingLimits tiling;
};

Variant RandomVariant(uint64_t seed) {
  std::mt19937_64 random(seed ^ 0x9E3779B97F4A7C15ULL);
  const auto pick = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  Variant v;
  v.optimization = static_cast<int>(pick(3));
  if (pick(3) != 0) v.tiling.rows = 1 + pick(5);
  if (pick(3) == 0) v.tiling.cols = 1 + pick(6);
  if (pick(2) == 0) v.tiling.out_groups = 1 + pick(2);
  if (pick(3) == 0) v.tiling.in_groups = 1 + pick(2);
  if (pick(4) == 0) v.tiling.kernel_rows = 1 + pick(2);
  v.tiling.single_buffer = pick(3) == 0;
  v.tiling.keep_on_chip = pick(3) != 0;
  v.name = "-O" + std::to_string(v.optimization) + " rows=" + std::to_string(v.tiling.rows) +
           " cols=" + std::to_string(v.tiling.cols) + " out-groups=" + std::to_string(v.tiling.out_groups) +
           " in-groups=" + std::to_string(v.tiling.in_groups) + " kernel-rows=" + std::to_string(v.tiling.kernel_rows) +
           (v.tiling.single_buffer ? " single-buffer" : "") + (v.tiling.keep_on_chip ? "" : " no-on-chip");
  return v;
}

/// A configuration so small that every limit is met: short ring, few partial sums, little activation memory.
HardwareConfig Tiny() {
  HardwareConfig c;
  c.name = "tiny";
  c.pixels = 3;
  c.channels = 5;
  c.activation_rows = 64;
  c.weight_rows = 64;
  c.partial_entries = 7;
  c.vector_rows = 256;
  c.vector_partial_entries = 16;
  c.requant_lanes = 5;
  c.vector_pixels = 2;
  return c;
}

std::vector<uint64_t> Seeds(uint64_t first, uint64_t count) {
  if (const char* seed = std::getenv("XRUN_SEED")) return {std::strtoull(seed, nullptr, 10)};
  if (const char* n = std::getenv("XRUN_RANDOM_GRAPHS")) count = std::strtoull(n, nullptr, 10);
  std::vector<uint64_t> seeds(count);
  for (uint64_t i = 0; i < count; ++i) seeds[i] = first + i;
  return seeds;
}

/// Compiles and runs one variant; empty when it agrees with the oracle. A layer that cannot fit the tiny configuration
/// is allowed to be refused, on every other it is not.
std::string CheckVariant(const Graph& graph, const Tensors& inputs, const Results& want, const HardwareConfig& config,
                         const Variant& variant, int* refused) {
  CompileOptions options;
  options.config = config;
  options.optimization = variant.optimization;
  options.tiling = variant.tiling;
  const std::string where = config.name + " " + variant.name + ": ";
  auto program = compiler::Compile(graph, options);
  if (!program.ok()) {
    const std::string message = program.failure().ToString();
    if (config.name == "tiny" && message.find("fits tiny") != std::string::npos) {
      ++*refused;
      return "";
    }
    return where + message;
  }
  std::string error;
  Results got;
  if (program->cpu_steps.empty() && variant.tiling.stagger != 0) {
    // Between two equal requests another one, whose data must not get into them.
    const auto outputs = RunRequests(*program, {inputs, RandomInputs(graph, 12345), inputs}, &error);
    if (error.empty() && outputs[0] != outputs[2]) return where + "request 2 of the launch differs from request 0";
    if (error.empty()) got.codes = outputs[0];
  } else if (program->cpu_steps.empty()) {
    got.codes = RunProgram(*program, inputs, 2, &error);
  } else {
    got = RunInRuntime(std::make_shared<const Program>(*std::move(program)), inputs, &error);
  }
  if (!error.empty()) return where + error;
  const std::string difference = Difference(got, want);
  return difference.empty() ? "" : where + difference;
}

/// Empty when every variant of the seed's graph agrees with the oracle.
std::string CheckSeed(Graph (*make)(uint64_t), uint64_t seed, int variants, int* refused) {
  const Graph graph = make(seed);
  if (Status valid = compiler::Verify(graph); !valid.ok()) return valid.failure().ToString();
  const Tensors inputs = RandomInputs(graph, seed + 1);
  std::string error;
  const Results want = RunOracle(graph, inputs, &error);
  if (!error.empty()) return error;
  if (want.codes.empty()) return "the oracle has no result";
  const std::vector<HardwareConfig>& configs = BuiltInConfigs();
  for (int i = 0; i < variants; ++i) {
    const uint64_t mix = seed * 31 + static_cast<uint64_t>(i);
    const HardwareConfig config = i == 0 ? Tiny() : configs[mix % configs.size()];
    const Variant variant = i == 1 ? Variant{"-O2", 2, {}} : RandomVariant(mix);
    const std::string failure = CheckVariant(graph, inputs, want, config, variant, refused);
    if (!failure.empty()) return failure;
  }
  return "";
}

/// Names up to 20 seeds that fail; of a seed that was asked for, the graph too.
void CheckSeeds(Graph (*make)(uint64_t), const std::vector<uint64_t>& seeds, int most_refused) {
  int refused = 0, failed = 0;
  for (const uint64_t seed : seeds) {
    const std::string failure = CheckSeed(make, seed, 3, &refused);
    if (failure.empty()) continue;
    ADD_FAILURE() << "XRUN_SEED=" << seed << ": " << failure
                  << (seeds.size() == 1 ? "\n" + compiler::ToText(make(seed)) : "");
    if (++failed == 20) return;
  }
  EXPECT_LE(refused, most_refused);
}

TEST(Differential, RandomLayers) {
  const auto seeds = Seeds(1, 2000);
  CheckSeeds(RandomLayer, seeds, static_cast<int>(seeds.size()) / 10);
}

TEST(Differential, RandomStems) {
  const auto seeds = Seeds(8000000, 600);
  CheckSeeds(RandomStem, seeds, static_cast<int>(seeds.size()) / 10);
}

/// Of the same graphs: packed loads come in every form, and a program asks for the capability where one needs it.
TEST(Differential, RandomStemsArePacked) {
  const auto seeds = Seeds(8000000, 200);
  size_t packed = 0, bytes = 0, two_rows = 0, outside = 0, steps = 0, asked = 0, unasked = 0;
  for (const uint64_t seed : seeds) {
    CompileOptions options;
    options.config = BuiltInConfigs()[seed % BuiltInConfigs().size()];
    const Program program = compiler::Compile(RandomStem(seed), options).value();
    uint64_t needed = 0;
    for (const OverlayStep& step : program.overlay_steps) {
      for (const InstructionWord& word : step.body[kLoad]) {
        const Instruction instruction = *Decode(word, kLoad);
        needed |= CapabilitiesOf(instruction);
        const auto* load = std::get_if<LoadPacked>(&instruction);
        if (load == nullptr) continue;
        ++packed;
        bytes += load->head != 0 ? 1 : 0;
        two_rows += load->tail != 0 ? 1 : 0;
        outside += load->in_rows != 0 ? 1 : 0;
        steps += load->row_step != 0 ? 1 : 0;
      }
    }
    ASSERT_EQ(program.capabilities & launch::kPackedRowsCapability, needed) << seed;
    (needed != 0 ? asked : unasked) += 1;
  }
  if (std::getenv("XRUN_SEED") != nullptr) return;
  EXPECT_GT(packed, seeds.size());
  for (const size_t count : {bytes, two_rows, outside, steps, asked, unasked}) EXPECT_GT(10 * count, seeds.size());
}

TEST(Differential, RandomEnlargements) {
  auto seeds = Seeds(9000000, 300);
  // One row made three: halves come out right only with the least common denominator.
  if (seeds.size() > 1) seeds.insert(seeds.end(), {9000423, 9001818, 9002581});
  CheckSeeds(RandomEnlargement, seeds, static_cast<int>(seeds.size()) / 5);
}

/// Of the same graphs: in many the vector engine repeats pixels, row by row.
TEST(Differential, EnlargementsRepeatPixels) {
  const auto seeds = Seeds(9000000, 200);
  size_t repeats = 0;
  for (const uint64_t seed : seeds) {
    CompileOptions options;
    options.config = BuiltInConfigs()[seed % BuiltInConfigs().size()];
    const Program program = compiler::Compile(RandomEnlargement(seed), options).value();
    bool found = false;
    for (const OverlayStep& step : program.overlay_steps) {
      for (const InstructionWord& word : step.body[kVector]) {
        const Instruction instruction = *Decode(word, kVector);
        const auto* x = std::get_if<Elementwise>(&instruction);
        found = found || (x != nullptr && x->kind == kElementwiseAdd && x->m_a == 0 && x->b_step == 0);
      }
    }
    repeats += found ? 1 : 0;
  }
  if (std::getenv("XRUN_SEED") != nullptr) return;
  EXPECT_GT(10 * repeats, seeds.size());
}

TEST(Differential, RandomGraphs) {
  const auto seeds = Seeds(100000, 800);
  CheckSeeds(RandomGraph, seeds, static_cast<int>(seeds.size()) / 5);
}

/// Activation memory so small that groups of layers are computed strip by strip, with buffers that come round: on
/// several such configurations, searched for briefly and at length.
TEST(Differential, Strips) {
  int in_strips = 0;
  const auto seeds = Seeds(5000000, 400);
  for (const uint64_t seed : seeds) {
    const Graph graph = RandomGraph(seed);
    const Tensors inputs = RandomInputs(graph, seed);
    std::string error;
    const Results want = RunOracle(graph, inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    CompileOptions options;
    options.config = Tiny();
    options.config.activation_rows = 64 + 16 * static_cast<uint32_t>(seed % 5);
    options.config.weight_rows = 256 << seed % 3;
    options.optimization = 2 + static_cast<int>(seed % 2);
    bool strips = false;
    options.observer = [&](const std::string& stage, const std::function<std::string()>& text) {
      if (stage != "tile") return;
      const std::string tiles = text();
      for (size_t at = tiles.find("strips "); at != std::string::npos; at = tiles.find("strips ", at + 1)) {
        const size_t count = tiles.find(": ", at) + 2;
        strips = strips || std::atoi(tiles.c_str() + count) > 1;
      }
    };
    auto program = compiler::Compile(graph, options);
    if (!program.ok()) continue;
    in_strips += strips ? 1 : 0;
    const Results got = program->cpu_steps.empty()
                            ? Results{RunProgram(*program, inputs, 3, &error), {}}
                            : RunInRuntime(std::make_shared<const Program>(*std::move(program)), inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    ASSERT_EQ(Difference(got, want), "") << "XRUN_SEED=" << seed;
  }
  if (seeds.size() > 100) {
    EXPECT_GE(in_strips, static_cast<int>(seeds.size()) / 8);
  }
}

TEST(Differential, RandomDetours) {
  const auto seeds = Seeds(1000000, 400);
  CheckSeeds(RandomDetours, seeds, static_cast<int>(seeds.size()) / 5);
}

/// int8 outputs to the byte, what float operators compute to 1e-5.
TEST(Differential, RandomTails) {
  const auto seeds = Seeds(2000000, 400);
  CheckSeeds(RandomTail, seeds, static_cast<int>(seeds.size()) / 5);
}

TEST(Differential, RandomTokens) {
  const auto seeds = Seeds(4000000, 400);
  CheckSeeds(RandomTokens, seeds, static_cast<int>(seeds.size()) / 5);
}

TEST(Differential, RandomAttention) {
  const auto seeds = Seeds(5000000, 300);
  CheckSeeds(RandomAttention, seeds, static_cast<int>(seeds.size()) / 5);
}

/// Products are on the overlay, and heads are cut and joined there: attention takes two launches with a CPU step
/// between its products, else one. Reshapes that mix batches with rows may cost another, and now and then a product.
TEST(Differential, ProductsOfActivationsRunOnTheOverlay) {
  size_t products = 0, elsewhere = 0, two = 0;
  const auto seeds = Seeds(5000000, 40);
  for (const uint64_t seed : seeds) {
    CompileOptions options;
    options.config = BuiltInConfigs()[seed % BuiltInConfigs().size()];
    const Graph graph = RandomAttention(seed);
    auto program = compiler::Compile(graph, options);
    ASSERT_TRUE(program.ok()) << program.failure().ToString();
    two += program->overlay_steps.size() <= 2 ? 1 : 0;
    EXPECT_LE(program->overlay_steps.size(), 3U) << "XRUN_SEED=" << seed << "\n" << compiler::ToText(graph);
    for (const NodeInfo& node : program->nodes) {
      if (node.op != "MatMul") continue;
      if (node.placement != "overlay") {
        EXPECT_NE(node.reason.find("reshaped view"), std::string::npos)
            << "XRUN_SEED=" << seed << " " << node.name << ": " << node.reason;
        ++elsewhere;
      }
      ++products;
    }
  }
  EXPECT_GE(products, 2 * seeds.size());
  EXPECT_LE(50 * elsewhere, products);
  EXPECT_GE(10 * two, 8 * seeds.size());
}

/// --target cpu:NODE for about half the operators that have integer kernels: the same bytes as on the overlay.
TEST(Differential, ForcedToTheCpu) {
  const auto& configs = BuiltInConfigs();
  size_t forced = 0;
  const auto seeds = Seeds(6000000, 300);
  for (const uint64_t seed : seeds) {
    constexpr Graph (*kMakers[])(uint64_t) = {RandomAttention, RandomLayer, RandomGraph, RandomEnlargement};
    const Graph graph = kMakers[seed % 4](seed);
    const Tensors inputs = RandomInputs(graph, seed);
    std::string error;
    const Results want = RunOracle(graph, inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    CompileOptions options;
    options.config = configs[seed % configs.size()];
    std::mt19937_64 random(seed);
    for (const compiler::Node& node : graph.nodes) {
      if (!cpu::HasIntegerKernel(node.op) || random() % 2 == 0) continue;
      if (graph.at(node.inputs[0]).dtype == DType::kInt8) options.cpu_nodes.push_back(node.name);
    }
    forced += options.cpu_nodes.size();
    auto program = compiler::Compile(graph, options);
    ASSERT_TRUE(program.ok()) << "XRUN_SEED=" << seed << " " << program.failure().ToString();
    const Results got = RunInRuntime(std::make_shared<const Program>(*std::move(program)), inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    ASSERT_EQ(Difference(got, want), "") << "XRUN_SEED=" << seed << " " << options.config.name;
  }
  EXPECT_GE(forced, seeds.size());
}

/// The same graphs on two or three samples at once.
Graph RandomBatch(uint64_t seed) {
  Graph graph = seed % 3 == 0 ? RandomStage(seed) : RandomGraph(seed);
  const int64_t batch = 2 + static_cast<int64_t>(seed % 2);
  for (compiler::Value& value : graph.values) {
    if (!value.is_constant() && value.shape.size() > 1) value.shape[0] *= batch;
  }
  for (compiler::Node& node : graph.nodes) {
    if (node.op == Op::kSlice) node.as<SliceAttrs>().end[0] *= batch;
  }
  return graph;
}

TEST(Differential, RandomBatches) {
  const auto seeds = Seeds(3000000, 200);
  CheckSeeds(RandomBatch, seeds, static_cast<int>(seeds.size()) / 5);
}

/// How many programs say something of one of their nodes.
int CountReasons(Graph (*make)(uint64_t), const std::vector<uint64_t>& seeds, const std::string& words) {
  int count = 0;
  for (const uint64_t seed : seeds) {
    auto program = compiler::Compile(make(seed), {});
    if (!program.ok()) continue;
    count += std::any_of(program->nodes.begin(), program->nodes.end(),
                         [&](const NodeInfo& node) { return node.reason.find(words) != std::string::npos; });
  }
  return count;
}

TEST(Differential, BatchesAreStacked) {
  const auto seeds = Seeds(3000000, 40);
  EXPECT_GE(2 * CountReasons(RandomBatch, seeds, "in one stack of samples"), static_cast<int>(seeds.size()));
}

TEST(Differential, RandomStages) {
  const auto seeds = Seeds(7000000, 300);
  CheckSeeds(RandomStage, seeds, static_cast<int>(seeds.size()) / 5);
}

TEST(Differential, PixelsThatNothingReadsAreNotComputed) {
  const auto seeds = Seeds(7000000, 40);
  EXPECT_GE(5 * CountReasons(RandomStage, seeds, "only the pixels that are read"), static_cast<int>(seeds.size()));
}

/// Batches stay on the overlay: the CPU cuts and joins them, and little else.
TEST(Differential, BatchesRunOnTheOverlay) {
  int whole = 0;
  for (const uint64_t seed : Seeds(3000000, 40)) {
    auto program = compiler::Compile(RandomBatch(seed), {});
    if (!program.ok()) continue;
    whole += std::none_of(program->nodes.begin(), program->nodes.end(), [](const NodeInfo& node) {
      const bool moves = node.op == "Slice" || node.op == "Concat" || node.op == "Quantize" || node.op == "Dequantize";
      return node.placement == "cpu" && !moves;
    });
  }
  EXPECT_GE(whole, 30);
}

/// --debug-tensors: outputs and every tensor inside equal the oracle's, and none is missing but what lies in an order
/// of its own.
TEST(Differential, DebugTensors) {
  const auto& configs = BuiltInConfigs();
  for (const uint64_t seed : Seeds(700000, 300)) {
    const Graph graph = seed % 3 == 0 ? RandomLayer(seed) : RandomGraph(seed);
    const Tensors inputs = RandomInputs(graph, seed);
    std::string error;
    const Results want = RunOracle(graph, inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    CompileOptions options;
    options.config = configs[seed % configs.size()];
    options.debug_tensors = true;
    auto program = compiler::Compile(graph, options);
    ASSERT_TRUE(program.ok()) << "XRUN_SEED=" << seed << " " << program.failure().ToString();
    const Tensors got = RunProgram(*program, inputs, 2, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    ASSERT_EQ(Difference(got, want.codes), "") << "XRUN_SEED=" << seed << " " << options.config.name;
    for (const compiler::Node& node : graph.nodes) {
      if (!compiler::IsOverlayNode(graph, node) || node.op == Op::kReshape || node.op == Op::kTranspose) continue;
      const std::string& name = graph.at(node.outputs[0]).name;
      const bool shown = std::any_of(program->overlay_steps.begin(), program->overlay_steps.end(), [&](const auto& s) {
        return std::any_of(s.watches.begin(), s.watches.end(),
                           [&](const auto& w) { return program->nodes[w.node].name == node.name; });
      });
      EXPECT_TRUE(shown) << "XRUN_SEED=" << seed << " " << name;
    }
  }
}

/// Every configuration and several tilings for the same graph: one quantized graph, one set of bytes.
TEST(Differential, AllConfigurations) {
  int refused = 0;
  for (const uint64_t seed : Seeds(500000, 25)) {
    const Graph graph = RandomGraph(seed);
    const Tensors inputs = RandomInputs(graph, seed);
    std::string error;
    const Results want = RunOracle(graph, inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    for (const HardwareConfig& config : BuiltInConfigs()) {
      for (const Variant& variant : {Variant{"-O0", 0, {}}, Variant{"-O2", 2, {}}, RandomVariant(seed)}) {
        ASSERT_EQ(CheckVariant(graph, inputs, want, config, variant, &refused), "") << "XRUN_SEED=" << seed;
      }
    }
  }
}

/// Programs in two halves, cut anywhere: the number of those that could be must not fall.
TEST(Differential, Staggered) {
  int staggered = 0, programs = 0;
  for (const uint64_t seed : Seeds(700000, 150)) {
    const Graph graph = RandomGraph(seed);
    const Tensors inputs = RandomInputs(graph, seed);
    std::string error;
    const Results want = RunOracle(graph, inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    for (const size_t i : {seed % BuiltInConfigs().size(), (seed + 4) % BuiltInConfigs().size()}) {
      HardwareConfig config = BuiltInConfigs()[i];
      if (seed % 3 != 0) config.weight_rows = 64U << seed % 3;  // so short that segments go over its end
      Variant variant{"-O2 stagger=" + std::to_string(1 + seed % 97), 2, {}};
      variant.tiling.stagger = static_cast<uint32_t>(1 + seed % 97);
      int refused = 0;
      EXPECT_EQ(CheckVariant(graph, inputs, want, config, variant, &refused), "") << "XRUN_SEED=" << seed;
      CompileOptions options;
      options.config = config;
      options.tiling = variant.tiling;
      const Program program = compiler::Compile(graph, options).value();
      for (const OverlayStep& step : program.overlay_steps) {
        ++programs;
        staggered += step.stagger ? 1 : 0;
      }
    }
  }
  if (std::getenv("XRUN_SEED") == nullptr) {
    EXPECT_GT(staggered, programs / 6) << programs;
  }
}

/// Built-in arrays with little memory: weights stream and tensors go through DRAM even in graphs as small as these, so
/// that the schedule may let loads come ahead, and must see where it may not.
TEST(Differential, LittleMemory) {
  auto seeds = Seeds(4000000, 600);
  // Rows loaded ahead to where something lives, and of a tensor that is not there yet; more pixels than weight rows
  // hold.
  if (seeds.size() > 1) seeds.insert(seeds.end(), {4000977, 4007442, 4000728});
  int refused = 0;
  for (const uint64_t seed : seeds) {
    const Graph graph = seed % 2 == 0 ? RandomStage(seed) : RandomGraph(seed);
    const Tensors inputs = RandomInputs(graph, seed);
    std::string error;
    const Results want = RunOracle(graph, inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    HardwareConfig config = BuiltInConfigs()[seed % BuiltInConfigs().size()];
    config.weight_rows = 64U << seed % 3;
    config.activation_rows = std::max(config.activation_rows / (8U << seed % 5 % 3), 64U);
    EXPECT_EQ(CheckVariant(graph, inputs, want, config, {"-O2", 2, {}}, &refused), "") << "XRUN_SEED=" << seed;
  }
}

/// Any configuration that is legal; the small ones are as likely as the large ones.
HardwareConfig RandomConfig(uint64_t seed) {
  std::mt19937_64 random(seed ^ 0xC2B2AE3D27D4EB4FULL);
  const auto between = [&](uint32_t lo, uint32_t hi) { return lo + static_cast<uint32_t>(random() % (hi - lo + 1)); };
  const auto log2_between = [&](uint32_t lo, uint32_t hi) { return 1U << between(lo, hi); };
  HardwareConfig c;
  do {
    c.pixels = between(0, 3) == 0 ? between(1, 64) : between(1, 12);
    c.channels = between(4, between(0, 1) == 0 ? 32 : 16);
    c.activation_rows = log2_between(6, 14);
    c.weight_rows = log2_between(6, 15);
    c.partial_entries = between(1, log2_between(0, 8));
    c.vector_rows = between(64, log2_between(6, 16));
    c.vector_partial_entries = between(1, log2_between(0, 12));
    c.requant_lanes = c.channels * between(1, 8);
    c.vector_pixels = between(1, log2_between(0, 6));
    c.clock_mhz = between(10, 1000);
    c.dram_ports = between(1, 2);
    c.dram_port_bytes = log2_between(3, 6);
  } while (!Validate(c).ok());
  c.name = "tiny";  // may refuse
  return c;
}

/// Whatever configuration a user writes down.
TEST(Differential, AnyConfiguration) {
  int refused = 0, failed = 0;
  auto seeds = Seeds(4100000, 400);
  // Two halves whose vector memories would hold no table; a kernel over a picture that meets nothing but padding.
  if (seeds.size() > 1) seeds.insert(seeds.end(), {4101298, 4128034});
  for (const uint64_t seed : seeds) {
    constexpr Graph (*kMakers[])(uint64_t) = {RandomLayer,  RandomStem,      RandomEnlargement, RandomGraph,
                                              RandomTokens, RandomAttention, RandomStage};
    const Graph graph = kMakers[seed % std::size(kMakers)](seed);
    const Tensors inputs = RandomInputs(graph, seed);
    std::string error;
    const Results want = RunOracle(graph, inputs, &error);
    ASSERT_EQ(error, "") << "XRUN_SEED=" << seed;
    const HardwareConfig config = RandomConfig(seed);
    const Variant variant = seed % 2 == 0 ? Variant{"-O2", 2, {}} : RandomVariant(seed);
    const std::string failure = CheckVariant(graph, inputs, want, config, variant, &refused);
    if (failure.empty()) continue;
    ADD_FAILURE() << "XRUN_SEED=" << seed << ": " << failure << "\n" << ConfigToJson(config);
    if (++failed == 20) return;
  }
  EXPECT_LE(refused, static_cast<int>(seeds.size()) / 10);
}

/// Layers too large for the smallest configuration in one way each: sums longer than its weight ring, inputs larger
/// than its activation memory, windows of a hundred rows. Random tilings on the others.
TEST(Differential, LargeLayers) {
  using Window = GraphMaker::Window;
  struct Large {
    const char* name;
    compiler::Shape input;
    std::function<compiler::ValueId(GraphMaker&, compiler::ValueId)> layer;
  };
  const Window same{3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
  const Window dilated{3, 3, 1, 1, 12, 12, 12, 12, 12, 12};
  const Window patches{16, 16, 16, 16, 1, 1, 0, 0, 0, 0};
  const Window tall{120, 9, 1, 1, 1, 1, 0, 4, 0, 4};
  const Window plane{70, 81, 1, 1, 1, 1, 0, 0, 0, 0};
  const std::vector<Large> layers = {
      {"fully connected", {1, 200, 10, 10}, [](auto& m, auto x) { return m.FullyConnected(m.Flatten(x), 21); }},
      {"deep", {1, 700, 9, 11}, [&](auto& m, auto x) { return m.Conv(x, 33, 1, same); }},
      {"dilated", {1, 250, 26, 27}, [&](auto& m, auto x) { return m.Conv(x, 20, 1, dilated); }},
      {"patches", {1, 3, 160, 176}, [&](auto& m, auto x) { return m.Conv(x, 40, 1, patches); }},
      {"wide", {1, 9, 40, 700}, [&](auto& m, auto x) { return m.Conv(x, 17, 1, same); }},
      {"tall kernel", {1, 20, 130, 24}, [&](auto& m, auto x) { return m.Conv(x, 9, 1, tall); }},
      {"tall depthwise", {1, 20, 130, 24}, [&](auto& m, auto x) { return m.Conv(x, 20, 20, tall); }},
      {"global average", {1, 40, 70, 81}, [&](auto& m, auto x) { return m.Pool(x, true, false, plane); }},
      {"large add",
       {1, 70, 60, 61},
       [&](auto& m, auto x) {
         return m.Add(x, m.Input({1, 70, 1, 61}));
       }},
  };
  int refused = 0;
  for (uint64_t i = 0; i < layers.size(); ++i) {
    SCOPED_TRACE(layers[i].name);
    GraphMaker maker(900 + i);
    const compiler::ValueId x = maker.Input(layers[i].input);
    maker.Output(layers[i].layer(maker, x));
    const Tensors inputs = RandomInputs(maker.graph, i);
    std::string error;
    const Results want = RunOracle(maker.graph, inputs, &error);
    ASSERT_EQ(error, "");
    for (const char* arch : {"B512", "B1152", "B4096"}) {
      for (const Variant& variant : {Variant{"-O2", 2, {}}, RandomVariant(i)}) {
        const std::string failure = CheckVariant(maker.graph, inputs, want, *FindConfig(arch), variant, &refused);
        ASSERT_EQ(failure, "");
      }
    }
  }
  EXPECT_EQ(refused, 0);
}

}  // namespace
}  // namespace xrun::testing
