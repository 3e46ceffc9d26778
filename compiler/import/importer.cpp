#include "compiler/import/importer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <utility>

#include "compiler/constant_ops.h"
#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"
#include "compiler/infer_types.h"

namespace xrun::compiler {

namespace {

using onnx::TensorProto;

/// Rank limit of the kernels (runtime/cpu/kernels.h); no exporter goes beyond.
constexpr size_t kMaxTensorRank = 8;

bool IsFloatType(int32_t type) {
  return type == TensorProto::FLOAT || type == TensorProto::FLOAT16 || type == TensorProto::DOUBLE ||
         type == TensorProto::BFLOAT16;
}

/// Operators that move int8 values without computing with them.
bool MovesData(Op op) {
  switch (op) {
    case Op::kReshape:
    case Op::kTranspose:
    case Op::kSlice:
    case Op::kConcat:
    case Op::kMaxPool:
    case Op::kResize:  // nearest; others are refused by their kernels
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
    case Op::kGather:
      return true;
    default:
      return false;
  }
}

Status CheckWeights(const std::string& name, const HostTensor& tensor) {
  if (!tensor.is_float()) return {};
  const float* values = tensor.data<float>();
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    if (!std::isfinite(values[i])) {
      return Failure{"tensor '" + name + "' holds " + (std::isnan(values[i]) ? "NaN" : "an infinity") + " (element " +
                         std::to_string(i) + ")",
                     "weights must be finite"};
    }
  }
  return {};
}

/// A graph constant seen as a HostTensor: the result of a node that Emit evaluated.
HostTensor HostView(const Value& value) {
  HostTensor tensor;
  switch (value.dtype) {
    case DType::kFloat32:
      tensor.type = TensorProto::FLOAT;
      break;
    case DType::kInt8:
      tensor.type = TensorProto::INT8;
      break;
    case DType::kInt32:
      tensor.type = TensorProto::INT32;
      break;
    case DType::kInt64:
      tensor.type = TensorProto::INT64;
      break;
    case DType::kBool:
      tensor.type = TensorProto::BOOL;
      break;
  }
  tensor.declared_type = tensor.type;
  tensor.shape = value.shape;
  tensor.bytes = value.constant;
  return tensor;
}

}  // namespace

std::string NodeName(const onnx::NodeProto& node) {
  if (!node.name().empty()) return node.name();
  for (const std::string& output : node.output()) {
    if (!output.empty()) return output;
  }
  return node.op_type();
}

Result<Shape> Importer::InputShape(const NodeView& node, int i) const {
  const Symbol& symbol = symbols_.at(node.input(i));
  return symbol.value != kNone ? graph_.at(symbol.value).shape : symbol.constant->shape;
}

const HostTensor* Importer::Constant(const NodeView& node, int i) const {
  const auto found = symbols_.find(node.input(i));
  if (found == symbols_.end() || !found->second.constant || found->second.quant) return nullptr;
  return &*found->second.constant;
}

Result<ValueId> Importer::Input(const NodeView& node, int i) {
  Symbol& symbol = symbols_.at(node.input(i));
  if (symbol.value != kNone) return symbol.value;
  if (symbol.quant) {
    XRUN_ASSIGN_OR_RETURN(symbol.value, AddDequantized(node, node.input(i), *symbol.constant, *symbol.quant, symbol));
  } else {
    XRUN_ASSIGN_OR_RETURN(symbol.value, AddConstant(node, node.input(i), *symbol.constant));
  }
  return symbol.value;
}

Result<std::vector<int64_t>> Importer::IntegerInput(const NodeView& node, int i, const std::string& what) const {
  const HostTensor* tensor = Constant(node, i);
  if (tensor == nullptr) {
    return node.Fail(what + " '" + node.input(i) + "' is computed from the model's inputs, not constant",
                     "export with fixed shapes, or simplify the model (onnxsim)");
  }
  if (!tensor->is_integer() || tensor->shape.size() > 1) return node.Fail(what + " must be a list of integers");
  return tensor->Integers();
}

Result<float> Importer::ScalarInput(const NodeView& node, int i, const std::string& what) const {
  const HostTensor* tensor = Constant(node, i);
  if (tensor == nullptr) return node.Fail(what + " '" + node.input(i) + "' is not constant");
  if (tensor->elements() != 1) return node.Fail(what + " must be one number");
  return tensor->is_float() ? *tensor->data<float>() : static_cast<float>(tensor->Integers()[0]);
}

std::string Importer::UniqueValueName(const std::string& base) {
  std::string name = base;
  for (int n = 1; !value_names_.insert(name).second; ++n) name = base + "." + std::to_string(n);
  return name;
}

std::string Importer::UniqueNodeName(const std::string& base) {
  std::string name = base;
  for (int n = 1; !node_names_.insert(name).second; ++n) name = base + "." + std::to_string(n);
  return name;
}

Importer::Names Importer::Helper(const NodeView& node, const std::string& suffix) {
  const std::string output = node.has_output(0) ? node.output(0) : node.name();
  return {UniqueNodeName(node.name() + "." + suffix), UniqueValueName(output + "." + suffix)};
}

Result<ValueId> Importer::AddConstant(const NodeView& node, const std::string& name, const HostTensor& tensor,
                                      std::optional<QuantParams> quant) {
  if (tensor.elements() == 0) return node.Fail("input '" + name + "' has no elements");
  if (tensor.shape.size() > kMaxTensorRank) return node.Fail("input '" + name + "' has more than 8 dimensions");
  if (Status finite = CheckWeights(name, tensor); !finite.ok()) return node.Fail(finite.failure());
  Value value;
  switch (tensor.type) {
    case TensorProto::FLOAT:
      value.dtype = DType::kFloat32;
      break;
    case TensorProto::INT8:
      value.dtype = DType::kInt8;
      break;
    case TensorProto::INT32:
      value.dtype = DType::kInt32;
      break;
    case TensorProto::INT64:
      value.dtype = DType::kInt64;
      break;
    case TensorProto::BOOL:
      value.dtype = DType::kBool;
      break;
    default:
      return node.Fail("input '" + name + "' is a constant of type " + OnnxTypeName(tensor.declared_type) +
                           " that no DequantizeLinear reads",
                       "cast it to float32 in the model");
  }
  if (value.dtype == DType::kInt8 && !quant) {
    return node.Fail("input '" + name + "' is a constant of type " + OnnxTypeName(tensor.declared_type) +
                         " that no DequantizeLinear reads",
                     "cast it to float32 in the model");
  }
  // A constant that became an ONNX name's own value keeps that name; a reshaped or shared copy gets a suffix.
  const auto own = symbols_.find(name);
  const bool first = own != symbols_.end() && graph_names_.insert(name).second;
  value.name = first ? name : UniqueValueName(name);
  value.shape = tensor.shape;
  value.constant = tensor.bytes;
  value.quant = std::move(quant);
  return graph_.AddValue(std::move(value));
}

Result<ValueId> Importer::AddDequantized(const NodeView& node, const std::string& name, const HostTensor& tensor,
                                         const QuantParams& quant, const Symbol& symbol) {
  XRUN_ASSIGN_OR_RETURN(const ValueId constant, AddConstant(node, symbol.source, tensor, quant));
  Value value;
  value.name = symbols_.count(name) != 0 && graph_names_.insert(name).second ? name : UniqueValueName(name);
  value.shape = tensor.shape;
  const ValueId out = graph_.AddValue(std::move(value));
  Node dequantize;
  // The DequantizeLinear node itself took its name when it was defined; only a second copy needs another.
  dequantize.name = emitted_origins_.insert(symbol.origin).second ? symbol.origin : UniqueNodeName(symbol.origin);
  dequantize.op = Op::kDequantize;
  dequantize.inputs = {constant};
  dequantize.outputs = {out};
  dequantize.origin = {symbol.origin};
  graph_.nodes.push_back(std::move(dequantize));
  return out;
}

/// The operators between QuantizeLinear and DequantizeLinear may only move data that has one scale.
Status Importer::CheckQuantized(const NodeView& node, Op op, const std::vector<ValueId>& inputs) const {
  if (op == Op::kQuantize || op == Op::kDequantize) return {};
  const Value& first = graph_.at(inputs[0]);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == kNone || (op == Op::kGather && i == 1)) continue;
    const Value& value = graph_.at(inputs[i]);
    if (value.dtype != DType::kInt8 && first.dtype != DType::kInt8) continue;
    if (value.dtype != DType::kInt8 || first.dtype != DType::kInt8 || !MovesData(op)) {
      const Value& integers = value.dtype == DType::kInt8 ? value : first;
      return node.Fail("input '" + integers.name + "' is int8 without DequantizeLinear",
                       "the operators between QuantizeLinear and DequantizeLinear may only move data");
    }
    if (!value.quant || value.quant != first.quant || IsUint8(inputs[i]) != IsUint8(inputs[0])) {
      return node.Fail("input '" + value.name + "' is quantized, but with no or another scale and zero point");
    }
  }
  return {};
}

Result<ValueId> Importer::Emit(const NodeView& node, const Names& names, Op op, Attributes attrs,
                               std::vector<ValueId> inputs, const Shape& target, std::optional<QuantParams> quant) {
  XRUN_RETURN_IF_ERROR(CheckQuantized(node, op, inputs));
  Node emitted;
  emitted.name = names.node;
  emitted.op = op;
  emitted.attrs = std::move(attrs);
  emitted.inputs = std::move(inputs);
  emitted.origin = {node.name()};
  auto type = InferType(graph_, emitted);
  if (!type.ok()) return node.Fail(std::move(type).failure());
  const ValueId first = emitted.inputs[0];
  Value out;
  out.name = names.output;
  out.shape = target;
  out.dtype = *type;
  if (out.dtype == DType::kInt8) out.quant = op == Op::kQuantize ? std::move(quant) : graph_.at(first).quant;
  const bool uint8 = out.dtype == DType::kInt8 && op != Op::kQuantize && IsUint8(first);

  const ValueId id = graph_.AddValue(std::move(out));
  emitted.outputs = {id};
  if (uint8) MarkUint8(id);
  auto shapes = InferShapes(graph_, emitted);
  if (!shapes.ok()) return std::move(shapes).failure();
  if (shapes->front().size() > kMaxTensorRank) return node.Fail("the result has more than 8 dimensions");
  Value& result = graph_.at(id);
  result.shape = shapes->front();
  graph_names_.insert(result.name);
  if (!CanEvaluate(graph_, emitted)) {
    graph_.nodes.push_back(std::move(emitted));
    return id;
  }
  const int64_t bytes = Elements(result.shape) * static_cast<int64_t>(SizeOf(result.dtype));
  if (Status room = budget_.Take(bytes); !room.ok()) return node.Fail(room.failure());
  XRUN_ASSIGN_OR_RETURN(std::vector<uint8_t> data, EvaluateNode(graph_, emitted));
  result.constant = std::make_shared<const std::vector<uint8_t>>(std::move(data));
  if (Status finite = CheckWeights(result.name, HostView(result)); !finite.ok()) return node.Fail(finite.failure());
  return id;
}

Status Importer::EmitFinal(const NodeView& node, Op op, Attributes attrs, std::vector<ValueId> inputs,
                           const Shape& target) {
  XRUN_ASSIGN_OR_RETURN(const ValueId id, Emit(node, Final(node), op, std::move(attrs), std::move(inputs), target));
  Define(node, 0, id);
  return {};
}

void Importer::Define(const NodeView& node, int output, ValueId value) {
  Symbol symbol;
  symbol.value = value;
  if (graph_.at(value).is_constant()) {
    symbol.constant = HostView(graph_.at(value));
  }
  symbols_[node.output(output)] = std::move(symbol);
}

void Importer::Define(const NodeView& node, int output, HostTensor constant) {
  Symbol symbol;
  symbol.constant = std::move(constant);
  symbols_[node.output(output)] = std::move(symbol);
}

void Importer::DefineDequantized(const NodeView& node, HostTensor constant, QuantParams quant,
                                 const std::string& origin, const std::string& source) {
  Symbol symbol;
  symbol.constant = std::move(constant);
  symbol.quant = std::move(quant);
  symbol.origin = origin;
  symbol.source = source;
  symbols_[node.output(0)] = std::move(symbol);
}

Status Importer::CheckModel(const onnx::ModelProto& model) {
  if (!model.has_graph() || model.graph().node_size() == 0) {
    return Failure{"is not an ONNX model: it has no nodes", "is the file complete, and an ONNX model?"};
  }
  if (model.ir_version() < 3 || model.ir_version() > 10) {
    return Failure{"IR version " + std::to_string(model.ir_version()) + " is not supported, 3 to 10 are",
                   "save it again with an older or newer onnx package"};
  }
  int64_t opset = 0;
  for (const auto& import : model.opset_import()) {
    if (!import.domain().empty() && import.domain() != "ai.onnx") continue;
    if (opset != 0 && opset != import.version()) return Failure{"imports the ONNX operator set twice", ""};
    opset = import.version();
  }
  if (opset == 0) {
    // Models of other domains only: name the first operator, that is what cannot be imported.
    return RefuseOperator(model.graph().node(0), NodeName(model.graph().node(0)));
  }
  if (opset < kMinOpset || opset > kMaxOpset) {
    const auto& node = model.graph().node(0);
    return Failure{"opset " + std::to_string(opset) + " is not supported, " + std::to_string(kMinOpset) + " to " +
                       std::to_string(kMaxOpset) + " are: operator " + node.op_type() + " of node '" + NodeName(node) +
                       "' may mean something else there",
                   "export again with opset_version=" + std::to_string(kMaxOpset) + " or older"};
  }
  opset_ = static_cast<int>(opset);
  graph_.metadata["opset"] = std::to_string(opset_);
  graph_.metadata["ir_version"] = std::to_string(model.ir_version());
  if (!model.producer_name().empty()) {
    graph_.metadata["producer"] =
        model.producer_name() + (model.producer_version().empty() ? "" : " ") + model.producer_version();
  }
  return {};
}

Status Importer::ReadInitializers(onnx::GraphProto& graph) {
  if (graph.sparse_initializer_size() > 0) {
    return Failure{"sparse initializer '" + graph.sparse_initializer(0).values().name() + "' is not supported",
                   "store the weights densely"};
  }
  for (auto& proto : *graph.mutable_initializer()) {
    if (proto.name().empty()) return Failure{"an initializer has no name", ""};
    value_names_.insert(proto.name());
    if (symbols_.count(proto.name()) != 0) return Failure{"initializer '" + proto.name() + "' is defined twice", ""};
    Symbol symbol;
    if (needed_.count(proto.name()) != 0) {
      XRUN_ASSIGN_OR_RETURN(symbol.constant, LoadTensor(proto, folder_, budget_));
      proto.clear_raw_data();
      proto.clear_float_data();
    }
    symbols_.emplace(proto.name(), std::move(symbol));
  }
  return {};
}

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
    if (value.shape.size() > kMaxTensorRank)
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

/// Indices of the nodes that the outputs depend on, sorted so that producers come first; nodes that are in order
/// already keep it. Also fills needed_.
Result<std::vector<int>> Importer::Order(const onnx::GraphProto& graph) {
  const int count = graph.node_size();
  std::unordered_map<std::string, int> producer;
  for (int n = 0; n < count; ++n) {
    for (const std::string& name : graph.node(n).output()) {
      if (name.empty()) continue;
      value_names_.insert(name);
      if (!producer.emplace(name, n).second) {
        return Failure{"tensor '" + name + "' is produced twice, by node '" + NodeName(graph.node(producer[name])) +
                           "' and node '" + NodeName(graph.node(n)) + "'",
                       ""};
      }
    }
  }
  std::vector<char> needed(static_cast<size_t>(count), 0);
  std::vector<std::string> pending;
  for (const auto& info : graph.output()) pending.push_back(info.name());
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    if (!needed_.insert(name).second) continue;
    const auto found = producer.find(name);
    if (found == producer.end() || needed[static_cast<size_t>(found->second)] != 0) continue;
    needed[static_cast<size_t>(found->second)] = 1;
    for (const std::string& input : graph.node(found->second).input()) {
      if (!input.empty()) pending.push_back(input);
    }
  }

  std::vector<int> waiting(static_cast<size_t>(count), 0);
  std::vector<std::vector<int>> readers(static_cast<size_t>(count));
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  size_t wanted = 0;
  for (int n = 0; n < count; ++n) {
    if (needed[static_cast<size_t>(n)] == 0) continue;
    ++wanted;
    for (const std::string& input : graph.node(n).input()) {
      const auto found = producer.find(input);
      if (input.empty() || found == producer.end()) continue;
      readers[static_cast<size_t>(found->second)].push_back(n);
      ++waiting[static_cast<size_t>(n)];
    }
    if (waiting[static_cast<size_t>(n)] == 0) ready.push(n);
  }
  std::vector<int> order;
  while (!ready.empty()) {
    const int n = ready.top();
    ready.pop();
    order.push_back(n);
    for (int reader : readers[static_cast<size_t>(n)]) {
      if (--waiting[static_cast<size_t>(reader)] == 0) ready.push(reader);
    }
  }
  if (order.size() != wanted) {
    for (int n = 0; n < count; ++n) {
      if (needed[static_cast<size_t>(n)] != 0 && waiting[static_cast<size_t>(n)] > 0) {
        return Failure{"the nodes form a cycle: node '" + NodeName(graph.node(n)) + "' (" + graph.node(n).op_type() +
                           ") depends on its own output",
                       ""};
      }
    }
  }
  return order;
}

Status Importer::ImportNode(const onnx::NodeProto& proto) {
  const std::string name = UniqueNodeName(NodeName(proto));
  const OperatorRule* rule =
      proto.domain().empty() || proto.domain() == "ai.onnx" ? FindOperator(proto.op_type()) : nullptr;
  if (rule == nullptr) return RefuseOperator(proto, name);
  int since = 0;
  for (int version : rule->versions) {
    if (version <= opset_) since = version;
  }
  const NodeView node(proto, name, since);
  if (since == 0) {
    return node.Fail("the operator exists from opset " + std::to_string(rule->versions.front()) +
                     " on, the model imports opset " + std::to_string(opset_));
  }
  if (node.input_count() > rule->max_inputs || node.input_count() < rule->min_inputs) {
    return node.Fail("has " + std::to_string(node.input_count()) + " inputs");
  }
  bool all_constant = true;
  for (int i = 0; i < node.input_count(); ++i) {
    if (!node.has_input(i)) {
      if (i < rule->min_inputs) return node.Fail("input " + std::to_string(i) + " is missing");
      continue;
    }
    const auto found = symbols_.find(node.input(i));
    if (found == symbols_.end()) {
      return node.Fail("reads '" + node.input(i) + "', which no node, initializer or input defines");
    }
    if (!found->second.constant) all_constant = false;
  }
  bool done = false;
  // Shape and Size know their answer without knowing the data.
  if (rule->fold != nullptr && (all_constant || node.op() == "Shape" || node.op() == "Size")) {
    FoldResult folded = rule->fold(*this, node);
    XRUN_RETURN_IF_ERROR(node.CheckTypes());
    if (!folded.ok()) return std::move(folded).failure();
    if (folded->has_value()) {
      Folded& result = **folded;
      if (result.quant) {
        const Symbol& from = InputSymbol(node, 0);
        DefineDequantized(node, std::move(result.tensor), std::move(*result.quant), from.origin, from.source);
      } else {
        Define(node, 0, std::move(result.tensor));
      }
      done = true;
    }
  }
  if (!done) {
    if (rule->lower == nullptr) {
      return node.Fail("is supported on constants only, its input depends on the model's input",
                       "compute it in the application, or export without this step");
    }
    Status lowered = rule->lower(*this, node);
    // A wrong type made the lowering see a default: it is the reason for whatever came after.
    XRUN_RETURN_IF_ERROR(node.CheckTypes());
    XRUN_RETURN_IF_ERROR(lowered);
  }
  XRUN_RETURN_IF_ERROR(node.CheckAllRead());
  for (int i = 0; i < node.output_count(); ++i) {
    if (node.has_output(i) && needed_.count(node.output(i)) != 0 && symbols_.count(node.output(i)) == 0) {
      return node.Fail("output " + std::to_string(i) + " ('" + node.output(i) + "') is used, which is not supported");
    }
  }
  RecordSource(proto, name, true);
  return {};
}

void Importer::RecordSource(const onnx::NodeProto& proto, const std::string& name, bool needed) {
  SourceNode source;
  source.name = name;
  source.op = proto.op_type();
  source.inputs.assign(proto.input().begin(), proto.input().end());
  source.outputs.assign(proto.output().begin(), proto.output().end());
  source.needed = needed;
  for (const std::string& output : source.outputs) {
    const auto found = symbols_.find(output);
    if (!needed || found == symbols_.end()) continue;
    const Symbol& symbol = found->second;
    source.constant = symbol.constant.has_value();
    source.shape = symbol.value != kNone ? graph_.at(symbol.value).shape : symbol.constant->shape;
    break;
  }
  graph_.source.push_back(std::move(source));
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

Result<Graph> Importer::Run(onnx::ModelProto& model) {
  XRUN_RETURN_IF_ERROR(CheckModel(model));
  onnx::GraphProto& graph = *model.mutable_graph();
  graph_.name = graph.name();
  XRUN_ASSIGN_OR_RETURN(const std::vector<int> order, Order(graph));
  XRUN_RETURN_IF_ERROR(ReadInitializers(graph));
  XRUN_RETURN_IF_ERROR(DeclareInputs(graph));
  for (const auto& node : graph.node()) {
    for (const std::string& name : node.output()) {
      if (!name.empty() && symbols_.count(name) != 0) {
        return Failure{
            "tensor '" + name + "' is both an input or initializer and the output of node '" + NodeName(node) + "'",
            ""};
      }
    }
  }
  for (int n : order) XRUN_RETURN_IF_ERROR(ImportNode(graph.node(n)));
  const std::unordered_set<int> needed(order.begin(), order.end());
  for (int n = 0; n < graph.node_size(); ++n) {
    if (needed.count(n) != 0) continue;
    RecordSource(graph.node(n), UniqueNodeName(NodeName(graph.node(n))), false);
  }
  XRUN_RETURN_IF_ERROR(DeclareOutputs(graph));
  for (ValueId id : graph_.inputs) {
    const Value& input = graph_.at(id);
    if (input.dtype == DType::kInt8 && !input.quant) {
      return Failure{"input '" + input.name + "' is an integer and no DequantizeLinear gives its scale", ""};
    }
  }
  graph_.RemoveDead();
  XRUN_RETURN_IF_ERROR(Verify(graph_));
  return std::move(graph_);
}

}  // namespace xrun::compiler
