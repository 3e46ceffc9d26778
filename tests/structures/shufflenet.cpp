#include "structures.h"

/// ShuffleNet V2 1.0× (arXiv:1807.11164). PyTorch: Split, and the shuffle as Reshape, Transpose, Reshape.
namespace xrun::structures {
namespace {

Tensor Shuffle(Net& net, const Tensor& x) {
  const int64_t c = x.channels(), h = x.shape[2], w = x.shape[3];
  return net.Reshape(net.Transpose(net.Reshape(x, {1, 2, c / 2, h, w}), {0, 2, 1, 3, 4}), {1, c, h, w});
}

Tensor DepthwisePair(Net& net, const Tensor& x, int64_t channels, int64_t stride) {
  const int64_t c = x.channels();
  const Tensor y = net.Conv(x, {.channels = c, .kernel = 3, .stride = stride, .groups = c});
  return net.Relu(net.Conv(y, {.channels = channels}));
}

Tensor Block(Net& net, const Tensor& x, int64_t channels, bool down) {
  const int64_t half = channels / 2;
  const std::vector<Tensor> parts = down ? std::vector<Tensor>{x, x} : net.Split(x, {half, half}, 1);
  const Tensor left = down ? DepthwisePair(net, x, half, 2) : parts[0];
  const Tensor right = DepthwisePair(net, net.Relu(net.Conv(parts[1], {.channels = half})), half, down ? 2 : 1);
  return Shuffle(net, net.Concat({left, right}));
}

}  // namespace

onnx::ModelProto ShufflenetV2(uint64_t seed) {
  Net net("shufflenet_v2", {.opset = 12}, seed);
  Tensor x = net.Input("input", {1, 3, 224, 224}, -2.2, 2.7);
  x = net.Relu(net.Conv(x, {.channels = 24, .kernel = 3, .stride = 2}));
  x = net.MaxPool(x, {.kernel = 3, .stride = 2, .pad = 1});
  for (const auto& [channels, repeats] : {std::pair{116, 4}, {232, 8}, {464, 4}}) {
    for (int i = 0; i < repeats; ++i) x = Block(net, x, channels, i == 0);
  }
  x = net.Relu(net.Conv(x, {.channels = 1024}));
  net.Output(net.Gemm(net.ReduceMean(x, {2, 3}, false), 1000), "output");
  return net.Take();
}

}  // namespace xrun::structures
