#include "resize.h"

#include <algorithm>

/// Resize (versions 10 to 19) and Upsample (7, 9). Mode nearest moves data (movement.cpp). Mode linear of a dequantized
/// tensor is an exact weighted sum: per axis the weights are integers over the least common denominator of the axis,
/// their products add up, and the tensor's scale over the product of the denominators waits for the QuantizeLinear.
/// Mode cubic, and everything on float data, is float.
namespace xrun::oracle {
namespace {

/// An input position and its weight.
struct Tap {
  int64_t position = 0;
  Rational weight;
};
using Taps = std::vector<Tap>;

Rational Half() { return {1, 2}; }

Integer Floor(const Rational& x) {
  const Integer n = boost::multiprecision::numerator(x);
  const Integer d = boost::multiprecision::denominator(x);
  Integer quotient = n / d;  // truncates
  if (n % d < 0) quotient -= 1;
  return quotient;
}

int64_t ToInt(const Integer& x) { return x.convert_to<int64_t>(); }

/// Upsample, and Resize before version 11, know no coordinate modes.
bool IsOldForm(const Op& op) { return op.type() == "Upsample" || op.opset() < 11; }

std::string CoordinateMode(const Op& op) {
  return IsOldForm(op) ? "asymmetric" : op.String("coordinate_transformation_mode", "half_pixel");
}

/// Where output position o lies in the input.
Rational Coordinate(const Op& op, const ResizeAxis& axis, int64_t o) {
  const std::string mode = CoordinateMode(op);
  const Rational half_pixel = (o + Half()) / axis.scale - Half();
  if (mode == "asymmetric") return o / axis.scale;
  if (mode == "half_pixel") return half_pixel;
  if (mode == "pytorch_half_pixel") return axis.out > 1 ? half_pixel : Rational(0);
  if (mode == "align_corners") return axis.out > 1 ? Rational(o * (axis.in - 1), axis.out - 1) : Rational(0);
  if (mode == "tf_half_pixel_for_nn") return (o + Half()) / axis.scale;
  if (mode == "half_pixel_symmetric") {
    const Rational adjustment = axis.out / (axis.in * axis.scale);
    return Rational(axis.in, 2) * (1 - adjustment) + half_pixel;
  }
  op.Fail("coordinate_transformation_mode " + mode + " is not supported");
}

int64_t RoundPosition(const Op& op, const ResizeAxis& axis, const Rational& x) {
  if (IsOldForm(op)) {
    if (axis.scale < 1) op.Fail("the standard does not say how this version rounds where it shrinks");
    return ToInt(Floor(x));
  }
  const std::string mode = op.String("nearest_mode", "round_prefer_floor");
  if (mode == "floor") return ToInt(Floor(x));
  if (mode == "ceil") return -ToInt(Floor(-x));
  if (mode == "round_prefer_floor") return -ToInt(Floor(Half() - x));
  if (mode == "round_prefer_ceil") return ToInt(Floor(x + Half()));
  op.Fail("nearest_mode " + mode + " is not supported");
}

std::string Mode(const Op& op) {
  const std::string mode = op.String("mode", "nearest");
  return mode == "bilinear" ? "linear" : mode;
}

/// Adds a tap; what lies outside counts as the nearest pixel inside.
void AddTap(const ResizeAxis& axis, int64_t position, const Rational& weight, Taps* taps) {
  if (weight == 0) return;
  position = std::clamp<int64_t>(position, 0, axis.in - 1);
  for (Tap& tap : *taps) {
    if (tap.position != position) continue;
    tap.weight += weight;
    return;
  }
  taps->push_back({position, weight});
}

Taps LinearTaps(const Op& op, const ResizeAxis& axis, int64_t o) {
  const Rational x = Coordinate(op, axis, o);
  const Integer first = Floor(x);
  const Rational fraction = x - first;
  Taps taps;
  AddTap(axis, ToInt(first), 1 - fraction, &taps);
  AddTap(axis, ToInt(first) + 1, fraction, &taps);
  return taps;
}

/// Keys' cubic convolution at distance t of a sample.
Rational Keys(const Rational& a, const Rational& distance) {
  const Rational t = abs(distance);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return 0;
}

Taps CubicTaps(const Op& op, const ResizeAxis& axis, int64_t o) {
  const Rational a = Exact(op.FloatOr("cubic_coeff_a", -0.75F));
  const bool exclude_outside = op.Int("exclude_outside", 0) != 0;
  const Rational x = Coordinate(op, axis, o);
  const int64_t first = ToInt(Floor(x)) - 1;
  Taps taps;
  Rational total = 0;
  for (int64_t p = first; p < first + 4; ++p) {
    if (exclude_outside && (p < 0 || p >= axis.in)) continue;
    const Rational weight = Keys(a, x - p);
    total += weight;
    AddTap(axis, p, weight, &taps);
  }
  if (total != 0)
    for (Tap& tap : taps) tap.weight /= total;  // 1 unless taps were left out
  return taps;
}

std::vector<Taps> AxisTaps(const Op& op, const ResizeAxis& axis) {
  std::vector<Taps> all;
  for (int64_t o = 0; o < axis.out; ++o) {
    if (axis.Identity()) {
      all.push_back({{o, 1}});
    } else {
      all.push_back(Mode(op) == "cubic" ? CubicTaps(op, axis, o) : LinearTaps(op, axis, o));
    }
  }
  return all;
}

/// The axis's weights as numbers of type T, which are `denominator` times the exact ones.
template <typename T>
struct NumberTap {
  int64_t position;
  T weight;
};
template <typename T>
using NumberTaps = std::vector<std::vector<NumberTap<T>>>;

template <typename T>
NumberTaps<T> Numbers(const std::vector<Taps>& all, const Integer& denominator) {
  NumberTaps<T> numbers;
  for (const Taps& taps : all) {
    numbers.emplace_back();
    for (const Tap& tap : taps) {
      const Rational weight = tap.weight * denominator;
      numbers.back().push_back({tap.position, weight.convert_to<T>()});
    }
  }
  return numbers;
}

/// One axis of `data` replaced by its weighted sums.
template <typename T>
std::vector<T> Interpolate(const std::vector<T>& data, const Shape& shape, size_t axis, const NumberTaps<T>& taps) {
  const int64_t outer = Count(Shape(shape.begin(), shape.begin() + static_cast<int64_t>(axis)));
  const int64_t inner = Strides(shape)[axis];
  std::vector<T> out;
  out.reserve(outer * taps.size() * inner);
  for (int64_t o = 0; o < outer; ++o) {
    for (const auto& position_taps : taps) {
      for (int64_t i = 0; i < inner; ++i) {
        T sum = 0;
        for (const auto& tap : position_taps) sum += tap.weight * data[(o * shape[axis] + tap.position) * inner + i];
        out.push_back(sum);
      }
    }
  }
  return out;
}

Integer CommonDenominator(const std::vector<Taps>& all) {
  Integer denominator = 1;
  for (const Taps& taps : all)
    for (const Tap& tap : taps)
      denominator = boost::multiprecision::lcm(denominator, boost::multiprecision::denominator(tap.weight));
  return denominator;
}

/// Exact: at every step |v| ≤ 255 · the product of the denominators so far.
Scaled Linear(const Op& op, const Scaled& in, const std::vector<ResizeAxis>& axes) {
  if (in.scale.size() != 1) op.Fail("the input must have one scale");
  Scaled out;
  out.shape = in.shape;
  out.v = in.v;
  Integer total = 1;
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    if (axes[axis].Identity()) continue;
    const std::vector<Taps> taps = AxisTaps(op, axes[axis]);
    const Integer denominator = CommonDenominator(taps);
    total *= denominator;
    if (total > (Integer(1) << 40)) op.Fail("the scales are no small fractions: no exact sum of int8");
    out.v = Interpolate(out.v, out.shape, axis, Numbers<int64_t>(taps, denominator));
    out.shape[axis] = axes[axis].out;
  }
  out.scale = {in.scale[0] / total};
  return out;
}

Float Interpolated(const Op& op, const Float& in, const std::vector<ResizeAxis>& axes) {
  std::vector<double> data(in.data.begin(), in.data.end());
  Float out;
  out.shape = in.shape;
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    if (axes[axis].Identity()) continue;
    data = Interpolate(data, out.shape, axis, Numbers<double>(AxisTaps(op, axes[axis]), 1));
    out.shape[axis] = axes[axis].out;
  }
  out.data = {data.begin(), data.end()};
  out.refused_node = in.refused_node;
  out.refused_reason = in.refused_reason;
  return out;
}

}  // namespace

std::vector<ResizeAxis> ResizeAxes(const Op& op, const Shape& in) {
  if (op.Int("antialias", 0) != 0) op.Fail("antialias is not supported");
  if (op.String("keep_aspect_ratio_policy", "stretch") != "stretch")
    op.Fail("keep_aspect_ratio_policy is not supported");
  std::vector<float> scales;
  if (op.HasAttribute("scales")) {
    scales = op.Floats("scales");
  } else {
    const int at = IsOldForm(op) ? 1 : 2;
    if (op.Has(at)) {
      const Float* given = op.Input(at).As<Float>();
      if (given == nullptr || !op.Input(at).constant) op.Fail("the scales must be a constant float tensor");
      scales = given->data;
    }
  }
  std::vector<int64_t> sizes;
  if (!IsOldForm(op) && op.Has(3)) sizes = op.Integers(3).data;
  if (scales.empty() == sizes.empty()) op.Fail("one of scales and sizes must be given");
  std::vector<int64_t> positions = op.Ints("axes");
  if (positions.empty())
    for (size_t axis = 0; axis < in.size(); ++axis) positions.push_back(static_cast<int64_t>(axis));
  if (std::max(scales.size(), sizes.size()) != positions.size()) op.Fail("scales or sizes do not fit " + ToString(in));
  std::vector<ResizeAxis> axes;
  for (int64_t extent : in) axes.push_back({extent, extent, 1});
  for (size_t i = 0; i < positions.size(); ++i) {
    ResizeAxis& axis = axes[op.Axis(positions[i], in.size())];
    if (sizes.empty()) {
      axis.scale = Exact(scales[i]);
      if (axis.scale <= 0) op.Fail("a scale is not positive");
      axis.out = ToInt(Floor(axis.in * axis.scale));
    } else {
      axis.out = sizes[i];
      if (axis.in < 1) op.Fail("the input is empty");
      axis.scale = Rational(axis.out, axis.in);
    }
    if (axis.out < 1) op.Fail("the output is empty");
  }
  return axes;
}

std::vector<int64_t> NearestPositions(const Op& op, const ResizeAxis& axis) {
  std::vector<int64_t> positions;
  for (int64_t o = 0; o < axis.out; ++o) {
    const int64_t position = axis.Identity() ? o : RoundPosition(op, axis, Coordinate(op, axis, o));
    positions.push_back(std::clamp<int64_t>(position, 0, axis.in - 1));
  }
  return positions;
}

Values Resize(const Op& op) {
  const std::string mode = Mode(op);
  if (mode == "nearest") return Movement(op);
  if (mode != "linear" && mode != "cubic") op.Fail("mode " + mode + " is not supported");
  const Value& in = op.Input(0);
  const std::vector<ResizeAxis> axes = ResizeAxes(op, ShapeOf(in));
  if (in.As<Codes>() != nullptr) op.Fail("mode " + mode + " of an integer tensor, a DequantizeLinear is missing");
  const Scaled* quantized = in.Quantized();
  if (quantized != nullptr && mode == "linear") return {MakeValue(Linear(op, *quantized, axes))};
  Float data = Interpolated(op, ToFloat(in), axes);
  if (in.As<Float>() != nullptr) return {MakeValue(std::move(data))};
  return {RefusedFloat(op, data,
                       quantized != nullptr ? "mode cubic has no integer rule"
                                            : "no QuantizeLinear between an operator's result and Resize")};
}

}  // namespace xrun::oracle
