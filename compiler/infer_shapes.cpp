#include "compiler/infer_shapes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/infer_axes.h"
#include "compiler/infer_indexing.h"

namespace xrun::compiler {

Result<int64_t> CheckedElements(const Shape& shape) {
  int64_t count = 1;
  for (int64_t dim : shape) {
    if (dim <= 0) return Failure{"shape " + ShapeText(shape) + " has a dimension that is not positive", ""};
    if (dim > kMaxElements / count) {
      return Failure{"shape " + ShapeText(shape) + " has more than " + std::to_string(kMaxElements) + " elements", ""};
    }
    count *= dim;
  }
  return count;
}

Result<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1) {
      return Failure{"shapes " + ShapeText(a) + " and " + ShapeText(b) + " cannot be broadcast together", ""};
    }
    out[out.size() - 1 - i] = da == 1 ? db : da;
  }
  return out;
}

std::string ShapeText(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (int64_t dim : shape) text += (text.empty() ? "" : "x") + std::to_string(dim);
  return text;
}

namespace {

using ShapeResult = Result<std::vector<Shape>>;

/// What a shape rule sees: the node and the shapes of its inputs (null for an absent one).
struct Context {
  const Graph& graph;
  const Node& node;
  std::vector<const Shape*> in;

  const Shape& x() const { return *in[0]; }
};

Failure Wrong(const std::string& what) { return Failure{what, ""}; }

Status CheckInputs(const Context& c, size_t required, size_t most) {
  if (c.in.size() < required || c.in.size() > most) {
    return Wrong("has " + std::to_string(c.in.size()) + " inputs, needs " + std::to_string(required) +
                 (most == required ? "" : " to " + std::to_string(most)));
  }
  for (size_t i = 0; i < required; ++i) {
    if (c.in[i] == nullptr) return Wrong("input " + std::to_string(i) + " is missing");
  }
  return {};
}

Status CheckWindow(const std::array<int64_t, 2>& kernel, const std::array<int64_t, 2>& stride,
                   const std::array<int64_t, 2>& dilation, const std::array<int64_t, 4>& pads) {
  for (size_t d = 0; d < 2; ++d) {
    const auto positive = [](int64_t v) { return v >= 1 && v <= kMaxWindowAttribute; };
    if (!positive(kernel[d]) || !positive(stride[d]) || !positive(dilation[d])) {
      return Wrong("kernel, stride and dilation must be between 1 and " + std::to_string(kMaxWindowAttribute));
    }
  }
  for (int64_t pad : pads) {
    if (pad < 0 || pad > kMaxWindowAttribute) {
      return Wrong("pads must be between 0 and " + std::to_string(kMaxWindowAttribute));
    }
  }
  return {};
}

int64_t Extent(int64_t kernel, int64_t dilation) { return (kernel - 1) * dilation + 1; }

Result<int64_t> WindowOutputs(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_sum) {
  const int64_t room = size + pad_sum - Extent(kernel, dilation);
  if (room < 0) {
    return Wrong("the kernel covers " + std::to_string(Extent(kernel, dilation)) + " but the padded input only " +
                 std::to_string(size + pad_sum));
  }
  return room / stride + 1;
}

Status CheckChannels(const char* what, const Shape* shape, int64_t channels) {
  if (shape == nullptr) return {};
  if (*shape != Shape{channels}) {
    return Wrong(std::string(what) + " has shape " + ShapeText(*shape) + ", needs " + std::to_string(channels));
  }
  return {};
}

ShapeResult InferConv(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 2, 3));
  const auto& attrs = c.node.as<ConvAttrs>();
  const Shape &x = c.x(), &w = *c.in[1];
  const bool transpose = c.node.op == Op::kConvTranspose;
  if (x.size() != 4 || w.size() != 4) {
    return Wrong("needs a 4-D input and 4-D weights, has " + ShapeText(x) + " and " + ShapeText(w));
  }
  XRUN_RETURN_IF_ERROR(CheckWindow(attrs.kernel, attrs.stride, attrs.dilation, attrs.pads));
  if (attrs.kernel[0] != w[2] || attrs.kernel[1] != w[3]) {
    return Wrong("kernel does not agree with the weights " + ShapeText(w));
  }
  const int64_t groups = attrs.groups;
  if (groups < 1 || x[1] % groups != 0)
    return Wrong("groups " + std::to_string(groups) + " do not divide the channels");
  int64_t channels = 0;
  if (transpose) {
    if (w[0] != x[1]) return Wrong("weights " + ShapeText(w) + " do not fit the input " + ShapeText(x));
    if (w[1] > kMaxElements / groups) return Wrong("too many output channels");
    channels = w[1] * groups;
  } else {
    if (w[1] != x[1] / groups || w[0] % groups != 0) {
      return Wrong("weights " + ShapeText(w) + " do not fit the input " + ShapeText(x) + " in " +
                   std::to_string(groups) + " groups");
    }
    channels = w[0];
  }
  XRUN_RETURN_IF_ERROR(CheckChannels("bias", c.in.size() > 2 ? c.in[2] : nullptr, channels));
  Shape out{x[0], channels, 0, 0};
  for (size_t d = 0; d < 2; ++d) {
    const int64_t pad_sum = attrs.pads[d] + attrs.pads[d + 2];
    if (transpose) {
      // The limit of op.h's contract: an output padding must be smaller than the stride or the dilation.
      if (attrs.output_padding[d] < 0 || attrs.output_padding[d] >= std::max(attrs.stride[d], attrs.dilation[d])) {
        return Wrong("output_padding must be smaller than the stride or the dilation");
      }
      out[d + 2] = attrs.stride[d] * (x[d + 2] - 1) + attrs.output_padding[d] +
                   Extent(attrs.kernel[d], attrs.dilation[d]) - pad_sum;
      if (out[d + 2] < 1) return Wrong("the pads leave no output");
    } else {
      XRUN_ASSIGN_OR_RETURN(out[d + 2],
                            WindowOutputs(x[d + 2], attrs.kernel[d], attrs.stride[d], attrs.dilation[d], pad_sum));
    }
  }
  return std::vector<Shape>{out};
}

/// With dilation a window that starts in the padding can miss the input between two of its taps.
bool SomeWindowMissesInput(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad) {
  for (int64_t start = -pad; start < 0; start += stride) {
    const int64_t first = (-start + dilation - 1) / dilation;  // first tap that is not left of the input
    if (first >= kernel || start + first * dilation >= size) return true;
  }
  return false;
}

ShapeResult InferPool(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 1, 1));
  const auto& attrs = c.node.as<PoolAttrs>();
  const Shape& x = c.x();
  if (x.size() != 4) return Wrong("needs a 4-D input, has " + ShapeText(x));
  XRUN_RETURN_IF_ERROR(CheckWindow(attrs.kernel, attrs.stride, attrs.dilation, attrs.pads));
  Shape out{x[0], x[1], 0, 0};
  for (size_t d = 0; d < 2; ++d) {
    const int64_t excess = attrs.ceil_pads[d];
    if (excess < 0 || excess > attrs.pads[d + 2] || excess >= attrs.stride[d]) {
      return Wrong("ceil_pads are not a part of the pads below one stride");
    }
    if (attrs.pads[d] >= attrs.kernel[d] || attrs.pads[d + 2] - excess >= attrs.kernel[d]) {
      return Wrong("pads must be smaller than the kernel, or a window would see no input");
    }
    XRUN_ASSIGN_OR_RETURN(out[d + 2], WindowOutputs(x[d + 2], attrs.kernel[d], attrs.stride[d], attrs.dilation[d],
                                                    attrs.pads[d] + attrs.pads[d + 2]));
    if ((out[d + 2] - 1) * attrs.stride[d] - attrs.pads[d] >= x[d + 2] ||
        SomeWindowMissesInput(x[d + 2], attrs.kernel[d], attrs.stride[d], attrs.dilation[d], attrs.pads[d])) {
      return Wrong("a window lies entirely in the padding");
    }
  }
  return std::vector<Shape>{out};
}

ShapeResult InferFullyConnected(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 2, 3));
  const Shape &x = c.x(), &w = *c.in[1];
  if (w.size() != 2 || x.empty() || x.back() != w[1]) {
    return Wrong("weights " + ShapeText(w) + " do not fit the input " + ShapeText(x));
  }
  XRUN_RETURN_IF_ERROR(CheckChannels("bias", c.in.size() > 2 ? c.in[2] : nullptr, w[0]));
  Shape out = x;
  out.back() = w[0];
  return std::vector<Shape>{out};
}

ShapeResult InferMatMul(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 2, 2));
  Shape a = c.x(), b = *c.in[1];
  const auto mismatch = [&] {
    return Wrong("shapes " + ShapeText(c.x()) + " and " + ShapeText(*c.in[1]) + " do not multiply");
  };
  if (a.empty() || b.empty()) return mismatch();
  if (c.node.as<MatMulAttrs>().transpose_a) {
    if (a.size() < 2) return mismatch();
    std::swap(a[a.size() - 2], a.back());
  }
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  if (a.back() != b[b.size() - 2]) return mismatch();
  auto batch = BroadcastShapes(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!batch.ok()) return mismatch();
  Shape out = *batch;
  if (!row) out.push_back(a[a.size() - 2]);
  if (!column) out.push_back(b.back());
  return std::vector<Shape>{out};
}

ShapeResult InferBatchNorm(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 5, 5));
  if (c.x().size() < 2) return Wrong("needs an input of at least two dimensions, has " + ShapeText(c.x()));
  for (size_t i = 1; i < 5; ++i) XRUN_RETURN_IF_ERROR(CheckChannels("a parameter", c.in[i], c.x()[1]));
  return std::vector<Shape>{c.x()};
}

ShapeResult InferBinary(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 2, 2));
  XRUN_ASSIGN_OR_RETURN(Shape out, BroadcastShapes(c.x(), *c.in[1]));
  if (c.node.op == Op::kPRelu && out != c.x()) {
    return Wrong("slope " + ShapeText(*c.in[1]) + " does not broadcast to " + ShapeText(c.x()));
  }
  return std::vector<Shape>{out};
}

ShapeResult InferSame(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 1, 1));
  return std::vector<Shape>{c.x()};
}

ShapeResult InferSoftmax(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 1, 1));
  const int64_t axis = c.node.as<AxisAttrs>().axis;
  if (axis < 0 || axis >= static_cast<int64_t>(c.x().size())) return Wrong("axis is outside of " + ShapeText(c.x()));
  return std::vector<Shape>{c.x()};
}

ShapeResult InferConcat(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 1, c.in.size()));
  const int64_t axis = c.node.as<AxisAttrs>().axis;
  Shape out = c.x();
  if (axis < 0 || axis >= static_cast<int64_t>(out.size())) return Wrong("axis is outside of " + ShapeText(out));
  for (size_t i = 1; i < c.in.size(); ++i) {
    if (c.in[i] == nullptr) return Wrong("input " + std::to_string(i) + " is missing");
    Shape other = *c.in[i];
    if (other.size() != out.size()) return Wrong("inputs differ in rank");
    const int64_t sum = out[static_cast<size_t>(axis)] + other[static_cast<size_t>(axis)];
    out[static_cast<size_t>(axis)] = other[static_cast<size_t>(axis)] = sum;
    if (out != other) return Wrong("input " + ShapeText(*c.in[i]) + " does not fit " + ShapeText(c.x()));
    if (sum > kMaxElements) return Wrong("the result is too large");
  }
  return std::vector<Shape>{out};
}

ShapeResult InferSlice(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 1, 1));
  const auto& attrs = c.node.as<SliceAttrs>();
  Shape out = c.x();
  if (attrs.begin.size() != out.size() || attrs.end.size() != out.size() || attrs.step.size() != out.size()) {
    return Wrong("begin, end and step need one entry per axis of " + ShapeText(out));
  }
  for (size_t d = 0; d < out.size(); ++d) {
    const int64_t begin = attrs.begin[d], end = attrs.end[d], step = attrs.step[d], size = out[d];
    if (step == 0) return Wrong("step is 0");
    if (step == INT64_MIN) return Wrong("step is out of range");
    if (begin < 0 || begin >= size || (step > 0 ? end <= begin || end > size : end >= begin || end < -1)) {
      return Wrong("the slice of axis " + std::to_string(d) + " is empty or outside of " + ShapeText(c.x()));
    }
    const int64_t span = step > 0 ? end - begin : begin - end, magnitude = step > 0 ? step : -step;
    out[d] = (span - 1) / magnitude + 1;
  }
  return std::vector<Shape>{out};
}

ShapeResult InferPad(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 1, 1));
  const auto& attrs = c.node.as<PadAttrs>();
  Shape out = c.x();
  if (attrs.before.size() != out.size() || attrs.after.size() != out.size()) {
    return Wrong("pads need one entry per axis of " + ShapeText(out));
  }
  for (size_t d = 0; d < out.size(); ++d) {
    if (attrs.before[d] < 0 || attrs.after[d] < 0) return Wrong("pads must not be negative");
    if (attrs.before[d] > kMaxElements || attrs.after[d] > kMaxElements) return Wrong("pads are too large");
    out[d] += attrs.before[d] + attrs.after[d];
  }
  return std::vector<Shape>{out};
}

/// The target shape is the output value's own: only the element count can be wrong.
ShapeResult InferReshape(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 1, 1));
  const Shape& target = c.graph.at(c.node.outputs[0]).shape;
  XRUN_ASSIGN_OR_RETURN(const int64_t wanted, CheckedElements(target));
  if (wanted != Elements(c.x())) return Wrong(ShapeText(c.x()) + " cannot become " + ShapeText(target));
  return std::vector<Shape>{target};
}

ShapeResult InferTranspose(const Context& c) {
  XRUN_RETURN_IF_ERROR(CheckInputs(c, 1, 1));
  const auto& perm = c.node.as<TransposeAttrs>().perm;
  if (perm.size() != c.x().size()) return Wrong("perm needs one entry per axis of " + ShapeText(c.x()));
  std::vector<char> seen(perm.size(), 0);
  Shape out;
  for (int64_t axis : perm) {
    if (axis < 0 || axis >= static_cast<int64_t>(perm.size()) || seen[static_cast<size_t>(axis)] != 0) {
      return Wrong("perm is not a permutation");
    }
    seen[static_cast<size_t>(axis)] = 1;
    out.push_back(c.x()[static_cast<size_t>(axis)]);
  }
  return std::vector<Shape>{out};
}

ShapeResult Infer(const Context& c) {
  switch (c.node.op) {
    case Op::kConv:
    case Op::kConvTranspose:
      return InferConv(c);
    case Op::kFullyConnected:
      return InferFullyConnected(c);
    case Op::kMatMul:
      return InferMatMul(c);
    case Op::kBatchNorm:
      return InferBatchNorm(c);
    case Op::kMaxPool:
    case Op::kAveragePool:
      return InferPool(c);
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv:
    case Op::kMin:
    case Op::kMax:
    case Op::kPow:
    case Op::kPRelu:
    case Op::kMod:
    case Op::kEqual:
    case Op::kGreater:
    case Op::kGreaterOrEqual:
    case Op::kLess:
    case Op::kLessOrEqual:
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor:
      return InferBinary(c);
    case Op::kWhere: {
      XRUN_RETURN_IF_ERROR(CheckInputs(c, 3, 3));
      XRUN_ASSIGN_OR_RETURN(const Shape values, BroadcastShapes(*c.in[1], *c.in[2]));
      XRUN_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(c.x(), values));
      return std::vector<Shape>{std::move(shape)};
    }
    case Op::kNot:
    case Op::kIsNan:
    case Op::kUnary:
    case Op::kQuantize:
    case Op::kDequantize:
      return InferSame(c);
    case Op::kConcat:
      return InferConcat(c);
    case Op::kSlice:
      return InferSlice(c);
    case Op::kPad:
      return InferPad(c);
    case Op::kReshape:
      return InferReshape(c);
    case Op::kTranspose:
      return InferTranspose(c);
    case Op::kSoftmax:
    case Op::kLogSoftmax:
      return InferSoftmax(c);
    case Op::kReduce:
    case Op::kLayerNorm:
    case Op::kInstanceNorm: {
      const size_t least = c.node.op == Op::kReduce ? 1 : c.node.op == Op::kLayerNorm ? 2 : 3;
      XRUN_RETURN_IF_ERROR(CheckInputs(c, least, c.node.op == Op::kReduce ? 1 : 3));
      XRUN_ASSIGN_OR_RETURN(Shape shape, InferAxes(c.graph, c.node));
      return std::vector<Shape>{std::move(shape)};
    }
    case Op::kResize:
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
    case Op::kGather:
    case Op::kGatherElements:
    case Op::kGatherNd:
    case Op::kTopK:
    case Op::kNonMaxSuppression:
    case Op::kTile:
    case Op::kMirrorPad:
    case Op::kArgMax:
    case Op::kCast:
    case Op::kLrn: {
      const bool two = c.node.op == Op::kGather || c.node.op == Op::kGatherElements || c.node.op == Op::kGatherNd ||
                       c.node.op == Op::kNonMaxSuppression;
      XRUN_RETURN_IF_ERROR(CheckInputs(c, two ? 2 : 1, two ? 2 : 1));
      XRUN_ASSIGN_OR_RETURN(Shape shape, InferIndexing(c.graph, c.node));
      return std::vector<Shape>{std::move(shape)};
    }
  }
  assert(false && "an operator without a shape rule");
  return Wrong("unknown operator");
}

Attributes DefaultAttributes(Op op) {
  switch (op) {
#define X(e, n, a) \
  case Op::e:      \
    return a{};
    XRUN_FOR_EACH_OP(X)
#undef X
  }
  return NoAttrs{};
}

}  // namespace

Result<std::vector<Shape>> InferShapes(const Graph& graph, const Node& node) {
  Context context{graph, node, {}};
  const auto where = [&] {
    std::string shapes;
    for (const Shape* shape : context.in) shapes += (shapes.empty() ? "" : ", ") + (shape ? ShapeText(*shape) : "none");
    return "node '" + node.name + "' (" + std::string(Name(node.op)) + " of " + shapes + ")";
  };
  for (ValueId id : node.inputs) context.in.push_back(id == kNone ? nullptr : &graph.at(id).shape);
  if (node.attrs.index() != DefaultAttributes(node.op).index()) {
    return Wrong("attributes are those of another operator").In(where());
  }
  if (node.outputs.size() != 1 || node.outputs[0] == kNone) return Wrong("needs exactly one output").In(where());
  ShapeResult result = Infer(context);
  if (!result.ok()) return std::move(result).failure().In(where());
  for (const Shape& shape : *result) {
    auto count = CheckedElements(shape);
    if (!count.ok()) return std::move(count).failure().In(where());
  }
  return result;
}

}  // namespace xrun::compiler
