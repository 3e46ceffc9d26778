#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "float_layers.h"
#include "resize.h"

/// Operators that only move data. Each is reduced to an index map (for every output element, the input element it
/// copies), which is then applied to whatever the tensor is at that point.
namespace xrun::oracle {
namespace {

struct IndexMap {
  static constexpr int64_t kFill = -1;  // Pad's constant
  Shape shape;
  std::vector<int64_t> source;
};

/// fn(position) gives the source index for every multi-dimensional output position.
template <typename Fn>
IndexMap MapPositions(const Shape& shape, Fn fn) {
  IndexMap map;
  map.shape = shape;
  map.source.reserve(Count(shape));
  const std::vector<int64_t> strides = Strides(shape);
  std::vector<int64_t> position(shape.size());
  const int64_t count = Count(shape);
  for (int64_t i = 0; i < count; ++i) {
    for (size_t axis = 0; axis < shape.size(); ++axis) position[axis] = i / strides[axis] % shape[axis];
    map.source.push_back(fn(position));
  }
  return map;
}

IndexMap SameOrder(const Op& op, const Shape& in, Shape shape) {
  if (Count(in) != Count(shape)) op.Fail(ToString(in) + " cannot become " + ToString(shape));
  IndexMap map;
  map.shape = std::move(shape);
  map.source.resize(Count(in));
  std::iota(map.source.begin(), map.source.end(), 0);
  return map;
}

int64_t Flat(const std::vector<int64_t>& position, const std::vector<int64_t>& strides) {
  return std::inner_product(position.begin(), position.end(), strides.begin(), int64_t{0});
}

IndexMap Reshape(const Op& op, const Shape& in) {
  Shape shape = op.Integers(1).data;
  int64_t known = 1;
  int64_t free_axis = -1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && op.Int("allowzero", 0) == 0) {
      if (i >= in.size()) op.Fail("shape entry 0 has no input axis");
      shape[i] = in[i];
    }
    if (shape[i] == -1) {
      if (free_axis >= 0) op.Fail("two extents of −1");
      free_axis = static_cast<int64_t>(i);
    } else {
      known *= shape[i];
    }
  }
  if (free_axis >= 0) shape[free_axis] = known == 0 ? 0 : Count(in) / known;
  return SameOrder(op, in, shape);
}

IndexMap Flatten(const Op& op, const Shape& in) {
  const int64_t axis = op.Axis(op.Int("axis", 1), in.size(), true);
  const int64_t rows = Count(Shape(in.begin(), in.begin() + axis));
  return SameOrder(op, in, {rows, Count(Shape(in.begin() + axis, in.end()))});
}

IndexMap Squeeze(const Op& op, const Shape& in) {
  std::set<int64_t> axes;
  if (const auto listed = op.IntsFrom("axes", 1)) {
    for (int64_t axis : *listed) axes.insert(op.Axis(axis, in.size()));
  } else {
    for (size_t i = 0; i < in.size(); ++i)
      if (in[i] == 1) axes.insert(static_cast<int64_t>(i));
  }
  Shape shape;
  for (size_t i = 0; i < in.size(); ++i)
    if (axes.count(static_cast<int64_t>(i)) == 0) shape.push_back(in[i]);
  return SameOrder(op, in, shape);
}

IndexMap Unsqueeze(const Op& op, const Shape& in) {
  const auto listed = op.IntsFrom("axes", 1);
  if (!listed) op.Fail("axes are missing");
  std::set<int64_t> axes;
  for (int64_t axis : *listed) axes.insert(op.Axis(axis, in.size() + listed->size()));
  Shape shape;
  auto next = in.begin();
  for (size_t i = 0; i < in.size() + axes.size(); ++i)
    shape.push_back(axes.count(static_cast<int64_t>(i)) != 0 ? 1 : *next++);
  return SameOrder(op, in, shape);
}

IndexMap Transpose(const Op& op, const Shape& in) {
  std::vector<int64_t> order = op.Ints("perm");
  if (order.empty())
    for (size_t i = in.size(); i-- > 0;) order.push_back(static_cast<int64_t>(i));
  if (order.size() != in.size()) op.Fail("perm does not fit " + ToString(in));
  const std::vector<int64_t> in_strides = Strides(in);
  Shape shape;
  std::vector<int64_t> strides;
  for (int64_t axis : order) {
    shape.push_back(in[op.Axis(axis, in.size())]);
    strides.push_back(in_strides[op.Axis(axis, in.size())]);
  }
  return MapPositions(shape, [&](const auto& position) { return Flat(position, strides); });
}

IndexMap Slice(const Op& op, const Shape& in) {
  const auto starts = op.IntsFrom("starts", 1);
  const auto ends = op.IntsFrom("ends", 2);
  if (!starts || !ends || starts->size() != ends->size()) op.Fail("starts and ends are missing or differ in size");
  std::vector<int64_t> axes = op.IntsFrom("axes", 3).value_or(std::vector<int64_t>{});
  if (axes.empty())
    for (size_t i = 0; i < starts->size(); ++i) axes.push_back(static_cast<int64_t>(i));
  const std::vector<int64_t> steps = op.IntsFrom("steps", 4).value_or(std::vector<int64_t>(axes.size(), 1));
  if (axes.size() != starts->size() || steps.size() != starts->size())
    op.Fail("axes or steps differ in size from starts");
  Shape shape = in;
  std::vector<int64_t> first(in.size(), 0);
  std::vector<int64_t> step(in.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = op.Axis(axes[i], in.size());
    const int64_t extent = in[axis];
    const int64_t s = steps[i];
    if (s == 0) op.Fail("step 0");
    // As ONNX clamps them: forward to [0, extent], backward to [−1, extent − 1].
    const int64_t lo = s > 0 ? 0 : -1;
    const int64_t hi = s > 0 ? extent : extent - 1;
    const int64_t begin =
        std::clamp((*starts)[i] < 0 ? (*starts)[i] + extent : (*starts)[i], s > 0 ? 0 : int64_t{0}, hi);
    const int64_t end = std::clamp((*ends)[i] < 0 ? (*ends)[i] + extent : (*ends)[i], lo, hi);
    shape[axis] = std::max<int64_t>(0, s > 0 ? (end - begin + s - 1) / s : (begin - end - s - 1) / -s);
    first[axis] = begin;
    step[axis] = s;
  }
  const std::vector<int64_t> strides = Strides(in);
  return MapPositions(shape, [&](const auto& position) {
    int64_t source = 0;
    for (size_t axis = 0; axis < in.size(); ++axis)
      source += (first[axis] + position[axis] * step[axis]) * strides[axis];
    return source;
  });
}

std::vector<IndexMap> Split(const Op& op, const Shape& in) {
  const int64_t axis = op.Axis(op.Int("axis", 0), in.size());
  std::vector<int64_t> sizes = op.IntsFrom("split", 1).value_or(std::vector<int64_t>{});
  if (sizes.empty()) {
    const int64_t parts = op.output_count();
    const int64_t part = (in[axis] + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(std::clamp<int64_t>(in[axis] - i * part, 0, part));
  }
  if (static_cast<int>(sizes.size()) != op.output_count() ||
      std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) != in[axis])
    op.Fail("the parts do not add up to " + std::to_string(in[axis]));
  const std::vector<int64_t> strides = Strides(in);
  std::vector<IndexMap> maps;
  int64_t begin = 0;
  for (int64_t size : sizes) {
    Shape shape = in;
    shape[axis] = size;
    maps.push_back(
        MapPositions(shape, [&](const auto& position) { return Flat(position, strides) + begin * strides[axis]; }));
    begin += size;
  }
  return maps;
}

IndexMap Gather(const Op& op, const Shape& in) {
  const int64_t axis = op.Axis(op.Int("axis", 0), in.size());
  const Codes& indices = op.Integers(1);
  Shape shape(in.begin(), in.begin() + axis);
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), in.begin() + axis + 1, in.end());
  const int64_t inner = Strides(in)[axis];
  const auto count = static_cast<int64_t>(indices.data.size());
  IndexMap map;
  map.shape = shape;
  for (int64_t i = 0; i < Count(shape); ++i) {
    int64_t index = indices.data[i / inner % count];
    if (index < 0) index += in[axis];
    if (index < 0 || index >= in[axis]) op.Fail("index out of range");
    map.source.push_back((i / inner / count * in[axis] + index) * inner + i % inner);
  }
  return map;
}

IndexMap Pad(const Op& op, const Shape& in) {
  const auto pads = op.IntsFrom("pads", 1);
  if (!pads) op.Fail("pads are missing");
  std::vector<int64_t> axes;
  if (op.Has(3)) axes = op.Integers(3).data;
  if (axes.empty())
    for (size_t i = 0; i < in.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (pads->size() != 2 * axes.size()) op.Fail("pads do not fit " + ToString(in));
  const std::string mode = op.String("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    op.Fail("mode " + mode + " is not supported");
  Shape shape = in;
  std::vector<int64_t> before(in.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = op.Axis(axes[i], in.size());
    before[axis] = (*pads)[i];
    shape[axis] += (*pads)[i] + (*pads)[i + axes.size()];
    if (shape[axis] < 0) op.Fail("negative extent");
  }
  const std::vector<int64_t> strides = Strides(in);
  return MapPositions(shape, [&](const auto& position) {
    int64_t source = 0;
    for (size_t axis = 0; axis < in.size(); ++axis) {
      int64_t p = position[axis] - before[axis];
      if (mode == "edge") p = std::clamp<int64_t>(p, 0, in[axis] - 1);
      if (mode == "wrap" && in[axis] > 0) p = (p % in[axis] + in[axis]) % in[axis];
      if (mode == "reflect" && p < 0) p = -p;
      if (mode == "reflect" && p >= in[axis]) p = 2 * (in[axis] - 1) - p;
      if (p < 0 || p >= in[axis]) {
        if (mode != "constant") op.Fail("the padding is larger than the input");
        return IndexMap::kFill;
      }
      source += p * strides[axis];
    }
    return source;
  });
}

IndexMap DepthSpace(const Op& op, const Shape& in) {
  const int64_t b = op.Int("blocksize", 1);
  if (in.size() != 4 || b < 1) op.Fail("the input must be [N, C, H, W]");
  const std::vector<int64_t> strides = Strides(in);
  if (op.type() == "SpaceToDepth") {
    if (in[2] % b != 0 || in[3] % b != 0) op.Fail("the extents are no multiples of blocksize");
    const Shape shape = {in[0], in[1] * b * b, in[2] / b, in[3] / b};
    return MapPositions(shape, [&](const auto& p) {
      const int64_t block = p[1] / in[1];
      return Flat({p[0], p[1] % in[1], p[2] * b + block / b, p[3] * b + block % b}, strides);
    });
  }
  if (in[1] % (b * b) != 0) op.Fail("the channels are no multiple of blocksize²");
  const int64_t channels = in[1] / (b * b);
  const bool crd = op.String("mode", "DCR") == "CRD";
  return MapPositions({in[0], channels, in[2] * b, in[3] * b}, [&](const auto& p) {
    const int64_t block = p[2] % b * b + p[3] % b;
    return Flat({p[0], crd ? p[1] * b * b + block : block * channels + p[1], p[2] / b, p[3] / b}, strides);
  });
}

/// Resize in mode nearest.
IndexMap Nearest(const Op& op, const Shape& in) {
  Shape shape;
  std::vector<std::vector<int64_t>> positions;
  for (const ResizeAxis& axis : ResizeAxes(op, in)) {
    shape.push_back(axis.out);
    positions.push_back(NearestPositions(op, axis));
  }
  const std::vector<int64_t> strides = Strides(in);
  return MapPositions(shape, [&](const auto& p) {
    int64_t source = 0;
    for (size_t axis = 0; axis < in.size(); ++axis) source += positions[axis][p[axis]] * strides[axis];
    return source;
  });
}

std::vector<IndexMap> MakeMaps(const Op& op, const Shape& in) {
  const std::string& type = op.type();
  if (type == "Reshape") return {Reshape(op, in)};
  if (type == "Flatten") return {Flatten(op, in)};
  if (type == "Squeeze") return {Squeeze(op, in)};
  if (type == "Unsqueeze") return {Unsqueeze(op, in)};
  if (type == "Transpose") return {Transpose(op, in)};
  if (type == "Slice") return {Slice(op, in)};
  if (type == "Split") return Split(op, in);
  if (type == "Gather") return {Gather(op, in)};
  if (type == "Pad") return {Pad(op, in)};
  if (type == "Resize" || type == "Upsample") return {Nearest(op, in)};
  return {DepthSpace(op, in)};
}

/// Pad keeps its input's scale and zero point, so its constant is the code nearest to it. As v = q − zp.
int64_t FillCode(const Op& op, const Scaled& in, float fill) {
  if (fill == 0) return 0;
  if (!in.params) op.Fail("a tensor of several scales can only be padded with 0");
  const QuantParams& p = *in.params;
  if (!std::isfinite(fill)) return (fill > 0 ? p.hi : p.lo) - p.zero_point;
  return Saturate(p.zero_point + RoundHalfEven(Exact(fill) / Exact(p.scale)), p.lo, p.hi) - p.zero_point;
}

template <typename T>
std::vector<T> Pick(const std::vector<T>& in, const IndexMap& map, T fill) {
  std::vector<T> out;
  out.reserve(map.source.size());
  for (int64_t source : map.source) out.push_back(source == IndexMap::kFill ? fill : in[source]);
  return out;
}

bool Fills(const IndexMap& map) {
  return std::find(map.source.begin(), map.source.end(), IndexMap::kFill) != map.source.end();
}

Scaled MoveScaled(const Scaled& in, const IndexMap& map, int64_t fill) {
  Scaled out = in;
  out.shape = map.shape;
  out.origin = NewOrigin();
  out.v = Pick(in.v, map, fill);
  if (!in.group.empty()) out.group = Pick(in.group, map, uint32_t{0});
  return out;
}

struct Mover {
  const Op& op;
  const IndexMap& map;

  /// Pad's constant.
  float FloatFill() const {
    if (op.HasAttribute("value")) return op.FloatOr("value", 0);
    return op.type() == "Pad" && op.Has(2) ? op.ScalarFloat(2) : 0;
  }
  void RequireNoFill() const {
    if (Fills(map)) op.Fail("Pad of a result that has not met its QuantizeLinear");
  }

  ValuePtr operator()(const Codes& in) const {
    int64_t fill = 0;
    if (op.type() == "Pad" && op.Has(2)) fill = op.Integers(2).data.at(0);
    Codes out = in;
    out.shape = map.shape;
    out.data = Pick(in.data, map, fill);
    out.origin = NewOrigin();
    return MakeValue(std::move(out));
  }
  ValuePtr operator()(const Scaled& in) const {
    if (!in.quantized) RequireNoFill();
    return MakeValue(MoveScaled(in, map, Fills(map) ? FillCode(op, in, FloatFill()) : 0));
  }
  ValuePtr operator()(const Sum& in) const {
    RequireNoFill();
    Sum out = in;
    out.shape = map.shape;
    for (Scaled& term : out.terms) term = MoveScaled(term, map, 0);
    return MakeValue(std::move(out));
  }
  ValuePtr operator()(const Table& in) const {
    RequireNoFill();
    Table out = in;
    out.source = std::make_shared<const Scaled>(MoveScaled(*in.source, map, 0));
    return MakeValue(std::move(out));
  }
  ValuePtr operator()(const Float& in) const {
    Float out = in;
    out.shape = map.shape;
    out.data = Pick(in.data, map, FloatFill());
    return MakeValue(std::move(out));
  }
};

/// Copies part i of every part into the concatenation along `axis`.
template <typename T>
std::vector<T> Join(const std::vector<const std::vector<T>*>& parts, const std::vector<Shape>& shapes, int64_t axis) {
  const int64_t outer = Count(Shape(shapes[0].begin(), shapes[0].begin() + axis));
  std::vector<T> out;
  for (int64_t o = 0; o < outer; ++o) {
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto run = static_cast<int64_t>(parts[i]->size()) / std::max<int64_t>(outer, 1);
      out.insert(out.end(), parts[i]->begin() + o * run, parts[i]->begin() + (o + 1) * run);
    }
  }
  return out;
}

template <typename T>
bool AllAre(const Op& op) {
  for (int i = 0; i < op.input_count(); ++i)
    if (op.Input(i).As<T>() == nullptr) return false;
  return true;
}

ValuePtr ConcatScaled(const Op& op, Shape shape, const std::vector<Shape>& shapes, int64_t axis) {
  Scaled out;
  out.shape = std::move(shape);
  std::vector<const std::vector<int64_t>*> v;
  std::vector<std::vector<uint32_t>> groups;
  const Scaled& first = op.Quantized(0);
  bool equal = first.params.has_value();
  for (int i = 0; i < op.input_count(); ++i) {
    const Scaled& in = op.Quantized(i);
    if (in.scale.size() != 1) op.Fail("input '" + op.InputName(i) + "' must have one scale");
    equal = equal && in.params == first.params;
    v.push_back(&in.v);
    groups.emplace_back(in.v.size(), static_cast<uint32_t>(i));
    out.scale.push_back(in.scale[0]);
  }
  out.v = Join(v, shapes, axis);
  if (equal) {  // a plain copy, itself a quantized tensor
    out.quantized = true;
    out.params = first.params;
    out.scale.resize(1);
    return MakeValue(std::move(out));
  }
  std::vector<const std::vector<uint32_t>*> group_parts;
  for (const auto& group : groups) group_parts.push_back(&group);
  out.group = Join(group_parts, shapes, axis);
  return MakeValue(std::move(out));
}

}  // namespace

bool IsMovement(const std::string& type) {
  static const auto* const types =
      new std::set<std::string>{"Reshape", "Flatten", "Squeeze",  "Unsqueeze", "Transpose",    "Slice",       "Split",
                                "Gather",  "Pad",     "Identity", "Dropout",   "DepthToSpace", "SpaceToDepth"};
  return types->count(type) != 0;
}

Values Movement(const Op& op) {
  const Value& in = op.Input(0);
  if (op.type() == "Identity" || op.type() == "Dropout") {
    if (op.output_count() > 1) op.Fail("the mask output is not supported");
    return {op.Shared(0)};
  }
  Values values;
  for (const IndexMap& map : MakeMaps(op, ShapeOf(in))) values.push_back(std::visit(Mover{op, map}, in.payload));
  return values;
}

Values Concat(const Op& op) {
  if (op.input_count() == 0) op.Fail("inputs are missing");
  std::vector<Shape> shapes;
  for (int i = 0; i < op.input_count(); ++i) shapes.push_back(ShapeOf(op.Input(i)));
  const int64_t axis = op.Axis(op.Int("axis", 1), shapes[0].size());
  Shape shape = shapes[0];
  shape[axis] = 0;
  for (Shape part : shapes) {
    if (part.size() != shape.size()) op.Fail("the inputs differ in rank");
    shape[axis] += part[axis];
    part[axis] = shape[axis];
    if (part != shape) op.Fail("the inputs differ in more than the axis");
  }
  if (AllAre<Codes>(op)) {
    Codes out = *op.Input(0).As<Codes>();
    std::vector<const std::vector<int64_t>*> parts;
    for (int i = 0; i < op.input_count(); ++i) {
      const Codes& in = *op.Input(i).As<Codes>();
      if (in.params != out.params || in.onnx_type != out.onnx_type) op.Fail("integer inputs of different scales");
      parts.push_back(&in.data);
    }
    out.shape = shape;
    out.data = Join(parts, shapes, axis);
    out.origin = NewOrigin();
    return {MakeValue(std::move(out))};
  }
  for (int i = 0; i < op.input_count(); ++i)
    if (!op.IsInteger(i)) return FloatConcat(op, shape, axis);
  return {ConcatScaled(op, shape, shapes, axis)};
}

}  // namespace xrun::oracle
