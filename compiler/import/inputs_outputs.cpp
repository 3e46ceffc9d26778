// The model's border: types and shapes of its inputs and outputs, and --input-shape.
#include <algorithm>
#include <utility>

#include "compiler/import/importer.h"
#include "compiler/infer_shapes.h"
#include "runtime/cpu/kernels.h"

namespace xrun::compiler {

namespace {

using onnx::TensorProto;

bool IsFloatType(int32_t type) {
  return type == TensorProto::FLOAT || type == TensorProto::FLOAT16 || type == TensorProto::DOUBLE ||
         type == TensorProto::BFLOAT16;
}

/// One model input as the file declares it.
struct DeclaredInput {
  std::string name;
  bool has_shape = false;
  std::vector<int64_t> dims;         ///< -1 where symbolic or unknown
  std::vector<std::string> symbols;  ///< "" where fixed or unnamed
};

/// The flag to paste: known dimensions filled in, batch as 1, the others by their symbol or as "?".
std::string FilledInFlag(const DeclaredInput& input) {
  std::string shape;
  for (size_t d = 0; d < input.dims.size(); ++d) {
    std::string dim = input.dims[d] > 0 ? std::to_string(input.dims[d]) : d == 0 ? "1" : "?";
    if (dim == "?" && !input.symbols[d].empty()) dim = "<" + input.symbols[d] + ">";
    shape += (d == 0 ? "" : "x") + dim;
  }
  return "--input-shape " + input.name + ":" + (input.has_shape ? shape : "1x3x...");
}

/// The shape to compile an input for: the declared one with --input-shape and batch 1 filled in. `batch_set` is set
/// when a symbolic leading dimension became 1.
Result<Shape> ResolveInputShape(const DeclaredInput& input, const ImportOptions& options, bool only_input,
                                bool* batch_set) {
  *batch_set = false;
  auto given = options.input_shapes.find(input.name);
  if (given == options.input_shapes.end() && only_input) given = options.input_shapes.find("");
  if (given != options.input_shapes.end()) {
    const Shape& shape = given->second;
    bool fits = !input.has_shape || shape.size() == input.dims.size();
    for (size_t d = 0; fits && d < input.dims.size(); ++d) fits = input.dims[d] < 0 || input.dims[d] == shape[d];
    if (!fits) {
      return Failure{"input '" + input.name + "' cannot have shape " + ShapeText(shape),
                     "the model fixes some dimensions: " + FilledInFlag(input)};
    }
    return shape;
  }
  if (!input.has_shape) {
    return Failure{"input '" + input.name + "' has no shape in the model", "give it: " + FilledInFlag(input)};
  }
  Shape shape = input.dims;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] > 0) continue;
    if (d != 0) {
      const std::string symbol = input.symbols[d].empty() ? "" : " '" + input.symbols[d] + "'";
      return Failure{
          "input '" + input.name + "': dimension " + std::to_string(d) + symbol + " is not fixed in the model",
          "give the shape to compile for: " + FilledInFlag(input)};
    }
    shape[d] = 1;
    *batch_set = true;
  }
  return shape;
}

}  // namespace

Status Importer::DeclareInputs(const onnx::GraphProto& graph) {
  std::vector<const onnx::ValueInfoProto*> inputs;
  std::unordered_set<std::string> seen;
  for (const auto& info : graph.input()) {
    if (!seen.insert(info.name()).second) return Failure{"input '" + info.name() + "' is declared twice", ""};
    // Before IR 4 every initializer is listed as an input as well; later such an input is a default value.
    if (symbols_.count(info.name()) == 0) inputs.push_back(&info);
  }
  for (const auto& [name, shape] : options_.input_shapes) {
    const bool known = name.empty() ? inputs.size() == 1
                                    : std::any_of(inputs.begin(), inputs.end(),
                                                  [&n = name](const auto* info) { return info->name() == n; });
    if (known) continue;
    std::string names;
    for (const auto* info : inputs) names += (names.empty() ? "" : ", ") + info->name();
    return Failure{"--input-shape " + (name.empty() ? "" : name + ":") + ShapeText(shape) +
                       (name.empty() ? ": the model has several inputs" : ": the model has no such input"),
                   "its inputs are " + names};
  }
  for (const auto* info : inputs) {
    if (info->name().empty()) return Failure{"an input has no name", ""};
    if (!info->type().has_tensor_type()) return Failure{"input '" + info->name() + "' is not a tensor", ""};
    const auto& type = info->type().tensor_type();
    DeclaredInput declared{info->name(), type.has_shape(), {}, {}};
    for (const auto& dim : type.shape().dim()) {
      declared.dims.push_back(dim.has_dim_value() && dim.dim_value() > 0 ? dim.dim_value() : -1);
      declared.symbols.push_back(dim.dim_param());
    }
    bool batch_set = false;
    Value value;
    value.name = info->name();
    XRUN_ASSIGN_OR_RETURN(value.shape, ResolveInputShape(declared, options_, inputs.size() == 1, &batch_set));
    if (auto count = CheckedElements(value.shape); !count.ok()) {
      return Failure(count.failure()).In("input '" + info->name() + "'");
    }
    if (value.shape.size() > cpu::kMaxRank)
      return Failure{"input '" + info->name() + "' has more than 8 dimensions", ""};
    if (batch_set) {
      std::string& batch = graph_.metadata["batch"];
      batch += (batch.empty() ? "" : ", ") + info->name() + ": symbolic batch compiled as 1";
    }
    const int32_t element = type.elem_type();
    const bool is_int8 = element == TensorProto::INT8 || element == TensorProto::UINT8;
    if (!IsFloatType(element) && !is_int8) {
      return Failure{"input '" + info->name() + "' has type " + OnnxTypeName(element) +
                         "; float32, float16, double, int8 and uint8 are supported",
                     ""};
    }
    if (element != TensorProto::FLOAT) graph_.metadata["type:" + info->name()] = OnnxTypeName(element);
    value.dtype = is_int8 ? DType::kInt8 : DType::kFloat32;
    Symbol symbol;
    symbol.value = graph_.AddValue(std::move(value));
    if (element == TensorProto::UINT8) MarkUint8(symbol.value);
    graph_.inputs.push_back(symbol.value);
    value_names_.insert(info->name());
    graph_names_.insert(info->name());
    symbols_.emplace(info->name(), std::move(symbol));
  }
  if (graph_.inputs.empty()) return Failure{"has no inputs that are not initializers", ""};
  return {};
}

Status Importer::DeclareOutputs(const onnx::GraphProto& graph) {
  for (const auto& info : graph.output()) {
    const auto found = symbols_.find(info.name());
    if (found == symbols_.end()) return Failure{"output '" + info.name() + "' is produced by no node", ""};
    const ValueId id = found->second.value;
    if (found->second.constant || id == kNone) {
      return Failure{"output '" + info.name() + "' does not depend on any input", "remove it from the model's outputs"};
    }
    if (graph_.IsOutput(id)) return Failure{"output '" + info.name() + "' is declared twice", ""};
    if (graph_.at(id).dtype == DType::kInt8) {
      graph_.metadata["type:" + info.name()] = IsUint8(id) ? "uint8" : "int8";
    } else if (info.type().has_tensor_type() && info.type().tensor_type().elem_type() != TensorProto::FLOAT &&
               IsFloatType(info.type().tensor_type().elem_type())) {
      graph_.metadata["type:" + info.name()] = OnnxTypeName(info.type().tensor_type().elem_type());
    }
    graph_.outputs.push_back(id);
  }
  if (graph_.outputs.empty()) return Failure{"the model has no outputs", ""};
  return {};
}

Result<std::pair<std::string, Shape>> ParseInputShape(const std::string& text) {
  const size_t colon = text.rfind(':');
  const std::string name = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string dims = colon == std::string::npos ? text : text.substr(colon + 1);
  const Failure bad{"--input-shape " + text + " is not NAME:1x3x224x224", ""};
  Shape shape;
  int64_t value = -1;
  for (size_t i = 0; i <= dims.size(); ++i) {
    if (i < dims.size() && dims[i] >= '0' && dims[i] <= '9') {
      value = (value < 0 ? 0 : value) * 10 + (dims[i] - '0');
      if (value > kMaxElements) return bad;
    } else if (i == dims.size() || dims[i] == 'x') {
      if (value <= 0) return bad;
      shape.push_back(value);
      value = -1;
    } else {
      return bad;
    }
  }
  if (auto count = CheckedElements(shape); !count.ok()) return Failure(count.failure()).In("--input-shape " + text);
  return std::pair{name, shape};
}

}  // namespace xrun::compiler
