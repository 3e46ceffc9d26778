#include "compiler/quantize/equalize.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "compiler/quantize/float_constants.h"
#include "compiler/quantize/quantize_weights.h"

namespace xrun::compiler {
namespace {

/// Factors of one convolution stay within this ratio of each other: beyond, a channel is noise.
constexpr double kLargestRatio = 256;

bool Commutes(const std::optional<Clamp>& clamp) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return !clamp || ((clamp->lo == 0 || clamp->lo == -kInfinity) && (clamp->hi == 0 || clamp->hi == kInfinity));
}

bool Commutes(const UnaryFunction& f) {
  switch (f.kind) {
    case UnaryKind::kLeakyRelu:
    case UnaryKind::kNeg:
    case UnaryKind::kAbs:
      return true;
    case UnaryKind::kAffine:
      return f.b == 0;
    case UnaryKind::kClip:
      return f.a == 0 && std::isinf(f.b);
    default:
      return false;
  }
}

/// What the channels of one value reach before they are multiplied with weights again.
struct Reach {
  std::vector<ValueId> values;
  std::vector<size_t> products;  ///< nodes whose input 0 is one of the values
};

class Equalizer {
 public:
  Equalizer(Graph& graph, const std::vector<std::vector<ChannelRange>>& ranges) : graph_(graph), ranges_(ranges) {
    readers_.resize(graph.values.size());
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      for (ValueId id : graph.nodes[n].inputs) {
        if (id != kNone) readers_[static_cast<size_t>(id)].push_back(n);
      }
    }
  }

  std::vector<std::string> Run() {
    std::vector<std::string> names;
    for (Node& node : graph_.nodes) {
      if (node.op == Op::kConv && Try(node)) names.push_back(node.name);
    }
    return names;
  }

  /// Has the readers of `id` multiply its channels with these factors; false, and nothing done, when one cannot.
  bool Multiply(ValueId id, const std::vector<double>& factors) {
    Reach reach;
    if (!Reaches(id, static_cast<int64_t>(factors.size()), &reach)) return false;
    Absorb(reach, factors);
    return true;
  }

 private:
  const Value& at(ValueId id) const { return graph_.at(id); }

  bool HasFloatWeights(const Node& node) const {
    const auto constant = [&](size_t i) {
      if (node.inputs.size() <= i || node.inputs[i] == kNone) return i == 2;
      return at(node.inputs[i]).is_constant() && at(node.inputs[i]).dtype == DType::kFloat32;
    };
    return constant(1) && constant(2) && !OnGrid(graph_, node);
  }

  /// False when some reader does not commute with factors per channel.
  bool Follow(ValueId id, int64_t channels, Reach* reach) const {
    if (graph_.IsOutput(id)) return false;
    reach->values.push_back(id);
    for (size_t n : readers_[static_cast<size_t>(id)]) {
      const Node& node = graph_.nodes[n];
      switch (node.op) {
        case Op::kConv:
        case Op::kFullyConnected:
          if (node.inputs[0] != id || !HasFloatWeights(node)) return false;
          if (node.op == Op::kFullyConnected && at(id).shape != Shape{1, channels}) return false;
          reach->products.push_back(n);
          continue;
        case Op::kUnary: {
          const auto& chain = node.as<UnaryAttrs>().chain;
          if (!std::all_of(chain.begin(), chain.end(), [](const UnaryFunction& f) { return Commutes(f); }))
            return false;
          break;
        }
        case Op::kMul:
          if (node.inputs[0] == node.inputs[1] || at(node.outputs[0]).shape != at(id).shape) return false;
          break;
        case Op::kReshape:
          if (at(node.outputs[0]).shape != Shape{1, channels}) return false;
          break;
        case Op::kMaxPool:
        case Op::kAveragePool:
        case Op::kResize:
          break;
        default:
          return false;
      }
      if (!Commutes(node.clamp) || !Follow(node.outputs[0], channels, reach)) return false;
    }
    return true;
  }

  /// Whether all that `id` reaches takes factors per channel, and something makes up for them.
  bool Reaches(ValueId id, int64_t channels, Reach* reach) const {
    if (!Follow(id, channels, reach) || reach->products.empty()) return false;
    std::vector<ValueId> values = reach->values;
    std::sort(values.begin(), values.end());
    return std::adjacent_find(values.begin(), values.end()) == values.end();  // else it joins itself in a Mul
  }

  /// For each input channel, its largest share of what an output channel of the product reaches.
  void AddShares(const Node& product, std::vector<double>* shares) const {
    const Shape& shape = at(product.inputs[1]).shape;
    const float* weights = at(product.inputs[1]).data<float>();
    const int64_t groups = product.op == Op::kConv ? product.as<ConvAttrs>().groups : 1;
    const int64_t inputs = shape[1], kernel = Elements(shape) / (shape[0] * inputs), rows = shape[0] / groups;
    if (inputs == 1) return;  // depthwise: the row's own scale takes any factor
    for (int64_t o = 0; o < shape[0]; ++o) {
      const float* row = weights + o * inputs * kernel;
      float most = 0;
      for (int64_t i = 0; i < inputs * kernel; ++i) most = std::max(most, std::fabs(row[i]));
      if (most == 0) continue;
      for (int64_t c = 0; c < inputs; ++c) {
        float largest = 0;
        for (int64_t k = 0; k < kernel; ++k) largest = std::max(largest, std::fabs(row[c * kernel + k]));
        double& share = (*shares)[static_cast<size_t>(o / rows * inputs + c)];
        share = std::max(share, static_cast<double>(largest / most));
      }
    }
  }

  bool Try(Node& node) {
    if (!HasFloatWeights(node) || !Commutes(node.clamp)) return false;
    const ValueId out = node.outputs[0];
    if (static_cast<size_t>(out) >= ranges_.size()) return false;  // made by a split
    const std::vector<ChannelRange>& ranges = ranges_[static_cast<size_t>(out)];
    const auto channels = static_cast<int64_t>(ranges.size());
    Reach reach;
    if (channels < 2 || !Reaches(out, channels, &reach)) return false;
    std::vector<double> shares(ranges.size(), 0.0);
    for (size_t n : reach.products) AddShares(graph_.nodes[n], &shares);
    std::vector<double> factors(ranges.size(), 0.0);
    double most = 0;
    for (size_t c = 0; c < factors.size(); ++c) {
      const auto range = static_cast<double>(ranges[c].largest);
      if (range == 0) continue;
      // Activations m/s and weights u·s are equally far from their largest for s = sqrt(m/u); depthwise readers do not
      // mind any factor.
      factors[c] = shares[c] == 0 ? range : std::sqrt(range / shares[c]);
      most = std::max(most, factors[c]);
    }
    if (most == 0) return false;
    for (double& f : factors) f = f == 0 ? 1 : std::max(f / most, 1 / kLargestRatio);
    ScaleRows(node, factors);
    Absorb(reach, factors);
    return true;
  }

  void Absorb(const Reach& reach, const std::vector<double>& factors) {
    for (size_t n : reach.products) ScaleInputs(graph_.nodes[n], factors);
    for (ValueId id : reach.values) graph_.at(id).name = graph_.UniqueName(at(id).name + ".equalized");
  }

  ValueId Rewritten(ValueId id, const std::vector<float>& data) {
    Value value = at(id);
    value.name = graph_.UniqueName(value.name + ".equalized");
    value.constant = CopyBytes(data.data(), data.size() * sizeof(float));
    readers_.emplace_back();
    return graph_.AddValue(std::move(value));
  }

  /// Output channel c becomes 1 / factors[c] of itself.
  void ScaleRows(Node& node, const std::vector<double>& factors) {
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNone) continue;
      std::vector<float> data = Floats(graph_, node.inputs[i]);
      const size_t inner = data.size() / factors.size();
      for (size_t k = 0; k < data.size(); ++k) {
        data[k] = static_cast<float>(static_cast<double>(data[k]) / factors[k / inner]);
      }
      node.inputs[i] = Rewritten(node.inputs[i], data);
    }
  }

  void ScaleInputs(Node& product, const std::vector<double>& factors) {
    const Shape shape = at(product.inputs[1]).shape;
    const int64_t groups = product.op == Op::kConv ? product.as<ConvAttrs>().groups : 1;
    const int64_t inputs = shape[1], kernel = Elements(shape) / (shape[0] * inputs), rows = shape[0] / groups;
    std::vector<float> data = Floats(graph_, product.inputs[1]);
    for (int64_t o = 0; o < shape[0]; ++o) {
      for (int64_t c = 0; c < inputs; ++c) {
        const double factor = factors[static_cast<size_t>(o / rows * inputs + c)];
        for (int64_t k = 0; k < kernel; ++k) {
          float& w = data[static_cast<size_t>((o * inputs + c) * kernel + k)];
          w = static_cast<float>(static_cast<double>(w) * factor);
        }
      }
    }
    product.inputs[1] = Rewritten(product.inputs[1], data);
  }

  Graph& graph_;
  const std::vector<std::vector<ChannelRange>>& ranges_;
  std::vector<std::vector<size_t>> readers_;
};

}  // namespace

namespace {

/// Channels of one part, in ascending order, and how much further those of the furthest part reach.
struct Part {
  std::vector<size_t> channels;
  double ratio = 1;
};

/// Every part costs a group of channels in each layer that reads them: it must save this share of the channels.
constexpr double kLeastGain = 0.003;
constexpr size_t kMostParts = 3;

/// Rounding noise of a channel in units of its own variance, for a scale that reaches as far as `largest`; a channel
/// cannot lose more than all it has. What hardly varies anywhere carries nothing.
double NoiseShare(const ChannelRange& channel, double largest) {
  const double deviation = channel.deviation();
  if (deviation <= 1e-6 * largest) return 0;
  const double step = largest / 255;
  return std::min(1.0, step * step / 12 / (deviation * deviation));
}

/// The parts of the best splits by reach that are worth it, the furthest first; one when none is.
std::vector<Part> FindParts(const std::vector<ChannelRange>& channels) {
  std::vector<size_t> order(channels.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return channels[a].largest > channels[b].largest; });
  const auto reach = [&](size_t i) { return static_cast<double>(channels[order[i]].largest); };
  const double most = reach(0);
  const auto noise = [&](size_t first, size_t last) {
    double sum = 0;
    for (size_t i = first; i < last; ++i) sum += NoiseShare(channels[order[i]], reach(first));
    return sum;
  };
  std::vector<size_t> bounds = {0, order.size()};
  for (double whole = noise(0, order.size()); most > 0 && bounds.size() <= kMostParts;) {
    double best = whole;
    size_t at = 0;
    for (size_t p = 0; p + 1 < bounds.size(); ++p) {
      const double others = whole - noise(bounds[p], bounds[p + 1]);
      for (size_t i = bounds[p] + 1; i < bounds[p + 1]; ++i) {
        const double cost = others + noise(bounds[p], i) + noise(i, bounds[p + 1]);
        if (cost < best) best = cost, at = i;
      }
    }
    if (whole - best < kLeastGain * static_cast<double>(channels.size())) break;
    whole = best;
    bounds.insert(std::upper_bound(bounds.begin(), bounds.end(), at), at);
  }
  std::vector<Part> parts;
  for (size_t p = 0; p + 1 < bounds.size(); ++p) {
    Part part;
    part.channels.assign(order.begin() + static_cast<std::ptrdiff_t>(bounds[p]),
                         order.begin() + static_cast<std::ptrdiff_t>(bounds[p + 1]));
    std::sort(part.channels.begin(), part.channels.end());
    if (p > 0) part.ratio = most / std::max(reach(bounds[p]), most / kLargestRatio);
    parts.push_back(std::move(part));
  }
  return parts;
}

class Splitter {
 public:
  Splitter(Graph& graph, const std::vector<std::vector<ChannelRange>>& ranges) : graph_(graph), ranges_(ranges) {}

  std::vector<std::string> Run() {
    std::vector<std::string> names;
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    std::vector<size_t> uses(graph_.values.size(), 0);
    for (const Node& node : nodes) {
      for (ValueId id : node.inputs) {
        if (id != kNone) ++uses[static_cast<size_t>(id)];
      }
    }
    for (Node& node : nodes) {
      const auto conv = convs_.find(node.inputs.empty() ? kNone : node.inputs[0]);
      if (conv != convs_.end()) {
        std::vector<Part> parts = FindParts(ranges_[static_cast<size_t>(node.outputs[0])]);
        if (parts.size() > 1) {
          names.push_back(conv->second.name);
          Apply(conv->second, node, std::move(parts));
          convs_.erase(conv);
          continue;
        }
        graph_.nodes.push_back(std::move(conv->second));
        convs_.erase(conv);
      }
      if (Splits(node, uses, nodes)) {
        convs_.emplace(node.outputs[0], std::move(node));
      } else {
        graph_.nodes.push_back(std::move(node));
      }
    }
    assert(convs_.empty() && "each has a reader");
    // Where the readers can take it back, the small channels are made as large as the others.
    Equalizer equalizer(graph_, ranges_);
    for (const Done& done : done_) {
      std::vector<double> factors(ranges_[static_cast<size_t>(done.result)].size());
      for (const Part& part : done.parts) {
        for (const size_t c : part.channels) factors[c] = 1 / part.ratio;
      }
      if (!equalizer.Multiply(done.result, factors)) continue;
      for (size_t p = 1; p < done.parts.size(); ++p) {
        auto& chain = graph_.nodes[done.functions[p]].as<UnaryAttrs>().chain;
        chain.push_back({UnaryKind::kAffine, done.parts[p].ratio, 0});
      }
    }
    return names;
  }

 private:
  /// A convolution of all channels whose one reader is a function that does not commute with factors.
  bool Splits(const Node& node, const std::vector<size_t>& uses, const std::vector<Node>& nodes) const {
    if (node.op != Op::kConv || node.clamp || node.as<ConvAttrs>().groups != 1) return false;
    const ValueId out = node.outputs[0];
    if (uses[static_cast<size_t>(out)] != 1 || graph_.IsOutput(out)) return false;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNone) continue;
      const Value& v = graph_.at(node.inputs[i]);
      if (!v.is_constant() || v.dtype != DType::kFloat32) return false;
    }
    if (OnGrid(graph_, node)) return false;
    const auto reader = std::find_if(nodes.begin(), nodes.end(), [&](const Node& n) {
      return !n.inputs.empty() && n.inputs[0] == out && n.op == Op::kUnary;
    });
    if (reader == nodes.end() || reader->clamp) return false;
    const auto& chain = reader->as<UnaryAttrs>().chain;
    return !chain.empty() && !std::all_of(chain.begin(), chain.end(), [](const auto& f) { return Commutes(f); });
  }

  ValueId Like(ValueId id, const std::string& suffix, size_t channels) {
    Value value = graph_.at(id);
    value.name = graph_.UniqueName(value.name + suffix);
    value.constant = nullptr;
    value.shape[1] = static_cast<int64_t>(channels);
    return graph_.AddValue(std::move(value));
  }

  /// The convolution and its function for some of the channels.
  ValueId AddPart(const Node& conv, const Node& function, const std::vector<size_t>& channels,
                  const std::string& suffix) {
    Node product = conv;
    product.name += suffix;
    for (size_t i = 1; i < conv.inputs.size(); ++i) {
      if (conv.inputs[i] != kNone) product.inputs[i] = PickRows(graph_, conv.inputs[i], channels, suffix);
    }
    product.outputs = {Like(conv.outputs[0], suffix, channels.size())};
    Node applied = function;
    applied.name += suffix;
    applied.inputs = product.outputs;
    applied.outputs = {Like(function.outputs[0], suffix, channels.size())};
    const ValueId result = applied.outputs[0];
    graph_.nodes.push_back(std::move(product));
    graph_.nodes.push_back(std::move(applied));
    return result;
  }

  void Apply(const Node& conv, const Node& function, std::vector<Part> parts) {
    Done done;
    done.result = function.outputs[0];
    std::vector<ValueId> made;
    std::vector<int64_t> places(ranges_[static_cast<size_t>(done.result)].size());
    int64_t place = 0;
    for (size_t p = 0; p < parts.size(); ++p) {
      made.push_back(AddPart(conv, function, parts[p].channels, ".part" + std::to_string(p + 1)));
      done.functions.push_back(graph_.nodes.size() - 1);
      for (const size_t c : parts[p].channels) places[c] = place++;
    }
    Node join = function;
    join.name += ".join";
    join.op = Op::kConcat;
    join.attrs = AxisAttrs{1};
    join.inputs = made;
    join.outputs = {Like(done.result, ".joined", places.size())};
    Node order = join;
    order.name = function.name;
    order.op = Op::kGather;
    order.inputs = {join.outputs[0],
                    graph_.AddConstant(graph_.UniqueName(graph_.at(done.result).name + ".order"), DType::kInt64,
                                       {static_cast<int64_t>(places.size())}, places.data())};
    order.outputs = {done.result};
    graph_.nodes.push_back(std::move(join));
    graph_.nodes.push_back(std::move(order));
    done.parts = std::move(parts);
    done_.push_back(std::move(done));
  }

  Graph& graph_;
  const std::vector<std::vector<ChannelRange>>& ranges_;
  std::map<ValueId, Node> convs_;  ///< by their output: kept back until their function comes
  struct Done {
    ValueId result = kNone;         ///< all channels again
    std::vector<size_t> functions;  ///< nodes that apply the function to each part
    std::vector<Part> parts;
  };
  std::vector<Done> done_;
};

}  // namespace

std::vector<std::string> SplitByReach(Graph& graph, const std::vector<std::vector<ChannelRange>>& ranges) {
  return Splitter(graph, ranges).Run();
}

double ChannelRange::deviation() const {
  if (count == 0) return 0;
  return std::sqrt(std::max(0.0, square / count - sum / count * (sum / count)));
}

Result<ChannelRanges> ChannelRanges::Create(const Graph& graph, int threads) {
  XRUN_ASSIGN_OR_RETURN(FloatExecutor executor, FloatExecutor::Create(graph, threads));
  ChannelRanges ranges(std::move(executor));
  ranges.ranges_.resize(graph.values.size());
  return ranges;
}

Status ChannelRanges::Add(std::span<const std::span<const float>> inputs) {
  return executor_.Run(inputs, [&](ValueId id, std::span<const float> values) {
    const Shape& shape = executor_.graph().at(id).shape;
    if (shape.size() < 2 || shape[1] < 1) return;
    std::vector<ChannelRange>& ranges = ranges_[static_cast<size_t>(id)];
    ranges.resize(static_cast<size_t>(shape[1]));
    const size_t channels = ranges.size(), plane = values.size() / (static_cast<size_t>(shape[0]) * channels);
    for (size_t i = 0; i < values.size(); i += plane) {
      ChannelRange& range = ranges[i / plane % channels];
      for (const float value : values.subspan(i, plane)) {
        if (!std::isfinite(value)) continue;
        range.largest = std::max(range.largest, std::fabs(value));
        range.sum += static_cast<double>(value);
        range.square += static_cast<double>(value) * static_cast<double>(value);
        range.count += 1;
      }
    }
  });
}

std::vector<std::string> Equalize(Graph& graph, const std::vector<std::vector<ChannelRange>>& ranges) {
  std::vector<std::string> names = Equalizer(graph, ranges).Run();
  graph.RemoveDead();
  return names;
}

}  // namespace xrun::compiler
