#include "compiler/bind_ports.h"

#include <algorithm>
#include <set>

namespace xrun::compiler {
namespace {

bool IsInput(const Partition& partition, int32_t tensor) {
  return std::any_of(partition.inputs.begin(), partition.inputs.end(),
                     [&](const Partition::Port& port) { return port.tensor == tensor; });
}

void ListInside(PartitionBuilder& builder, const std::vector<NodeId>& nodes) {
  for (const NodeId id : nodes) {
    for (const ValueId value : builder.node(id).outputs) {
      const int32_t tensor = builder.Find(value);
      if (tensor == kNone) continue;
      const int32_t root = builder.Root(tensor);
      if (builder.at(root).base == kBaseWorkspace && !IsInput(builder.partition, root)) {
        builder.partition.inside.push_back({value, tensor});
      }
    }
  }
}

/// A register of its own for each port; those beyond the last register follow on each other in its buffer.
void BindPort(PartitionBuilder& builder, int first_register, int registers, const std::vector<Partition::Port>& ports,
              size_t index) {
  const auto last = static_cast<size_t>(registers) - 1;
  OverlayTensor& t = builder.at(ports[index].tensor);
  t.base = static_cast<uint8_t>(first_register + static_cast<int>(std::min(index, last)));
  t.offset = 0;
  if (index <= last) return;
  const OverlayTensor& neighbour = builder.at(ports[index - 1].tensor);
  t.offset = neighbour.offset + neighbour.words() * builder.config.channels;
}

Status BindOutputs(PartitionBuilder& builder, const std::vector<NodeId>& nodes) {
  const Graph& graph = builder.graph;
  const std::set<NodeId> inside(nodes.begin(), nodes.end());
  const auto leaves = [&](ValueId value) {
    if (graph.IsOutput(value)) return true;
    const auto readers = graph.Consumers(value);
    return std::any_of(readers.begin(), readers.end(), [&](NodeId n) { return !inside.contains(n); });
  };
  std::set<int32_t> bound;
  for (const NodeId id : nodes) {
    for (const ValueId value : builder.node(id).outputs) {
      int32_t tensor = builder.Find(value);
      if (tensor == kNone || !leaves(value)) continue;
      if (builder.at(tensor).reshaped) tensor = builder.at(tensor).parent;  // the same row-major order
      if (builder.options.separate || builder.Ready(tensor) == kNone || builder.at(tensor).is_view() ||
          bound.contains(tensor)) {
        // A view of an input, or of a tensor that is bound already: a register needs a copy of its own.
        XRUN_ASSIGN_OR_RETURN(tensor, builder.AddCopy(id, tensor, value));
      }
      bound.insert(tensor);
      auto& outputs = builder.partition.outputs;
      outputs.push_back({value, tensor});
      BindPort(builder, kBaseOutput0, kMaxOutputs, outputs, outputs.size() - 1);
    }
  }
  return {};
}

}  // namespace

Status BindPorts(PartitionBuilder& builder, const std::vector<NodeId>& nodes) {
  if (builder.options.separate) ListInside(builder, nodes);
  XRUN_RETURN_IF_ERROR(BindOutputs(builder, nodes));
  const auto& inputs = builder.partition.inputs;
  for (size_t i = 0; i < inputs.size(); ++i) BindPort(builder, kBaseInput0, kMaxInputs, inputs, i);
  return {};
}

}  // namespace xrun::compiler
