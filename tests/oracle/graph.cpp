#include "graph.h"

#include <cstring>
#include <fstream>
#include <iterator>

namespace xrun::oracle {
namespace {

using Tensor = onnx::TensorProto;

std::string ExternalBytes(const Tensor& tensor, const std::string& folder) {
  std::map<std::string, std::string> entries;
  for (const auto& entry : tensor.external_data()) entries[entry.key()] = entry.value();
  if (folder.empty()) throw Error("", "tensor '" + tensor.name() + "' has external data");
  std::ifstream file(folder + "/" + entries["location"], std::ios::binary);
  if (!file)
    throw Error("",
                "tensor '" + tensor.name() + "': external data file '" + entries["location"] + "' cannot be opened");
  if (!entries["offset"].empty()) file.seekg(std::stoll(entries["offset"]));
  if (entries["length"].empty()) return {std::istreambuf_iterator<char>(file), {}};
  std::string bytes(std::stoull(entries["length"]), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file) throw Error("", "tensor '" + tensor.name() + "': external data is too short");
  return bytes;
}

/// Little-endian raw data as numbers of type T (the hosts this runs on are little-endian).
template <typename T, typename Out>
std::vector<Out> FromRaw(const Tensor& tensor, const std::string& bytes, int64_t count) {
  if (bytes.size() != count * sizeof(T))
    throw Error("", "tensor '" + tensor.name() + "': the data does not fill its shape");
  std::vector<T> raw(count);
  std::memcpy(raw.data(), bytes.data(), bytes.size());
  return {raw.begin(), raw.end()};
}

template <typename T, typename Out, typename Field>
std::vector<Out> Data(const Tensor& tensor, const std::string& bytes, const Field& field, int64_t count) {
  if (!bytes.empty() || field.empty()) return FromRaw<T, Out>(tensor, bytes, count);
  if (field.size() != count) throw Error("", "tensor '" + tensor.name() + "': the data does not fill its shape");
  return {field.begin(), field.end()};
}

Value MakeConstant(Value value) {
  value.constant = true;
  return value;
}

Shape PortShape(const onnx::ValueInfoProto& info) {
  Shape shape;
  for (const auto& dimension : info.type().tensor_type().shape().dim())
    shape.push_back(dimension.has_dim_value() ? dimension.dim_value() : -1);
  return shape;
}

Value ConstantNode(const onnx::NodeProto& node, const std::string& folder) {
  const auto& a = node.attribute().empty() ? onnx::AttributeProto::default_instance() : node.attribute(0);
  if (a.name() == "value") return ReadTensor(a.t(), folder);
  Float floats;
  Codes integers;
  integers.onnx_type = Tensor::INT64;
  if (a.name() == "value_float") {
    floats.data = {a.f()};
    return MakeConstant({floats});
  }
  if (a.name() == "value_floats") {
    floats.data = {a.floats().begin(), a.floats().end()};
    floats.shape = {a.floats_size()};
    return MakeConstant({floats});
  }
  if (a.name() == "value_int") {
    integers.data = {a.i()};
    return MakeConstant({integers});
  }
  if (a.name() == "value_ints") {
    integers.data = {a.ints().begin(), a.ints().end()};
    integers.shape = {a.ints_size()};
    return MakeConstant({integers});
  }
  throw Error(NodeName(node), "this form of Constant is not supported");
}

}  // namespace

Value ReadTensor(const Tensor& tensor, const std::string& folder) {
  Shape shape(tensor.dims().begin(), tensor.dims().end());
  for (int64_t extent : shape)
    if (extent < 0) throw Error("", "tensor '" + tensor.name() + "' has a negative extent");
  const int64_t count = Count(shape);
  const std::string bytes =
      tensor.data_location() == Tensor::EXTERNAL ? ExternalBytes(tensor, folder) : tensor.raw_data();
  if (tensor.data_type() == Tensor::FLOAT) {
    Float floats;
    floats.shape = shape;
    floats.data = Data<float, float>(tensor, bytes, tensor.float_data(), count);
    return MakeConstant({floats});
  }
  Codes codes;
  codes.shape = shape;
  codes.onnx_type = tensor.data_type();
  switch (tensor.data_type()) {
    case Tensor::INT8:
      codes.data = Data<int8_t, int64_t>(tensor, bytes, tensor.int32_data(), count);
      break;
    case Tensor::UINT8:
      codes.data = Data<uint8_t, int64_t>(tensor, bytes, tensor.int32_data(), count);
      break;
    case Tensor::INT32:
      codes.data = Data<int32_t, int64_t>(tensor, bytes, tensor.int32_data(), count);
      break;
    case Tensor::INT64:
      codes.data = Data<int64_t, int64_t>(tensor, bytes, tensor.int64_data(), count);
      break;
    default:
      throw Error("", "tensor '" + tensor.name() + "' has data type " + std::to_string(tensor.data_type()) +
                          "; float, int8, uint8, int32 and int64 are supported");
  }
  return MakeConstant({codes});
}

Graph::Graph(onnx::ModelProto model, const std::string& folder) : model_(std::move(model)) {
  for (const auto& import : model_.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx") opset_ = import.version();
  if (opset_ == 0) throw Error("", "the model imports no ONNX operator set");
  for (const auto& tensor : proto().initializer())
    constants_[tensor.name()] = std::make_shared<const Value>(ReadTensor(tensor, folder));
  for (const auto& info : proto().input()) {
    if (constants_.count(info.name()) != 0) continue;
    const int type = info.type().tensor_type().elem_type();
    if (type != Tensor::FLOAT && type != Tensor::INT8 && type != Tensor::UINT8)
      throw Error("", "input '" + info.name() + "' must be float, int8 or uint8");
    inputs_.push_back({info.name(), PortShape(info), type == Tensor::FLOAT});
  }
  for (const auto& node : proto().node()) {
    if (!node.domain().empty() && node.domain() != "ai.onnx")
      throw Error(NodeName(node), "operator " + node.domain() + "." + node.op_type() + " is not known to the oracle");
    if (node.op_type() == "Constant") {
      constants_[node.output(0)] = std::make_shared<const Value>(ConstantNode(node, folder));
      continue;
    }
    Values inputs;
    bool constant = node.input_size() > 0;
    for (const std::string& name : node.input()) {
      const auto it = constants_.find(name);
      if (it == constants_.end() && !name.empty()) constant = false;
      inputs.push_back(it == constants_.end() ? nullptr : it->second);
    }
    if (!constant) continue;
    const Values outputs = Evaluate(Op(node, opset_, inputs));
    for (size_t i = 0; i < outputs.size() && static_cast<int>(i) < node.output_size(); ++i)
      constants_[node.output(static_cast<int>(i))] = std::make_shared<const Value>(MakeConstant(*outputs[i]));
  }
}

}  // namespace xrun::oracle
