// Shape rules of the operators that compute along axes.

#include "compiler/infer_axes.h"

#include <algorithm>

#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

Failure Wrong(const std::string& what) { return {what, ""}; }

bool IsAxis(int64_t axis, const Shape& shape) { return axis >= 0 && axis < static_cast<int64_t>(shape.size()); }

Result<Shape> InferReduce(const Node& node, const Shape& x) {
  const auto& attrs = node.as<ReduceAttrs>();
  Shape out = x;
  for (size_t i = attrs.axes.size(); i-- > 0;) {
    const int64_t axis = attrs.axes[i];
    if (!IsAxis(axis, x)) return Wrong("axis is outside of " + ShapeText(x));
    if (i > 0 && attrs.axes[i - 1] >= axis) return Wrong("axes are not in order");
    if (attrs.keep_dims) {
      out[static_cast<size_t>(axis)] = 1;
    } else {
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(axis));
    }
  }
  return out;
}

Result<Shape> InferLayerNorm(const Graph& graph, const Node& node, const Shape& x) {
  const int64_t axis = node.as<LayerNormAttrs>().axis;
  if (!IsAxis(axis, x)) return Wrong("axis is outside of " + ShapeText(x));
  const Shape normalized(x.begin() + static_cast<std::ptrdiff_t>(axis), x.end());
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNone) continue;
    const Shape& shape = graph.at(node.inputs[i]).shape;
    if (shape != normalized) {
      return Wrong("scale or bias has shape " + ShapeText(shape) + ", needs " + ShapeText(normalized));
    }
  }
  return x;
}

Result<Shape> InferInstanceNorm(const Graph& graph, const Node& node, const Shape& x) {
  if (x.size() < 2) return Wrong("needs an input of at least two dimensions, has " + ShapeText(x));
  for (size_t i = 1; i < 3; ++i) {
    const Shape& shape = graph.at(node.inputs[i]).shape;
    if (shape != Shape{x[1]}) {
      return Wrong("scale or bias has shape " + ShapeText(shape) + ", needs " + std::to_string(x[1]));
    }
  }
  return x;
}

}  // namespace

Result<Shape> InferAxes(const Graph& graph, const Node& node) {
  const Shape& x = graph.at(node.inputs[0]).shape;
  if (node.op == Op::kReduce) return InferReduce(node, x);
  return node.op == Op::kLayerNorm ? InferLayerNorm(graph, node, x) : InferInstanceNorm(graph, node, x);
}

}  // namespace xrun::compiler
