#include "op.h"

#include <map>

namespace xrun::oracle {

std::string NodeName(const onnx::NodeProto& node) {
  if (!node.name().empty()) return node.name();
  return node.op_type() + (node.output_size() > 0 ? " -> " + node.output(0) : "");
}

const ValuePtr& Op::Shared(int i) const {
  if (!Has(i)) Fail("input " + std::to_string(i) + " is missing");
  return inputs_[i];
}

const Scaled& Op::Quantized(int i) const {
  const Value& value = Input(i);
  if (const Scaled* scaled = value.Quantized()) return *scaled;
  if (value.As<Codes>() != nullptr)
    Fail("input '" + InputName(i) + "' is an integer tensor, a DequantizeLinear is missing");
  Fail("input '" + InputName(i) +
       "' is not a dequantized tensor: QuantizeLinear and DequantizeLinear are missing before " + type());
}

const Codes& Op::Integers(int i) const {
  if (const Codes* codes = Input(i).As<Codes>()) return *codes;
  Fail("input '" + InputName(i) + "' must be an integer tensor");
}

float Op::ScalarFloat(int i) const {
  const Value& value = Input(i);
  const Float* data = value.As<Float>();
  if (!value.constant || data == nullptr || data->data.size() != 1)
    Fail("input '" + InputName(i) + "' must be a constant float scalar");
  return data->data[0];
}

const onnx::AttributeProto* Op::Find(const std::string& name) const {
  for (const auto& attribute : proto_.attribute())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

int64_t Op::Int(const std::string& name, int64_t otherwise) const {
  const auto* attribute = Find(name);
  return attribute != nullptr ? attribute->i() : otherwise;
}

float Op::FloatOr(const std::string& name, float otherwise) const {
  const auto* attribute = Find(name);
  return attribute != nullptr ? attribute->f() : otherwise;
}

std::string Op::String(const std::string& name, const std::string& otherwise) const {
  const auto* attribute = Find(name);
  return attribute != nullptr ? attribute->s() : otherwise;
}

std::vector<int64_t> Op::Ints(const std::string& name) const {
  const auto* attribute = Find(name);
  if (attribute == nullptr) return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<float> Op::Floats(const std::string& name) const {
  const auto* attribute = Find(name);
  if (attribute == nullptr) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

std::optional<std::vector<int64_t>> Op::IntsFrom(const std::string& attribute, int input) const {
  if (HasAttribute(attribute)) return Ints(attribute);
  if (Has(input)) return Integers(input).data;
  return std::nullopt;
}

int64_t Op::Axis(int64_t axis, size_t rank, bool inclusive) const {
  const auto extent = static_cast<int64_t>(rank);
  const int64_t result = axis < 0 ? axis + extent + (inclusive ? 1 : 0) : axis;
  if (result < 0 || result >= extent + (inclusive ? 1 : 0))
    Fail("axis " + std::to_string(axis) + " is outside rank " + std::to_string(rank));
  return result;
}

Values Evaluate(const Op& op) {
  using Evaluator = Values (*)(const Op&);
  static const auto* const evaluators = new std::map<std::string, Evaluator>{
      {"QuantizeLinear", QuantizeLinear},
      {"DequantizeLinear", DequantizeLinear},
      {"Conv", Conv},
      {"ConvTranspose", ConvTranspose},
      {"Gemm", Gemm},
      {"MatMul", MatMul},
      {"MaxPool", MaxPool},
      {"AveragePool", AveragePool},
      {"GlobalAveragePool", ReduceMean},
      {"ReduceMean", ReduceMean},
      {"Add", Binary},
      {"Sub", Binary},
      {"Mul", Binary},
      {"Div", Binary},
      {"Pow", Binary},
      {"Min", Binary},
      {"Max", Binary},
      {"Sum", Binary},
      {"PRelu", Binary},
      {"Relu", ClampLike},
      {"Clip", ClampLike},
      {"Concat", Concat},
      {"Resize", Resize},
      {"Upsample", Resize},
      {"Softmax", Softmax},
      {"LogSoftmax", Softmax},
      {"ArgMax", ArgMax},
      {"ArgMin", ArgMax},
      {"LRN", Lrn},
      {"LayerNormalization", LayerNormalization},
      {"Cast", Cast},
      {"Shape", ShapeOp},
  };
  if (IsMovement(op.type())) return Movement(op);
  if (IsUnary(op.type())) return Unary(op);
  const auto it = evaluators->find(op.type());
  if (it == evaluators->end()) op.Fail("operator " + op.type() + " is not known to the oracle");
  return it->second(op);
}

}  // namespace xrun::oracle
