#include <cmath>

#include "runtime/cpu/op_kernels.h"
#include "runtime/cpu/unary.h"

namespace xrun::cpu {

namespace {

/// Output dimensions and the strides of two broadcast inputs (0 along a broadcast axis), with neighbouring dimensions
/// merged wherever all three walk on together.
struct Broadcast {
  size_t rank = 0;
  Dims dims{}, a{}, b{};

  Broadcast(std::span<const int64_t> out, std::span<const int64_t> sa, std::span<const int64_t> sb) {
    Dims full_a{}, full_b{};
    int64_t step_a = 1, step_b = 1;
    for (size_t i = out.size(); i-- > 0;) {
      const size_t back = out.size() - i;
      const int64_t da = back <= sa.size() ? sa[sa.size() - back] : 1;
      const int64_t db = back <= sb.size() ? sb[sb.size() - back] : 1;
      full_a[i] = da == 1 ? 0 : step_a;
      full_b[i] = db == 1 ? 0 : step_b;
      step_a *= da;
      step_b *= db;
    }
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i] == 1) continue;
      if (rank > 0 && a[rank - 1] == full_a[i] * out[i] && b[rank - 1] == full_b[i] * out[i]) {
        dims[rank - 1] *= out[i];
        a[rank - 1] = full_a[i];
        b[rank - 1] = full_b[i];
      } else {
        dims[rank] = out[i], a[rank] = full_a[i], b[rank] = full_b[i];
        ++rank;
      }
    }
    if (rank == 0) dims[0] = 1, rank = 1;
  }
};

template <typename Fn>
void RunBroadcast(const OpCall& call, Workers& workers, const Fn& fn) {
  const Broadcast shape(call.outputs[0].shape, call.inputs[0].shape, call.inputs[1].shape);
  const float* a = call.inputs[0].as<float>();
  const float* b = call.inputs[1].as<float>();
  float* y = call.outputs[0].as<float>();
  const size_t inner = shape.rank - 1;
  const int64_t sa = shape.a[inner];
  const int64_t sb = shape.b[inner];
  ForRanges(workers, Elements(call.outputs[0]), kElementsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end;) {
      int64_t rest = at;
      int64_t offset_a = 0;
      int64_t offset_b = 0;
      int64_t column = 0;
      for (size_t i = shape.rank; i-- > 0;) {
        const int64_t index = rest % shape.dims[i];
        rest /= shape.dims[i];
        offset_a += index * shape.a[i];
        offset_b += index * shape.b[i];
        if (i == inner) column = index;
      }
      const int64_t run = std::min(end - at, shape.dims[inner] - column);
      const float* pa = a + offset_a;
      const float* pb = b + offset_b;
      float* py = y + at;
      if (sa == 1 && sb == 1) {
        for (int64_t i = 0; i < run; ++i) py[i] = fn(pa[i], pb[i]);
      } else if (sa == 1 && sb == 0) {
        const float v = *pb;
        for (int64_t i = 0; i < run; ++i) py[i] = fn(pa[i], v);
      } else {
        for (int64_t i = 0; i < run; ++i) py[i] = fn(pa[i * sa], pb[i * sb]);
      }
      at += run;
    }
  });
}

}  // namespace

void RunBinary(const OpCall& call, Workers& workers) {
  switch (call.op) {
    case Op::kAdd:
      return RunBroadcast(call, workers, [](float a, float b) { return a + b; });
    case Op::kSub:
      return RunBroadcast(call, workers, [](float a, float b) { return a - b; });
    case Op::kMul:
      return RunBroadcast(call, workers, [](float a, float b) { return a * b; });
    case Op::kDiv:
      return RunBroadcast(call, workers, [](float a, float b) { return a / b; });
    case Op::kMin:
      return RunBroadcast(call, workers, [](float a, float b) { return a < b || std::isnan(a) ? a : b; });
    case Op::kMax:
      return RunBroadcast(call, workers, [](float a, float b) { return a > b || std::isnan(a) ? a : b; });
    case Op::kPow:
      return RunBroadcast(call, workers, [](float a, float b) {
        return static_cast<float>(std::pow(static_cast<double>(a), static_cast<double>(b)));
      });
    default:  // PRelu
      return RunBroadcast(call, workers, [](float x, float slope) { return x >= 0 || std::isnan(x) ? x : slope * x; });
  }
}

void RunUnary(const OpCall& call, Workers& workers) {
  const auto& chain = std::get<UnaryAttrs>(*call.attrs).chain;
  const float* x = call.inputs[0].as<float>();
  float* y = call.outputs[0].as<float>();
  ForRanges(workers, Elements(call.outputs[0]), kElementsPerTask / 8, [&](int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 256;
    double block[kBlock];
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t count = std::min(kBlock, end - at);
      for (int64_t i = 0; i < count; ++i) block[i] = static_cast<double>(x[at + i]);
      for (const UnaryFunction& function : chain) {
        for (int64_t i = 0; i < count; ++i) block[i] = EvaluateUnary(function, block[i]);
      }
      for (int64_t i = 0; i < count; ++i) y[at + i] = static_cast<float>(block[i]);
    }
  });
}

void RunBatchNorm(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<BatchNormAttrs>(*call.attrs);
  const auto shape = call.inputs[0].shape;
  const int64_t channels = shape[1];
  const int64_t plane = Product(shape.subspan(2));
  const float* x = call.inputs[0].as<float>();
  float* y = call.outputs[0].as<float>();
  workers.Run(shape[0] * channels, [&](int64_t task, int) {
    const int64_t c = task % channels;
    const double gain =
        static_cast<double>(call.inputs[1].as<float>()[c]) /
        std::sqrt(static_cast<double>(call.inputs[4].as<float>()[c]) + static_cast<double>(attrs.epsilon));
    const auto scale = static_cast<float>(gain);
    const auto offset = static_cast<float>(static_cast<double>(call.inputs[2].as<float>()[c]) -
                                           gain * static_cast<double>(call.inputs[3].as<float>()[c]));
    for (int64_t i = task * plane; i < (task + 1) * plane; ++i) y[i] = x[i] * scale + offset;
  });
}

}  // namespace xrun::cpu
