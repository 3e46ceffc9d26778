#include <algorithm>
#include <cmath>

#include "op.h"

/// QuantizeLinear, the only rounding point, and DequantizeLinear.
namespace xrun::oracle {
namespace {

struct AxisParams {
  std::vector<QuantParams> params;  // one, or one per position on axis
  int64_t axis = 0;
  int onnx_type = 0;
};

/// Scale and zero point (inputs 1 and 2). `type` is the integer type where no zero point tells.
AxisParams ReadParams(const Op& op, const Shape& shape, int type) {
  const Value& scale_value = op.Input(1);
  const Float* scale = scale_value.As<Float>();
  if (scale == nullptr || !scale_value.constant) op.Fail("the scale must be a constant float tensor");
  if (op.Int("block_size", 0) != 0) op.Fail("blocked quantization is not supported");
  AxisParams result;
  result.onnx_type = type;
  const Codes* zero = nullptr;
  if (op.Has(2)) {
    zero = &op.Integers(2);
    result.onnx_type = zero->onnx_type;
    if (!op.Input(2).constant) op.Fail("the zero point must be constant");
    if (zero->data.size() != scale->data.size()) op.Fail("scale and zero point differ in size");
  }
  const auto count = static_cast<int64_t>(scale->data.size());
  if (count != 1) {
    result.axis = op.Axis(op.Int("axis", 1), shape.size());
    if (scale->shape.size() != 1 || shape[result.axis] != count)
      op.Fail("scale " + ToString(scale->shape) + " does not fit " + ToString(shape));
  }
  for (int64_t i = 0; i < count; ++i) {
    QuantParams params;
    params.scale = scale->data[i];
    if (!std::isfinite(params.scale) || params.scale <= 0) op.Fail("the scale must be finite and positive");
    params.zero_point = zero != nullptr ? zero->data[i] : 0;
    if (result.onnx_type == onnx::TensorProto::UINT8) {
      params.lo = 0;
      params.hi = 255;
    }
    result.params.push_back(params);
  }
  return result;
}

int64_t Saturated(const QuantParams& params, int64_t rounded) {
  return Saturate(params.zero_point + rounded, params.lo, params.hi);
}

/// A real bound as a quantized value: saturate(zp + rhe(bound / scale)).
int64_t QuantizedBound(const QuantParams& params, const Rational& bound) {
  return Saturate(RoundHalfEven(bound / Exact(params.scale)) + params.zero_point, params.lo, params.hi);
}

void ApplyClamps(const QuantParams& params, const std::vector<Clamp>& clamps, std::vector<int64_t>* codes) {
  for (const Clamp& clamp : clamps) {
    const int64_t lo = clamp.lo ? QuantizedBound(params, *clamp.lo) : params.lo;
    const int64_t hi = clamp.hi ? QuantizedBound(params, *clamp.hi) : params.hi;
    for (int64_t& code : *codes) code = std::min(std::max(code, lo), hi);
  }
}

std::vector<int64_t> Quantize(const Op& op, const Scaled& in, const QuantParams& params) {
  std::vector<Multiplier> multipliers;
  for (size_t g = 0; g < in.scale.size(); ++g) {
    try {
      multipliers.push_back(DeriveMultiplier(in.scale[g] / Exact(params.scale)));
    } catch (const std::domain_error& error) {
      op.Fail(std::string(error.what()) + (in.scale.size() > 1 ? " (channel " + std::to_string(g) + ")" : ""));
    }
  }
  std::vector<int64_t> codes(in.v.size());
  for (size_t i = 0; i < codes.size(); ++i)
    codes[i] = Saturated(params, MultiplyRound(in.v[i], multipliers[in.GroupAt(i)]));
  ApplyClamps(params, in.clamps, &codes);
  return codes;
}

std::vector<int64_t> Quantize(const Op& op, const Sum& in, const QuantParams& params) {
  std::vector<Rational> ratios;
  for (size_t t = 0; t < in.terms.size(); ++t)
    ratios.push_back(in.signs[t] * in.terms[t].scale[0] / Exact(params.scale));
  SumMultipliers multipliers;
  try {
    multipliers = DeriveSumMultipliers(ratios);
  } catch (const std::domain_error& error) {
    op.Fail(error.what());
  }
  std::vector<int64_t> codes(Count(in.shape));
  for (size_t i = 0; i < codes.size(); ++i) {
    int64_t numerator = 0;  // |m| < 2^24, |v| < 2^8: no overflow below 2^31 terms
    for (size_t t = 0; t < in.terms.size(); ++t) numerator += multipliers.m[t] * in.terms[t].v[i];
    codes[i] = Saturated(params, ShiftRound(numerator, multipliers.sh));
  }
  ApplyClamps(params, in.clamps, &codes);
  return codes;
}

/// saturate(zp + rhe(f / double(scale))). NaN counts as 0, infinities saturate.
int64_t QuantizeDouble(double f, const QuantParams& params) {
  double rounded = std::nearbyint(f / static_cast<double>(params.scale));  // to nearest, ties to even
  if (std::isnan(rounded)) rounded = 0;
  rounded = std::clamp(rounded, -1e6, 1e6);  // beyond every saturation limit, inside int64
  return Saturated(params, static_cast<int64_t>(rounded));
}

std::vector<int64_t> Quantize(const Op&, const Table& in, const QuantParams& params) {
  std::vector<int64_t> codes;
  codes.reserve(in.source->v.size());
  for (int64_t v : in.source->v) codes.push_back(QuantizeDouble(in.At(v), params));
  return codes;
}

/// ONNX's own rule for float data: float32 division, half to even.
int64_t QuantizeFloat(float x, const QuantParams& params) {
  const float ratio = x / params.scale;
  float rounded = std::nearbyint(ratio);
  if (std::isnan(rounded)) rounded = 0;
  rounded = std::clamp(rounded, -1e6F, 1e6F);
  return Saturated(params, static_cast<int64_t>(rounded));
}

/// Graph inputs, constants and results of float operators; per axis too, for weights stored as float.
std::vector<int64_t> Quantize(const Op& op, const Float& in, const AxisParams& params) {
  if (!in.refused_node.empty()) throw Error(in.refused_node, in.refused_reason + " (it reaches " + op.name() + ")");
  const int64_t stride = params.params.size() == 1 ? 1 : Strides(in.shape)[params.axis];
  const auto count = static_cast<int64_t>(params.params.size());
  std::vector<int64_t> codes(in.data.size());
  for (size_t i = 0; i < codes.size(); ++i)
    codes[i] = QuantizeFloat(in.data[i], params.params[static_cast<int64_t>(i) / stride % count]);
  return codes;
}

/// Codes that the caller gave in place of this node's output, in signed form.
std::vector<int64_t> FromSigned(const Codes& in, const QuantParams& params) {
  std::vector<int64_t> codes = in.data;
  for (int64_t& code : codes) code += params.lo + 128;
  return codes;
}

}  // namespace

Values QuantizeLinear(const Op& op) {
  const Value& in = op.Input(0);
  const int type = static_cast<int>(op.Int("output_dtype", onnx::TensorProto::UINT8));
  const AxisParams params = ReadParams(op, ShapeOf(in), type);
  if (params.onnx_type != onnx::TensorProto::INT8 && params.onnx_type != onnx::TensorProto::UINT8)
    op.Fail("only int8 and uint8 are supported");
  Codes out;
  out.shape = ShapeOf(in);
  out.onnx_type = params.onnx_type;
  if (const Float* data = in.As<Float>()) {
    if (params.params.size() > 1 && !in.constant) op.Fail("activations must have one scale per tensor");
    out.data = Quantize(op, *data, params);
  } else {
    if (params.params.size() > 1) op.Fail("activations must have one scale per tensor");
    const QuantParams& single = params.params[0];
    if (const Scaled* scaled = in.As<Scaled>()) out.data = Quantize(op, *scaled, single);
    if (const Sum* sum = in.As<Sum>()) out.data = Quantize(op, *sum, single);
    if (const Table* table = in.As<Table>()) out.data = Quantize(op, *table, single);
    if (const Codes* codes = in.As<Codes>()) {
      if (!codes->raw_input) op.Fail("the input is an integer tensor");
      out.data = FromSigned(*codes, single);
    }
  }
  if (params.params.size() == 1) out.params = params.params[0];
  return {MakeValue(std::move(out))};
}

Values DequantizeLinear(const Op& op) {
  const Codes& in = op.Integers(0);
  if (in.onnx_type != onnx::TensorProto::INT8 && in.onnx_type != onnx::TensorProto::UINT8 &&
      in.onnx_type != onnx::TensorProto::INT32)
    op.Fail("only int8, uint8 and int32 are supported");
  const AxisParams params = ReadParams(op, in.shape, in.onnx_type);
  if (params.onnx_type != in.onnx_type) op.Fail("the zero point's type differs from the data's");
  Scaled out;
  out.shape = in.shape;
  out.quantized = true;
  out.origin = in.origin;
  out.v = in.data;
  if (params.params.size() == 1) {
    for (int64_t& v : out.v) v -= params.params[0].zero_point;
    if (in.onnx_type != onnx::TensorProto::INT32) out.params = params.params[0];
  } else {
    const int64_t stride = Strides(in.shape)[params.axis];
    const auto count = static_cast<int64_t>(params.params.size());
    out.group.resize(out.v.size());
    for (size_t i = 0; i < out.v.size(); ++i) {
      out.group[i] = static_cast<uint32_t>(static_cast<int64_t>(i) / stride % count);
      out.v[i] -= params.params[out.group[i]].zero_point;
    }
  }
  for (const QuantParams& p : params.params) out.scale.push_back(Exact(p.scale));
  return {MakeValue(std::move(out))};
}

}  // namespace xrun::oracle
