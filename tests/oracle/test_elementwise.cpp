#include <gtest/gtest.h>

#include <cmath>

#include "test_builder.h"

namespace xrun::oracle {
namespace {

using Ints = std::vector<int>;

std::string Refusal(ModelBuilder& b, const std::string& in) {
  try {
    b.Codes(in, 1, 0);
  } catch (const Error& error) {
    return error.node();
  }
  return "accepted";
}

TEST(Add, CommonShiftTiesAndBroadcast) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 2, 1, 2}, 0.5F, 1, {2, 4, 0, -2});  // v 1 3 −1 −3
  const auto z = b.Activation("z", {2, 1, 1}, 2, -1, {0, 9});              // v 1 10
  b.Node("Add", {x, z}, "a");
  EXPECT_EQ(b.Codes("a", 1, 4), (Ints{6, 8, 24, 22}));  // 2.5 → 2, 3.5 → 4, 19.5 → 20, 18.5 → 18
}

TEST(Sub, ConstantOperandAndRelu) {
  ModelBuilder b;
  const auto x = b.Activation("x", {4}, 1, 0, {100, -100, 3, 1});
  const auto c = b.Constant("c", {1}, {2}, {1});
  b.Node("Sub", {c, x}, "s");
  b.Node("Relu", {"s"}, "r");
  EXPECT_EQ(b.Codes("r", 1, -50), (Ints{-50, 52, -50, -49}));
}

TEST(Add, ThreeTermsRoundOnce) {
  ModelBuilder b;
  const auto x = b.Activation("x", {2}, 1, 0, {1, 3});
  const auto y = b.Activation("z", {2}, 1, 0, {1, 1});
  const auto w = b.Activation("w", {2}, 1, 0, {3, 3});
  b.Node("Add", {x, y}, "a");
  b.Node("Add", {"a", w}, "b");
  EXPECT_EQ(b.Codes("b", 2, 0), (Ints{2, 4}));  // 2.5 → 2, 3.5 → 4
}

TEST(Mul, SqueezeExciteShape) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 2, 1, 2}, 1, -1, {2, 4, -3, -128});  // v 3 5 −2 −127
  const auto s = b.Activation("s", {1, 2, 1, 1}, 0.5F, 1, {2, 4});          // v 1 3
  b.Node("Mul", {x, s}, "m");
  EXPECT_EQ(b.Codes("m", 1, 0), (Ints{2, 2, -3, -128}));  // 1.5 2.5 −3 −190.5
}

TEST(Concat, EachInputHasItsOwnMultiplier) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 2}, 1, 0, {3, -3});
  const auto z = b.Activation("z", {1, 1, 2}, 0.5F, 10, {11, 13});
  ModelBuilder::Set(b.Node("Concat", {x, z}, "c"), "axis", 1);
  ModelBuilder::Set(b.Node("Transpose", {"c"}, "t"), "perm", {0, 2, 1});
  EXPECT_EQ(b.Codes("t", 1, 1), (Ints{4, 1, -2, 3}));
}

TEST(Unary, SigmoidInDouble) {
  ModelBuilder b;
  const auto x = b.Activation("x", {4}, 0.1F, 3, {3, -128, 127, 20});
  b.Node("Sigmoid", {x}, "s");
  const auto expected = [](int q) {
    const double real = static_cast<double>(0.1F) * (q - 3);
    return static_cast<int>(-128 + std::nearbyint(1 / (1 + std::exp(-real)) * 256));
  };
  EXPECT_EQ(b.Codes("s", 1.0F / 256, -128), (Ints{0, -128, 127, expected(20)}));
}

TEST(Unary, SiluAndHardSwishChains) {
  ModelBuilder b;
  const auto x = b.Activation("x", {3}, 0.5F, 0, {2, -2, 4});
  b.Node("Sigmoid", {x}, "s");
  b.Node("Mul", {x, "s"}, "silu");
  const double e = std::exp(1.0);
  EXPECT_EQ(b.Codes("silu", 0.01F, 0), (Ints{static_cast<int>(std::nearbyint(e / (1 + e) / 0.01)), -27, 127}));

  ModelBuilder h;
  const auto y = h.Activation("x", {5}, 0.5F, 0, {-8, 8, 2, -2, 1});  // −4 4 1 −1 ½
  h.Node("Add", {y, h.Floats("three", {}, {3})}, "a");
  h.Node("Clip", {"a", h.Floats("zero", {}, {0}), h.Floats("six", {}, {6})}, "c");
  h.Node("Mul", {y, "c"}, "m");
  h.Node("Div", {"m", "six"}, "d");
  EXPECT_EQ(h.Codes("d", 0.125F, 0), (Ints{0, 32, 5, -3, 2}));  // 0 4 ⅔ −⅓ 0.2917
}

TEST(Unary, TwoDequantizersOfOneTensorAreOneSource) {
  ModelBuilder b;
  const auto x = b.Activation("x", {2}, 0.5F, 0, {3, -3});
  b.Node("DequantizeLinear",
         {"x", b.Floats("again_s", {}, {0.5F}), b.Integers("again_z", {}, {0}, onnx::TensorProto::INT8)}, "again");
  b.Node("Sigmoid", {"again"}, "s");
  b.Node("Mul", {x, "s"}, "m");
  EXPECT_EQ(b.Codes("m", 0.25F, 0), (Ints{5, -1}));
}

TEST(Unary, StandaloneClipsAndNaN) {
  ModelBuilder b;
  const auto x = b.Activation("x", {3}, 1, 0, {-4, 4, 9});
  b.Node("Sqrt", {x}, "r");
  EXPECT_EQ(b.Codes("r", 1, 7), (Ints{7, 9, 10}));  // √−4 counts as 0
  ModelBuilder leaky;
  const auto y = leaky.Activation("x", {2}, 1, 0, {-6, 6});
  ModelBuilder::Set(leaky.Node("LeakyRelu", {y}, "l"), "alpha", 0.25F);
  EXPECT_EQ(leaky.Codes("l", 1, 0), (Ints{-2, 6}));  // −1.5 → −2
}

TEST(Refusals, NameTheNode) {
  ModelBuilder conv;
  auto x = conv.Activation("x", {1, 1, 1, 1}, 1, 0, {1});
  conv.Node("Conv", {x, conv.Constant("w", {1, 1, 1, 1}, {1}, {1})}, "c");
  conv.Node("Sigmoid", {"c"}, "s");
  EXPECT_EQ(Refusal(conv, "s"), "n_s");

  ModelBuilder two;
  x = two.Activation("x", {2}, 1, 0, {1, 2});
  two.Node("Sigmoid", {two.Activation("z", {2}, 1, 0, {1, 2})}, "s");
  two.Node("Mul", {x, "s"}, "m");
  EXPECT_EQ(Refusal(two, "m"), "n_m");

  ModelBuilder residual;
  x = residual.Activation("x", {1, 1, 1, 1}, 1, 0, {1});
  residual.Node("Conv", {x, residual.Constant("w", {1, 1, 1, 1}, {1}, {1})}, "c");
  residual.Node("Add", {"c", x}, "a");
  EXPECT_EQ(Refusal(residual, "a"), "n_a");

  ModelBuilder unknown;
  unknown.Node("Einsum", {unknown.Activation("x", {1, 1, 1, 1}, 1, 0, {1})}, "l");
  EXPECT_EQ(Refusal(unknown, "l"), "n_l");
}

}  // namespace
}  // namespace xrun::oracle
