// Canonicalization: each pass on a small model, results unchanged, names of origin kept.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "compiler/passes/canonicalize.h"
#include "compiler/passes/passes.h"
#include "tests/unit/onnx_builder.h"
#include "tests/unit/run_graph.h"

namespace xrun::test {
namespace {

using compiler::Graph;
using compiler::Node;

Graph Imported(const OnnxBuilder& builder) {
  auto graph = builder.Import();
  EXPECT_TRUE(graph.ok()) << graph.failure().ToString();
  return graph.ok() ? std::move(graph).value() : Graph{};
}

/// Canonicalizes and checks that the results stay what they were.
Graph Canonical(const OnnxBuilder& builder) {
  Graph graph = Imported(builder);
  std::vector<std::vector<float>> inputs;
  uint32_t seed = 5;
  for (compiler::ValueId id : graph.inputs) {
    inputs.push_back(Noise(compiler::Elements(graph.at(id).shape), seed++));
    for (float& value : inputs.back()) value *= 8;  // beyond the bends of all activations
  }
  const auto want = RunGraph(graph, inputs);
  const Status done = compiler::Canonicalize(graph);
  EXPECT_TRUE(done.ok()) << done.failure().ToString();
  if (!done.ok()) return {};
  const auto got = RunGraph(graph, inputs);
  EXPECT_TRUE(want.ok() && got.ok());
  if (!want.ok() || !got.ok()) return graph;
  for (size_t o = 0; o < want->size(); ++o) {
    EXPECT_EQ((*want)[o].size(), (*got)[o].size());
    for (size_t i = 0; i < (*want)[o].size(); ++i) {
      EXPECT_NEAR((*got)[o][i], (*want)[o][i], 1e-4 * (1 + std::abs((*want)[o][i])))
          << "output " << o << " element " << i;
    }
  }
  return graph;
}

std::string Ops(const Graph& graph) {
  std::string ops;
  for (const Node& node : graph.nodes) ops += (ops.empty() ? "" : " ") + std::string(Name(node.op));
  return ops;
}

/// "HardSwish > Affine" of the only Unary.
std::string ChainOf(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::kUnary) continue;
    for (const auto& f : node.as<UnaryAttrs>().chain) text += (text.empty() ? "" : " > ") + std::string(Name(f.kind));
  }
  return text;
}

/// x [1,2,4,4] -> Conv "c" with three output channels.
OnnxBuilder WithConv(int64_t opset = 13) {
  OnnxBuilder builder(opset);
  builder.Input("x", {1, 2, 4, 4}).InitNoise("w", {3, 2, 3, 3}).InitNoise("b", {3}, 9);
  builder.Node("Conv", {"x", "w", "b"}, {"c"}).Ints("pads", {1, 1, 1, 1});
  return builder;
}

void AddBatchNorm(OnnxBuilder& builder, const std::string& in, const std::string& out, int64_t channels) {
  std::vector<float> variance = Noise(channels, 3);
  for (float& v : variance) v = std::abs(v) + 0.1F;
  builder.InitNoise(out + "_g", {channels}, 11)
      .InitNoise(out + "_b", {channels}, 12)
      .InitNoise(out + "_m", {channels}, 13);
  builder.Init(out + "_v", {channels}, variance);
  builder.Node("BatchNormalization", {in, out + "_g", out + "_b", out + "_m", out + "_v"}, {out});
}

TEST(CompilerPasses, BatchNormAndReluGoIntoTheConv) {
  OnnxBuilder builder = WithConv();
  AddBatchNorm(builder, "c", "n", 3);
  builder.Node("Relu", {"n"}, {"y"});
  builder.Output("y");
  const Graph graph = Canonical(builder);
  ASSERT_EQ(Ops(graph), "Conv");
  EXPECT_EQ(graph.nodes[0].origin, (std::vector<std::string>{"Conv:c", "BatchNormalization:n", "Relu:y"}));
  EXPECT_EQ(*graph.nodes[0].clamp, (Clamp{0, INFINITY}));
}

TEST(CompilerPasses, BatchNormGoesIntoGroupedConvTranspose) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 4, 3, 3}).InitNoise("w", {4, 3, 2, 2}).Output("y");
  builder.Node("ConvTranspose", {"x", "w"}, {"c"}).Int("group", 2).Ints("strides", {2, 2});
  AddBatchNorm(builder, "c", "y", 6);
  EXPECT_EQ(Ops(Canonical(builder)), "ConvTranspose");
}

TEST(CompilerPasses, BatchNormGoesIntoFullyConnected) {
  OnnxBuilder builder(13);
  builder.Input("x", {2, 4}).InitNoise("w", {4, 3}).Output("y").Node("MatMul", {"x", "w"}, {"c"});
  AddBatchNorm(builder, "c", "y", 3);
  EXPECT_EQ(Ops(Canonical(builder)), "FullyConnected");
}

TEST(CompilerPasses, LoneBatchNormBecomesDepthwise) {
  for (const std::vector<Dim>& shape : std::vector<std::vector<Dim>>{{2, 3, 4, 5}, {2, 3}, {2, 3, 4}}) {
    OnnxBuilder builder(13);
    builder.Input("x", shape).Output("y");
    AddBatchNorm(builder, "x", "y", 3);
    EXPECT_EQ(Ops(Canonical(builder)), shape.size() == 4 ? "Conv" : "Reshape Conv Reshape");
  }
}

/// The first of two becomes a convolution between Reshapes, into which the second must not go (seed 5252 of
/// tests/float_graphs).
TEST(CompilerPasses, BatchNormAfterBatchNorm) {
  for (const std::vector<Dim>& shape : std::vector<std::vector<Dim>>{{2, 3, 4, 5}, {2, 3}, {2, 3, 4}}) {
    OnnxBuilder builder(13);
    builder.Input("x", shape).Output("y");
    AddBatchNorm(builder, "x", "n", 3);
    AddBatchNorm(builder, "n", "y", 3);
    EXPECT_EQ(Ops(Canonical(builder)).rfind(shape.size() == 4 ? "Conv" : "Reshape Conv", 0), 0U);
  }
}

TEST(CompilerPasses, BatchNormIsNotFoldedIntoAConvThatOthersRead) {
  OnnxBuilder builder = WithConv();
  AddBatchNorm(builder, "c", "y", 3);
  builder.Output("y").Output("c");
  EXPECT_EQ(Ops(Canonical(builder)), "Conv Conv");
}

TEST(CompilerPasses, NegativeVarianceIsRefused) {
  OnnxBuilder builder = WithConv();
  builder.Init("p", {3}, {1, 1, 1}).Init("v", {3}, {1, -1, 1}).Output("y");
  builder.Node("BatchNormalization", {"c", "p", "p", "p", "v"}, {"y"});
  Graph graph = Imported(builder);
  const Status done = compiler::Canonicalize(graph);
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.failure().message.find("node 'BatchNormalization:y' (BatchNorm): variance of channel 1"),
            std::string::npos);
}

TEST(CompilerPasses, ScalesPerChannelGoIntoTheConv) {
  OnnxBuilder builder = WithConv();
  builder.InitNoise("s", {3, 1, 1})
      .InitNoise("t", {1, 3, 1, 1}, 8)
      .Init("d", {1}, {4.0F})
      .Init("one", {}, {1.0F})
      .Output("y");
  builder.Node("Mul", {"c", "s"}, {"m"});
  builder.Node("Add", {"t", "m"}, {"a"});
  builder.Node("Div", {"a", "d"}, {"q"});
  builder.Node("Sub", {"one", "q"}, {"y"});
  EXPECT_EQ(Ops(Canonical(builder)), "Conv");
}

TEST(CompilerPasses, ScalesAlongOtherAxesStay) {
  OnnxBuilder builder = WithConv();
  builder.InitNoise("s", {4}).Output("y").Node("Mul", {"c", "s"}, {"y"});  // along W
  EXPECT_EQ(Ops(Canonical(builder)), "Conv Mul");
}

TEST(CompilerPasses, BroadcastThatGrowsTheResultStays) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 2, 1, 1}).InitNoise("w", {3, 2, 1, 1}).InitNoise("s", {1, 3, 4, 4}).Output("y");
  builder.Node("Conv", {"x", "w"}, {"c"});
  builder.Node("Add", {"c", "s"}, {"y"});
  EXPECT_EQ(Ops(Canonical(builder)), "Conv Add");
}

TEST(CompilerPasses, ScalesBeforeAndAfterBatchNorm) {
  OnnxBuilder builder = WithConv();
  builder.InitNoise("s", {3, 1, 1}).Output("y").Node("Mul", {"c", "s"}, {"m"});
  AddBatchNorm(builder, "m", "n", 3);
  builder.Node("Mul", {"n", "s"}, {"y"});
  EXPECT_EQ(Ops(Canonical(builder)), "Conv");
}

TEST(CompilerPasses, PadGoesIntoConvAndPools) {
  const auto padded = [](const std::string& op, float value, bool relu) {
    OnnxBuilder builder(13);
    builder.Input("x", {1, 2, 5, 5}).Output("y").InitNoise("w", {3, 2, 3, 3});
    builder.InitInts("p", {8}, {0, 0, 1, 0, 0, 0, 1, 2}).Init("v", {}, {value});
    if (relu) builder.Node("Relu", {"x"}, {"r"});
    builder.Node("Pad", {relu ? "r" : "x", "p", "v"}, {"padded"});
    if (op == "Conv") {
      builder.Node(op, {"padded", "w"}, {"y"}).Ints("strides", {2, 2});
    } else {
      builder.Node(op, {"padded"}, {"y"}).Ints("kernel_shape", {3, 3}).Ints("strides", {2, 2});
    }
    return Ops(Canonical(builder));
  };
  EXPECT_EQ(padded("Conv", 0, false), "Conv");
  EXPECT_EQ(padded("Conv", 1, false), "Pad Conv");
  EXPECT_EQ(padded("AveragePool", 0, false), "AveragePool");
  EXPECT_EQ(padded("MaxPool", 0, false), "Pad MaxPool");
  EXPECT_EQ(padded("MaxPool", -INFINITY, false), "MaxPool");
  EXPECT_EQ(padded("MaxPool", 0, true), "Unary MaxPool");
}

TEST(CompilerPasses, PadThatOthersReadStaysForThem) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 1, 4, 4}).Output("y").Output("padded").InitNoise("w", {1, 1, 3, 3});
  builder.InitInts("p", {8}, {0, 0, 1, 1, 0, 0, 1, 1}).Node("Pad", {"x", "p"}, {"padded"});
  builder.Node("Conv", {"padded", "w"}, {"y"});
  EXPECT_EQ(Ops(Canonical(builder)), "Pad Conv");
}

/// What exporters write for one activation; `x` is read from a Conv, as in a network.
std::string Recognised(const std::function<void(OnnxBuilder&)>& pattern) {
  OnnxBuilder builder = WithConv(14);
  builder.Output("y")
      .Init("half", {}, {0.5F})
      .Init("one", {1}, {1.0F})
      .Init("three", {}, {3.0F})
      .Init("six", {}, {6.0F});
  builder.Init("zero", {}, {0.0F})
      .Init("sixth", {}, {0.16666667F})
      .Init("sqrt2", {}, {1.4142135F})
      .Init("two", {}, {2.0F});
  pattern(builder);
  const Graph graph = Canonical(builder);
  return Ops(graph) + ": " + ChainOf(graph);
}

TEST(CompilerPasses, HardSwishInAllSpellings) {
  const std::string want = "Conv Unary: HardSwish";
  const auto relu6 = [](OnnxBuilder& b) {
    b.Node("Add", {"c", "three"}, {"a"});
    b.Node("Clip", {"a", "zero", "six"}, {"k"});
  };
  EXPECT_EQ(Recognised([&](OnnxBuilder& b) {  // x * relu6(x + 3) / 6
              relu6(b);
              b.Node("Mul", {"c", "k"}, {"m"});
              b.Node("Div", {"m", "six"}, {"y"});
            }),
            want);
  EXPECT_EQ(Recognised([&](OnnxBuilder& b) {  // x * (relu6(x + 3) / 6)
              relu6(b);
              b.Node("Div", {"k", "six"}, {"d"});
              b.Node("Mul", {"c", "d"}, {"y"});
            }),
            want);
  EXPECT_EQ(Recognised([&](OnnxBuilder& b) {  // x * (1/6) * relu6(x + 3)
              relu6(b);
              b.Node("Mul", {"c", "sixth"}, {"s"});
              b.Node("Mul", {"s", "k"}, {"y"});
            }),
            want);
  EXPECT_EQ(Recognised([&](OnnxBuilder& b) {  // PyTorch: HardSigmoid(1/6, 1/2) * x
              b.Node("HardSigmoid", {"c"}, {"h"}).Float("alpha", 1.0F / 6).Float("beta", 0.5F);
              b.Node("Mul", {"h", "c"}, {"y"});
            }),
            want);
  EXPECT_EQ(Recognised([&](OnnxBuilder& b) { b.Node("HardSwish", {"c"}, {"y"}); }), want);
  // With Paddle's slope of 0.2 it is no HardSwish: the product stays.
  EXPECT_EQ(Recognised([&](OnnxBuilder& b) {
              b.Node("HardSigmoid", {"c"}, {"h"}).Float("alpha", 0.2F).Float("beta", 0.5F);
              b.Node("Mul", {"h", "c"}, {"y"});
            }),
            "Conv Unary Mul: HardSigmoid");
}

/// LayerNormalization over the last axis as exporters write it; the pieces a test changes are arguments.
std::string SpelledNorm(const std::string& root, bool twice, bool affine, int64_t axis = -1, float epsilon = 1e-5F) {
  OnnxBuilder b;
  b.Input("x", {1, 5, 12})
      .Init("two", {}, {2.0F})
      .Init("e", {}, {epsilon})
      .Init("half", {}, {0.5F})
      .Init("one", {}, {1.0F});
  b.Init("g", {12}, Noise(12, 3)).Init("h", {12}, Noise(12, 4)).Output("y");
  b.Node("ReduceMean", {"x"}, {"m"}).Ints("axes", {axis});
  b.Node("Sub", {"x", "m"}, {"d"});
  if (twice) b.Node("Sub", {"x", "m"}, {"d2"});
  b.Node("Pow", {twice ? "d2" : "d", "two"}, {"p"});
  b.Node("ReduceMean", {"p"}, {"v"}).Ints("axes", {axis});
  b.Node("Add", {"v", "e"}, {"ve"});
  const std::string n = affine ? "n" : "y";
  if (root == "Pow") {
    b.Node("Pow", {"ve", "half"}, {"r"});
    b.Node("Div", {"d", "r"}, {n});
  } else if (root == "Reciprocal") {
    b.Node("Sqrt", {"ve"}, {"s"});
    b.Node("Reciprocal", {"s"}, {"r"});
    b.Node("Mul", {"r", "d"}, {n});
  } else {
    b.Node("Sqrt", {"ve"}, {"r"});
    b.Node("Div", {"d", "r"}, {n});
  }
  if (affine) {
    b.Node("Mul", {"n", "g"}, {"ng"});
    b.Node("Add", {"h", "ng"}, {"y"});
  }
  return Ops(Canonical(b));
}

TEST(CompilerPasses, LayerNormInAllSpellings) {
  for (const std::string root : {"Sqrt", "Pow", "Reciprocal"}) {
    for (const bool twice : {false, true}) {
      EXPECT_EQ(SpelledNorm(root, twice, true), "LayerNormalization") << root << twice;
      EXPECT_EQ(SpelledNorm(root, twice, false), "LayerNormalization") << root << twice;
    }
  }
}

TEST(CompilerPasses, WhatIsNoLayerNormStays) {
  EXPECT_EQ(SpelledNorm("Sqrt", false, true, 1).find("LayerNorm"), std::string::npos);
  // A negative epsilon is nothing that LayerNormalization has.
  EXPECT_EQ(SpelledNorm("Sqrt", false, true, -1, -1e-3F).find("LayerNorm"), std::string::npos);
}

TEST(CompilerPasses, OtherActivationsSpelledOut) {
  EXPECT_EQ(Recognised([](OnnxBuilder& b) {
              b.Node("Sigmoid", {"c"}, {"s"});
              b.Node("Mul", {"c", "s"}, {"y"});
            }),
            "Conv Unary: SiLU");
  EXPECT_EQ(Recognised([](OnnxBuilder& b) {  // x / (1 + exp(-x))
              b.Node("Neg", {"c"}, {"n"});
              b.Node("Exp", {"n"}, {"e"});
              b.Node("Add", {"e", "one"}, {"p"});
              b.Node("Div", {"c", "p"}, {"y"});
            }),
            "Conv Unary: SiLU");
  const auto gelu = [](bool half_first) {
    return Recognised([=](OnnxBuilder& b) {
      b.Node("Div", {"c", "sqrt2"}, {"d"});
      b.Node("Erf", {"d"}, {"e"});
      b.Node("Add", {"e", "one"}, {"p"});
      b.Node("Mul", {half_first ? "p" : "c", half_first ? "half" : "p"}, {"m"});
      b.Node("Mul", {half_first ? "c" : "m", half_first ? "m" : "half"}, {"y"});
    });
  };
  EXPECT_EQ(gelu(false), "Conv Unary: Gelu");
  EXPECT_EQ(gelu(true), "Conv Unary: Gelu");
  EXPECT_EQ(Recognised([](OnnxBuilder& b) {
              b.Node("Softplus", {"c"}, {"s"});
              b.Node("Tanh", {"s"}, {"t"});
              b.Node("Mul", {"c", "t"}, {"y"});
            }),
            "Conv Unary: Mish");
  EXPECT_EQ(Recognised([](OnnxBuilder& b) {
              b.Node("Mul", {"c", "sixth"}, {"s"});
              b.Node("Max", {"c", "s"}, {"y"});
            }),
            "Conv Unary: LeakyRelu");
  EXPECT_EQ(Recognised([](OnnxBuilder& b) {
              b.Node("Max", {"c", "zero"}, {"r"});
              b.Node("Min", {"six", "r"}, {"y"});
            }),
            "Conv: ");  // Relu6, fused
  EXPECT_EQ(Recognised([](OnnxBuilder& b) {
              b.Node("Tanh", {"c"}, {"t"});
              b.Node("Pow", {"t", "two"}, {"p"});
              b.Node("Sub", {"one", "p"}, {"y"});
            }),
            "Conv Unary: Tanh > PowConst > Affine");
}

TEST(CompilerPasses, ChainsStopWhereAValueIsReadTwice) {
  EXPECT_EQ(Recognised([](OnnxBuilder& b) {
              b.Node("Tanh", {"c"}, {"t"});
              b.Node("Abs", {"t"}, {"a"});
              b.Node("Sub", {"a", "t"}, {"y"});
            }),
            "Conv Unary Unary Sub: Tanh > Abs");
}

TEST(CompilerPasses, ActivationIsFusedOnlyIntoItsOnlySource) {
  OnnxBuilder two = WithConv();
  two.Node("Relu", {"c"}, {"r"});
  two.Node("Add", {"r", "c"}, {"y"});
  two.Output("y");
  EXPECT_EQ(Ops(Canonical(two)), "Conv Unary Add");
  OnnxBuilder output = WithConv();
  output.Node("Relu", {"c"}, {"y"});
  output.Output("y").Output("c");
  EXPECT_EQ(Ops(Canonical(output)), "Conv Unary");
  OnnxBuilder twice = WithConv();
  twice.Node("Relu", {"c"}, {"r"});
  twice.Init("six", {}, {6.0F}).Node("Clip", {"r", "", "six"}, {"y"});
  twice.Output("y");
  const Graph graph = Canonical(twice);
  EXPECT_EQ(Ops(graph), "Conv");
  EXPECT_EQ(*graph.nodes[0].clamp, (Clamp{0, 6}));
}

TEST(CompilerPasses, ClampThenFunctionLeavesTheFunction) {
  OnnxBuilder builder = WithConv();
  builder.Node("Relu", {"c"}, {"r"});
  builder.Node("Exp", {"r"}, {"y"});
  builder.Output("y");
  const Graph graph = Canonical(builder);
  EXPECT_EQ(Ops(graph) + ": " + ChainOf(graph), "Conv Unary: Exp");
  EXPECT_TRUE(graph.nodes[0].clamp.has_value());
}

TEST(CompilerPasses, IdentitiesGoAndOutputsKeepTheirNames) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 6}).Output("y").Output("z").InitInts("s", {2}, {2, 3}).InitInts("t", {2}, {3, 2});
  builder.Node("Exp", {"x"}, {"e"});
  builder.Node("Identity", {"e"}, {"i"});
  builder.Node("Dropout", {"i"}, {"y"});
  builder.Node("Reshape", {"i", "s"}, {"r"});
  builder.Node("Transpose", {"r"}, {"u"}).Ints("perm", {0, 1});
  builder.Node("Reshape", {"u", "t"}, {"z"});
  const Graph graph = Canonical(builder);
  EXPECT_EQ(Ops(graph), "Unary Reshape");
  EXPECT_EQ(graph.at(graph.outputs[0]).name, "y");
  EXPECT_EQ(graph.at(graph.outputs[1]).name, "z");
}

TEST(CompilerPasses, InputStraightToOutputStays) {
  OnnxBuilder builder(13);
  builder.Input("x", {2}).Output("y").Node("Identity", {"x"}, {"y"});
  EXPECT_EQ(Ops(Canonical(builder)), "Reshape");
}

TEST(CompilerPasses, ObserverSeesEveryPassAndSkippedPassesAreSkipped) {
  OnnxBuilder builder = WithConv();
  builder.Node("Relu", {"c"}, {"y"});
  builder.Output("y");
  Graph graph = Imported(builder);
  std::vector<std::string> seen, changed;
  const auto observer = [&](std::string_view name, const Graph&, bool did) {
    seen.emplace_back(name);
    if (did) changed.emplace_back(name);
  };
  ASSERT_TRUE(compiler::Canonicalize(graph, observer, {"fuse_activation"}).ok());
  EXPECT_EQ(Ops(graph), "Conv Unary");
  EXPECT_TRUE(changed.empty());
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "fuse_activation"), 0);
  ASSERT_TRUE(compiler::Canonicalize(graph, observer).ok());
  EXPECT_EQ(changed, std::vector<std::string>{"fuse_activation"});
  EXPECT_EQ(compiler::CanonicalizationPasses().size(), 9U);
}

TEST(CompilerText, OneLinePerNode) {
  OnnxBuilder builder = WithConv();
  AddBatchNorm(builder, "c", "n", 3);
  builder.Init("six", {}, {6.0F}).Init("lo", {}, {0.1F});
  builder.Node("Clip", {"n", "lo", "six"}, {"r"});
  builder.Init("s", {}, {0.05F}).InitInts("z", {}, {-3}, onnx::TensorProto::INT8).Output("y");
  builder.Node("QuantizeLinear", {"r", "s", "z"}, {"q"});
  builder.Node("DequantizeLinear", {"q", "s", "z"}, {"f"});
  builder.Node("AveragePool", {"f"}, {"p"}).Ints("kernel_shape", {3, 3}).Ints("strides", {2, 2}).Int("ceil_mode", 1);
  builder.Node("Elu", {"p"}, {"y"}).Float("alpha", 0.5F);
  Graph graph = Imported(builder);
  ASSERT_TRUE(compiler::Canonicalize(graph).ok());
  EXPECT_EQ(ToText(graph), R"(graph test
  ir_version: 8
  opset: 13
input x: float32[1x2x4x4]
r: float32[1x3x4x4] = Conv(x, w.bn: float32[3x2x3x3], b.bn: float32[3]) kernel 3x3 pads 1,1,1,1 clamp 0.1..6  # Conv:c + BatchNormalization:n + Clip:r
q: int8[1x3x4x4] {0.05, -3} = Quantize(r)  # QuantizeLinear:q
f: float32[1x3x4x4] = Dequantize(q)  # DequantizeLinear:f
p: float32[1x3x2x2] = AveragePool(f) kernel 3x3 stride 2x2 pads 0,0,1,1 ceil_pads 1,1  # AveragePool:p
y: float32[1x3x2x2] = Unary(p) Elu(0.5)  # Elu:y
output y
)");
}

TEST(CompilerVerify, FindsBrokenGraphs) {
  const auto broken = [](const std::function<void(Graph&)>& breakage) {
    OnnxBuilder builder = WithConv();
    builder.Node("Relu", {"c"}, {"y"});
    builder.Output("y");
    Graph graph = Imported(builder);
    breakage(graph);
    const Status status = Verify(graph);
    return status.ok() ? std::string("fine") : status.failure().message;
  };
  EXPECT_EQ(broken([](Graph&) {}), "fine");
  EXPECT_NE(broken([](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); }).find("before it is produced"),
            std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.at(g.outputs[0]).shape = {1}; }).find("the operator gives 1x3x4x4"),
            std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.values[0].name = g.values[1].name; }).find("used twice"), std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.nodes[1].name = g.nodes[0].name; }).find("used twice"), std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.nodes[1].outputs = g.nodes[0].outputs; }).find("has a producer already"),
            std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.nodes[0].clamp = Clamp{1, 0}; }).find("clamp is empty"), std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.nodes[0].attrs = NoAttrs{}; }).find("another operator"), std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.at(g.outputs[0]).dtype = DType::kInt8; }).find("without scale"), std::string::npos);
  EXPECT_NE(broken([](Graph& g) {
              g.at(g.outputs[0]).dtype = DType::kInt8;
              g.at(g.outputs[0]).quant = compiler::QuantParams{{1.0F}, {0}, -1};
            }).find("is int8, the operator gives float32"),
            std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.nodes[0].inputs[0] = 1000; }).find("refers to no value"), std::string::npos);
  EXPECT_NE(broken([](Graph& g) { g.at(g.nodes[0].inputs[1]).shape[0] = 4; }).find("does not fill"), std::string::npos);
}

/// Random chains of layers with branches: canonicalization never changes what they compute.
TEST(CompilerPasses, RandomNetworksKeepTheirResults) {
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    OnnxBuilder builder(14);
    builder.Input("x", {1, 4, 6, 6})
        .Init("half", {}, {0.5F})
        .Init("three", {1}, {3.0F})
        .Init("lo", {}, {-0.7F})
        .Init("hi", {}, {0.9F});
    builder.InitNoise("per_channel", {4, 1, 1}, seed);
    std::vector<std::string> values{"x"};
    const int layers = 3 + static_cast<int>(random() % 10);
    for (int n = 0; n < layers; ++n) {
      const std::string out = n + 1 == layers ? "y" : "v" + std::to_string(n);
      // Mostly the newest value, sometimes an older one: that makes branches.
      const std::string a = random() % 4 == 0 ? values[random() % values.size()] : values.back();
      const std::string b = values[random() % values.size()];
      switch (random() % 12) {
        case 0:
          builder.InitNoise(out + "_w", {4, 4, 3, 3}, random())
              .Node("Conv", {a, out + "_w"}, {out})
              .Ints("pads", {1, 1, 1, 1});
          break;
        case 1:
          AddBatchNorm(builder, a, out, 4);
          break;
        case 2:
          builder.Node("Relu", {a}, {out});
          break;
        case 3:
          builder.Node("Clip", {a, "lo", "hi"}, {out});
          break;
        case 4:
          builder.Node("Mul", {a, "per_channel"}, {out});
          break;
        case 5:
          builder.Node("Sub", {"half", a}, {out});
          break;
        case 6:
          builder.Node("Div", {a, "three"}, {out});
          break;
        case 7:
          builder.Node("Sigmoid", {a}, {out});
          break;
        case 8:
          builder.Node("Add", {a, b}, {out});
          break;
        case 9:
          builder.Node("Tanh", {a}, {out + "_t"});
          builder.Node("Mul", {out + "_t", b}, {out});
          break;
        case 10:
          builder.Node("Identity", {a}, {out});
          break;
        default:
          builder.InitInts(out + "_p", {8}, {0, 0, 1, 1, 0, 0, 0, 1}).Node("Pad", {a, out + "_p"}, {out + "_t"});
          builder.Node("MaxPool", {out + "_t"}, {out}).Ints("kernel_shape", {2, 2}).Ints("pads", {0, 0, 0, 0});
          // 6x6 -> 7x8 -> 6x7: cut the last column again.
          builder.graph().mutable_node(builder.graph().node_size() - 1)->set_output(0, out + "_u");
          builder.InitInts(out + "_s", {1}, {0}).InitInts(out + "_e", {1}, {6}).InitInts(out + "_a", {1}, {3});
          builder.Node("Slice", {out + "_u", out + "_s", out + "_e", out + "_a"}, {out});
          break;
      }
      values.push_back(out);
    }
    builder.Output("y");
    if (random() % 3 == 0 && values.size() > 2) builder.Output(values[1 + random() % (values.size() - 2)]);
    Canonical(builder);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace xrun::test
