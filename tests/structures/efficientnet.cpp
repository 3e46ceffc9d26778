#include <cmath>

#include "structures.h"

/// EfficientNet-B0 (arXiv:1905.11946) and Lite0 (github.com/tensorflow/tpu, models/official/efficientnet/lite).
namespace xrun::structures {
namespace {

struct Row {
  int64_t expansion, kernel, channels;
  int repeats;
  int64_t stride;
};
constexpr Row kRows[] = {{1, 3, 16, 1, 1},  {6, 3, 24, 2, 2},  {6, 5, 40, 2, 2}, {6, 3, 80, 3, 2},
                         {6, 5, 112, 3, 1}, {6, 5, 192, 4, 2}, {6, 3, 320, 1, 1}};

/// The blocks; `conv` sets the exporter's ways, `excite` follows the depthwise convolution.
template <typename Conv, typename Activation, typename Excite>
Tensor Blocks(Net& net, Tensor x, Conv&& conv, Activation&& activation, Excite&& excite) {
  for (const Row& row : kRows) {
    for (int i = 0; i < row.repeats; ++i) {
      const int64_t stride = i == 0 ? row.stride : 1, expanded = x.channels() * row.expansion;
      Tensor y = row.expansion == 1 ? x : activation(conv(x, {.channels = expanded}));
      y = activation(conv(y, {.channels = expanded, .kernel = row.kernel, .stride = stride, .groups = expanded}));
      y = conv(excite(y, x.channels() / 4), {.channels = row.channels});
      x = stride == 1 && x.channels() == row.channels ? net.Add(y, x) : y;
    }
  }
  return x;
}

}  // namespace

/// PyTorch: SiLU as Sigmoid and Mul, squeeze and excite.
onnx::ModelProto EfficientnetB0(uint64_t seed) {
  Net net("efficientnet_b0", {.opset = 13}, seed);
  const auto silu = [&](const Tensor& t) {
    return Net::AsFunction(net.Mul(t, net.Sigmoid(t)), t, [](double v) { return v / (1 + std::exp(-v)); });
  };
  const auto conv = [&](const Tensor& t, const ConvSpec& spec) { return net.Conv(t, spec); };
  const auto excite = [&](const Tensor& t, int64_t squeezed) {
    Tensor gate = silu(net.Conv(net.GlobalAveragePool(t), {.channels = squeezed, .norm = Norm::kBias}));
    gate = net.Sigmoid(net.Conv(gate, {.channels = t.channels(), .norm = Norm::kBias}));
    return net.Mul(gate, t);
  };
  Tensor x = net.Input("input", {1, 3, 224, 224}, -2.2, 2.7);
  x = silu(net.Conv(x, {.channels = 32, .kernel = 3, .stride = 2}));
  x = silu(net.Conv(Blocks(net, x, conv, silu, excite), {.channels = 1280}));
  net.Output(net.Gemm(net.Flatten(net.GlobalAveragePool(x)), 1000), "output");
  return net.Take();
}

/// TensorFlow Lite through tf2onnx: NHWC picture, auto_pad, Relu6 as Clip with constant inputs, MatMul and Add.
onnx::ModelProto EfficientnetLite0(uint64_t seed) {
  Net net("efficientnet_lite0", {.opset = 11, .tensor_suffix = ":0", .epsilon = 1e-3}, seed);
  const auto relu6 = [&](const Tensor& t) { return net.Clip(t, 0, 6); };
  const auto conv = [&](const Tensor& t, ConvSpec spec) {
    spec.same_upper = true;
    return net.Conv(t, spec);
  };
  const auto nothing = [](const Tensor& t, int64_t) { return t; };
  Tensor x = net.Transpose(net.Input("images:0", {1, 224, 224, 3}, -1, 1), {0, 3, 1, 2});
  x = relu6(conv(x, {.channels = 32, .kernel = 3, .stride = 2}));
  x = relu6(conv(Blocks(net, x, conv, relu6, nothing), {.channels = 1280}));
  x = net.MatMulAdd(net.Squeeze(net.ReduceMean(x, {2, 3}, true), {2, 3}), 1000);
  net.Output(net.Softmax(x, -1), "Softmax:0");
  return net.Take();
}

}  // namespace xrun::structures
