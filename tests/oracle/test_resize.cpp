#include <gtest/gtest.h>

#include "test_builder.h"

namespace xrun::oracle {
namespace {

using Ints = std::vector<int>;
using Floats = std::vector<float>;

struct Form {
  std::string mode;
  std::string coordinates = "half_pixel";
  std::string nearest = "round_prefer_floor";
  std::vector<float> scales;   // of [1, 1, 1, W], or
  std::vector<int64_t> sizes;  // these
};

void AddResize(ModelBuilder& b, const std::string& x, const Form& form) {
  std::vector<std::string> inputs = {x, ""};
  inputs.push_back(form.scales.empty() ? "" : b.Floats("scales", {4}, form.scales));
  if (!form.sizes.empty()) inputs.push_back(b.Integers("sizes", {4}, form.sizes));
  onnx::NodeProto& node = b.Node("Resize", inputs, "r");
  ModelBuilder::SetString(node, "mode", form.mode);
  ModelBuilder::SetString(node, "coordinate_transformation_mode", form.coordinates);
  ModelBuilder::SetString(node, "nearest_mode", form.nearest);
}

/// A row 1 2 3 … of `width` pixels, resized and quantized at `scale`.
Ints Row(int64_t width, const Form& form, float scale = 1) {
  ModelBuilder b(form.coordinates == "tf_half_pixel_for_nn" ? 11 : 19);
  std::vector<int8_t> data;
  for (int64_t i = 1; i <= width; ++i) data.push_back(static_cast<int8_t>(i));
  AddResize(b, b.Activation("x", {1, 1, 1, width}, 1, 0, data), form);
  return b.Codes("r", scale, 0);
}

TEST(ResizeNearest, RoundingModes) {
  // Half-pixel coordinates of 4 → 2 are ½ and 2½: ties.
  const auto halved = [](const std::string& nearest) {
    return Row(4, {"nearest", "half_pixel", nearest, {1, 1, 1, 0.5F}, {}});
  };
  EXPECT_EQ(halved("round_prefer_floor"), (Ints{1, 3}));
  EXPECT_EQ(halved("round_prefer_ceil"), (Ints{2, 4}));
  EXPECT_EQ(halved("floor"), (Ints{1, 3}));
  EXPECT_EQ(halved("ceil"), (Ints{2, 4}));
}

TEST(ResizeNearest, CoordinateModes) {
  const std::vector<int64_t> five = {1, 1, 1, 5};
  const std::string floor = "floor";
  EXPECT_EQ(Row(3, {"nearest", "asymmetric", floor, {}, five}), (Ints{1, 1, 2, 2, 3}));     // 0 .6 1.2 1.8 2.4
  EXPECT_EQ(Row(3, {"nearest", "half_pixel", floor, {}, five}), (Ints{1, 1, 2, 2, 3}));     // −.2 .4 1 1.6 2.2
  EXPECT_EQ(Row(3, {"nearest", "align_corners", floor, {}, five}), (Ints{1, 1, 2, 2, 3}));  // 0 .5 1 1.5 2
  EXPECT_EQ(Row(3, {"nearest", "half_pixel", "ceil", {}, five}), (Ints{1, 2, 2, 3, 3}));
  EXPECT_EQ(Row(3, {"nearest", "align_corners", "ceil", {}, five}), (Ints{1, 2, 2, 3, 3}));
  EXPECT_EQ(Row(3, {"nearest", "asymmetric", "ceil", {}, five}), (Ints{1, 2, 3, 3, 3}));
  EXPECT_EQ(Row(4, {"nearest", "tf_half_pixel_for_nn", floor, {1, 1, 1, 0.5F}, {}}), (Ints{2, 4}));  // 1 3
  // 2.5 pixels become 2, whose centre is moved: ⅖ + ⅘·{1, 3} − ½ = .7 2.3, where half_pixel has .3 1.9.
  EXPECT_EQ(Row(4, {"nearest", "half_pixel_symmetric", "ceil", {1, 1, 1, 0.625F}, {}}), (Ints{2, 4}));
  EXPECT_EQ(Row(4, {"nearest", "half_pixel", "ceil", {1, 1, 1, 0.625F}, {}}), (Ints{2, 3}));
}

TEST(ResizeLinear, ExactSumsRoundOnce) {
  const Form twice{"linear", "half_pixel", "floor", {1, 1, 1, 2}, {}};
  EXPECT_EQ(Row(3, twice, 0.25F), (Ints{4, 5, 7, 9, 11, 12}));  // 1 1.25 1.75 2.25 2.75 3
  EXPECT_EQ(Row(3, twice, 0.5F), (Ints{2, 2, 4, 4, 6, 6}));     // 2.5 → 2, 3.5 → 4, 4.5 → 4, 5.5 → 6
  const Form corners{"linear", "align_corners", "floor", {}, {1, 1, 1, 5}};
  EXPECT_EQ(Row(3, corners, 0.5F), (Ints{2, 3, 4, 5, 6}));
  const Form thirds{"linear", "asymmetric", "floor", {1, 1, 1, 3}, {}};
  EXPECT_EQ(Row(2, thirds, 0.125F), (Ints{8, 11, 13, 16, 16, 16}));  // 1 1⅓ 1⅔ 2 2 2: 10⅔ and 13⅓
  const Form one{"linear", "half_pixel", "floor", {}, {1, 1, 1, 1}};
  EXPECT_EQ(Row(4, one, 0.5F), (Ints{5}));  // at 1½
  const Form torch{"linear", "pytorch_half_pixel", "floor", {}, {1, 1, 1, 1}};
  EXPECT_EQ(Row(4, torch, 0.5F), (Ints{2}));  // at 0
}

TEST(ResizeLinear, TwoAxesOneRounding) {
  ModelBuilder b(13);
  // Row by row 0 0 / 0 2, doubled at the centre: 1/16 3/16 9/16 of 2, at ⅛: 1 3 9. Rounding per axis would not see 1.
  AddResize(b, b.Activation("x", {1, 1, 2, 2}, 1, 5, {5, 5, 5, 7}),
            {"linear", "half_pixel", "floor", {1, 1, 2, 2}, {}});
  EXPECT_EQ(b.Codes("r", 0.125F, 0), (Ints{0, 0, 0, 0, 0, 1, 3, 4, 0, 3, 9, 12, 0, 4, 12, 16}));
}

Floats FloatRow(const Floats& row, const Form& form) {
  ModelBuilder b(13);
  ModelBuilder::Port(b.graph().add_input(), "x", {1, 1, 1, static_cast<int64_t>(row.size())}, onnx::TensorProto::FLOAT);
  AddResize(b, "x", form);
  b.graph().add_output()->set_name("r");
  const Result result =
      oracle::Run(LoadBytes(b.Bytes()), {{"x", InputTensor{{1, 1, 1, static_cast<int64_t>(row.size())}, row}}});
  EXPECT_TRUE(result.outputs[0].is_float);
  return result.outputs[0].values;
}

TEST(ResizeFloat, LinearAndCubic) {
  EXPECT_EQ(FloatRow({1, 5}, {"linear", "half_pixel", "floor", {1, 1, 1, 2}, {}}), (Floats{1, 2, 4, 5}));
  // At −¼ the weights of a = −¾ on pixels 0 and 1 are 1.10546875 and −0.10546875.
  const Floats cubic = FloatRow({1, 2, 3, 4}, {"cubic", "half_pixel", "floor", {1, 1, 1, 2}, {}});
  EXPECT_EQ(cubic[0], 0.89453125F);
  EXPECT_EQ(cubic[7], 5 - 0.89453125F);
}

TEST(Resize, OldFormsAndRefusals) {
  ModelBuilder old(9);
  const std::string scales = old.Floats("scales", {4}, {1, 1, 1, 3});
  old.Node("Upsample", {old.Activation("x", {1, 1, 1, 2}, 1, 0, {7, 9}), scales}, "u");
  EXPECT_EQ(old.Codes("u", 1, 0), (Ints{7, 7, 7, 9, 9, 9}));

  ModelBuilder shrinking(10);
  const std::string half = shrinking.Floats("scales", {4}, {1, 1, 1, 0.5F});
  shrinking.Node("Resize", {shrinking.Activation("x", {1, 1, 1, 2}, 1, 0, {7, 9}), half}, "r");
  EXPECT_THROW(shrinking.Codes("r", 1, 0), Error);

  EXPECT_THROW(Row(3, {"linear", "tf_crop_and_resize", "floor", {1, 1, 1, 2}, {}}), Error);
  EXPECT_THROW(Row(4, {"cubic", "half_pixel", "floor", {1, 1, 1, 2}, {}}), Error);  // a QuantizeLinear reads it
}

TEST(Pad, ModesAndConstant) {
  const auto padded = [](const std::string& mode, bool constant) {
    ModelBuilder b(19);
    const std::string x = b.Activation("x", {1, 3}, 0.5F, 1, {3, 5, 7});
    std::vector<std::string> inputs = {x, b.Integers("pads", {4}, {0, 2, 0, 1})};
    if (constant) inputs.push_back(b.Floats("value", {}, {1.26F}));  // 2.52 steps: 3
    ModelBuilder::SetString(b.Node("Pad", inputs, "p"), "mode", mode);
    return b.Codes("p", 0.5F, 1);
  };
  EXPECT_EQ(padded("constant", false), (Ints{1, 1, 3, 5, 7, 1}));
  EXPECT_EQ(padded("constant", true), (Ints{4, 4, 3, 5, 7, 4}));
  EXPECT_EQ(padded("edge", false), (Ints{3, 3, 3, 5, 7, 7}));
  EXPECT_EQ(padded("reflect", false), (Ints{7, 5, 3, 5, 7, 5}));
  EXPECT_EQ(padded("wrap", false), (Ints{5, 7, 3, 5, 7, 3}));
}

}  // namespace
}  // namespace xrun::oracle
