#ifndef XRUN_TESTS_UNIT_ONNX_BUILDER_H_
#define XRUN_TESTS_UNIT_ONNX_BUILDER_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "compiler/import/import_onnx.h"

namespace xrun::test {

/// One node while it is written: attributes are appended in a chain.
class NodeBuilder {
 public:
  explicit NodeBuilder(onnx::NodeProto* node) : node_(node) {}

  NodeBuilder& Int(const std::string& name, int64_t value) {
    Add(name, onnx::AttributeProto::INT)->set_i(value);
    return *this;
  }
  NodeBuilder& Float(const std::string& name, float value) {
    Add(name, onnx::AttributeProto::FLOAT)->set_f(value);
    return *this;
  }
  NodeBuilder& String(const std::string& name, const std::string& value) {
    Add(name, onnx::AttributeProto::STRING)->set_s(value);
    return *this;
  }
  NodeBuilder& Ints(const std::string& name, const std::vector<int64_t>& values) {
    auto* attribute = Add(name, onnx::AttributeProto::INTS);
    for (int64_t value : values) attribute->add_ints(value);
    return *this;
  }
  NodeBuilder& Floats(const std::string& name, const std::vector<float>& values) {
    auto* attribute = Add(name, onnx::AttributeProto::FLOATS);
    for (float value : values) attribute->add_floats(value);
    return *this;
  }
  NodeBuilder& Tensor(const std::string& name, const onnx::TensorProto& tensor) {
    *Add(name, onnx::AttributeProto::TENSOR)->mutable_t() = tensor;
    return *this;
  }
  NodeBuilder& Graph(const std::string& name) {
    Add(name, onnx::AttributeProto::GRAPH)->mutable_g()->set_name("body");
    return *this;
  }
  NodeBuilder& Named(const std::string& name) {
    node_->set_name(name);
    return *this;
  }
  NodeBuilder& Domain(const std::string& domain) {
    node_->set_domain(domain);
    return *this;
  }
  onnx::NodeProto& proto() { return *node_; }

 private:
  onnx::AttributeProto* Add(const std::string& name, onnx::AttributeProto::AttributeType type) {
    auto* attribute = node_->add_attribute();
    attribute->set_name(name);
    attribute->set_type(type);
    return attribute;
  }

  onnx::NodeProto* node_;
};

/// A dimension of an input: a number, or a symbol.
using Dim = std::variant<int64_t, std::string>;

inline onnx::TensorProto FloatTensor(const std::string& name, const std::vector<int64_t>& dims,
                                     const std::vector<float>& values) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (int64_t dim : dims) tensor.add_dims(dim);
  for (float value : values) tensor.add_float_data(value);
  return tensor;
}

inline onnx::TensorProto IntTensor(const std::string& name, const std::vector<int64_t>& dims,
                                   const std::vector<int64_t>& values, int type = onnx::TensorProto::INT64) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (int64_t dim : dims) tensor.add_dims(dim);
  for (int64_t value : values) {
    if (type == onnx::TensorProto::INT64) {
      tensor.add_int64_data(value);
    } else {
      tensor.add_int32_data(static_cast<int32_t>(value));
    }
  }
  return tensor;
}

/// Deterministic values in [-1, 1): the same on every machine.
inline std::vector<float> Noise(int64_t count, uint32_t seed = 1) {
  std::vector<float> values;
  uint32_t state = seed * 2654435761U + 12345U;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    values.push_back(static_cast<float>(state >> 8) / static_cast<float>(1U << 23) - 1.0F);
  }
  return values;
}

/// Writes an ONNX model piece by piece.
class OnnxBuilder {
 public:
  explicit OnnxBuilder(int64_t opset = 13, int64_t ir_version = 8) {
    model.set_ir_version(ir_version);
    auto* import = model.add_opset_import();
    import->set_domain("");
    import->set_version(opset);
    graph().set_name("test");
  }

  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  OnnxBuilder& Input(const std::string& name, const std::vector<Dim>& dims, int type = onnx::TensorProto::FLOAT) {
    Describe(graph().add_input(), name, dims, type);
    return *this;
  }
  OnnxBuilder& Output(const std::string& name, int type = onnx::TensorProto::FLOAT) {
    auto* info = graph().add_output();
    info->set_name(name);
    info->mutable_type()->mutable_tensor_type()->set_elem_type(type);
    return *this;
  }
  OnnxBuilder& Init(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
    *graph().add_initializer() = FloatTensor(name, dims, values);
    return *this;
  }
  /// An initializer of noise.
  OnnxBuilder& InitNoise(const std::string& name, const std::vector<int64_t>& dims, uint32_t seed = 7) {
    int64_t count = 1;
    for (int64_t dim : dims) count *= dim;
    return Init(name, dims, Noise(count, seed));
  }
  OnnxBuilder& InitInts(const std::string& name, const std::vector<int64_t>& dims, const std::vector<int64_t>& values,
                        int type = onnx::TensorProto::INT64) {
    *graph().add_initializer() = IntTensor(name, dims, values, type);
    return *this;
  }
  /// The node's name is its operator and first output: "Conv:y".
  NodeBuilder Node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs) {
    auto* node = graph().add_node();
    node->set_op_type(op);
    node->set_name(op + ":" + (outputs.empty() ? "" : outputs[0]));
    for (const auto& input : inputs) node->add_input(input);
    for (const auto& output : outputs) node->add_output(output);
    return NodeBuilder(node);
  }

  std::vector<uint8_t> Bytes() const {
    std::string text;
    model.SerializeToString(&text);
    return {text.begin(), text.end()};
  }
  void Save(const std::filesystem::path& file) const {
    std::ofstream stream(file, std::ios::binary);
    model.SerializeToOstream(&stream);
  }
  Result<compiler::Graph> Import(const compiler::ImportOptions& options = {}) const {
    const std::vector<uint8_t> bytes = Bytes();
    return compiler::ImportOnnx(bytes, "test.onnx", options);
  }

  onnx::ModelProto model;

 private:
  static void Describe(onnx::ValueInfoProto* info, const std::string& name, const std::vector<Dim>& dims, int type) {
    info->set_name(name);
    auto* tensor = info->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    auto* shape = tensor->mutable_shape();
    for (const Dim& dim : dims) {
      if (const auto* value = std::get_if<int64_t>(&dim)) {
        shape->add_dim()->set_dim_value(*value);
      } else {
        shape->add_dim()->set_dim_param(std::get<std::string>(dim));
      }
    }
  }
};

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_ONNX_BUILDER_H_
