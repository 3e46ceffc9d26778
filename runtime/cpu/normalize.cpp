// Normalization by mean and variance of the values themselves.

#include <cmath>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

struct Moments {
  double mean = 0, inverse_deviation = 0;
};

/// Two passes in double: the mean, then the squares around it.
Moments MomentsOf(const float* x, int64_t count, float epsilon) {
  Moments m;
  for (int64_t i = 0; i < count; ++i) m.mean += static_cast<double>(x[i]);
  m.mean /= static_cast<double>(count);
  double variance = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(x[i]) - m.mean;
    variance += d * d;
  }
  m.inverse_deviation = 1 / std::sqrt(variance / static_cast<double>(count) + static_cast<double>(epsilon));
  return m;
}

}  // namespace

void RunLayerNorm(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<LayerNormAttrs>(*call.attrs);
  const auto shape = call.inputs[0].shape;
  const auto axis = static_cast<size_t>(attrs.axis);
  const int64_t size = Product(shape.subspan(axis));
  const float* scale = call.inputs[1].as<float>();
  const float* bias = call.inputs.size() > 2 ? call.inputs[2].as<float>() : nullptr;
  const int64_t step = std::max<int64_t>(1, kElementsPerTask / std::max<int64_t>(size, 1));
  ForRanges(workers, Product(shape.first(axis)), step, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = call.inputs[0].as<float>() + row * size;
      float* y = call.outputs[0].as<float>() + row * size;
      const Moments m = MomentsOf(x, size, attrs.epsilon);
      for (int64_t i = 0; i < size; ++i) {
        const double normal = (static_cast<double>(x[i]) - m.mean) * m.inverse_deviation;
        const double offset = bias == nullptr ? 0.0 : static_cast<double>(bias[i]);
        y[i] = static_cast<float>(normal * static_cast<double>(scale[i]) + offset);
      }
    }
  });
}

void RunInstanceNorm(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<BatchNormAttrs>(*call.attrs);
  const auto shape = call.inputs[0].shape;
  const int64_t channels = shape[1], size = Product(shape.subspan(2));
  workers.Run(shape[0] * channels, [&](int64_t plane, int) {
    const float* x = call.inputs[0].as<float>() + plane * size;
    float* y = call.outputs[0].as<float>() + plane * size;
    const auto scale = static_cast<double>(call.inputs[1].as<float>()[plane % channels]);
    const auto bias = static_cast<double>(call.inputs[2].as<float>()[plane % channels]);
    const Moments m = MomentsOf(x, size, attrs.epsilon);
    for (int64_t i = 0; i < size; ++i) {
      y[i] = static_cast<float>((static_cast<double>(x[i]) - m.mean) * m.inverse_deviation * scale + bias);
    }
  });
}

}  // namespace xrun::cpu
