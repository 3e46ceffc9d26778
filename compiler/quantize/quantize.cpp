#include "compiler/quantize/quantize.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "compiler/quantize/float_constants.h"
#include "compiler/quantize/quantize_weights.h"
#include "compiler/quantize/round_weights.h"
#include "compiler/quantize/select.h"

namespace xrun::compiler {

namespace {

bool IsMatrixOp(Op op) { return op == Op::kConv || op == Op::kConvTranspose || op == Op::kFullyConnected; }

/// Volatile, since g++ 12 at -O2 drops the conversions of two neighbours to float and back (its SLP vectorizer).
double RoundToFloat(double x) {
  volatile float rounded = static_cast<float>(x);
  return static_cast<double>(rounded);
}

/// Builds the quantized graph beside the float one.
class Builder {
 public:
  Builder(const Graph& from, const ActivationParams& params, const QuantizeOptions& options,
          const std::vector<InputMoments>* moments)
      : from_(from), params_(params), options_(options), moments_(moments) {
    to_.name = from.name;
    to_.source = from.source;
    to_.metadata = from.metadata;
    float_.assign(from.values.size(), kNone);
    int8_.assign(from.values.size(), kNone);
  }

  Result<Graph> Build(const std::vector<bool>& quantized) {
    for (ValueId id : from_.inputs) {
      float_[static_cast<size_t>(id)] = to_.AddValue(from_.at(id));
      to_.inputs.push_back(float_[static_cast<size_t>(id)]);
    }
    for (size_t n = 0; n < from_.nodes.size(); ++n) {
      if (quantized[n]) {
        XRUN_RETURN_IF_ERROR(AddQuantized(from_.nodes[n]));
      } else {
        AddFloat(from_.nodes[n]);
      }
    }
    for (ValueId id : from_.outputs) to_.outputs.push_back(FloatOf(id));
    to_.RemoveDead();
    return std::move(to_);
  }

 private:
  void AddNode(std::string name, Op op, std::vector<ValueId> inputs, ValueId output) {
    Node node;
    node.name = std::move(name);
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {output};
    node.origin = {node.name};
    to_.nodes.push_back(std::move(node));
  }

  /// The value in float: as it is, or dequantized.
  ValueId FloatOf(ValueId id) {
    ValueId& known = float_[static_cast<size_t>(id)];
    if (known != kNone) return known;
    Value value = from_.at(id);
    if (value.is_constant()) {
      value.name = to_.UniqueName(value.name);
      return known = to_.AddValue(std::move(value));
    }
    assert(int8_[static_cast<size_t>(id)] != kNone);
    if (!from_.IsOutput(id)) value.name = to_.UniqueName(value.name + ".float");
    known = to_.AddValue(std::move(value));
    AddNode(from_.at(id).name + ".dequantize", Op::kDequantize, {int8_[static_cast<size_t>(id)]}, known);
    return known;
  }

  ValueId AddInt8(ValueId id) {
    const Value& from = from_.at(id);
    const bool outside = from_.IsOutput(id) ||
                         std::find(from_.inputs.begin(), from_.inputs.end(), id) != from_.inputs.end() ||
                         float_[static_cast<size_t>(id)] != kNone;
    Value value;
    value.name = outside ? to_.UniqueName(from.name + ".int8") : from.name;
    value.dtype = DType::kInt8;
    value.shape = from.shape;
    value.quant = params_.params[static_cast<size_t>(id)];
    return int8_[static_cast<size_t>(id)] = to_.AddValue(std::move(value));
  }

  /// The value as int8: as it is, a quantized constant, or through a Quantize node.
  Result<ValueId> Int8Of(ValueId id) {
    const ValueId known = int8_[static_cast<size_t>(id)];
    if (known != kNone) return known;
    const Value& from = from_.at(id);
    if (!from.is_constant()) {
      const ValueId source = float_[static_cast<size_t>(id)];
      const ValueId result = AddInt8(id);
      AddNode(from.name + ".quantize", Op::kQuantize, {source}, result);
      return result;
    }
    XRUN_ASSIGN_OR_RETURN(const QuantizedConstant constant, QuantizeConstant(from));
    Value value;
    value.name = to_.UniqueName(from.name + ".int8");
    value.dtype = DType::kInt8;
    value.shape = from.shape;
    value.quant = constant.params;
    value.constant = CopyBytes(constant.data.data(), constant.data.size());
    return int8_[static_cast<size_t>(id)] = to_.AddValue(std::move(value));
  }

  void AddFloat(const Node& from) {
    Node node = from;
    for (ValueId& id : node.inputs) id = id == kNone ? kNone : FloatOf(id);
    for (ValueId& id : node.outputs) id = float_[static_cast<size_t>(id)] = to_.AddValue(from_.at(id));
    to_.nodes.push_back(std::move(node));
  }

  /// Parameters of functions become float32: that is what the QDQ file holds, and the tables are made from it.
  static void RoundParameters(UnaryAttrs* attrs) {
    for (UnaryFunction& f : attrs->chain) {
      f.a = RoundToFloat(f.a);
      f.b = RoundToFloat(f.b);
    }
  }

  Status AddQuantized(const Node& from) {
    Node node = from;
    if (node.op == Op::kUnary) RoundParameters(&node.as<UnaryAttrs>());
    XRUN_ASSIGN_OR_RETURN(node.inputs[0], Int8Of(from.inputs[0]));
    if (IsMatrixOp(from.op)) {
      XRUN_RETURN_IF_ERROR(AddWeights(from, node));
    } else {
      for (size_t i = 1; i < from.inputs.size(); ++i) {
        if (from.inputs[i] == kNone) continue;
        // Indices, and slopes, which stay exact.
        if (from_.at(from.inputs[i]).dtype != DType::kFloat32 || from.op == Op::kPRelu) {
          node.inputs[i] = FloatOf(from.inputs[i]);
          continue;
        }
        XRUN_ASSIGN_OR_RETURN(node.inputs[i], Int8Of(from.inputs[i]));
      }
    }
    node.outputs = {AddInt8(from.outputs[0])};
    to_.nodes.push_back(std::move(node));
    return {};
  }

  /// Every node gets weights of its own: their scales depend on its input and bias.
  Status AddWeights(const Node& from, Node& node) {
    const WeightLayout layout = LayoutOf(from_, from);
    const float input_scale = to_.at(node.inputs[0]).quant->scale[0];
    XRUN_ASSIGN_OR_RETURN(const std::vector<float> scales, WeightScales(from_, from, input_scale));
    static const InputMoments kNothingSeen;
    const InputMoments& moments =
        moments_ == nullptr ? kNothingSeen : (*moments_)[static_cast<size_t>(&from - from_.nodes.data())];
    const std::vector<int8_t> data =
        options_.round_by_data ? RoundWeights(from_, from, scales, moments) : QuantizeWeights(from_, from, scales);
    Value weights;
    weights.name = to_.UniqueName(from_.at(from.inputs[1]).name);
    weights.dtype = DType::kInt8;
    weights.shape = from_.at(from.inputs[1]).shape;
    weights.quant = QuantParams{scales, std::vector<int32_t>(scales.size(), 0), layout.axis};
    weights.constant = CopyBytes(data.data(), data.size());
    node.inputs[1] = to_.AddValue(std::move(weights));
    const bool biased = from.inputs.size() > 2 && from.inputs[2] != kNone;
    std::vector<double> corrections;
    if (options_.correct_bias && moments.positions != 0) {
      corrections = BiasCorrections(from_, from, scales, data, input_scale, moments);
    }
    if (!biased && corrections.empty()) return {};

    const std::vector<int32_t> integers = QuantizeBias(from_, from, input_scale, scales, corrections);
    Value bias;
    bias.name = to_.UniqueName(biased ? from_.at(from.inputs[2]).name : from.name + ".bias");
    bias.dtype = DType::kInt32;
    bias.shape = {static_cast<int64_t>(integers.size())};
    bias.quant = QuantParams{{}, std::vector<int32_t>(integers.size(), 0), 0};
    for (size_t m = 0; m < integers.size(); ++m) {
      bias.quant->scale.push_back(BiasScale(input_scale, scales[m % scales.size()]));
    }
    bias.constant = CopyBytes(integers.data(), integers.size() * sizeof(int32_t));
    node.inputs.resize(3);
    node.inputs[2] = to_.AddValue(std::move(bias));
    return {};
  }

  const Graph& from_;
  const ActivationParams& params_;
  const QuantizeOptions& options_;
  const std::vector<InputMoments>* moments_;
  Graph to_;
  std::vector<ValueId> float_, int8_;  ///< what stands for each value of from_, kNone until it is needed
};

}  // namespace

Result<QuantizedConstant> QuantizeConstant(const Value& value) {
  const std::span<const float> values(value.data<float>(), static_cast<size_t>(Elements(value.shape)));
  Range range;
  for (const float v : values) {
    if (!std::isfinite(v))
      return Failure{"constant '" + value.name + "' holds a value that is not a finite number", ""};
    range.lo = std::min(range.lo, v);
    range.hi = std::max(range.hi, v);
  }
  QuantizedConstant result;
  result.params = MakeParams(range);
  const auto scale = static_cast<double>(result.params.scale[0]);
  for (const float v : values) {
    const double q = std::nearbyint(static_cast<double>(v) / scale) + result.params.zero_point[0];
    result.data.push_back(static_cast<int8_t>(std::clamp(q, -128.0, 127.0)));
  }
  return result;
}

Result<MomentCollector> CollectMoments(const Graph& graph, const Calibration& calibration,
                                       const QuantizeOptions& options, int threads) {
  const std::vector<bool> selected = SelectQuantized(graph);
  XRUN_ASSIGN_OR_RETURN(const ActivationParams params,
                        ChooseActivationParams(graph, selected, calibration, options.method, options.percentile));
  return MomentCollector::Create(graph, selected, params, threads);
}

Result<Quantized> Quantize(const Graph& graph, const Calibration& calibration, const QuantizeOptions& options,
                           const std::vector<InputMoments>* moments) {
  const std::vector<bool> selected = SelectQuantized(graph);
  XRUN_ASSIGN_OR_RETURN(ActivationParams params,
                        ChooseActivationParams(graph, selected, calibration, options.method, options.percentile));
  Quantized result;
  XRUN_ASSIGN_OR_RETURN(result.graph, Builder(graph, params, options, moments).Build(selected));
  result.ranges = std::move(params.table);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (selected[n]) continue;
    std::string reason = WhyNotQuantizable(graph, graph.nodes[n]);
    if (reason.empty()) reason = "stands between operators that stay float";
    result.left_float.push_back({graph.nodes[n].name, reason});
  }
  result.graph.metadata["calibration"] = calibration.synthetic ? "calibrated without data"
                                                               : std::string(Name(options.method)) + ", " +
                                                                     std::to_string(calibration.samples) + " samples";
  return result;
}

}  // namespace xrun::compiler
