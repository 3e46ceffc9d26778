#include "runtime/cpu/integer.h"

#include <algorithm>
#include <cmath>

#include "isa/arithmetic.h"
#include "runtime/cpu/broadcast.h"
#include "runtime/cpu/check.h"
#include "runtime/cpu/matmul_shapes.h"
#include "runtime/cpu/resize.h"

namespace xrun::cpu {
namespace {

/// Partial sums of this many products of 9-bit numbers stay below 2^31.
constexpr int64_t kChunk = 1 << 14;

int64_t At(const std::vector<int64_t>& one_or_each, int64_t i) {
  return one_or_each[one_or_each.size() == 1 ? 0 : static_cast<size_t>(i)];
}

int8_t Requantized(const IntegerForm& form, int64_t sum, int64_t m, int64_t shift) {
  const int32_t q = SaturateInt8(form.zero_point + RoundHalfEvenShift(sum * m, static_cast<uint32_t>(shift)));
  return static_cast<int8_t>(ClampTo(q, static_cast<int32_t>(form.lo), static_cast<int32_t>(form.hi)));
}

/// Σ (a[i·step] − a_zero)·(b[i] − b_zero).
int64_t Dot(const int8_t* a, int64_t step, int32_t a_zero, const int8_t* b, int32_t b_zero, int64_t n) {
  int64_t total = 0;
  for (int64_t begin = 0; begin < n; begin += kChunk) {
    const int64_t end = std::min(n, begin + kChunk);
    int32_t part = 0;
    for (int64_t i = begin; i < end; ++i) part += (a[i * step] - a_zero) * (b[i] - b_zero);
    total += part;
  }
  return total;
}

void Conv(const OpCall& call, Workers& workers) {
  const IntegerForm& form = *call.integer;
  const auto& attrs = std::get<ConvAttrs>(*call.attrs);
  const auto x = call.inputs[0].shape, w = call.inputs[1].shape, y = call.outputs[0].shape;
  const int32_t* bias =
      call.inputs.size() > 2 && call.inputs[2].data != nullptr ? call.inputs[2].as<int32_t>() : nullptr;
  const int64_t channels = w[1], per_group = y[1] / attrs.groups;
  const auto zx = static_cast<int32_t>(form.in_zero[0]);
  workers.Run(y[0] * y[1], [&](int64_t task, int) {
    const int64_t sample = task / y[1], m = task % y[1];
    const int8_t* in = call.inputs[0].as<int8_t>() + (sample * x[1] + m / per_group * channels) * x[2] * x[3];
    const int8_t* weights = call.inputs[1].as<int8_t>() + m * channels * w[2] * w[3];
    int8_t* out = call.outputs[0].as<int8_t>() + task * y[2] * y[3];
    const auto zw = static_cast<int32_t>(At(form.weight_zero, m));
    for (int64_t oy = 0; oy < y[2]; ++oy) {
      for (int64_t ox = 0; ox < y[3]; ++ox) {
        int64_t sum = bias != nullptr ? bias[m] : 0;
        // Taps outside hold the input's zero point and add nothing.
        for (int64_t kh = 0; kh < w[2]; ++kh) {
          const int64_t iy = oy * attrs.stride[0] + kh * attrs.dilation[0] - attrs.pads[0];
          if (iy < 0 || iy >= x[2]) continue;
          for (int64_t kw = 0; kw < w[3]; ++kw) {
            const int64_t ix = ox * attrs.stride[1] + kw * attrs.dilation[1] - attrs.pads[1];
            if (ix < 0 || ix >= x[3]) continue;
            const int8_t* pixel = in + iy * x[3] + ix;
            const int8_t* tap = weights + kh * w[3] + kw;
            int64_t part = 0;
            for (int64_t c = 0; c < channels; ++c) {
              part += (pixel[c * x[2] * x[3]] - zx) * (tap[c * w[2] * w[3]] - zw);
            }
            sum += part;
          }
        }
        *out++ = Requantized(form, sum, At(form.multiplier, m), At(form.shift, m));
      }
    }
  });
}

void FullyConnected(const OpCall& call, Workers& workers) {
  const IntegerForm& form = *call.integer;
  const int64_t m = call.inputs[1].shape[0], k = call.inputs[1].shape[1];
  const int32_t* bias =
      call.inputs.size() > 2 && call.inputs[2].data != nullptr ? call.inputs[2].as<int32_t>() : nullptr;
  workers.Run(m == 0 ? 0 : Elements(call.outputs[0]) / m, [&](int64_t row, int) {
    const int8_t* x = call.inputs[0].as<int8_t>() + row * k;
    int8_t* y = call.outputs[0].as<int8_t>() + row * m;
    for (int64_t j = 0; j < m; ++j) {
      const int64_t sum = Dot(x, 1, static_cast<int32_t>(form.in_zero[0]), call.inputs[1].as<int8_t>() + j * k,
                              static_cast<int32_t>(At(form.weight_zero, j)), k) +
                          (bias != nullptr ? bias[j] : 0);
      y[j] = Requantized(form, sum, At(form.multiplier, j), At(form.shift, j));
    }
  });
}

void MatMul(const OpCall& call, Workers& workers) {
  const IntegerForm& form = *call.integer;
  const Batched batched(call);
  const Product2d& p = batched.product;
  const auto za = static_cast<int32_t>(form.in_zero[0]), zb = static_cast<int32_t>(form.in_zero[1]);
  constexpr int64_t kColumns = 64;
  workers.Run(batched.batches * p.m, [&](int64_t task, int) {
    const auto [a_offset, b_offset] = batched.Offsets(task / p.m);
    const int8_t* a = call.inputs[0].as<int8_t>() + a_offset + task % p.m * p.a_row;
    const int8_t* b = call.inputs[1].as<int8_t>() + b_offset;
    int8_t* y = call.outputs[0].as<int8_t>() + task * p.n;
    for (int64_t n0 = 0; n0 < p.n; n0 += kColumns) {
      const int64_t columns = std::min(kColumns, p.n - n0);
      std::array<int64_t, kColumns> total{};
      for (int64_t begin = 0; begin < p.k; begin += kChunk) {
        std::array<int32_t, kColumns> part{};
        for (int64_t k = begin; k < std::min(p.k, begin + kChunk); ++k) {
          const int32_t v = a[k * p.a_column] - za;
          const int8_t* row = b + k * p.b_row + n0;
          for (int64_t j = 0; j < columns; ++j) part[static_cast<size_t>(j)] += v * (row[j] - zb);
        }
        for (size_t j = 0; j < kColumns; ++j) total[j] += part[j];
      }
      for (int64_t j = 0; j < columns; ++j) {
        y[n0 + j] = Requantized(form, total[static_cast<size_t>(j)], form.multiplier[0], form.shift[0]);
      }
    }
  });
}

void Binary(const OpCall& call, Workers& workers) {
  const IntegerForm& form = *call.integer;
  const auto za = static_cast<int32_t>(form.in_zero[0]), zb = static_cast<int32_t>(form.in_zero[1]);
  if (call.op == Op::kMul) {
    RunBroadcast<int8_t>(call, workers, [&](int8_t a, int8_t b) {
      return Requantized(form, int64_t{a - za} * (b - zb), form.multiplier[0], form.shift[0]);
    });
    return;
  }
  const int64_t ma = form.multiplier[0], mb = form.multiplier[1];
  RunBroadcast<int8_t>(call, workers, [&](int8_t a, int8_t b) {
    return Requantized(form, ma * (a - za) + mb * (b - zb), 1, form.shift[0]);
  });
}

/// Taps first … end − 1 of a window along an axis that lie inside, and how many an average counts.
struct Span {
  int64_t first, end, counted;
};
Span TapsInside(const PoolAttrs& attrs, size_t axis, int64_t size, int64_t out) {
  const int64_t start = out * attrs.stride[axis] - attrs.pads[axis];
  const int64_t lo = attrs.count_include_pad ? -attrs.pads[axis] : 0;
  const int64_t hi = size + (attrs.count_include_pad ? attrs.pads[axis + 2] - attrs.ceil_pads[axis] : 0);
  Span span{attrs.kernel[axis], 0, 0};
  for (int64_t k = 0; k < attrs.kernel[axis]; ++k) {
    const int64_t i = start + k * attrs.dilation[axis];
    span.counted += i >= lo && i < hi ? 1 : 0;
    if (i < 0 || i >= size) continue;
    span.first = std::min(span.first, k);
    span.end = k + 1;
  }
  return span;
}

void Pool(const OpCall& call, Workers& workers) {
  const IntegerForm& form = *call.integer;
  const auto& attrs = std::get<PoolAttrs>(*call.attrs);
  const auto x = call.inputs[0].shape, y = call.outputs[0].shape;
  const bool average = call.op == Op::kAveragePool;
  workers.Run(y[0] * y[1], [&](int64_t plane, int) {
    const int8_t* in = call.inputs[0].as<int8_t>() + plane * x[2] * x[3];
    int8_t* out = call.outputs[0].as<int8_t>() + plane * y[2] * y[3];
    for (int64_t oy = 0; oy < y[2]; ++oy) {
      const Span rows = TapsInside(attrs, 0, x[2], oy);
      for (int64_t ox = 0; ox < y[3]; ++ox) {
        const Span cols = TapsInside(attrs, 1, x[3], ox);
        int64_t sum = 0, most = -128;
        for (int64_t kh = rows.first; kh < rows.end; ++kh) {
          const int64_t iy = oy * attrs.stride[0] + kh * attrs.dilation[0] - attrs.pads[0];
          for (int64_t kw = cols.first; kw < cols.end; ++kw) {
            const int64_t ix = ox * attrs.stride[1] + kw * attrs.dilation[1] - attrs.pads[1];
            const int64_t v = in[iy * x[3] + ix];
            sum += v - form.in_zero[0];
            most = std::max(most, v);
          }
        }
        int64_t m = 1, shift = 0;
        if (average) {
          const auto at = std::lower_bound(form.counts.begin(), form.counts.end(), rows.counted * cols.counted) -
                          form.counts.begin();
          const bool known = at < static_cast<std::ptrdiff_t>(form.counts.size()) &&
                             form.counts[static_cast<size_t>(at)] == rows.counted * cols.counted;
          m = known ? form.multiplier[static_cast<size_t>(at)] : 0;
          shift = known ? form.shift[static_cast<size_t>(at)] : 0;
        } else if (!form.multiplier.empty()) {
          sum = most - form.in_zero[0];
          m = form.multiplier[0];
          shift = form.shift[0];
        } else {
          sum = most - form.zero_point;
        }
        *out++ = Requantized(form, sum, m, shift);
      }
    }
  });
}

void Unary(const OpCall& call, Workers& workers) {
  const std::vector<int64_t>& table = call.integer->table;
  const int8_t* x = call.inputs[0].as<int8_t>();
  int8_t* y = call.outputs[0].as<int8_t>();
  ForRanges(workers, Elements(call.outputs[0]), kElementsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = static_cast<int8_t>(table[static_cast<size_t>(x[i] + 128)]);
  });
}

/// An output element of Resize along an axis: the elements it lies between, with whole weights.
struct Between {
  int64_t index[2], weight[2];
};
std::vector<Between> BetweenOfAxis(const ResizeAttrs& attrs, size_t axis, int64_t in, int64_t out, int64_t parts) {
  std::vector<Between> all(static_cast<size_t>(out));
  for (int64_t o = 0; o < out; ++o) {
    const ResizeTaps taps = TapsAt(attrs, axis, in, out, o);
    const int64_t first = std::llround(taps.weight[0] * static_cast<double>(parts));
    all[static_cast<size_t>(o)] = {{taps.index[0], taps.count > 1 ? taps.index[1] : taps.index[0]},
                                   {first, parts - first}};
  }
  return all;
}

void Resize(const OpCall& call, Workers& workers) {
  const IntegerForm& form = *call.integer;
  const auto& attrs = std::get<ResizeAttrs>(*call.attrs);
  const auto x = call.inputs[0].shape, y = call.outputs[0].shape;
  const std::vector<Between> rows = BetweenOfAxis(attrs, 2, x[2], y[2], form.counts[0]);
  const std::vector<Between> cols = BetweenOfAxis(attrs, 3, x[3], y[3], form.counts[1]);
  workers.Run(y[0] * y[1], [&](int64_t plane, int) {
    const int8_t* in = call.inputs[0].as<int8_t>() + plane * x[2] * x[3];
    int8_t* out = call.outputs[0].as<int8_t>() + plane * y[2] * y[3];
    for (const Between& row : rows) {
      for (const Between& col : cols) {
        int64_t sum = 0;
        for (int v = 0; v < 2; ++v) {
          for (int h = 0; h < 2; ++h) {
            sum += row.weight[v] * col.weight[h] * (in[row.index[v] * x[3] + col.index[h]] - form.in_zero[0]);
          }
        }
        *out++ = Requantized(form, sum, form.multiplier[0], form.shift[0]);
      }
    }
  });
}

class IntegerCheck : public CallCheck {
 public:
  explicit IntegerCheck(const OpCall& call) : CallCheck(call), form_(*call.integer) {}

  Status Run() const {
    if (!HasIntegerKernel(call_.op)) return Fail("has no kernel in integers");
    // Shapes and attributes are those of the float operator.
    std::array<Tensor, 3> inputs;
    if (call_.inputs.empty() || call_.inputs.size() > inputs.size() || call_.outputs.size() != 1) {
      return Fail("has " + std::to_string(call_.inputs.size()) + " inputs");
    }
    for (size_t i = 0; i < call_.inputs.size(); ++i) {
      inputs[i] = In(i);
      if (Absent(i)) continue;
      XRUN_RETURN_IF_ERROR(ExpectType(In(i), i == 2 ? DType::kInt32 : DType::kInt8));
      inputs[i].dtype = DType::kFloat32;
    }
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), DType::kInt8));
    Tensor output = Out();
    output.dtype = DType::kFloat32;
    OpCall real = call_;
    real.integer = nullptr;
    real.inputs = {inputs.data(), call_.inputs.size()};
    real.outputs = {&output, 1};
    XRUN_RETURN_IF_ERROR(CheckOp(real));
    return Numbers();
  }

 private:
  Status Numbers() const {
    const auto codes = [](const std::vector<int64_t>& v) { return InRange8(v); };
    const bool weights = call_.op == Op::kConv || call_.op == Op::kFullyConnected;
    const size_t zeros = call_.op == Op::kMatMul || IsSum() || call_.op == Op::kMul ? 2 : 1;
    if (!codes(form_.in_zero) || !codes(form_.weight_zero) || !codes(form_.table) ||
        !codes({form_.zero_point, form_.lo, form_.hi}) || form_.lo > form_.hi || form_.in_zero.size() != zeros ||
        form_.table.size() != (call_.op == Op::kUnary ? 256 : 0)) {
      return BadAttrs();
    }
    for (const int64_t m : form_.multiplier) {
      if (m >= 1 << 24 || m <= -(1 << 24) || (m < 0 && !IsSum())) return BadAttrs();
    }
    for (const int64_t s : form_.shift) {
      if (s < 0 || s > Multiplier::kMaxShift) return BadAttrs();
    }
    const size_t m = form_.multiplier.size(), s = form_.shift.size();
    bool fits = m == s;
    if (weights) {
      const auto channels = static_cast<size_t>(In(1).shape[0]);
      const auto each = [&](size_t n) { return n == 1 || n == channels; };
      fits = fits && each(m) && each(form_.weight_zero.size());
    } else if (IsSum()) {
      fits = m == 2 && s == 1;
    } else if (call_.op == Op::kAveragePool) {
      fits = fits && m == form_.counts.size() && std::is_sorted(form_.counts.begin(), form_.counts.end());
    } else if (call_.op == Op::kResize) {
      const auto parts = [](int64_t n) { return n >= 1 && n <= kMostResizeParts; };
      const auto& attrs = std::get<ResizeAttrs>(*call_.attrs);
      fits = fits && m == 1 && form_.counts.size() == 2 && parts(form_.counts[0]) && parts(form_.counts[1]) &&
             In(0).shape.size() == 4 && In(0).shape[0] == Out().shape[0] && In(0).shape[1] == Out().shape[1] &&
             attrs.mode != ResizeMode::kCubic;
    } else {
      fits = fits && (m == 1 || (m == 0 && (call_.op == Op::kMaxPool || call_.op == Op::kUnary)));
    }
    return fits ? Status() : BadAttrs();
  }

  bool IsSum() const { return call_.op == Op::kAdd || call_.op == Op::kSub; }
  static bool InRange8(const std::vector<int64_t>& v) {
    return std::all_of(v.begin(), v.end(), [](int64_t q) { return q >= -128 && q <= 127; });
  }

  const IntegerForm& form_;
};

}  // namespace

bool HasIntegerKernel(Op op) {
  switch (op) {
    case Op::kConv:
    case Op::kFullyConnected:
    case Op::kMatMul:
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kMaxPool:
    case Op::kAveragePool:
    case Op::kResize:
    case Op::kUnary:
      return true;
    default:
      return false;
  }
}

Status CheckInteger(const OpCall& call) { return IntegerCheck(call).Run(); }

void RunInteger(const OpCall& call, Workers& workers) {
  switch (call.op) {
    case Op::kConv:
      return Conv(call, workers);
    case Op::kFullyConnected:
      return FullyConnected(call, workers);
    case Op::kMatMul:
      return MatMul(call, workers);
    case Op::kMaxPool:
    case Op::kAveragePool:
      return Pool(call, workers);
    case Op::kResize:
      return Resize(call, workers);
    case Op::kUnary:
      return Unary(call, workers);
    default:
      return Binary(call, workers);
  }
}

}  // namespace xrun::cpu
