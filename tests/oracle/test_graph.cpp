#include <gtest/gtest.h>

#include <cmath>

#include "test_builder.h"

namespace xrun::oracle {
namespace {

using Ints = std::vector<int>;
constexpr int kI8 = onnx::TensorProto::INT8;

/// x (float input) → Q → DQ → `op` result named "r" → output.
ModelBuilder FloatInput(const Shape& shape, float scale, int64_t zero_point) {
  ModelBuilder b;
  ModelBuilder::Port(b.graph().add_input(), "x", shape, onnx::TensorProto::FLOAT);
  b.Quantize("x", "xq", scale, zero_point);
  b.Dequantize("xq", {scale}, {zero_point}, kI8);
  return b;
}

TEST(Graph, FloatInputIsQuantizedInFloat32) {
  ModelBuilder b = FloatInput({5}, 0.5F, 1);
  b.graph().add_output()->set_name("xq_f");
  const Result result =
      oracle::Run(LoadBytes(b.Bytes()), {{"x", {{5}, std::vector<float>{0.25F, 0.75F, -0.25F, 1000, NAN}}}});
  EXPECT_EQ(result.tensors.at("xq").data, (std::vector<int8_t>{1, 3, 1, 127, 1}));
  EXPECT_EQ(result.tensors.at("xq").float_name, "x");
  EXPECT_EQ(result.Find("x"), &result.tensors.at("xq"));
  const OutputTensor& output = result.outputs.at(0);
  EXPECT_EQ(output.values, (std::vector<float>{0, 1, 0, 63, 0}));
  EXPECT_FALSE(output.is_float);
  EXPECT_EQ(output.quantized->data, result.tensors.at("xq").data);
}

TEST(Graph, CodesMayStandForAFloatInput) {
  ModelBuilder b = FloatInput({2}, 0.5F, 1);
  b.graph().add_output()->set_name("xq_f");
  const Result result = oracle::Run(LoadBytes(b.Bytes()), {{"x", {{2}, std::vector<int8_t>{-7, 9}}}});
  EXPECT_EQ(result.tensors.at("xq").data, (std::vector<int8_t>{-7, 9}));
  EXPECT_EQ(result.outputs.at(0).values, (std::vector<float>{-4, 4}));
}

TEST(Graph, SoftmaxIsFloatAndMayBeQuantized) {
  ModelBuilder b = FloatInput({1, 2}, 1, 0);
  b.Node("Softmax", {"xq_f"}, "s");
  b.Quantize("s", "y", 1.0F / 256, -128);
  b.graph().add_output()->set_name("s");
  b.graph().add_output()->set_name("y");
  const Result result = oracle::Run(LoadBytes(b.Bytes()), {{"x", {{1, 2}, std::vector<float>{1, 1}}}});
  EXPECT_TRUE(result.outputs.at(0).is_float);
  EXPECT_EQ(result.outputs.at(0).values, (std::vector<float>{0.5F, 0.5F}));
  EXPECT_EQ(result.tensors.at("y").data, (std::vector<int8_t>{0, 0}));
}

TEST(Graph, ArgMaxTakesTheFirst) {
  ModelBuilder b = FloatInput({1, 3}, 1, 0);
  ModelBuilder::Set(b.Node("ArgMax", {"xq_f"}, "a"), "axis", 1);
  ModelBuilder::Set(b.Node("Cast", {"a"}, "f"), "to", 1);
  b.graph().add_output()->set_name("f");
  const Result result = oracle::Run(LoadBytes(b.Bytes()), {{"x", {{1, 3}, std::vector<float>{1, 5, 5}}}});
  EXPECT_EQ(result.outputs.at(0).values, (std::vector<float>{1}));
}

TEST(Movement, CopiesCodes) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 2, 2}, 0.5F, 3, {1, 2, 3, 4});
  ModelBuilder::Set(b.Node("Transpose", {x}, "t"), "perm", {0, 2, 1});
  b.Node("Pad", {"t", b.Integers("pads", {6}, {0, 0, 1, 0, 0, 0})}, "p");
  b.Node("Slice",
         {"p", b.Integers("starts", {1}, {-1}), b.Integers("ends", {1}, {-10}), b.Integers("axes", {1}, {2}),
          b.Integers("steps", {1}, {-1})},
         "s");
  b.Node("Reshape", {"s", b.Integers("shape", {2}, {0, -1})}, "r");
  const QuantizedTensor y = b.Run("r", 0.5F, 3);
  EXPECT_EQ(y.shape, (Shape{1, 6}));
  EXPECT_EQ(y.data, (std::vector<int8_t>{3, 1, 3, 4, 2, 3}));
}

TEST(Movement, SplitGatherAndDepthToSpace) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 6, 1, 1}, 1, 0, {1, 2, 3, 4, 5, 6});
  auto& split = b.Node("Split", {x, b.Integers("parts", {2}, {2, 4})}, "a");
  split.add_output("b");
  ModelBuilder::Set(split, "axis", 1);
  ModelBuilder::Set(b.Node("Gather", {"b", b.Integers("order", {4}, {3, 0, -2, 1})}, "g"), "axis", 1);
  ModelBuilder::Set(b.Node("DepthToSpace", {"g"}, "d"), "blocksize", 2);
  const QuantizedTensor y = b.Run("d", 1, 0);
  EXPECT_EQ(y.shape, (Shape{1, 1, 2, 2}));
  EXPECT_EQ(y.data, (std::vector<int8_t>{6, 3, 5, 4}));
}

TEST(Movement, OnIntegerTensorsDirectly) {
  ModelBuilder b;
  ModelBuilder::Port(b.graph().add_input(), "x", {2, 2}, kI8);
  b.inputs()["x"] = {{2, 2}, std::vector<int8_t>{1, 2, 3, 4}};
  b.Node("Flatten", {"x"}, "flat");
  b.Node("Transpose", {"flat"}, "t");
  const auto f = b.Dequantize("t", {1}, {0}, kI8);
  EXPECT_EQ(b.Codes(f, 2, 0), (Ints{0, 2, 1, 2}));  // 0.5 → 0, 1.5 → 2: plain requantization
}

TEST(Graph, WeightsQuantizedInTheGraph) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 1, 1}, 1, 0, {10});
  b.Quantize(b.Floats("w", {2, 1, 1, 1}, {0.5F, -1}), "wq", 0.5F, 0);
  b.Node("Conv", {x, b.Dequantize("wq", {0.5F}, {0}, kI8)}, "c");
  EXPECT_EQ(b.Codes("c", 1, 0), (Ints{5, -10}));
}

TEST(Graph, RefusesBadFilesAndInputs) {
  EXPECT_THROW(LoadBytes(""), Error);
  EXPECT_THROW(LoadBytes("not a model"), Error);
  ModelBuilder b = FloatInput({2}, 1, 0);
  b.graph().add_output()->set_name("xq_f");
  const Model model = LoadBytes(b.Bytes());
  EXPECT_THROW(oracle::Run(model, {}), Error);
  EXPECT_THROW(oracle::Run(model, {{"x", {{3}, std::vector<float>{1, 2, 3}}}}), Error);
  EXPECT_THROW(oracle::Run(model, {{"x", {{2}, std::vector<float>{1, 2, 3}}}}), Error);
  EXPECT_THROW(oracle::Run(model, {{"x", {{2}, std::vector<float>{1, 2}}}, {"z", {{1}, std::vector<float>{1}}}}),
               Error);
  ModelBuilder zero = FloatInput({2}, 0, 0);
  zero.graph().add_output()->set_name("xq_f");
  EXPECT_THROW(oracle::Run(LoadBytes(zero.Bytes()), {{"x", {{2}, std::vector<float>{1, 2}}}}), Error);
}

}  // namespace
}  // namespace xrun::oracle
