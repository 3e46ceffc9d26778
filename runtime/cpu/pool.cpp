#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

/// Taps [first, last) of the window at output index `o` that lie inside the input, and how many count for an average.
struct Taps {
  int64_t first, last, counted;
};

Taps TapsOf(int64_t o, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after, int64_t size,
            bool count_pad) {
  const int64_t start = o * stride - before;
  const int64_t first = start >= 0 ? 0 : std::min(kernel, (-start + dilation - 1) / dilation);
  const int64_t last = start >= size ? first : std::clamp<int64_t>((size - 1 - start) / dilation + 1, first, kernel);
  int64_t counted = last - first;
  if (count_pad) {
    const int64_t limit = size + after;  // declared padding counts, what ceil_mode added does not
    counted = start >= limit ? 0 : std::min(kernel, (limit - 1 - start) / dilation + 1);
  }
  return {first, last, counted};
}

}  // namespace

void RunPool(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<PoolAttrs>(*call.attrs);
  const auto in = call.inputs[0].shape;
  const auto out = call.outputs[0].shape;
  const int64_t h = in[2], w = in[3], oh = out[2], ow = out[3];
  const int64_t kh = attrs.kernel[0], kw = attrs.kernel[1];
  const int64_t sh = attrs.stride[0], sw = attrs.stride[1];
  const int64_t dh = attrs.dilation[0], dw = attrs.dilation[1];
  const int64_t top = attrs.pads[0], left = attrs.pads[1];
  const int64_t bottom = attrs.pads[2] - attrs.ceil_pads[0];
  const int64_t right = attrs.pads[3] - attrs.ceil_pads[1];
  const bool average = call.op == Op::kAveragePool;
  const bool count_pad = average && attrs.count_include_pad;
  const float* x = call.inputs[0].as<float>();
  float* y = call.outputs[0].as<float>();
  workers.Run(in[0] * in[1], [&](int64_t plane, int) {
    const float* source = x + plane * h * w;
    float* target = y + plane * oh * ow;
    for (int64_t oy = 0; oy < oh; ++oy) {
      const Taps rows = TapsOf(oy, kh, sh, dh, top, bottom, h, count_pad);
      for (int64_t ox = 0; ox < ow; ++ox) {
        const Taps columns = TapsOf(ox, kw, sw, dw, left, right, w, count_pad);
        const float* corner = source + (oy * sh - top) * w + (ox * sw - left);
        double sum = 0;
        float most = -std::numeric_limits<float>::infinity();
        for (int64_t ky = rows.first; ky < rows.last; ++ky) {
          for (int64_t kx = columns.first; kx < columns.last; ++kx) {
            const float v = corner[ky * dh * w + kx * dw];
            if (average) {
              sum += static_cast<double>(v);
            } else if (!(v <= most)) {  // a NaN wins
              most = v;
            }
          }
        }
        if (average) {
          const int64_t count = rows.counted * columns.counted;
          *target++ = count == 0 ? 0.0F : static_cast<float>(sum / static_cast<double>(count));
        } else {
          *target++ = most;
        }
      }
    }
  });
}

}  // namespace xrun::cpu
