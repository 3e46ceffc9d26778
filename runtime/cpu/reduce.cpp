// Sums, extremes and norms over any axes. Every output element is one chain in the order of the input, in double (or in
// wrapping 64-bit integers), so no number of threads changes a bit.

#include "runtime/cpu/reduce.h"

#include <cmath>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

/// Axes of a walk over the input.
struct Walk {
  size_t rank = 0;
  Dims dims{}, strides{};

  /// Axes are added from the first to the last; one that goes on where the axis before it ends is merged with it.
  void Add(int64_t size, int64_t stride) {
    if (size == 1) return;
    if (rank > 0 && strides[rank - 1] == stride * size) {
      dims[rank - 1] *= size;
      strides[rank - 1] = stride;
    } else {
      dims[rank] = size, strides[rank] = stride;
      ++rank;
    }
  }
  int64_t Offset(int64_t index) const {
    int64_t offset = 0;
    for (size_t i = rank; i-- > 0;) {
      offset += index % dims[i] * strides[i];
      index /= dims[i];
    }
    return offset;
  }
  /// fn(offset) in row-major order.
  template <typename Fn>
  void ForEach(const Fn& fn) const {
    const int64_t run = rank == 0 ? 1 : dims[rank - 1], step = rank == 0 ? 0 : strides[rank - 1];
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < rank; ++i) rows *= dims[i];
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t base = Offset(row * run);
      for (int64_t i = 0; i < run; ++i) fn(base + i * step);
    }
  }
};

template <typename Sum, typename T, typename Fn>
Sum Accumulate(const Walk& walk, const T* x, Sum sum, const Fn& fn) {
  walk.ForEach([&](int64_t at) { sum = fn(sum, x[at]); });
  return sum;
}

/// NaN wins, as in numpy.
template <typename T>
T Extreme(const Walk& walk, const T* x, bool most) {
  return Accumulate(walk, x, x[0], [=](T best, T v) {
    if (best != best) return best;
    return (most ? v > best : v < best) || v != v ? v : best;
  });
}

float ReduceFloats(ReduceKind kind, const Walk& walk, const float* x, int64_t count) {
  const auto sum = [&](const auto& f) {
    return Accumulate(walk, x, 0.0, [&](double s, float v) { return s + f(static_cast<double>(v)); });
  };
  const auto same = [](double v) { return v; };
  const auto square = [](double v) { return v * v; };
  switch (kind) {
    case ReduceKind::kSum:
      return static_cast<float>(sum(same));
    case ReduceKind::kMean:
      return static_cast<float>(sum(same) / static_cast<double>(count));
    case ReduceKind::kMax:
      return Extreme(walk, x, true);
    case ReduceKind::kMin:
      return Extreme(walk, x, false);
    case ReduceKind::kProd:
      return static_cast<float>(Accumulate(walk, x, 1.0, [](double p, float v) { return p * static_cast<double>(v); }));
    case ReduceKind::kL1:
      return static_cast<float>(sum([](double v) { return std::fabs(v); }));
    case ReduceKind::kL2:
      return static_cast<float>(std::sqrt(sum(square)));
    case ReduceKind::kSumSquare:
      return static_cast<float>(sum(square));
    case ReduceKind::kLogSum:
      return static_cast<float>(std::log(sum(same)));
    case ReduceKind::kLogSumExp: {
      const double most = static_cast<double>(Extreme(walk, x, true));
      if (!std::isfinite(most)) return static_cast<float>(most);
      return static_cast<float>(most + std::log(sum([=](double v) { return std::exp(v - most); })));
    }
  }
  return 0;
}

/// Overflow wraps around.
template <typename T>
T ReduceIntegers(ReduceKind kind, const Walk& walk, const T* x) {
  if (kind == ReduceKind::kMax || kind == ReduceKind::kMin) return Extreme(walk, x, kind == ReduceKind::kMax);
  const uint64_t start = kind == ReduceKind::kProd ? 1 : 0;
  return static_cast<T>(Accumulate(walk, x, start, [=](uint64_t s, T value) {
    const auto v = static_cast<uint64_t>(value);
    if (kind == ReduceKind::kProd) return s * v;
    return s + (kind == ReduceKind::kSumSquare ? v * v : kind == ReduceKind::kL1 && value < 0 ? 0 - v : v);
  }));
}

template <typename T, typename Fn>
void ForEachOutput(const OpCall& call, const Walk& kept, int64_t per_output, Workers& workers, const Fn& fn) {
  const T* x = call.inputs[0].as<T>();
  T* y = call.outputs[0].as<T>();
  const int64_t step = std::max<int64_t>(1, kElementsPerTask / per_output);
  ForRanges(workers, Elements(call.outputs[0]), step, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = fn(x + kept.Offset(i));
  });
}

}  // namespace

void RunReduce(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<ReduceAttrs>(*call.attrs);
  const auto shape = call.inputs[0].shape;
  Walk kept, reduced;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool gone = std::find(attrs.axes.begin(), attrs.axes.end(), static_cast<int64_t>(d)) != attrs.axes.end();
    (gone ? reduced : kept).Add(shape[d], Product(shape.subspan(d + 1)));
  }
  int64_t count = 1;
  for (size_t i = 0; i < reduced.rank; ++i) count *= reduced.dims[i];
  const ReduceKind kind = attrs.kind;
  switch (call.inputs[0].dtype) {
    case DType::kFloat32:
      return ForEachOutput<float>(call, kept, count, workers,
                                  [&](const float* x) { return ReduceFloats(kind, reduced, x, count); });
    case DType::kInt32:
      return ForEachOutput<int32_t>(call, kept, count, workers,
                                    [&](const int32_t* x) { return ReduceIntegers(kind, reduced, x); });
    default:
      return ForEachOutput<int64_t>(call, kept, count, workers,
                                    [&](const int64_t* x) { return ReduceIntegers(kind, reduced, x); });
  }
}

}  // namespace xrun::cpu
