#include <gtest/gtest.h>

#include "test_builder.h"

namespace xrun::oracle {
namespace {

using Ints = std::vector<int>;

void SetWindow(onnx::NodeProto& node, const std::vector<int64_t>& kernel, const std::vector<int64_t>& strides,
               const std::vector<int64_t>& pads) {
  ModelBuilder::Set(node, "kernel_shape", kernel);
  ModelBuilder::Set(node, "strides", strides);
  ModelBuilder::Set(node, "pads", pads);
}

TEST(MaxPool, PaddingNeverWins) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 2, 2}, 0.5F, 100, {-128, -127, -120, -100});
  SetWindow(b.Node("MaxPool", {x}, "p"), {2, 2}, {1, 1}, {1, 1, 0, 0});
  EXPECT_EQ(b.Codes("p", 0.5F, 100), (Ints{-128, -127, -120, -100}));
}

TEST(MaxPool, RequantizesToOtherParameters) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 1, 4}, 0.5F, 2, {3, 1, 7, 5});  // v max 1, 5
  SetWindow(b.Node("MaxPool", {x}, "p"), {1, 2}, {1, 2}, {0, 0, 0, 0});
  EXPECT_EQ(b.Codes("p", 1, -1), (Ints{-1, 1}));  // 0.5 → 0, 2.5 → 2
}

TEST(AveragePool, CountsAtTheEdges) {
  for (const int64_t include_pad : {0, 1}) {
    ModelBuilder b;
    const auto x = b.Activation("x", {1, 1, 2, 2}, 1, -10, {2, 8, 14, 26});  // v 12 18 24 36
    auto& node = b.Node("AveragePool", {x}, "p");
    SetWindow(node, {2, 2}, {1, 1}, {1, 1, 0, 0});
    ModelBuilder::Set(node, "count_include_pad", include_pad);
    // 22.5 → 22 in the full window, counts 1, 2, 2, 4 elsewhere
    EXPECT_EQ(b.Codes("p", 1, 0),
              include_pad != 0 ? (Ints{3, 8, 9, 22}) : (Ints{12, 15, 18, 22}));  // 7.5 → 8, 22.5 → 22
  }
}

TEST(AveragePool, CeilModeDropsWindowsInThePadding) {
  for (const int64_t include_pad : {0, 1}) {
    ModelBuilder b;
    const auto x = b.Activation("x", {1, 1, 1, 4}, 1, 0, {10, 20, 30, 40});
    auto& node = b.Node("AveragePool", {x}, "p");
    SetWindow(node, {1, 3}, {1, 2}, {0, 0, 0, 0});
    ModelBuilder::Set(node, "ceil_mode", 1);
    ModelBuilder::Set(node, "count_include_pad", include_pad);
    EXPECT_EQ(b.Codes("p", 1, 0), (Ints{20, 35}));  // the cut window has 2 elements, inside the padded extents too
  }
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 1, 2}, 1, 0, {10, 20});
  auto& node = b.Node("AveragePool", {x}, "p");
  SetWindow(node, {1, 1}, {1, 2}, {0, 0, 0, 1});
  ModelBuilder::Set(node, "ceil_mode", 1);
  EXPECT_EQ(b.Codes("p", 1, 0), (Ints{10}));  // a second window would start behind the input
}

TEST(AveragePool, SameUpper) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 1, 1, 4}, 1, 0, {10, 20, 30, 40});
  auto& node = b.Node("AveragePool", {x}, "p");
  ModelBuilder::Set(node, "kernel_shape", {1, 2});
  ModelBuilder::SetString(node, "auto_pad", "SAME_UPPER");
  EXPECT_EQ(b.Codes("p", 1, 0), (Ints{15, 25, 35, 40}));
}

TEST(GlobalAveragePool, DividesByTheArea) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 2, 1, 3}, 1, 1, {2, 3, 4, -4, -5, -6});
  b.Node("GlobalAveragePool", {x}, "p");
  const QuantizedTensor y = b.Run("p", 1, 5);
  EXPECT_EQ(y.shape, (Shape{1, 2, 1, 1}));
  EXPECT_EQ(y.data, (std::vector<int8_t>{7, -1}));
}

TEST(ReduceMean, AxesAndKeepDims) {
  ModelBuilder b;
  const auto x = b.Activation("x", {1, 2, 2, 2}, 1, 0, {1, 2, 3, 4, 10, 20, 30, 41});
  auto& node = b.Node("ReduceMean", {x}, "p");
  ModelBuilder::Set(node, "axes", {2, -1});
  ModelBuilder::Set(node, "keepdims", 0);
  const QuantizedTensor y = b.Run("p", 1, 0);
  EXPECT_EQ(y.shape, (Shape{1, 2}));
  // 2.5 → 2 is a tie of the exact sum times m/2^sh with sx/(4·sy) = ¼ exact; 25.25 → 25
  EXPECT_EQ(y.data, (std::vector<int8_t>{2, 25}));
}

}  // namespace
}  // namespace xrun::oracle
