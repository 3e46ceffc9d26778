#include <algorithm>
#include <cmath>
#include <limits>

#include "float_layers.h"

/// Conv, ConvTranspose, Gemm, MatMul: exact Σ (x − zx)·(w − zw) + bias, left at scale sx·sw until its QuantizeLinear.
namespace xrun::oracle {
namespace {

/// q − zp of 8-bit tensors as 16-bit numbers: products of two fit 2^16.
std::vector<int16_t> Narrow(const Op& op, const std::vector<int64_t>& v) {
  std::vector<int16_t> narrow(v.size());
  for (size_t i = 0; i < v.size(); ++i) {
    if (v[i] < -255 || v[i] > 255) op.Fail("an operand is not an 8-bit tensor");
    narrow[i] = static_cast<int16_t>(v[i]);
  }
  return narrow;
}

/// Σ a[i]·b[i]. Partial sums of 2^14 products of at most 255² stay below 2^31, so the inner loop may use int32.
int64_t Dot(const int16_t* a, const int16_t* b, int64_t n) {
  constexpr int64_t kChunk = 1 << 14;
  int64_t total = 0;
  for (int64_t start = 0; start < n; start += kChunk) {
    const int64_t end = std::min(n, start + kChunk);
    int32_t part = 0;
    for (int64_t i = start; i < end; ++i) part += int32_t{a[i]} * int32_t{b[i]};
    total += part;
  }
  return total;
}

/// A matrix of `rows` weight vectors of equal length, each with its own scale group.
struct WeightRows {
  int64_t rows = 0;
  int64_t length = 0;
  std::vector<int16_t> v;
  std::vector<uint32_t> group;

  const int16_t* Row(int64_t row) const { return v.data() + row * length; }
};

/// `index(row, i)` is the flat position in `weights` of element i of the row.
template <typename Index>
WeightRows MakeRows(const Op& op, const Scaled& weights, int64_t rows, int64_t length, Index index) {
  const std::vector<int16_t> narrow = Narrow(op, weights.v);
  WeightRows result;
  result.rows = rows;
  result.length = length;
  result.v.resize(rows * length);
  result.group.resize(rows);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < length; ++i) {
      const int64_t position = index(row, i);
      result.v[row * length + i] = narrow[position];
      const uint32_t group = weights.GroupAt(position);
      if (i == 0) result.group[row] = group;
      if (group != result.group[row]) op.Fail("the weight scales must be per tensor or per output channel");
    }
  }
  return result;
}

const Scaled& SingleScale(const Op& op, int input) {
  const Scaled& in = op.Quantized(input);
  if (in.scale.size() != 1) op.Fail("input '" + op.InputName(input) + "' must have one scale");
  return in;
}

/// The bias integers of each weight row; zeros without a bias.
std::vector<int64_t> RowBias(const Op& op, const WeightRows& rows, const std::vector<Rational>& scale) {
  std::vector<int64_t> bias(rows.rows, 0);
  if (!op.Has(2)) return bias;
  const Value& value = op.Input(2);
  const int64_t count = Count(ShapeOf(value));
  if (count != 1 && count != rows.rows)
    op.Fail("bias " + ToString(ShapeOf(value)) + " does not fit " + std::to_string(rows.rows) + " channels");
  for (int64_t row = 0; row < rows.rows; ++row)
    bias[row] = BiasInteger(op, value, count == 1 ? 0 : row, scale[rows.group[row]]);
  return bias;
}

Scaled Accumulators(const Op& op, const Scaled& x, const Scaled& weights, Shape shape) {
  Scaled out;
  out.shape = std::move(shape);
  out.v.resize(Count(out.shape));
  for (const Rational& scale : weights.scale) out.scale.push_back(x.scale[0] * scale);
  if (out.scale.size() > 1) out.group.resize(out.v.size());
  out.takes_bias = !op.Has(2);
  return out;
}

/// For every output position and kernel tap, the input position or −1 for padding.
std::vector<int64_t> Taps(const WindowAxis& axis) {
  std::vector<int64_t> taps;
  for (int64_t o = 0; o < axis.out; ++o) {
    for (int64_t k = 0; k < axis.kernel; ++k) {
      const int64_t position = axis.Position(o, k);
      taps.push_back(axis.Inside(position) ? position : -1);
    }
  }
  return taps;
}

/// The same for a transposed convolution: input i reaches output i·stride − pad + k·dilation.
std::vector<int64_t> TransposedTaps(const WindowAxis& axis) {
  std::vector<int64_t> taps;
  for (int64_t o = 0; o < axis.out; ++o) {
    for (int64_t k = 0; k < axis.kernel; ++k) {
      const int64_t distance = o + axis.pad_begin - k * axis.dilation;
      const bool hit = distance >= 0 && distance % axis.stride == 0 && distance / axis.stride < axis.in;
      taps.push_back(hit ? distance / axis.stride : -1);
    }
  }
  return taps;
}

/// Both convolutions: gather the input values under each output position (padding: v = 0, which is the input's zero
/// point), then one dot product per output channel of the group.
Scaled Convolve(const Op& op, const Scaled& x, const Scaled& weights, const WeightRows& rows, int64_t groups,
                const Window& window, const std::vector<int64_t>& taps_h, const std::vector<int64_t>& taps_w) {
  const int64_t batch = x.shape[0];
  const int64_t channels = x.shape[1] / groups;  // per group
  const int64_t per_group = rows.rows / groups;
  const int64_t kh = window.h.kernel;
  const int64_t kw = window.w.kernel;
  Scaled out = Accumulators(op, x, weights, WindowShape(window, x.shape, rows.rows));
  const std::vector<int16_t> input = Narrow(op, x.v);
  const std::vector<int64_t> bias = RowBias(op, rows, out.scale);
  std::vector<int16_t> column(rows.length);
  const int64_t plane = window.h.out * window.w.out;
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t pixel = 0; pixel < plane; ++pixel) {
        const int64_t* rows_in = &taps_h[pixel / window.w.out * kh];
        const int64_t* columns_in = &taps_w[pixel % window.w.out * kw];
        int16_t* next = column.data();
        for (int64_t c = 0; c < channels; ++c) {
          const int16_t* image = input.data() + (n * x.shape[1] + g * channels + c) * window.h.in * window.w.in;
          for (int64_t i = 0; i < kh; ++i)
            for (int64_t j = 0; j < kw; ++j)
              *next++ =
                  rows_in[i] < 0 || columns_in[j] < 0 ? int16_t{0} : image[rows_in[i] * window.w.in + columns_in[j]];
        }
        for (int64_t m = g * per_group; m < (g + 1) * per_group; ++m) {
          const int64_t accumulator = bias[m] + Dot(column.data(), rows.Row(m), rows.length);
          CheckAccumulator(op, accumulator);
          const int64_t position = (n * rows.rows + m) * plane + pixel;
          out.v[position] = accumulator;
          if (!out.group.empty()) out.group[position] = rows.group[m];
        }
      }
    }
  }
  return out;
}

std::vector<int64_t> KernelExtents(const Op& op, const Scaled& weights) {
  if (weights.shape.size() < 3) op.Fail("the weights " + ToString(weights.shape) + " have no kernel axes");
  std::vector<int64_t> kernel(weights.shape.begin() + 2, weights.shape.end());
  const std::vector<int64_t> stated = op.Ints("kernel_shape");
  if (!stated.empty() && stated != kernel) op.Fail("kernel_shape differs from the weights " + ToString(weights.shape));
  return kernel;
}

/// [batch…, M, K] · [batch…, K, N] with numpy broadcasting of the batch axes; either operand may be one-dimensional.
Scaled MatrixProduct(const Op& op, const Scaled& a, const Scaled& b) {
  Shape a_shape = a.shape;
  Shape b_shape = b.shape;
  if (a_shape.empty() || b_shape.empty()) op.Fail("the operands must have axes");
  const bool a_vector = a_shape.size() == 1;
  const bool b_vector = b_shape.size() == 1;
  if (a_vector) a_shape.insert(a_shape.begin(), 1);
  if (b_vector) b_shape.push_back(1);
  const int64_t m_count = a_shape[a_shape.size() - 2];
  const int64_t k_count = a_shape.back();
  const int64_t n_count = b_shape.back();
  if (b_shape[b_shape.size() - 2] != k_count)
    op.Fail("the operands " + ToString(a.shape) + " and " + ToString(b.shape) + " do not fit");
  const Shape a_batch(a_shape.begin(), a_shape.end() - 2);
  const Shape b_batch(b_shape.begin(), b_shape.end() - 2);
  Shape batch = BroadcastShape(a_batch, b_batch);
  const std::vector<int64_t> a_index = BroadcastIndex(a_batch, batch);
  const std::vector<int64_t> b_index = BroadcastIndex(b_batch, batch);
  Shape shape = batch;
  if (!a_vector) shape.push_back(m_count);
  if (!b_vector) shape.push_back(n_count);
  Scaled out = Accumulators(op, a, b, shape);
  const std::vector<int16_t> left = Narrow(op, a.v);
  const int64_t b_rows = Count(b_batch) * n_count;
  const WeightRows rows = MakeRows(op, b, b_rows, k_count, [&](int64_t row, int64_t k) {
    return (row / n_count * k_count + k) * n_count + row % n_count;
  });
  const bool has_bias = op.Has(2);
  if (has_bias && b_rows != n_count) op.Fail("a bias needs a two-dimensional right operand");
  const std::vector<int64_t> bias = RowBias(op, rows, out.scale);
  int64_t position = 0;
  for (size_t i = 0; i < a_index.size(); ++i) {
    for (int64_t m = 0; m < m_count; ++m) {
      for (int64_t n = 0; n < n_count; ++n, ++position) {
        const int64_t row = b_index[i] * n_count + n;
        out.v[position] = bias[row] + Dot(&left[(a_index[i] * m_count + m) * k_count], rows.Row(row), k_count);
        CheckAccumulator(op, out.v[position]);
        if (!out.group.empty()) out.group[position] = rows.group[row];
      }
    }
  }
  return out;
}

Scaled Transposed(const Scaled& in) {
  Scaled out = in;
  const int64_t rows = in.shape[0];
  const int64_t columns = in.shape[1];
  out.shape = {columns, rows};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      out.v[c * rows + r] = in.v[r * columns + c];
      if (!in.group.empty()) out.group[c * rows + r] = in.group[r * columns + c];
    }
  }
  return out;
}

}  // namespace

void CheckAccumulator(const Op& op, int64_t accumulator) {
  if (accumulator < std::numeric_limits<int32_t>::min() || accumulator > std::numeric_limits<int32_t>::max())
    op.Fail("an accumulator leaves int32 (" + std::to_string(accumulator) + ")");
}

int64_t BiasInteger(const Op& op, const Value& bias, int64_t i, const Rational& scale) {
  if (!bias.constant) op.Fail("the bias must be constant");
  Rational real;
  if (const Scaled* quantized = bias.Quantized()) {
    const Rational& own = quantized->scale[quantized->GroupAt(i)];
    // The file's float32 bias scale is sx·sw rounded; it means sx·sw.
    const double ratio = Rational(own / scale).convert_to<double>();
    if (std::abs(ratio - 1) <= 1e-6) {
      CheckAccumulator(op, quantized->v[i]);
      return quantized->v[i];
    }
    real = own * quantized->v[i];
  } else if (const Float* data = bias.As<Float>()) {
    if (!std::isfinite(data->data[i])) op.Fail("the bias is not finite");
    real = Exact(data->data[i]);
  } else {
    op.Fail("the bias must be float or dequantized");
  }
  const Integer rounded = RoundHalfEven(real / scale);
  const int64_t result =
      Saturate(rounded, std::numeric_limits<int64_t>::min() / 2, std::numeric_limits<int64_t>::max() / 2);
  CheckAccumulator(op, result);
  return result;
}

Values Conv(const Op& op) {
  const Scaled& x = SingleScale(op, 0);
  const Scaled& weights = op.Quantized(1);
  const int64_t groups = op.Int("group", 1);
  const Window window = MakeWindow(op, x.shape, KernelExtents(op, weights));
  const int64_t filters = weights.shape[0];
  if (groups < 1 || x.shape[1] % groups != 0 || filters % groups != 0 || weights.shape[1] != x.shape[1] / groups)
    op.Fail("weights " + ToString(weights.shape) + " in " + std::to_string(groups) + " groups do not fit the input " +
            ToString(x.shape));
  const int64_t length = filters == 0 ? 0 : Count(weights.shape) / filters;
  const WeightRows rows =
      MakeRows(op, weights, filters, length, [&](int64_t row, int64_t i) { return row * length + i; });
  return {MakeValue(Convolve(op, x, weights, rows, groups, window, Taps(window.h), Taps(window.w)))};
}

Values ConvTranspose(const Op& op) {
  const Scaled& x = SingleScale(op, 0);
  const Scaled& weights = op.Quantized(1);
  const std::vector<int64_t> kernel = KernelExtents(op, weights);
  const int64_t groups = op.Int("group", 1);
  const size_t rank = kernel.size();
  if (rank > 2 || x.shape.size() != rank + 2) op.Fail("only one or two spatial axes are supported");
  if (op.String("auto_pad", "NOTSET") != "NOTSET" || op.HasAttribute("output_shape"))
    op.Fail("auto_pad and output_shape are not supported");
  if (groups < 1 || x.shape[1] % groups != 0 || weights.shape[0] != x.shape[1])
    op.Fail("weights " + ToString(weights.shape) + " do not fit the input " + ToString(x.shape));
  Window window;
  for (size_t i = 0; i < rank; ++i) {
    WindowAxis& axis = i + 1 == rank ? window.w : window.h;
    axis.in = x.shape[i + 2];
    axis.kernel = kernel[i];
    axis.stride = ListAt(op, op.Ints("strides"), i, rank, 1);
    axis.dilation = ListAt(op, op.Ints("dilations"), i, rank, 1);
    axis.pad_begin = ListAt(op, op.Ints("pads"), i, 2 * rank, 0);
    axis.pad_end = ListAt(op, op.Ints("pads"), i + rank, 2 * rank, 0);
    if (axis.stride < 1 || axis.dilation < 1) op.Fail("window attributes out of range");
    axis.out = axis.stride * (axis.in - 1) + ListAt(op, op.Ints("output_padding"), i, rank, 0) +
               (axis.kernel - 1) * axis.dilation + 1 - axis.pad_begin - axis.pad_end;
    if (axis.out < 1) op.Fail("the output is empty");
  }
  // Weights are [C, M/groups, kh, kw]; rows are output channels over (channel of the group, kh, kw).
  const int64_t channels = x.shape[1] / groups;
  const int64_t per_group = weights.shape[1];
  const int64_t area = window.h.kernel * window.w.kernel;
  const WeightRows rows = MakeRows(op, weights, per_group * groups, channels * area, [&](int64_t row, int64_t i) {
    const int64_t channel = row / per_group * channels + i / area;
    return (channel * per_group + row % per_group) * area + i % area;
  });
  return {
      MakeValue(Convolve(op, x, weights, rows, groups, window, TransposedTaps(window.h), TransposedTaps(window.w)))};
}

Values Gemm(const Op& op) {
  if (op.FloatOr("alpha", 1) != 1) op.Fail("alpha must be 1");
  if (op.Has(2) && op.FloatOr("beta", 1) != 1) op.Fail("beta must be 1");
  const Scaled& x = SingleScale(op, 0);
  const Scaled& weights = op.Quantized(1);
  if (x.shape.size() != 2 || weights.shape.size() != 2) op.Fail("the operands must be two-dimensional");
  const bool trans_a = op.Int("transA", 0) != 0;
  const bool trans_b = op.Int("transB", 0) != 0;
  return {MakeValue(MatrixProduct(op, trans_a ? Transposed(x) : x, trans_b ? Transposed(weights) : weights))};
}

Values MatMul(const Op& op) {
  if (!op.IsInteger(0) || !op.IsInteger(1)) return FloatMatMul(op);
  return {MakeValue(MatrixProduct(op, SingleScale(op, 0), op.Quantized(1)))};
}

}  // namespace xrun::oracle
