#include "runtime/cpu/unary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace xrun {

namespace {

double Softplus(double x) { return std::log1p(std::exp(-std::fabs(x))) + std::max(x, 0.0); }

}  // namespace

double EvaluateUnary(const UnaryFunction& function, double x) {
  const double a = function.a;
  const double b = function.b;
  switch (function.kind) {
    case UnaryKind::kClip:
      return x < a ? a : x > b ? b : x;
    case UnaryKind::kLeakyRelu:
      return x >= 0 ? x : a * x;
    case UnaryKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case UnaryKind::kHardSigmoid:
      return std::max(0.0, std::min(1.0, a * x + b));
    case UnaryKind::kHardSwish:
      return x * std::max(0.0, std::min(1.0, x * (1.0 / 6.0) + 0.5));
    case UnaryKind::kSilu:
      return x * (1 / (1 + std::exp(-x)));
    case UnaryKind::kTanh:
      return std::tanh(x);
    case UnaryKind::kElu:
      return x >= 0 ? x : a * (std::exp(x) - 1);
    case UnaryKind::kSoftplus:
      return Softplus(x);
    case UnaryKind::kGelu:
      return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
    case UnaryKind::kMish:
      return x * std::tanh(Softplus(x));
    case UnaryKind::kExp:
      return std::exp(x);
    case UnaryKind::kLog:
      return std::log(x);
    case UnaryKind::kSqrt:
      return std::sqrt(x);
    case UnaryKind::kNeg:
      return -x;
    case UnaryKind::kAbs:
      return std::fabs(x);
    case UnaryKind::kReciprocal:
      return 1 / x;
    case UnaryKind::kErf:
      return std::erf(x);
    case UnaryKind::kAffine:
      return a * x + b;
    case UnaryKind::kPowConst:
      return std::pow(x, a);
    case UnaryKind::kCeil:
      return std::ceil(x);
    case UnaryKind::kFloor:
      return std::floor(x);
    case UnaryKind::kRound:
      return std::nearbyint(x);
    case UnaryKind::kSign:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case UnaryKind::kSin:
      return std::sin(x);
    case UnaryKind::kCos:
      return std::cos(x);
    case UnaryKind::kSoftsign:
      return x / (1 + std::fabs(x));
    case UnaryKind::kCelu:
      return x >= 0 ? x : a * (std::exp(x / a) - 1);
    case UnaryKind::kSelu:
      return x > 0 ? b * x : b * (a * std::exp(x) - a);
    case UnaryKind::kThresholdedRelu:
      return x > a ? x : 0;
  }
  return x;
}

double EvaluateChain(std::span<const UnaryFunction> chain, double x) {
  for (const UnaryFunction& function : chain) x = EvaluateUnary(function, x);
  return x;
}

std::array<int8_t, 256> UnaryTable(std::span<const UnaryFunction> chain, float input_scale, int32_t input_zero,
                                   float output_scale, int32_t output_zero) {
  std::array<int8_t, 256> table{};
  for (int q = -128; q < 128; ++q) {
    const double y =
        EvaluateChain(chain, static_cast<double>(input_scale) * (q - input_zero)) / static_cast<double>(output_scale);
    // nearbyint in the default rounding mode is rhe; beyond ±512 every zero point saturates alike.
    const double rounded = std::isnan(y) ? 0.0 : std::nearbyint(std::clamp(y, -512.0, 512.0));
    table[static_cast<size_t>(q + 128)] =
        static_cast<int8_t>(std::clamp(static_cast<int>(rounded) + output_zero, -128, 127));
  }
  return table;
}

}  // namespace xrun
