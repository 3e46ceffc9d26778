#include "value.h"

#include <algorithm>
#include <type_traits>

namespace xrun::oracle {
namespace {

/// Float view of a result that missed its QuantizeLinear: only its bounds need care.
double Clamped(double real, const std::vector<Clamp>& clamps) {
  for (const Clamp& clamp : clamps) {
    if (clamp.lo) real = std::max(real, clamp.lo->convert_to<double>());
    if (clamp.hi) real = std::min(real, clamp.hi->convert_to<double>());
  }
  return real;
}

void Fill(const Codes& codes, Float* out) {
  for (size_t i = 0; i < codes.data.size(); ++i) {
    const int64_t code = codes.data[i];
    // scale · (q − zp) in float32: the difference is exact, the product is rounded once.
    out->data[i] = codes.params ? codes.params->scale * static_cast<float>(code - codes.params->zero_point)
                                : static_cast<float>(code);
  }
}

void Fill(const Scaled& scaled, Float* out) {
  std::vector<double> scales;
  for (const Rational& scale : scaled.scale) scales.push_back(scale.convert_to<double>());
  for (size_t i = 0; i < scaled.v.size(); ++i) {
    // For a dequantized int8 the double product is exact (24 + 9 bits): this is the float32 product, rounded once.
    const double real = scales[scaled.GroupAt(i)] * static_cast<double>(scaled.v[i]);
    out->data[i] = static_cast<float>(Clamped(real, scaled.clamps));
  }
}

void Fill(const Sum& sum, Float* out) {
  for (size_t i = 0; i < out->data.size(); ++i) {
    double real = 0;
    for (size_t t = 0; t < sum.terms.size(); ++t)
      real += sum.signs[t] * sum.terms[t].scale[0].convert_to<double>() * static_cast<double>(sum.terms[t].v[i]);
    out->data[i] = static_cast<float>(Clamped(real, sum.clamps));
  }
}

void Fill(const Table& table, Float* out) {
  for (size_t i = 0; i < table.source->v.size(); ++i) out->data[i] = static_cast<float>(table.At(table.source->v[i]));
}

void Fill(const Float& in, Float* out) { *out = in; }

}  // namespace

const Shape& ShapeOf(const Value& value) {
  return std::visit(
      [](const auto& payload) -> const Shape& {
        if constexpr (std::is_same_v<std::decay_t<decltype(payload)>, Table>) {
          return payload.source->shape;
        } else {
          return payload.shape;
        }
      },
      value.payload);
}

int64_t Count(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

std::vector<int64_t> Strides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += 'x';
    text += std::to_string(shape[i]);
  }
  text += ']';
  return text;
}

Shape BroadcastShape(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {  // i counts from the last axis
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      throw Error("", "shapes " + ToString(a) + " and " + ToString(b) + " do not broadcast");
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

std::vector<int64_t> BroadcastIndex(const Shape& from, const Shape& to) {
  const std::vector<int64_t> from_strides = Strides(from);
  const std::vector<int64_t> to_strides = Strides(to);
  const size_t offset = to.size() - from.size();
  std::vector<int64_t> index(Count(to));
  for (size_t i = 0; i < index.size(); ++i) {
    int64_t source = 0;
    for (size_t axis = 0; axis < from.size(); ++axis) {
      const int64_t position = static_cast<int64_t>(i) / to_strides[axis + offset] % to[axis + offset];
      if (from[axis] != 1) source += position * from_strides[axis];
    }
    index[i] = source;
  }
  return index;
}

Float ToFloat(const Value& value) {
  Float result;
  result.shape = ShapeOf(value);
  result.data.resize(Count(result.shape));
  std::visit([&](const auto& payload) { Fill(payload, &result); }, value.payload);
  return result;
}

}  // namespace xrun::oracle
