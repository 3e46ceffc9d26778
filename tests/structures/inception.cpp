#include "structures.h"

/// Inception v1 (GoogLeNet, arXiv:1409.4842) and v3 (arXiv:1512.00567).
namespace xrun::structures {
namespace {

struct V1Block {
  int64_t one, reduce3, three, reduce5, five, pool;
};

Tensor V1(Net& net, const Tensor& x, const V1Block& b) {
  const auto conv = [&](const Tensor& t, int64_t channels, int64_t kernel) {
    return net.Relu(net.Conv(t, {.channels = channels, .kernel = kernel, .norm = Norm::kBias}));
  };
  const Tensor pooled = net.MaxPool(x, {.kernel = 3, .stride = 1, .pad = 1});
  return net.Concat({conv(x, b.one, 1), conv(conv(x, b.reduce3, 1), b.three, 3), conv(conv(x, b.reduce5, 1), b.five, 5),
                     conv(pooled, b.pool, 1)});
}

/// The parts of version 3, named as in torchvision.
class V3 {
 public:
  explicit V3(Net& net) : net_(net) {}

  Tensor Conv(const Tensor& x, int64_t channels, int64_t kh, int64_t kw, int64_t stride = 1) {
    return net_.Relu(net_.Conv(x, {.channels = channels, .kernel = kh, .stride = stride, .kernel_w = kw}));
  }
  /// 3×3 without padding.
  Tensor Valid(const Tensor& x, int64_t channels, int64_t stride) {
    return net_.Relu(net_.Conv(x, {.channels = channels, .kernel = 3, .stride = stride, .pads = {0, 0, 0, 0}}));
  }
  Tensor Pool(const Tensor& x) { return net_.MaxPool(x, {.kernel = 3, .stride = 2}); }
  Tensor Averaged(const Tensor& x, int64_t channels) {
    return Conv(net_.AveragePool(x, {.kernel = 3, .stride = 1, .pad = 1}), channels, 1, 1);
  }

  Tensor A(const Tensor& x, int64_t pool) {
    const Tensor five = Conv(Conv(x, 48, 1, 1), 64, 5, 5);
    const Tensor twice = Conv(Conv(Conv(x, 64, 1, 1), 96, 3, 3), 96, 3, 3);
    return net_.Concat({Conv(x, 64, 1, 1), five, twice, Averaged(x, pool)});
  }
  Tensor B(const Tensor& x) {
    const Tensor twice = Valid(Conv(Conv(x, 64, 1, 1), 96, 3, 3), 96, 2);
    return net_.Concat({Valid(x, 384, 2), twice, Pool(x)});
  }
  Tensor C(const Tensor& x, int64_t c) {
    const Tensor seven = Conv(Conv(Conv(x, c, 1, 1), c, 1, 7), 192, 7, 1);
    const Tensor twice = Conv(Conv(Conv(Conv(Conv(x, c, 1, 1), c, 7, 1), c, 1, 7), c, 7, 1), 192, 1, 7);
    return net_.Concat({Conv(x, 192, 1, 1), seven, twice, Averaged(x, 192)});
  }
  Tensor D(const Tensor& x) {
    const Tensor seven = Valid(Conv(Conv(Conv(x, 192, 1, 1), 192, 1, 7), 192, 7, 1), 192, 2);
    return net_.Concat({Valid(Conv(x, 192, 1, 1), 320, 2), seven, Pool(x)});
  }
  Tensor E(const Tensor& x) {
    const Tensor three = Conv(x, 384, 1, 1), twice = Conv(Conv(x, 448, 1, 1), 384, 3, 3);
    const auto fork = [&](const Tensor& t) { return net_.Concat({Conv(t, 384, 1, 3), Conv(t, 384, 3, 1)}); };
    return net_.Concat({Conv(x, 320, 1, 1), fork(three), fork(twice), Averaged(x, 192)});
  }

 private:
  Net& net_;
};

}  // namespace

/// Caffe: LRN, pools that round up, Dropout, Softmax.
onnx::ModelProto InceptionV1(uint64_t seed) {
  Net net("inception_v1", {.opset = 10, .tensor_suffix = ""}, seed);
  const auto pool = [&](const Tensor& t) { return net.MaxPool(t, {.kernel = 3, .stride = 2, .ceil_mode = true}); };
  const auto lrn = [&](const Tensor& t) { return net.Lrn(t, 5, 1e-4F, 0.75F); };
  Tensor x = net.Input("data", {1, 3, 224, 224}, -2.2, 2.7);
  x = net.Relu(net.Conv(x, {.channels = 64, .kernel = 7, .stride = 2, .norm = Norm::kBias}));
  x = net.Relu(net.Conv(lrn(pool(x)), {.channels = 64, .norm = Norm::kBias}));
  x = pool(lrn(net.Relu(net.Conv(x, {.channels = 192, .kernel = 3, .norm = Norm::kBias}))));
  x = V1(net, x, {64, 96, 128, 16, 32, 32});
  x = pool(V1(net, x, {128, 128, 192, 32, 96, 64}));
  x = V1(net, x, {192, 96, 208, 16, 48, 64});
  x = V1(net, x, {160, 112, 224, 24, 64, 64});
  x = V1(net, x, {128, 128, 256, 24, 64, 64});
  x = V1(net, x, {112, 144, 288, 32, 64, 64});
  x = pool(V1(net, x, {256, 160, 320, 32, 128, 128}));
  x = V1(net, x, {256, 160, 320, 32, 128, 128});
  x = V1(net, x, {384, 192, 384, 48, 128, 128});
  x = net.Dropout(net.AveragePool(x, {.kernel = 7, .stride = 1}));
  net.Output(net.Softmax(net.Gemm(net.Reshape(x, {1, 1024}), 1000), 1), "prob_1");
  return net.Take();
}

/// PyTorch, without the auxiliary classifier.
onnx::ModelProto InceptionV3(uint64_t seed) {
  Net net("inception_v3", {.opset = 12, .epsilon = 1e-3}, seed);
  V3 v3(net);
  Tensor x = net.Input("input", {1, 3, 299, 299}, -2.2, 2.7);
  x = v3.Conv(v3.Valid(v3.Valid(x, 32, 2), 32, 1), 64, 3, 3);
  x = v3.Pool(v3.Valid(v3.Conv(v3.Pool(x), 80, 1, 1), 192, 1));
  x = v3.B(v3.A(v3.A(v3.A(x, 32), 64), 64));
  x = v3.C(v3.C(v3.C(v3.C(x, 128), 160), 160), 192);
  x = v3.E(v3.E(v3.D(x)));
  net.Output(net.Gemm(net.Flatten(net.GlobalAveragePool(x)), 1000), "output");
  return net.Take();
}

}  // namespace xrun::structures
