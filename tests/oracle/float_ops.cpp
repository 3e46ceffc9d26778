#include <algorithm>
#include <cmath>

#include "op.h"

/// What the quantized graph leaves in float: the last steps of classifiers and segmenters. Computed in double, stored
/// as float32.
namespace xrun::oracle {
namespace {

/// Positions along one axis of a tensor: `outer` × `inner` lines of `extent` elements, `inner` apart.
struct Lines {
  int64_t outer = 1;
  int64_t extent = 1;
  int64_t inner = 1;

  int64_t Index(int64_t o, int64_t k, int64_t i) const { return (o * extent + k) * inner + i; }
};

Lines LinesAlong(const Shape& shape, int64_t axis) {
  return {Count(Shape(shape.begin(), shape.begin() + axis)), shape[axis], Strides(shape)[axis]};
}

}  // namespace

ValuePtr RefusedFloat(const Op& op, const Float& data, const std::string& reason) {
  Float out = data;
  if (out.refused_node.empty()) {
    out.refused_node = op.name();
    out.refused_reason = reason;
  }
  return MakeValue(std::move(out));
}

Values Softmax(const Op& op) {
  Float data = ToFloat(op.Input(0));
  const bool flattens = op.opset() < 13;  // before version 13 everything from the axis on is one line
  const int64_t axis = op.Axis(op.Int("axis", flattens ? 1 : -1), data.shape.size());
  Lines lines = LinesAlong(data.shape, axis);
  if (flattens) lines = {lines.outer, lines.extent * lines.inner, 1};
  for (int64_t o = 0; o < lines.outer; ++o) {
    for (int64_t i = 0; i < lines.inner; ++i) {
      double largest = -std::numeric_limits<double>::infinity();
      for (int64_t k = 0; k < lines.extent; ++k) largest = std::max<double>(largest, data.data[lines.Index(o, k, i)]);
      double sum = 0;
      for (int64_t k = 0; k < lines.extent; ++k) sum += std::exp(data.data[lines.Index(o, k, i)] - largest);
      for (int64_t k = 0; k < lines.extent; ++k) {
        float& x = data.data[lines.Index(o, k, i)];
        const double shifted = x - largest;
        x = static_cast<float>(op.type() == "LogSoftmax" ? shifted - std::log(sum) : std::exp(shifted) / sum);
      }
    }
  }
  data.refused_node.clear();
  return {MakeValue(std::move(data))};
}

Values ArgMax(const Op& op) {
  const Float data = ToFloat(op.Input(0));
  const int64_t axis = op.Axis(op.Int("axis", 0), data.shape.size());
  const bool last = op.Int("select_last_index", 0) != 0;
  const bool least = op.type() == "ArgMin";
  const Lines lines = LinesAlong(data.shape, axis);
  Codes out;
  out.onnx_type = onnx::TensorProto::INT64;
  out.shape = data.shape;
  out.shape[axis] = 1;
  if (op.Int("keepdims", 1) == 0) out.shape.erase(out.shape.begin() + axis);
  for (int64_t o = 0; o < lines.outer; ++o) {
    for (int64_t i = 0; i < lines.inner; ++i) {
      int64_t best = 0;
      for (int64_t k = 1; k < lines.extent; ++k) {
        const float x = data.data[lines.Index(o, k, i)];
        const float y = data.data[lines.Index(o, best, i)];
        if ((least ? x < y : x > y) || (last && x == y)) best = k;
      }
      out.data.push_back(best);
    }
  }
  return {MakeValue(std::move(out))};
}

Values Cast(const Op& op) {
  const Value& in = op.Input(0);
  const int64_t to = op.Int("to", 0);
  const Codes* codes = in.As<Codes>();
  if (to == onnx::TensorProto::FLOAT) {
    if (codes == nullptr) return {op.Shared(0)};
    Float out;
    out.shape = codes->shape;
    for (int64_t code : codes->data) out.data.push_back(static_cast<float>(code));
    return {MakeValue(std::move(out))};
  }
  if (to != onnx::TensorProto::INT64 && to != onnx::TensorProto::INT32)
    op.Fail("only casts to float, int32 and int64 are supported");
  Codes out;
  out.shape = ShapeOf(in);
  out.onnx_type = static_cast<int>(to);
  if (codes != nullptr) {
    out.data = codes->data;
  } else {
    for (float x : ToFloat(in).data) out.data.push_back(static_cast<int64_t>(x));
  }
  return {MakeValue(std::move(out))};
}

Values ShapeOp(const Op& op) {
  Codes out;
  out.onnx_type = onnx::TensorProto::INT64;
  out.data = ShapeOf(op.Input(0));
  out.shape = {static_cast<int64_t>(out.data.size())};
  return {MakeValue(std::move(out))};
}

}  // namespace xrun::oracle
