#include <cmath>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

/// The element at flat index i belongs to channel i / inner % channels (all to channel 0 when per tensor).
struct Channels {
  int64_t count = 1, inner = 1;

  Channels(const OpCall& call, std::span<const int64_t> shape) {
    if (call.quant.axis < 0) return;
    const auto axis = static_cast<size_t>(call.quant.axis);
    count = shape[axis];
    inner = Product(shape.subspan(axis + 1));
  }
  size_t Of(int64_t i) const { return static_cast<size_t>(count == 1 ? 0 : i / inner % count); }
};

/// saturate(zero + rhe(x / scale)) with ONNX QuantizeLinear's own float32 division. NaN becomes the zero point.
int8_t QuantizeOne(float x, float scale, int32_t zero) {
  const float q = x / scale;
  const float rounded = std::isnan(q) ? 0.0F : std::nearbyint(std::clamp(q, -512.0F, 512.0F));
  return static_cast<int8_t>(std::clamp(static_cast<int>(rounded) + zero, -128, 127));
}

}  // namespace

void RunQuantize(const OpCall& call, Workers& workers) {
  const Channels channels(call, call.inputs[0].shape);
  const float* x = call.inputs[0].as<float>();
  int8_t* y = call.outputs[0].as<int8_t>();
  ForRanges(workers, Elements(call.outputs[0]), kElementsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const size_t c = channels.Of(i);
      y[i] = QuantizeOne(x[i], call.quant.scale[c], call.quant.zero_point[c]);
    }
  });
}

void RunDequantize(const OpCall& call, Workers& workers) {
  const Tensor& in = call.inputs[0];
  const Channels channels(call, in.shape);
  float* y = call.outputs[0].as<float>();
  const auto run = [&](const auto* x) {
    ForRanges(workers, Elements(in), kElementsPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const size_t c = channels.Of(i);
        y[i] = call.quant.scale[c] * static_cast<float>(static_cast<int64_t>(x[i]) - call.quant.zero_point[c]);
      }
    });
  };
  in.dtype == DType::kInt8 ? run(in.as<const int8_t>()) : run(in.as<const int32_t>());
}

}  // namespace xrun::cpu
