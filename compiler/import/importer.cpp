#include "compiler/import/importer.h"

#include <utility>

#include "compiler/import/operators.h"
#include "compiler/import/order_nodes.h"

namespace xrun::compiler {

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

Result<Graph> Importer::Run(onnx::ModelProto& model) {
  XRUN_RETURN_IF_ERROR(CheckModel(model));
  onnx::GraphProto& graph = *model.mutable_graph();
  graph_.name = graph.name();
  XRUN_ASSIGN_OR_RETURN(NodeOrder order, OrderNodes(graph));
  needed_ = std::move(order.names);
  XRUN_RETURN_IF_ERROR(ReadInitializers(graph));
  XRUN_RETURN_IF_ERROR(DeclareInputs(graph));
  for (const auto& node : graph.node()) {
    for (const std::string& name : node.output()) {
      if (name.empty()) continue;
      value_names_.insert(name);
      if (symbols_.count(name) != 0) {
        return Failure{
            "tensor '" + name + "' is both an input or initializer and the output of node '" + NodeName(node) + "'",
            ""};
      }
    }
  }
  for (int n : order.nodes) XRUN_RETURN_IF_ERROR(ImportNode(graph.node(n)));
  const std::unordered_set<int> needed(order.nodes.begin(), order.nodes.end());
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
