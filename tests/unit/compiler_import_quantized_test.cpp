// QuantizeLinear and DequantizeLinear: uint8 shifted to int8, axes, biases, weights brought into our layout, refusals.

#include <gtest/gtest.h>

#include "compiler/passes/canonicalize.h"
#include "tests/unit/onnx_builder.h"
#include "tests/unit/run_graph.h"

namespace xrun::test {
namespace {

using compiler::Graph;
using compiler::Node;
using compiler::Shape;
using compiler::Value;

constexpr int kInt8 = onnx::TensorProto::INT8, kUint8 = onnx::TensorProto::UINT8, kInt32 = onnx::TensorProto::INT32;

Graph Imported(const OnnxBuilder& builder) {
  auto graph = builder.Import();
  EXPECT_TRUE(graph.ok()) << graph.failure().ToString();
  return graph.ok() ? std::move(graph).value() : Graph{};
}

std::string Refusal(const OnnxBuilder& builder) {
  auto graph = builder.Import();
  return graph.ok() ? "imported" : graph.failure().ToString();
}

const Value& Named(const Graph& graph, const std::string& name) {
  const auto id = graph.FindValue(name);
  EXPECT_NE(id, compiler::kNone) << name;
  static const Value kMissing;
  return id == compiler::kNone ? kMissing : graph.at(id);
}

/// x -> Q -> q -> DQ -> y with the parameters s and z.
OnnxBuilder RoundTrip(int64_t opset, int type, int64_t zero_point) {
  OnnxBuilder builder(opset);
  builder.Input("x", {4}).Output("y").Init("s", {}, {0.5F}).InitInts("z", {}, {zero_point}, type);
  builder.Node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  builder.Node("DequantizeLinear", {"q", "s", "z"}, {"y"});
  return builder;
}

TEST(CompilerImportQuantized, Uint8ActivationsAreShiftedAndMeanTheSame) {
  const std::vector<float> x{-100, 0.2F, 3.3F, 100};
  for (int64_t opset : {10, 13, 19, 21}) {
    const Graph graph = Imported(RoundTrip(opset, kUint8, 100));
    EXPECT_EQ(Named(graph, "q").quant->zero_point[0], -28);
    auto y = RunGraph(graph, {x});
    ASSERT_TRUE(y.ok());
    EXPECT_EQ(y->front(), (std::vector<float>{-50, 0, 3.5F, 77.5F}));  // saturates at 0 and 255
  }
}

TEST(CompilerImportQuantized, Int8ActivationsKeepTheirZeroPoint) {
  EXPECT_EQ(Named(Imported(RoundTrip(13, kInt8, -5)), "q").quant->zero_point[0], -5);
}

TEST(CompilerImportQuantized, WithoutZeroPointTheTypeIsUint8) {
  OnnxBuilder builder(13);
  builder.Input("x", {4}).Output("y").Init("s", {}, {0.5F});
  builder.Node("QuantizeLinear", {"x", "s"}, {"q"});
  builder.Node("DequantizeLinear", {"q", "s"}, {"y"});
  EXPECT_EQ(Named(Imported(builder), "q").quant->zero_point[0], -128);
}

TEST(CompilerImportQuantized, OutputTypeAttributeOfOpset21) {
  OnnxBuilder builder(21);
  builder.Input("x", {4}).Output("y").Init("s", {}, {0.5F});
  builder.Node("QuantizeLinear", {"x", "s"}, {"q"}).Int("output_dtype", kInt8);
  builder.Node("DequantizeLinear", {"q", "s"}, {"y"});
  EXPECT_EQ(Named(Imported(builder), "q").quant->zero_point[0], 0);
}

/// A convolution with quantized weights per channel and an int32 bias.
OnnxBuilder QuantizedConv(int weight_type, const std::vector<int64_t>& zero_points) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 1, 2, 2}).Output("y");
  builder.InitInts("w_q", {2, 1, 1, 1}, {3, 200 % (weight_type == kInt8 ? 128 : 256)}, weight_type);
  builder.Init("w_s", {2}, {0.5F, 0.25F}).InitInts("w_z", {2}, zero_points, weight_type);
  builder.InitInts("b_q", {2}, {100, -100}, kInt32).Init("b_s", {2}, {0.5F, 0.25F});
  builder.Node("DequantizeLinear", {"w_q", "w_s", "w_z"}, {"w"}).Int("axis", 0);
  builder.Node("DequantizeLinear", {"b_q", "b_s"}, {"b"}).Int("axis", 0);
  builder.Node("Conv", {"x", "w", "b"}, {"y"});
  return builder;
}

TEST(CompilerImportQuantized, WeightsAndBiasesStayIntegerConstants) {
  const Graph graph = Imported(QuantizedConv(kUint8, {128, 100}));
  const Value& w = Named(graph, "w_q");
  EXPECT_EQ(w.dtype, DType::kInt8);
  EXPECT_EQ(w.data<int8_t>()[0], 3 - 128);
  EXPECT_EQ(w.data<int8_t>()[1], 200 - 128);
  EXPECT_EQ(w.quant->zero_point, (std::vector<int32_t>{0, -28}));
  EXPECT_EQ(w.quant->axis, 0);
  const Value& b = Named(graph, "b_q");
  EXPECT_EQ(b.dtype, DType::kInt32);
  EXPECT_EQ(b.data<int32_t>()[1], -100);
  auto y = RunGraph(graph, {{1, 1, 1, 1}});
  ASSERT_TRUE(y.ok());
  EXPECT_FLOAT_EQ(y->front()[0], -62.5F + 50);
  EXPECT_FLOAT_EQ(y->front()[4], 25.0F - 25);
}

TEST(CompilerImportQuantized, GemmWeightsAreTransposedWithTheirAxis) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 2}).Output("y");
  builder.InitInts("w_q", {2, 3}, {1, 2, 3, 4, 5, 6}, kInt8)
      .Init("w_s", {3}, {1, 2, 3})
      .InitInts("w_z", {3}, {0, 0, 0}, kInt8);
  builder.Node("DequantizeLinear", {"w_q", "w_s", "w_z"}, {"w"}).Int("axis", 1);
  builder.Node("MatMul", {"x", "w"}, {"y"});
  const Graph graph = Imported(builder);
  const Value& w = Named(graph, "w_q");
  EXPECT_EQ(w.shape, (Shape{3, 2}));
  EXPECT_EQ(w.quant->axis, 0);
  auto y = RunGraph(graph, {{1, 10}});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(y->front(), (std::vector<float>{41, 104, 189}));
}

TEST(CompilerImportQuantized, TransposeAndReshapeOfQuantizedWeightsAreFolded) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 2}).Output("y");
  builder.InitInts("w_q", {3, 2}, {1, 4, 2, 5, 3, 6}, kInt8).Init("w_s", {3}, {1, 2, 3});
  builder.Node("DequantizeLinear", {"w_q", "w_s"}, {"w"}).Int("axis", 0);
  builder.Node("Transpose", {"w"}, {"wt"});
  builder.Node("MatMul", {"x", "wt"}, {"y"});
  const Graph graph = Imported(builder);
  EXPECT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(Named(graph, "w_q").quant->axis, 0);
  auto y = RunGraph(graph, {{1, 10}});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(y->front(), (std::vector<float>{41, 104, 189}));
}

TEST(CompilerImportQuantized, FloatWeightsThroughQuantizeBecomeIntegers) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 1, 1, 1}).Output("y").Init("w", {1, 1, 1, 1}, {1.3F}).Init("s", {}, {0.5F});
  builder.InitInts("z", {}, {0}, kUint8);
  builder.Node("QuantizeLinear", {"w", "s", "z"}, {"q"});
  builder.Node("DequantizeLinear", {"q", "s", "z"}, {"wd"});
  builder.Node("Conv", {"x", "wd"}, {"y"});
  const Graph graph = Imported(builder);
  ASSERT_EQ(graph.nodes.size(), 2U);  // Dequantize, Conv
  EXPECT_EQ(Named(graph, "q").data<int8_t>()[0], 3 - 128);
  auto y = RunGraph(graph, {{2}});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(y->front()[0], 3);
}

TEST(CompilerImportQuantized, IntegerInputsAndOutputsAreRecorded) {
  OnnxBuilder builder(13);
  builder.Input("x", {4}, kUint8).Output("q", kUint8).Init("s", {}, {0.5F}).InitInts("z", {}, {7}, kUint8);
  builder.Node("DequantizeLinear", {"x", "s", "z"}, {"f"});
  builder.Node("Relu", {"f"}, {"r"});
  builder.Node("QuantizeLinear", {"r", "s", "z"}, {"q"});
  const Graph graph = Imported(builder);
  EXPECT_EQ(Named(graph, "x").quant->zero_point[0], 7 - 128);
  EXPECT_EQ(graph.metadata.at("type:x"), "uint8");
  EXPECT_EQ(graph.metadata.at("type:q"), "uint8");
}

TEST(CompilerImportQuantized, DataMovesBetweenQuantizeAndDequantize) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 4})
      .Output("y")
      .Init("s", {}, {0.5F})
      .InitInts("z", {}, {3}, kUint8)
      .InitInts("t", {2}, {2, 2});
  builder.Node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  builder.Node("Reshape", {"q", "t"}, {"r"});
  builder.Node("DequantizeLinear", {"r", "s", "z"}, {"y"});
  const Graph graph = Imported(builder);
  EXPECT_EQ(Named(graph, "r").dtype, DType::kInt8);
  EXPECT_EQ(Named(graph, "r").quant->zero_point[0], -125);
}

TEST(CompilerImportQuantized, CanonicalizationMovesNoRoundingPoint) {
  OnnxBuilder builder = QuantizedConv(kInt8, {0, 0});
  builder.graph().mutable_node(2)->set_output(0, "c");
  builder.Init("s", {}, {0.5F}).InitInts("z", {}, {3}, kInt8).Init("two", {}, {2.0F});
  builder.Node("Mul", {"c", "two"}, {"m"});  // must not go into the integer weights
  builder.Node("Relu", {"m"}, {"r"});
  builder.Node("QuantizeLinear", {"r", "s", "z"}, {"q"});
  builder.Node("DequantizeLinear", {"q", "s", "z"}, {"d"});
  builder.Node("Relu", {"d"}, {"y"});  // must not cross the Dequantize
  Graph graph = Imported(builder);
  const auto before = RunGraph(graph, {Noise(4)});
  ASSERT_TRUE(compiler::Canonicalize(graph).ok());
  const auto after = RunGraph(graph, {Noise(4)});
  EXPECT_EQ(*before, *after);
  EXPECT_EQ(Named(graph, "w_q").data<int8_t>()[0], 3);
  std::string ops;
  for (const Node& node : graph.nodes) ops += std::string(Name(node.op)) + " ";
  EXPECT_EQ(ops, "Dequantize Dequantize Conv Unary Quantize Dequantize Unary ");
}

TEST(CompilerImportQuantized, ReluBetweenConvAndQuantizeIsFused) {
  OnnxBuilder builder = QuantizedConv(kInt8, {0, 0});
  builder.graph().mutable_node(2)->set_output(0, "c");
  builder.Init("s", {}, {0.5F}).InitInts("z", {}, {3}, kInt8);
  builder.Node("Relu", {"c"}, {"r"});
  builder.Node("QuantizeLinear", {"r", "s", "z"}, {"q"});
  builder.Node("DequantizeLinear", {"q", "s", "z"}, {"y"});
  Graph graph = Imported(builder);
  ASSERT_TRUE(compiler::Canonicalize(graph).ok());
  EXPECT_EQ(graph.nodes[2].op, Op::kConv);
  EXPECT_TRUE(graph.nodes[2].clamp.has_value());
}

TEST(CompilerImportQuantized, Refusals) {
  const auto with_zero_point = [](int type) { return RoundTrip(21, type, 0); };
  EXPECT_NE(Refusal(with_zero_point(onnx::TensorProto::UINT16)).find("quantizes to uint16"), std::string::npos);
  OnnxBuilder int4 = RoundTrip(21, kInt8, 0);
  int4.graph().mutable_initializer(1)->set_data_type(22);
  EXPECT_NE(Refusal(int4).find("int4 is not supported"), std::string::npos);
  OnnxBuilder block = RoundTrip(21, kInt8, 0);
  NodeBuilder(block.graph().mutable_node(0)).Int("block_size", 2);
  EXPECT_NE(Refusal(block).find("block_size"), std::string::npos);
  OnnxBuilder zero = RoundTrip(13, kInt8, 0);
  zero.graph().mutable_initializer(0)->set_float_data(0, 0);
  EXPECT_NE(Refusal(zero).find("must be positive"), std::string::npos);
  OnnxBuilder other = RoundTrip(13, kInt8, 0);
  other.InitInts("z2", {}, {1}, kInt8).graph().mutable_node(1)->set_input(2, "z2");
  EXPECT_NE(Refusal(other).find("another scale or zero point"), std::string::npos);
  OnnxBuilder types = RoundTrip(13, kInt8, 0);
  types.InitInts("z2", {}, {0}, kUint8).graph().mutable_node(1)->set_input(2, "z2");
  EXPECT_NE(Refusal(types).find("its zero point uint8"), std::string::npos);
  OnnxBuilder per_channel(13);
  per_channel.Input("x", {2, 2}).Output("q").Init("s", {2}, {1, 2}).Node("QuantizeLinear", {"x", "s"}, {"q"});
  EXPECT_NE(Refusal(per_channel).find("an activation per channel"), std::string::npos);
  OnnxBuilder integer(13);
  integer.Input("x", {2}).Output("y").Init("s", {}, {1}).InitInts("z", {}, {0}, kInt8);
  integer.Node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  integer.Node("Relu", {"q"}, {"y"});
  EXPECT_NE(Refusal(integer).find("without DequantizeLinear"), std::string::npos);
}

}  // namespace
}  // namespace xrun::test
