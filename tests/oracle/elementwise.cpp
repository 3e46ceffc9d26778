#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "op.h"

/// Elementwise operators. Which integer rule applies follows from the operands:
///   one dequantized tensor and scalars      → a table, evaluated in double (a chain of such operators is one table)
///   an operator's result, then Relu or Clip → a clamp of its quantized value
///   dequantized tensors added, subtracted   → Sum;  two multiplied → exact product
///   anything else                           → float, refused if a QuantizeLinear ever reads it.
namespace xrun::oracle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A dequantized tensor as the identity function, or the chain so far.
std::optional<Table> AsTable(const ValuePtr& value) {
  if (const Table* table = value->As<Table>()) return *table;
  const Scaled* scaled = value->Quantized();
  if (scaled == nullptr || value->constant || scaled->scale.size() != 1) return std::nullopt;
  for (int64_t v : scaled->v)
    if (v < -Table::kMaxV || v > Table::kMaxV) return std::nullopt;
  Table table;
  table.source = std::shared_ptr<const Scaled>(value, scaled);  // shares the owner
  const auto scale = scaled->scale[0].convert_to<double>();     // exact: it is a float32
  for (int v = -Table::kMaxV; v <= Table::kMaxV; ++v) table.f[v + Table::kMaxV] = scale * v;
  return table;
}

bool SameSource(const Table& a, const Table& b) {
  return a.source->origin == b.source->origin && a.source->scale == b.source->scale &&
         a.source->params == b.source->params;
}

/// The single number in a constant float, if it is one.
std::optional<double> ScalarConstant(const Value& value) {
  const Float* data = value.As<Float>();
  if (!value.constant || data == nullptr || data->data.size() != 1) return std::nullopt;
  return data->data[0];
}

Table Map(Table table, const UnaryFunction& function) {
  for (double& f : table.f) f = function(f);
  return table;
}

/// A scalar of higher rank than the tensor gives the result its rank.
Table WithShape(Table table, const Shape& shape) {
  if (table.source->shape == shape) return table;
  Scaled moved = *table.source;
  moved.shape = shape;
  moved.origin = NewOrigin();
  table.source = std::make_shared<const Scaled>(std::move(moved));
  return table;
}

Float MapFloat(Float data, const UnaryFunction& function) {
  for (float& x : data.data) x = static_cast<float>(function(x));
  return data;
}

bool IsPending(const Value& value) {
  const Scaled* scaled = value.As<Scaled>();
  return (scaled != nullptr && !scaled->quantized) || value.As<Sum>() != nullptr;
}

Clamp MakeClamp(const Op& op, double lo, double hi) {
  if (std::isnan(lo) || std::isnan(hi)) op.Fail("a bound is not a number");
  Clamp clamp;
  if (std::isfinite(lo)) clamp.lo = Exact(lo);
  if (std::isfinite(hi)) clamp.hi = Exact(hi);
  // A bound of infinity in the wrong direction leaves a single value; float32's largest number says the same.
  if (lo == kInfinity) clamp.lo = Exact(std::numeric_limits<float>::max());
  if (hi == -kInfinity) clamp.hi = Exact(std::numeric_limits<float>::lowest());
  return clamp;
}

/// min(max(x, lo), hi) on whatever x is.
Values ApplyClamp(const Op& op, const Value& in, const ValuePtr& shared, double lo, double hi) {
  if (IsPending(in)) {
    const Clamp clamp = MakeClamp(op, lo, hi);
    if (const Scaled* scaled = in.As<Scaled>()) {
      Scaled out = *scaled;
      out.takes_bias = false;
      out.clamps.push_back(clamp);
      return {MakeValue(std::move(out))};
    }
    Sum out = *in.As<Sum>();
    out.clamps.push_back(clamp);
    return {MakeValue(std::move(out))};
  }
  const UnaryFunction function = [=](double x) { return std::min(std::max(x, lo), hi); };
  if (std::optional<Table> table = AsTable(shared)) return {MakeValue(Map(*std::move(table), function))};
  if (const Float* data = in.As<Float>()) return {MakeValue(MapFloat(*data, function))};
  if (in.As<Codes>() != nullptr) op.Fail("the input is an integer tensor");
  return {RefusedFloat(op, MapFloat(ToFloat(in), function), "the input is quantized per channel")};
}

/// `in` broadcast to `shape`; a term of an addition must have one scale.
Scaled Broadcast(const Scaled& in, const Shape& shape) {
  Scaled out = in;
  if (in.shape == shape) return out;
  const std::vector<int64_t> index = BroadcastIndex(in.shape, shape);
  out.shape = shape;
  out.v.resize(index.size());
  for (size_t i = 0; i < index.size(); ++i) out.v[i] = in.v[index[i]];
  return out;
}

/// The terms of an operand of Add or Sub; empty when it cannot be one.
std::vector<std::pair<Scaled, int>> Terms(const Value& value) {
  if (const Scaled* scaled = value.Quantized())
    if (scaled->scale.size() == 1) return {{*scaled, 1}};
  std::vector<std::pair<Scaled, int>> terms;
  const Sum* sum = value.As<Sum>();
  if (sum == nullptr || !sum->clamps.empty()) return terms;
  for (size_t t = 0; t < sum->terms.size(); ++t) terms.emplace_back(sum->terms[t], sum->signs[t]);
  return terms;
}

ValuePtr TryAdd(const Value& a, const Value& b, int sign, const Shape& shape) {
  const auto left = Terms(a);
  const auto right = Terms(b);
  if (left.empty() || right.empty()) return nullptr;
  Sum sum;
  sum.shape = shape;
  for (const auto& [term, term_sign] : left) {
    sum.terms.push_back(Broadcast(term, shape));
    sum.signs.push_back(term_sign);
  }
  for (const auto& [term, term_sign] : right) {
    sum.terms.push_back(Broadcast(term, shape));
    sum.signs.push_back(sign * term_sign);
  }
  return MakeValue(std::move(sum));
}

ValuePtr TryMultiply(const Value& a, const Value& b, const Shape& shape) {
  const Scaled* left = a.Quantized();
  const Scaled* right = b.Quantized();
  if (left == nullptr || right == nullptr || left->scale.size() != 1 || right->scale.size() != 1) return nullptr;
  const Scaled x = Broadcast(*left, shape);
  const Scaled y = Broadcast(*right, shape);
  Scaled out;
  out.shape = shape;
  out.v.resize(x.v.size());
  for (size_t i = 0; i < out.v.size(); ++i) out.v[i] = x.v[i] * y.v[i];
  out.scale = {left->scale[0] * right->scale[0]};
  return MakeValue(std::move(out));
}

/// Each negative element has the scale of its slope, exactly.
ValuePtr TryPRelu(const Value& a, const Value& slopes, const Shape& shape) {
  const Scaled* x = a.Quantized();
  if (x == nullptr || x->scale.size() != 1 || x->shape != shape || !slopes.constant) return nullptr;
  const Float values = ToFloat(slopes);
  const std::vector<int64_t> index = BroadcastIndex(values.shape, shape);
  Scaled out;
  out.shape = shape;
  out.v = x->v;
  out.scale = {x->scale[0]};
  for (const float slope : values.data) out.scale.push_back(x->scale[0] * Exact(static_cast<double>(slope)));
  for (size_t i = 0; i < out.v.size(); ++i) {
    out.group.push_back(out.v[i] < 0 ? 1 + static_cast<uint32_t>(index[i]) : 0);
  }
  return MakeValue(std::move(out));
}

/// MatMul followed by Add of a constant: the constant is the bias.
ValuePtr TryBias(const Op& op, const Value& accumulator, const Value& bias, const Shape& shape) {
  const Scaled* scaled = accumulator.As<Scaled>();
  if (scaled == nullptr || !scaled->takes_bias || scaled->shape != shape || !bias.constant) return nullptr;
  if (bias.Quantized() == nullptr && bias.As<Float>() == nullptr) return nullptr;
  Scaled out = *scaled;
  out.takes_bias = false;
  const std::vector<int64_t> index = BroadcastIndex(ShapeOf(bias), shape);
  std::map<std::pair<int64_t, uint32_t>, int64_t> known;
  for (size_t i = 0; i < out.v.size(); ++i) {
    const auto key = std::make_pair(index[i], out.GroupAt(i));
    auto it = known.find(key);
    if (it == known.end()) it = known.emplace(key, BiasInteger(op, bias, index[i], out.scale[key.second])).first;
    out.v[i] += it->second;
    CheckAccumulator(op, out.v[i]);
  }
  return MakeValue(std::move(out));
}

ValuePtr TryTable(const ValuePtr& a, const ValuePtr& b, const BinaryFunction& function, const Shape& shape) {
  std::optional<Table> left = AsTable(a);
  std::optional<Table> right = AsTable(b);
  const std::optional<double> left_scalar = ScalarConstant(*a);
  const std::optional<double> right_scalar = ScalarConstant(*b);
  if (left && right_scalar)
    return MakeValue(WithShape(Map(*left, [&](double x) { return function(x, *right_scalar); }), shape));
  if (left_scalar && right)
    return MakeValue(WithShape(Map(*right, [&](double x) { return function(*left_scalar, x); }), shape));
  if (!left || !right || !SameSource(*left, *right) || left->source->shape != right->source->shape) return nullptr;
  for (size_t i = 0; i < left->f.size(); ++i) left->f[i] = function(left->f[i], right->f[i]);
  return MakeValue(*std::move(left));
}

Float BinaryFloat(const Value& a, const Value& b, const BinaryFunction& function, const Shape& shape) {
  const Float left = ToFloat(a);
  const Float right = ToFloat(b);
  const std::vector<int64_t> left_index = BroadcastIndex(left.shape, shape);
  const std::vector<int64_t> right_index = BroadcastIndex(right.shape, shape);
  Float out;
  out.shape = shape;
  for (size_t i = 0; i < left_index.size(); ++i)
    out.data.push_back(static_cast<float>(function(left.data[left_index[i]], right.data[right_index[i]])));
  // An earlier refusal stays in force.
  const Float& origin = left.refused_node.empty() ? right : left;
  out.refused_node = origin.refused_node;
  out.refused_reason = origin.refused_reason;
  return out;
}

ValuePtr BinaryPair(const Op& op, const ValuePtr& a, const ValuePtr& b) {
  const BinaryFunction function = MakeBinary(op);
  const std::string& type = op.type();
  Shape shape;
  try {
    shape = BroadcastShape(ShapeOf(*a), ShapeOf(*b));
  } catch (const Error& error) {
    op.Fail(error.reason());
  }
  if (a->As<Codes>() != nullptr || b->As<Codes>() != nullptr) op.Fail("arithmetic on integer tensors is not supported");
  if (ValuePtr table = TryTable(a, b, function, shape)) return table;
  const bool is_min = type == "Min";
  if (is_min || type == "Max") {
    for (const auto& [tensor, other] : {std::pair(a, b), std::pair(b, a)}) {
      const std::optional<double> bound = ScalarConstant(*other);
      if (bound && IsPending(*tensor) && ShapeOf(*tensor) == shape)
        return ApplyClamp(op, *tensor, tensor, is_min ? -kInfinity : *bound, is_min ? *bound : kInfinity)[0];
    }
  }
  ValuePtr result;
  const bool is_add = type == "Add" || type == "Sum";
  if (is_add || type == "Sub") result = TryAdd(*a, *b, is_add ? 1 : -1, shape);
  if (type == "Mul") result = TryMultiply(*a, *b, shape);
  if (type == "PRelu") result = TryPRelu(*a, *b, shape);
  if (type == "Add" && result == nullptr) result = TryBias(op, *a, *b, shape);
  if (type == "Add" && result == nullptr) result = TryBias(op, *b, *a, shape);
  if (result != nullptr) return result;
  const Float data = BinaryFloat(*a, *b, function, shape);
  if (a->As<Float>() != nullptr && b->As<Float>() != nullptr) return MakeValue(data);
  return RefusedFloat(op, data,
                      type +
                          " of these operands has no integer rule: a QuantizeLinear is missing before it, or a "
                          "constant is not quantized");
}

}  // namespace

Values ClampLike(const Op& op) {
  if (op.type() == "Relu") return ApplyClamp(op, op.Input(0), op.Shared(0), 0, kInfinity);
  double lo = -kInfinity;
  double hi = kInfinity;
  if (op.HasAttribute("min")) lo = op.FloatOr("min", 0);
  if (op.HasAttribute("max")) hi = op.FloatOr("max", 0);
  if (op.Has(1)) lo = op.ScalarFloat(1);
  if (op.Has(2)) hi = op.ScalarFloat(2);
  return ApplyClamp(op, op.Input(0), op.Shared(0), lo, hi);
}

Values Unary(const Op& op) {
  const UnaryFunction function = MakeUnary(op);
  const Value& in = op.Input(0);
  if (std::optional<Table> table = AsTable(op.Shared(0))) return {MakeValue(Map(*std::move(table), function))};
  if (const Float* data = in.As<Float>()) return {MakeValue(MapFloat(*data, function))};
  if (in.As<Codes>() != nullptr) op.Fail("the input is an integer tensor");
  return {RefusedFloat(op, MapFloat(ToFloat(in), function),
                       "no QuantizeLinear between an operator's result and " + op.type())};
}

Values Binary(const Op& op) {
  if (op.input_count() < 1) op.Fail("inputs are missing");
  ValuePtr result = op.Shared(0);
  for (int i = 1; i < op.input_count(); ++i) result = BinaryPair(op, result, op.Shared(i));
  return {result};
}

}  // namespace xrun::oracle
