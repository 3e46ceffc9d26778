#include "structures.h"

/// U-Net (arXiv:1505.04597) with padded convolutions and BatchNorm, three channels in, one class out, at 256×256.
namespace xrun::structures {

onnx::ModelProto Unet(uint64_t seed) {
  Net net("unet", {.opset = 13}, seed);
  const auto twice = [&](Tensor t, int64_t channels) {
    for (int i = 0; i < 2; ++i) t = net.Relu(net.Conv(t, {.channels = channels, .kernel = 3}));
    return t;
  };
  std::vector<Tensor> skips;
  Tensor x = net.Input("input", {1, 3, 256, 256}, 0, 1);
  for (const int64_t channels : {64, 128, 256, 512}) {
    skips.push_back(twice(x, channels));
    x = net.MaxPool(skips.back(), {.kernel = 2, .stride = 2});
  }
  x = twice(x, 1024);
  for (; !skips.empty(); skips.pop_back()) {
    const int64_t channels = skips.back().channels();
    x = twice(net.Concat({skips.back(), net.ConvTranspose(x, channels, 2, 2)}), channels);
  }
  net.Output(net.Sigmoid(net.Conv(x, {.channels = 1, .norm = Norm::kBias})), "output");
  return net.Take();
}

}  // namespace xrun::structures
