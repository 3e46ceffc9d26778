// make_detector FILE.onnx: a detector of the YOLOX kind small enough to be written by hand, for
// runtime/examples/detect. One grid of 8 x 8 pixels over a picture of 64 x 64, values 0…1; class 0 is red, class 1
// blue.

#include <string>
#include <vector>

#include "tests/unit/onnx_builder.h"

namespace {

constexpr int64_t kCell = 8, kSide = 64, kCells = (kSide / kCell) * (kSide / kCell);

/// A convolution that sees a whole cell: `out` channels, each a weighted mean of red, green and blue plus a bias.
struct Mean {
  float red, green, blue, bias;
};

void AddMeans(xrun::test::OnnxBuilder& model, const std::string& name, const std::vector<Mean>& means) {
  std::vector<float> weights, biases;
  for (const Mean& mean : means) {
    for (const float colour : {mean.red, mean.green, mean.blue}) {
      weights.insert(weights.end(), kCell * kCell, colour / static_cast<float>(kCell * kCell));
    }
    biases.push_back(mean.bias);
  }
  const auto count = static_cast<int64_t>(means.size());
  model.Init(name + "_w", {count, 3, kCell, kCell}, weights).Init(name + "_b", {count}, biases);
  model.Node("Conv", {"image", name + "_w", name + "_b"}, {name})
      .Ints("kernel_shape", {kCell, kCell})
      .Ints("strides", {kCell, kCell});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  xrun::test::OnnxBuilder model;
  model.Input("image", {int64_t{1}, int64_t{3}, kSide, kSide});
  // Box: centre of the cell, three cells wide, one high (logarithms).
  AddMeans(model, "box", {{0, 0, 0, 0.5F}, {0, 0, 0, 0.5F}, {0, 0, 0, 1.0986F}, {0, 0, 0, 0.0F}});
  // Something is there if it is bright in red or blue; which one decides the class.
  AddMeans(model, "what", {{12, -8, 12, -5}, {8, 0, -8, 0}, {-8, 0, 8, 0}});
  model.Node("Sigmoid", {"what"}, {"sure"});
  model.Node("Concat", {"box", "sure"}, {"planes"}).Int("axis", 1);
  model.InitInts("shape", {3}, {1, 7, kCells});
  model.Node("Reshape", {"planes", "shape"}, {"columns"});
  model.Node("Transpose", {"columns"}, {"rows"}).Ints("perm", {0, 2, 1});
  model.Output("rows");
  model.Save(argv[1]);
  return 0;
}
