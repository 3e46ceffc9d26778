#include <cmath>

#include "structures.h"

/// YOLOv3 (arXiv:1804.02767) and YOLOv5n (github.com/ultralytics/yolov5, v6), for the 80 classes of COCO.
namespace xrun::structures {
namespace {

constexpr int64_t kAnchors = 3, kOutputs = 85;

/// Version 3: Conv with BatchNorm kept and LeakyRelu.
Tensor Leaky(Net& net, const Tensor& x, int64_t channels, int64_t kernel, int64_t stride = 1) {
  const ConvSpec spec{.channels = channels, .kernel = kernel, .stride = stride, .norm = Norm::kKept};
  return net.LeakyRelu(net.Conv(x, spec), 0.1F);
}

Tensor Five(Net& net, Tensor x, int64_t channels) {
  for (int i = 0; i < 5; ++i) x = Leaky(net, x, i % 2 == 0 ? channels : 2 * channels, i % 2 == 0 ? 1 : 3);
  return x;
}

void Head(Net& net, const Tensor& x, const std::string& name) {
  const Tensor y = Leaky(net, x, 2 * x.channels(), 3);
  net.Output(net.Conv(y, {.channels = kAnchors * kOutputs, .norm = Norm::kBias}), name);
}

/// Version 5: SiLU as Sigmoid and Mul.
Tensor Silu(Net& net, const Tensor& x, const ConvSpec& spec) {
  const Tensor y = net.Conv(x, spec);
  return Net::AsFunction(net.Mul(y, net.Sigmoid(y)), y, [](double v) { return v / (1 + std::exp(-v)); });
}

Tensor C3(Net& net, const Tensor& x, int64_t channels, int repeats, bool shortcut) {
  const int64_t half = channels / 2;
  Tensor y = Silu(net, x, {.channels = half});
  for (int i = 0; i < repeats; ++i) {
    const Tensor z = Silu(net, Silu(net, y, {.channels = half}), {.channels = half, .kernel = 3});
    y = shortcut ? net.Add(y, z) : z;
  }
  return Silu(net, net.Concat({y, Silu(net, x, {.channels = half})}), {.channels = channels});
}

Tensor Sppf(Net& net, const Tensor& x, int64_t channels) {
  std::vector<Tensor> parts = {Silu(net, x, {.channels = x.channels() / 2})};
  for (int i = 0; i < 3; ++i) parts.push_back(net.MaxPool(parts.back(), {.kernel = 5, .stride = 1, .pad = 2}));
  return Silu(net, net.Concat(parts), {.channels = channels});
}

struct Level {
  int64_t stride;
  float anchors[2 * kAnchors];
};
constexpr Level kLevels[] = {
    {8, {10, 13, 16, 30, 33, 23}}, {16, {30, 61, 62, 45, 59, 119}}, {32, {116, 90, 156, 198, 373, 326}}};

/// Boxes in pixels, as the exported model computes them.
Tensor Detect(Net& net, const Tensor& x, const Level& level) {
  const int64_t h = x.shape[2], w = x.shape[3];
  Tensor y = net.Conv(x, {.channels = kAnchors * kOutputs, .norm = Norm::kBias});
  y = net.Transpose(net.Reshape(y, {1, kAnchors, kOutputs, h, w}), {0, 1, 3, 4, 2});
  const std::vector<Tensor> parts = net.Split(net.Sigmoid(y), {2, 2, kOutputs - 4}, 4);
  std::vector<float> grid, sizes;
  for (int64_t a = 0; a < kAnchors; ++a) {
    for (int64_t i = 0; i < h * w; ++i) {
      grid.insert(grid.end(), {static_cast<float>(i % w) - 0.5F, static_cast<float>(i / w) - 0.5F});
      sizes.insert(sizes.end(), {level.anchors[2 * a], level.anchors[2 * a + 1]});
    }
  }
  const Shape shape = {1, kAnchors, h, w, 2};
  const Tensor cell = net.Add(net.Mul(parts[0], net.Scalar(2)), net.Constant(shape, grid, "grid"));
  const Tensor center = net.Mul(cell, net.Scalar(static_cast<float>(level.stride)));
  const Tensor size = net.Mul(net.Pow(net.Mul(parts[1], net.Scalar(2)), 2), net.Constant(shape, sizes, "grid"));
  return net.Reshape(net.Concat({center, size, parts[2]}, 4), {1, kAnchors * h * w, kOutputs});
}

}  // namespace

/// PyTorch with opset 9: Upsample.
onnx::ModelProto Yolov3(uint64_t seed) {
  Net net("yolov3", {.opset = 9, .tensor_suffix = ""}, seed);
  Tensor x = Leaky(net, net.Input("input_1", {1, 3, 416, 416}, 0, 1), 32, 3);
  std::vector<Tensor> stages;
  for (const auto& [channels, repeats] : {std::pair{64, 1}, {128, 2}, {256, 8}, {512, 8}, {1024, 4}}) {
    x = Leaky(net, x, channels, 3, 2);
    for (int i = 0; i < repeats; ++i) x = net.Add(x, Leaky(net, Leaky(net, x, channels / 2, 1), channels, 3));
    stages.push_back(x);
  }
  x = Five(net, x, 512);
  Head(net, x, "conv2d_59");
  x = net.Concat({net.UpsampleNearest2(Leaky(net, x, 256, 1)), stages[3]});
  x = Five(net, x, 256);
  Head(net, x, "conv2d_67");
  x = net.Concat({net.UpsampleNearest2(Leaky(net, x, 128, 1)), stages[2]});
  Head(net, Five(net, x, 128), "conv2d_75");
  return net.Take();
}

/// PyTorch: 6×6 stem, SPPF, PANet with Resize, detection in the graph.
onnx::ModelProto Yolov5n(uint64_t seed) {
  Net net("yolov5n", {.opset = 12}, seed);
  const auto down = [&](const Tensor& t, int64_t channels) {
    return Silu(net, t, {.channels = channels, .kernel = 3, .stride = 2});
  };
  const auto joined = [&](const Tensor& a, const Tensor& b, int64_t channels) {
    return C3(net, net.Concat({a, b}), channels, 1, false);
  };
  Tensor x = net.Input("images", {1, 3, 640, 640}, 0, 1);
  x = Silu(net, x, {.channels = 16, .kernel = 6, .stride = 2, .pads = {2, 2, 2, 2}});
  x = C3(net, down(x, 32), 32, 1, true);
  const Tensor p3 = C3(net, down(x, 64), 64, 2, true);
  const Tensor p4 = C3(net, down(p3, 128), 128, 3, true);
  x = Sppf(net, C3(net, down(p4, 256), 256, 1, true), 256);
  const Tensor top = Silu(net, x, {.channels = 128});
  const Tensor middle = Silu(net, joined(net.UpsampleNearest2(top), p4, 128), {.channels = 64});
  const Tensor out3 = joined(net.UpsampleNearest2(middle), p3, 64);
  const Tensor out4 = joined(down(out3, 64), middle, 128);
  const Tensor out5 = joined(down(out4, 128), top, 256);
  net.Output(
      net.Concat({Detect(net, out3, kLevels[0]), Detect(net, out4, kLevels[1]), Detect(net, out5, kLevels[2])}, 1),
      "output0");
  return net.Take();
}

}  // namespace xrun::structures
