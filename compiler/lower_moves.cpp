#include "compiler/lower_moves.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/lower_layer.h"

namespace xrun::compiler {
namespace {

bool SameParameters(const OverlayTensor& a, const OverlayTensor& b) {
  return a.scale == b.scale && a.zero_point == b.zero_point;
}

/// A node's input, or a copy of it if it is a reshaped view, which can have no boxes of its own.
Result<int32_t> BoxableInput(PartitionBuilder& builder, NodeId id) {
  const ValueId value = builder.node(id).inputs[0];
  XRUN_ASSIGN_OR_RETURN(const int32_t tensor, builder.TensorOf(value, true));
  if (!builder.at(tensor).reshaped) return tensor;
  return builder.AddCopy(id, tensor, value);
}

/// The part of a tensor that a node picks: physical places of its channels, first row and column, steps between them.
struct Cut {
  std::vector<uint32_t> physical;
  uint32_t y0 = 0, x0 = 0;
  uint32_t step_y = 1, step_x = 1;
};

/// Makes `result` the box of `in`; a strided copy where steps are not 1, a copy where parameters differ.
Status BoxOrCopy(PartitionBuilder& builder, NodeId id, int32_t in, int32_t result, Cut cut) {
  const uint32_t cp = builder.config.channels;
  const auto [lo, hi] = std::minmax_element(cut.physical.begin(), cut.physical.end());
  const uint32_t group0 = *lo / cp, groups = *hi / cp - group0 + 1;
  for (uint32_t& p : cut.physical) p -= group0 * cp;

  // The box itself, with the input's parameters, at full resolution.
  OverlayTensor box = builder.at(result);
  box.scale = builder.at(in).scale;
  box.zero_point = builder.at(in).zero_point;
  box.groups = groups;
  box.channel_map = std::move(cut.physical);
  DropIdentity(&box);
  const bool strided = cut.step_y != 1 || cut.step_x != 1;
  if (!strided && SameParameters(builder.at(in), builder.at(result)) && !builder.options.separate) {
    builder.at(result) = std::move(box);
    builder.MakeView(result, in, group0, cut.y0, cut.x0);
    builder.SetReady(result, builder.Ready(in));
    return {};
  }
  box.name += ".box";
  if (strided) {
    box.height = builder.at(in).height - cut.y0;
    box.width = builder.at(in).width - cut.x0;
  }
  const int32_t source = builder.AddTensor(std::move(box));
  builder.MakeView(source, in, group0, cut.y0, cut.x0);
  XRUN_ASSIGN_OR_RETURN(Layer layer, IdentityLayer(builder.at(source), builder.at(result)));
  layer.input = source;
  layer.output = result;
  layer.stride_h = cut.step_y;
  layer.stride_w = cut.step_x;
  builder.AddProducer(std::move(layer), id);
  return {};
}

/// Whether a tensor can become a box of `result`, a concatenation along this axis of C × H × W.
bool CanBecomeBox(const PartitionBuilder& builder, int32_t tensor, int32_t result, int axis) {
  const OverlayTensor& t = builder.at(tensor);
  const bool dense = t.channel_map.empty() && t.groups == builder.Groups(t.channels);
  return !builder.options.separate && SameParameters(t, builder.at(result)) && builder.Producer(tensor) != kNone &&
         !t.is_view() && !builder.IsPinned(tensor) && (axis == 0 || dense);
}

/// The tensor that a concatenation's input which cannot become a box is copied to, not yet at its place.
int32_t NewPart(PartitionBuilder& builder, int32_t in, int32_t result, size_t index, int axis) {
  const OverlayTensor& whole = builder.at(result);
  OverlayTensor t = Apart(builder.at(in));
  t.name = whole.name + "." + std::to_string(index);
  t.scale = whole.scale;
  t.zero_point = whole.zero_point;
  const uint32_t dense = builder.Groups(t.channels);
  if (t.groups > dense || axis != 0) {
    t.groups = dense;
    t.channel_map.clear();
  }
  return builder.AddTensor(std::move(t));
}

}  // namespace

Status LowerReshape(PartitionBuilder& builder, NodeId id) {
  const Node& node = builder.node(id);
  const ValueId result = node.outputs[0];
  XRUN_ASSIGN_OR_RETURN(int32_t from, builder.TensorOf(node.inputs[0], false));
  builder.Hold(result, from);
  XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(builder.graph.at(result)));
  const auto [channels, height, width] = dims;
  const bool same = height == builder.at(from).height && width == builder.at(from).width;
  if (channels != builder.at(from).channels || same) return {};
  if (builder.at(from).is_view()) {
    XRUN_ASSIGN_OR_RETURN(from, builder.AddCopy(id, from, node.inputs[0]));
  }
  OverlayTensor t = builder.at(from);
  t.name = builder.graph.at(result).name;
  t.value = result;
  t.height = height;
  t.width = width;
  t.parent = from;
  t.reshaped = true;
  builder.Pin(from);
  const int32_t view = builder.AddTensor(std::move(t));
  builder.Hold(result, view);
  builder.SetReady(view, builder.Ready(from));
  return {};
}

Status LowerConcat(PartitionBuilder& builder, NodeId id) {
  const Node& node = builder.node(id);
  const int axis = OverlayAxis(builder.graph.at(node.outputs[0]).shape.size(), node.as<AxisAttrs>().axis);
  if (axis < 0) return Failure{"concatenation along the batch is not supported on the overlay", ""};
  std::vector<int32_t> inputs;
  for (const ValueId in : node.inputs) {
    XRUN_ASSIGN_OR_RETURN(const int32_t t, builder.TensorOf(in, true));
    inputs.push_back(t);
  }
  XRUN_ASSIGN_OR_RETURN(const int32_t result, builder.NewTensor(node.outputs[0]));
  std::vector<uint32_t> map;
  uint32_t groups = axis == 0 ? 0 : builder.at(result).groups, offset = 0;
  std::vector<int32_t> boxes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    // An input that comes twice is a view the second time.
    const bool in_place = CanBecomeBox(builder, inputs[i], result, axis);
    const int32_t box = in_place ? inputs[i] : NewPart(builder, inputs[i], result, i, axis);
    boxes.push_back(box);
    if (axis == 0) {
      const OverlayTensor& t = builder.at(box);
      for (uint32_t c = 0; c < t.channels; ++c) map.push_back(groups * builder.config.channels + t.Physical(c));
      builder.MakeView(box, result, groups, 0, 0);
      groups += builder.at(box).groups;
    } else {
      builder.MakeView(box, result, 0, axis == 1 ? offset : 0, axis == 2 ? offset : 0);
      offset += axis == 1 ? builder.at(box).height : builder.at(box).width;
    }
  }
  if (axis == 0) {
    OverlayTensor& t = builder.at(result);
    t.groups = groups;
    t.channel_map = std::move(map);
    DropIdentity(&t);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (boxes[i] == inputs[i]) {
      builder.SetReady(result, std::max(builder.Ready(result), builder.Ready(inputs[i])));
      continue;
    }
    XRUN_RETURN_IF_ERROR(builder.AddMove(id, inputs[i], boxes[i]));
  }
  return {};
}

Status LowerSlice(PartitionBuilder& builder, NodeId id) {
  const Node& node = builder.node(id);
  const auto& attrs = node.as<SliceAttrs>();
  XRUN_ASSIGN_OR_RETURN(const int32_t in, BoxableInput(builder, id));
  const size_t rank = builder.graph.at(node.inputs[0]).shape.size();
  std::array<int64_t, 3> begin{0, 0, 0}, step{1, 1, 1};
  for (size_t a = 0; a < rank; ++a) {
    const int axis = OverlayAxis(rank, static_cast<int64_t>(a));
    if (axis < 0) continue;
    begin[static_cast<size_t>(axis)] = attrs.begin[a];
    step[static_cast<size_t>(axis)] = attrs.step[a];
  }
  if (step[1] < 1 || step[2] < 1 || step[1] > 31 || step[2] > 31) {
    return Failure{"spatial step outside 1…31", "leave the node in float"};
  }
  XRUN_ASSIGN_OR_RETURN(const int32_t result, builder.NewTensor(node.outputs[0]));
  Cut cut;
  for (uint32_t c = 0; c < builder.at(result).channels; ++c) {
    cut.physical.push_back(builder.at(in).Physical(static_cast<uint32_t>(begin[0] + c * step[0])));
  }
  cut.y0 = static_cast<uint32_t>(begin[1]);
  cut.x0 = static_cast<uint32_t>(begin[2]);
  cut.step_y = static_cast<uint32_t>(step[1]);
  cut.step_x = static_cast<uint32_t>(step[2]);
  return BoxOrCopy(builder, id, in, result, std::move(cut));
}

Status LowerGather(PartitionBuilder& builder, NodeId id) {
  const Node& node = builder.node(id);
  XRUN_ASSIGN_OR_RETURN(const int32_t in, BoxableInput(builder, id));
  XRUN_ASSIGN_OR_RETURN(const int32_t result, builder.NewTensor(node.outputs[0]));
  const uint32_t channels = builder.at(result).channels;
  const auto* indices = builder.graph.at(node.inputs[1]).data<int64_t>();
  if (std::set<int64_t>(indices, indices + channels).size() != channels) {
    OverlayTensor picked = builder.at(in);
    picked.channels = channels;
    XRUN_ASSIGN_OR_RETURN(Layer layer, IdentityLayer(picked, builder.at(result)));
    std::copy_n(indices, channels, layer.source.begin());
    layer.input = in;
    layer.output = result;
    builder.AddProducer(std::move(layer), id);
    return {};
  }
  Cut cut;
  for (uint32_t c = 0; c < channels; ++c) {
    cut.physical.push_back(builder.at(in).Physical(static_cast<uint32_t>(indices[c])));
  }
  return BoxOrCopy(builder, id, in, result, std::move(cut));
}

Status LowerPad(PartitionBuilder& builder, NodeId id) {
  const Node& node = builder.node(id);
  const auto& attrs = node.as<PadAttrs>();
  XRUN_ASSIGN_OR_RETURN(const int32_t in, builder.TensorOf(node.inputs[0], true));
  const size_t rank = builder.graph.at(node.inputs[0]).shape.size();
  std::array<int64_t, 3> before{0, 0, 0};
  for (size_t a = 0; a < rank; ++a) {
    const int axis = OverlayAxis(rank, static_cast<int64_t>(a));
    if (attrs.before[a] == 0 && attrs.after[a] == 0) continue;
    if (axis < 0) return Failure{"padding of the batch is not supported on the overlay", "leave the node in float"};
    if (axis == 0 && attrs.value != 0) {
      return Failure{"channels padded with a value other than zero are not supported on the overlay",
                     "leave the node in float"};
    }
    if (attrs.before[a] < 0 || attrs.after[a] < 0) {
      return Failure{"negative padding is not supported on the overlay", ""};
    }
    before[static_cast<size_t>(axis)] = attrs.before[a];
  }
  XRUN_ASSIGN_OR_RETURN(const int32_t result, builder.NewTensor(node.outputs[0]));
  XRUN_ASSIGN_OR_RETURN(Layer layer,
                        IdentityLayer(builder.at(in), builder.at(result), static_cast<uint32_t>(before[0])));
  layer.input = in;
  layer.output = result;
  layer.pad_top = static_cast<int32_t>(before[1]);
  layer.pad_left = static_cast<int32_t>(before[2]);
  layer.fill = QuantizedConstant(attrs.value, builder.at(in));
  builder.AddProducer(std::move(layer), id);
  return {};
}

}  // namespace xrun::compiler
