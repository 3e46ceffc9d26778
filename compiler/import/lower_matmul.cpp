// Gemm and MatMul. With constant weights on the right they are FullyConnected with weights [M,K].

#include <algorithm>
#include <cmath>
#include <utility>

#include "compiler/constant_ops.h"
#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

HostTensor Transposed2D(const HostTensor& tensor) {
  HostTensor out = tensor;
  out.shape = {tensor.shape[1], tensor.shape[0]};
  out.bytes = std::make_shared<const std::vector<uint8_t>>(
      TransposeBytes(*tensor.bytes, HeldSize(tensor.type), tensor.shape, {1, 0}));
  return out;
}

HostTensor Scaled(const HostTensor& tensor, float factor) {
  std::vector<float> values(tensor.data<float>(), tensor.data<float>() + tensor.elements());
  for (float& value : values) value *= factor;
  return HostTensor::FromFloats(tensor.shape, values);
}

/// The 2-D constant behind input i as weights [M,K], float or dequantized; `transpose` when the model has [K,M].
Result<ValueId> Weights(Importer& importer, const NodeView& node, int i, bool transpose, float alpha) {
  const Symbol symbol = importer.InputSymbol(node, i);
  HostTensor tensor = *symbol.constant;
  if (alpha != 1.0F) {
    if (symbol.quant || !tensor.is_float())
      return node.Fail("alpha other than 1 with quantized weights is not supported");
    tensor = Scaled(tensor, alpha);
  } else if (!transpose) {
    return importer.Input(node, i);
  }
  if (Status room = importer.budget().Take(static_cast<int64_t>(tensor.bytes->size())); !room.ok()) {
    return node.Fail(room.failure());
  }
  if (transpose) tensor = Transposed2D(tensor);
  if (!symbol.quant) return importer.AddConstant(node, node.input(i), tensor);
  QuantParams quant = *symbol.quant;
  if (transpose && quant.axis >= 0) quant.axis = 1 - quant.axis;
  return importer.AddDequantized(node, node.input(i), tensor, quant, symbol);
}

/// Gemm's C as a bias [m], when it is constant and the same for every row. kNone when it has to be added afterwards.
Result<ValueId> Bias(Importer& importer, const NodeView& node, float beta, int64_t m) {
  const Symbol symbol = importer.InputSymbol(node, 2);
  if (!symbol.constant) return kNone;
  Shape shape = symbol.constant->shape;
  while (shape.size() > 1 && shape.front() == 1) shape.erase(shape.begin());
  if (shape.size() > 1) return kNone;
  const bool row = shape == Shape{m};
  if (symbol.quant) {
    if (!row || beta != 1.0F) return kNone;
    HostTensor tensor = *symbol.constant;
    QuantParams quant = *symbol.quant;
    if (quant.axis > 0) quant.axis = 0;
    if (tensor.shape == shape) return importer.Input(node, 2);
    tensor.shape = shape;
    return importer.AddDequantized(node, node.input(2), tensor, quant, symbol);
  }
  if (!symbol.constant->is_float()) return node.Fail("C must be float");
  if (row && beta == 1.0F && symbol.constant->shape == shape) return importer.Input(node, 2);
  if (!row && symbol.constant->elements() != 1) return kNone;
  std::vector<float> values(static_cast<size_t>(m));
  for (size_t i = 0; i < values.size(); ++i) values[i] = symbol.constant->data<float>()[row ? i : 0] * beta;
  return importer.AddConstant(node, node.input(2), HostTensor::FromFloats({m}, values));
}

Result<ValueId> EmitTransposed(Importer& importer, const NodeView& node, ValueId value, const std::string& suffix) {
  return importer.Emit(node, importer.Helper(node, suffix), Op::kTranspose, TransposeAttrs{{1, 0}}, {value});
}

/// value · factor, by a helper node.
Result<ValueId> EmitScaled(Importer& importer, const NodeView& node, const Importer::Names& names, ValueId value,
                           float factor) {
  XRUN_ASSIGN_OR_RETURN(const ValueId scalar,
                        importer.AddConstant(node, names.output + ".factor", HostTensor::FromFloats({}, {factor})));
  return importer.Emit(node, names, Op::kMul, NoAttrs{}, {value, scalar});
}

}  // namespace

Status LowerGemm(Importer& importer, const NodeView& node) {
  const float alpha = node.Float("alpha", 1.0F), beta = node.Float("beta", 1.0F);
  const bool trans_a = node.Int("transA", 0) != 0, trans_b = node.Int("transB", 0) != 0;
  if (!std::isfinite(alpha) || !std::isfinite(beta)) return node.Fail("alpha or beta is not finite");
  XRUN_ASSIGN_OR_RETURN(const Shape a_shape, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(const Shape b_shape, importer.InputShape(node, 1));
  if (a_shape.size() != 2 || b_shape.size() != 2) {
    return node.Fail("needs 2-D inputs, has " + ShapeText(a_shape) + " and " + ShapeText(b_shape));
  }
  const int64_t rows = a_shape[trans_a ? 1 : 0], columns = b_shape[trans_b ? 0 : 1];
  const bool has_c = node.has_input(2) && beta != 0.0F;
  if (has_c) {
    XRUN_ASSIGN_OR_RETURN(const Shape c_shape, importer.InputShape(node, 2));
    auto broadcast = BroadcastShapes(c_shape, {rows, columns});
    if (!broadcast.ok() || *broadcast != Shape{rows, columns}) {
      return node.Fail("C " + ShapeText(c_shape) + " does not broadcast to " + ShapeText({rows, columns}));
    }
  }
  XRUN_ASSIGN_OR_RETURN(ValueId a, importer.Input(node, 0));
  if (trans_a) {
    XRUN_ASSIGN_OR_RETURN(a, EmitTransposed(importer, node, a, "transA"));
  }

  Op op = Op::kMatMul;
  Attributes attrs = MatMulAttrs{};
  std::vector<ValueId> inputs{a};
  bool scale_after = false, add_after = has_c;
  if (importer.InputSymbol(node, 1).constant) {
    op = Op::kFullyConnected;
    attrs = NoAttrs{};
    XRUN_ASSIGN_OR_RETURN(const ValueId weights, Weights(importer, node, 1, !trans_b, alpha));
    inputs.push_back(weights);
    if (has_c) {
      XRUN_ASSIGN_OR_RETURN(const ValueId bias, Bias(importer, node, beta, columns));
      if (bias != kNone) inputs.push_back(bias);
      add_after = bias == kNone;
    }
  } else {
    XRUN_ASSIGN_OR_RETURN(ValueId b, importer.Input(node, 1));
    if (trans_b) {
      XRUN_ASSIGN_OR_RETURN(b, EmitTransposed(importer, node, b, "transB"));
    }
    inputs.push_back(b);
    scale_after = alpha != 1.0F;
  }
  if (!scale_after && !add_after) return importer.EmitFinal(node, op, attrs, std::move(inputs));

  XRUN_ASSIGN_OR_RETURN(ValueId value,
                        importer.Emit(node, importer.Helper(node, "product"), op, attrs, std::move(inputs)));
  if (scale_after) {
    const auto names = add_after ? importer.Helper(node, "alpha") : importer.Final(node);
    XRUN_ASSIGN_OR_RETURN(value, EmitScaled(importer, node, names, value, alpha));
    if (!add_after) {
      importer.Define(node, 0, value);
      return {};
    }
  }
  XRUN_ASSIGN_OR_RETURN(ValueId c, importer.Input(node, 2));
  if (beta != 1.0F) {
    XRUN_ASSIGN_OR_RETURN(c, EmitScaled(importer, node, importer.Helper(node, "beta"), c, beta));
  }
  return importer.EmitFinal(node, Op::kAdd, NoAttrs{}, {value, c});
}

Status LowerMatMul(Importer& importer, const NodeView& node) {
  const Symbol& right = importer.InputSymbol(node, 1);
  const bool weights = right.constant && right.constant->shape.size() == 2 && !importer.InputSymbol(node, 0).constant;
  XRUN_ASSIGN_OR_RETURN(const ValueId a, importer.Input(node, 0));
  if (weights) {
    XRUN_ASSIGN_OR_RETURN(const ValueId b, Weights(importer, node, 1, /*transpose=*/true, 1.0F));
    return importer.EmitFinal(node, Op::kFullyConnected, NoAttrs{}, {a, b});
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId b, importer.Input(node, 1));
  return importer.EmitFinal(node, Op::kMatMul, MatMulAttrs{}, {a, b});
}

}  // namespace xrun::compiler
