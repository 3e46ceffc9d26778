// Evaluation of constants while importing: the integer arithmetic with which exporters compute shapes, and movement of
// constants of any type. Float arithmetic is left to Importer::Emit, which runs the one set of float kernels.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "compiler/constant_ops.h"
#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

using onnx::TensorProto;

FoldResult Done(HostTensor tensor) { return std::optional<Folded>(Folded{std::move(tensor), std::nullopt}); }
FoldResult NotFolded() { return std::optional<Folded>(); }

/// The constant behind input i; null when it is absent or dequantized.
const HostTensor* In(const Importer& importer, const NodeView& node, int i) { return importer.Constant(node, i); }

Status TakeBudget(Importer& importer, const NodeView& node, int64_t elements, int32_t type) {
  Status room = importer.budget().Take(elements * static_cast<int64_t>(HeldSize(type)));
  if (!room.ok()) return node.Fail(room.failure());
  return {};
}

HostTensor WithBytes(const HostTensor& like, Shape shape, Bytes bytes) {
  HostTensor out = HostTensor::FromBytes(like.type, std::move(shape), std::move(bytes));
  out.declared_type = like.declared_type;
  return out;
}

HostTensor ScalarInteger(int64_t value) { return HostTensor::FromIntegers(TensorProto::INT64, {}, {value}); }

/// The per-channel axis after a reshape, when the channels stay an axis of their own.
std::optional<int> AxisAfterReshape(int axis, const Shape& from, const Shape& to) {
  const auto before = [](const Shape& shape, size_t d) {
    return Elements(Shape(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(d)));
  };
  const auto a = static_cast<size_t>(axis);
  for (size_t d = 0; d < to.size(); ++d) {
    if (to[d] == from[a] && before(to, d) == before(from, a)) return static_cast<int>(d);
  }
  return std::nullopt;
}

}  // namespace

FoldResult FoldConstant(Importer& importer, const NodeView& node) {
  if (const TensorProto* tensor = node.Tensor("value"); tensor != nullptr) {
    auto loaded = LoadTensor(*tensor, importer.folder(), importer.budget());
    if (!loaded.ok()) return node.Fail(loaded.failure());
    return Done(std::move(loaded).value());
  }
  if (node.since() >= 12) {
    if (node.Has("value_int")) return Done(ScalarInteger(node.Int("value_int", 0)));
    if (node.Has("value_float")) return Done(HostTensor::FromFloats({}, {node.Float("value_float", 0)}));
    if (node.Has("value_ints")) {
      const auto values = node.Ints("value_ints");
      return Done(HostTensor::FromIntegers(TensorProto::INT64, {static_cast<int64_t>(values.size())}, values));
    }
    if (node.Has("value_floats")) {
      const auto values = node.Floats("value_floats");
      return Done(HostTensor::FromFloats({static_cast<int64_t>(values.size())}, values));
    }
  }
  return node.Fail("holds no dense tensor of numbers");
}

FoldResult FoldConstantOfShape(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.IntegerInput(node, 0, "shape"));
  HostTensor value = HostTensor::FromFloats({1}, {0.0F});
  if (const TensorProto* tensor = node.Tensor("value"); tensor != nullptr) {
    auto loaded = LoadTensor(*tensor, importer.folder(), importer.budget());
    if (!loaded.ok()) return node.Fail(loaded.failure());
    value = std::move(loaded).value();
    if (value.elements() != 1) return node.Fail("value must be one number");
  }
  auto count = CountElements(shape);
  if (!count.ok()) return node.Fail(count.failure());
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, *count, value.type));
  const size_t size = HeldSize(value.type);
  Bytes bytes(static_cast<size_t>(*count) * size);
  // One element, then everything so far again: as fast as memory, whatever the element's size.
  std::copy_n(value.bytes->data(), std::min(size, bytes.size()), bytes.data());
  for (size_t done = size; done < bytes.size(); done *= 2) {
    std::copy_n(bytes.data(), std::min(done, bytes.size() - done), bytes.data() + done);
  }
  return Done(WithBytes(value, shape, std::move(bytes)));
}

FoldResult FoldShape(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  const auto rank = static_cast<int64_t>(shape.size());
  int64_t start = 0, end = rank;
  if (node.since() >= 15) {
    const auto place = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? std::max(v, -rank) + rank : v, 0, rank); };
    start = place(node.Int("start", 0));
    end = std::max(start, place(node.Int("end", rank)));
  }
  const std::vector<int64_t> part(shape.begin() + static_cast<std::ptrdiff_t>(start),
                                  shape.begin() + static_cast<std::ptrdiff_t>(end));
  return Done(HostTensor::FromIntegers(TensorProto::INT64, {end - start}, part));
}

FoldResult FoldSize(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  return Done(ScalarInteger(Elements(shape)));
}

FoldResult FoldGather(Importer& importer, const NodeView& node) {
  const HostTensor *data = In(importer, node, 0), *indices = In(importer, node, 1);
  if (data == nullptr || indices == nullptr || !indices->is_integer()) return node.Fail("needs integer indices");
  XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, node.Int("axis", 0), data->shape.size()));
  const auto a = static_cast<size_t>(axis);
  const auto at = data->shape.begin() + static_cast<std::ptrdiff_t>(a);
  Shape out(data->shape.begin(), at);
  out.insert(out.end(), indices->shape.begin(), indices->shape.end());
  out.insert(out.end(), at + 1, data->shape.end());
  auto count = CountElements(out);
  if (!count.ok()) return node.Fail(count.failure());
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, *count, data->type));
  const int64_t outer = Elements(Shape(data->shape.begin(), at)), size = data->shape[a];
  const size_t run = static_cast<size_t>(Elements(Shape(at + 1, data->shape.end()))) * HeldSize(data->type);
  Bytes bytes;
  bytes.reserve(static_cast<size_t>(*count) * HeldSize(data->type));
  const std::vector<int64_t> wanted = indices->Integers();
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t index : wanted) {
      if (index < -size || index >= size) return node.Fail("index " + std::to_string(index) + " is out of range");
      const auto from =
          data->bytes->begin() +
          static_cast<std::ptrdiff_t>(static_cast<size_t>(o * size + (index < 0 ? index + size : index)) * run);
      bytes.insert(bytes.end(), from, from + static_cast<std::ptrdiff_t>(run));
    }
  }
  return Done(WithBytes(*data, std::move(out), std::move(bytes)));
}

FoldResult FoldConcat(Importer& importer, const NodeView& node) {
  std::vector<const Bytes*> parts;
  std::vector<Shape> shapes;
  const HostTensor* first = In(importer, node, 0);
  if (first == nullptr) return NotFolded();
  if (!node.Has("axis")) return node.Fail("attribute 'axis' is missing");
  XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, node.Int("axis", 0), first->shape.size()));
  Shape out = first->shape;
  out[static_cast<size_t>(axis)] = 0;
  for (int i = 0; i < node.input_count(); ++i) {
    const HostTensor* part = In(importer, node, i);
    if (part == nullptr) return NotFolded();
    if (part->type != first->type) return node.Fail("inputs differ in type");
    Shape expected = first->shape, actual = part->shape;
    if (actual.size() != expected.size()) return node.Fail("inputs differ in rank");
    out[static_cast<size_t>(axis)] += actual[static_cast<size_t>(axis)];
    expected[static_cast<size_t>(axis)] = actual[static_cast<size_t>(axis)] = 0;
    if (actual != expected) {
      return node.Fail("inputs " + ShapeText(first->shape) + " and " + ShapeText(part->shape) + " do not fit");
    }
    parts.push_back(part->bytes.get());
    shapes.push_back(part->shape);
  }
  auto count = CountElements(out);
  if (!count.ok()) return node.Fail(count.failure());
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, *count, first->type));
  return Done(WithBytes(*first, out, ConcatBytes(parts, HeldSize(first->type), shapes, static_cast<size_t>(axis))));
}

FoldResult FoldCast(Importer& importer, const NodeView& node) {
  node.Ignore("saturate");
  const HostTensor* in = In(importer, node, 0);
  if (in == nullptr) return NotFolded();
  const auto to = static_cast<int32_t>(node.Int("to", 0));
  const bool to_float = to == TensorProto::FLOAT || to == TensorProto::FLOAT16 || to == TensorProto::DOUBLE ||
                        to == TensorProto::BFLOAT16;
  const bool to_integer = to == TensorProto::INT32 || to == TensorProto::INT64;
  if (!to_float && !to_integer && to != TensorProto::BOOL) {
    return node.Fail("casts a constant to " + OnnxTypeName(to) + ", which is not supported");
  }
  if (in->is_float() && to_float) return Done(*in);
  const int64_t count = in->elements();
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, count, to_float ? static_cast<int32_t>(TensorProto::FLOAT) : to));
  if (to_float) {
    std::vector<float> values;
    for (int64_t value : in->Integers()) values.push_back(static_cast<float>(value));
    return Done(HostTensor::FromFloats(in->shape, values));
  }
  std::vector<int64_t> values;
  if (in->is_float()) {
    for (int64_t i = 0; i < count; ++i) {
      const double value = in->data<float>()[i];
      const double limit = to == TensorProto::INT32 ? 0x1p31 : 0x1p63;
      if (to != TensorProto::BOOL && !(std::abs(value) < limit)) {
        return node.Fail("casts a constant that does not fit " + OnnxTypeName(to));
      }
      values.push_back(to == TensorProto::BOOL ? (value != 0 ? 1 : 0) : static_cast<int64_t>(value));
    }
  } else {
    values = in->Integers();
    for (int64_t& value : values) {
      if (to == TensorProto::BOOL) value = value != 0 ? 1 : 0;
      if (to == TensorProto::INT32 && value != static_cast<int32_t>(value)) {
        // "To the end" survives: INT64_MAX and INT64_MIN mark it in slices.
        if (value != std::numeric_limits<int64_t>::max() && value != std::numeric_limits<int64_t>::min()) {
          return node.Fail("casts a constant that does not fit int32");
        }
        value = value > 0 ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int32_t>::min();
      }
    }
  }
  return Done(HostTensor::FromIntegers(to, in->shape, values));
}

FoldResult FoldSlice(Importer& importer, const NodeView& node) {
  const HostTensor* in = In(importer, node, 0);
  if (in == nullptr) return NotFolded();
  XRUN_ASSIGN_OR_RETURN(const SliceAttrs attrs, SliceRange(importer, node, in->shape));
  Shape out;
  for (size_t d = 0; d < in->shape.size(); ++d) {
    const int64_t step = attrs.step[d], span = step > 0 ? attrs.end[d] - attrs.begin[d] : attrs.begin[d] - attrs.end[d];
    const int64_t magnitude = step > 0 ? step : -step;
    out.push_back(span <= 0 ? 0 : (span - 1) / magnitude + 1);
  }
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, Elements(out), in->type));
  return Done(WithBytes(*in, out, SliceBytes(*in->bytes, HeldSize(in->type), in->shape, attrs.begin, attrs.step, out)));
}

FoldResult FoldRange(Importer& importer, const NodeView& node) {
  constexpr int64_t kLongestRange = 1 << 20;
  for (int i = 0; i < 3; ++i) {
    const HostTensor* in = In(importer, node, i);
    if (in == nullptr || in->elements() != 1 || in->type != In(importer, node, 0)->type) {
      return node.Fail("needs three numbers of one type");
    }
  }
  const HostTensor* first = In(importer, node, 0);
  if (first->is_float()) {
    const double start = *first->data<float>(), limit = *In(importer, node, 1)->data<float>(),
                 delta = *In(importer, node, 2)->data<float>();
    const double count = delta != 0 ? std::ceil((limit - start) / delta) : 0;
    if (!(delta != 0) || !(count <= kLongestRange)) return node.Fail("has a step of 0 or too many elements");
    std::vector<float> values;
    for (double i = 0; i < count; ++i) values.push_back(static_cast<float>(start + i * delta));
    return Done(HostTensor::FromFloats({static_cast<int64_t>(values.size())}, values));
  }
  const int64_t start = first->Integers()[0], limit = In(importer, node, 1)->Integers()[0],
                delta = In(importer, node, 2)->Integers()[0];
  constexpr int64_t kBound = int64_t{1} << 40;
  if (delta == 0 || std::max({std::abs(start / 2), std::abs(limit / 2), std::abs(delta / 2)}) > kBound) {
    return node.Fail("has a step of 0 or numbers that are too large");
  }
  std::vector<int64_t> values;
  for (int64_t v = start; delta > 0 ? v < limit : v > limit; v += delta) {
    if (static_cast<int64_t>(values.size()) == kLongestRange) return node.Fail("has too many elements");
    values.push_back(v);
  }
  return Done(HostTensor::FromIntegers(first->type, {static_cast<int64_t>(values.size())}, values));
}

FoldResult FoldReshapeLike(Importer& importer, const NodeView& node) {
  const Symbol& symbol = importer.InputSymbol(node, 0);
  Folded folded{*symbol.constant, symbol.quant};
  XRUN_ASSIGN_OR_RETURN(folded.tensor.shape, ReshapeTarget(importer, node, symbol.constant->shape));
  if (folded.quant && folded.quant->axis >= 0) {
    const auto axis = AxisAfterReshape(folded.quant->axis, symbol.constant->shape, folded.tensor.shape);
    if (!axis) return node.Fail("reshapes a tensor that is quantized per channel so that channels are no axis");
    folded.quant->axis = *axis;
  }
  return std::optional<Folded>(std::move(folded));
}

FoldResult FoldTranspose(Importer& importer, const NodeView& node) {
  const Symbol& symbol = importer.InputSymbol(node, 0);
  const HostTensor& in = *symbol.constant;
  XRUN_ASSIGN_OR_RETURN(const auto perm, TransposePerm(node, in.shape.size()));
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, in.elements(), in.type));
  Shape out;
  for (int64_t axis : perm) out.push_back(in.shape[static_cast<size_t>(axis)]);
  Folded folded{WithBytes(in, out, TransposeBytes(*in.bytes, HeldSize(in.type), in.shape, perm)), symbol.quant};
  if (folded.quant && folded.quant->axis >= 0) {
    folded.quant->axis = static_cast<int>(std::find(perm.begin(), perm.end(), folded.quant->axis) - perm.begin());
  }
  return std::optional<Folded>(std::move(folded));
}

namespace {

/// One step of integer arithmetic; nothing when the result does not exist or does not fit.
std::optional<int64_t> Integer(const std::string& op, int64_t a, int64_t b, bool fmod) {
  int64_t out = 0;
  if (op == "Add") return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional(out);
  if (op == "Sub") return __builtin_sub_overflow(a, b, &out) ? std::nullopt : std::optional(out);
  if (op == "Mul") return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
  if (op == "Min") return std::min(a, b);
  if (op == "Max") return std::max(a, b);
  assert(op == "Div" || op == "Mod");
  if (b == 0 || (b == -1 && a == std::numeric_limits<int64_t>::min())) return std::nullopt;
  if (op == "Div") return a / b;
  // Mod takes the sign of the divisor, fmod that of the dividend.
  out = a % b;
  return !fmod && out != 0 && (out < 0) != (b < 0) ? out + b : out;
}

std::optional<int64_t> Integer(const std::string& op, int64_t a) {
  if (a == std::numeric_limits<int64_t>::min()) return std::nullopt;
  return op == "Neg" || a < 0 ? -a : a;
}

}  // namespace

FoldResult FoldArithmetic(Importer& importer, const NodeView& node) {
  std::optional<HostTensor> result;
  const bool fmod = node.op() == "Mod" && node.Int("fmod", 0) != 0;
  for (int i = 0; i < node.input_count(); ++i) {
    const HostTensor* in = In(importer, node, i);
    if (in == nullptr || in->is_float()) {
      if (node.op() == "Mod") return node.Fail("is supported on integers only");
      return NotFolded();
    }
    if (!result) {
      result = *in;
      if (node.input_count() > 1) continue;
      std::vector<int64_t> values = in->Integers();
      for (int64_t& value : values) {
        if (node.op() != "Neg" && node.op() != "Abs") break;
        const auto next = Integer(node.op(), value);
        if (!next) return node.Fail("overflows on constants");
        value = *next;
      }
      return Done(HostTensor::FromIntegers(in->type, in->shape, values));
    }
    if (in->type != result->type) return node.Fail("inputs differ in type");
    auto shape = BroadcastShapes(result->shape, in->shape);
    if (!shape.ok()) return node.Fail(shape.failure());
    auto count = CountElements(*shape);
    if (!count.ok()) return node.Fail(count.failure());
    XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, *count, TensorProto::INT64));
    const std::vector<int64_t> a = result->Integers(), b = in->Integers();
    bool overflow = false;
    const auto values =
        BroadcastBinary(a.data(), result->shape, b.data(), in->shape, *shape, [&](int64_t x, int64_t y) {
          auto value = Integer(node.op(), x, y, fmod);
          if (value && in->type == TensorProto::INT32 && *value != static_cast<int32_t>(*value)) value.reset();
          overflow |= !value;
          return value.value_or(0);
        });
    if (overflow) return node.Fail("overflows or divides by zero on constants");
    result = HostTensor::FromIntegers(in->type, *shape, values);
  }
  return Done(std::move(*result));
}

FoldResult FoldRounding(Importer& importer, const NodeView& node) {
  const HostTensor* in = In(importer, node, 0);
  if (in == nullptr || !in->is_float()) return node.Fail("needs a float constant");
  std::vector<float> values(in->data<float>(), in->data<float>() + in->elements());
  for (float& value : values) value = node.op() == "Ceil" ? std::ceil(value) : std::floor(value);
  return Done(HostTensor::FromFloats(in->shape, values));
}

FoldResult FoldExpand(Importer& importer, const NodeView& node) {
  const HostTensor* in = In(importer, node, 0);
  if (in == nullptr) return node.Fail("is not supported on quantized constants");
  XRUN_ASSIGN_OR_RETURN(const Shape wanted, importer.IntegerInput(node, 1, "shape"));
  auto out = BroadcastShapes(in->shape, wanted);
  if (!out.ok()) return node.Fail(out.failure());
  auto count = CountElements(*out);
  if (!count.ok()) return node.Fail(count.failure());
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, *count, in->type));
  const size_t size = HeldSize(in->type);
  Bytes bytes;
  bytes.reserve(static_cast<size_t>(*count) * size);
  const auto strides = BroadcastStrides(in->shape, *out);
  ForEachOffset(*out, strides, strides, [&](int64_t offset, int64_t) {
    const auto from = in->bytes->begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(offset) * size);
    bytes.insert(bytes.end(), from, from + static_cast<std::ptrdiff_t>(size));
  });
  return Done(WithBytes(*in, *out, std::move(bytes)));
}

FoldResult FoldEqual(Importer& importer, const NodeView& node) {
  const HostTensor *a = In(importer, node, 0), *b = In(importer, node, 1);
  if (a == nullptr || b == nullptr || a->is_float() || b->is_float())
    return node.Fail("is supported on integer constants only");
  auto shape = BroadcastShapes(a->shape, b->shape);
  if (!shape.ok()) return node.Fail(shape.failure());
  auto count = CountElements(*shape);
  if (!count.ok()) return node.Fail(count.failure());
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, *count, TensorProto::INT64));
  const std::vector<int64_t> x = a->Integers(), y = b->Integers();
  const auto values = BroadcastBinary(x.data(), a->shape, y.data(), b->shape, *shape,
                                      [](int64_t p, int64_t q) { return int64_t{p == q ? 1 : 0}; });
  return Done(HostTensor::FromIntegers(TensorProto::BOOL, *shape, values));
}

FoldResult FoldWhere(Importer& importer, const NodeView& node) {
  const HostTensor *condition = In(importer, node, 0), *a = In(importer, node, 1), *b = In(importer, node, 2);
  if (condition == nullptr || a == nullptr || b == nullptr || condition->type != TensorProto::BOOL ||
      !a->is_integer() || a->type != b->type) {
    return node.Fail("is supported on integer constants only");
  }
  auto shape = BroadcastShapes(a->shape, b->shape);
  if (shape.ok()) shape = BroadcastShapes(*shape, condition->shape);
  if (!shape.ok()) return node.Fail(shape.failure());
  auto count = CountElements(*shape);
  if (!count.ok()) return node.Fail(count.failure());
  XRUN_RETURN_IF_ERROR(TakeBudget(importer, node, *count * 2, TensorProto::INT64));
  const std::vector<int64_t> c = condition->Integers(), x = a->Integers(), y = b->Integers();
  // Two passes: the values where the condition holds, marked, then the others.
  std::vector<int64_t> chosen, values;
  ForEachOffset(*shape, BroadcastStrides(condition->shape, *shape), BroadcastStrides(a->shape, *shape),
                [&](int64_t ic, int64_t ix) {
                  chosen.push_back(c[static_cast<size_t>(ic)]);
                  values.push_back(x[static_cast<size_t>(ix)]);
                });
  size_t i = 0;
  const auto strides = BroadcastStrides(b->shape, *shape);
  ForEachOffset(*shape, strides, strides, [&](int64_t iy, int64_t) {
    if (chosen[i] == 0) values[i] = y[static_cast<size_t>(iy)];
    ++i;
  });
  return Done(HostTensor::FromIntegers(a->type, *shape, values));
}

}  // namespace xrun::compiler
