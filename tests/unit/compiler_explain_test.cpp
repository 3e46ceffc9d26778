// Explain and the operator table: what users are told is what the compiler does.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "compiler/compile.h"
#include "compiler/explain.h"
#include "compiler/import/import_onnx.h"
#include "compiler/import/operator_notes.h"
#include "compiler/macs.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/quantize.h"
#include "compiler/supported_ops.h"
#include "tests/unit/onnx_builder.h"
#include "tests/unit/quantize_test_util.h"

namespace xrun::compiler {
namespace {

/// Options for a configuration, all else as it is by default.
CompileOptions For(const HardwareConfig& config) {
  CompileOptions options;
  options.config = config;
  return options;
}

Graph QuantizedGraph(Graph graph) {
  EXPECT_TRUE(Canonicalize(graph).ok());
  auto calibration = CalibrateWithoutData(graph, -1, 1, 1);
  EXPECT_TRUE(calibration.ok());
  auto quantized = Quantize(graph, *calibration);
  EXPECT_TRUE(quantized.ok()) << quantized.failure().ToString();
  return std::move(quantized->graph);
}

const ExplainedNode& Find(const Explanation& e, const std::string& name) {
  const auto it =
      std::find_if(e.nodes.begin(), e.nodes.end(), [&](const ExplainedNode& n) { return n.source.name == name; });
  EXPECT_NE(it, e.nodes.end()) << name;
  return it == e.nodes.end() ? e.nodes.front() : *it;
}

Graph Imported(const char* model) {
  auto graph = ImportOnnx(std::filesystem::path(XRUN_TEST_MODELS) / model);
  EXPECT_TRUE(graph.ok());
  return std::move(*graph);
}

TEST(Explain, EveryOnnxNodeOnce) {
  const Graph quantized = QuantizedGraph(Imported("fmnist_mobile.onnx"));
  const Explanation e = Explain(quantized, For(*FindConfig("B4096")));
  ASSERT_FALSE(e.refusal) << e.refusal->ToString();
  EXPECT_EQ(e.partitions, 1U);
  EXPECT_EQ(e.cpu_steps, 0U);
  EXPECT_EQ(e.cpu_macs, 0U);
  std::set<std::string> names;
  for (const ExplainedNode& node : e.nodes) EXPECT_TRUE(names.insert(node.source.name).second) << node.source.name;
  EXPECT_EQ(Find(e, "/stem/bn/BatchNormalization").into, "/stem/conv/Conv");
  EXPECT_EQ(Find(e, "/stem/conv/Conv").macs, 12U * 28 * 28 * 9);
  EXPECT_EQ(Find(e, "/act/HardSwish").placement.reason, "int8 operator, in the output stage of '/stem/conv/Conv'");
  EXPECT_EQ(Find(e, "/fc/Gemm").source.shape, (Shape{1, 10}));
}

TEST(Explain, AgreesWithTheProgram) {
  for (const char* model : {"fmnist_cnn.onnx", "fmnist_mobile.onnx", "fmnist_resnet.onnx"}) {
    const Graph quantized = QuantizedGraph(Imported(model));
    CompileOptions options;
    options.config = *FindConfig("B512");
    const auto program = Compile(quantized, options);
    ASSERT_TRUE(program.ok());
    const Explanation e = Explain(quantized, options);
    EXPECT_EQ(e.partitions, program->overlay_steps.size());
    EXPECT_EQ(e.cpu_steps, program->cpu_steps.size());
    uint64_t macs = 0;
    for (const NodeInfo& node : program->nodes) {
      macs += node.macs;
      const auto same = std::find_if(e.nodes.begin(), e.nodes.end(),
                                     [&](const ExplainedNode& n) { return n.source.name == node.name; });
      if (same == e.nodes.end()) continue;  // a conversion that the ONNX file does not have
      EXPECT_EQ(Name(same->placement.place), node.placement) << node.name;
      EXPECT_EQ(same->placement.reason, node.reason) << node.name;
    }
    EXPECT_EQ(e.overlay_macs, macs);
  }
}

/// Conv, Softmax over its result, and a node that nobody needs.
Graph ConvSoftmax() {
  test::OnnxBuilder model;
  model.Input("x", {1, 3, 8, 8});
  model.InitNoise("w", {4, 3, 3, 3});
  model.Node("Conv", {"x", "w"}, {"c"}).Named("conv");
  model.Node("Softmax", {"c"}, {"y"}).Named("softmax").Int("axis", 1);
  model.Node("Relu", {"c"}, {"unused"}).Named("idle");
  model.Output("y");
  auto graph = model.Import();
  EXPECT_TRUE(graph.ok());
  return std::move(*graph);
}

TEST(Explain, FloatOperatorsSayWhyAndWhatHelps) {
  const Explanation e = Explain(QuantizedGraph(ConvSoftmax()), For(*FindConfig("B4096")));
  const ExplainedNode& softmax = Find(e, "softmax");
  EXPECT_EQ(softmax.placement.place, Place::kCpu);
  EXPECT_EQ(softmax.placement.reason, "float operator: has no quantized form");
  EXPECT_NE(softmax.placement.hint.find("leave it out"), std::string::npos);
  EXPECT_EQ(e.cpu_steps, 2U);  // Dequantize and Softmax
  EXPECT_EQ(Find(e, "conv").placement.place, Place::kOverlay);
  EXPECT_EQ(Find(e, "idle").placement.reason, "no output of the model needs it");
  EXPECT_EQ(e.nodes.back().source.name, "idle");
}

TEST(Explain, WhatTheOverlayRefusesRunsOnTheCpuForThatReason) {
  GraphMaker make;
  const ValueId x = make.Input({1, 8, 6, 6});
  make.graph.outputs = {make.Conv(x, 8, 3)};
  Graph quantized = QuantizedGraph(std::move(make.graph));
  for (Node& node : quantized.nodes) {
    if (node.op == Op::kConv) node.as<ConvAttrs>().stride = {32, 1};
  }
  quantized.source = {{"Conv0", "Conv", {}, {}, {1, 8, 6, 6}, false, true}};
  for (Node& node : quantized.nodes) {
    if (node.op == Op::kConv) node.name = node.origin.front() = "Conv0";
  }
  const Explanation e = Explain(quantized, For(*FindConfig("B4096")));
  EXPECT_FALSE(e.refusal);
  ASSERT_EQ(e.nodes.size(), 1U);
  EXPECT_EQ(e.nodes[0].placement.place, Place::kCpu);
  EXPECT_NE(e.nodes[0].placement.reason.find("vertical stride is 32"), std::string::npos)
      << e.nodes[0].placement.reason;
}

TEST(Explain, EveryNodeThatCannotBeImportedIsListed) {
  test::OnnxBuilder model;
  model.Input("x", {1, 3, 8, 8});
  model.Node("NonZero", {"x"}, {"a"}).Named("first");
  model.Node("Relu", {"a"}, {"b"});
  model.Node("Quant", {"b"}, {"y"}).Named("second").Domain("onnx.brevitas");
  model.Output("y");
  const auto file = std::filesystem::path(testing::TempDir()) / ("xrun_refused_" + std::to_string(getpid()) + ".onnx");
  model.Save(file);
  const auto refused = FindRefusedNodes(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(refused.ok()) << refused.failure().message;
  ASSERT_EQ(refused->size(), 2U);
  EXPECT_EQ(refused->at(0).name, "first");
  EXPECT_NE(refused->at(0).hint.find("in the application"), std::string::npos);
  EXPECT_EQ(refused->at(1).op, "onnx.brevitas.Quant");
  EXPECT_FALSE(FindRefusedNodes("/nonexistent.onnx").ok());
}

TEST(Macs, ByDefinition) {
  GraphMaker make;
  const ValueId x = make.Input({1, 6, 5, 7});
  make.Conv(x, 4, 3, {}, 2);
  EXPECT_EQ(Macs(make.graph, make.graph.nodes.back()), 4U * 5 * 7 * 3 * 9);
  make.Add(Op::kConvTranspose, ConvAttrs{.kernel = {2, 2}, .stride = {2, 2}}, {x, make.Constant({6, 8, 2, 2})});
  EXPECT_EQ(Macs(make.graph, make.graph.nodes.back()), 6U * 5 * 7 * 8 * 4);
  const ValueId flat = make.Input({3, 10});
  make.Add(Op::kFullyConnected, NoAttrs{}, {flat, make.Constant({4, 10})});
  EXPECT_EQ(Macs(make.graph, make.graph.nodes.back()), 3U * 10 * 4);
  make.Add(Op::kAdd, NoAttrs{}, {flat, flat});
  EXPECT_EQ(Macs(make.graph, make.graph.nodes.back()), 0U);
}

TEST(SupportedOps, EveryLoweredOperatorHasANote) {
  std::vector<std::string> lowered, noted;
  for (const SupportedOperator& row : SupportedOperators()) {
    if (!row.constants_only) lowered.push_back(row.name);
  }
  for (const OperatorNote& note : OperatorNotes()) noted.emplace_back(note.name);
  EXPECT_EQ(lowered, noted) << "compiler/import/operator_notes.cpp";
}

TEST(SupportedOps, FileIsFresh) {
  std::ifstream file(XRUN_SUPPORTED_OPS_MD);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), SupportedOpsMarkdown()) << "stale: run `supported_ops compiler/SUPPORTED_OPS.md`";
}

}  // namespace
}  // namespace xrun::compiler
