#include "runtime/quantize.h"

#include <cassert>
#include <cstddef>

namespace xrun::runtime {

void Quantize(std::span<const float> real, float scale, int32_t zero_point, std::span<int8_t> q) {
  assert(real.size() == q.size());
  // Added and taken off again, 1.5 · 2^23 leaves the nearest integer, ties to even: what nearbyint does, but a form
  // that compilers vectorise for every instruction set. The value is clamped first so that it holds for every input.
  constexpr float kToInteger = 12582912.0F;
  const float* x = real.data();
  int8_t* y = q.data();
  const size_t count = q.size();
  for (size_t i = 0; i < count; ++i) {
    float v = x[i] / scale;
    v = v == v ? v : 0.0F;
    v = v < -512.0F ? -512.0F : v;
    v = v > 512.0F ? 512.0F : v;
    const float rounded = (v + kToInteger) - kToInteger;
    int32_t n = static_cast<int32_t>(rounded) + zero_point;
    n = n < -128 ? -128 : n;
    n = n > 127 ? 127 : n;
    y[i] = static_cast<int8_t>(n);
  }
}

void Dequantize(std::span<const int8_t> q, float scale, int32_t zero_point, std::span<float> real) {
  assert(real.size() == q.size());
  const int8_t* x = q.data();
  float* y = real.data();
  const size_t count = q.size();
  for (size_t i = 0; i < count; ++i) y[i] = scale * static_cast<float>(x[i] - zero_point);
}

}  // namespace xrun::runtime
