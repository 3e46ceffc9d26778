// Shape rules of the operators that resize or pick elements.

#include "compiler/infer_indexing.h"

#include <algorithm>

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

Result<Shape> InferGatherElements(const Graph& graph, const Node& node, const Shape& x) {
  const Shape& indices = graph.at(node.inputs[1]).shape;
  const int64_t axis = node.as<AxisAttrs>().axis;
  if (axis < 0 || axis >= static_cast<int64_t>(x.size())) return Wrong("axis is outside of " + ShapeText(x));
  if (indices.size() != x.size())
    return Wrong("indices " + ShapeText(indices) + " differ in rank from " + ShapeText(x));
  for (size_t d = 0; d < x.size(); ++d) {
    if (static_cast<int64_t>(d) != axis && indices[d] > x[d]) {
      return Wrong("indices " + ShapeText(indices) + " go beyond " + ShapeText(x));
    }
  }
  return indices;
}

Result<Shape> InferGatherNd(const Graph& graph, const Node& node, const Shape& x) {
  const Shape& indices = graph.at(node.inputs[1]).shape;
  const int64_t batch = node.as<GatherNdAttrs>().batch_dims;
  if (indices.empty() || batch < 0 || batch >= static_cast<int64_t>(indices.size()) ||
      batch + indices.back() > static_cast<int64_t>(x.size())) {
    return Wrong("indices " + ShapeText(indices) + " with " + std::to_string(batch) + " batch_dims do not fit " +
                 ShapeText(x));
  }
  for (size_t d = 0; d < static_cast<size_t>(batch); ++d) {
    if (indices[d] != x[d]) return Wrong("batches of " + ShapeText(indices) + " and " + ShapeText(x) + " differ");
  }
  Shape out(indices.begin(), indices.end() - 1);
  out.insert(out.end(), x.begin() + static_cast<std::ptrdiff_t>(batch + indices.back()), x.end());
  return out;
}

Result<Shape> InferTopK(const Node& node, const Shape& x) {
  const auto& attrs = node.as<TopKAttrs>();
  if (attrs.axis < 0 || attrs.axis >= static_cast<int64_t>(x.size()))
    return Wrong("axis is outside of " + ShapeText(x));
  Shape out = x;
  int64_t& size = out[static_cast<size_t>(attrs.axis)];
  if (attrs.k < 1 || attrs.k > size) {
    return Wrong("k is " + std::to_string(attrs.k) + ", the axis has " + std::to_string(size) + " elements");
  }
  size = attrs.k;
  return out;
}

Result<Shape> InferNms(const Graph& graph, const Node& node, const Shape& boxes) {
  const Shape& scores = graph.at(node.inputs[1]).shape;
  if (boxes.size() != 3 || boxes[2] != 4 || scores.size() != 3 || scores[0] != boxes[0] || scores[2] != boxes[1]) {
    return Wrong("needs boxes Nx(boxes)x4 and scores Nx(classes)x(boxes), has " + ShapeText(boxes) + " and " +
                 ShapeText(scores));
  }
  const int64_t most = node.as<NmsAttrs>().most;
  if (most < 1) return Wrong("chooses no boxes");
  return Shape{scores[0] * scores[1] * std::min(most, boxes[1]), 3};
}

/// The target shape is the output value's own.
Result<Shape> InferTile(const Shape& x, const Shape& target) {
  bool fits = x.size() == target.size();
  for (size_t d = 0; fits && d < x.size(); ++d) fits = target[d] % x[d] == 0;
  if (!fits) return Wrong(ShapeText(x) + " cannot be repeated to " + ShapeText(target));
  return target;
}

Result<Shape> InferMirrorPad(const Node& node, const Shape& x) {
  const auto& attrs = node.as<MirrorPadAttrs>();
  if (attrs.before.size() != x.size() || attrs.after.size() != x.size()) {
    return Wrong("pads need one entry per axis of " + ShapeText(x));
  }
  Shape out = x;
  for (size_t d = 0; d < x.size(); ++d) {
    for (const int64_t pad : {attrs.before[d], attrs.after[d]}) {
      if (pad < 0 || pad > kMaxElements) return Wrong("pads are negative or too large");
      out[d] += pad;
    }
  }
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
    case Op::kGatherElements:
      return InferGatherElements(graph, node, x);
    case Op::kGatherNd:
      return InferGatherNd(graph, node, x);
    case Op::kTopK:
      return InferTopK(node, x);
    case Op::kNonMaxSuppression:
      return InferNms(graph, node, x);
    case Op::kTile:
      return InferTile(x, graph.at(node.outputs[0]).shape);
    case Op::kMirrorPad:
      return InferMirrorPad(node, x);
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
