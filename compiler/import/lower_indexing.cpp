// Operators that pick elements, and LRN.

#include <algorithm>
#include <limits>

#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

Status LowerBlocks(Importer& importer, const NodeView& node) {
  BlockAttrs attrs;
  if (!node.Has("blocksize")) return node.Fail("attribute 'blocksize' is missing");
  attrs.block = node.Int("blocksize", 1);
  const bool spread = node.op() == "DepthToSpace";
  if (spread && node.since() >= 11) {
    const std::string mode = node.String("mode", "DCR");
    if (mode != "DCR" && mode != "CRD") return node.Fail("mode '" + mode + "' is not known");
    attrs.crd = mode == "CRD";
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, spread ? Op::kDepthToSpace : Op::kSpaceToDepth, attrs, {value});
}

namespace {

/// Indices first, first + step, …: what a Slice takes. One index alone has step 1.
bool IsProgression(const std::vector<int64_t>& indices, int64_t* step) {
  if (indices.empty()) return false;
  *step = indices.size() > 1 ? indices[1] - indices[0] : 1;
  for (size_t i = 1; i < indices.size(); ++i) {
    if (indices[i] - indices[i - 1] != *step) return false;
  }
  return *step != 0;
}

/// Input 1 as int64, which int32 indices become.
Result<ValueId> Indices(Importer& importer, const NodeView& node) {
  if (const HostTensor* constant = importer.Constant(node, 1); constant != nullptr && constant->is_integer()) {
    const HostTensor wide = HostTensor::FromIntegers(onnx::TensorProto::INT64, constant->shape, constant->Integers());
    return importer.AddConstant(node, node.input(1), wide);
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId indices, importer.Input(node, 1));
  if (importer.graph().at(indices).dtype != DType::kInt32) return indices;
  return importer.Emit(node, importer.Helper(node, "indices"), Op::kCast, CastAttrs{DType::kInt64}, {indices});
}

/// Constant indices must lie inside; element i is one of axis axis_of(i).
template <typename Fn>
Status CheckIndices(const Importer& importer, const NodeView& node, const Shape& x, const Fn& axis_of) {
  const HostTensor* constant = importer.Constant(node, 1);
  if (constant == nullptr || !constant->is_integer()) return {};
  const std::vector<int64_t> indices = constant->Integers();
  for (size_t i = 0; i < indices.size(); ++i) {
    const size_t axis = axis_of(i);
    if (axis < x.size() && (indices[i] < -x[axis] || indices[i] >= x[axis])) {
      return node.Fail("index " + std::to_string(indices[i]) + " is outside of axis " + std::to_string(axis) + " of " +
                       ShapeText(x));
    }
  }
  return {};
}

/// A constant that is one number, as a list of one or alone.
Result<int64_t> OneInteger(const Importer& importer, const NodeView& node, int i, const std::string& what) {
  XRUN_ASSIGN_OR_RETURN(const std::vector<int64_t> values, importer.IntegerInput(node, i, what));
  if (values.size() != 1) return node.Fail(what + " must be one number");
  return values[0];
}

}  // namespace

Status LowerGatherElements(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, node.Int("axis", 0), x.size()));
  XRUN_RETURN_IF_ERROR(CheckIndices(importer, node, x, [&](size_t) { return static_cast<size_t>(axis); }));
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  XRUN_ASSIGN_OR_RETURN(const ValueId indices, Indices(importer, node));
  return importer.EmitFinal(node, Op::kGatherElements, AxisAttrs{axis}, {value, indices});
}

Status LowerGatherNd(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 1));
  const int64_t batch = node.since() >= 12 ? node.Int("batch_dims", 0) : 0;
  if (shape.empty() || shape.back() < 1 || batch < 0 || batch >= static_cast<int64_t>(x.size())) {
    return node.Fail("indices " + ShapeText(shape) + " with " + std::to_string(batch) + " batch_dims do not fit " +
                     ShapeText(x));
  }
  const auto depth = static_cast<size_t>(shape.back());
  XRUN_RETURN_IF_ERROR(
      CheckIndices(importer, node, x, [&](size_t i) { return static_cast<size_t>(batch) + i % depth; }));
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  XRUN_ASSIGN_OR_RETURN(const ValueId indices, Indices(importer, node));
  return importer.EmitFinal(node, Op::kGatherNd, GatherNdAttrs{batch}, {value, indices});
}

/// The places of the largest, and the values picked from there. `sorted=0` allows any order, the sorted one too.
Status LowerTopK(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  TopKAttrs attrs;
  XRUN_ASSIGN_OR_RETURN(attrs.axis, NormalizeAxis(node, node.Int("axis", -1), x.size()));
  if (node.since() >= 10) {
    if (!node.has_input(1)) return node.Fail("k is missing");
    XRUN_ASSIGN_OR_RETURN(attrs.k, OneInteger(importer, node, 1, "k"));
  } else {
    if (!node.Has("k")) return node.Fail("attribute 'k' is missing");
    attrs.k = node.Int("k", 1);
  }
  if (node.since() >= 11) {
    attrs.largest = node.Int("largest", 1) != 0;
    node.Ignore("sorted");
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  const bool values = node.has_output(0), places = node.has_output(1);
  const Importer::Names names = !places ? importer.Helper(node, "places")
                                : values
                                    ? Importer::Names{importer.UniqueNodeName(node.name() + ".places"), node.output(1)}
                                    : importer.Final(node, 1);
  XRUN_ASSIGN_OR_RETURN(const ValueId indices, importer.Emit(node, names, Op::kTopK, attrs, {value}));
  if (places) importer.Define(node, 1, indices);
  if (!values) return {};
  return importer.EmitFinal(node, Op::kGatherElements, AxisAttrs{attrs.axis}, {value, indices});
}

/// The result has as many rows as it can ever have; the program says so.
Status LowerNonMaxSuppression(Importer& importer, const NodeView& node) {
  NmsAttrs attrs;
  attrs.most = 0;
  attrs.score = -std::numeric_limits<float>::infinity();
  attrs.center = node.Int("center_point_box", 0) != 0;
  if (node.has_input(2)) {
    XRUN_ASSIGN_OR_RETURN(attrs.most, OneInteger(importer, node, 2, "max_output_boxes_per_class"));
  }
  if (attrs.most < 1) {
    return node.Fail("chooses no boxes: max_output_boxes_per_class is " + std::to_string(attrs.most),
                     "give it a positive number");
  }
  if (node.has_input(3)) {
    XRUN_ASSIGN_OR_RETURN(attrs.iou, importer.ScalarInput(node, 3, "iou_threshold"));
  }
  if (node.has_input(4)) {
    XRUN_ASSIGN_OR_RETURN(attrs.score, importer.ScalarInput(node, 4, "score_threshold"));
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId boxes, importer.Input(node, 0));
  XRUN_ASSIGN_OR_RETURN(const ValueId scores, importer.Input(node, 1));
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  if (shape.size() == 3) attrs.most = std::min(attrs.most, shape[1]);
  importer.graph().metadata["padded:" + node.output(0)] = "rows of -1 follow the last box";
  return importer.EmitFinal(node, Op::kNonMaxSuppression, attrs, {boxes, scores});
}

/// A Slice where the indices are one, or evenly spaced; then a Reshape where the indices are not a list.
Status LowerGather(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, node.Int("axis", 0), x.size()));
  const auto d = static_cast<size_t>(axis);
  const HostTensor* constant = importer.Constant(node, 1);
  if (constant == nullptr) {
    XRUN_ASSIGN_OR_RETURN(const ValueId indices, Indices(importer, node));
    XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
    return importer.EmitFinal(node, Op::kGather, AxisAttrs{axis}, {value, indices});
  }
  if (constant->is_float()) return node.Fail("indices are not integers");
  std::vector<int64_t> indices = constant->Integers();
  for (int64_t& i : indices) {
    if (i < -x[d] || i >= x[d]) {
      return node.Fail("index " + std::to_string(i) + " is outside of axis " + std::to_string(axis) + " of " +
                       ShapeText(x));
    }
    if (i < 0) i += x[d];
  }
  if (indices.empty()) return node.Fail("has no indices");
  const Shape index_shape = constant->shape;
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  int64_t step = 1;
  if (!IsProgression(indices, &step)) {
    const HostTensor held = HostTensor::FromIntegers(onnx::TensorProto::INT64, index_shape, indices);
    XRUN_ASSIGN_OR_RETURN(const ValueId held_id, importer.AddConstant(node, node.input(1), held));
    return importer.EmitFinal(node, Op::kGather, AxisAttrs{axis}, {value, held_id});
  }
  SliceAttrs attrs{Shape(x.size(), 0), x, Shape(x.size(), 1)};
  attrs.begin[d] = indices.front();
  attrs.end[d] = indices.back() + (step > 0 ? 1 : -1);
  attrs.step[d] = step;
  if (index_shape.size() == 1) return importer.EmitFinal(node, Op::kSlice, std::move(attrs), {value});
  XRUN_ASSIGN_OR_RETURN(const ValueId slice,
                        importer.Emit(node, importer.Helper(node, "slice"), Op::kSlice, std::move(attrs), {value}));
  Shape target(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(d));
  target.insert(target.end(), index_shape.begin(), index_shape.end());
  target.insert(target.end(), x.begin() + static_cast<std::ptrdiff_t>(d) + 1, x.end());
  return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {slice}, target);
}

Status LowerArgMax(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  ArgMaxAttrs attrs;
  XRUN_ASSIGN_OR_RETURN(attrs.axis, NormalizeAxis(node, node.Int("axis", 0), x.size()));
  attrs.keep_dims = node.Int("keepdims", 1) != 0;
  attrs.last = node.since() >= 12 && node.Int("select_last_index", 0) != 0;
  attrs.least = node.op() == "ArgMin";
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kArgMax, attrs, {value});
}

Status LowerLrn(Importer& importer, const NodeView& node) {
  LrnAttrs attrs;
  if (!node.Has("size")) return node.Fail("attribute 'size' is missing");
  attrs.size = node.Int("size", 1);
  attrs.alpha = node.Float("alpha", 1e-4F);
  attrs.beta = node.Float("beta", 0.75F);
  attrs.bias = node.Float("bias", 1.0F);
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kLrn, attrs, {value});
}

}  // namespace xrun::compiler
