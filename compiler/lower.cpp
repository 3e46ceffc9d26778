#include "compiler/lower.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/lower_layer.h"

namespace xrun::compiler {
namespace {

/// Order of execution: all overlay nodes that can run, then all CPU nodes that can, and so on.
struct StepNodes {
  bool overlay = false;
  std::vector<NodeId> nodes;
};

std::vector<StepNodes> OrderSteps(const Graph& graph) {
  std::vector<bool> available(graph.values.size(), false);
  for (ValueId id : graph.inputs) available[static_cast<size_t>(id)] = true;
  std::vector<bool> done(graph.nodes.size(), false);
  const auto ready = [&](const Node& node) {
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id == kNone || graph.at(id).is_constant() || available[static_cast<size_t>(id)];
    });
  };
  const auto finish = [&](size_t i) {
    done[i] = true;
    for (ValueId id : graph.nodes[i].outputs) available[static_cast<size_t>(id)] = true;
  };

  std::vector<StepNodes> steps;
  size_t left = graph.nodes.size();
  for (bool overlay = true; left != 0; overlay = !overlay) {
    StepNodes step{overlay, {}};
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      if (done[i] || !ready(node)) continue;
      const bool border = IsBorderNode(graph, node);
      if (!border && IsOverlayNode(graph, node) != overlay) continue;
      finish(i);
      --left;
      if (!border) step.nodes.push_back(static_cast<NodeId>(i));
    }
    if (!step.nodes.empty()) steps.push_back(std::move(step));
  }
  return steps;
}

/// Builds one partition from its nodes.
class PartitionBuilder {
 public:
  PartitionBuilder(const Graph& graph, const HardwareConfig& config, const LowerOptions& options)
      : graph_(graph), config_(config), options_(options) {}

  Result<Partition> Build(const std::vector<NodeId>& nodes) {
    inside_.insert(nodes.begin(), nodes.end());
    for (NodeId id : nodes) {
      if (Status s = AddNode(id); !s.ok()) {
        const Node& node = graph_.nodes[static_cast<size_t>(id)];
        return std::move(s).failure().In("node '" + node.name + "' (" + std::string(Name(node.op)) + ")");
      }
    }
    XRUN_RETURN_IF_ERROR(BindOutputs(nodes));
    BindInputs();
    if (partition_.inputs.size() > kMaxInputs || partition_.outputs.size() > kMaxOutputs) {
      return Failure{"an overlay partition has " + std::to_string(partition_.inputs.size()) + " inputs and " +
                         std::to_string(partition_.outputs.size()) + " outputs; limits are " +
                         std::to_string(kMaxInputs) + " and " + std::to_string(kMaxOutputs),
                     "place one of its nodes on the CPU with --target cpu:NODE"};
    }
    return std::move(partition_);
  }

 private:
  Status AddNode(NodeId id) {
    const Node& node = graph_.nodes[static_cast<size_t>(id)];
    if (node.op == Op::kReshape) {
      XRUN_ASSIGN_OR_RETURN(const int32_t root, TensorOf(node.inputs[0], false));
      tensor_of_[node.outputs[0]] = root;
      return {};
    }
    LayerOperands operands;
    XRUN_ASSIGN_OR_RETURN(operands.input, TensorOf(node.inputs[0], node.op != Op::kFullyConnected));
    if (IsBinary(node.op)) {
      XRUN_ASSIGN_OR_RETURN(operands.input_b, TensorOf(node.inputs[1], true));
    }
    if (options_.fuse && TryFuseTable(node, id)) return {};
    if (options_.fuse && node.op == Op::kAdd) {
      XRUN_ASSIGN_OR_RETURN(const bool fused, TryFuseResidual(node, id, operands));
      if (fused) return {};
    }
    XRUN_ASSIGN_OR_RETURN(operands.output, NewTensor(node.outputs[0]));
    XRUN_ASSIGN_OR_RETURN(Layer layer, LowerNode(graph_, node, partition_.tensors, operands, config_));
    layer.nodes = {id};
    layer.name = node.name;
    producer_[operands.output] = static_cast<int32_t>(partition_.layers.size());
    partition_.layers.push_back(std::move(layer));
    return {};
  }

  /// The tensor that holds a value. With `exact`, its C × H × W must be those of the value's own shape: a reshaped view
  /// is good enough for a FullyConnected only.
  Result<int32_t> TensorOf(ValueId id, bool exact) {
    const Value& value = graph_.at(id);
    auto it = tensor_of_.find(id);
    if (it == tensor_of_.end()) {
      XRUN_ASSIGN_OR_RETURN(const int32_t index, NewTensor(id));
      if (value.is_constant()) {
        partition_.tensors[static_cast<size_t>(index)].base = kBaseWeights;
        partition_.tensors[static_cast<size_t>(index)].constant = value.data<int8_t>();
      } else {
        partition_.inputs.push_back({id, index});
      }
      return index;
    }
    if (exact) {
      const OverlayTensor& t = partition_.tensors[static_cast<size_t>(it->second)];
      XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(value));
      if (dims != std::array<uint32_t, 3>{t.channels, t.height, t.width}) {
        return Failure{"input '" + value.name + "' is a reshaped view that the overlay's layout does not absorb",
                       "place the node on the CPU with --target cpu:" + value.name};
      }
    }
    return it->second;
  }

  Result<int32_t> NewTensor(ValueId id) {
    const Value& value = graph_.at(id);
    XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(value));
    OverlayTensor t;
    t.name = value.name;
    t.value = id;
    t.channels = dims[0];
    t.height = dims[1];
    t.width = dims[2];
    t.groups = (dims[0] + config_.channels - 1) / config_.channels;
    t.scale = value.quant->scale[0];
    t.zero_point = value.quant->zero_point[0];
    const auto index = static_cast<int32_t>(partition_.tensors.size());
    partition_.tensors.push_back(std::move(t));
    tensor_of_[id] = index;
    return index;
  }

  /// The layer that makes `id`, if `node` is its only reader and it can therefore take the node into its output stage.
  Layer* FusableProducer(ValueId id) {
    if (graph_.IsOutput(id) || graph_.Consumers(id).size() != 1) return nullptr;
    const auto tensor = tensor_of_.find(id);
    if (tensor == tensor_of_.end()) return nullptr;
    const auto layer = producer_.find(tensor->second);
    if (layer == producer_.end()) return nullptr;
    if (partition_.tensors[static_cast<size_t>(tensor->second)].value != id) return nullptr;
    return &partition_.layers[static_cast<size_t>(layer->second)];
  }

  bool TryFuseTable(const Node& node, NodeId id) {
    if (node.op != Op::kUnary) return false;
    Layer* layer = FusableProducer(node.inputs[0]);
    if (layer == nullptr || layer->out.table || layer->out.residual) return false;
    layer->out.table = NodeTable(graph_, node);
    Absorb(*layer, id, node);
    return true;
  }

  /// Add of a convolution's only-used result: into the output stage of whichever operand's convolution comes last.
  Result<bool> TryFuseResidual(const Node& node, NodeId id, const LayerOperands& operands) {
    const OverlayTensor& a = partition_.tensors[static_cast<size_t>(operands.input)];
    const OverlayTensor& b = partition_.tensors[static_cast<size_t>(operands.input_b)];
    if (operands.input == operands.input_b || a.channels != b.channels || a.height != b.height || a.width != b.width) {
      return false;
    }
    int best = -1;
    int32_t best_layer = -1;
    for (int side = 0; side < 2; ++side) {
      const int32_t other = side == 0 ? operands.input_b : operands.input;
      const Layer* layer = FusableProducer(node.inputs[static_cast<size_t>(side)]);
      if (layer == nullptr || layer->kind != LayerKind::kConv || layer->out.residual) continue;
      if (partition_.tensors[static_cast<size_t>(other)].constant != nullptr) continue;
      const auto index = static_cast<int32_t>(layer - partition_.layers.data());
      const auto made = producer_.find(other);
      if (made != producer_.end() && made->second >= index) continue;  // not there yet when the convolution runs
      if (index > best_layer) {
        best = side;
        best_layer = index;
      }
    }
    if (best < 0) return false;
    const int32_t main = best == 0 ? operands.input : operands.input_b;
    const int32_t other = best == 0 ? operands.input_b : operands.input;
    XRUN_ASSIGN_OR_RETURN(const OutputStage::Residual residual,
                          LowerResidual(graph_, node, partition_.tensors, main, other));
    Layer& layer = partition_.layers[static_cast<size_t>(best_layer)];
    layer.out.residual = residual;
    Absorb(layer, id, node);
    return true;
  }

  /// `layer` now computes `node` too and writes its result.
  void Absorb(Layer& layer, NodeId id, const Node& node) {
    layer.nodes.push_back(id);
    OverlayTensor& t = partition_.tensors[static_cast<size_t>(layer.output)];
    const Value& value = graph_.at(node.outputs[0]);
    tensor_of_.erase(t.value);
    t.name = value.name;
    t.value = node.outputs[0];
    t.scale = value.quant->scale[0];
    t.zero_point = value.quant->zero_point[0];
    tensor_of_[node.outputs[0]] = layer.output;
  }

  Status BindOutputs(const std::vector<NodeId>& nodes) {
    std::set<int32_t> bound;
    for (NodeId id : nodes) {
      for (ValueId value : graph_.nodes[static_cast<size_t>(id)].outputs) {
        if (!LeavesPartition(value) || !tensor_of_.contains(value)) continue;
        int32_t tensor = tensor_of_[value];
        if (!producer_.contains(tensor) || bound.contains(tensor)) {
          // A view of an input, or of a tensor that is bound already: a register needs a copy of its own.
          tensor = AddCopy(tensor, value);
        }
        bound.insert(tensor);
        OverlayTensor& t = partition_.tensors[static_cast<size_t>(tensor)];
        t.base = static_cast<uint8_t>(kBaseOutput0 + partition_.outputs.size());
        partition_.outputs.push_back({value, tensor});
      }
    }
    return {};
  }

  bool LeavesPartition(ValueId value) const {
    if (graph_.IsOutput(value)) return true;
    const auto consumers = graph_.Consumers(value);
    return std::any_of(consumers.begin(), consumers.end(), [&](NodeId n) { return !inside_.contains(n); });
  }

  int32_t AddCopy(int32_t from, ValueId value) {
    OverlayTensor t = partition_.tensors[static_cast<size_t>(from)];
    t.name = graph_.at(value).name;
    t.value = value;
    t.base = kBaseWorkspace;
    const auto index = static_cast<int32_t>(partition_.tensors.size());
    partition_.tensors.push_back(std::move(t));
    Layer layer;
    layer.kind = LayerKind::kElementwise;
    layer.elementwise = kElementwiseCopy;
    layer.name = graph_.at(value).name;
    layer.nodes = {graph_.Producer(value)};
    layer.input = from;
    layer.output = index;
    producer_[index] = static_cast<int32_t>(partition_.layers.size());
    partition_.layers.push_back(std::move(layer));
    return index;
  }

  void BindInputs() {
    for (size_t i = 0; i < partition_.inputs.size(); ++i) {
      partition_.tensors[static_cast<size_t>(partition_.inputs[i].tensor)].base = static_cast<uint8_t>(kBaseInput0 + i);
    }
  }

  static bool IsBinary(Op op) { return op == Op::kAdd || op == Op::kSub || op == Op::kMul; }

  const Graph& graph_;
  const HardwareConfig& config_;
  const LowerOptions& options_;
  Partition partition_;
  std::set<NodeId> inside_;
  std::map<ValueId, int32_t> tensor_of_;
  std::map<int32_t, int32_t> producer_;  ///< tensor → layer
};

}  // namespace

bool IsOverlayNode(const Graph& graph, const Node& node) {
  const Value& out = graph.at(node.outputs[0]);
  const Value& in = graph.at(node.inputs[0]);
  if (out.dtype != DType::kInt8 || in.dtype != DType::kInt8) return false;
  switch (node.op) {
    case Op::kConv:
    case Op::kFullyConnected:
    case Op::kMaxPool:
    case Op::kAveragePool:
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kUnary:
    case Op::kReshape:
      return true;
    default:
      return false;
  }
}

bool IsBorderNode(const Graph& graph, const Node& node) {
  if (node.op == Op::kQuantize) {
    const ValueId in = node.inputs[0];
    if (std::find(graph.inputs.begin(), graph.inputs.end(), in) == graph.inputs.end()) return false;
    // Other float readers, or another quantization, need the float input itself.
    return graph.Consumers(in).size() == 1 && !graph.IsOutput(in);
  }
  if (node.op == Op::kDequantize) {
    const ValueId in = node.inputs[0], out = node.outputs[0];
    if (!graph.IsOutput(out) || !graph.Consumers(out).empty() || graph.IsOutput(in)) return false;
    // The value must come from the overlay, and only one model output can stand for it.
    const NodeId producer = graph.Producer(in);
    if (producer == kNone || !IsOverlayNode(graph, graph.nodes[static_cast<size_t>(producer)])) return false;
    for (const NodeId reader : graph.Consumers(in)) {
      const Node& other = graph.nodes[static_cast<size_t>(reader)];
      if (other.op == Op::kDequantize) return other.outputs[0] == out;
    }
    return false;
  }
  return false;
}

Result<LoweredModel> Lower(const Graph& graph, const HardwareConfig& config, const LowerOptions& options) {
  LoweredModel model;
  for (const StepNodes& step : OrderSteps(graph)) {
    if (step.overlay) {
      XRUN_ASSIGN_OR_RETURN(Partition partition, PartitionBuilder(graph, config, options).Build(step.nodes));
      if (partition.layers.empty()) continue;
      model.steps.push_back({static_cast<uint32_t>(model.partitions.size()), kNone});
      model.partitions.push_back(std::move(partition));
    } else {
      for (NodeId id : step.nodes) {
        const Node& node = graph.nodes[static_cast<size_t>(id)];
        if (graph.at(node.outputs[0]).dtype == DType::kInt8 && node.op != Op::kQuantize) {
          return Failure{"node '" + node.name + "' (" + std::string(Name(node.op)) +
                             "): this quantized operator is not supported on the overlay yet",
                         "leave it in float: remove the QuantizeLinear after it"};
        }
        model.steps.push_back({std::nullopt, id});
      }
    }
  }
  return model;
}

}  // namespace xrun::compiler
