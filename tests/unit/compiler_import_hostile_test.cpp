// Files that are broken or meant to break us: one clear failure each, no crash, no huge allocation.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <random>

#include "compiler/passes/canonicalize.h"
#include "tests/unit/onnx_builder.h"

namespace xrun::test {
namespace {

using compiler::ImportOnnx;
using compiler::ImportOptions;

std::string Refusal(const OnnxBuilder& builder) {
  auto graph = builder.Import();
  return graph.ok() ? "imported" : graph.failure().ToString();
}

OnnxBuilder SmallNetwork() {
  OnnxBuilder builder(13);
  builder.Input("x", {"N", 3, 8, 8}).Output("y").InitNoise("w", {4, 3, 3, 3}).InitNoise("b", {4});
  builder.Node("Conv", {"x", "w", "b"}, {"c"}).Ints("pads", {1, 1, 1, 1}).Ints("strides", {2, 2});
  builder.Init("g", {4}, {1, 1, 1, 1}).InitNoise("be", {4}).InitNoise("m", {4}).Init("v", {4}, {1, 2, 3, 4});
  builder.Node("BatchNormalization", {"c", "g", "be", "m", "v"}, {"n"});
  builder.Node("Relu", {"n"}, {"r"});
  builder.Node("MaxPool", {"r"}, {"p"}).Ints("kernel_shape", {2, 2}).Ints("strides", {2, 2}).Int("ceil_mode", 1);
  builder.InitInts("s", {2}, {0, -1});
  builder.Node("Reshape", {"p", "s"}, {"f"});
  builder.InitNoise("fw", {16, 5});
  builder.Node("Gemm", {"f", "fw"}, {"l"});
  builder.Node("Softmax", {"l"}, {"y"});
  return builder;
}

TEST(CompilerImportHostile, EmptyGarbageAndTruncatedFiles) {
  const std::vector<uint8_t> whole = SmallNetwork().Bytes();
  EXPECT_NE(ImportOnnx(std::vector<uint8_t>{}, "m").failure().message.find("empty"), std::string::npos);
  EXPECT_FALSE(ImportOnnx(std::vector<uint8_t>(100, 0xff), "m").ok());
  EXPECT_FALSE(ImportOnnx(std::vector<uint8_t>{'P', 'K', 3, 4}, "m").ok());
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(ImportOnnx(std::span(whole.data(), length), "m").ok()) << length;
  }
  EXPECT_TRUE(ImportOnnx(whole, "m").ok());
}

TEST(CompilerImportHostile, MissingFilesAreNamed) {
  const auto missing = ImportOnnx(std::filesystem::path("no/such/model.onnx"));
  EXPECT_NE(missing.failure().message.find("no/such/model.onnx: no such file"), std::string::npos);
  EXPECT_NE(ImportOnnx(std::filesystem::path(".")).failure().message.find("is not a file"), std::string::npos);
}

/// Bytes changed at random: it imports or it fails, with canonicalization of whatever imports.
TEST(CompilerImportHostile, MutatedModels) {
  const std::vector<uint8_t> whole = SmallNetwork().Bytes();
  constexpr uint32_t kSeed = 20240611;
  std::mt19937 random(kSeed);
  ImportOptions options;
  options.max_constant_bytes = int64_t{64} << 20;
  int imported = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<uint8_t> bytes = whole;
    for (uint32_t change = 0; change <= random() % 4; ++change) {
      const size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<uint8_t>(random());
          break;
        case 1:
          bytes[at] ^= static_cast<uint8_t>(1U << random() % 8);
          break;
        default:
          bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
          break;
      }
    }
    auto graph = ImportOnnx(bytes, "mutated", options);
    if (!graph.ok()) {
      EXPECT_FALSE(graph.failure().message.empty());
      continue;
    }
    ++imported;
    const Status done = compiler::Canonicalize(*graph);
    const std::string message = done.ok() ? "" : done.failure().message;
    EXPECT_EQ(message.find("internal error"), std::string::npos) << message;
  }
  EXPECT_GT(imported, 100) << "the mutations should often hit weights only";
}

TEST(CompilerImportHostile, NamesAreDefinedOnce) {
  OnnxBuilder twice = SmallNetwork();
  twice.Node("Relu", {"x"}, {"c"});
  EXPECT_NE(Refusal(twice).find("tensor 'c' is produced twice"), std::string::npos);
  OnnxBuilder initializer = SmallNetwork();
  initializer.InitNoise("w", {4, 3, 3, 3});
  EXPECT_NE(Refusal(initializer).find("initializer 'w' is defined twice"), std::string::npos);
  OnnxBuilder input = SmallNetwork();
  input.Input("x", {1});
  EXPECT_NE(Refusal(input).find("input 'x' is declared twice"), std::string::npos);
  OnnxBuilder shadow = SmallNetwork();
  shadow.Node("Relu", {"x"}, {"b"});
  EXPECT_NE(Refusal(shadow).find("'b' is both an input or initializer"), std::string::npos);
  OnnxBuilder missing = SmallNetwork();
  missing.graph().mutable_node(2)->set_input(0, "nowhere");
  EXPECT_NE(Refusal(missing).find("node 'Relu:r' (Relu): reads 'nowhere'"), std::string::npos);
}

TEST(CompilerImportHostile, NodesOutOfOrderAreSortedAndCyclesRefused) {
  OnnxBuilder reversed(13);
  reversed.Input("x", {2}).Output("y");
  reversed.Node("Exp", {"b"}, {"y"});
  reversed.Node("Abs", {"a"}, {"b"});
  reversed.Node("Neg", {"x"}, {"a"});
  auto graph = reversed.Import();
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->nodes[0].name, "Neg:a");
  OnnxBuilder cycle(13);
  cycle.Input("x", {2}).Output("y");
  cycle.Node("Add", {"x", "b"}, {"a"});
  cycle.Node("Relu", {"a"}, {"b"});
  cycle.Node("Relu", {"b"}, {"y"});
  EXPECT_NE(Refusal(cycle).find("form a cycle"), std::string::npos);
}

TEST(CompilerImportHostile, UnneededNodesAreNotLookedAt) {
  OnnxBuilder builder = SmallNetwork();
  builder.Node("NonMaxSuppression", {"x"}, {"unused"});
  auto graph = builder.Import();
  ASSERT_TRUE(graph.ok()) << graph.failure().ToString();
}

TEST(CompilerImportHostile, BogusSizesAllocateNothing) {
  const auto large = [](const std::function<void(OnnxBuilder&)>& build) {
    OnnxBuilder builder(13);
    builder.Input("x", {1, 1, 4, 4}).Output("y");
    build(builder);
    return Refusal(builder);
  };
  const int64_t huge = int64_t{1} << 62;
  // A shape that the file does not back.
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.Init("w", {huge, huge, 3, 3}, {1.0F}).Node("Conv", {"x", "w"}, {"y"});
            }).find("more than"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.Init("w", {1 << 30}, {1.0F}).Node("Add", {"x", "w"}, {"y"});
            }).find("has 1 elements"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.InitInts("s", {2}, {1 << 20, 1 << 20}).Node("ConstantOfShape", {"s"}, {"w"});
              b.Node("Add", {"x", "w"}, {"y"});
            }).find("more than"),
            std::string::npos);
  // Within the limit of a tensor, beyond that of an import.
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.InitInts("s", {1}, {int64_t{1} << 31}).Node("ConstantOfShape", {"s"}, {"w"});
              b.Node("Add", {"x", "w"}, {"y"});
            }).find("more memory than the import may use"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.InitInts("p", {8}, {0, 0, 0, 0, 0, 0, 1 << 30, 1 << 30}).Node("Pad", {"x", "p"}, {"y"});
            }).find("more than"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.InitNoise("w", {1, 1, 1, 1}).Node("Conv", {"x", "w"}, {"y"}).Ints("pads", {huge, huge, huge, huge});
            }).find("attribute 'pads' has the entry"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.InitNoise("w", {1, 1, 1, 1}).Node("Conv", {"x", "w"}, {"y"}).Ints("strides", {0, 1});
            }).find("attribute 'strides' has the entry 0"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.InitNoise("w", {1, 1, 1, 1}).Node("Conv", {"x", "w"}, {"y"}).Int("group", 0);
            }).find("groups 0"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.Node("MaxPool", {"x"}, {"y"}).Ints("kernel_shape", {2, 2}).Ints("pads", {2, 2, 0, 0});
            }).find("pads must be smaller than the kernel"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.Node("Transpose", {"x"}, {"y"}).Ints("perm", {0, 1, 2, 2});
            }).find("permutation"),
            std::string::npos);
  EXPECT_NE(large([&](OnnxBuilder& b) {
              b.Node("Concat", {"x", ""}, {"y"}).Int("axis", 1);
            }).find("input 1 is missing"),
            std::string::npos);
}

TEST(CompilerImportHostile, WrongAttributes) {
  OnnxBuilder type = SmallNetwork();
  type.graph().mutable_node(0)->clear_attribute();
  NodeBuilder(type.graph().mutable_node(0)).String("pads", "many");
  EXPECT_NE(Refusal(type).find("node 'Conv:c' (Conv): attribute 'pads' has the wrong type"), std::string::npos);
  OnnxBuilder unknown = SmallNetwork();
  NodeBuilder(unknown.graph().mutable_node(0)).Int("winograd", 1);
  EXPECT_NE(Refusal(unknown).find("attribute 'winograd' is not one of version 11"), std::string::npos);
  OnnxBuilder twice = SmallNetwork();
  NodeBuilder(twice.graph().mutable_node(0)).Ints("pads", {1, 1, 1, 1});
  EXPECT_NE(Refusal(twice).find("attribute 'pads' is given twice"), std::string::npos);
  OnnxBuilder subgraph = SmallNetwork();
  NodeBuilder(subgraph.graph().mutable_node(2)).Graph("body");
  EXPECT_NE(Refusal(subgraph).find("'body'"), std::string::npos);
}

TEST(CompilerImportHostile, ModelsWithoutWork) {
  OnnxBuilder no_nodes(13);
  no_nodes.Input("x", {1}).Output("x");
  EXPECT_NE(Refusal(no_nodes).find("no nodes"), std::string::npos);
  OnnxBuilder no_outputs(13);
  no_outputs.Input("x", {1}).Node("Relu", {"x"}, {"y"});
  EXPECT_NE(Refusal(no_outputs).find("no outputs"), std::string::npos);
  OnnxBuilder constant(13);
  constant.Input("x", {1}).Init("w", {1}, {1.0F}).Output("y").Node("Relu", {"w"}, {"y"});
  EXPECT_NE(Refusal(constant).find("does not depend on any input"), std::string::npos);
  OnnxBuilder newer(13, /*ir_version=*/11);
  newer.Input("x", {1}).Output("y").Node("Relu", {"x"}, {"y"});
  EXPECT_NE(Refusal(newer).find("IR version 11"), std::string::npos);
  OnnxBuilder no_opset(13);
  no_opset.model.clear_opset_import();
  no_opset.Input("x", {1}).Output("y").Node("Relu", {"x"}, {"y"});
  EXPECT_NE(Refusal(no_opset).find("imported"), 0U);
}

/// Import and canonicalization stay linear: ten thousand nodes in a moment.
TEST(CompilerImportHostile, LongChains) {
  OnnxBuilder builder(13);
  builder.Input("x", {4}).Output("v9999").Init("c", {4}, {1, 2, 3, 4});
  std::string last = "x";
  for (int i = 0; i < 10000; ++i) {
    const std::string next = "v" + std::to_string(i);
    if (i % 3 == 0) {
      builder.Node("Relu", {last}, {next});
    } else if (i % 3 == 1) {
      builder.Node("Add", {last, "c"}, {next});
    } else {
      builder.Node("Identity", {last}, {next});
    }
    last = next;
  }
  const auto start = std::chrono::steady_clock::now();
  auto graph = builder.Import();
  ASSERT_TRUE(graph.ok()) << graph.failure().ToString();
  ASSERT_TRUE(compiler::Canonicalize(*graph).ok());
  EXPECT_EQ(graph->nodes.size(), 3334U + 0U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace xrun::test
