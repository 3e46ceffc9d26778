// Operators that pick elements: depth to space, space to depth, gathering, the place of the largest; and casts.

#include <cmath>
#include <cstring>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

void RunBlocks(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<BlockAttrs>(*call.attrs);
  const bool spread = call.op == Op::kDepthToSpace;
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  const Tensor& deep = spread ? in : out;  // [N, C·b·b, H, W]
  const Tensor& wide = spread ? out : in;  // [N, C, H·b, W·b]
  const int64_t b = attrs.block, channels = wide.shape[1], h = deep.shape[2], w = deep.shape[3];
  WithElementType(out.dtype, [&]<typename T>(T*) {
    ForRanges(workers, wide.shape[0] * channels * h * b, 16, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t y = row % (h * b), c = row / (h * b) % channels, n = row / (h * b) / channels;
        for (int64_t dx = 0; dx < b; ++dx) {
          const int64_t block = y % b * b + dx;
          const int64_t channel = attrs.crd ? c * b * b + block : block * channels + c;
          const int64_t deep_at = ((n * deep.shape[1] + channel) * h + y / b) * w;
          const int64_t wide_at = row * w * b + dx;
          for (int64_t x = 0; x < w; ++x) {
            if (spread) {
              out.as<T>()[wide_at + x * b] = in.as<T>()[deep_at + x];
            } else {
              out.as<T>()[deep_at + x] = in.as<T>()[wide_at + x * b];
            }
          }
        }
      }
    });
  });
}

/// Indices may count from the end; those of an activation that lie outside of the axis are clamped into it.
void RunGather(const OpCall& call, Workers& workers) {
  const auto axis = static_cast<size_t>(std::get<AxisAttrs>(*call.attrs).axis);
  const Tensor& in = call.inputs[0];
  const Tensor& indices = call.inputs[1];
  const Tensor& out = call.outputs[0];
  const int64_t size = in.shape[axis], inner = Product(in.shape.subspan(axis + 1)), count = Elements(indices);
  WithElementType(out.dtype, [&]<typename T>(T*) {
    ForRanges(workers, Product(in.shape.first(axis)) * count, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t index = indices.as<int64_t>()[i % count];
        if (index < 0) index += size;
        index = std::clamp<int64_t>(index, 0, size - 1);
        std::memcpy(out.as<T>() + i * inner, in.as<T>() + (i / count * size + index) * inner,
                    static_cast<size_t>(inner) * sizeof(T));
      }
    });
  });
}

void RunArgMax(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<ArgMaxAttrs>(*call.attrs);
  const auto axis = static_cast<size_t>(attrs.axis);
  const Tensor& in = call.inputs[0];
  auto* out = call.outputs[0].as<int64_t>();
  const int64_t size = in.shape[axis], inner = Product(in.shape.subspan(axis + 1));
  ForRanges(workers, Product(in.shape.first(axis)) * inner, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = in.as<float>() + i / inner * size * inner + i % inner;
      int64_t best = 0;
      for (int64_t k = 1; k < size; ++k) {
        const float a = x[k * inner], b = x[best * inner];
        if ((attrs.least ? a < b : a > b) || (attrs.last && a == b)) best = k;
      }
      out[i] = best;
    }
  });
}

namespace {

template <typename From, typename To>
void Cast(const Tensor& in, const Tensor& out, Workers& workers) {
  ForRanges(workers, Elements(out), kElementsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const From x = in.as<From>()[i];
      if constexpr (std::is_same_v<From, float> && !std::is_same_v<To, float>) {
        // Towards zero; what does not fit saturates, NaN becomes 0, so that every machine gives the same.
        constexpr auto most = static_cast<double>(std::numeric_limits<To>::max());
        const double wide = x;
        out.as<To>()[i] = !(wide == wide)                                               ? To{0}
                          : wide >= most                                                ? std::numeric_limits<To>::max()
                          : wide <= static_cast<double>(std::numeric_limits<To>::min()) ? std::numeric_limits<To>::min()
                                                                                        : static_cast<To>(wide);
      } else {
        out.as<To>()[i] = static_cast<To>(x);
      }
    }
  });
}

template <typename From>
void CastFrom(const Tensor& in, const Tensor& out, Workers& workers) {
  switch (out.dtype) {
    case DType::kFloat32:
      return Cast<From, float>(in, out, workers);
    case DType::kInt32:
      return Cast<From, int32_t>(in, out, workers);
    case DType::kInt64:
      return Cast<From, int64_t>(in, out, workers);
    default:  // kBool
      return ForRanges(workers, Elements(out), kElementsPerTask, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) out.as<uint8_t>()[i] = in.as<From>()[i] != From{0} ? 1 : 0;
      });
  }
}

}  // namespace

void RunCast(const OpCall& call, Workers& workers) {
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  switch (in.dtype) {
    case DType::kFloat32:
      return CastFrom<float>(in, out, workers);
    case DType::kInt32:
      return CastFrom<int32_t>(in, out, workers);
    case DType::kInt64:
      return CastFrom<int64_t>(in, out, workers);
    default:
      return CastFrom<uint8_t>(in, out, workers);
  }
}

/// y = x / (bias + alpha / size · Σ x²)^beta over `size` channels around each; the window leans to higher channels
/// where size is even, as ONNX defines it.
void RunLrn(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<LrnAttrs>(*call.attrs);
  const Tensor& in = call.inputs[0];
  const int64_t channels = in.shape[1], inner = Product(in.shape.subspan(2));
  const int64_t below = (attrs.size - 1) / 2, above = attrs.size - 1 - below;
  ForRanges(workers, in.shape[0] * channels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const int64_t c = plane % channels, first = std::max<int64_t>(0, c - below) - c;
      const int64_t last = std::min(channels - 1, c + above) - c;
      const float* x = in.as<float>() + plane * inner;
      float* y = call.outputs[0].as<float>() + plane * inner;
      for (int64_t i = 0; i < inner; ++i) {
        float sum = 0;
        for (int64_t k = first; k <= last; ++k) sum += x[k * inner + i] * x[k * inner + i];
        y[i] = x[i] / std::pow(attrs.bias + attrs.alpha / static_cast<float>(attrs.size) * sum, attrs.beta);
      }
    }
  });
}

}  // namespace xrun::cpu
