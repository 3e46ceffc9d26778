#include "compiler/quantize/absorb_qdq.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "compiler/quantize/float_constants.h"
#include "compiler/quantize/quantize_weights.h"
#include "compiler/quantize/select.h"

namespace xrun::compiler {

namespace {

bool IsMatrixOp(Op op) { return op == Op::kConv || op == Op::kConvTranspose || op == Op::kFullyConnected; }

/// Operators with a quantized form, whatever their operands are.
bool HasQuantizedForm(Op op) {
  switch (op) {
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kAveragePool:
    case Op::kUnary:
    case Op::kPRelu:
    case Op::kConcat:
      return true;
    default:
      return IsMatrixOp(op) || KeepsParameters(op);
  }
}

class Absorber {
 public:
  explicit Absorber(const Graph& from) : from_(from) {
    to_.name = from.name;
    to_.source = from.source;
    to_.metadata = from.metadata;
    const size_t values = from.values.size();
    float_.assign(values, kNone);
    int8_.assign(values, kNone);
    tables_.resize(values);
    readers_.resize(values);
    output_.assign(values, false);
    for (size_t n = 0; n < from.nodes.size(); ++n) {
      for (ValueId id : from.nodes[n].inputs) {
        if (id != kNone) readers_[Index(id)].push_back(n);
      }
    }
    for (ValueId id : from.outputs) output_[Index(id)] = true;
    done_.assign(from.nodes.size(), false);
  }

  Result<Graph> Run() {
    for (ValueId id : from_.inputs) {
      const ValueId added = to_.AddValue(from_.at(id));
      (from_.at(id).dtype == DType::kInt8 ? int8_ : float_)[Index(id)] = added;
      to_.inputs.push_back(added);
    }
    // Constants first: the bias of a product may be dequantized behind it in the file.
    for (size_t n = 0; n < from_.nodes.size(); ++n) {
      const Node& node = from_.nodes[n];
      if (node.op != Op::kDequantize || !from_.at(node.inputs[0]).is_constant()) continue;
      XRUN_RETURN_IF_ERROR(AbsorbDequantize(node));
      done_[n] = true;
    }
    for (size_t n = 0; n < from_.nodes.size(); ++n) {
      if (done_[n]) continue;
      XRUN_RETURN_IF_ERROR(Absorb(from_.nodes[n]));
    }
    for (ValueId id : from_.outputs) {
      to_.outputs.push_back(from_.at(id).dtype == DType::kInt8 ? int8_[Index(id)] : FloatOf(id));
    }
    to_.RemoveDead();
    return std::move(to_);
  }

 private:
  static size_t Index(ValueId id) { return static_cast<size_t>(id); }

  static Failure InNode(const Node& node, const std::string& what, std::string hint = "") {
    return Failure{"node '" + node.name + "' (" + std::string(Name(node.op)) + "): " + what, std::move(hint)};
  }

  // ---- reading the file's graph

  /// The parameters to which the float value `id` is rounded before anything else is done with it, by Quantize nodes
  /// that agree, or behind operators that only move it. Null when it is not.
  const QuantParams* Rounding(ValueId id) const {
    const auto& readers = readers_[Index(id)];
    if (readers.empty() || output_[Index(id)]) return nullptr;
    const QuantParams* found = nullptr;
    for (size_t n : readers) {
      const Node& reader = from_.nodes[n];
      const QuantParams* params = nullptr;
      if (reader.op == Op::kQuantize) {
        params = &*from_.at(reader.outputs[0]).quant;
      } else if (KeepsParameters(reader.op) && reader.op != Op::kPad && !reader.clamp) {
        params = Rounding(reader.outputs[0]);
      }
      if (params == nullptr || (found != nullptr && *found != *params)) return nullptr;
      found = params;
    }
    return found;
  }

  /// Whether some reader of the float value is an operator with a quantized form (to which it would come unrounded).
  const Node* QuantizableReader(ValueId id) const {
    for (size_t n : readers_[Index(id)]) {
      const Node& reader = from_.nodes[n];
      if (!HasQuantizedForm(reader.op)) continue;
      if (!KeepsParameters(reader.op)) return &reader;
      if (const Node* further = QuantizableReader(reader.outputs[0])) return further;
    }
    return nullptr;
  }

  bool IsInt8(ValueId id) const { return int8_[Index(id)] != kNone && to_.at(int8_[Index(id)]).dtype == DType::kInt8; }

  bool IsPerTensor(ValueId id) const { return IsInt8(id) && to_.at(int8_[Index(id)]).quant->axis < 0; }

  // ---- writing

  ValueId AddInt8(const std::string& name, const Shape& shape, const QuantParams& params) {
    Value value;
    value.name = to_.UniqueName(name);
    value.dtype = DType::kInt8;
    value.shape = shape;
    value.quant = params;
    return to_.AddValue(std::move(value));
  }

  /// Name of the int8 form of a float value: its own, unless the model's output needs that.
  std::string Int8Name(ValueId id) const { return from_.at(id).name + (output_[Index(id)] ? ".int8" : ""); }

  void AddNode(const std::string& name, Op op, Attributes attrs, ValueId input, ValueId output,
               const std::vector<std::string>& origin) {
    Node node;
    node.name = name;
    node.op = op;
    node.attrs = std::move(attrs);
    node.inputs = {input};
    node.outputs = {output};
    node.origin = origin.empty() ? std::vector<std::string>{name} : origin;
    to_.nodes.push_back(std::move(node));
  }

  /// A float value in the new graph.
  ValueId FloatOf(ValueId id) {
    ValueId& known = float_[Index(id)];
    if (known != kNone) return known;
    Value value = from_.at(id);
    value.constant = nullptr;
    value.name = to_.UniqueName(value.name);
    if (from_.at(id).is_constant()) {
      value.constant = from_.at(id).constant;
      return known = to_.AddValue(std::move(value));
    }
    if (const auto& table = tables_[Index(id)]) {
      const ValueId source = FloatOf(table->source);
      known = to_.AddValue(std::move(value));
      AddNode(table->name, Op::kUnary, UnaryAttrs{table->chain}, source, known, table->origin);
      return known;
    }
    const ValueId source = int8_[Index(id)];
    assert(source != kNone);
    if (to_.at(source).is_constant()) {
      const std::vector<float> data = Dequantized(to_.at(source));
      value.constant = CopyBytes(data.data(), data.size() * sizeof(float));
      return known = to_.AddValue(std::move(value));
    }
    known = to_.AddValue(std::move(value));
    AddNode(from_.at(id).name + ".dequantize", Op::kDequantize, NoAttrs{}, source, known, {});
    return known;
  }

  static std::vector<float> Dequantized(const Value& value) {
    const QuantParams& quant = *value.quant;
    int64_t inner = 1;
    for (size_t i = static_cast<size_t>(quant.axis) + 1; quant.axis >= 0 && i < value.shape.size(); ++i) {
      inner *= value.shape[i];
    }
    std::vector<float> result(static_cast<size_t>(Elements(value.shape)));
    for (size_t i = 0; i < result.size(); ++i) {
      const size_t c = quant.axis < 0 ? 0 : i / static_cast<size_t>(inner) % quant.scale.size();
      const int64_t q = value.dtype == DType::kInt8 ? value.data<int8_t>()[i] : value.data<int32_t>()[i];
      result[i] = quant.scale[c] * static_cast<float>(q - quant.zero_point[c]);
    }
    return result;
  }

  // ---- one node

  /// Operators whose second operand, indices or slopes, is no int8 value.
  static bool HasFloatOperand(Op op) { return op == Op::kGather || op == Op::kPRelu; }

  /// Slopes that the overlay takes: constants, perhaps dequantized ones.
  bool TakesSlopes(const Node& node) const {
    const ValueId id = node.inputs[1];
    const ValueId absorbed = int8_[Index(id)];
    if (absorbed == kNone ? !from_.at(id).is_constant() : !to_.at(absorbed).is_constant()) return false;
    std::vector<float> slopes;
    if (absorbed != kNone) {
      slopes = Dequantized(to_.at(absorbed));
    } else {
      slopes.assign(from_.at(id).data<float>(), from_.at(id).data<float>() + Elements(from_.at(id).shape));
    }
    return SlopesPerChannel(from_.at(node.inputs[0]).shape, from_.at(id).shape) &&
           std::all_of(slopes.begin(), slopes.end(), [](float a) { return a >= 0 && a <= 128; });
  }

  Status Absorb(const Node& node) {
    if (node.op == Op::kDequantize) return AbsorbDequantize(node);
    if (node.op == Op::kQuantize) return AbsorbQuantize(node);
    if (IsMatrixOp(node.op) && IsInt8(node.inputs[0]) && HasInt8Weights(node)) return AbsorbMatrixOp(node);
    if (node.op == Op::kUnary && (IsInt8(node.inputs[0]) || tables_[Index(node.inputs[0])])) return AbsorbUnary(node);
    if (node.op == Op::kMatMul && IsPerTensor(node.inputs[0]) && IsPerTensor(node.inputs[1])) {
      // Where the file does not round the result, the product stays float.
      const QuantParams* params = Rounding(node.outputs[0]);
      return params != nullptr ? AddQuantized(node, *params) : KeepFloat(node);
    }
    if (HasQuantizedForm(node.op) && !IsMatrixOp(node.op) && node.op != Op::kUnary &&
        std::all_of(node.inputs.begin(), node.inputs.end(),
                    [&](ValueId id) {
                      return id != kNone && (IsInt8(id) || (HasFloatOperand(node.op) && id == node.inputs[1]));
                    }) &&
        (node.op != Op::kPRelu || TakesSlopes(node))) {
      const bool computes = node.op == Op::kResize && node.as<ResizeAttrs>().mode != ResizeMode::kNearest;
      if (KeepsParameters(node.op) && !computes) return AbsorbMovement(node);
      if (const QuantParams* params = Rounding(node.outputs[0])) return AddQuantized(node, *params);
      XRUN_RETURN_IF_ERROR(RefuseUnrounded(node, node.outputs[0]));
    }
    return KeepFloat(node);
  }

  Status AbsorbDequantize(const Node& node) {
    const ValueId in = node.inputs[0];
    if (int8_[Index(in)] == kNone) {
      assert(from_.at(in).is_constant());
      Value value = from_.at(in);
      value.name = to_.UniqueName(value.name);
      int8_[Index(in)] = to_.AddValue(std::move(value));
    }
    int8_[Index(node.outputs[0])] = int8_[Index(in)];
    return {};
  }

  Status AbsorbQuantize(const Node& node) {
    const ValueId in = node.inputs[0];
    const ValueId out = node.outputs[0];
    const QuantParams& params = *from_.at(out).quant;
    if (IsInt8(in)) {
      int8_[Index(out)] = Requantized(int8_[Index(in)], params, from_.at(out).name, node.name);
      return {};
    }
    // The source first: making it float may add nodes.
    const ValueId source = FloatOf(in);
    int8_[Index(out)] = AddInt8(from_.at(out).name, from_.at(out).shape, params);
    AddNode(node.name, Op::kQuantize, NoAttrs{}, source, int8_[Index(out)], node.origin);
    return {};
  }

  /// The same real values with other parameters: nothing to do when they are equal.
  ValueId Requantized(ValueId source, const QuantParams& params, const std::string& name,
                      const std::string& node_name) {
    if (*to_.at(source).quant == params) return source;
    const ValueId result = AddInt8(name, to_.at(source).shape, params);
    AddNode(node_name, Op::kUnary, UnaryAttrs{}, source, result, {});
    return result;
  }

  Status KeepFloat(const Node& from) {
    Node node = from;
    for (ValueId& id : node.inputs) id = id == kNone ? kNone : FloatOf(id);
    for (ValueId& id : node.outputs) {
      Value value = from_.at(id);
      value.name = to_.UniqueName(value.name);
      id = float_[Index(id)] = to_.AddValue(std::move(value));
    }
    to_.nodes.push_back(std::move(node));
    return {};
  }

  Status AddQuantized(const Node& from, const QuantParams& params) {
    Node node = from;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      ValueId& id = node.inputs[i];
      const bool as_it_is = int8_[Index(id)] == kNone || (i == 1 && HasFloatOperand(node.op));
      id = as_it_is ? FloatOf(id) : int8_[Index(id)];
    }
    const ValueId out = from.outputs[0];
    node.outputs = {int8_[Index(out)] = AddInt8(Int8Name(out), from_.at(out).shape, params)};
    to_.nodes.push_back(std::move(node));
    return {};
  }

  Status RefuseUnrounded(const Node& node, ValueId result) const {
    const Node* reader = QuantizableReader(result);
    if (reader == nullptr) return {};
    return InNode(node,
                  "its result goes to node '" + reader->name + "' (" + std::string(Name(reader->op)) +
                      ") without a QuantizeLinear between, so where to round is not known",
                  "quantize the result in the tool that made the file, or start from the float model with --calib");
  }

  Status AbsorbMovement(const Node& node) {
    const ValueId out = node.outputs[0];
    const ValueId source = int8_[Index(node.inputs[0])];
    const QuantParams params = *to_.at(source).quant;
    const QuantParams* rounding = Rounding(out);
    // Padding and clamps can make values that the input's parameters do not have.
    if (rounding == nullptr &&
        (node.clamp || (node.op == Op::kPad && !Represents(params, node.as<PadAttrs>().value)))) {
      XRUN_RETURN_IF_ERROR(RefuseUnrounded(node, out));
      return KeepFloat(node);
    }
    if (rounding == nullptr || *rounding == params) return AddQuantized(node, params);
    // The move, then the requantization. A value that padding brings in would be rounded twice: requantize first then.
    Node moved = node;
    moved.clamp.reset();
    if (node.op == Op::kPad) {
      moved.inputs = {Requantized(source, *rounding, from_.at(out).name + ".requantized", node.name + ".requantize")};
      moved.clamp = node.clamp;
      moved.outputs = {int8_[Index(out)] = AddInt8(Int8Name(out), from_.at(out).shape, *rounding)};
      to_.nodes.push_back(std::move(moved));
      return {};
    }
    const ValueId between = AddInt8(from_.at(out).name + ".moved", from_.at(out).shape, params);
    moved.inputs = {source};
    moved.outputs = {between};
    to_.nodes.push_back(std::move(moved));
    int8_[Index(out)] = AddInt8(Int8Name(out), from_.at(out).shape, *rounding);
    AddNode(node.name + ".requantize", Op::kUnary, UnaryAttrs{}, between, int8_[Index(out)], node.origin);
    to_.nodes.back().clamp = node.clamp;
    return {};
  }

  static bool Represents(const QuantParams& params, float value) {
    const double q = static_cast<double>(value) / static_cast<double>(params.scale[0]) + params.zero_point[0];
    return q == std::nearbyint(q) && q >= -128 && q <= 127;
  }

  /// A chain of functions still waiting for its Quantize.
  struct Table {
    ValueId source;  ///< float value of the file's graph whose int8 form the chain reads
    std::vector<UnaryFunction> chain;
    std::string name;
    std::vector<std::string> origin;
  };

  Status AbsorbUnary(const Node& node) {
    const ValueId in = node.inputs[0];
    const ValueId out = node.outputs[0];
    Table table;
    if (tables_[Index(in)]) {
      table = *tables_[Index(in)];
    } else {
      table.source = in;
    }
    table.name = node.name;
    const auto& chain = node.as<UnaryAttrs>().chain;
    table.chain.insert(table.chain.end(), chain.begin(), chain.end());
    table.origin.insert(table.origin.end(), node.origin.begin(), node.origin.end());
    const QuantParams* params = Rounding(out);
    if (params == nullptr) {
      if (node.clamp) {
        table.chain.push_back(
            {UnaryKind::kClip, static_cast<double>(node.clamp->lo), static_cast<double>(node.clamp->hi)});
      }
      tables_[Index(out)] = std::move(table);
      return {};
    }
    const ValueId result = AddInt8(Int8Name(out), from_.at(out).shape, *params);
    AddNode(table.name, Op::kUnary, UnaryAttrs{table.chain}, int8_[Index(table.source)], result, table.origin);
    to_.nodes.back().clamp = node.clamp;
    int8_[Index(out)] = result;
    return {};
  }

  // ---- Conv, ConvTranspose, FullyConnected

  bool HasInt8Weights(const Node& node) const {
    return node.inputs[1] != kNone && IsInt8(node.inputs[1]) && to_.at(int8_[Index(node.inputs[1])]).is_constant();
  }

  /// A constant that the file's graph adds: the bias of the node itself, or an Add behind it.
  struct Bias {
    ValueId value = kNone;      ///< in from_
    const Node* add = nullptr;  ///< the Add that it belongs to, null when it is the node's own
    size_t add_index = 0;
  };

  Bias FindBias(const Node& node, int64_t channels) const {
    Bias bias;
    if (node.inputs.size() > 2 && node.inputs[2] != kNone) {
      bias.value = node.inputs[2];
      return bias;
    }
    const ValueId out = node.outputs[0];
    if (node.clamp || output_[Index(out)] || readers_[Index(out)].size() != 1) return bias;
    const size_t n = readers_[Index(out)][0];
    const Node& add = from_.nodes[n];
    if (add.op != Op::kAdd || add.inputs[0] == add.inputs[1]) return bias;
    const ValueId other = add.inputs[0] == out ? add.inputs[1] : add.inputs[0];
    const ValueId constant = int8_[Index(other)];
    if (!from_.at(other).is_constant() && (constant == kNone || !to_.at(constant).is_constant())) return bias;
    // Along the channels: [M] or [1,..,M] behind a FullyConnected, [M,1,1] or [1,M,1,1] behind a convolution.
    Shape shape = from_.at(other).shape;
    while (shape.size() > 1 && shape.front() == 1) shape.erase(shape.begin());
    const Shape wanted = node.op == Op::kFullyConnected ? Shape{channels} : Shape{channels, 1, 1};
    if (shape != wanted) return bias;
    return {other, &add, n};
  }

  /// Integers of the bias at sx·sw.
  Result<std::vector<int32_t>> BiasIntegers(const Node& node, ValueId id, float input_scale, const QuantParams& weights,
                                            int64_t channels) const {
    std::vector<int32_t> integers(static_cast<size_t>(channels));
    const ValueId absorbed = int8_[Index(id)];
    const Value& value = absorbed != kNone ? to_.at(absorbed) : from_.at(id);
    if (!value.is_constant()) return InNode(node, "its bias '" + value.name + "' is not constant");
    if (Elements(value.shape) != channels) return InNode(node, "its bias '" + value.name + "' has the wrong size");
    std::vector<float> reals;
    if (absorbed == kNone) {
      reals.assign(value.data<float>(), value.data<float>() + channels);
    } else if (value.dtype != DType::kInt32) {
      reals = Dequantized(value);
    }
    for (size_t m = 0; m < integers.size(); ++m) {
      const double unit =
          static_cast<double>(input_scale) * static_cast<double>(weights.scale[m % weights.scale.size()]);
      double exact = 0;
      if (!reals.empty()) {
        exact = static_cast<double>(reals[m]) / unit;
      } else {
        const auto own = static_cast<double>(value.quant->scale[m % value.quant->scale.size()]);
        const double q = value.data<int32_t>()[m];
        // The file's float32 scale is sx·sw rounded; it means sx·sw.
        exact = std::fabs(own / unit - 1) <= 1e-6 ? q : q * own / unit;
      }
      const double rounded = std::nearbyint(exact);
      if (!(std::fabs(rounded) <= std::numeric_limits<int32_t>::max())) {
        return InNode(node, "its bias '" + value.name + "' does not fit 32 bits at the scale of its products");
      }
      integers[m] = static_cast<int32_t>(rounded);
    }
    return integers;
  }

  /// |bias with the input's zero point folded in| + 128·Σ(|w| + |zw|) < 2^31, for every output channel.
  Status CheckSums(const Node& node, const Node& as_built, int32_t input_zero, const std::vector<int32_t>& bias) const {
    const Value& weights = to_.at(as_built.inputs[1]);
    const WeightLayout layout = LayoutOf(to_, as_built);
    const QuantParams& quant = *weights.quant;
    std::vector<int64_t> sum(static_cast<size_t>(layout.channels), 0), magnitude = sum;
    int64_t at = 0;
    for (int64_t o = 0; o < layout.outer; ++o) {
      for (size_t c = 0; c < sum.size(); ++c) {
        const int64_t zero = quant.zero_point[quant.axis < 0 ? 0 : c];
        for (int64_t i = 0; i < layout.inner; ++i, ++at) {
          const int64_t w = weights.data<int8_t>()[at];
          sum[c] += w - zero;
          magnitude[c] += std::abs(w) + std::abs(zero);
        }
      }
    }
    for (size_t m = 0; m < bias.size(); ++m) {
      const size_t c = m % sum.size();
      const int64_t folded = std::abs(int64_t{bias[m]} - input_zero * sum[c]) + 128 * magnitude[c];
      if (folded >= int64_t{1} << 31) {
        return InNode(node, "output channel " + std::to_string(m) + " could reach " + std::to_string(folded) +
                                " in its sum, more than 32 bits hold");
      }
    }
    return {};
  }

  Status AbsorbMatrixOp(const Node& from) {
    const ValueId x = int8_[Index(from.inputs[0])];
    Node node = from;
    node.inputs = {x, int8_[Index(from.inputs[1])]};
    const Value& weights = to_.at(node.inputs[1]);
    const WeightLayout layout = LayoutOf(to_, node);
    const int64_t channels = layout.channels * layout.groups;
    if (weights.quant->axis >= 0 && weights.quant->axis != layout.axis) {
      return InNode(from, "its weights are quantized along axis " + std::to_string(weights.quant->axis) +
                              ", not per output channel");
    }
    const Bias bias = FindBias(from, channels);
    const Node& last = bias.add != nullptr ? *bias.add : from;
    const ValueId out = last.outputs[0];
    const QuantParams* params = Rounding(out);
    if (params == nullptr) {
      XRUN_RETURN_IF_ERROR(RefuseUnrounded(from, out));
      return KeepFloat(from);
    }
    const QuantParams input = *to_.at(x).quant;
    std::vector<int32_t> integers(static_cast<size_t>(channels), 0);
    if (bias.value != kNone) {
      XRUN_ASSIGN_OR_RETURN(integers, BiasIntegers(from, bias.value, input.scale[0], *weights.quant, channels));
    }
    XRUN_RETURN_IF_ERROR(CheckSums(from, node, input.zero_point[0], integers));
    if (bias.value != kNone) {
      Value value;
      value.name = to_.UniqueName(from_.at(bias.value).name + ".int32");
      value.dtype = DType::kInt32;
      value.shape = {channels};
      value.quant = QuantParams{{}, std::vector<int32_t>(integers.size(), 0), 0};
      const std::vector<float> scales = weights.quant->scale;
      for (size_t m = 0; m < integers.size(); ++m) {
        value.quant->scale.push_back(BiasScale(input.scale[0], scales[m % scales.size()]));
      }
      value.constant = CopyBytes(integers.data(), integers.size() * sizeof(int32_t));
      node.inputs.push_back(to_.AddValue(std::move(value)));
    }
    if (bias.add != nullptr) {
      done_[bias.add_index] = true;
      node.clamp = bias.add->clamp;
      node.origin.insert(node.origin.end(), bias.add->origin.begin(), bias.add->origin.end());
    }
    node.outputs = {int8_[Index(out)] = AddInt8(Int8Name(out), from_.at(out).shape, *params)};
    to_.nodes.push_back(std::move(node));
    return {};
  }

  const Graph& from_;
  Graph to_;
  std::vector<ValueId> float_;                ///< by value of from_: its float form in to_
  std::vector<ValueId> int8_;                 ///< by value of from_: its integer form in to_
  std::vector<std::optional<Table>> tables_;  ///< by float value of from_
  std::vector<std::vector<size_t>> readers_;
  std::vector<bool> output_;
  std::vector<bool> done_;  ///< nodes that an earlier one has taken in
};

}  // namespace

bool HasQdq(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const Node& node) { return node.op == Op::kQuantize || node.op == Op::kDequantize; });
}

Result<Graph> AbsorbQdq(const Graph& graph) { return Absorber(graph).Run(); }

}  // namespace xrun::compiler
