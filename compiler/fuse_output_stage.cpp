#include "compiler/fuse_output_stage.h"

namespace xrun::compiler {
namespace {

/// The layer that makes a value, by index, if the value has one reader only, which the layer can therefore take into
/// its output stage; else kNone.
int32_t FusableProducer(const PartitionBuilder& builder, ValueId value) {
  if (builder.graph.IsOutput(value) || builder.graph.Consumers(value).size() != 1) return kNone;
  const int32_t tensor = builder.Find(value);
  if (tensor == kNone || builder.at(tensor).value != value || builder.at(tensor).is_view()) return kNone;
  return builder.Producer(tensor);
}

/// `layer` now computes a node too and writes its result.
void Absorb(PartitionBuilder& builder, NodeId id, Layer* layer) {
  layer->nodes.push_back(id);
  builder.Replace(layer->output, builder.node(id).outputs[0]);
}

bool FuseTable(PartitionBuilder& builder, NodeId id) {
  const Node& node = builder.node(id);
  if (node.as<UnaryAttrs>().chain.empty()) return false;
  const int32_t producer = FusableProducer(builder, node.inputs[0]);
  if (producer == kNone) return false;
  Layer& layer = builder.partition.layers[static_cast<size_t>(producer)];
  if (layer.out.table || layer.out.residual) return false;
  layer.out.table = NodeTable(builder.graph, node);
  Absorb(builder, id, &layer);
  return true;
}

Result<bool> FuseResidual(PartitionBuilder& builder, NodeId id, const LayerOperands& operands) {
  const Node& node = builder.node(id);
  const OverlayTensor& a = builder.at(operands.input);
  const OverlayTensor& b = builder.at(operands.input_b);
  if (operands.input == operands.input_b || a.channels != b.channels || a.height != b.height || a.width != b.width) {
    return false;
  }
  int32_t last = kNone, main = kNone, other = kNone;
  for (size_t side = 0; side < 2; ++side) {
    const int32_t index = FusableProducer(builder, node.inputs[side]);
    if (index == kNone) continue;
    const Layer& layer = builder.partition.layers[static_cast<size_t>(index)];
    if (layer.kind != LayerKind::kConv || layer.out.residual) continue;
    if (layer.cell_h != 1 || layer.cell_w != 1) continue;  // residuals are read without steps
    const int32_t residual = side == 0 ? operands.input_b : operands.input;
    if (builder.at(residual).constant != nullptr) continue;
    if (builder.Ready(residual) >= index) continue;  // not there yet when the convolution runs
    if (layer.groups != 1 && !builder.at(residual).channel_map.empty()) continue;
    if (index <= last) continue;
    last = index;
    main = side == 0 ? operands.input : operands.input_b;
    other = residual;
  }
  if (last == kNone) return false;
  Layer& layer = builder.partition.layers[static_cast<size_t>(last)];
  XRUN_ASSIGN_OR_RETURN(layer.out.residual, LowerResidual(builder.graph, node, builder.partition.tensors, main, other));
  TakeChannels(builder.at(other), &builder.at(main));
  Absorb(builder, id, &layer);
  return true;
}

}  // namespace

Result<bool> FuseIntoOutputStage(PartitionBuilder& builder, NodeId id, const LayerOperands& operands) {
  switch (builder.node(id).op) {
    case Op::kUnary:
      return FuseTable(builder, id);
    case Op::kAdd:
      return FuseResidual(builder, id, operands);
    default:
      return false;
  }
}

}  // namespace xrun::compiler
