#include "compiler/passes/rewrite.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace xrun::compiler {

Rewriter::Rewriter(Graph& graph)
    : graph_(graph),
      producer_(graph.values.size(), kNone),
      uses_(graph.values.size(), 0),
      is_output_(graph.values.size(), 0),
      removed_(graph.nodes.size(), 0),
      alias_(graph.values.size(), kNone) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (ValueId id : graph.nodes[n].outputs) producer_[static_cast<size_t>(id)] = static_cast<NodeId>(n);
    for (ValueId id : graph.nodes[n].inputs) {
      if (id != kNone) ++uses_[static_cast<size_t>(id)];
    }
    node_names_.insert(graph.nodes[n].name);
  }
  for (ValueId id : graph.outputs) is_output_[static_cast<size_t>(id)] = 1;
  for (const Value& value : graph.values) value_names_.insert(value.name);
}

ValueId Rewriter::Resolve(ValueId id) const {
  while (id != kNone && alias_[static_cast<size_t>(id)] != kNone) id = alias_[static_cast<size_t>(id)];
  return id;
}

Node* Rewriter::Producer(ValueId id) {
  const NodeId n = producer_[static_cast<size_t>(Resolve(id))];
  return n == kNone ? nullptr : &graph_.nodes[static_cast<size_t>(n)];
}

bool Rewriter::ReadOnce(ValueId id) const {
  const auto v = static_cast<size_t>(Resolve(id));
  return uses_[v] == 1 && is_output_[v] == 0;
}

bool Rewriter::IsFloatConstant(ValueId id) const {
  return id != kNone && graph_.at(id).is_constant() && graph_.at(id).dtype == DType::kFloat32;
}

void Rewriter::AddOrigin(Node& to, const Node& from) {
  for (const std::string& name : from.origin) {
    if (std::find(to.origin.begin(), to.origin.end(), name) == to.origin.end()) to.origin.push_back(name);
  }
}

void Rewriter::FuseInto(Node& into, Node& node) {
  for (ValueId id : node.inputs) {
    if (id != kNone) --uses_[static_cast<size_t>(Resolve(id))];
  }
  producer_[static_cast<size_t>(into.outputs[0])] = kNone;
  into.outputs = node.outputs;
  producer_[static_cast<size_t>(into.outputs[0])] = static_cast<NodeId>(Index(into));
  AddOrigin(into, node);
  removed_[Index(node)] = 1;
  changed_ = true;
}

void Rewriter::Bypass(Node& node) {
  const ValueId from = Resolve(node.inputs[0]), to = node.outputs[0];
  Node* producer = Producer(from);
  if (is_output_[static_cast<size_t>(to)] != 0) {
    // The model's output keeps its name: the producer writes it directly.
    if (producer == nullptr || is_output_[static_cast<size_t>(from)] != 0) return;
    producer->outputs[0] = to;
    producer_[static_cast<size_t>(to)] = static_cast<NodeId>(Index(*producer));
    alias_[static_cast<size_t>(from)] = to;
    uses_[static_cast<size_t>(to)] += uses_[static_cast<size_t>(from)] - 1;
  } else {
    alias_[static_cast<size_t>(to)] = from;
    uses_[static_cast<size_t>(from)] += uses_[static_cast<size_t>(to)] - 1;
  }
  if (producer != nullptr) AddOrigin(*producer, node);
  removed_[Index(node)] = 1;
  changed_ = true;
}

void Rewriter::SetInput(Node& node, size_t i, ValueId value) {
  if (node.inputs[i] != kNone) --uses_[static_cast<size_t>(Resolve(node.inputs[i]))];
  node.inputs[i] = value;
  ++uses_[static_cast<size_t>(Resolve(value))];
  changed_ = true;
}

void Rewriter::Replace(Node& node, Op op, Attributes attrs, std::vector<ValueId> inputs) {
  for (ValueId id : inputs) ++uses_[static_cast<size_t>(Resolve(id))];
  for (ValueId id : node.inputs) {
    if (id != kNone) --uses_[static_cast<size_t>(Resolve(id))];
  }
  node.op = op;
  node.attrs = std::move(attrs);
  node.inputs = std::move(inputs);
  changed_ = true;
}

std::string Rewriter::UniqueValueName(const std::string& base) {
  std::string name = base;
  for (int n = 1; !value_names_.insert(name).second; ++n) name = base + "." + std::to_string(n);
  return name;
}

std::string Rewriter::UniqueNodeName(const std::string& base) {
  std::string name = base;
  for (int n = 1; !node_names_.insert(name).second; ++n) name = base + "." + std::to_string(n);
  return name;
}

ValueId Rewriter::AddValue(const std::string& name, Shape shape) {
  Value value;
  value.name = UniqueValueName(name);
  value.shape = std::move(shape);
  producer_.push_back(kNone);
  uses_.push_back(0);
  is_output_.push_back(0);
  alias_.push_back(kNone);
  return graph_.AddValue(std::move(value));
}

ValueId Rewriter::AddFloats(const std::string& name, Shape shape, const std::vector<float>& values) {
  const ValueId id = AddValue(name, std::move(shape));
  const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
  graph_.at(id).constant = std::make_shared<const std::vector<uint8_t>>(bytes, bytes + values.size() * sizeof(float));
  return id;
}

bool Rewriter::Finish() {
  if (!changed_) return false;
  std::vector<Node> nodes;
  const auto by_place = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(before_.begin(), before_.end(), by_place);
  std::stable_sort(after_.begin(), after_.end(), by_place);
  size_t next_before = 0, next_after = 0;
  const auto take = [&](std::vector<std::pair<size_t, Node>>& list, size_t& next, size_t n) {
    for (; next < list.size() && list[next].first == n; ++next) nodes.push_back(std::move(list[next].second));
  };
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    take(before_, next_before, n);
    if (removed_[n] == 0) nodes.push_back(std::move(graph_.nodes[n]));
    take(after_, next_after, n);
  }
  graph_.nodes = std::move(nodes);
  for (Node& node : graph_.nodes) {
    for (ValueId& id : node.inputs) id = Resolve(id);
  }
  graph_.RemoveDead();
  return true;
}

bool IsFoldableLinear(const Rewriter& rewriter, const Node& node) {
  if (node.op != Op::kConv && node.op != Op::kConvTranspose && node.op != Op::kFullyConnected) return false;
  if (node.clamp || !rewriter.IsFloatConstant(node.inputs[1])) return false;
  return node.inputs.size() < 3 || node.inputs[2] == kNone || rewriter.IsFloatConstant(node.inputs[2]);
}

size_t ChannelAxis(const Graph& graph, const Node& linear) {
  return linear.op == Op::kFullyConnected ? graph.at(linear.outputs[0]).shape.size() - 1 : 1;
}

Status ScaleOutput(Rewriter& rewriter, Node& linear, const std::vector<double>& scale, const std::vector<double>& shift,
                   const std::string& suffix) {
  Graph& graph = rewriter.graph();
  const auto not_finite = [&] {
    return Failure{"node '" + linear.name + "': folding " + suffix + " gives weights that are not finite", ""};
  };
  const Shape shape = graph.at(linear.inputs[1]).shape;
  const std::string weights_name = graph.at(linear.inputs[1]).name;
  const auto channels = static_cast<int64_t>(scale.size());
  const float* old = graph.at(linear.inputs[1]).data<float>();
  std::vector<float> weights(old, old + Elements(shape));
  // Conv [M,..] and FullyConnected [M,K]: the first axis is the channel. ConvTranspose [C,M/g,..]: the second, within
  // the group that the first axis belongs to.
  const bool transpose = linear.op == Op::kConvTranspose;
  const int64_t inner = transpose ? shape[2] * shape[3] : Elements(shape) / shape[0];
  const int64_t groups = transpose ? linear.as<ConvAttrs>().groups : 1;
  for (size_t i = 0; i < weights.size(); ++i) {
    const int64_t outer = static_cast<int64_t>(i) / inner;
    const int64_t channel = transpose ? outer % shape[1] + (outer / shape[1]) / (shape[0] / groups) * shape[1] : outer;
    weights[i] = static_cast<float>(weights[i] * scale[static_cast<size_t>(channel)]);
    if (!std::isfinite(weights[i])) return not_finite();
  }
  const bool has_bias = linear.inputs.size() > 2 && linear.inputs[2] != kNone;
  std::vector<float> bias(scale.size());
  for (size_t c = 0; c < bias.size(); ++c) {
    const double before = has_bias ? graph.at(linear.inputs[2]).data<float>()[c] : 0.0;
    bias[c] = static_cast<float>(before * scale[c] + shift[c]);
    if (!std::isfinite(bias[c])) return not_finite();
  }
  const std::string bias_name = has_bias ? graph.at(linear.inputs[2]).name + "." + suffix : linear.name + ".bias";
  rewriter.SetInput(linear, 1, rewriter.AddFloats(weights_name + "." + suffix, shape, weights));
  if (linear.inputs.size() < 3) linear.inputs.push_back(kNone);
  rewriter.SetInput(linear, 2, rewriter.AddFloats(bias_name, {channels}, bias));
  return {};
}

}  // namespace xrun::compiler
