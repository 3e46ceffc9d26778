// Shape rules of the operators that resize or pick elements.

#include "compiler/infer_indexing.h"

#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

Failure Wrong(const std::string& what) { return {what, ""}; }

Result<Shape> InferResize(const Node& node, const Shape& x, const Shape& target) {
  const auto& attrs = node.as<ResizeAttrs>();
  if (x.empty() || target.size() != x.size() || attrs.scales.size() != x.size()) {
    return Wrong("needs a target size and a scale for each axis of " + ShapeText(x));
  }
  for (double scale : attrs.scales) {
    if (!(scale > 0)) return Wrong("a scale is not positive");
  }
  return target;
}

Result<Shape> InferBlocks(const Node& node, const Shape& x) {
  const int64_t b = node.as<BlockAttrs>().block;
  if (x.size() != 4) return Wrong("needs a 4-D input, has " + ShapeText(x));
  if (b < 1 || b > kMaxWindowAttribute)
    return Wrong("blocksize must be between 1 and " + std::to_string(kMaxWindowAttribute));
  if (node.op == Op::kDepthToSpace) {
    if (x[1] % (b * b) != 0) return Wrong("blocks of " + std::to_string(b) + " do not divide the channels");
    return Shape{x[0], x[1] / (b * b), x[2] * b, x[3] * b};
  }
  if (x[2] % b != 0 || x[3] % b != 0) return Wrong("blocks of " + std::to_string(b) + " do not divide " + ShapeText(x));
  return Shape{x[0], x[1] * b * b, x[2] / b, x[3] / b};
}

Result<Shape> InferGather(const Graph& graph, const Node& node, const Shape& x) {
  if (node.inputs.size() != 2 || node.inputs[1] == kNone) return Wrong("needs indices");
  const Value& indices = graph.at(node.inputs[1]);
  const int64_t axis = node.as<AxisAttrs>().axis;
  if (axis < 0 || axis >= static_cast<int64_t>(x.size())) return Wrong("axis is outside of " + ShapeText(x));
  const auto d = static_cast<std::ptrdiff_t>(axis);
  Shape out(x.begin(), x.begin() + d);
  out.insert(out.end(), indices.shape.begin(), indices.shape.end());
  out.insert(out.end(), x.begin() + d + 1, x.end());
  return out;
}

Result<Shape> InferArgMax(const Node& node, const Shape& x) {
  const auto& attrs = node.as<ArgMaxAttrs>();
  if (attrs.axis < 0 || attrs.axis >= static_cast<int64_t>(x.size()))
    return Wrong("axis is outside of " + ShapeText(x));
  Shape out = x;
  const auto d = static_cast<size_t>(attrs.axis);
  if (attrs.keep_dims) {
    out[d] = 1;
  } else {
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(d));
  }
  return out;
}

}  // namespace

Result<Shape> InferIndexing(const Graph& graph, const Node& node) {
  const Shape& x = graph.at(node.inputs[0]).shape;
  switch (node.op) {
    case Op::kResize:
      return InferResize(node, x, graph.at(node.outputs[0]).shape);
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
      return InferBlocks(node, x);
    case Op::kGather:
      return InferGather(graph, node, x);
    case Op::kArgMax:
      return InferArgMax(node, x);
    case Op::kLrn:
      if (x.size() < 2 || node.as<LrnAttrs>().size < 1) return Wrong("needs channels and a size of at least 1");
      return x;
    default:
      return x;
  }
}

}  // namespace xrun::compiler
