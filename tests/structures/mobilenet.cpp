#include <algorithm>

#include "structures.h"

/// MobileNet: versions 1 (arXiv:1704.04861), 2 (arXiv:1801.04381) and 3 (arXiv:1905.02244).
namespace xrun::structures {
namespace {

Tensor HardSwish(Net& net, const Tensor& x, bool paddle) {
  const auto f = [](double v) { return v * std::clamp(v / 6 + 0.5, 0.0, 1.0); };
  if (!paddle) return net.Unary("HardSwish", x, f);
  const Tensor clipped = net.Clip(net.Add(x, net.Scalar(3)), 0, 6);
  return Net::AsFunction(net.Div(net.Mul(x, clipped), net.Scalar(6)), x, f);
}

/// Squeeze and excite with a hard sigmoid.
Tensor Excite(Net& net, const Tensor& x, int64_t squeezed) {
  Tensor gate = net.GlobalAveragePool(x);
  gate = net.Relu(net.Conv(gate, {.channels = squeezed, .norm = Norm::kBias}));
  gate = net.Conv(gate, {.channels = x.channels(), .norm = Norm::kBias});
  return net.Mul(x, net.HardSigmoid(gate, 1.0F / 6, 0.5F));
}

/// A row of the version 3 tables.
struct V3Block {
  int64_t kernel, expanded, channels;
  bool excite, hard_swish;
  int64_t stride;
};

int64_t DivisibleBy8(double channels) {
  const int64_t rounded = std::max<int64_t>(8, static_cast<int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(rounded) < 0.9 * channels ? rounded + 8 : rounded;
}

Tensor V3(Net& net, Tensor x, const std::vector<V3Block>& blocks, int64_t hidden, bool paddle) {
  const Norm norm = paddle ? Norm::kKept : Norm::kFolded;
  x = HardSwish(net, net.Conv(x, {.channels = 16, .kernel = 3, .stride = 2, .norm = norm}), paddle);
  for (const V3Block& b : blocks) {
    const auto activation = [&](const Tensor& t) { return b.hard_swish ? HardSwish(net, t, paddle) : net.Relu(t); };
    Tensor y = x;
    if (b.expanded != x.channels()) y = activation(net.Conv(x, {.channels = b.expanded, .norm = norm}));
    y = activation(net.Conv(
        y, {.channels = b.expanded, .kernel = b.kernel, .stride = b.stride, .groups = b.expanded, .norm = norm}));
    if (b.excite) y = Excite(net, y, DivisibleBy8(static_cast<double>(b.expanded) / 4));
    y = net.Conv(y, {.channels = b.channels, .norm = norm});
    x = b.stride == 1 && x.channels() == b.channels ? net.Add(x, y) : y;
  }
  x = HardSwish(net, net.Conv(x, {.channels = 6 * x.channels(), .norm = norm}), paddle);
  x = net.Flatten(net.GlobalAveragePool(x));
  return net.Gemm(HardSwish(net, net.Gemm(x, hidden), paddle), 1000);
}

}  // namespace

/// TensorFlow: picture in NHWC, auto_pad, Relu6 as Clip with attributes, the classifier a convolution.
onnx::ModelProto MobilenetV1(uint64_t seed) {
  Net net("mobilenet_v1", {.opset = 10, .tensor_suffix = ":0"}, seed);
  Tensor x = net.Transpose(net.Input("input:0", {1, 224, 224, 3}, -1, 1), {0, 3, 1, 2});
  x = net.Clip(net.Conv(x, {.channels = 32, .kernel = 3, .stride = 2, .same_upper = true}), 0, 6);
  const int64_t channels[] = {64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024};
  const int64_t strides[] = {1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1};
  for (size_t i = 0; i < 13; ++i) {
    const int64_t c = x.channels();
    x = net.Conv(x, {.channels = c, .kernel = 3, .stride = strides[i], .groups = c, .same_upper = true});
    x = net.Conv(net.Clip(x, 0, 6), {.channels = channels[i], .same_upper = true});
    x = net.Clip(x, 0, 6);
  }
  x = net.Conv(net.AveragePool(x, {.kernel = 7, .stride = 1}), {.channels = 1000, .norm = Norm::kBias});
  net.Output(net.Softmax(net.Squeeze(x, {2, 3}), 1), "Predictions/Softmax:0");
  return net.Take();
}

/// PyTorch in training mode: BatchNormalization kept, Relu6 as Clip with constant inputs.
onnx::ModelProto MobilenetV2(uint64_t seed) {
  Net net("mobilenet_v2", {.opset = 12}, seed);
  const auto conv = [&](const Tensor& t, ConvSpec spec) {
    spec.norm = Norm::kKept;
    return net.Conv(t, spec);
  };
  const auto relu6 = [&](const Tensor& t) { return net.Clip(t, 0, 6); };
  Tensor x = net.Input("input", {1, 3, 224, 224}, -2.2, 2.7);
  x = relu6(conv(x, {.channels = 32, .kernel = 3, .stride = 2}));
  struct Row {
    int64_t expansion, channels;
    int repeats;
    int64_t stride;
  };
  for (const Row& row :
       {Row{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}) {
    for (int i = 0; i < row.repeats; ++i) {
      const int64_t stride = i == 0 ? row.stride : 1;
      const int64_t expanded = x.channels() * row.expansion;
      Tensor y = row.expansion == 1 ? x : relu6(conv(x, {.channels = expanded}));
      y = relu6(conv(y, {.channels = expanded, .kernel = 3, .stride = stride, .groups = expanded}));
      y = conv(y, {.channels = row.channels});
      x = stride == 1 && x.channels() == row.channels ? net.Add(x, y) : y;
    }
  }
  x = relu6(conv(x, {.channels = 1280}));
  net.Output(net.Gemm(net.Flatten(net.GlobalAveragePool(x)), 1000), "output");
  return net.Take();
}

/// Paddle: hard-swish as Add, Clip, Mul, Div; BatchNormalization kept.
onnx::ModelProto MobilenetV3Large(uint64_t seed) {
  Net net("mobilenet_v3_large", {.opset = 11, .tensor_suffix = ".tmp_0", .epsilon = 1e-3}, seed);
  const Tensor x = net.Input("inputs", {1, 3, 224, 224}, -2.2, 2.7);
  const std::vector<V3Block> blocks = {
      {3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
      {5, 72, 40, true, false, 2},  {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
      {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1},
      {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
      {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1}};
  net.Output(V3(net, x, blocks, 1280, true), "save_infer_model/scale_0.tmp_1");
  return net.Take();
}

/// PyTorch: HardSwish and HardSigmoid are operators of their own.
onnx::ModelProto MobilenetV3Small(uint64_t seed) {
  Net net("mobilenet_v3_small", {.opset = 14}, seed);
  const Tensor x = net.Input("input", {1, 3, 224, 224}, -2.2, 2.7);
  const std::vector<V3Block> blocks = {
      {3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1},
      {5, 96, 40, true, true, 2},  {5, 240, 40, true, true, 1},  {5, 240, 40, true, true, 1},
      {5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},  {5, 288, 96, true, true, 2},
      {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1}};
  net.Output(V3(net, x, blocks, 1024, false), "output");
  return net.Take();
}

}  // namespace xrun::structures
