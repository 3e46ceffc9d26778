#include "compiler/quantize/copy_channels.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <set>

#include "compiler/macs.h"
#include "compiler/quantize/float_constants.h"

namespace xrun::compiler {
namespace {

constexpr int kMostCopies = 4;
constexpr char kSuffix[] = ".copies";
/// A step that takes away less of the sum of losses than this is not worth a wider layer; so much less where more than
/// `kUsualMacs` may be added.
constexpr double kLeastGain = 0.01, kUsualMacs = 2;
/// Loss with nothing copied that calls for copies at all.
constexpr double kHarm = 2e-3;

bool IsDepthwise(const Graph& graph, const Node& node) {
  const Shape& weights = graph.at(node.inputs[1]).shape;
  return node.as<ConvAttrs>().groups == weights[0] && weights[1] == 1;
}

/// Channels are axis 1, picked by a list of indices; that they are known makes a Gather quantizable.
bool PicksChannels(const Graph& graph, const Node& node) {
  const Value& indices = graph.at(node.inputs[1]);
  return node.as<AxisAttrs>().axis == 1 && indices.dtype == DType::kInt64 && indices.shape.size() == 1;
}

/// Channels count in whole groups: the overlay's arrays are 8 to 16 channels wide, and what fills a group is free.
constexpr int64_t kGroup = 16, kMostColors = 4;
int64_t WholeGroups(int64_t channels) { return (channels + kGroup - 1) / kGroup * kGroup; }

/// Multiply-accumulates of a convolution with so many times the input and output channels. A depthwise one counts as
/// much as a convolution over one group of channels; of pictures, several taps share a group. `apart`: each copy is a
/// convolution of its own, and where they do not fill their groups, joining them moves every pixel once more.
double Cost(const Graph& graph, const Node& node, int64_t in, int64_t out, bool apart = false) {
  const Shape& weights = graph.at(node.inputs[1]).shape;
  const Shape& result = graph.at(node.outputs[0]).shape;
  const bool depthwise = IsDepthwise(graph, node);
  const bool picture = !depthwise && weights[1] * in <= kMostColors;
  const int64_t inputs = depthwise ? kGroup : picture ? weights[1] * in : WholeGroups(weights[1] * in);
  const int64_t taps = weights[2] * weights[3], pixels = result[0] * result[2] * result[3];
  if (!apart || out == 1) return static_cast<double>(inputs * WholeGroups(weights[0] * out) * taps * pixels);
  const int64_t moved = weights[0] % kGroup == 0 ? 0 : kGroup * WholeGroups(weights[0] * out);
  return static_cast<double>((inputs * WholeGroups(weights[0]) * out * taps + moved) * pixels);
}

/// Follows convolutions to the next ones. What is quantized has constant float weights and bias (select.h).
class Finder {
 public:
  Finder(const Graph& graph, const std::vector<bool>& quantized) : graph_(graph), quantized_(quantized) {
    readers_.resize(graph.values.size());
    producer_.assign(graph.values.size(), kNone);
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      for (ValueId id : graph.nodes[n].inputs) {
        if (id != kNone) readers_[static_cast<size_t>(id)].push_back(static_cast<NodeId>(n));
      }
      for (ValueId id : graph.nodes[n].outputs) producer_[static_cast<size_t>(id)] = static_cast<NodeId>(n);
    }
  }

  std::vector<CopyCandidate> Run() const {
    std::vector<CopyCandidate> found;
    std::set<NodeId> joined;  // in a candidate that an earlier convolution began
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      CopyCandidate candidate;
      if (joined.contains(static_cast<NodeId>(n)) || !Begin(static_cast<NodeId>(n), &candidate)) continue;
      if (candidate.readers.empty()) continue;
      joined.insert(candidate.convs.begin(), candidate.convs.end());
      found.push_back(std::move(candidate));
    }
    return found;
  }

 private:
  const Node& NodeAt(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  /// Adds a convolution over all channels and what follows it; false when it, or what follows, does not take copies.
  bool Begin(NodeId n, CopyCandidate* candidate) const {
    const Node& node = NodeAt(n);
    if (node.op != Op::kConv || !quantized_[static_cast<size_t>(n)] || node.as<ConvAttrs>().groups != 1) return false;
    if (graph_.at(node.outputs[0]).shape[0] != 1) return false;
    candidate->convs.push_back(n);
    return Follow(node.outputs[0], candidate);
  }

  bool Follow(ValueId id, CopyCandidate* candidate) const {
    if (graph_.IsOutput(id)) return false;
    candidate->values.push_back(id);
    for (const NodeId n : readers_[static_cast<size_t>(id)]) {
      const Node& node = NodeAt(n);
      if (!quantized_[static_cast<size_t>(n)]) return false;
      if (node.op == Op::kConcat) {
        if (!Join(n, candidate)) return false;
        continue;
      }
      if (node.inputs[0] != id) return false;
      switch (node.op) {
        case Op::kConv:
          if (node.as<ConvAttrs>().groups == 1) {
            candidate->readers.push_back(n);
            continue;
          }
          if (!IsDepthwise(graph_, node)) return false;
          candidate->depthwise.push_back(n);
          break;
        case Op::kGather:
          if (!PicksChannels(graph_, node)) return false;
          break;
        case Op::kUnary:
        case Op::kMaxPool:
        case Op::kAveragePool:
          break;
        default:
          return false;
      }
      if (!Follow(node.outputs[0], candidate)) return false;
    }
    return true;
  }

  /// A Concat whose operands are convolutions and functions of them. What follows it is followed once.
  bool Join(NodeId n, CopyCandidate* candidate) const {
    const Node& node = NodeAt(n);
    if (node.as<AxisAttrs>().axis != 1) return false;
    auto& values = candidate->values;
    const auto contains = [](const auto& ids, int32_t id) {
      return std::find(ids.begin(), ids.end(), id) != ids.end();
    };
    if (contains(values, node.outputs[0])) return true;
    if (!Follow(node.outputs[0], candidate)) return false;
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      if (contains(values, id)) return true;
      NodeId from = producer_[static_cast<size_t>(id)];
      if (from != kNone && NodeAt(from).op == Op::kUnary) from = producer_[static_cast<size_t>(NodeAt(from).inputs[0])];
      if (from == kNone) return false;
      return contains(candidate->convs, from) || Begin(from, candidate);  // what has begun gets here too
    });
  }

  const Graph& graph_;
  const std::vector<bool>& quantized_;
  std::vector<std::vector<NodeId>> readers_;
  std::vector<NodeId> producer_;
};

/// Rewrites node by node. A value's map says which of its former channels each channel is a copy of; all former
/// channels have equally many copies.
class Copier {
 public:
  using Map = std::vector<size_t>;

  explicit Copier(Graph& graph) : graph_(graph) {}

  void Widen(Node& node, int copies) {
    const auto channels = static_cast<size_t>(graph_.at(node.outputs[0]).shape[1]);
    Map map;
    for (int i = 0; i < copies; ++i) {
      for (size_t c = 0; c < channels; ++c) map.push_back(c);
    }
    WidenRows(node, map);
    Set(node.outputs[0], map);
    SetShifts(node.outputs[0], map);
  }

  /// Passes the copies of the node's input on, if there are any.
  void Pass(Node& node) {
    const auto it = maps_.find(node.inputs.empty() ? kNone : node.inputs[0]);
    if (it == maps_.end()) return;
    const Map& map = it->second;
    if (node.op == Op::kConcat) return Join(node);
    if (node.op == Op::kGather) return Pick(node, map);
    if (node.op == Op::kConv && node.as<ConvAttrs>().groups == 1) return TakeMean(node, map);
    if (node.op == Op::kConv) {
      WidenRows(node, map);
      node.as<ConvAttrs>().groups = static_cast<int64_t>(map.size());
      SetShifts(node.outputs[0], map);
    }
    Set(node.outputs[0], map);
  }

  CopyShifts shifts() && { return std::move(shifts_); }

 private:
  /// How many channels there were.
  static size_t Former(const Map& map) { return *std::max_element(map.begin(), map.end()) + 1; }

  void Join(Node& node) {
    Map joined;
    size_t first = 0;
    for (const ValueId id : node.inputs) {
      const Map& map = maps_.at(id);
      for (const size_t c : map) joined.push_back(first + c);
      first += Former(map);
    }
    Set(node.outputs[0], joined);
  }

  void Pick(Node& node, const Map& map) {
    const ValueId indices = node.inputs[1];
    const auto* picked = graph_.at(indices).data<int64_t>();
    const auto count = static_cast<size_t>(graph_.at(indices).shape[0]);
    const size_t channels = Former(map);
    std::vector<std::vector<int64_t>> places(channels);
    for (size_t i = 0; i < map.size(); ++i) places[map[i]].push_back(static_cast<int64_t>(i));
    std::vector<int64_t> wide;
    Map out;
    for (size_t copy = 0; copy < places[0].size(); ++copy) {
      for (size_t i = 0; i < count; ++i) {
        const int64_t c = picked[i] < 0 ? picked[i] + static_cast<int64_t>(channels) : picked[i];
        wide.push_back(places[static_cast<size_t>(c)][copy]);
        out.push_back(i);
      }
    }
    node.inputs[1] = graph_.AddConstant(graph_.UniqueName(graph_.at(indices).name + kSuffix), DType::kInt64,
                                        {static_cast<int64_t>(wide.size())}, wide.data());
    Set(node.outputs[0], out);
  }

  void Set(ValueId id, const Map& map) {
    graph_.at(id).shape[1] = static_cast<int64_t>(map.size());
    graph_.at(id).name = graph_.UniqueName(graph_.at(id).name + kSuffix);
    maps_[id] = map;
  }

  void SetShifts(ValueId id, const Map& map) {
    const size_t channels = Former(map);
    const auto copies = static_cast<double>(map.size() / channels);
    std::vector<size_t> seen(channels, 0);
    std::vector<double>& shifts = shifts_[id];
    for (const size_t c : map) shifts.push_back((static_cast<double>(seen[c]++) + 0.5) / copies - 0.5);
  }

  ValueId Constant(ValueId like, Shape shape, const std::vector<float>& data) {
    return graph_.AddConstant(graph_.UniqueName(graph_.at(like).name + kSuffix), DType::kFloat32, std::move(shape),
                              data.data());
  }

  /// Rows of weights and bias as the map says; every copied convolution has a bias, to be shifted.
  void WidenRows(Node& node, const Map& map) {
    node.inputs.resize(3, kNone);
    node.inputs[2] = node.inputs[2] != kNone
                         ? PickRows(graph_, node.inputs[2], map, kSuffix)
                         : Constant(node.inputs[1], {static_cast<int64_t>(map.size())}, std::vector<float>(map.size()));
    node.inputs[1] = PickRows(graph_, node.inputs[1], map, kSuffix);
  }

  void TakeMean(Node& node, const Map& map) {
    Shape shape = graph_.at(node.inputs[1]).shape;
    const std::vector<float> weights = Floats(graph_, node.inputs[1]);
    const auto channels = static_cast<size_t>(shape[1]);
    const size_t kernel = weights.size() / (static_cast<size_t>(shape[0]) * channels);
    const auto copies = static_cast<float>(map.size() / channels);
    std::vector<float> shared;
    for (size_t o = 0; o < static_cast<size_t>(shape[0]); ++o) {
      for (const size_t c : map) {
        for (size_t k = 0; k < kernel; ++k) shared.push_back(weights[(o * channels + c) * kernel + k] / copies);
      }
    }
    shape[1] = static_cast<int64_t>(map.size());
    node.inputs[1] = Constant(node.inputs[1], shape, shared);
  }

  Graph& graph_;
  std::map<ValueId, Map> maps_;
  CopyShifts shifts_;
};

/// Gives each copy that a function reads a convolution and a function of its own. A table rounds copies that differ by
/// parts of a step alike or to neighbours, so that behind it its own rounding would hardly be averaged; with a node of
/// its own each copy's result is shifted once more.
class Separator {
 public:
  Separator(Graph& graph, CopyShifts& shifts) : graph_(graph), shifts_(shifts) {
    readers_.assign(graph.values.size(), 0);
    for (const Node& node : graph.nodes) {
      for (const ValueId id : node.inputs) {
        if (id != kNone) ++readers_[static_cast<size_t>(id)];
      }
    }
  }

  void Run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    std::map<ValueId, Node> convs;  // by output, kept back until the function comes
    for (size_t n = 0; n < nodes.size(); ++n) {
      Node& node = nodes[n];
      const ValueId out = node.outputs[0];
      if (node.op == Op::kConv && readers_[static_cast<size_t>(out)] == 1 && OneBehindTheOther(out) &&
          std::any_of(nodes.begin() + static_cast<ptrdiff_t>(n), nodes.end(),
                      [&](const Node& reader) { return reader.op == Op::kUnary && reader.inputs[0] == out; })) {
        convs.emplace(out, std::move(node));
      } else if (const auto it = convs.find(node.inputs.empty() ? kNone : node.inputs[0]); it != convs.end()) {
        Separate(it->second, node);
        convs.erase(it);
      } else {
        graph_.nodes.push_back(std::move(node));
      }
    }
    assert(convs.empty());
  }

 private:
  static size_t Copies(const std::vector<double>& shifts) {
    return std::set<double>(shifts.begin(), shifts.end()).size();
  }

  /// All channels of the first copy, then of the second and so on. Behind a Concat of copies they may alternate.
  bool OneBehindTheOther(ValueId id) const {
    const auto it = shifts_.find(id);
    return it != shifts_.end() && std::is_sorted(it->second.begin(), it->second.end());
  }

  ValueId Part(ValueId like, size_t copy, int64_t channels) {
    Value value = graph_.at(like);
    value.shape[1] = channels;
    value.name = graph_.UniqueName(value.name + std::to_string(copy + 1));
    return graph_.AddValue(std::move(value));
  }

  void Separate(const Node& conv, const Node& function) {
    const ValueId wide = conv.outputs[0], result = function.outputs[0];
    const std::vector<double> shifts = std::move(shifts_.at(wide));
    shifts_.erase(wide);
    const size_t copies = Copies(shifts);
    const auto channels = static_cast<int64_t>(shifts.size() / copies);
    Node join = function;
    join.name += ".join";
    join.op = Op::kConcat;
    join.attrs = AxisAttrs{1};
    join.inputs.clear();
    for (size_t copy = 0; copy < copies; ++copy) {
      const auto first = copy * static_cast<size_t>(channels);
      std::vector<size_t> rows(static_cast<size_t>(channels));
      std::iota(rows.begin(), rows.end(), first);
      const std::string suffix = ".copy" + std::to_string(copy + 1);
      Node part = conv;
      part.name += suffix;
      if (part.as<ConvAttrs>().groups != 1) {
        part.inputs[0] = Slice(conv, suffix, static_cast<int64_t>(first), channels);
        part.as<ConvAttrs>().groups = channels;
      }
      part.inputs[1] = PickRows(graph_, conv.inputs[1], rows, suffix);
      part.inputs[2] = PickRows(graph_, conv.inputs[2], rows, suffix);
      part.outputs = {Part(wide, copy, channels)};
      Node table = function;
      table.name += suffix;
      table.inputs = part.outputs;
      table.outputs = {Part(result, copy, channels)};
      join.inputs.push_back(table.outputs[0]);
      for (const ValueId id : {part.outputs[0], table.outputs[0]}) {
        shifts_[id] = {shifts.begin() + static_cast<ptrdiff_t>(first),
                       shifts.begin() + static_cast<ptrdiff_t>(first) + channels};
      }
      graph_.nodes.push_back(std::move(part));
      graph_.nodes.push_back(std::move(table));
    }
    graph_.nodes.push_back(std::move(join));
  }

  ValueId Slice(const Node& conv, const std::string& suffix, int64_t first, int64_t channels) {
    const ValueId from = conv.inputs[0];
    Node slice = conv;
    slice.name += suffix + ".slice";
    slice.op = Op::kSlice;
    slice.clamp.reset();
    slice.attrs = SliceAttrs{{0, first, 0, 0}, graph_.at(from).shape, {1, 1, 1, 1}};
    slice.as<SliceAttrs>().end[1] = first + channels;
    slice.inputs = {from};
    slice.outputs = {Part(from, static_cast<size_t>(first / channels), channels)};
    graph_.nodes.push_back(slice);
    return slice.outputs[0];
  }

  Graph& graph_;
  CopyShifts& shifts_;
  std::vector<int> readers_;
};

}  // namespace

std::vector<CopyCandidate> FindCopyCandidates(const Graph& graph, const std::vector<bool>& quantized) {
  return Finder(graph, quantized).Run();
}

Result<std::vector<int>> ChooseCopies(const Graph& graph, const std::vector<CopyCandidate>& candidates,
                                      RoundingTrial& trial, const CopyLimits& limits) {
  std::vector<int> copies(candidates.size(), 1);
  std::vector<bool> rounded(graph.values.size(), true);
  XRUN_ASSIGN_OR_RETURN(const double all, trial.Loss(rounded));
  if (all <= kHarm) return copies;
  std::vector<double> losses;
  for (const CopyCandidate& candidate : candidates) {
    rounded.assign(graph.values.size(), false);
    for (const ValueId id : candidate.values) rounded[static_cast<size_t>(id)] = true;
    XRUN_ASSIGN_OR_RETURN(const double loss, trial.Loss(rounded));
    losses.push_back(std::max(0.0, loss));
  }
  std::set<ValueId> function_reads;
  for (const Node& node : graph.nodes) {
    if (node.op == Op::kUnary) function_reads.insert(node.inputs[0]);
  }
  const auto cost = [&](const CopyCandidate& candidate, int times) {
    double sum = 0;
    for (const std::vector<NodeId>* nodes : {&candidate.convs, &candidate.depthwise}) {
      for (const NodeId n : *nodes) {
        const Node& node = graph.nodes[static_cast<size_t>(n)];
        sum += Cost(graph, node, 1, times, function_reads.contains(node.outputs[0]));
      }
    }
    for (const NodeId n : candidate.readers) sum += Cost(graph, graph.nodes[static_cast<size_t>(n)], times, 1);
    return sum;
  };
  double room = 0;
  for (const Node& node : graph.nodes) {
    room +=
        limits.most_macs * (node.op == Op::kConv ? Cost(graph, node, 1, 1) : static_cast<double>(Macs(graph, node)));
  }
  // Noise of k copies has 1/k² of the power. Losses of one candidate at a time do not add up to that of all: they rank.
  const double least_gain = kLeastGain * std::accumulate(losses.begin(), losses.end(), 0.0) * kUsualMacs /
                            std::max(limits.most_macs, kUsualMacs);
  while (true) {
    size_t best = candidates.size();
    double best_rate = 0, best_cost = 0;
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (copies[i] == kMostCopies) continue;
      const double more = cost(candidates[i], 2 * copies[i]) - cost(candidates[i], copies[i]);
      const double gain = 0.75 * losses[i] / (copies[i] * copies[i]);
      if (more > room || gain < least_gain || gain / (more + 1) <= best_rate) continue;
      best = i, best_rate = gain / (more + 1), best_cost = more;
    }
    if (best == candidates.size()) break;
    room -= best_cost;
    copies[best] *= 2;
  }
  return copies;
}

CopyShifts CopyChannels(Graph& graph, const std::vector<CopyCandidate>& candidates, const std::vector<int>& copies) {
  assert(candidates.size() == copies.size());
  std::map<NodeId, int> widened;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (copies[i] == 1) continue;
    for (const NodeId conv : candidates[i].convs) widened[conv] = copies[i];
  }
  Copier copier(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    copier.Pass(graph.nodes[n]);
    if (const auto it = widened.find(static_cast<NodeId>(n)); it != widened.end()) {
      copier.Widen(graph.nodes[n], it->second);
    }
  }
  CopyShifts shifts = std::move(copier).shifts();
  Separator(graph, shifts).Run();
  return shifts;
}

void ShiftCopies(Graph& graph, const CopyShifts& shifts, const ActivationParams& params) {
  for (Node& node : graph.nodes) {
    const auto it = shifts.find(node.outputs[0]);
    if (it == shifts.end()) continue;
    const auto& quant = params.params[static_cast<size_t>(node.outputs[0])];
    assert(quant && "only results of quantized nodes are copied");
    if (node.op == Op::kUnary) {
      node.as<UnaryAttrs>().chain.push_back(
          {UnaryKind::kAffine, 1, it->second[0] * static_cast<double>(quant->scale[0])});
      continue;
    }
    std::vector<float> bias = Floats(graph, node.inputs[2]);
    for (size_t c = 0; c < bias.size(); ++c) {
      bias[c] += static_cast<float>(it->second[c] * static_cast<double>(quant->scale[0]));
    }
    graph.at(node.inputs[2]).constant = CopyBytes(bias.data(), bias.size() * sizeof(float));
  }
}

}  // namespace xrun::compiler
