#include "compiler/lower.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/lower_layer.h"
#include "compiler/move_to_cpu.h"
#include "compiler/placement.h"

namespace xrun::compiler {
namespace {

/// Builds one partition from its nodes.
class PartitionBuilder {
 public:
  PartitionBuilder(const Graph& graph, const HardwareConfig& config, const LowerOptions& options)
      : graph_(graph), config_(config), options_(options) {}

  Result<Partition> Build(const std::vector<NodeId>& nodes, NodeId* refused) {
    inside_.insert(nodes.begin(), nodes.end());
    for (NodeId id : nodes) {
      if (Status s = AddNode(id); !s.ok()) {
        const Node& node = graph_.nodes[static_cast<size_t>(id)];
        *refused = id;
        return std::move(s).failure().In("node '" + node.name + "' (" + std::string(Name(node.op)) + ")");
      }
    }
    if (options_.separate) ListInside(nodes);
    XRUN_RETURN_IF_ERROR(BindOutputs(nodes));
    BindInputs();
    for (const Layer& layer : partition_.layers) {
      if (layer.kind == LayerKind::kMatMul) at(RootIndex(layer.input_b)).in_dram = true;
    }
    return std::move(partition_);
  }

 private:
  Status AddNode(NodeId id) {
    const Node& node = graph_.nodes[static_cast<size_t>(id)];
    switch (node.op) {
      case Op::kReshape:
        return AddReshape(id, node);
      case Op::kConcat:
        return AddConcat(id, node);
      case Op::kSlice:
        return AddSlice(id, node);
      case Op::kPad:
        return AddPad(id, node);
      case Op::kGather:
        return AddGather(id, node);
      default:
        return AddCompute(id, node);
    }
  }

  Status AddCompute(NodeId id, const Node& node) {
    LayerOperands operands;
    if (IsBinary(node.op)) {
      XRUN_ASSIGN_OR_RETURN(operands.input, BinaryOperand(node, 0));
      XRUN_ASSIGN_OR_RETURN(operands.input_b, BinaryOperand(node, 1));
    } else if (node.op == Op::kMatMul) {
      XRUN_ASSIGN_OR_RETURN(operands.input, MatrixOperand(id, node.inputs[1], false));
      XRUN_ASSIGN_OR_RETURN(operands.input_b, MatrixOperand(id, node.inputs[0], true));
    } else {
      XRUN_ASSIGN_OR_RETURN(operands.input, TensorOf(node.inputs[0], node.op != Op::kFullyConnected));
    }
    if (options_.fuse && TryFuseTable(node, id)) return {};
    if (options_.fuse && node.op == Op::kAdd) {
      XRUN_ASSIGN_OR_RETURN(const bool fused, TryFuseResidual(node, id, operands));
      if (fused) return {};
    }
    XRUN_ASSIGN_OR_RETURN(operands.output, NewTensor(node.outputs[0]));
    if (node.op == Op::kConv && node.as<ConvAttrs>().groups == 1) AlignHeads(operands.output);
    XRUN_RETURN_IF_ERROR(MatchChannels(id, node, &operands));
    XRUN_ASSIGN_OR_RETURN(Layer layer, LowerNode(graph_, node, partition_.tensors, operands, config_));
    producer_[operands.output] = static_cast<int32_t>(partition_.layers.size());
    AddLayer(std::move(layer), id);
    return {};
  }

  /// The same tensor under another name where the plane stays, the same memory with other rows and columns where only
  /// they change; anything else is the tensor as it was, which is good enough for a FullyConnected or an output.
  Status AddReshape(NodeId id, const Node& node) {
    XRUN_ASSIGN_OR_RETURN(int32_t from, TensorOf(node.inputs[0], false));
    tensor_of_[node.outputs[0]] = from;
    XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(graph_.at(node.outputs[0])));
    const auto [channels, height, width] = dims;
    const bool same = height == at(from).height && width == at(from).width;
    if (channels != at(from).channels || same) return {};
    if (at(from).is_view()) {
      XRUN_ASSIGN_OR_RETURN(from, AddCopy(from, node.inputs[0], id));
    }
    OverlayTensor t = at(from);
    t.name = graph_.at(node.outputs[0]).name;
    t.value = node.outputs[0];
    t.height = height;
    t.width = width;
    t.parent = from;
    t.reshaped = true;
    parents_.insert(from);
    const auto index = static_cast<int32_t>(partition_.tensors.size());
    partition_.tensors.push_back(std::move(t));
    tensor_of_[node.outputs[0]] = index;
    if (ready_.contains(from)) ready_[index] = ready_[from];
    return {};
  }

  /// `tensor`, or a copy of it if it is a reshaped view, which can have no boxes of its own.
  Result<int32_t> Boxable(int32_t tensor, ValueId value, NodeId id) {
    if (!at(tensor).reshaped) return tensor;
    return AddCopy(tensor, value, id);
  }

  /// An operand of a product of two activations: its channels from the first of a group on, without holes; what becomes
  /// weights with its pixels one after another in DRAM. A copy where it is not.
  Result<int32_t> MatrixOperand(NodeId id, ValueId value, bool weights) {
    XRUN_ASSIGN_OR_RETURN(int32_t tensor, TensorOf(value, true));
    const OverlayTensor& t = at(tensor);
    const bool dense = t.channel_map.empty() && t.groups == (t.channels + config_.channels - 1) / config_.channels;
    const bool in_one_piece = t.reshaped || !t.is_view() || t.height == 1 || t.width == at(t.parent).width;
    if (!dense || (weights && !in_one_piece)) {
      XRUN_ASSIGN_OR_RETURN(tensor, AddCopy(tensor, value, id));
    }
    if (weights) parents_.insert(RootIndex(tensor));  // it stays where it is
    return tensor;
  }

  int32_t RootIndex(int32_t tensor) { return at(tensor).is_view() ? at(tensor).parent : tensor; }

  /// Gives the result of a convolution that is cut into operands of products of two activations holes among its
  /// channels, so that each operand starts a group. That costs nothing: the convolution's weights move.
  void AlignHeads(int32_t tensor) {
    std::set<uint32_t> starts;
    for (const NodeId n : graph_.Consumers(at(tensor).value)) {
      const Node& slice = graph_.nodes[static_cast<size_t>(n)];
      AddStart(slice, &starts);
      if (slice.op != Op::kReshape) continue;
      for (const NodeId further : graph_.Consumers(slice.outputs[0])) {
        AddStart(graph_.nodes[static_cast<size_t>(further)], &starts);
      }
    }
    OverlayTensor& t = at(tensor);
    const uint32_t cp = config_.channels;
    if (std::all_of(starts.begin(), starts.end(), [&](uint32_t c) { return c % cp == 0; })) return;
    uint32_t next = 0;
    std::vector<uint32_t> map;
    for (uint32_t c = 0; c < t.channels; ++c) {
      if (starts.contains(c)) next = (next + cp - 1) / cp * cp;
      map.push_back(next++);
    }
    t.channel_map = std::move(map);
    t.groups = (next + cp - 1) / cp;
  }

  /// The first channel of a slice that becomes, perhaps through functions, an operand of a product.
  void AddStart(const Node& slice, std::set<uint32_t>* starts) const {
    if (slice.op != Op::kSlice || slice.as<SliceAttrs>().step.size() < 2 || slice.as<SliceAttrs>().step[1] != 1) return;
    ValueId value = slice.outputs[0];
    for (;;) {
      const std::vector<NodeId> readers = graph_.Consumers(value);
      if (readers.empty()) return;
      const Node& reader = graph_.nodes[static_cast<size_t>(readers[0])];
      if (reader.op == Op::kMatMul) starts->insert(static_cast<uint32_t>(slice.as<SliceAttrs>().begin[1]));
      if (reader.op != Op::kUnary) return;
      value = reader.outputs[0];
    }
  }

  OverlayTensor& at(int32_t index) { return partition_.tensors[static_cast<size_t>(index)]; }

  void AddLayer(Layer layer, NodeId id) {
    layer.nodes = {id};
    layer.name = graph_.nodes[static_cast<size_t>(id)].name;
    ready_[layer.output] = static_cast<int32_t>(partition_.layers.size());
    const int32_t parent = at(layer.output).parent;
    if (parent != kNone) ready_[parent] = ready_[layer.output];
    partition_.layers.push_back(std::move(layer));
  }

  /// Where an operator keeps channels apart, operands and result must have them at the same places.
  Status MatchChannels(NodeId id, const Node& node, LayerOperands* operands) {
    OverlayTensor& out = at(operands->output);
    if (node.op == Op::kFullyConnected || node.op == Op::kMatMul || node.op == Op::kConvTranspose ||
        node.op == Op::kDepthToSpace || node.op == Op::kSpaceToDepth) {
      return {};
    }
    if (node.op == Op::kConv) {
      const bool apart =
          node.as<ConvAttrs>().groups == int64_t{out.channels} && at(operands->input).channels == out.channels;
      if (!apart || out.channels == 1) return {};
    }
    if (!IsBinary(node.op)) {
      TakeChannels(at(operands->input), &out);
      return {};
    }
    const auto full = [&](int32_t t) {
      return at(t).channels == out.channels && at(t).height == out.height && at(t).width == out.width;
    };
    const bool swap = !full(operands->input);
    const int32_t main = swap ? operands->input_b : operands->input;
    int32_t& other = swap ? operands->input : operands->input_b;
    TakeChannels(at(main), &out);
    if (at(other).channels != out.channels) return {};
    if (at(other).channel_map == out.channel_map && at(other).groups == out.groups) return {};
    if (at(other).constant != nullptr) {
      TakeChannels(out, &at(other));
      return {};
    }
    XRUN_ASSIGN_OR_RETURN(other, Relayout(id, other, operands->output));
    return {};
  }

  static void TakeChannels(const OverlayTensor& from, OverlayTensor* to) {
    to->groups = from.groups;
    to->channel_map = from.channel_map;
  }

  /// The same tensor with its channels where `like` has them.
  Result<int32_t> Relayout(NodeId id, int32_t from, int32_t like) {
    OverlayTensor t = at(from);
    t.name += ".relayout";
    t.base = kBaseWorkspace;
    t.parent = kNone;
    t.reshaped = false;
    t.group0 = t.y0 = t.x0 = 0;
    TakeChannels(at(like), &t);
    const auto index = static_cast<int32_t>(partition_.tensors.size());
    partition_.tensors.push_back(std::move(t));
    XRUN_ASSIGN_OR_RETURN(Layer layer, IdentityLayer(at(from), at(index)));
    layer.input = from;
    layer.output = index;
    AddLayer(std::move(layer), id);
    return index;
  }

  /// Turns tensor `index` into a box of `parent`.
  void MakeView(int32_t index, int32_t parent, uint32_t group0, uint32_t y0, uint32_t x0) {
    OverlayTensor& t = at(index);
    const OverlayTensor& p = at(parent);
    t.parent = p.is_view() ? p.parent : parent;
    t.group0 = group0 + (p.is_view() ? p.group0 : 0);
    t.y0 = y0 + (p.is_view() ? p.y0 : 0);
    t.x0 = x0 + (p.is_view() ? p.x0 : 0);
    parents_.insert(t.parent);
  }

  /// Inputs become boxes of the result: their producers write there. What cannot (model inputs, other scales, values
  /// that are boxes already) is copied.
  Status AddConcat(NodeId id, const Node& node) {
    const Value& value = graph_.at(node.outputs[0]);
    const int axis = OverlayAxis(value.shape.size(), node.as<AxisAttrs>().axis);
    if (axis < 0) return Failure{"concatenation along the batch is not supported on the overlay", ""};
    std::vector<int32_t> inputs;
    for (const ValueId in : node.inputs) {
      XRUN_ASSIGN_OR_RETURN(const int32_t t, TensorOf(in, true));
      inputs.push_back(t);
    }
    XRUN_ASSIGN_OR_RETURN(const int32_t result, NewTensor(node.outputs[0]));
    const uint32_t cp = config_.channels;
    std::vector<uint32_t> map;
    uint32_t groups = axis == 0 ? 0 : at(result).groups, offset = 0;
    std::vector<int32_t> boxes(inputs.size());
    std::set<int32_t> used;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const int32_t in = inputs[i];
      const uint32_t dense = (at(in).channels + cp - 1) / cp;
      const bool same = at(in).scale == at(result).scale && at(in).zero_point == at(result).zero_point;
      const bool in_place = !options_.separate && same && producer_.contains(in) && !at(in).is_view() &&
                            !parents_.contains(in) && !used.contains(in) &&
                            (axis == 0 || (at(in).channel_map.empty() && at(in).groups == dense));
      used.insert(in);
      int32_t box = in;
      if (!in_place) {
        OverlayTensor t = at(in);
        t.name = value.name + "." + std::to_string(i);
        t.base = kBaseWorkspace;
        t.constant = nullptr;
        t.scale = at(result).scale;
        t.zero_point = at(result).zero_point;
        t.parent = kNone;
        t.reshaped = false;
        t.group0 = t.y0 = t.x0 = 0;
        if (at(in).groups > dense || axis != 0) {
          t.groups = dense;
          t.channel_map.clear();
        }
        box = static_cast<int32_t>(partition_.tensors.size());
        partition_.tensors.push_back(std::move(t));
      }
      boxes[i] = box;
      if (axis == 0) {
        for (uint32_t c = 0; c < at(box).channels; ++c) map.push_back(groups * cp + at(box).Physical(c));
        MakeView(box, result, groups, 0, 0);
        groups += at(box).groups;
      } else {
        MakeView(box, result, 0, axis == 1 ? offset : 0, axis == 2 ? offset : 0);
        offset += axis == 1 ? at(box).height : at(box).width;
      }
    }
    if (axis == 0) {
      OverlayTensor& t = at(result);
      t.groups = groups;
      t.channel_map = std::move(map);
      DropIdentity(&t);
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (boxes[i] == inputs[i]) {
        ready_[result] = std::max(ready_[result], ready_[inputs[i]]);
        continue;
      }
      const bool moves =
          at(inputs[i]).groups != at(boxes[i]).groups || at(inputs[i]).channel_map != at(boxes[i]).channel_map;
      XRUN_ASSIGN_OR_RETURN(
          Layer layer, moves ? IdentityLayer(at(inputs[i]), at(boxes[i])) : CopyLayer(at(inputs[i]), at(boxes[i])));
      layer.input = inputs[i];
      layer.output = boxes[i];
      AddLayer(std::move(layer), id);
    }
    return {};
  }

  static void DropIdentity(OverlayTensor* t) {
    for (uint32_t c = 0; c < t->channel_map.size(); ++c) {
      if (t->channel_map[c] != c) return;
    }
    t->channel_map.clear();
  }

  /// A box of the input where steps are 1 (channels: any step), else a strided copy.
  Status AddSlice(NodeId id, const Node& node) {
    const auto& attrs = node.as<SliceAttrs>();
    XRUN_ASSIGN_OR_RETURN(int32_t in, TensorOf(node.inputs[0], true));
    XRUN_ASSIGN_OR_RETURN(in, Boxable(in, node.inputs[0], id));
    const size_t rank = graph_.at(node.inputs[0]).shape.size();
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
    XRUN_ASSIGN_OR_RETURN(const int32_t result, NewTensor(node.outputs[0]));
    std::vector<uint32_t> physical;
    for (uint32_t c = 0; c < at(result).channels; ++c) {
      physical.push_back(at(in).Physical(static_cast<uint32_t>(begin[0] + c * step[0])));
    }
    return BoxOrCopy(id, in, result, std::move(physical), {begin[1], begin[2]}, {step[1], step[2]});
  }

  /// Makes `result` the box of `in` that begins at row and column `begin`, with its channels at these physical places;
  /// a strided copy where steps are not 1, a copy where parameters differ.
  Status BoxOrCopy(NodeId id, int32_t in, int32_t result, std::vector<uint32_t> physical, std::array<int64_t, 2> begin,
                   std::array<int64_t, 2> step) {
    const uint32_t cp = config_.channels;
    const auto [lo, hi] = std::minmax_element(physical.begin(), physical.end());
    const uint32_t group0 = *lo / cp, groups = *hi / cp - group0 + 1;
    for (uint32_t& p : physical) p -= group0 * cp;

    // The box itself, with the input's parameters, at full resolution.
    OverlayTensor box = at(result);
    box.scale = at(in).scale;
    box.zero_point = at(in).zero_point;
    box.groups = groups;
    box.channel_map = physical;
    DropIdentity(&box);
    const bool strided = step[0] != 1 || step[1] != 1;
    const bool same = at(in).scale == at(result).scale && at(in).zero_point == at(result).zero_point;
    if (!strided && same && !options_.separate) {
      at(result) = box;
      MakeView(result, in, group0, static_cast<uint32_t>(begin[0]), static_cast<uint32_t>(begin[1]));
      ready_[result] = ready_.contains(in) ? ready_[in] : -1;
      return {};
    }
    box.name += ".box";
    if (strided) {
      box.height = at(in).height - static_cast<uint32_t>(begin[0]);
      box.width = at(in).width - static_cast<uint32_t>(begin[1]);
    }
    const auto index = static_cast<int32_t>(partition_.tensors.size());
    partition_.tensors.push_back(std::move(box));
    MakeView(index, in, group0, static_cast<uint32_t>(begin[0]), static_cast<uint32_t>(begin[1]));
    XRUN_ASSIGN_OR_RETURN(Layer layer, IdentityLayer(at(index), at(result)));
    layer.input = index;
    layer.output = result;
    layer.stride_h = static_cast<uint32_t>(step[0]);
    layer.stride_w = static_cast<uint32_t>(step[1]);
    producer_[result] = static_cast<int32_t>(partition_.layers.size());
    AddLayer(std::move(layer), id);
    return {};
  }

  /// Channels picked by constant indices: a view of the groups that hold them. Where one is picked twice, a copy: a
  /// view has at each place one channel.
  Status AddGather(NodeId id, const Node& node) {
    XRUN_ASSIGN_OR_RETURN(int32_t in, TensorOf(node.inputs[0], true));
    XRUN_ASSIGN_OR_RETURN(in, Boxable(in, node.inputs[0], id));
    XRUN_ASSIGN_OR_RETURN(const int32_t result, NewTensor(node.outputs[0]));
    const auto* indices = graph_.at(node.inputs[1]).data<int64_t>();
    if (std::set<int64_t>(indices, indices + at(result).channels).size() != at(result).channels) {
      OverlayTensor picked = at(in);
      picked.channels = at(result).channels;
      XRUN_ASSIGN_OR_RETURN(Layer layer, IdentityLayer(picked, at(result)));
      std::copy_n(indices, picked.channels, layer.source.begin());
      layer.input = in;
      layer.output = result;
      producer_[result] = static_cast<int32_t>(partition_.layers.size());
      AddLayer(std::move(layer), id);
      return {};
    }
    std::vector<uint32_t> physical;
    for (uint32_t c = 0; c < at(result).channels; ++c)
      physical.push_back(at(in).Physical(static_cast<uint32_t>(indices[c])));
    return BoxOrCopy(id, in, result, std::move(physical), {0, 0}, {1, 1});
  }

  /// Constant padding: a copy whose taps outside read the quantized padding value, with zero channels around.
  Status AddPad(NodeId id, const Node& node) {
    const auto& attrs = node.as<PadAttrs>();
    XRUN_ASSIGN_OR_RETURN(const int32_t in, TensorOf(node.inputs[0], true));
    const size_t rank = graph_.at(node.inputs[0]).shape.size();
    std::array<int64_t, 3> before{0, 0, 0};
    for (size_t a = 0; a < rank; ++a) {
      const int axis = OverlayAxis(rank, static_cast<int64_t>(a));
      if (attrs.before[a] == 0 && attrs.after[a] == 0) continue;
      if (axis < 0) return Failure{"padding of the batch is not supported on the overlay", "leave the node in float"};
      if (axis == 0 && attrs.value != 0) {
        return Failure{"channels padded with a value other than zero are not supported on the overlay",
                       "leave the node in float"};
      }
      if (attrs.before[a] < 0 || attrs.after[a] < 0)
        return Failure{"negative padding is not supported on the overlay", ""};
      before[static_cast<size_t>(axis)] = attrs.before[a];
    }
    XRUN_ASSIGN_OR_RETURN(const int32_t result, NewTensor(node.outputs[0]));
    XRUN_ASSIGN_OR_RETURN(Layer layer, IdentityLayer(at(in), at(result), static_cast<uint32_t>(before[0])));
    layer.input = in;
    layer.output = result;
    layer.pad_top = static_cast<int32_t>(before[1]);
    layer.pad_left = static_cast<int32_t>(before[2]);
    layer.fill = QuantizedConstant(attrs.value, at(in));
    producer_[result] = static_cast<int32_t>(partition_.layers.size());
    AddLayer(std::move(layer), id);
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

  /// An operand of lower rank than the result is broadcast as ONNX says: its last axis stands for the result's last.
  Result<int32_t> BinaryOperand(const Node& node, size_t index) {
    const ValueId id = node.inputs[index];
    const size_t rank = graph_.at(node.outputs[0]).shape.size();
    Value aligned = graph_.at(id);
    if (aligned.shape.size() >= rank) return TensorOf(id, true);
    aligned.shape.insert(aligned.shape.begin(), rank - aligned.shape.size(), 1);
    XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(aligned));
    if (aligned.is_constant()) {
      const auto index_of = static_cast<int32_t>(partition_.tensors.size());
      partition_.tensors.push_back(MakeTensor(id, dims));
      at(index_of).base = kBaseWeights;
      at(index_of).constant = aligned.data<int8_t>();
      return index_of;
    }
    XRUN_ASSIGN_OR_RETURN(const int32_t tensor, TensorOf(id, true));
    if (dims != std::array<uint32_t, 3>{at(tensor).channels, at(tensor).height, at(tensor).width}) {
      return Failure{"operand '" + aligned.name + "' of lower rank is broadcast along other axes than its layout has",
                     "reshape it to the result's rank in the model"};
    }
    return tensor;
  }

  Result<int32_t> NewTensor(ValueId id) {
    const Value& value = graph_.at(id);
    XRUN_ASSIGN_OR_RETURN(const auto dims, OverlayDims(value));
    const auto index = static_cast<int32_t>(partition_.tensors.size());
    partition_.tensors.push_back(MakeTensor(id, dims));
    tensor_of_[id] = index;
    return index;
  }

  OverlayTensor MakeTensor(ValueId id, const std::array<uint32_t, 3>& dims) const {
    const Value& value = graph_.at(id);
    OverlayTensor t;
    t.name = value.name;
    t.value = id;
    t.channels = dims[0];
    t.height = dims[1];
    t.width = dims[2];
    t.groups = (dims[0] + config_.channels - 1) / config_.channels;
    t.scale = value.quant->scale[0];
    t.zero_point = value.quant->zero_point[0];
    return t;
  }

  /// The layer that makes `id`, if `node` is its only reader and it can therefore take the node into its output stage.
  Layer* FusableProducer(ValueId id) {
    if (graph_.IsOutput(id) || graph_.Consumers(id).size() != 1) return nullptr;
    const auto tensor = tensor_of_.find(id);
    if (tensor == tensor_of_.end()) return nullptr;
    const auto layer = producer_.find(tensor->second);
    if (layer == producer_.end()) return nullptr;
    if (at(tensor->second).value != id || at(tensor->second).is_view()) return nullptr;
    return &partition_.layers[static_cast<size_t>(layer->second)];
  }

  bool TryFuseTable(const Node& node, NodeId id) {
    if (node.op != Op::kUnary || node.as<UnaryAttrs>().chain.empty()) return false;
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
      if (layer->cell_h != 1 || layer->cell_w != 1) continue;  // residuals are read without steps
      if (partition_.tensors[static_cast<size_t>(other)].constant != nullptr) continue;
      const auto index = static_cast<int32_t>(layer - partition_.layers.data());
      const auto made = ready_.find(other);
      if (made != ready_.end() && made->second >= index) continue;  // not there yet when the convolution runs
      if (layer->groups != 1 && !at(other).channel_map.empty()) continue;
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
    TakeChannels(at(other), &at(main));
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

  void ListInside(const std::vector<NodeId>& nodes) {
    for (NodeId id : nodes) {
      for (ValueId value : graph_.nodes[static_cast<size_t>(id)].outputs) {
        const auto it = tensor_of_.find(value);
        if (it == tensor_of_.end()) continue;
        const OverlayTensor& t = at(it->second);
        if (RootOf(t).base == kBaseWorkspace && !IsInput(t.parent == kNone ? it->second : t.parent)) {
          partition_.inside.push_back({value, it->second});
        }
      }
    }
  }

  const OverlayTensor& RootOf(const OverlayTensor& t) { return t.is_view() ? at(t.parent) : t; }

  bool IsInput(int32_t tensor) const {
    return std::any_of(partition_.inputs.begin(), partition_.inputs.end(),
                       [&](const Partition::Port& port) { return port.tensor == tensor; });
  }

  Status BindOutputs(const std::vector<NodeId>& nodes) {
    std::set<int32_t> bound;
    for (NodeId id : nodes) {
      for (ValueId value : graph_.nodes[static_cast<size_t>(id)].outputs) {
        if (!LeavesPartition(value) || !tensor_of_.contains(value)) continue;
        int32_t tensor = tensor_of_[value];
        if (at(tensor).reshaped) tensor = at(tensor).parent;  // the same row-major order
        if (options_.separate || !ready_.contains(tensor) || at(tensor).is_view() || bound.contains(tensor)) {
          // A view of an input, or of a tensor that is bound already: a register needs a copy of its own.
          XRUN_ASSIGN_OR_RETURN(tensor, AddCopy(tensor, value, graph_.Producer(value)));
        }
        bound.insert(tensor);
        OverlayTensor& t = partition_.tensors[static_cast<size_t>(tensor)];
        BindPort(kBaseOutput0, kMaxOutputs, partition_.outputs, &t);
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

  /// A dense copy in memory of its own.
  Result<int32_t> AddCopy(int32_t from, ValueId value, NodeId id) {
    OverlayTensor t = at(from);
    t.name = graph_.at(value).name;
    t.value = value;
    t.base = kBaseWorkspace;
    t.constant = nullptr;
    t.parent = kNone;
    t.reshaped = false;
    t.group0 = t.y0 = t.x0 = 0;
    t.groups = (t.channels + config_.channels - 1) / config_.channels;
    t.channel_map.clear();
    const auto index = static_cast<int32_t>(partition_.tensors.size());
    partition_.tensors.push_back(std::move(t));
    const bool moves = at(from).groups != at(index).groups || !at(from).channel_map.empty();
    XRUN_ASSIGN_OR_RETURN(Layer layer, moves ? IdentityLayer(at(from), at(index)) : CopyLayer(at(from), at(index)));
    layer.input = from;
    layer.output = index;
    AddLayer(std::move(layer), id);
    return index;
  }

  void BindInputs() {
    std::vector<Partition::Port> inputs;
    for (const Partition::Port& port : partition_.inputs) {
      BindPort(kBaseInput0, kMaxInputs, inputs, &at(port.tensor));
      inputs.push_back(port);
    }
  }

  /// A register of its own for each port; those beyond the last register follow on each other in its buffer.
  void BindPort(int first_register, int registers, const std::vector<Partition::Port>& before, OverlayTensor* t) {
    const int last = registers - 1, index = static_cast<int>(before.size());
    t->base = static_cast<uint8_t>(first_register + std::min(index, last));
    t->offset = 0;
    if (index <= last) return;
    const OverlayTensor& neighbour = at(before.back().tensor);
    t->offset = neighbour.offset + neighbour.words() * config_.channels;
  }

  static bool IsBinary(Op op) { return op == Op::kAdd || op == Op::kSub || op == Op::kMul; }

  const Graph& graph_;
  const HardwareConfig& config_;
  const LowerOptions& options_;
  Partition partition_;
  std::set<NodeId> inside_;
  std::map<ValueId, int32_t> tensor_of_;
  std::map<int32_t, int32_t> producer_;  ///< tensor → the one layer that makes it, for tensors of one layer
  std::map<int32_t, int32_t> ready_;     ///< tensor → layer after which it is complete
  std::set<int32_t> parents_;            ///< tensors that have views
};

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
      XRUN_ASSIGN_OR_RETURN(Partition partition, PartitionBuilder(graph, config, options).Build(step.nodes, refused));
      if (partition.layers.empty()) continue;
      model.steps.push_back({static_cast<uint32_t>(model.partitions.size()), kNone});
      model.partitions.push_back(std::move(partition));
      continue;
    }
    for (NodeId id : step.nodes) {
      const Node& node = graph.nodes[static_cast<size_t>(id)];
      if (IsQuantizedOperator(graph, node) && !OnlyMoves(graph, node) && node.cpu_reason.empty()) {
        *refused = id;
        return Failure{"node '" + node.name + "' (" + std::string(Name(node.op)) +
                           "): the overlay has no instruction for this operator",
                       ""};
      }
      model.steps.push_back({std::nullopt, id});
    }
  }
  return model;
}

}  // namespace xrun::compiler
