#include "compiler/lower.h"

#include <string>
#include <utility>
#include <vector>

#include "compiler/bind_ports.h"
#include "compiler/lower_compute.h"
#include "compiler/lower_moves.h"
#include "compiler/move_to_cpu.h"
#include "compiler/partition_builder.h"
#include "compiler/placement.h"

namespace xrun::compiler {
namespace {

Status AddNode(PartitionBuilder& builder, NodeId id) {
  switch (builder.node(id).op) {
    case Op::kReshape:
      return LowerReshape(builder, id);
    case Op::kConcat:
      return LowerConcat(builder, id);
    case Op::kSlice:
      return LowerSlice(builder, id);
    case Op::kPad:
      return LowerPad(builder, id);
    case Op::kGather:
      return LowerGather(builder, id);
    default:
      return LowerCompute(builder, id);
  }
}

/// How messages call a node.
std::string Described(const Node& node) { return "node '" + node.name + "' (" + std::string(Name(node.op)) + ")"; }

Result<Partition> LowerPartition(const Graph& graph, const HardwareConfig& config, const LowerOptions& options,
                                 const std::vector<NodeId>& nodes, NodeId* refused) {
  PartitionBuilder builder(graph, config, options);
  for (const NodeId id : nodes) {
    if (Status s = AddNode(builder, id); !s.ok()) {
      *refused = id;
      return std::move(s).failure().In(Described(builder.node(id)));
    }
  }
  XRUN_RETURN_IF_ERROR(BindPorts(builder, nodes));
  for (const Layer& layer : builder.partition.layers) {
    if (layer.kind == LayerKind::kMatMul) builder.at(builder.Root(layer.input_b)).in_dram = true;
  }
  return std::move(builder.partition);
}

}  // namespace

std::vector<int32_t> OverlayTensor::LogicalChannels(uint32_t channels_of_group) const {
  std::vector<int32_t> logical(size_t{groups} * channels_of_group, -1);
  for (uint32_t c = 0; c < channels; ++c) logical[Physical(c)] = static_cast<int32_t>(c);
  return logical;
}

Result<LoweredModel> Lower(const Graph& graph, const HardwareConfig& config, const LowerOptions& options,
                           NodeId* refused) {
  *refused = kNone;
  LoweredModel model;
  model.places = PlaceNodes(graph);
  for (const StepNodes& step : OrderSteps(graph, model.places)) {
    if (step.overlay) {
      XRUN_ASSIGN_OR_RETURN(Partition partition, LowerPartition(graph, config, options, step.nodes, refused));
      if (partition.layers.empty()) continue;
      model.steps.push_back({static_cast<uint32_t>(model.partitions.size()), kNone});
      model.partitions.push_back(std::move(partition));
      continue;
    }
    for (NodeId id : step.nodes) {
      const Node& node = graph.nodes[static_cast<size_t>(id)];
      if (IsQuantizedOperator(graph, node) && !OnlyMoves(graph, node) && node.cpu_reason.empty()) {
        *refused = id;
        return Failure{Described(node) + ": the overlay has no instruction for this operator", ""};
      }
      model.steps.push_back({std::nullopt, id});
    }
  }
  return model;
}

}  // namespace xrun::compiler
