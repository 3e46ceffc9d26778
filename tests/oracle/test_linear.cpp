#include <gtest/gtest.h>

#include "test_builder.h"

namespace xrun::oracle {
namespace {

using Ints = std::vector<int>;

TEST(Conv, PadsWithTheZeroPoint) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 2, 2}, 1, 5, {6, 7, 8, 9});  // real 1 2 3 4
  const auto w = b.Constant("w", {1, 1, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1});
  ModelBuilder::Set(b.Node("Conv", {x, w}, "c"), "pads", {1, 1, 1, 1});
  EXPECT_EQ(b.Codes("c", 1, -3), (Ints{7, 7, 7, 7}));
}

TEST(Conv, WeightZeroPointsAndScalesPerChannel) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 2, 1, 1}, 0.5F, -1, {3, -5});  // v = 4, −4
  const auto w = b.Constant("w", {2, 2, 1, 1}, {10, 7, -20, 1}, {1, 0.25F}, {2, -1});
  b.Node("Conv", {x, w}, "c");
  // channel 0: 4·8 − 4·5 = 12, ·½ = 6; channel 1: 4·(−19) − 4·2 = −84, ·⅛ = −10.5 → −10
  EXPECT_EQ(b.Codes("c", 1, 0), (Ints{6, -10}));
}

TEST(Conv, UnsignedTensorsShiftBy128) {
  ModelBuilder b;
  constexpr int kU8 = onnx::TensorProto::UINT8;
  const auto x = b.Activation("x", {1, 1, 1, 2}, 1, 128, {3, -4}, kU8);  // codes 131, 124
  const auto w = b.Constant("w", {1, 1, 1, 1}, {130}, {1}, {127}, kU8);  // 3
  b.Node("Conv", {x, w}, "c");
  const QuantizedTensor y = b.Run("c", 1, 100, kU8);
  EXPECT_EQ(y.data, (std::vector<int8_t>{-19, -40}));  // 100 + 9 − 128, 100 − 12 − 128
  EXPECT_EQ(y.zero_point, -28);
  EXPECT_TRUE(y.stored_unsigned);
  EXPECT_EQ(y.float_name, "c");
}

TEST(Conv, StrideDilationAndGroups) {
  ModelBuilder b;
  std::vector<int8_t> data;
  for (int i = 0; i < 2 * 5; ++i) data.push_back(static_cast<int8_t>(i));
  const auto x = b.Activation("x", {1, 2, 1, 5}, 1, 0, data);
  const auto w = b.Constant("w", {4, 1, 1, 2}, {1, 1, 1, -1, 2, 0, 0, 3}, {1});
  auto& node = b.Node("Conv", {x, w}, "c");
  ModelBuilder::Set(node, "group", 2);
  ModelBuilder::Set(node, "strides", {1, 2});
  ModelBuilder::Set(node, "dilations", {1, 3});
  ModelBuilder::Set(node, "pads", {0, 1, 0, 1});
  // taps at positions −1+2o and 2+2o: (pad,2) (1,4); row 0 = 0…4, row 1 = 5…9
  EXPECT_EQ(b.Codes("c", 1, 0), (Ints{2, 5, -2, -3, 0, 12, 21, 27}));
}

TEST(Conv, BiasIntegerAndFloat) {
  for (const bool as_float : {false, true}) {
    ModelBuilder b;
    const auto x = b.Activation("x", {1, 1, 1, 1}, 0.5F, 0, {1});
    const auto w = b.Constant("w", {2, 1, 1, 1}, {1, 1}, {0.5F, 0.25F});
    // 0.625/0.25 = 2.5 → 2; −0.4375/0.125 = −3.5 → −4
    const auto bias = as_float ? b.Floats("b", {2}, {0.625F, -0.4375F})
                               : b.Constant("b", {2}, {2, -4}, {0.25F, 0.125F}, {}, onnx::TensorProto::INT32);
    b.Node("Conv", {x, w, bias}, "c");
    EXPECT_EQ(b.Codes("c", 0.125F, 0), (Ints{6, -3}));
  }
}

TEST(Conv, TiesSaturationAndClamps) {
  const auto run = [](const std::string& op, float lo, float hi) {
    ModelBuilder b;
    const auto x = b.Activation("x", {1, 1, 1, 6}, 0.5F, 0, {1, 3, -1, 127, -128, -3});
    const auto w = b.Constant("w", {1, 1, 1, 1}, {1}, {1});
    b.Node("Conv", {x, w}, "c");
    if (op.empty()) return b.Codes("c", 1, 70);
    std::vector<std::string> inputs = {"c"};
    if (op == "Clip") inputs = {"c", b.Floats("lo", {}, {lo}), b.Floats("hi", {}, {hi})};
    b.Node(op, inputs, "r");
    return b.Codes("r", 1, 70);
  };
  EXPECT_EQ(run("", 0, 0), (Ints{70, 72, 70, 127, 6, 68}));
  EXPECT_EQ(run("Relu", 0, 0), (Ints{70, 72, 70, 127, 70, 70}));
  EXPECT_EQ(run("Clip", -1.5F, 2.5F), (Ints{70, 72, 70, 72, 68, 68}));  // bounds −1.5 → −2 and 2.5 → 2
  EXPECT_EQ(run("Clip", -3e38F, 3e38F), (Ints{70, 72, 70, 127, 6, 68}));
}

TEST(Conv, TinyRatioYieldsTheZeroPointAndLargeIsRefused) {
  const auto run = [](float scale) {
    ModelBuilder b;
    const auto x = b.Activation("x", {1, 1, 1, 1}, scale, 0, {100});
    const auto w = b.Constant("w", {1, 1, 1, 1}, {100}, {1});
    b.Node("Conv", {x, w}, "c");
    return b.Codes("c", 1, 9)[0];
  };
  EXPECT_EQ(run(1e-12F), 9);
  EXPECT_EQ(run(255.0F), 127);
  EXPECT_THROW(run(256.0F), Error);
}

TEST(Conv, OneDimensional) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 4}, 1, 0, {1, 2, 3, 4});
  const auto w = b.Constant("w", {1, 1, 2}, {1, 10}, {1});
  b.Node("Conv", {x, w}, "c");
  const QuantizedTensor y = b.Run("c", 1, 0);
  EXPECT_EQ(y.shape, (Shape{1, 1, 3}));
  EXPECT_EQ(y.data, (std::vector<int8_t>{21, 32, 43}));
}

TEST(Conv, LongDotProductsAreExact) {
  // 40,000 products of 255 · 255 = 2,601,000,000: more than int32, refused; half of it fits.
  for (const int64_t channels : {40000, 20000}) {
    ModelBuilder b;
    const auto x = b.Activation("x", {1, channels, 1, 1}, 1, -128, std::vector<int8_t>(channels, 127));
    const auto w =
        b.Constant("w", {1, channels, 1, 1}, std::vector<int64_t>(channels, 127), {1.0F / (1 << 24)}, {-128});
    b.Node("Conv", {x, w}, "c");
    if (channels == 40000) {
      EXPECT_THROW(b.Codes("c", 1, 0), Error);
    } else {
      EXPECT_EQ(b.Codes("c", 1, 0), (Ints{78}));  // 1,300,500,000 / 2^24 = 77.52
    }
  }
}

TEST(ConvTranspose, ScattersWithStride) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 1, 2}, 1, 0, {1, 2});
  const auto w = b.Constant("w", {1, 2, 1, 3}, {1, 2, 3, 10, 20, 30}, {1, 1}, {}, onnx::TensorProto::INT8, 1);
  ModelBuilder::Set(b.Node("ConvTranspose", {x, w}, "c"), "strides", {1, 2});
  EXPECT_EQ(b.Codes("c", 1, 0), (Ints{1, 2, 5, 4, 6, 10, 20, 50, 40, 60}));
}

TEST(Gemm, TransBAndPerRowScales) {
  for (const int64_t trans_b : {0, 1}) {
    ModelBuilder b;
    const auto x = b.Activation("x", {2, 2}, 1, 1, {2, 3, 1, 5});  // v: 1 2 / 0 4
    const std::vector<int64_t> plain = {1, 2, 3, 4, 5, 6};
    const std::vector<int64_t> transposed = {1, 4, 2, 5, 3, 6};
    const Shape shape = trans_b != 0 ? Shape{3, 2} : Shape{2, 3};
    const auto w = b.Constant("w", shape, trans_b != 0 ? transposed : plain, {1, 0.5F, 2}, {}, onnx::TensorProto::INT8,
                              1 - trans_b);
    const auto bias = b.Constant("b", {3}, {1, 2, 3}, {1, 0.5F, 2}, {}, onnx::TensorProto::INT32);
    ModelBuilder::Set(b.Node("Gemm", {x, w, bias}, "c"), "transB", trans_b);
    // acc: 10 14 18 / 17 22 27
    EXPECT_EQ(b.Codes("c", 1, 0), (Ints{10, 7, 36, 17, 11, 54}));
  }
}

TEST(MatMul, BatchedWithBiasFromAdd) {
  ModelBuilder b;
  const auto x = b.Activation("x", {2, 1, 2}, 1, 0, {1, 2, 3, 4});
  const auto w = b.Constant("w", {2, 2}, {1, 2, 3, 4}, {0.5F});
  b.Node("MatMul", {x, w}, "m");
  b.Node("Add", {b.Floats("bias", {2}, {0.75F, -1}), "m"}, "a");  // 1.5 → 2, −2
  const QuantizedTensor y = b.Run("a", 0.5F, 0);
  EXPECT_EQ(y.shape, (Shape{2, 1, 2}));
  EXPECT_EQ(y.data, (std::vector<int8_t>{9, 8, 17, 20}));
}

TEST(MatMul, TwoActivations) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 2, 1}, 1, 1, {3, 0});
  const auto z = b.Activation("z", {1, 1, 2}, 1, -1, {4, -3});
  b.Node("MatMul", {x, z}, "m");
  EXPECT_EQ(b.Codes("m", 1, 0), (Ints{10, -4, -5, 2}));
}

}  // namespace
}  // namespace xrun::oracle
