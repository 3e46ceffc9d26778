// Arithmetic with broadcasting, and functions of one tensor.

#include <cmath>
#include <limits>
#include <utility>

#include "compiler/import/operators.h"

namespace xrun::compiler {

namespace {

Op BinaryOp(const std::string& name) {
  if (name == "Add" || name == "Sum") return Op::kAdd;
  if (name == "Sub") return Op::kSub;
  if (name == "Mul") return Op::kMul;
  if (name == "Div") return Op::kDiv;
  if (name == "Min") return Op::kMin;
  if (name == "Max") return Op::kMax;
  assert(name == "PRelu");
  return Op::kPRelu;
}

Result<UnaryFunction> Function(const NodeView& node) {
  const std::string& op = node.op();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (op == "Relu") return UnaryFunction{UnaryKind::kClip, 0, kInfinity};
  if (op == "LeakyRelu") return UnaryFunction{UnaryKind::kLeakyRelu, node.Float("alpha", 0.01F), 0};
  if (op == "HardSigmoid") {
    return UnaryFunction{UnaryKind::kHardSigmoid, node.Float("alpha", 0.2F), node.Float("beta", 0.5F)};
  }
  if (op == "Elu") return UnaryFunction{UnaryKind::kElu, node.Float("alpha", 1.0F), 0};
  if (op == "Celu") {
    const float alpha = node.Float("alpha", 1.0F);
    if (alpha == 0) return node.Fail("alpha is 0, which divides by zero");
    return UnaryFunction{UnaryKind::kCelu, alpha, 0};
  }
  if (op == "Selu") {
    return UnaryFunction{UnaryKind::kSelu, node.Float("alpha", 1.67326319217681884765625F),
                         node.Float("gamma", 1.05070102214813232421875F)};
  }
  if (op == "ThresholdedRelu") return UnaryFunction{UnaryKind::kThresholdedRelu, node.Float("alpha", 1.0F), 0};
  if (op == "Gelu") {
    const std::string approximate = node.String("approximate", "none");
    if (approximate != "none") {
      return node.Fail("approximate='" + approximate + "' is not supported", "export with approximate='none'");
    }
    return UnaryFunction{UnaryKind::kGelu};
  }
  constexpr std::pair<const char*, UnaryKind> kPlain[] = {{"Sigmoid", UnaryKind::kSigmoid},
                                                          {"HardSwish", UnaryKind::kHardSwish},
                                                          {"Tanh", UnaryKind::kTanh},
                                                          {"Softplus", UnaryKind::kSoftplus},
                                                          {"Mish", UnaryKind::kMish},
                                                          {"Exp", UnaryKind::kExp},
                                                          {"Log", UnaryKind::kLog},
                                                          {"Sqrt", UnaryKind::kSqrt},
                                                          {"Neg", UnaryKind::kNeg},
                                                          {"Abs", UnaryKind::kAbs},
                                                          {"Reciprocal", UnaryKind::kReciprocal},
                                                          {"Erf", UnaryKind::kErf},
                                                          {"Ceil", UnaryKind::kCeil},
                                                          {"Floor", UnaryKind::kFloor},
                                                          {"Round", UnaryKind::kRound},
                                                          {"Sign", UnaryKind::kSign},
                                                          {"Sin", UnaryKind::kSin},
                                                          {"Cos", UnaryKind::kCos},
                                                          {"Softsign", UnaryKind::kSoftsign}};
  for (const auto& [name, kind] : kPlain) {
    if (op == name) return UnaryFunction{kind};
  }
  assert(false && "an operator in the table without its function");
  return node.Fail("is unknown");
}

Status EmitUnary(Importer& importer, const NodeView& node, const UnaryFunction& function) {
  if (std::isnan(function.a) || std::isnan(function.b)) return node.Fail("has a parameter that is not a number");
  XRUN_ASSIGN_OR_RETURN(const ValueId input, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kUnary, UnaryAttrs{{function}}, {input});
}

}  // namespace

Status LowerBinary(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const ValueId a, importer.Input(node, 0));
  XRUN_ASSIGN_OR_RETURN(const ValueId b, importer.Input(node, 1));
  return importer.EmitFinal(node, BinaryOp(node.op()), NoAttrs{}, {a, b});
}

/// Sum, Min and Max of any number of inputs: a chain of pairs, from the left.
Status LowerVariadic(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(ValueId value, importer.Input(node, 0));
  const int count = node.input_count();
  if (count == 1) {
    XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
    return importer.EmitFinal(node, Op::kReshape, NoAttrs{}, {value}, shape);
  }
  for (int i = 1; i < count; ++i) {
    if (!node.has_input(i)) return node.Fail("input " + std::to_string(i) + " is missing");
    XRUN_ASSIGN_OR_RETURN(const ValueId next, importer.Input(node, i));
    const auto names = i + 1 < count ? importer.Helper(node, "part") : importer.Final(node);
    XRUN_ASSIGN_OR_RETURN(value, importer.Emit(node, names, BinaryOp(node.op()), NoAttrs{}, {value, next}));
  }
  importer.Define(node, 0, value);
  return {};
}

Status LowerPow(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const ValueId base, importer.Input(node, 0));
  // Since version 12 the exponent may be of another type than the base.
  const HostTensor* exponent = importer.Constant(node, 1);
  ValueId power = kNone;
  if (exponent != nullptr && exponent->is_integer()) {
    std::vector<float> values;
    for (int64_t value : exponent->Integers()) values.push_back(static_cast<float>(value));
    XRUN_ASSIGN_OR_RETURN(power,
                          importer.AddConstant(node, node.input(1), HostTensor::FromFloats(exponent->shape, values)));
  } else {
    XRUN_ASSIGN_OR_RETURN(power, importer.Input(node, 1));
  }
  return importer.EmitFinal(node, Op::kPow, NoAttrs{}, {base, power});
}

Status LowerUnary(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const UnaryFunction function, Function(node));
  return EmitUnary(importer, node, function);
}

/// Bounds are attributes before opset 11 and optional inputs since; an absent one does not bound.
Status LowerClip(Importer& importer, const NodeView& node) {
  UnaryFunction clip{UnaryKind::kClip, -std::numeric_limits<double>::infinity(),
                     std::numeric_limits<double>::infinity()};
  if (node.since() < 11) {
    if (node.input_count() > 1) return node.Fail("has bounds as inputs, which came with opset 11");
    if (node.Has("min")) clip.a = node.Float("min", 0);
    if (node.Has("max")) clip.b = node.Float("max", 0);
  } else {
    if (node.has_input(1)) {
      XRUN_ASSIGN_OR_RETURN(clip.a, importer.ScalarInput(node, 1, "min"));
    }
    if (node.has_input(2)) {
      XRUN_ASSIGN_OR_RETURN(clip.b, importer.ScalarInput(node, 2, "max"));
    }
  }
  // With min above max every version gives max, as min(max(x, min), max) does.
  if (clip.a > clip.b) clip.a = clip.b;
  return EmitUnary(importer, node, clip);
}

}  // namespace xrun::compiler
