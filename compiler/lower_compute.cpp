#include "compiler/lower_compute.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "compiler/fuse_output_stage.h"
#include "compiler/lower_layer.h"

namespace xrun::compiler {
namespace {

bool IsBinary(Op op) { return op == Op::kAdd || op == Op::kSub || op == Op::kMul; }

/// An operand of lower rank than the result is broadcast as ONNX says: its last axis stands for the result's last.
Result<int32_t> BinaryOperand(PartitionBuilder& builder, const Node& node, size_t index) {
  const ValueId id = node.inputs[index];
  const size_t rank = builder.graph.at(node.outputs[0]).shape.size();
  Value aligned = builder.graph.at(id);
  if (aligned.shape.size() >= rank) return builder.TensorOf(id, true);
  aligned.shape.insert(aligned.shape.begin(), rank - aligned.shape.size(), 1);
  XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(aligned));
  if (aligned.is_constant()) {
    const int32_t tensor = builder.NewTensor(id, dims);
    builder.at(tensor).base = kBaseWeights;
    builder.at(tensor).constant = aligned.data<int8_t>();
    return tensor;
  }
  XRUN_ASSIGN_OR_RETURN(const int32_t tensor, builder.TensorOf(id, true));
  const OverlayTensor& t = builder.at(tensor);
  if (dims != std::array<uint32_t, 3>{t.channels, t.height, t.width}) {
    return Failure{"operand '" + aligned.name + "' of lower rank is broadcast along other axes than its layout has",
                   "reshape it to the result's rank in the model"};
  }
  return tensor;
}

/// An operand of a product of two activations: its channels from the first of a group on, without holes; what becomes
/// weights with its pixels one after another in DRAM. A copy where it is not.
Result<int32_t> MatrixOperand(PartitionBuilder& builder, NodeId id, ValueId value, bool weights) {
  XRUN_ASSIGN_OR_RETURN(int32_t tensor, builder.TensorOf(value, true));
  const OverlayTensor& t = builder.at(tensor);
  const bool dense = t.channel_map.empty() && t.groups == builder.Groups(t.channels);
  const bool in_one_piece = t.reshaped || !t.is_view() || t.height == 1 || t.width == builder.at(t.parent).width;
  if (!dense || (weights && !in_one_piece)) {
    XRUN_ASSIGN_OR_RETURN(tensor, builder.AddCopy(id, tensor, value));
  }
  if (weights) builder.Pin(builder.Root(tensor));
  return tensor;
}

/// The first channel of a slice that becomes, perhaps through functions, an operand of a product.
void AddStart(const Graph& graph, const Node& slice, std::set<uint32_t>* starts) {
  if (slice.op != Op::kSlice || slice.as<SliceAttrs>().step.size() < 2 || slice.as<SliceAttrs>().step[1] != 1) return;
  ValueId value = slice.outputs[0];
  for (;;) {
    const std::vector<NodeId> readers = graph.Consumers(value);
    if (readers.empty()) return;
    const Node& reader = graph.nodes[static_cast<size_t>(readers[0])];
    if (reader.op == Op::kMatMul) starts->insert(static_cast<uint32_t>(slice.as<SliceAttrs>().begin[1]));
    if (reader.op != Op::kUnary) return;
    value = reader.outputs[0];
  }
}

/// Gives the result of a convolution that is cut into operands of products of two activations holes among its
/// channels, so that each operand starts a group. That costs nothing: the convolution's weights move.
void AlignHeads(PartitionBuilder& builder, int32_t tensor) {
  const Graph& graph = builder.graph;
  OverlayTensor& t = builder.at(tensor);
  std::set<uint32_t> starts;
  for (const NodeId reader : graph.Consumers(t.value)) {
    const Node& slice = builder.node(reader);
    AddStart(graph, slice, &starts);
    if (slice.op != Op::kReshape) continue;
    for (const NodeId further : graph.Consumers(slice.outputs[0])) AddStart(graph, builder.node(further), &starts);
  }
  const uint32_t cp = builder.config.channels;
  if (std::all_of(starts.begin(), starts.end(), [&](uint32_t c) { return c % cp == 0; })) return;
  uint32_t next = 0;
  std::vector<uint32_t> map;
  for (uint32_t c = 0; c < t.channels; ++c) {
    if (starts.contains(c)) next = builder.Groups(next) * cp;
    map.push_back(next++);
  }
  t.channel_map = std::move(map);
  t.groups = builder.Groups(next);
}

/// The same tensor with its channels where `like` has them.
Result<int32_t> Relayout(PartitionBuilder& builder, NodeId id, int32_t from, int32_t like) {
  OverlayTensor t = Apart(builder.at(from));
  t.name += ".relayout";
  TakeChannels(builder.at(like), &t);
  const int32_t tensor = builder.AddTensor(std::move(t));
  XRUN_RETURN_IF_ERROR(builder.AddMove(id, from, tensor));
  return tensor;
}

/// Where an operator keeps channels apart, operands and result must have them at the same places.
Status MatchChannels(PartitionBuilder& builder, NodeId id, LayerOperands* operands) {
  const Node& node = builder.node(id);
  OverlayTensor& out = builder.at(operands->output);
  if (node.op == Op::kFullyConnected || node.op == Op::kMatMul || node.op == Op::kConvTranspose ||
      node.op == Op::kDepthToSpace || node.op == Op::kSpaceToDepth) {
    return {};
  }
  if (node.op == Op::kConv) {
    const bool apart =
        node.as<ConvAttrs>().groups == int64_t{out.channels} && builder.at(operands->input).channels == out.channels;
    if (!apart || out.channels == 1) return {};
  }
  if (!IsBinary(node.op)) {
    TakeChannels(builder.at(operands->input), &out);
    return {};
  }
  const OverlayTensor& a = builder.at(operands->input);
  const bool swap = a.channels != out.channels || a.height != out.height || a.width != out.width;
  const int32_t main = swap ? operands->input_b : operands->input;
  int32_t& other = swap ? operands->input : operands->input_b;
  TakeChannels(builder.at(main), &out);
  OverlayTensor& b = builder.at(other);
  if (b.channels != out.channels) return {};
  if (b.channel_map == out.channel_map && b.groups == out.groups) return {};
  if (b.constant != nullptr) {
    TakeChannels(out, &b);
    return {};
  }
  XRUN_ASSIGN_OR_RETURN(other, Relayout(builder, id, other, operands->output));
  return {};
}

}  // namespace

Status LowerCompute(PartitionBuilder& builder, NodeId id) {
  const Node& node = builder.node(id);
  LayerOperands operands;
  if (IsBinary(node.op)) {
    XRUN_ASSIGN_OR_RETURN(operands.input, BinaryOperand(builder, node, 0));
    XRUN_ASSIGN_OR_RETURN(operands.input_b, BinaryOperand(builder, node, 1));
  } else if (node.op == Op::kMatMul) {
    XRUN_ASSIGN_OR_RETURN(operands.input, MatrixOperand(builder, id, node.inputs[1], false));
    XRUN_ASSIGN_OR_RETURN(operands.input_b, MatrixOperand(builder, id, node.inputs[0], true));
  } else {
    XRUN_ASSIGN_OR_RETURN(operands.input, builder.TensorOf(node.inputs[0], node.op != Op::kFullyConnected));
  }
  if (builder.options.fuse) {
    XRUN_ASSIGN_OR_RETURN(const bool fused, FuseIntoOutputStage(builder, id, operands));
    if (fused) return {};
  }
  XRUN_ASSIGN_OR_RETURN(operands.output, builder.NewTensor(node.outputs[0]));
  if (node.op == Op::kConv && node.as<ConvAttrs>().groups == 1) AlignHeads(builder, operands.output);
  XRUN_RETURN_IF_ERROR(MatchChannels(builder, id, &operands));
  XRUN_ASSIGN_OR_RETURN(Layer layer,
                        LowerNode(builder.graph, node, builder.partition.tensors, operands, builder.config));
  builder.AddProducer(std::move(layer), id);
  return {};
}

}  // namespace xrun::compiler
