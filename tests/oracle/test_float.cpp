#include <gtest/gtest.h>

#include <cmath>

#include "test_builder.h"

namespace xrun::oracle {
namespace {

using Floats = std::vector<float>;

/// Runs a model of float input "x" whose result is "y".
Floats FloatOutput(ModelBuilder& b, const Shape& shape, const Floats& x) {
  ModelBuilder::Port(b.graph().add_input(), "x", shape, onnx::TensorProto::FLOAT);
  b.graph().add_output()->set_name("y");
  const Result result = oracle::Run(LoadBytes(b.Bytes()), {{"x", InputTensor{shape, x}}});
  EXPECT_TRUE(result.outputs[0].is_float);
  return result.outputs[0].values;
}

TEST(Float, LrnSumsNeighbourChannels) {
  ModelBuilder b;
  onnx::NodeProto& node = b.Node("LRN", {"x"}, "y");
  ModelBuilder::Set(node, "size", 2);  // the channel itself and the next one
  ModelBuilder::Set(node, "alpha", 2.0F);
  ModelBuilder::Set(node, "beta", 1.0F);
  EXPECT_EQ(FloatOutput(b, {1, 3, 1}, {1, 2, 3}), (Floats{1.0F / 6, 2.0F / 14, 3.0F / 10}));
}

TEST(Float, MatMulBroadcastsItsBatch) {
  ModelBuilder b;
  b.Node("MatMul", {"x", b.Floats("w", {2, 2, 1}, {1, 2, 3, 4})}, "y");
  EXPECT_EQ(FloatOutput(b, {1, 1, 2}, {5, 7}), (Floats{19, 43}));
}

TEST(Float, PoolsAndMeans) {
  ModelBuilder average;
  onnx::NodeProto& node = average.Node("AveragePool", {"x"}, "y");
  ModelBuilder::Set(node, "kernel_shape", {1, 2});
  ModelBuilder::Set(node, "pads", {0, 1, 0, 0});
  EXPECT_EQ(FloatOutput(average, {1, 1, 1, 3}, {1, 2, 4}), (Floats{1, 1.5F, 3}));
  ModelBuilder largest;
  ModelBuilder::Set(largest.Node("MaxPool", {"x"}, "y"), "kernel_shape", {1, 2});
  EXPECT_EQ(FloatOutput(largest, {1, 1, 1, 3}, {-1, -2, -4}), (Floats{-1, -2}));
  ModelBuilder mean;
  onnx::NodeProto& reduce = mean.Node("ReduceMean", {"x"}, "y");
  ModelBuilder::Set(reduce, "axes", {0, 2});
  ModelBuilder::Set(reduce, "keepdims", 0);
  EXPECT_EQ(FloatOutput(mean, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), (Floats{3.5F, 5.5F}));
}

TEST(Float, ArgMinAndTies) {
  for (const bool last : {false, true}) {
    ModelBuilder b;
    onnx::NodeProto& node = b.Node("ArgMin", {"x"}, "y");
    ModelBuilder::Set(node, "axis", 1);
    ModelBuilder::Set(node, "select_last_index", last ? 1 : 0);
    EXPECT_EQ(FloatOutput(b, {1, 4}, {3, 1, 2, 1}), (Floats{last ? 3.0F : 1.0F}));
  }
}

TEST(Float, AQuantizeLinearMustNotReadWhatLacksOne) {
  ModelBuilder b;
  const std::string x = b.Activation("x", {1, 1, 1, 1}, 1, 0, {1});
  b.Node("Conv", {x, b.Constant("w", {1, 1, 1, 1}, {1}, {1})}, "c");
  ModelBuilder::Set(b.Node("MaxPool", {"c"}, "m"), "kernel_shape", {1, 1});
  EXPECT_THROW(b.Codes("m", 1, 0), Error);
}

}  // namespace
}  // namespace xrun::oracle
