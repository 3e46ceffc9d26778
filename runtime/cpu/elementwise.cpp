#include <cmath>

#include "runtime/cpu/broadcast.h"
#include "runtime/cpu/unary.h"

namespace xrun::cpu {

void RunBinary(const OpCall& call, Workers& workers) {
  if (call.outputs[0].dtype != DType::kFloat32) return RunIntegers(call, workers);
  switch (call.op) {
    case Op::kAdd:
      return RunBroadcast<float>(call, workers, [](float a, float b) { return a + b; });
    case Op::kSub:
      return RunBroadcast<float>(call, workers, [](float a, float b) { return a - b; });
    case Op::kMul:
      return RunBroadcast<float>(call, workers, [](float a, float b) { return a * b; });
    case Op::kDiv:
      return RunBroadcast<float>(call, workers, [](float a, float b) { return a / b; });
    case Op::kMin:
      return RunBroadcast<float>(call, workers, [](float a, float b) { return a < b || std::isnan(a) ? a : b; });
    case Op::kMax:
      return RunBroadcast<float>(call, workers, [](float a, float b) { return a > b || std::isnan(a) ? a : b; });
    case Op::kPow:
      return RunBroadcast<float>(call, workers, [](float a, float b) {
        return static_cast<float>(std::pow(static_cast<double>(a), static_cast<double>(b)));
      });
    case Op::kMod:  // fmod: the other form is for integers
      return RunBroadcast<float>(call, workers, [](float a, float b) { return std::fmod(a, b); });
    default:  // PRelu
      return RunBroadcast<float>(call, workers,
                                 [](float x, float slope) { return x >= 0 || std::isnan(x) ? x : slope * x; });
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
