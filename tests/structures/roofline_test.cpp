// Modelled speeds against the machine's bounds, and what planning promises: fewer bytes, the cost model near the timed
// simulator, the same bytes of program each time.
#include "roofline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "compiler/estimate.h"
#include "simulator/prepared.h"
#include "simulator/timing_model.h"
#include "structures.h"
#include "verify.h"

namespace xrun::structures {
namespace {

const compiler::Graph& GraphOf(const std::string& name) {
  static std::map<std::string, compiler::Graph> graphs;
  auto it = graphs.find(name);
  if (it == graphs.end()) it = graphs.emplace(name, QuantizedGraph(*FindStructure(name), 1).value()).first;
  return it->second;
}

compiler::CompileOptions Options(const char* arch, int optimization) {
  compiler::CompileOptions options;
  options.config = FindConfig(arch).value();
  options.optimization = optimization;
  return options;
}

TEST(Roofline, NothingBeatsTheBoundsAndCausesExplainTheRest) {
  for (const char* network : {"mobilenet_v2", "squeezenet1_1"}) {
    for (const char* arch : {"B512", "B4096"}) {
      double faster = 0;
      for (const int optimization : {2, 0}) {
        SCOPED_TRACE(std::string(network) + " " + arch + " -O" + std::to_string(optimization));
        const auto r = MeasureRoofline(network, GraphOf(network), Options(arch, optimization));
        ASSERT_TRUE(r.ok()) << r.failure().ToString();
        EXPECT_GE(r->cycles, r->bounds.Cycles());
        EXPECT_GE(r->cycles, r->array_busy);
        EXPECT_GE(r->dram_bytes, r->bounds.compulsory_bytes);
        EXPECT_LE(r->fps_at_70, r->fps);
        EXPECT_GE(r->fps_at_100, r->fps);
        double gap = 0;
        for (const auto& [cause, cycles] : r->causes) gap += cycles;
        EXPECT_NEAR(gap, r->cycles - r->bounds.array_cycles, 0.005 * r->cycles);
        EXPECT_GE(r->cycles, faster);
        faster = r->cycles;
      }
    }
  }
}

TEST(Roofline, IntermediateActivationsStayOnChip) {
  for (const char* network : {"mobilenet_v2", "squeezenet1_1"}) {
    const auto r = MeasureRoofline(network, GraphOf(network), Options("B4096", 2));
    ASSERT_TRUE(r.ok()) << r.failure().ToString();
    EXPECT_LE(static_cast<double>(r->dram_bytes), 1.3 * static_cast<double>(r->bounds.compulsory_bytes)) << network;
  }
}

/// What --dump-after tile says of the plan when these options compile: "...; about N cycles".
void TellPlannedCycles(compiler::CompileOptions* options, double* cycles) {
  options->observer = [cycles](const std::string& stage, const std::function<std::string()>& text) {
    if (stage != "tile") return;
    const std::string tiles = text();
    *cycles = std::atof(tiles.c_str() + tiles.rfind("about ") + 6);
  };
}
double PlannedCycles(compiler::CompileOptions options, const compiler::Graph& graph) {
  double cycles = 0;
  TellPlannedCycles(&options, &cycles);
  EXPECT_TRUE(compiler::Compile(graph, options).ok());
  return cycles;
}

TEST(Roofline, CostModelIsNearTheSimulator) {
  for (const char* network : {"mobilenet_v2", "squeezenet1_1"}) {
    for (const char* arch : {"B1024", "B4096"}) {
      compiler::CompileOptions options = Options(arch, 2);
      double planned = 0;
      TellPlannedCycles(&options, &planned);
      const auto r = MeasureRoofline(network, GraphOf(network), options);
      ASSERT_TRUE(r.ok()) << r.failure().ToString();
      EXPECT_NEAR(planned / r->cycles, 1.0, 0.05) << network << " " << arch;
    }
  }
}

/// From its first instruction's start to its last one's end, each layer of more than a thousand cycles.
TEST(Roofline, EstimateOfEachLayerIsNearTheSimulator) {
  for (const char* network : {"mobilenet_v2", "resnet18"}) {
    for (const char* arch : {"B1024", "B4096"}) {
      const compiler::CompileOptions options = Options(arch, 2);
      const Program program = compiler::Compile(GraphOf(network), options).value();
      int layers = 0;
      for (const OverlayStep& step : program.overlay_steps) {
        const auto report = simulator::SimulateTiming(*simulator::Prepare(program, step), {.requests = 1}).value();
        const auto times = compiler::EstimateTimes(step, program.config);
        std::map<uint32_t, compiler::EstimatedTime> nodes;
        for (const NodeRange& range : step.ranges) {
          for (uint32_t i = range.first; i < range.first + range.count; ++i) {
            const compiler::EstimatedTime& time = times[range.engine][i];
            const auto [node, fresh] = nodes.try_emplace(range.node, time);
            if (fresh) continue;
            node->second.start = std::min(node->second.start, time.start);
            node->second.end = std::max(node->second.end, time.end);
          }
        }
        for (const auto& [node, time] : nodes) {
          const double cycles = static_cast<double>(report.nodes[node].end - report.nodes[node].start);
          if (cycles < 1000) continue;
          ++layers;
          EXPECT_NEAR((time.end - time.start) / cycles, 1, 0.05)
              << network << " " << arch << " " << program.nodes[node].name << ": " << cycles;
        }
      }
      EXPECT_GT(layers, 15) << network << " " << arch;
    }
  }
}

/// Parts of depthwise layers on the array: where the vector engine has most to do, and never to a program's harm.
TEST(Roofline, SharedDepthwiseLayersPay) {
  compiler::CompileOptions shared = Options("B4096", 2), alone = shared;
  alone.share_depthwise = false;
  const auto r = MeasureRoofline("efficientnet_b0", GraphOf("efficientnet_b0"), shared);
  ASSERT_TRUE(r.ok()) << r.failure().ToString();
  EXPECT_GE(r->fps, 550);
  EXPECT_GE(r->cycles, r->bounds.Cycles());
  const auto cause = std::find_if(r->causes.begin(), r->causes.end(),
                                  [](const auto& c) { return c.first == "depthwise on the array"; });
  ASSERT_NE(cause, r->causes.end());
  EXPECT_GT(cause->second, 50000);
  EXPECT_GT(PlannedCycles(alone, GraphOf("efficientnet_b0")), 1.05 * r->cycles);
  shared.stagger = alone.stagger = false;
  for (const char* arch : {"B4096", "B512", "K26"}) {
    shared.config = alone.config = FindConfig(arch).value();
    EXPECT_LE(PlannedCycles(shared, GraphOf("mobilenet_v1")), PlannedCycles(alone, GraphOf("mobilenet_v1"))) << arch;
  }
}

TEST(Roofline, SameGraphSameProgram) {
  const compiler::Graph& graph = GraphOf("squeezenet1_1");
  const Program a = compiler::Compile(graph, Options("B4096", 2)).value();
  const Program b = compiler::Compile(graph, Options("B4096", 2)).value();
  ASSERT_EQ(a.overlay_steps.size(), b.overlay_steps.size());
  EXPECT_TRUE(std::equal(a.weights.begin(), a.weights.end(), b.weights.begin(), b.weights.end()));
  for (size_t s = 0; s < a.overlay_steps.size(); ++s) {
    for (size_t e = 0; e < kEngines; ++e) {
      const auto &x = a.overlay_steps[s].body[e], &y = b.overlay_steps[s].body[e];
      EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin(), y.end()));
    }
  }
}

}  // namespace
}  // namespace xrun::structures
