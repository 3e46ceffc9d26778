// LayerNormalization, InstanceNormalization, GroupNormalization.

#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

/// Scale and bias may repeat along axes; the graph's operator wants them in full.
Result<ValueId> InFull(Importer& importer, const NodeView& node, int i, const Shape& shape) {
  XRUN_ASSIGN_OR_RETURN(const Shape given, importer.InputShape(node, i));
  if (given == shape) return importer.Input(node, i);
  auto together = BroadcastShapes(given, shape);
  const HostTensor* constant = importer.Constant(node, i);
  if (!together.ok() || *together != shape) {
    return node.Fail("'" + node.input(i) + "' has shape " + ShapeText(given) + ", which does not fit " +
                     ShapeText(shape));
  }
  if (constant == nullptr) {
    return node.Fail("'" + node.input(i) + "' repeats along an axis and is not constant",
                     "expand it to " + ShapeText(shape) + " in the model");
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, i));
  const HostTensor zeros =
      HostTensor::FromFloats(shape, std::vector<float>(static_cast<size_t>(Elements(shape)), 0.0F));
  XRUN_ASSIGN_OR_RETURN(const ValueId zero, importer.AddConstant(node, node.input(i) + ".zeros", zeros));
  return importer.Emit(node, importer.Helper(node, "expanded"), Op::kAdd, NoAttrs{}, {value, zero});
}

Result<ValueId> ConstantList(Importer& importer, const NodeView& node, const std::string& suffix, int64_t count,
                             float value) {
  const HostTensor tensor = HostTensor::FromFloats({count}, std::vector<float>(static_cast<size_t>(count), value));
  return importer.AddConstant(node, node.output(0) + suffix, tensor);
}

}  // namespace

Status LowerLayerNorm(Importer& importer, const NodeView& node) {
  node.Ignore("stash_type");  // everything is computed in float32 or better
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  LayerNormAttrs attrs;
  XRUN_ASSIGN_OR_RETURN(attrs.axis, NormalizeAxis(node, node.Int("axis", -1), x.size()));
  attrs.epsilon = node.Float("epsilon", 1e-5F);
  const Shape normalized(x.begin() + static_cast<std::ptrdiff_t>(attrs.axis), x.end());
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  std::vector<ValueId> inputs{value};
  for (int i = 1; i < 3; ++i) {
    if (!node.has_input(i)) continue;
    XRUN_ASSIGN_OR_RETURN(const ValueId parameter, InFull(importer, node, i, normalized));
    inputs.push_back(parameter);
  }
  return importer.EmitFinal(node, Op::kLayerNorm, attrs, std::move(inputs));
}

Status LowerInstanceNorm(Importer& importer, const NodeView& node) {
  std::vector<ValueId> inputs;
  for (int i = 0; i < 3; ++i) {
    XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, i));
    inputs.push_back(value);
  }
  return importer.EmitFinal(node, Op::kInstanceNorm, BatchNormAttrs{node.Float("epsilon", 1e-5F)}, std::move(inputs));
}

/// An InstanceNorm of groups as if they were channels. Before opset 21 it has one scale and bias a group, which are
/// those of the InstanceNorm; since then one a channel, applied afterwards.
Status LowerGroupNorm(Importer& importer, const NodeView& node) {
  node.Ignore("stash_type");
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  if (x.size() < 2) return node.Fail("needs a channel dimension, has " + ShapeText(x));
  if (!node.Has("num_groups")) return node.Fail("attribute 'num_groups' is missing");
  const int64_t groups = node.Int("num_groups", 1);
  if (groups < 1 || x[1] % groups != 0) {
    return node.Fail("num_groups " + std::to_string(groups) + " does not divide the " + std::to_string(x[1]) +
                     " channels");
  }
  const BatchNormAttrs attrs{node.Float("epsilon", 1e-5F)};
  const bool per_channel = node.since() >= 21;
  const int64_t parameters = per_channel ? x[1] : groups;
  for (int i = 1; i < 3; ++i) {
    XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, i));
    if (shape != Shape{parameters}) {
      return node.Fail("'" + node.input(i) + "' has shape " + ShapeText(shape) + ", needs " +
                       std::to_string(parameters));
    }
  }
  XRUN_ASSIGN_OR_RETURN(ValueId value, importer.Input(node, 0));
  const Shape grouped{x[0], groups, Elements(x) / (x[0] * groups)};
  XRUN_ASSIGN_OR_RETURN(
      value, importer.Emit(node, importer.Helper(node, "groups"), Op::kReshape, NoAttrs{}, {value}, grouped));
  ValueId scale = kNone, bias = kNone;
  if (per_channel) {
    XRUN_ASSIGN_OR_RETURN(scale, ConstantList(importer, node, ".ones", groups, 1));
    XRUN_ASSIGN_OR_RETURN(bias, ConstantList(importer, node, ".zeros", groups, 0));
  } else {
    XRUN_ASSIGN_OR_RETURN(scale, importer.Input(node, 1));
    XRUN_ASSIGN_OR_RETURN(bias, importer.Input(node, 2));
  }
  XRUN_ASSIGN_OR_RETURN(
      value, importer.Emit(node, importer.Helper(node, "normal"), Op::kInstanceNorm, attrs, {value, scale, bias}));
  if (!per_channel) return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, x);
  XRUN_ASSIGN_OR_RETURN(value,
                        importer.Emit(node, importer.Helper(node, "shape"), Op::kReshape, NoAttrs{}, {value}, x));
  const auto column = [&](int i, const char* suffix) -> Result<ValueId> {
    Shape shape(x.size() - 1, 1);
    shape[0] = x[1];
    XRUN_ASSIGN_OR_RETURN(const ValueId list, importer.Input(node, i));
    return importer.Emit(node, importer.Helper(node, suffix), Op::kReshape, NoAttrs{}, {list}, shape);
  };
  XRUN_ASSIGN_OR_RETURN(const ValueId gain, column(1, "scale"));
  XRUN_ASSIGN_OR_RETURN(value,
                        importer.Emit(node, importer.Helper(node, "scaled"), Op::kMul, NoAttrs{}, {value, gain}));
  XRUN_ASSIGN_OR_RETURN(const ValueId offset, column(2, "bias"));
  return importer.EmitFinal(node, Op::kAdd, NoAttrs{}, {value, offset});
}

}  // namespace xrun::compiler
