// What the lower_*.cpp files call: inputs of a node are read, nodes and constants of the graph are made, outputs
// defined.
#include <cmath>
#include <utility>

#include "compiler/constant_ops.h"
#include "compiler/import/importer.h"
#include "compiler/infer_shapes.h"
#include "compiler/infer_types.h"
#include "runtime/cpu/kernels.h"

namespace xrun::compiler {

namespace {

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
  tensor.type = OnnxType(value.dtype);
  tensor.declared_type = tensor.type;
  tensor.shape = value.shape;
  tensor.bytes = value.constant;
  return tensor;
}

}  // namespace

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
  if (tensor.shape.size() > cpu::kMaxRank) return node.Fail("input '" + name + "' has more than 8 dimensions");
  if (Status finite = CheckWeights(name, tensor); !finite.ok()) return node.Fail(finite.failure());
  const std::optional<DType> dtype = GraphType(tensor.type);
  if (!dtype || (*dtype == DType::kInt8 && !quant)) {
    return node.Fail("input '" + name + "' is a constant of type " + OnnxTypeName(tensor.declared_type) +
                         " that no DequantizeLinear reads",
                     "cast it to float32 in the model");
  }
  Value value;
  value.dtype = *dtype;
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
  if (shapes->front().size() > cpu::kMaxRank) return node.Fail("the result has more than 8 dimensions");
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

}  // namespace xrun::compiler
