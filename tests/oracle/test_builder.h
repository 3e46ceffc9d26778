#ifndef XRUN_TESTS_ORACLE_TEST_BUILDER_H_
#define XRUN_TESTS_ORACLE_TEST_BUILDER_H_

#include <onnx/onnx_pb.h>

#include <concepts>
#include <map>
#include <string>
#include <vector>

#include "oracle.h"

namespace xrun::oracle {

/// Writes small QDQ models for the tests: int8 graph inputs, dequantized; one output "y", quantized.
class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 13) {
    model_.set_ir_version(7);
    model_.add_opset_import()->set_version(opset);
  }

  onnx::GraphProto& graph() { return *model_.mutable_graph(); }
  std::string Bytes() const { return model_.SerializeAsString(); }

  std::string Floats(const std::string& name, const Shape& shape, const std::vector<float>& data) {
    auto* tensor = Tensor(name, shape, onnx::TensorProto::FLOAT);
    for (float x : data) tensor->add_float_data(x);
    return name;
  }
  std::string Integers(const std::string& name, const Shape& shape, const std::vector<int64_t>& data,
                       int type = onnx::TensorProto::INT64) {
    auto* tensor = Tensor(name, shape, type);
    for (int64_t x : data) {
      if (type == onnx::TensorProto::INT64) {
        tensor->add_int64_data(x);
      } else {
        tensor->add_int32_data(static_cast<int32_t>(x));
      }
    }
    return name;
  }

  onnx::NodeProto& Node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output) {
    auto* node = graph().add_node();
    node->set_op_type(op);
    node->set_name("n_" + output);
    for (const std::string& input : inputs) node->add_input(input);
    node->add_output(output);
    return *node;
  }
  static void Set(onnx::NodeProto& node, const std::string& name, std::integral auto value) {
    Attribute(node, name, onnx::AttributeProto::INT)->set_i(value);
  }
  static void Set(onnx::NodeProto& node, const std::string& name, std::floating_point auto value) {
    Attribute(node, name, onnx::AttributeProto::FLOAT)->set_f(value);
  }
  static void SetString(onnx::NodeProto& node, const std::string& name, const std::string& value) {
    Attribute(node, name, onnx::AttributeProto::STRING)->set_s(value);
  }
  static void Set(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
    auto* attribute = Attribute(node, name, onnx::AttributeProto::INTS);
    for (int64_t value : values) attribute->add_ints(value);
  }

  /// A graph input of codes and its DequantizeLinear; returns the float tensor's name.
  std::string Activation(const std::string& name, const Shape& shape, float scale, int64_t zero_point,
                         const std::vector<int8_t>& data, int type = onnx::TensorProto::INT8) {
    Port(graph().add_input(), name, shape, type);
    inputs_[name] = InputTensor{shape, data};
    return Dequantize(name, {scale}, {zero_point}, type);
  }
  /// A constant and its DequantizeLinear (per axis when there are several scales).
  std::string Constant(const std::string& name, const Shape& shape, const std::vector<int64_t>& data,
                       const std::vector<float>& scale, std::vector<int64_t> zero_point = {},
                       int type = onnx::TensorProto::INT8, int64_t axis = 0) {
    Integers(name, shape, data, type);
    if (zero_point.empty()) zero_point.assign(scale.size(), 0);
    return Dequantize(name, scale, zero_point, type, axis);
  }
  std::string Dequantize(const std::string& name, const std::vector<float>& scale,
                         const std::vector<int64_t>& zero_point, int type, int64_t axis = 0) {
    auto& node = Node("DequantizeLinear", Params(name, scale, zero_point, type), name + "_f");
    if (scale.size() > 1) Set(node, "axis", axis);
    return name + "_f";
  }
  std::string Quantize(const std::string& in, const std::string& out, float scale, int64_t zero_point,
                       int type = onnx::TensorProto::INT8) {
    std::vector<std::string> inputs = Params(out, {scale}, {zero_point}, type);
    inputs[0] = in;
    Node("QuantizeLinear", inputs, out);
    return out;
  }

  /// Quantizes `in` to the graph output "y" and runs the model.
  QuantizedTensor Run(const std::string& in, float scale, int64_t zero_point, int type = onnx::TensorProto::INT8) {
    Quantize(in, "y", scale, zero_point, type);
    graph().add_output()->set_name("y");
    return oracle::Run(LoadBytes(Bytes()), inputs_).tensors.at("y");
  }
  /// The codes of Run().
  std::vector<int> Codes(const std::string& in, float scale, int64_t zero_point, int type = onnx::TensorProto::INT8) {
    const QuantizedTensor y = Run(in, scale, zero_point, type);
    return {y.data.begin(), y.data.end()};
  }
  std::map<std::string, InputTensor>& inputs() { return inputs_; }

  static void Port(onnx::ValueInfoProto* port, const std::string& name, const Shape& shape, int type) {
    port->set_name(name);
    auto* tensor = port->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    for (int64_t extent : shape) tensor->mutable_shape()->add_dim()->set_dim_value(extent);
  }

 private:
  std::vector<std::string> Params(const std::string& name, const std::vector<float>& scale,
                                  const std::vector<int64_t>& zero_point, int type) {
    const auto count = static_cast<int64_t>(scale.size());
    const Shape shape = count == 1 ? Shape{} : Shape{count};
    const std::string suffix = std::to_string(graph().initializer_size());
    const std::string s = Floats(name + "_s" + suffix, shape, scale);
    return {name, s, Integers(name + "_z" + suffix, shape, zero_point, type)};
  }
  onnx::TensorProto* Tensor(const std::string& name, const Shape& shape, int type) {
    auto* tensor = graph().add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    for (int64_t extent : shape) tensor->add_dims(extent);
    return tensor;
  }
  static onnx::AttributeProto* Attribute(onnx::NodeProto& node, const std::string& name,
                                         onnx::AttributeProto::AttributeType type) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(type);
    return attribute;
  }

  onnx::ModelProto model_;
  std::map<std::string, InputTensor> inputs_;
};

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_TEST_BUILDER_H_
