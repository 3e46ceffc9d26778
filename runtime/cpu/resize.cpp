#include "runtime/cpu/resize.h"

#include <cmath>

#include "runtime/cpu/op_kernels.h"

namespace xrun {

double ResizePosition(const ResizeAttrs& attrs, size_t axis, int64_t in_size, int64_t out_size, int64_t out) {
  const double scale = attrs.scales[axis];
  const auto x = static_cast<double>(out), in = static_cast<double>(in_size), size = static_cast<double>(out_size);
  // Where the scale is a quotient of sizes, one rounding only: ties and whole positions are found exactly.
  const bool whole = scale == size / in;
  const auto unscaled = [&](double y) { return whole ? y * in / size : y / scale; };
  switch (attrs.coordinates) {
    case ResizeCoordinates::kHalfPixel:
      return unscaled(x + 0.5) - 0.5;
    case ResizeCoordinates::kHalfPixelSymmetric: {
      const double adjusted = whole ? 1 : size / (scale * in);
      return in / 2 * (1 - adjusted) + unscaled(x + 0.5) - 0.5;
    }
    case ResizeCoordinates::kPytorchHalfPixel:
      return out_size > 1 ? unscaled(x + 0.5) - 0.5 : 0.0;
    case ResizeCoordinates::kAlignCorners:
      // The resized length is not rounded to whole elements here.
      return out_size > 1 ? x * (in - 1) / (whole ? size - 1 : scale * in - 1) : 0.0;
    case ResizeCoordinates::kAsymmetric:
      return unscaled(x);
    case ResizeCoordinates::kTfHalfPixelForNn:
      return unscaled(x + 0.5);
  }
  return 0;
}

namespace {

double Nearest(const ResizeAttrs& attrs, size_t axis, double x) {
  switch (attrs.rounding) {
    case ResizeRounding::kPreferFloor:
      return std::ceil(x - 0.5);
    case ResizeRounding::kPreferCeil:
      return std::floor(x + 0.5);
    case ResizeRounding::kFloor:
      return std::floor(x);
    case ResizeRounding::kCeil:
      return std::ceil(x);
    case ResizeRounding::kSimple:
      return attrs.scales[axis] < 1 ? std::ceil(x) : std::floor(x);
  }
  return x;
}

void CubicWeights(double a, double t, double* w) {
  const auto near = [a](double s) { return ((a + 2) * s - (a + 3)) * s * s + 1; };
  const auto far = [a](double s) { return ((a * s - 5 * a) * s + 8 * a) * s - 4 * a; };
  w[0] = far(1 + t), w[1] = near(t), w[2] = near(1 - t), w[3] = far(2 - t);
}

}  // namespace

ResizeTaps TapsAt(const ResizeAttrs& attrs, size_t axis, int64_t in_size, int64_t out_size, int64_t out) {
  ResizeTaps taps;
  const auto clamped = [&](double i) {
    return static_cast<int64_t>(std::min(std::max(i, 0.0), static_cast<double>(in_size - 1)));
  };
  if (in_size == out_size && attrs.scales[axis] == 1) {
    taps.index[0] = out;
    return taps;
  }
  const double x = ResizePosition(attrs, axis, in_size, out_size, out);
  if (attrs.mode == ResizeMode::kNearest) {
    taps.index[0] = clamped(Nearest(attrs, axis, x));
    return taps;
  }
  const double low = std::floor(x), t = x - low;
  if (attrs.mode == ResizeMode::kLinear) {
    taps.count = 2;
    for (int i = 0; i < 2; ++i) taps.index[i] = clamped(low + i);
    taps.weight[0] = 1 - t;
    taps.weight[1] = t;
    return taps;
  }
  taps.count = 4;
  CubicWeights(attrs.cubic_a, t, taps.weight);
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    const double at = low - 1 + i;
    if (attrs.exclude_outside && (at < 0 || at > static_cast<double>(in_size - 1))) taps.weight[i] = 0;
    taps.index[i] = clamped(at);
    sum += taps.weight[i];
  }
  for (double& w : taps.weight) w /= sum;
  return taps;
}

namespace cpu {

namespace {

int TapsOf(const ResizeAttrs& attrs, int64_t in, int64_t out, size_t axis) {
  if (in == out && attrs.scales[axis] == 1) return 1;
  return attrs.mode == ResizeMode::kNearest ? 1 : attrs.mode == ResizeMode::kLinear ? 2 : 4;
}

/// For each axis and output index its taps: element offsets and weights.
struct AxisTable {
  int taps = 1;
  const int64_t* offset = nullptr;
  const float* weight = nullptr;
};

}  // namespace

size_t ResizeScratchBytes(const OpCall& call) {
  const auto& attrs = std::get<ResizeAttrs>(*call.attrs);
  size_t bytes = 0;
  for (size_t d = 0; d < call.outputs[0].shape.size(); ++d) {
    const int64_t out = call.outputs[0].shape[d];
    const auto entries = static_cast<size_t>(out * TapsOf(attrs, call.inputs[0].shape[d], out, d));
    bytes += entries * (sizeof(int64_t) + sizeof(float)) + 16;
  }
  return bytes;
}

void RunResize(const OpCall& call, std::byte* scratch, Workers& workers) {
  const auto& attrs = std::get<ResizeAttrs>(*call.attrs);
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  const size_t rank = out.shape.size();
  std::array<AxisTable, kMaxRank> axes;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t stride = Product(in.shape.subspan(d + 1));
    const int taps = TapsOf(attrs, in.shape[d], out.shape[d], d);
    const int64_t entries = out.shape[d] * taps;
    auto* offset = reinterpret_cast<int64_t*>(scratch);
    auto* weight = reinterpret_cast<float*>(scratch + static_cast<size_t>(entries) * sizeof(int64_t));
    scratch += (static_cast<size_t>(entries) * (sizeof(int64_t) + sizeof(float)) + 15) / 16 * 16;
    for (int64_t i = 0; i < out.shape[d]; ++i) {
      const ResizeTaps at = TapsAt(attrs, d, in.shape[d], out.shape[d], i);
      for (int t = 0; t < taps; ++t) {
        offset[i * taps + t] = at.index[t] * stride;
        weight[i * taps + t] = static_cast<float>(at.weight[t]);
      }
    }
    axes[d] = {taps, offset, weight};
  }
  const bool copies = std::all_of(axes.begin(), axes.begin() + static_cast<std::ptrdiff_t>(rank),
                                  [](const AxisTable& a) { return a.taps == 1; });
  const AxisTable& last = axes[rank - 1];
  const int64_t cols = out.shape[rank - 1], rows = Elements(out) / std::max<int64_t>(1, cols);

  // All products of the outer axes' taps for one output row; the row then walks the last axis.
  const auto row_of = [&](int64_t row, const auto& fn) {
    std::array<int64_t, kMaxRank> index{};
    for (size_t d = rank - 1; d-- > 0;) {
      index[d] = row % out.shape[d];
      row /= out.shape[d];
    }
    std::array<int, kMaxRank> tap{};
    for (;;) {
      int64_t offset = 0;
      float weight = 1;
      for (size_t d = 0; d + 1 < rank; ++d) {
        offset += axes[d].offset[index[d] * axes[d].taps + tap[d]];
        weight *= axes[d].weight[index[d] * axes[d].taps + tap[d]];
      }
      fn(offset, weight);
      size_t d = rank - 1;
      while (d-- > 0) {
        if (++tap[d] < axes[d].taps) break;
        tap[d] = 0;
      }
      if (d == static_cast<size_t>(-1)) return;
    }
  };
  const int64_t rows_per_task = std::max<int64_t>(1, kElementsPerTask / std::max<int64_t>(1, cols));
  if (copies) {
    const auto copy = [&]<typename T>(T*) {
      ForRanges(workers, rows, rows_per_task, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          T* y = out.as<T>() + row * cols;
          row_of(row, [&](int64_t offset, float) {
            const T* x = in.as<T>() + offset;
            for (int64_t c = 0; c < cols; ++c) y[c] = x[last.offset[c]];
          });
        }
      });
    };
    if (out.dtype == DType::kInt8) return copy(static_cast<int8_t*>(nullptr));
    return copy(static_cast<float*>(nullptr));
  }
  ForRanges(workers, rows, rows_per_task, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* y = out.as<float>() + row * cols;
      std::fill(y, y + cols, 0.0F);
      row_of(row, [&](int64_t offset, float weight) {
        const float* x = in.as<float>() + offset;
        for (int64_t c = 0; c < cols; ++c) {
          float sum = 0;
          for (int t = 0; t < last.taps; ++t) sum += last.weight[c * last.taps + t] * x[last.offset[c * last.taps + t]];
          y[c] += weight * sum;
        }
      });
    }
  });
}

}  // namespace cpu

}  // namespace xrun
