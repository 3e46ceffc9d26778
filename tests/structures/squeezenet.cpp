#include "structures.h"

/// SqueezeNet 1.0 and 1.1: arXiv:1602.07360. PyTorch; pools round up.
namespace xrun::structures {
namespace {

Tensor Fire(Net& net, const Tensor& x, int64_t squeezed, int64_t expanded) {
  const auto conv = [&](const Tensor& t, int64_t channels, int64_t kernel) {
    return net.Relu(net.Conv(t, {.channels = channels, .kernel = kernel, .norm = Norm::kBias}));
  };
  const Tensor s = conv(x, squeezed, 1);
  return net.Concat({conv(s, expanded, 1), conv(s, expanded, 3)});
}

Tensor Stem(Net& net, const Tensor& x, int64_t channels, int64_t kernel) {
  return net.Relu(
      net.Conv(x, {.channels = channels, .kernel = kernel, .stride = 2, .norm = Norm::kBias, .pads = {0, 0, 0, 0}}));
}

Tensor Pool(Net& net, const Tensor& x) { return net.MaxPool(x, {.kernel = 3, .stride = 2, .ceil_mode = true}); }

Tensor Classify(Net& net, const Tensor& x) {
  const Tensor classes = net.Relu(net.Conv(x, {.channels = 1000, .norm = Norm::kBias}));
  return net.Flatten(net.GlobalAveragePool(classes));
}

}  // namespace

onnx::ModelProto Squeezenet10(uint64_t seed) {
  Net net("squeezenet1_0", {.opset = 10, .tensor_suffix = ""}, seed);
  Tensor x = Pool(net, Stem(net, net.Input("data_0", {1, 3, 224, 224}, -2.2, 2.7), 96, 7));
  x = Fire(net, Fire(net, Fire(net, x, 16, 64), 16, 64), 32, 128);
  x = Fire(net, Fire(net, Pool(net, x), 32, 128), 48, 192);
  x = Fire(net, Fire(net, x, 48, 192), 64, 256);
  x = net.Dropout(Fire(net, Pool(net, x), 64, 256));
  net.Output(net.Softmax(Classify(net, x), 1), "softmaxout_1");
  return net.Take();
}

onnx::ModelProto Squeezenet11(uint64_t seed) {
  Net net("squeezenet1_1", {.opset = 13}, seed);
  Tensor x = Pool(net, Stem(net, net.Input("input", {1, 3, 224, 224}, -2.2, 2.7), 64, 3));
  x = Pool(net, Fire(net, Fire(net, x, 16, 64), 16, 64));
  x = Pool(net, Fire(net, Fire(net, x, 32, 128), 32, 128));
  x = Fire(net, Fire(net, x, 48, 192), 48, 192);
  net.Output(Classify(net, Fire(net, Fire(net, x, 64, 256), 64, 256)), "output");
  return net.Take();
}

}  // namespace xrun::structures
