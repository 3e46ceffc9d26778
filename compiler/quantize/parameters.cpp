#include "compiler/quantize/parameters.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "compiler/quantize/quantize_weights.h"
#include "compiler/quantize/select.h"

namespace xrun::compiler {

namespace {

/// A hair below 2^8, the first ratio that a requantize multiplier cannot hold.
constexpr double kLargestRatio = 255.99;
/// Share of the range.
constexpr float kRoomAboveLogits = 0.1F;

class Chooser {
 public:
  Chooser(const Graph& graph, const std::vector<bool>& quantized, const Calibration& calibration)
      : graph_(graph), quantized_(quantized), calibration_(calibration) {
    readers_.resize(graph.values.size());
    producer_.assign(graph.values.size(), kNone);
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      for (ValueId id : graph.nodes[n].inputs) {
        if (id != kNone) readers_[static_cast<size_t>(id)].push_back(n);
      }
      for (ValueId id : graph.nodes[n].outputs) producer_[static_cast<size_t>(id)] = static_cast<NodeId>(n);
    }
    FindSources();
  }

  Result<ActivationParams> Run(CalibrationMethod method, double percentile) {
    by_source_.resize(graph_.values.size());
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!quantized_[n]) continue;
      for (ValueId id : graph_.nodes[n].inputs) Choose(id, method, percentile);
      for (ValueId id : graph_.nodes[n].outputs) Choose(id, method, percentile);
    }
    XRUN_RETURN_IF_ERROR(RaiseScales());
    result_.params.resize(graph_.values.size());
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!quantized_[n]) continue;
      for (const auto& ids : {graph_.nodes[n].inputs, graph_.nodes[n].outputs}) {
        for (ValueId id : ids) {
          if (id != kNone && !graph_.at(id).is_constant()) result_.params[static_cast<size_t>(id)] = Of(id);
        }
      }
    }
    for (size_t i = 0; i < result_.table.size(); ++i) {
      result_.table[i].scale = Of(table_values_[i]).scale[0];
      result_.table[i].zero_point = Of(table_values_[i]).zero_point[0];
    }
    return std::move(result_);
  }

 private:
  /// source_[v]: the value whose parameters v has.
  void FindSources() {
    source_.resize(graph_.values.size());
    for (size_t v = 0; v < source_.size(); ++v) source_[v] = static_cast<ValueId>(v);
    // Concats from the last to the first, so that one inside another takes the outer one's parameters.
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
      const Node& node = graph_.nodes[n];
      if (!quantized_[n] || node.op != Op::kConcat) continue;
      for (ValueId id : node.inputs) {
        const NodeId from = producer_[static_cast<size_t>(id)];
        if (from == kNone || !quantized_[static_cast<size_t>(from)] || readers_[static_cast<size_t>(id)].size() != 1 ||
            graph_.IsOutput(id) || KeepsParameters(graph_.nodes[static_cast<size_t>(from)].op)) {
          continue;
        }
        source_[static_cast<size_t>(id)] = source_[static_cast<size_t>(node.outputs[0])];
      }
    }
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (!quantized_[n] || !KeepsParameters(node.op)) continue;
      source_[static_cast<size_t>(node.outputs[0])] = source_[static_cast<size_t>(node.inputs[0])];
    }
  }

  void Choose(ValueId id, CalibrationMethod method, double percentile) {
    if (id == kNone || graph_.at(id).is_constant() || graph_.at(id).dtype != DType::kFloat32) return;
    const ValueId source = source_[static_cast<size_t>(id)];
    auto& params = by_source_[static_cast<size_t>(source)];
    if (params) return;
    const ActivationStats& stats = calibration_.stats[static_cast<size_t>(source)];
    const auto chain = OnlyReader(source);
    ChosenRange row;
    row.value = graph_.at(source).name;
    row.seen = {stats.min(), stats.max()};
    row.chosen = ChooseRange(stats, method, percentile, chain);
    if (BeforeSoftmax(source)) {
      // Of each sample the largest decide: they are never cut off, and other samples find room above what was seen.
      row.chosen.hi = std::max(row.chosen.hi, row.seen.hi);
      row.chosen.hi += kRoomAboveLogits * (row.chosen.hi - row.chosen.lo);
    }
    params = MakeParams(row.chosen);
    if (LeftOfProduct(source)) params = CheapForProduct(*params, row.chosen, stats);
    row.mean_squared_error = QuantizationError(stats, *params, chain);
    row.minmax_error = QuantizationError(stats, MakeParams(row.seen), chain);
    result_.table.push_back(row);
    table_values_.push_back(source);
  }

  /// Whether the value, perhaps moved, is the left operand of a product of two activations: the one that stays
  /// activations on the overlay, where its zero point costs a pass over the weights, and −128 costs two.
  bool LeftOfProduct(ValueId id) const {
    const auto& readers = readers_[static_cast<size_t>(id)];
    return std::any_of(readers.begin(), readers.end(), [&](size_t n) {
      const Node& reader = graph_.nodes[n];
      if (!quantized_[n]) return false;
      if (reader.op == Op::kMatMul) return reader.inputs[0] == id;
      return KeepsParameters(reader.op) && reader.inputs[0] == id && LeftOfProduct(reader.outputs[0]);
    });
  }

  /// Zero point 0 where that costs next to nothing in accuracy, else at least not −128.
  static QuantParams CheapForProduct(const QuantParams& params, const Range& range, const ActivationStats& stats) {
    constexpr double kNextToNothing = 1.05;
    if (params.zero_point[0] == 0) return params;
    const float reach = std::max(-range.lo, range.hi);
    const QuantParams symmetric{{reach / 127}, {0}, -1};
    if (reach > 0 && QuantizationError(stats, symmetric, {}) <= kNextToNothing * QuantizationError(stats, params, {})) {
      return symmetric;
    }
    if (params.zero_point[0] != -128) return params;
    return {{params.scale[0] * (255.0F / 254.0F)}, {-127}, -1};
  }

  /// Whether nothing but a Softmax in float reads the value, perhaps moved.
  bool BeforeSoftmax(ValueId id) const {
    const auto& readers = readers_[static_cast<size_t>(id)];
    return !readers.empty() && !graph_.IsOutput(id) && std::all_of(readers.begin(), readers.end(), [&](size_t n) {
      const Node& reader = graph_.nodes[n];
      return reader.op == Op::kSoftmax || (KeepsParameters(reader.op) && BeforeSoftmax(reader.outputs[0]));
    });
  }

  /// The unary chain that alone reads the value; empty when there is another reader.
  std::span<const UnaryFunction> OnlyReader(ValueId id) const {
    const auto& readers = readers_[static_cast<size_t>(id)];
    if (readers.size() != 1 || graph_.IsOutput(id)) return {};
    const Node& reader = graph_.nodes[readers[0]];
    if (reader.op != Op::kUnary || !quantized_[readers[0]]) return {};
    return reader.as<UnaryAttrs>().chain;
  }

  const QuantParams& Of(ValueId id) const { return *by_source_[static_cast<size_t>(source_[static_cast<size_t>(id)])]; }
  double ScaleOf(ValueId id) const {
    const Value& value = graph_.at(id);
    if (!value.is_constant()) return static_cast<double>(Of(id).scale[0]);
    const auto [lo, hi] = std::minmax_element(value.data<float>(), value.data<float>() + Elements(value.shape));
    return static_cast<double>(MakeParams({std::min(*lo, 0.0F), std::max(*hi, 0.0F)}).scale[0]);
  }

  /// Largest accumulator scale of the node, or 0 when its arithmetic has no such limit.
  Result<double> AccumulatorScale(const Node& node) const {
    switch (node.op) {
      case Op::kConv:
      case Op::kConvTranspose:
      case Op::kFullyConnected: {
        const double sx = ScaleOf(node.inputs[0]);
        XRUN_ASSIGN_OR_RETURN(const std::vector<float> scales, WeightScales(graph_, node, static_cast<float>(sx)));
        return sx * static_cast<double>(*std::max_element(scales.begin(), scales.end()));
      }
      case Op::kMul:
      case Op::kMatMul:
        return ScaleOf(node.inputs[0]) * ScaleOf(node.inputs[1]);
      case Op::kPRelu: {
        const Value& slopes = graph_.at(node.inputs[1]);
        const float* data = slopes.data<float>();
        const float steepest = *std::max_element(data, data + Elements(slopes.shape));
        return ScaleOf(node.inputs[0]) * std::max(1.0, static_cast<double>(steepest));
      }
      case Op::kAveragePool:
        return ScaleOf(node.inputs[0]);  // divided by a count of at least 1
      case Op::kAdd:
      case Op::kSub:
      case Op::kConcat: {
        double largest = 0;
        for (ValueId id : node.inputs) largest = std::max(largest, ScaleOf(id));
        return largest;
      }
      default:
        return 0.0;
    }
  }

  /// Raising one scale can call for raising another further on; each pass goes with the data, so few are needed.
  Status RaiseScales() {
    for (size_t pass = 0; pass <= graph_.nodes.size(); ++pass) {
      bool raised = false;
      for (size_t n = 0; n < graph_.nodes.size(); ++n) {
        if (!quantized_[n]) continue;
        const Node& node = graph_.nodes[n];
        XRUN_ASSIGN_OR_RETURN(const double accumulator, AccumulatorScale(node));
        QuantParams& out = *by_source_[static_cast<size_t>(source_[static_cast<size_t>(node.outputs[0])])];
        const double least = accumulator / kLargestRatio;
        if (static_cast<double>(out.scale[0]) >= least) continue;
        const auto scale = static_cast<float>(least * (1 + 1e-6));
        if (!std::isfinite(scale)) {
          return Failure{
              "node '" + node.name + "' (" + std::string(Name(node.op)) + "): its values are too large to quantize",
              ""};
        }
        out.scale[0] = scale;
        raised = true;
      }
      if (!raised) return {};
    }
    return Failure{"the scales of graph '" + graph_.name + "' cannot be brought within a factor of 256 of each other",
                   ""};
  }

  const Graph& graph_;
  const std::vector<bool>& quantized_;
  const Calibration& calibration_;
  std::vector<std::vector<size_t>> readers_;
  std::vector<NodeId> producer_;
  std::vector<ValueId> source_;
  std::vector<std::optional<QuantParams>> by_source_;
  ActivationParams result_;
  std::vector<ValueId> table_values_;
};

}  // namespace

Result<ActivationParams> ChooseActivationParams(const Graph& graph, const std::vector<bool>& quantized,
                                                const Calibration& calibration, CalibrationMethod method,
                                                double percentile) {
  assert(calibration.stats.size() == graph.values.size());
  return Chooser(graph, quantized, calibration).Run(method, percentile);
}

}  // namespace xrun::compiler
