#include "oracle.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "graph.h"

namespace xrun::oracle {
namespace {

bool IsEightBit(int onnx_type) { return onnx_type == onnx::TensorProto::INT8 || onnx_type == onnx::TensorProto::UINT8; }

QuantizedTensor Report(const std::string& name, const std::string& float_name, const Shape& shape,
                       const std::vector<int64_t>& codes, const QuantParams& params) {
  QuantizedTensor tensor;
  tensor.name = name;
  tensor.float_name = float_name;
  tensor.shape = shape;
  tensor.stored_unsigned = params.lo == 0;
  const int64_t shift = params.lo + 128;
  for (int64_t code : codes) tensor.data.push_back(static_cast<int8_t>(code - shift));
  tensor.scale = params.scale;
  tensor.zero_point = static_cast<int>(params.zero_point - shift);
  return tensor;
}

/// The values of the tensors that are still needed.
class Execution {
 public:
  explicit Execution(const Graph& graph) : graph_(graph) {
    for (const auto& node : graph.proto().node())
      for (const std::string& input : node.input()) ++uses_[input];
    for (const auto& output : graph.proto().output()) ++uses_[output.name()];
  }

  Result Execute(const std::map<std::string, InputTensor>& inputs) {
    for (const Model::Port& port : graph_.inputs()) Bind(port, inputs);
    for (const auto& [name, input] : inputs)
      if (values_.count(name) == 0) throw Error("", "the model has no input '" + name + "'");
    for (const auto& node : graph_.proto().node()) Step(node);
    for (const auto& output : graph_.proto().output()) result_.outputs.push_back(Output(output.name()));
    return std::move(result_);
  }

 private:
  void Bind(const Model::Port& port, const std::map<std::string, InputTensor>& inputs) {
    const auto it = inputs.find(port.name);
    if (it == inputs.end()) throw Error("", "input '" + port.name + "' is missing");
    const InputTensor& given = it->second;
    bool fits = given.shape.size() == port.shape.size();
    for (size_t i = 0; fits && i < given.shape.size(); ++i) fits = port.shape[i] < 0 || port.shape[i] == given.shape[i];
    if (!fits)
      throw Error("", "input '" + port.name + "' has shape " + ToString(given.shape) + ", the model wants " +
                          ToString(port.shape));
    const size_t size = std::visit([](const auto& data) { return data.size(); }, given.data);
    if (static_cast<int64_t>(size) != Count(given.shape))
      throw Error("", "input '" + port.name + "': the data does not fill its shape");
    if (const auto* floats = std::get_if<std::vector<float>>(&given.data)) {
      if (!port.is_float) throw Error("", "input '" + port.name + "' is an integer tensor");
      values_[port.name] = MakeValue(Float{given.shape, *floats, "", ""});
      return;
    }
    const auto& codes = std::get<std::vector<int8_t>>(given.data);
    Codes value;
    value.shape = given.shape;
    value.data = {codes.begin(), codes.end()};
    value.raw_input = port.is_float;
    value.onnx_type = onnx::TensorProto::INT8;
    for (const auto& info : graph_.proto().input())
      if (info.name() == port.name && !port.is_float) value.onnx_type = info.type().tensor_type().elem_type();
    if (value.onnx_type == onnx::TensorProto::UINT8)
      for (int64_t& code : value.data) code += 128;
    values_[port.name] = MakeValue(std::move(value));
  }

  ValuePtr Lookup(const std::string& name) const {
    if (const auto it = values_.find(name); it != values_.end()) return it->second;
    if (const auto it = graph_.constants().find(name); it != graph_.constants().end()) return it->second;
    return nullptr;
  }

  void Step(const onnx::NodeProto& node) {
    if (node.output_size() > 0 && graph_.constants().count(node.output(0)) != 0) return;
    Values inputs;
    for (const std::string& name : node.input()) {
      inputs.push_back(name.empty() ? nullptr : Lookup(name));
      if (!name.empty() && inputs.back() == nullptr)
        throw Error(NodeName(node), "input '" + name + "' is not defined before this node");
    }
    const Op op(node, graph_.opset(), inputs);
    if (!inputs.empty() && inputs[0] != nullptr && node.op_type() != "QuantizeLinear" &&
        inputs[0]->As<Codes>() != nullptr && inputs[0]->As<Codes>()->raw_input)
      op.Fail("codes were given for float input '" + node.input(0) +
              "', which something other than QuantizeLinear reads");
    Values outputs;
    try {
      outputs = Evaluate(op);
    } catch (const Error& error) {
      if (!error.node().empty()) throw;
      op.Fail(error.reason());
    }
    for (int i = 0; i < node.output_size(); ++i) {
      if (node.output(i).empty()) continue;
      if (i >= static_cast<int>(outputs.size())) op.Fail("output " + std::to_string(i) + " is not supported");
      values_[node.output(i)] = outputs[i];
      Record(node, i, *outputs[i]);
    }
    for (const std::string& name : node.input())
      if (--uses_[name] == 0) values_.erase(name);
  }

  /// Keeps quantized activations for the caller.
  void Record(const onnx::NodeProto& node, int i, const Value& value) {
    const std::string& name = node.output(i);
    const Codes* codes = value.As<Codes>();
    if (codes != nullptr && codes->params && IsEightBit(codes->onnx_type)) {
      const std::string float_name = node.op_type() == "QuantizeLinear" ? node.input(0) : "";
      result_.tensors[name] = Report(name, float_name, codes->shape, codes->data, *codes->params);
    }
    // An integer graph input has no scale of its own: it takes the first DequantizeLinear's.
    if (node.op_type() != "DequantizeLinear" || result_.tensors.count(node.input(0)) != 0) return;
    const Scaled* scaled = value.Quantized();
    const ValuePtr source = Lookup(node.input(0));
    if (scaled == nullptr || !scaled->params || source == nullptr || source->constant) return;
    result_.tensors[node.input(0)] =
        Report(node.input(0), "", scaled->shape, source->As<Codes>()->data, *scaled->params);
  }

  OutputTensor Output(const std::string& name) const {
    const ValuePtr value = Lookup(name);
    if (value == nullptr) throw Error("", "output '" + name + "' is not defined");
    Float data = ToFloat(*value);
    OutputTensor output;
    output.name = name;
    output.shape = data.shape;
    output.values = std::move(data.data);
    output.is_float = true;
    const Codes* codes = value->As<Codes>();
    if (codes != nullptr && codes->params)
      output.quantized = Report(name, "", codes->shape, codes->data, *codes->params);
    const Scaled* scaled = value->Quantized();
    if (scaled != nullptr && scaled->params) {
      std::vector<int64_t> moved = scaled->v;
      for (int64_t& v : moved) v += scaled->params->zero_point;
      output.quantized = Report(name, name, scaled->shape, moved, *scaled->params);
    }
    output.is_float = !output.quantized.has_value();
    return output;
  }

  const Graph& graph_;
  std::map<std::string, ValuePtr> values_;
  std::map<std::string, int> uses_;
  Result result_;
};

Model Parse(std::string_view bytes, const std::string& folder) {
  onnx::ModelProto proto;
  if (bytes.empty() || !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !proto.has_graph())
    throw Error("", "not an ONNX model");
  return Model(std::make_shared<const Graph>(std::move(proto), folder));
}

}  // namespace

const QuantizedTensor* Result::Find(std::string_view name) const {
  if (const auto it = tensors.find(std::string(name)); it != tensors.end()) return &it->second;
  for (const auto& [key, tensor] : tensors)
    if (!name.empty() && tensor.float_name == name) return &tensor;
  return nullptr;
}

const std::vector<Model::Port>& Model::inputs() const { return graph_->inputs(); }

std::vector<std::string> Model::output_names() const {
  std::vector<std::string> names;
  for (const auto& output : graph_->proto().output()) names.push_back(output.name());
  return names;
}

Model Load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("", "'" + path + "' cannot be opened");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  try {
    std::string folder = std::filesystem::path(path).parent_path().string();
    return Parse(bytes, folder.empty() ? "." : folder);
  } catch (const Error& error) {
    throw Error(error.node(), error.reason() + " (in '" + path + "')");
  }
}

Model LoadBytes(std::string_view bytes) { return Parse(bytes, ""); }

Result Run(const Model& model, const std::map<std::string, InputTensor>& inputs) {
  return Execution(model.graph()).Execute(inputs);
}

}  // namespace xrun::oracle
