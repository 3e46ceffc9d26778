#ifndef XRUN_RUNTIME_QUANTIZE_H_
#define XRUN_RUNTIME_QUANTIZE_H_

#include <cstdint>
#include <span>

namespace xrun::runtime {

/// q = saturate(zero_point + rhe(real / scale)) with the division in float32, as ONNX QuantizeLinear and cpu::RunOp's
/// Quantize; NaN becomes the zero point. Sizes are equal (asserted).
void Quantize(std::span<const float> real, float scale, int32_t zero_point, std::span<int8_t> q);

/// real = scale · (q − zero_point) in float32.
void Dequantize(std::span<const int8_t> q, float scale, int32_t zero_point, std::span<float> real);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_QUANTIZE_H_
