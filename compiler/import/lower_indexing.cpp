// Operators that pick elements: DepthToSpace, SpaceToDepth, Gather, ArgMax, ArgMin, and LRN.

#include <algorithm>

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

}  // namespace

/// A Slice where the indices are one, or evenly spaced; then a Reshape where the indices are not a list.
Status LowerGather(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(node, node.Int("axis", 0), x.size()));
  const auto d = static_cast<size_t>(axis);
  const HostTensor* constant = importer.Constant(node, 1);
  if (constant == nullptr) {
    XRUN_ASSIGN_OR_RETURN(const ValueId indices, importer.Input(node, 1));
    if (importer.graph().at(indices).dtype != DType::kInt64) {
      return node.Fail("indices '" + node.input(1) + "' are not int64", "cast them to int64");
    }
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
