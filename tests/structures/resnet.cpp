#include "structures.h"

/// ResNet: arXiv:1512.03385.
namespace xrun::structures {
namespace {

/// Two 3×3 convolutions.
Tensor BasicBlock(Net& net, const Tensor& x, int64_t channels, int64_t stride) {
  Tensor y = net.Relu(net.Conv(x, {.channels = channels, .kernel = 3, .stride = stride, .norm = Norm::kKept}));
  y = net.Conv(y, {.channels = channels, .kernel = 3, .norm = Norm::kKept});
  const bool project = stride != 1 || x.channels() != channels;
  const Tensor shortcut =
      project ? net.Conv(x, {.channels = channels, .stride = stride, .norm = Norm::kKept, .pads = {0, 0, 0, 0}}) : x;
  return net.Relu(net.Add(y, shortcut));
}

/// 1×1, 3×3, 1×1; version 1 has its stride in the first, version 1.5 in the second.
Tensor Bottleneck(Net& net, const Tensor& x, int64_t channels, int64_t stride, bool stride_first) {
  Tensor y = net.Relu(net.Conv(x, {.channels = channels, .stride = stride_first ? stride : 1}));
  y = net.Relu(net.Conv(y, {.channels = channels, .kernel = 3, .stride = stride_first ? 1 : stride}));
  y = net.Conv(y, {.channels = 4 * channels});
  const bool project = stride != 1 || x.channels() != 4 * channels;
  const Tensor shortcut = project ? net.Conv(x, {.channels = 4 * channels, .stride = stride}) : x;
  return net.Relu(net.Add(y, shortcut));
}

template <typename Block>
Tensor Stages(const Tensor& stem, const std::vector<int>& depths, Block&& block) {
  Tensor x = stem;
  for (size_t stage = 0; stage < depths.size(); ++stage) {
    for (int i = 0; i < depths[stage]; ++i) x = block(x, int64_t{64} << stage, i == 0 && stage > 0 ? 2 : 1);
  }
  return x;
}

}  // namespace

/// PyTorch in training mode: BatchNormalization kept.
onnx::ModelProto Resnet18(uint64_t seed) {
  Net net("resnet18", {.opset = 11}, seed);
  Tensor x = net.Input("input", {1, 3, 224, 224}, -2.2, 2.7);
  x = net.Relu(net.Conv(x, {.channels = 64, .kernel = 7, .stride = 2, .norm = Norm::kKept}));
  x = net.MaxPool(x, {.kernel = 3, .stride = 2, .pad = 1});
  x = Stages(x, {2, 2, 2, 2}, [&](const Tensor& t, int64_t c, int64_t s) { return BasicBlock(net, t, c, s); });
  net.Output(net.Gemm(net.Flatten(net.GlobalAveragePool(x)), 1000), "output");
  return net.Take();
}

/// Keras through tf2onnx: picture in NHWC, explicit Pad nodes, ReduceMean, MatMul and Add, Softmax.
onnx::ModelProto Resnet50V1(uint64_t seed) {
  Net net("resnet50_v1", {.opset = 12, .tensor_suffix = ":0"}, seed);
  Tensor x = net.Transpose(net.Input("input_1", {1, 224, 224, 3}, -2.2, 2.7), {0, 3, 1, 2});
  x = net.Pad(x, 3, 3, 3, 3);
  x = net.Relu(net.Conv(x, {.channels = 64, .kernel = 7, .stride = 2, .pads = {0, 0, 0, 0}}));
  x = net.MaxPool(net.Pad(x, 1, 1, 1, 1), {.kernel = 3, .stride = 2});
  x = Stages(x, {3, 4, 6, 3}, [&](const Tensor& t, int64_t c, int64_t s) { return Bottleneck(net, t, c, s, true); });
  net.Output(net.Softmax(net.MatMulAdd(net.ReduceMean(x, {2, 3}, false), 1000), 1), "predictions");
  return net.Take();
}

/// PyTorch in evaluation mode: BatchNormalization folded.
onnx::ModelProto Resnet50(uint64_t seed) {
  Net net("resnet50", {.opset = 13}, seed);
  Tensor x = net.Input("input", {1, 3, 224, 224}, -2.2, 2.7);
  x = net.Relu(net.Conv(x, {.channels = 64, .kernel = 7, .stride = 2}));
  x = net.MaxPool(x, {.kernel = 3, .stride = 2, .pad = 1});
  x = Stages(x, {3, 4, 6, 3}, [&](const Tensor& t, int64_t c, int64_t s) { return Bottleneck(net, t, c, s, false); });
  net.Output(net.Gemm(net.Flatten(net.GlobalAveragePool(x)), 1000), "output");
  return net.Take();
}

}  // namespace xrun::structures
