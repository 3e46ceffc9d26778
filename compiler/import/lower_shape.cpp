// Operators that move or rename elements without computing with them.

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

Result<Shape> ReshapeShape(const Importer& importer, const NodeView& node, const Shape& input) {
  XRUN_ASSIGN_OR_RETURN(Shape target, importer.IntegerInput(node, 1, "shape"));
  const bool allow_zero = node.since() >= 14 && node.Int("allowzero", 0) != 0;
  int64_t known = 1;
  ptrdiff_t inferred = -1;
  for (size_t d = 0; d < target.size(); ++d) {
    if (target[d] == 0 && !allow_zero) {
      if (d >= input.size()) return node.Fail("copies dimension " + std::to_string(d) + " of " + ShapeText(input));
      target[d] = input[d];
    }
    if (target[d] == -1 && inferred < 0) {
      inferred = static_cast<ptrdiff_t>(d);
      continue;
    }
    if (target[d] < 0) return node.Fail("shape " + ShapeText(target) + " has a negative dimension");
    if (target[d] > 0 && known > kMaxElements / target[d])
      return node.Fail("shape " + ShapeText(target) + " is too large");
    known *= target[d];
  }
  const int64_t count = Elements(input);
  if (inferred >= 0) {
    if (known == 0 || count % known != 0) {
      return node.Fail(ShapeText(input) + " cannot become " + ShapeText(target),
                       "was the model exported for another input size? see --input-shape");
    }
    target[static_cast<size_t>(inferred)] = count / known;
  } else if (known != count) {
    return node.Fail(ShapeText(input) + " cannot become " + ShapeText(target),
                     "was the model exported for another input size? see --input-shape");
  }
  return target;
}

/// Axes of Squeeze and Unsqueeze: an attribute before opset 13, an input since. `given` is false when there are none.
Result<std::vector<int64_t>> SqueezeAxes(const Importer& importer, const NodeView& node, bool* given) {
  if (node.since() < 13) {
    *given = node.Has("axes");
    return node.Ints("axes");
  }
  *given = node.has_input(1);
  if (!*given) return std::vector<int64_t>{};
  return importer.IntegerInput(node, 1, "axes");
}

Result<Shape> SqueezeShape(const Importer& importer, const NodeView& node, const Shape& input) {
  bool given = false;
  XRUN_ASSIGN_OR_RETURN(std::vector<int64_t> axes, SqueezeAxes(importer, node, &given));
  std::vector<char> remove(input.size(), 0);
  for (size_t d = 0; !given && d < input.size(); ++d) remove[d] = input[d] == 1 ? 1 : 0;
  for (int64_t axis : axes) {
    XRUN_ASSIGN_OR_RETURN(axis, NormalizeAxis(node, axis, input.size()));
    if (input[static_cast<size_t>(axis)] != 1) {
      return node.Fail("axis " + std::to_string(axis) + " of " + ShapeText(input) + " is not 1");
    }
    remove[static_cast<size_t>(axis)] = 1;
  }
  Shape out;
  for (size_t d = 0; d < input.size(); ++d) {
    if (remove[d] == 0) out.push_back(input[d]);
  }
  return out;
}

Result<Shape> UnsqueezeShape(const Importer& importer, const NodeView& node, const Shape& input) {
  bool given = false;
  XRUN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, SqueezeAxes(importer, node, &given));
  if (!given) return node.Fail("axes are missing");
  const size_t rank = input.size() + axes.size();
  std::vector<char> inserted(rank, 0);
  for (int64_t axis : axes) {
    XRUN_ASSIGN_OR_RETURN(axis, NormalizeAxis(node, axis, rank));
    if (inserted[static_cast<size_t>(axis)]++ != 0) return node.Fail("names an axis twice");
  }
  Shape out;
  size_t from = 0;
  for (size_t d = 0; d < rank; ++d) out.push_back(inserted[d] != 0 ? 1 : input[from++]);
  return out;
}

Result<Shape> FlattenShape(const NodeView& node, const Shape& input) {
  int64_t axis = node.Int("axis", 1);
  const auto rank = static_cast<int64_t>(input.size());
  if (axis < 0 && node.since() >= 11) axis += rank;
  if (axis < 0 || axis > rank) return node.Fail("axis is outside of " + ShapeText(input));
  const auto middle = input.begin() + static_cast<std::ptrdiff_t>(axis);
  return Shape{Elements({input.begin(), middle}), Elements({middle, input.end()})};
}

/// The list in an attribute (old versions) or in an input; `otherwise` when the node has neither.
Result<std::vector<int64_t>> ListOf(const Importer& importer, const NodeView& node, bool as_input, int input,
                                    const std::string& name, std::vector<int64_t> otherwise) {
  if (!as_input) return node.Ints(name, otherwise);
  if (!node.has_input(input)) return otherwise;
  return importer.IntegerInput(node, input, name);
}

}  // namespace

Result<int64_t> NormalizeAxis(const NodeView& node, int64_t axis, size_t rank) {
  const auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) {
    return node.Fail("axis " + std::to_string(axis) + " is outside of a tensor of " + std::to_string(rank) +
                     " dimensions");
  }
  return axis < 0 ? axis + r : axis;
}

Result<Shape> ReshapeTarget(const Importer& importer, const NodeView& node, const Shape& input) {
  if (node.op() == "Reshape") return ReshapeShape(importer, node, input);
  if (node.op() == "Squeeze") return SqueezeShape(importer, node, input);
  if (node.op() == "Unsqueeze") return UnsqueezeShape(importer, node, input);
  if (node.op() == "Flatten") return FlattenShape(node, input);
  assert(node.op() == "Identity");
  return input;
}

Status LowerReshapeLike(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape input, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const Shape target, ReshapeTarget(importer, node, input));
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, target);
}

namespace {

/// The element type that computes an ONNX type here; nothing for those that do not exist.
std::optional<DType> ComputedAs(int32_t onnx_type) {
  using onnx::TensorProto;
  switch (onnx_type) {
    case TensorProto::FLOAT:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::DOUBLE:
      return DType::kFloat32;
    case TensorProto::INT32:
      return DType::kInt32;
    case TensorProto::INT64:
      return DType::kInt64;
    case TensorProto::BOOL:
      return DType::kBool;
    default:
      return std::nullopt;
  }
}

}  // namespace

/// Between float types a Cast changes nothing here: everything is computed in float32. From an 8-bit model input it is
/// a dequantization with scale 1.
Status LowerCast(Importer& importer, const NodeView& node) {
  node.Ignore("saturate");
  const auto to = static_cast<int32_t>(node.Int("to", 0));
  const std::optional<DType> type = ComputedAs(to);
  if (!type) {
    return node.Fail("casts the activation '" + node.input(0) + "' to " + OnnxTypeName(to) +
                     "; float, int32, int64 and bool are supported");
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  Value& input = importer.graph().at(value);
  if (input.dtype == *type) return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, Shape(input.shape));
  if (input.dtype != DType::kInt8) return importer.EmitFinal(node, Op::kCast, CastAttrs{*type}, {value});
  const QuantParams unit{{1.0F}, {importer.IsUint8(value) ? -128 : 0}, -1};
  if (*type != DType::kFloat32 || (input.quant && *input.quant != unit)) {
    return node.Fail("casts the quantized tensor '" + node.input(0) + "' without its scale", "use DequantizeLinear");
  }
  input.quant = unit;
  return importer.EmitFinal(node, Op::kDequantize, NoAttrs{}, {value});
}

Status LowerDropout(Importer& importer, const NodeView& node) {
  node.Ignore("ratio");
  node.Ignore("seed");
  if (node.since() >= 12 && node.has_input(2)) {
    const HostTensor* training = importer.Constant(node, 2);
    if (training == nullptr || training->is_float() || training->elements() != 1 || training->Integers()[0] != 0) {
      return node.Fail("is in training mode", "export the model for inference (model.eval())");
    }
  }
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, shape);
}

Result<std::vector<int64_t>> TransposePerm(const NodeView& node, size_t rank) {
  std::vector<int64_t> perm = node.Ints("perm");
  if (!node.Has("perm")) {
    perm.resize(rank);
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  for (size_t d = 0; d < sorted.size(); ++d) {
    if (sorted.size() != rank || sorted[d] != static_cast<int64_t>(d))
      return node.Fail("perm is not a permutation of the axes");
  }
  if (perm.size() != rank) return node.Fail("perm is not a permutation of the axes");
  return perm;
}

Status LowerTranspose(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(std::vector<int64_t> perm, TransposePerm(node, shape.size()));
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kTranspose, TransposeAttrs{std::move(perm)}, {value});
}

Status LowerConcat(Importer& importer, const NodeView& node) {
  if (!node.Has("axis")) return node.Fail("attribute 'axis' is missing");
  XRUN_ASSIGN_OR_RETURN(const Shape first, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, node.Int("axis", 0), first.size()));
  std::vector<ValueId> inputs;
  for (int i = 0; i < node.input_count(); ++i) {
    if (!node.has_input(i)) return node.Fail("input " + std::to_string(i) + " is missing");
    XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, i));
    inputs.push_back(value);
  }
  return importer.EmitFinal(node, Op::kConcat, AxisAttrs{axis}, std::move(inputs));
}

Result<SliceAttrs> SliceRange(const Importer& importer, const NodeView& node, const Shape& input) {
  const bool inputs = node.since() >= 10;
  XRUN_ASSIGN_OR_RETURN(const auto starts, ListOf(importer, node, inputs, 1, "starts", {}));
  XRUN_ASSIGN_OR_RETURN(const auto ends, ListOf(importer, node, inputs, 2, "ends", {}));
  std::vector<int64_t> all(starts.size());
  std::iota(all.begin(), all.end(), 0);
  XRUN_ASSIGN_OR_RETURN(const auto axes, ListOf(importer, node, inputs, 3, "axes", all));
  std::vector<int64_t> steps(starts.size(), 1);
  if (inputs) {
    XRUN_ASSIGN_OR_RETURN(steps, ListOf(importer, node, true, 4, "steps", steps));
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return node.Fail("starts, ends, axes and steps differ in length");
  }
  SliceAttrs attrs{Shape(input.size(), 0), input, Shape(input.size(), 1)};
  std::vector<char> seen(input.size(), 0);
  for (size_t i = 0; i < starts.size(); ++i) {
    XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, axes[i], input.size()));
    const auto d = static_cast<size_t>(axis);
    if (seen[d]++ != 0) return node.Fail("names an axis twice");
    if (steps[i] == 0) return node.Fail("step is 0");
    // Beyond the tensor every step is the same; this keeps its negation and products in range.
    const int64_t step = std::clamp<int64_t>(steps[i], -kMaxElements, kMaxElements), size = input[d];
    // Counting from the end, then clamped to where a walk with this step can start and stop.
    const auto place = [&](int64_t v, int64_t least, int64_t most) {
      if (v < -size) return least;
      return std::clamp(v < 0 ? v + size : v, least, most);
    };
    if (size == 0) continue;  // an empty constant stays empty
    attrs.begin[d] = step > 0 ? place(starts[i], 0, size) : place(starts[i], 0, size - 1);
    attrs.end[d] = step > 0 ? place(ends[i], 0, size) : place(ends[i], -1, size - 1);
    attrs.step[d] = step;
  }
  return attrs;
}

Status LowerSlice(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(SliceAttrs attrs, SliceRange(importer, node, shape));
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kSlice, std::move(attrs), {value});
}

namespace {

/// Sizes of the pieces: given, or equal (the last one smaller when num_outputs does not divide the axis).
Result<std::vector<int64_t>> SplitSizes(const Importer& importer, const NodeView& node, int64_t size) {
  const int64_t outputs = node.output_count();
  XRUN_ASSIGN_OR_RETURN(auto sizes, ListOf(importer, node, node.since() >= 13, 1, "split", {}));
  int64_t parts = outputs;
  if (node.since() >= 18) {
    parts = node.Int("num_outputs", outputs);
    if (parts != outputs) return node.Fail("num_outputs does not agree with its outputs");
  }
  if (!sizes.empty()) return sizes;
  if (parts < 1 || parts > size || (size % parts != 0 && node.since() < 18)) {
    return node.Fail("cannot split an axis of " + std::to_string(size) + " in " + std::to_string(parts) +
                     " equal parts");
  }
  const int64_t chunk = (size + parts - 1) / parts;
  for (int64_t i = 0; i < parts; ++i) sizes.push_back(std::min(chunk, size - i * chunk));
  return sizes;
}

}  // namespace

Status LowerSplit(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, node.Int("axis", 0), shape.size()));
  const auto d = static_cast<size_t>(axis);
  XRUN_ASSIGN_OR_RETURN(const auto sizes, SplitSizes(importer, node, shape[d]));
  if (static_cast<int>(sizes.size()) != node.output_count())
    return node.Fail("has another number of outputs than parts");
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  int64_t begin = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] <= 0 || sizes[i] > shape[d] - begin) {
      return node.Fail("the parts do not add up to the " + std::to_string(shape[d]) + " elements of the axis");
    }
    SliceAttrs attrs{Shape(shape.size(), 0), shape, Shape(shape.size(), 1)};
    attrs.begin[d] = begin;
    begin += sizes[i];
    attrs.end[d] = begin;
    const auto output = static_cast<int>(i);
    if (!node.has_output(output)) continue;
    Importer::Names names = importer.Final(node, output);
    if (i > 0) names.node = importer.UniqueNodeName(node.name());
    XRUN_ASSIGN_OR_RETURN(const ValueId part, importer.Emit(node, names, Op::kSlice, std::move(attrs), {value}));
    importer.Define(node, output, part);
  }
  if (begin != shape[d]) {
    return node.Fail("the parts do not add up to the " + std::to_string(shape[d]) + " elements of the axis");
  }
  return {};
}

Status LowerPad(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  const std::string mode = node.String("mode", "constant");
  constexpr std::pair<const char*, MirrorMode> kMirrors[] = {
      {"reflect", MirrorMode::kReflect}, {"edge", MirrorMode::kEdge}, {"wrap", MirrorMode::kWrap}};
  std::optional<MirrorMode> mirror;
  for (const auto& [name, mirrors] : kMirrors) {
    if (mode == name) mirror = mirrors;
  }
  if (mode != "constant" && (!mirror || (mode == "wrap" && node.since() < 19))) {
    return node.Fail("mode '" + mode + "' is not known in this opset");
  }
  const bool inputs = node.since() >= 11;
  if (!inputs && node.input_count() > 1) return node.Fail("has pads as inputs, which came with opset 11");
  if (inputs && !node.has_input(1)) return node.Fail("pads are missing");
  if (node.since() < 18 && node.has_input(3)) return node.Fail("has axes, which came with opset 18");
  XRUN_ASSIGN_OR_RETURN(const auto pads, ListOf(importer, node, inputs, 1, "pads", {}));
  std::vector<int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  XRUN_ASSIGN_OR_RETURN(axes, ListOf(importer, node, true, node.since() >= 18 ? 3 : 4, "axes", axes));
  if (pads.size() != 2 * axes.size()) return node.Fail("needs two pads per axis");
  PadAttrs attrs{Shape(shape.size(), 0), Shape(shape.size(), 0), 0.0F};
  std::vector<char> seen(shape.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, axes[i], shape.size()));
    const auto d = static_cast<size_t>(axis);
    if (seen[d]++ != 0) return node.Fail("names an axis twice");
    attrs.before[d] = pads[i];
    attrs.after[d] = pads[i + axes.size()];
    if (attrs.before[d] < 0 || attrs.after[d] < 0) {
      return node.Fail("has negative pads", "write the cropping as a Slice");
    }
  }
  if (!inputs) {
    attrs.value = node.Float("value", 0.0F);
  } else if (!mirror && node.has_input(2)) {
    XRUN_ASSIGN_OR_RETURN(attrs.value, importer.ScalarInput(node, 2, "constant_value"));
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  if (!mirror) return importer.EmitFinal(node, Op::kPad, std::move(attrs), {value});
  return importer.EmitFinal(node, Op::kMirrorPad,
                            MirrorPadAttrs{*mirror, std::move(attrs.before), std::move(attrs.after)}, {value});
}

/// Missing leading axes by a Reshape, then each axis repeated.
Status LowerExpand(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const Shape wanted, importer.IntegerInput(node, 1, "shape"));
  auto out = BroadcastShapes(x, wanted);
  if (!out.ok()) return node.Fail(std::move(out).failure());
  XRUN_ASSIGN_OR_RETURN(ValueId value, importer.Input(node, 0));
  Shape full(out->size() - x.size(), 1);
  full.insert(full.end(), x.begin(), x.end());
  if (full == *out) return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, full);
  if (full != x) {
    XRUN_ASSIGN_OR_RETURN(value,
                          importer.Emit(node, importer.Helper(node, "axes"), Op::kReshape, NoAttrs{}, {value}, full));
  }
  return importer.EmitFinal(node, Op::kTile, NoAttrs{}, {value}, *out);
}

Status LowerTile(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(Shape out, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const std::vector<int64_t> repeats, importer.IntegerInput(node, 1, "repeats"));
  if (repeats.size() != out.size()) return node.Fail("needs one number of repeats an axis of " + ShapeText(out));
  for (size_t d = 0; d < out.size(); ++d) {
    if (repeats[d] < 1 || repeats[d] > kMaxElements) {
      return node.Fail("repeats axis " + std::to_string(d) + " " + std::to_string(repeats[d]) + " times");
    }
    out[d] *= repeats[d];
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kTile, NoAttrs{}, {value}, out);
}

}  // namespace xrun::compiler
