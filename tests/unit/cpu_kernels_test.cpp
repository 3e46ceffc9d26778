// Every float kernel against the formula of its operator, written the slow way, on random shapes.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>

#include "runtime/cpu/kernels.h"
#include "runtime/cpu/simd.h"

namespace xrun::cpu {
namespace {

using Shape = std::vector<int64_t>;

struct Array {
  Shape shape;
  std::vector<float> data;
};

int64_t Count(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

class CpuKernels : public ::testing::Test {
 protected:
  int64_t Pick(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random_); }
  Array Random(Shape shape) {
    Array a{shape, std::vector<float>(static_cast<size_t>(Count(shape)))};
    for (float& v : a.data) v = std::uniform_real_distribution<float>(-2, 2)(random_);
    return a;
  }

  /// Runs with one and with three workers, expects the same bytes, and returns them.
  std::vector<float> Run(Op op, const Attributes& attrs, const std::vector<Array*>& inputs, const Shape& out_shape,
                         std::optional<Clamp> clamp = {}, bool pack = false) {
    std::vector<Tensor> in;
    for (Array* a : inputs) {
      in.push_back(a == nullptr ? Tensor{} : Tensor{DType::kFloat32, a->shape, a->data.data()});
    }
    std::vector<float> results[2];
    for (int i = 0; i < 2; ++i) {
      results[i].assign(static_cast<size_t>(Count(out_shape)), std::nanf(""));
      Tensor out[1] = {{DType::kFloat32, out_shape, results[i].data()}};
      OpCall call;
      call.op = op;
      call.attrs = &attrs;
      call.clamp = clamp;
      call.inputs = in;
      call.outputs = out;
      const Status status = CheckOp(call);
      EXPECT_TRUE(status.ok()) << status.failure().message;
      if (!status.ok()) return results[0];
      std::vector<float> packed(pack && i == 1 ? PackedWeightFloats(call) : 0);
      if (!packed.empty()) {
        PackWeights(call, packed.data());
        call.packed_weights = packed.data();
      }
      Workers workers(i == 0 ? 1 : 3);
      const size_t bytes = ScratchBytes(call, workers.count());
      auto* scratch = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 127) / 64 * 64));
      RunOp(call, {scratch, bytes}, workers);
      std::free(scratch);
    }
    EXPECT_EQ(0, std::memcmp(results[0].data(), results[1].data(), results[0].size() * sizeof(float)))
        << "the result depends on the number of workers";
    return results[0];
  }

  static void ExpectNear(const std::vector<float>& got, const std::vector<double>& want, double tolerance) {
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(got[i]), want[i], tolerance * (1 + std::fabs(want[i]))) << "element " << i;
    }
  }

  std::mt19937 random_{1234};
};

std::vector<double> NaiveConv(const Array& x, const Array& w, const Array* b, const ConvAttrs& a, const Shape& out) {
  std::vector<double> y;
  const int64_t cg = x.shape[1] / a.groups, mg = out[1] / a.groups;
  for (int64_t n = 0; n < out[0]; ++n) {
    for (int64_t m = 0; m < out[1]; ++m) {
      for (int64_t oy = 0; oy < out[2]; ++oy) {
        for (int64_t ox = 0; ox < out[3]; ++ox) {
          double sum = b == nullptr ? 0 : static_cast<double>(b->data[static_cast<size_t>(m)]);
          for (int64_t c = 0; c < cg; ++c) {
            for (int64_t ky = 0; ky < a.kernel[0]; ++ky) {
              for (int64_t kx = 0; kx < a.kernel[1]; ++kx) {
                const int64_t iy = oy * a.stride[0] - a.pads[0] + ky * a.dilation[0];
                const int64_t ix = ox * a.stride[1] - a.pads[1] + kx * a.dilation[1];
                if (iy < 0 || iy >= x.shape[2] || ix < 0 || ix >= x.shape[3]) continue;
                const int64_t xi = ((n * x.shape[1] + m / mg * cg + c) * x.shape[2] + iy) * x.shape[3] + ix;
                const int64_t wi = ((m * cg + c) * a.kernel[0] + ky) * a.kernel[1] + kx;
                sum += static_cast<double>(x.data[static_cast<size_t>(xi)]) *
                       static_cast<double>(w.data[static_cast<size_t>(wi)]);
              }
            }
          }
          y.push_back(sum);
        }
      }
    }
  }
  return y;
}

TEST_F(CpuKernels, Conv) {
  for (int round = 0; round < 150; ++round) {
    ConvAttrs a;
    a.kernel = {Pick(1, 5), Pick(1, 5)};
    a.stride = {Pick(1, 3), Pick(1, 3)};
    a.dilation = {Pick(1, 2), Pick(1, 2)};
    a.pads = {Pick(0, 3), Pick(0, 3), Pick(0, 3), Pick(0, 3)};
    const bool depthwise = round % 3 == 0;
    a.groups = depthwise ? Pick(1, 9) : Pick(1, 3);
    const int64_t cg = depthwise ? 1 : Pick(1, round % 10 == 1 ? 90 : 7);
    const int64_t mg = depthwise ? Pick(1, 2) : Pick(1, 20);
    const int64_t h = Pick(9, 30), w = Pick(9, 30);
    Shape out{Pick(1, 2), a.groups * mg, 0, 0};
    out[2] = (h + a.pads[0] + a.pads[2] - a.dilation[0] * (a.kernel[0] - 1) - 1) / a.stride[0] + 1;
    out[3] = (w + a.pads[1] + a.pads[3] - a.dilation[1] * (a.kernel[1] - 1) - 1) / a.stride[1] + 1;
    Array x = Random({out[0], a.groups * cg, h, w});
    Array weights = Random({a.groups * mg, cg, a.kernel[0], a.kernel[1]});
    Array bias = Random({a.groups * mg});
    Array* b = round % 2 == 0 ? &bias : nullptr;
    const auto got = Run(Op::kConv, a, {&x, &weights, b}, out, {}, true);
    SCOPED_TRACE("round " + std::to_string(round));
    ExpectNear(got, NaiveConv(x, weights, b, a, out), 1e-4);
    if (HasFatalFailure()) return;
  }
}

TEST_F(CpuKernels, ConvClampKeepsBounds) {
  ConvAttrs a;
  Array x = Random({1, 20, 9, 9}), w = Random({30, 20, 1, 1});
  const auto got = Run(Op::kConv, a, {&x, &w, nullptr}, {1, 30, 9, 9}, Clamp{0.0F, 6.0F});
  auto want = NaiveConv(x, w, nullptr, a, {1, 30, 9, 9});
  for (double& v : want) v = std::min(std::max(v, 0.0), 6.0);
  ExpectNear(got, want, 1e-4);
}

TEST_F(CpuKernels, ConvTransposeIsTheAdjointOfConv) {
  for (int round = 0; round < 30; ++round) {
    ConvAttrs a;
    a.kernel = {Pick(1, 4), Pick(1, 4)};
    a.stride = {Pick(1, 3), Pick(1, 3)};
    a.dilation = {Pick(1, 2), Pick(1, 2)};
    a.pads = {Pick(0, 1), Pick(0, 1), Pick(0, 1), Pick(0, 1)};
    a.output_padding = {Pick(0, a.stride[0] - 1), Pick(0, a.stride[1] - 1)};
    a.groups = Pick(1, 3);
    const int64_t cg = Pick(1, 4), mg = Pick(1, 4), h = Pick(3, 8), w = Pick(3, 8);
    Shape out{1, a.groups * mg, 0, 0};
    for (size_t i = 0; i < 2; ++i) {
      out[2 + i] = a.stride[i] * ((i == 0 ? h : w) - 1) + a.output_padding[i] + a.dilation[i] * (a.kernel[i] - 1) + 1 -
                   a.pads[i] - a.pads[i + 2];
    }
    if (out[2] < 1 || out[3] < 1) continue;
    Array x = Random({1, a.groups * cg, h, w});
    Array weights = Random({a.groups * cg, mg, a.kernel[0], a.kernel[1]});
    Array probe = Random(out);
    const auto y = Run(Op::kConvTranspose, a, {&x, &weights, nullptr}, out);
    // <ConvTranspose(x), p> = <x, Conv(p)> with the same weights read as [C][M/g].
    double left = 0, right = 0;
    for (size_t i = 0; i < y.size(); ++i) left += static_cast<double>(y[i]) * static_cast<double>(probe.data[i]);
    const auto back = NaiveConv(probe, weights, nullptr, a, x.shape);
    for (size_t i = 0; i < back.size(); ++i) right += back[i] * static_cast<double>(x.data[i]);
    ASSERT_NEAR(left, right, 1e-3 * (1 + std::fabs(right)));
  }
}

TEST_F(CpuKernels, FullyConnectedAndMatMul) {
  for (int64_t rows : {1, 3, 8, 9, 40}) {
    const int64_t k = Pick(1, 600), m = Pick(1, 250);
    Array x = Random({rows, k}), w = Random({m, k}), b = Random({m}), wt = Random({k, m});
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < k; ++j) wt.data[static_cast<size_t>(j * m + i)] = w.data[static_cast<size_t>(i * k + j)];
    }
    std::vector<double> want, product;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < m; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < k; ++j) {
          sum += static_cast<double>(x.data[static_cast<size_t>(r * k + j)]) *
                 static_cast<double>(w.data[static_cast<size_t>(i * k + j)]);
        }
        product.push_back(sum);
        want.push_back(std::max(0.0, sum + static_cast<double>(b.data[static_cast<size_t>(i)])));
      }
    }
    ExpectNear(Run(Op::kFullyConnected, NoAttrs{}, {&x, &w, &b}, {rows, m}, Clamp{0.0F, INFINITY}), want, 2e-4);
    ExpectNear(Run(Op::kMatMul, MatMulAttrs{}, {&x, &wt}, {rows, m}), product, 2e-4);
  }
}

TEST_F(CpuKernels, MatMulBroadcastsBatches) {
  Array a = Random({2, 1, 5, 7}), b = Random({3, 7, 4});
  std::vector<double> want;
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 3; ++j) {
      for (int64_t r = 0; r < 5; ++r) {
        for (int64_t c = 0; c < 4; ++c) {
          double sum = 0;
          for (int64_t k = 0; k < 7; ++k) {
            sum += static_cast<double>(a.data[static_cast<size_t>((i * 5 + r) * 7 + k)]) *
                   static_cast<double>(b.data[static_cast<size_t>((j * 7 + k) * 4 + c)]);
          }
          want.push_back(sum);
        }
      }
    }
  }
  ExpectNear(Run(Op::kMatMul, MatMulAttrs{}, {&a, &b}, {2, 3, 5, 4}), want, 1e-5);
}

TEST_F(CpuKernels, Pools) {
  for (int round = 0; round < 60; ++round) {
    PoolAttrs a;
    a.kernel = {Pick(1, 4), Pick(1, 4)};
    a.stride = {Pick(1, 3), Pick(1, 3)};
    a.dilation = {Pick(1, 2), Pick(1, 2)};
    a.pads = {Pick(0, a.kernel[0] - 1), Pick(0, a.kernel[1] - 1), Pick(0, a.kernel[0] - 1), Pick(0, a.kernel[1] - 1)};
    a.count_include_pad = round % 2 == 0;
    if (round % 3 == 0) a.ceil_pads = {Pick(0, a.pads[2]), Pick(0, a.pads[3])};
    const int64_t h = Pick(8, 14), w = Pick(8, 14);
    Shape out{1, 3, 0, 0};
    out[2] = (h + a.pads[0] + a.pads[2] - a.dilation[0] * (a.kernel[0] - 1) - 1) / a.stride[0] + 1;
    out[3] = (w + a.pads[1] + a.pads[3] - a.dilation[1] * (a.kernel[1] - 1) - 1) / a.stride[1] + 1;
    Array x = Random({1, 3, h, w});
    std::vector<double> most, average;
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t oy = 0; oy < out[2]; ++oy) {
        for (int64_t ox = 0; ox < out[3]; ++ox) {
          double max = -INFINITY, sum = 0;
          int64_t inside = 0, counted = 0;
          for (int64_t ky = 0; ky < a.kernel[0]; ++ky) {
            for (int64_t kx = 0; kx < a.kernel[1]; ++kx) {
              const int64_t iy = oy * a.stride[0] - a.pads[0] + ky * a.dilation[0];
              const int64_t ix = ox * a.stride[1] - a.pads[1] + kx * a.dilation[1];
              if (iy < h + a.pads[2] - a.ceil_pads[0] && ix < w + a.pads[3] - a.ceil_pads[1]) ++counted;
              if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
              ++inside;
              const auto v = static_cast<double>(x.data[static_cast<size_t>((c * h + iy) * w + ix)]);
              max = std::max(max, v);
              sum += v;
            }
          }
          most.push_back(max);
          const int64_t n = a.count_include_pad ? counted : inside;
          average.push_back(n == 0 ? 0 : sum / static_cast<double>(n));
        }
      }
    }
    ExpectNear(Run(Op::kAveragePool, a, {&x}, out), average, 1e-5);
    const auto got = Run(Op::kMaxPool, a, {&x}, out);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(static_cast<double>(got[i]), most[i]);
  }
}

TEST_F(CpuKernels, BinaryBroadcast) {
  const std::vector<std::array<Shape, 3>> cases = {{Shape{2, 3, 4, 5}, {2, 3, 4, 5}, {2, 3, 4, 5}},
                                                   {Shape{2, 3, 4, 5}, {1, 3, 1, 1}, {2, 3, 4, 5}},
                                                   {Shape{5}, {2, 3, 4, 5}, {2, 3, 4, 5}},
                                                   {Shape{2, 1, 4, 1}, {3, 1, 5}, {2, 3, 4, 5}},
                                                   {Shape{}, {2, 3}, {2, 3}},
                                                   {Shape{130, 300}, {130, 1}, {130, 300}}};
  for (const auto& [sa, sb, so] : cases) {
    Array a = Random(sa), b = Random(sb);
    const auto index = [](const Shape& shape, const Shape& out, int64_t i) {
      int64_t at = 0, step = 1;
      for (size_t d = out.size(); d-- > 0; i /= out[d]) {
        const size_t back = out.size() - d;
        if (back > shape.size()) continue;
        const int64_t size = shape[shape.size() - back];
        at += size == 1 ? 0 : i % out[d] * step;
        step *= size;
      }
      return static_cast<size_t>(at);
    };
    const std::vector<std::pair<Op, std::function<float(float, float)>>> ops = {
        {Op::kAdd, [](float x, float y) { return x + y; }},
        {Op::kSub, [](float x, float y) { return x - y; }},
        {Op::kMul, [](float x, float y) { return x * y; }},
        {Op::kDiv, [](float x, float y) { return x / y; }},
        {Op::kMin, [](float x, float y) { return std::min(x, y); }},
        {Op::kMax, [](float x, float y) { return std::max(x, y); }},
        {Op::kPRelu, [](float x, float y) { return x >= 0 ? x : x * y; }}};
    for (const auto& [op, fn] : ops) {
      const auto got = Run(op, NoAttrs{}, {&a, &b}, so);
      for (int64_t i = 0; i < Count(so); ++i) {
        ASSERT_EQ(got[static_cast<size_t>(i)], fn(a.data[index(sa, so, i)], b.data[index(sb, so, i)])) << Name(op);
      }
    }
  }
}

TEST_F(CpuKernels, DataMovement) {
  Array x = Random({3, 4, 5});
  const auto at = [&](int64_t i, int64_t j, int64_t k) { return x.data[static_cast<size_t>((i * 4 + j) * 5 + k)]; };
  const auto transposed = Run(Op::kTranspose, TransposeAttrs{{2, 0, 1}}, {&x}, {5, 3, 4});
  const auto sliced = Run(Op::kSlice, SliceAttrs{{0, 3, 4}, {3, -1, 0}, {2, -1, -2}}, {&x}, {2, 4, 2});
  const auto padded = Run(Op::kPad, PadAttrs{{1, 0, -1}, {0, 2, 1}, 7.0F}, {&x}, {4, 6, 5});
  Array other = Random({3, 2, 5});
  const auto joined = Run(Op::kConcat, AxisAttrs{1}, {&x, &other}, {3, 6, 5});
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 4; ++j) {
      for (int64_t k = 0; k < 5; ++k) {
        EXPECT_EQ(transposed[static_cast<size_t>((k * 3 + i) * 4 + j)], at(i, j, k));
        EXPECT_EQ(joined[static_cast<size_t>((i * 6 + j) * 5 + k)], at(i, j, k));
        if (j < 2) {
          EXPECT_EQ(joined[static_cast<size_t>((i * 6 + 4 + j) * 5 + k)],
                    other.data[static_cast<size_t>((i * 2 + j) * 5 + k)]);
        }
      }
    }
  }
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 4; ++j) {
      for (int64_t k = 0; k < 2; ++k)
        EXPECT_EQ(sliced[static_cast<size_t>((i * 4 + j) * 2 + k)], at(2 * i, 3 - j, 4 - 2 * k));
    }
  }
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 6; ++j) {
      for (int64_t k = 0; k < 5; ++k) {
        const bool inside = i >= 1 && j < 4 && k < 4;
        EXPECT_EQ(padded[static_cast<size_t>((i * 6 + j) * 5 + k)], inside ? at(i - 1, j, k + 1) : 7.0F);
      }
    }
  }
}

TEST_F(CpuKernels, SoftmaxSumsToOneAlongItsAxis) {
  Array x = Random({2, 7, 3});
  const auto y = Run(Op::kSoftmax, AxisAttrs{1}, {&x}, {2, 7, 3});
  for (size_t n = 0; n < 2; ++n) {
    for (size_t k = 0; k < 3; ++k) {
      double sum = 0, norm = 0;
      for (size_t j = 0; j < 7; ++j) norm += std::exp(static_cast<double>(x.data[(n * 7 + j) * 3 + k]));
      for (size_t j = 0; j < 7; ++j) {
        sum += static_cast<double>(y[(n * 7 + j) * 3 + k]);
        EXPECT_NEAR(static_cast<double>(y[(n * 7 + j) * 3 + k]),
                    std::exp(static_cast<double>(x.data[(n * 7 + j) * 3 + k])) / norm, 1e-6);
      }
      EXPECT_NEAR(sum, 1.0, 1e-5);
    }
  }
}

TEST_F(CpuKernels, BatchNorm) {
  Array x = Random({2, 3, 4}), gamma = Random({3}), beta = Random({3}), mean = Random({3}), var = Random({3});
  for (float& v : var.data) v = std::fabs(v) + 0.1F;
  const auto y = Run(Op::kBatchNorm, BatchNormAttrs{1e-3F}, {&x, &gamma, &beta, &mean, &var}, {2, 3, 4});
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t c = i / 4 % 3;
    EXPECT_NEAR(y[i], (x.data[i] - mean.data[c]) / std::sqrt(var.data[c] + 1e-3F) * gamma.data[c] + beta.data[c], 1e-4);
  }
}

TEST_F(CpuKernels, QuantizeRoundsHalfToEvenAndSaturates) {
  std::vector<float> x{0.25F, 0.75F, -0.25F, 1000.0F, -1000.0F, NAN, INFINITY, 0.5F};
  std::vector<int8_t> q(x.size());
  std::vector<float> back(x.size());
  const Shape shape{8};
  const float scale = 0.5F;
  const int32_t zero = 3;
  Attributes attrs = NoAttrs{};
  Tensor in[1] = {{DType::kFloat32, shape, x.data()}};
  Tensor out[1] = {{DType::kInt8, shape, q.data()}};
  Workers workers(1);
  OpCall call;
  call.op = Op::kQuantize;
  call.attrs = &attrs;
  call.inputs = in;
  call.outputs = out;
  call.quant = {{&scale, 1}, {&zero, 1}, -1};
  ASSERT_TRUE(CheckOp(call).ok());
  RunOp(call, {}, workers);
  EXPECT_EQ(q, (std::vector<int8_t>{3, 5, 3, 127, -128, 3, 127, 4}));
  in[0] = {DType::kInt8, shape, q.data()};
  out[0] = {DType::kFloat32, shape, back.data()};
  call.op = Op::kDequantize;
  ASSERT_TRUE(CheckOp(call).ok());
  RunOp(call, {}, workers);
  EXPECT_EQ(back, (std::vector<float>{0, 1, 0, 62, -65.5, 0, 62, 0.5}));
}

TEST_F(CpuKernels, CheckOpRefusesWhatDoesNotFit) {
  std::vector<float> data(1000);
  const Shape x{1, 4, 5, 5}, w{8, 4, 3, 3}, y{1, 8, 3, 3}, wrong{1, 8, 4, 3}, huge{1LL << 40, 1LL << 40};
  Attributes conv = ConvAttrs{{3, 3}, {1, 1}, {1, 1}, {0, 0}, {0, 0, 0, 0}, 1};
  Tensor in[2] = {{DType::kFloat32, x, data.data()}, {DType::kFloat32, w, data.data()}};
  Tensor out[1] = {{DType::kFloat32, y, data.data()}};
  OpCall call;
  call.op = Op::kConv;
  call.attrs = &conv;
  call.inputs = in;
  call.outputs = out;
  EXPECT_TRUE(CheckOp(call).ok());
  out[0].shape = wrong;
  EXPECT_FALSE(CheckOp(call).ok());
  out[0].shape = huge;
  EXPECT_FALSE(CheckOp(call).ok());
  out[0].shape = y;
  in[0].dtype = DType::kInt8;
  EXPECT_FALSE(CheckOp(call).ok());
  in[0].dtype = DType::kFloat32;
  std::get<ConvAttrs>(conv).stride[0] = 0;
  EXPECT_FALSE(CheckOp(call).ok());
  conv = NoAttrs{};
  EXPECT_FALSE(CheckOp(call).ok());
  call.op = static_cast<Op>(200);
  EXPECT_FALSE(CheckOp(call).ok());
}

}  // namespace
}  // namespace xrun::cpu
