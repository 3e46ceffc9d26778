#include "compiler/quantize/qdq_nodes.h"

#include <cmath>
#include <numbers>

#include "compiler/import/tensor.h"

namespace xrun::compiler {

namespace {

std::string MakeUnique(std::unordered_set<std::string>& names, const std::string& base) {
  std::string name = base;
  for (int i = 1; !names.insert(name).second; ++i) name = base + "_" + std::to_string(i);
  return name;
}

}  // namespace

std::string OnnxWriter::Unique(const std::string& base) { return MakeUnique(names_, base); }
std::string OnnxWriter::UniqueNode(const std::string& base) { return MakeUnique(node_names_, base); }

onnx::NodeProto* OnnxWriter::Node(const std::string& type, const std::string& name,
                                  const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto* node = graph_->add_node();
  node->set_op_type(type);
  node->set_name(UniqueNode(name));
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(output);
  return node;
}

void OnnxWriter::Attribute(onnx::NodeProto* node, const std::string& name, int64_t value) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

void OnnxWriter::Attribute(onnx::NodeProto* node, const std::string& name, float value) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_f(value);
}

void OnnxWriter::Attribute(onnx::NodeProto* node, const std::string& name, const std::vector<int64_t>& values) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute->add_ints(value);
}

void OnnxWriter::Attribute(onnx::NodeProto* node, const std::string& name, const std::string& text) {
  auto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(text);
}

std::string OnnxWriter::Initializer(const std::string& base, DType type, const Shape& shape, const void* data) {
  onnx::TensorProto* tensor = graph_->add_initializer();
  tensor->set_name(Unique(base));
  tensor->set_data_type(OnnxType(type));
  for (const int64_t d : shape) tensor->add_dims(d);
  tensor->set_raw_data(data, static_cast<size_t>(Elements(shape)) * SizeOf(type));
  return tensor->name();
}

std::string OnnxWriter::Scalar(const std::string& base, float value) {
  return Initializer(base, DType::kFloat32, {}, &value);
}

std::string OnnxWriter::Integers(const std::string& base, const std::vector<int64_t>& values) {
  return Initializer(base, DType::kInt64, {static_cast<int64_t>(values.size())}, values.data());
}

void OnnxWriter::Chain(const std::string& name, const std::vector<UnaryFunction>& chain, const std::string& input,
                       const std::string& output) {
  if (chain.empty()) Node("Identity", name, {input}, output);
  std::string from = input;
  for (size_t i = 0; i < chain.size(); ++i) {
    const bool last = i + 1 == chain.size();
    const std::string to = last ? output : Unique(output + "_" + std::to_string(i));
    Function(last ? name : name + "_" + std::to_string(i), chain[i], from, to);
    from = to;
  }
}

void OnnxWriter::Function(const std::string& name, const UnaryFunction& function, const std::string& x,
                          const std::string& y) {
  const auto a = static_cast<float>(function.a);
  const auto b = static_cast<float>(function.b);
  const auto between = [&](const char* what) { return Unique(y + "_" + what); };
  switch (function.kind) {
    case UnaryKind::kClip: {
      if (a == 0 && std::isinf(b)) {
        Node("Relu", name, {x}, y);
        return;
      }
      std::vector<std::string> inputs{x, std::isinf(a) ? "" : Scalar(y + "_min", a)};
      if (!std::isinf(b)) inputs.push_back(Scalar(y + "_max", b));
      if (inputs.size() == 2 && inputs[1].empty()) inputs.pop_back();
      Node("Clip", name, inputs, y);
      return;
    }
    case UnaryKind::kLeakyRelu:
      Attribute(Node("LeakyRelu", name, {x}, y), "alpha", a);
      return;
    case UnaryKind::kHardSigmoid: {
      onnx::NodeProto* node = Node("HardSigmoid", name, {x}, y);
      Attribute(node, "alpha", a);
      Attribute(node, "beta", b);
      return;
    }
    case UnaryKind::kHardSwish:
      NeedOpset(14);
      Node("HardSwish", name, {x}, y);
      return;
    case UnaryKind::kSilu: {
      const std::string gate = between("sigmoid");
      Node("Sigmoid", name + "_sigmoid", {x}, gate);
      Node("Mul", name, {x, gate}, y);
      return;
    }
    case UnaryKind::kElu:
      Attribute(Node("Elu", name, {x}, y), "alpha", a);
      return;
    case UnaryKind::kGelu: {
      // x · 0.5 · (1 + erf(x / √2)), as exporters write it: the operator itself came with opset 20.
      const std::string scaled = between("scaled"), erf = between("erf"), sum = between("sum"),
                        product = between("product");
      Node("Div", name + "_div", {x, Scalar(y + "_sqrt2", std::numbers::sqrt2_v<float>)}, scaled);
      Node("Erf", name + "_erf", {scaled}, erf);
      Node("Add", name + "_add", {erf, Scalar(y + "_one", 1.0F)}, sum);
      Node("Mul", name + "_mul", {x, sum}, product);
      Node("Mul", name, {product, Scalar(y + "_half", 0.5F)}, y);
      return;
    }
    case UnaryKind::kMish: {
      const std::string softplus = between("softplus"), tanh = between("tanh");
      Node("Softplus", name + "_softplus", {x}, softplus);
      Node("Tanh", name + "_tanh", {softplus}, tanh);
      Node("Mul", name, {x, tanh}, y);
      return;
    }
    case UnaryKind::kAffine: {
      // Whichever part does nothing is left out; x + 0 stays when both do nothing.
      const bool scales = a != 1.0F;
      const bool shifts = b != 0.0F || !scales;
      const std::string product = scales && shifts ? between("product") : y;
      if (scales) Node("Mul", shifts ? name + "_mul" : name, {x, Scalar(y + "_factor", a)}, product);
      if (shifts) Node("Add", name, {scales ? product : x, Scalar(y + "_offset", b)}, y);
      return;
    }
    case UnaryKind::kPowConst:
      Node("Pow", name, {x, Scalar(y + "_exponent", a)}, y);
      return;
    case UnaryKind::kCelu:
    case UnaryKind::kThresholdedRelu:
      Attribute(Node(std::string(Name(function.kind)), name, {x}, y), "alpha", a);
      return;
    case UnaryKind::kSelu: {
      onnx::NodeProto* node = Node("Selu", name, {x}, y);
      Attribute(node, "alpha", a);
      Attribute(node, "gamma", b);
      return;
    }
    case UnaryKind::kSigmoid:
    case UnaryKind::kTanh:
    case UnaryKind::kSoftplus:
    case UnaryKind::kExp:
    case UnaryKind::kLog:
    case UnaryKind::kSqrt:
    case UnaryKind::kNeg:
    case UnaryKind::kAbs:
    case UnaryKind::kReciprocal:
    case UnaryKind::kErf:
    case UnaryKind::kCeil:
    case UnaryKind::kFloor:
    case UnaryKind::kRound:
    case UnaryKind::kSign:
    case UnaryKind::kSin:
    case UnaryKind::kCos:
    case UnaryKind::kSoftsign:
      // These are called as in ONNX.
      Node(std::string(Name(function.kind)), name, {x}, y);
      return;
  }
}

}  // namespace xrun::compiler
