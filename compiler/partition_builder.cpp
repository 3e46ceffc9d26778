#include "compiler/partition_builder.h"

#include <utility>

#include "compiler/lower_layer.h"

namespace xrun::compiler {
namespace {

void NameAfter(const Graph& graph, ValueId id, OverlayTensor* tensor) {
  const Value& value = graph.at(id);
  tensor->name = value.name;
  tensor->value = id;
  tensor->scale = value.quant->scale[0];
  tensor->zero_point = value.quant->zero_point[0];
}

}  // namespace

int32_t PartitionBuilder::Find(ValueId value) const {
  const auto it = tensor_of_.find(value);
  return it == tensor_of_.end() ? kNone : it->second;
}

Result<int32_t> PartitionBuilder::TensorOf(ValueId id, bool exact) {
  const Value& value = graph.at(id);
  const int32_t known = Find(id);
  if (known == kNone) {
    XRUN_ASSIGN_OR_RETURN(const int32_t tensor, NewTensor(id));
    if (value.is_constant()) {
      at(tensor).base = kBaseWeights;
      at(tensor).constant = value.data<int8_t>();
    } else {
      partition.inputs.push_back({id, tensor});
    }
    return tensor;
  }
  if (exact) {
    const OverlayTensor& t = at(known);
    XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(value));
    if (dims != std::array<uint32_t, 3>{t.channels, t.height, t.width}) {
      return Failure{"input '" + value.name + "' is a reshaped view that the overlay's layout does not absorb",
                     "place the node on the CPU with --target cpu:" + value.name};
    }
  }
  return known;
}

Result<int32_t> PartitionBuilder::NewTensor(ValueId value) {
  XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(graph.at(value)));
  const int32_t tensor = NewTensor(value, dims);
  Hold(value, tensor);
  return tensor;
}

int32_t PartitionBuilder::NewTensor(ValueId value, const std::array<uint32_t, 3>& dims) {
  OverlayTensor t;
  NameAfter(graph, value, &t);
  t.channels = dims[0];
  t.height = dims[1];
  t.width = dims[2];
  t.groups = Groups(t.channels);
  return AddTensor(std::move(t));
}

int32_t PartitionBuilder::AddTensor(OverlayTensor tensor) {
  partition.tensors.push_back(std::move(tensor));
  progress_.emplace_back();
  return static_cast<int32_t>(partition.tensors.size()) - 1;
}

void PartitionBuilder::Replace(int32_t tensor, ValueId value) {
  tensor_of_.erase(at(tensor).value);
  NameAfter(graph, value, &at(tensor));
  Hold(value, tensor);
}

void PartitionBuilder::MakeView(int32_t tensor, int32_t parent, uint32_t group0, uint32_t y0, uint32_t x0) {
  OverlayTensor& t = at(tensor);
  const OverlayTensor& p = at(parent);
  t.parent = Root(parent);
  t.group0 = group0 + (p.is_view() ? p.group0 : 0);
  t.y0 = y0 + (p.is_view() ? p.y0 : 0);
  t.x0 = x0 + (p.is_view() ? p.x0 : 0);
  Pin(t.parent);
}

void PartitionBuilder::AddLayer(Layer layer, NodeId id) {
  layer.nodes = {id};
  layer.name = node(id).name;
  const auto index = static_cast<int32_t>(partition.layers.size());
  SetReady(layer.output, index);
  SetReady(Root(layer.output), index);
  partition.layers.push_back(std::move(layer));
}

void PartitionBuilder::AddProducer(Layer layer, NodeId id) {
  progress(layer.output).producer = static_cast<int32_t>(partition.layers.size());
  AddLayer(std::move(layer), id);
}

Status PartitionBuilder::AddMove(NodeId id, int32_t from, int32_t to) {
  const bool same_places = at(from).groups == at(to).groups && at(from).channel_map == at(to).channel_map;
  XRUN_ASSIGN_OR_RETURN(Layer layer, same_places ? CopyLayer(at(from), at(to)) : IdentityLayer(at(from), at(to)));
  layer.input = from;
  layer.output = to;
  AddLayer(std::move(layer), id);
  return {};
}

Result<int32_t> PartitionBuilder::AddCopy(NodeId id, int32_t from, ValueId value) {
  OverlayTensor t = Apart(at(from));
  t.name = graph.at(value).name;
  t.value = value;
  t.groups = Groups(t.channels);
  t.channel_map.clear();
  const int32_t copy = AddTensor(std::move(t));
  XRUN_RETURN_IF_ERROR(AddMove(id, from, copy));
  return copy;
}

OverlayTensor Apart(const OverlayTensor& tensor) {
  OverlayTensor t = tensor;
  t.base = kBaseWorkspace;
  t.constant = nullptr;
  t.parent = kNone;
  t.reshaped = false;
  t.group0 = t.y0 = t.x0 = 0;
  return t;
}

void TakeChannels(const OverlayTensor& from, OverlayTensor* to) {
  to->groups = from.groups;
  to->channel_map = from.channel_map;
}

void DropIdentity(OverlayTensor* tensor) {
  for (uint32_t c = 0; c < tensor->channel_map.size(); ++c) {
    if (tensor->channel_map[c] != c) return;
  }
  tensor->channel_map.clear();
}

}  // namespace xrun::compiler
