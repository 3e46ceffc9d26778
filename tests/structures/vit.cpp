#include <cmath>

#include "structures.h"

/// ViT-Tiny, patches of 16 at 224×224 (DeiT-Ti, arXiv:2012.12877). PyTorch below opset 17: LayerNorm and GELU spelled
/// out; heads by Reshape, Transpose and Gather.
namespace xrun::structures {
namespace {

constexpr int64_t kWidth = 192, kHeads = 3, kHead = kWidth / kHeads, kPatches = 14 * 14, kTokens = kPatches + 1;

Tensor LayerNorm(Net& net, const Tensor& x) {
  const Tensor centered = net.Sub(x, net.ReduceMean(x, {-1}, true));
  const Tensor variance = net.ReduceMean(net.Pow(centered, 2), {-1}, true);
  const Tensor unit = net.Div(centered, net.Sqrt(net.Add(variance, net.Scalar(1e-6F))));
  const Tensor scaled = net.Mul(unit, net.RandomConstant({kWidth}, 1, 0.3));
  Tensor y = net.Add(scaled, net.RandomConstant({kWidth}, 0, 0.2));
  y.mean = 0;
  y.variance = 1.1;
  return y;
}

Tensor Gelu(Net& net, const Tensor& x) {
  const Tensor erf = net.Unary("Erf", net.Div(x, net.Scalar(std::sqrt(2.0F))), [](double v) { return std::erf(v); });
  const Tensor y = net.Mul(net.Mul(x, net.Add(erf, net.Scalar(1))), net.Scalar(0.5F));
  return Net::AsFunction(y, x, [](double v) { return v * (1 + std::erf(v / std::sqrt(2))) / 2; });
}

Tensor Attention(Net& net, const Tensor& x) {
  const Tensor all = net.Reshape(net.MatMulAdd(x, 3 * kWidth), {1, kTokens, 3, kHeads, kHead});
  const Tensor parts = net.Transpose(all, {2, 0, 3, 1, 4});
  const Tensor query = net.Gather(parts, 0, 0), key = net.Gather(parts, 0, 1), value = net.Gather(parts, 0, 2);
  const double power = query.variance * key.variance * static_cast<double>(kHead);
  const Tensor scores = net.MatMul(query, net.Transpose(key, {0, 1, 3, 2}), 0, power);
  const Tensor weights = net.Softmax(net.Mul(scores, net.Scalar(1 / std::sqrt(static_cast<float>(kHead)))), -1);
  // Averages of some tokens: smaller than one of them.
  const Tensor mixed = net.MatMul(weights, value, value.mean, 0.3 * value.variance);
  return net.MatMulAdd(net.Reshape(net.Transpose(mixed, {0, 2, 1, 3}), {1, kTokens, kWidth}), kWidth);
}

}  // namespace

onnx::ModelProto VitTiny(uint64_t seed) {
  Net net("vit_tiny", {.opset = 14}, seed);
  Tensor x = net.Input("input", {1, 3, 224, 224}, -1, 1);
  x = net.Conv(x, {.channels = kWidth, .kernel = 16, .stride = 16, .norm = Norm::kBias, .pads = {0, 0, 0, 0}});
  x = net.Transpose(net.Reshape(x, {1, kWidth, kPatches}), {0, 2, 1});
  x = net.Concat({net.RandomConstant({1, 1, kWidth}, 0, 1), x}, 1);
  x = net.Add(x, net.RandomConstant({1, kTokens, kWidth}, 0, 0.5));
  for (int i = 0; i < 12; ++i) {
    x = net.Add(x, Attention(net, LayerNorm(net, x)));
    x = net.Add(x, net.MatMulAdd(Gelu(net, net.MatMulAdd(LayerNorm(net, x), 4 * kWidth)), kWidth));
  }
  net.Output(net.Gemm(net.Gather(LayerNorm(net, x), 1, 0), 1000), "output");
  return net.Take();
}

}  // namespace xrun::structures
