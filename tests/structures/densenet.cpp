#include "structures.h"

/// DenseNet-121 (arXiv:1608.06993). PyTorch in evaluation mode: a BatchNormalization behind a Conv is folded, those
/// behind a Concat stay.
namespace xrun::structures {

onnx::ModelProto Densenet121(uint64_t seed) {
  Net net("densenet121", {.opset = 11}, seed);
  constexpr int64_t kGrowth = 32;
  const auto normed = [&](const Tensor& t) { return net.Relu(net.BatchNorm(t)); };
  Tensor x = net.Input("input", {1, 3, 224, 224}, -2.2, 2.7);
  x = net.Relu(net.Conv(x, {.channels = 64, .kernel = 7, .stride = 2}));
  x = net.MaxPool(x, {.kernel = 3, .stride = 2, .pad = 1});
  for (const int layers : {6, 12, 24, 16}) {
    if (layers != 6) {  // a transition
      x = net.Conv(normed(x), {.channels = x.channels() / 2, .norm = Norm::kNone});
      x = net.AveragePool(x, {.kernel = 2, .stride = 2});
    }
    std::vector<Tensor> parts = {x};
    for (int i = 0; i < layers; ++i) {
      const Tensor all = i == 0 ? x : net.Concat(parts);
      const Tensor y = net.Relu(net.Conv(normed(all), {.channels = 4 * kGrowth}));
      parts.push_back(net.Conv(y, {.channels = kGrowth, .kernel = 3, .norm = Norm::kNone, .gain = 0.8}));
    }
    x = net.Concat(parts);
  }
  x = net.GlobalAveragePool(normed(x));
  net.Output(net.Gemm(net.Flatten(x), 1000), "output");
  return net.Take();
}

}  // namespace xrun::structures
