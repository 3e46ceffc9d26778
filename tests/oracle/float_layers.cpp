#include "float_layers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace xrun::oracle {
namespace {

/// Plain when every input is float, else what came of tensors that lack a QuantizeLinear.
ValuePtr FloatResult(const Op& op, Float data) {
  bool plain = true;
  for (int i = 0; i < op.input_count(); ++i) {
    if (!op.Has(i) || op.Input(i).As<Codes>() != nullptr) continue;
    const Float* in = op.Input(i).As<Float>();
    plain = plain && in != nullptr;
    if (in == nullptr || in->refused_node.empty()) continue;
    data.refused_node = in->refused_node;
    data.refused_reason = in->refused_reason;
  }
  if (plain) return MakeValue(std::move(data));
  return RefusedFloat(op, data, op.type() + " of a tensor that is not dequantized has no integer rule");
}

/// Of operators that are computed in float in any graph, whatever their inputs were before.
ValuePtr AlwaysFloat(const Op& op, Float data) {
  for (int i = 0; i < op.input_count(); ++i) {
    const Float* in = op.Has(i) ? op.Input(i).As<Float>() : nullptr;
    if (in == nullptr || in->refused_node.empty()) continue;
    data.refused_node = in->refused_node;
    data.refused_reason = in->refused_reason;
  }
  return MakeValue(std::move(data));
}

Float FloatInput(const Op& op, int i) {
  if (op.Input(i).As<Codes>() != nullptr) op.Fail("input '" + op.InputName(i) + "' is an integer tensor");
  return ToFloat(op.Input(i));
}

}  // namespace

Values FloatMatMul(const Op& op) {
  Float a = FloatInput(op, 0);
  Float b = FloatInput(op, 1);
  if (a.shape.empty() || b.shape.empty()) op.Fail("the operands must have axes");
  const bool a_vector = a.shape.size() == 1;
  const bool b_vector = b.shape.size() == 1;
  if (a_vector) a.shape.insert(a.shape.begin(), 1);
  if (b_vector) b.shape.push_back(1);
  const int64_t rows = a.shape[a.shape.size() - 2];
  const int64_t inner = a.shape.back();
  const int64_t columns = b.shape.back();
  if (b.shape[b.shape.size() - 2] != inner)
    op.Fail("the operands " + ToString(a.shape) + " and " + ToString(b.shape) + " do not fit");
  const Shape a_batch(a.shape.begin(), a.shape.end() - 2);
  const Shape b_batch(b.shape.begin(), b.shape.end() - 2);
  Float out;
  out.shape = BroadcastShape(a_batch, b_batch);
  const std::vector<int64_t> a_index = BroadcastIndex(a_batch, out.shape);
  const std::vector<int64_t> b_index = BroadcastIndex(b_batch, out.shape);
  if (!a_vector) out.shape.push_back(rows);
  if (!b_vector) out.shape.push_back(columns);
  for (size_t batch = 0; batch < a_index.size(); ++batch) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        double sum = 0;
        for (int64_t k = 0; k < inner; ++k)
          sum += static_cast<double>(a.data[(a_index[batch] * rows + r) * inner + k]) *
                 b.data[(b_index[batch] * inner + k) * columns + c];
        out.data.push_back(static_cast<float>(sum));
      }
    }
  }
  // Products of two activations have no integer rule; those with constant weights have one.
  const bool weights = op.Input(0).constant || op.Input(1).constant;
  return {weights ? FloatResult(op, std::move(out)) : AlwaysFloat(op, std::move(out))};
}

Values FloatPool(const Op& op) {
  const Float in = FloatInput(op, 0);
  if (op.output_count() > 1) op.Fail("the Indices output is not supported");
  const bool maximum = op.type() == "MaxPool";
  const bool include_pad = op.Int("count_include_pad", 0) != 0;
  const Window window = MakeWindow(op, in.shape, op.Ints("kernel_shape"));
  Float out;
  out.shape = WindowShape(window, in.shape, in.shape[1]);
  ForEachWindow(in.data, in.shape[0] * in.shape[1], window, [&](int64_t i, const std::vector<float>& inside) {
    const int64_t n = Counted(window.h, i / window.w.out % window.h.out, include_pad) *
                      Counted(window.w, i % window.w.out, include_pad);
    double sum = 0;
    double most = -std::numeric_limits<double>::infinity();
    for (const float x : inside) {
      sum += x;
      most = std::max<double>(most, x);
    }
    out.data.push_back(static_cast<float>(maximum ? most : sum / static_cast<double>(std::max<int64_t>(n, 1))));
  });
  return {FloatResult(op, std::move(out))};
}

Values FloatMean(const Op& op, const Shape& kept, Shape shape) {
  const Float in = FloatInput(op, 0);
  const std::vector<int64_t> target = BroadcastIndex(kept, in.shape);
  std::vector<double> sums(Count(kept));
  for (size_t i = 0; i < in.data.size(); ++i) sums[target[i]] += in.data[i];
  const double n = static_cast<double>(Count(in.shape)) / static_cast<double>(std::max<int64_t>(Count(kept), 1));
  Float out;
  out.shape = std::move(shape);
  for (const double sum : sums) out.data.push_back(static_cast<float>(sum / n));
  return {FloatResult(op, std::move(out))};
}

Values FloatConcat(const Op& op, Shape shape, int64_t axis) {
  Float out;
  out.shape = std::move(shape);
  const int64_t outer = Count(Shape(out.shape.begin(), out.shape.begin() + axis));
  std::vector<Float> parts;
  for (int i = 0; i < op.input_count(); ++i) parts.push_back(FloatInput(op, i));
  for (int64_t o = 0; o < outer; ++o) {
    for (const Float& part : parts) {
      const int64_t run = static_cast<int64_t>(part.data.size()) / outer;
      out.data.insert(out.data.end(), part.data.begin() + o * run, part.data.begin() + (o + 1) * run);
    }
  }
  return {FloatResult(op, std::move(out))};
}

Values Lrn(const Op& op) {
  const Float in = FloatInput(op, 0);
  if (in.shape.size() < 2) op.Fail("the input must be [N, C, …]");
  const int64_t size = op.Int("size", 0);
  if (size < 1) op.Fail("size must be positive");
  const double alpha = op.FloatOr("alpha", 1e-4F);
  const double beta = op.FloatOr("beta", 0.75F);
  const double bias = op.FloatOr("bias", 1.0F);
  const int64_t channels = in.shape[1];
  const int64_t plane = Strides(in.shape)[1];
  Float out = in;
  for (int64_t i = 0; i < Count(in.shape); ++i) {
    const int64_t c = i / plane % channels;
    // Of an even size the further one lies behind: floor((size − 1)/2) before, ceil((size − 1)/2) after.
    double sum = 0;
    for (int64_t k = std::max<int64_t>(0, c - (size - 1) / 2); k <= std::min(channels - 1, c + size / 2); ++k) {
      const double x = in.data[i + (k - c) * plane];
      sum += x * x;
    }
    out.data[i] = static_cast<float>(in.data[i] / std::pow(bias + alpha / static_cast<double>(size) * sum, beta));
  }
  return {AlwaysFloat(op, std::move(out))};
}

Values LayerNormalization(const Op& op) {
  const Float in = FloatInput(op, 0);
  const auto rank = static_cast<int64_t>(in.shape.size());
  int64_t axis = op.Int("axis", -1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) op.Fail("axis is outside the input's axes");
  if (op.output_count() > 1) op.Fail("outputs Mean and InvStdDev are not supported");
  const double epsilon = op.FloatOr("epsilon", 1e-5F);
  const Float scale = FloatInput(op, 1);
  Float bias;
  if (op.Has(2)) bias = FloatInput(op, 2);
  const Shape row(in.shape.begin() + axis, in.shape.end());
  const int64_t size = Count(row);
  const std::vector<int64_t> scale_index = BroadcastIndex(scale.shape, row);
  const std::vector<int64_t> bias_index = op.Has(2) ? BroadcastIndex(bias.shape, row) : std::vector<int64_t>{};
  Float out = in;
  for (int64_t first = 0; first < Count(in.shape); first += size) {
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += in.data[first + i];
    const double mean = sum / static_cast<double>(size);
    double squares = 0;
    for (int64_t i = 0; i < size; ++i) squares += (in.data[first + i] - mean) * (in.data[first + i] - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(size) + epsilon);
    for (int64_t i = 0; i < size; ++i) {
      const double y = (in.data[first + i] - mean) / deviation * scale.data[scale_index[i]];
      out.data[first + i] = static_cast<float>(y + (bias_index.empty() ? 0.0 : bias.data[bias_index[i]]));
    }
  }
  return {AlwaysFloat(op, std::move(out))};
}

}  // namespace xrun::oracle
