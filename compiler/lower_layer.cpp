#include "compiler/lower_layer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/lower_phases.h"
#include "isa/multiplier.h"
#include "runtime/cpu/unary.h"

namespace xrun::compiler {
namespace {

float ScaleOf(const Value& value, size_t channel = 0) {
  return value.quant->scale.size() == 1 ? value.quant->scale[0] : value.quant->scale[channel];
}
int32_t ZeroOf(const Value& value, size_t channel = 0) {
  return value.quant->zero_point.size() == 1 ? value.quant->zero_point[0] : value.quant->zero_point[channel];
}

/// saturate(zy + rhe(x / scale)). The double quotient of two float32 numbers is never so near a tie that its own
/// rounding could decide (24-bit mantissas leave at least 2^-49 of distance), so this is the exact rational's rounding.
int32_t QuantizeReal(float x, float scale, int32_t zero_point) {
  if (std::isinf(x)) return x < 0 ? -128 : 127;
  const int64_t q = RoundHalfEven(static_cast<double>(x) / static_cast<double>(scale));
  return SaturateInt8(std::clamp<int64_t>(q, -100000, 100000) + zero_point);
}

int32_t ClampBound(float bound, const Value& y) { return QuantizeReal(bound, ScaleOf(y), ZeroOf(y)); }

template <typename Attrs>
void SetWindow(const Attrs& attrs, Layer* layer) {
  layer->kernel_h = static_cast<uint32_t>(attrs.kernel[0]);
  layer->kernel_w = static_cast<uint32_t>(attrs.kernel[1]);
  layer->stride_h = static_cast<uint32_t>(attrs.stride[0]);
  layer->stride_w = static_cast<uint32_t>(attrs.stride[1]);
  layer->dilation_h = static_cast<uint32_t>(attrs.dilation[0]);
  layer->dilation_w = static_cast<uint32_t>(attrs.dilation[1]);
  layer->pad_top = static_cast<int32_t>(attrs.pads[0]);
  layer->pad_left = static_cast<int32_t>(attrs.pads[1]);
}

Status SetChannelParams(const Graph& graph, const Node& node, Layer* layer) {
  const Value& w = graph.at(node.inputs[1]);
  layer->weights = w.data<int8_t>();
  XRUN_ASSIGN_OR_RETURN(layer->params, MakeChannelParams(graph, node, static_cast<size_t>(w.shape[0]), layer->weights,
                                                         static_cast<size_t>(Elements(w.shape) / w.shape[0])));
  layer->has_weight_zero = HasWeightZero(layer->params);
  return {};
}

Status LowerConv(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer) {
  const auto& attrs = node.as<ConvAttrs>();
  SetWindow(attrs, layer);
  layer->groups = static_cast<uint32_t>(attrs.groups);
  const OverlayTensor& in = tensors[static_cast<size_t>(layer->input)];
  const OverlayTensor& out = tensors[static_cast<size_t>(layer->output)];
  XRUN_RETURN_IF_ERROR(CheckWindow(255, 31, *layer));
  const bool depthwise = layer->groups == in.channels && out.channels == in.channels && layer->groups > 1;
  layer->kind = depthwise ? LayerKind::kDepthwise : LayerKind::kConv;
  return SetChannelParams(graph, node, layer);
}

/// A FullyConnected is a convolution whose kernel is the whole plane of its (perhaps flattened) input.
Status LowerFullyConnected(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors,
                           Layer* layer) {
  const OverlayTensor& in = tensors[static_cast<size_t>(layer->input)];
  const Value& w = graph.at(node.inputs[1]);
  const Value& x = graph.at(node.inputs[0]);
  if (Elements(x.shape) != w.shape[1]) {
    return Failure{"matrix product of several rows (input " + x.name + ") is not supported on the overlay yet",
                   "leave the node in float"};
  }
  const OverlayTensor& out = tensors[static_cast<size_t>(layer->output)];
  if (out.height != 1 || out.width != 1) {
    return Failure{"its result's last axis is not the channels of the overlay's layout", "reshape it to [1,N]"};
  }
  layer->kind = LayerKind::kConv;
  layer->kernel_h = in.height;
  layer->kernel_w = in.width;
  XRUN_RETURN_IF_ERROR(CheckWindow(255, 31, *layer));
  return SetChannelParams(graph, node, layer);
}

/// The distinct numbers of counted taps of a window along an axis (0: vertical).
std::vector<int64_t> CountedTapsOfAxis(const Layer& layer, int axis, int64_t in, int64_t out) {
  std::vector<int64_t> counts;
  for (int64_t o = 0; o < out; ++o) counts.push_back(CountedTaps(layer, axis, in, o));
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

Status LowerPool(const Graph& graph, const Node& node, Layer* layer) {
  const auto& attrs = node.as<PoolAttrs>();
  const Value& x = graph.at(node.inputs[0]);
  const Value& y = graph.at(node.outputs[0]);
  layer->kind = LayerKind::kPool;
  SetWindow(attrs, layer);
  XRUN_RETURN_IF_ERROR(CheckWindow(16383, 16383, *layer));
  layer->average = node.op == Op::kAveragePool;
  layer->count_include_pad = attrs.count_include_pad;
  layer->count_bottom = static_cast<int32_t>(attrs.pads[2] - attrs.ceil_pads[0]);
  layer->count_right = static_cast<int32_t>(attrs.pads[3] - attrs.ceil_pads[1]);
  if (!layer->average) {
    layer->requantize = ScaleOf(x) != ScaleOf(y) || ZeroOf(x) != ZeroOf(y);
    if (layer->requantize) {
      XRUN_ASSIGN_OR_RETURN(const Multiplier m, MakeMultiplier({{ScaleOf(x)}, ScaleOf(y), 1}));
      layer->pool_multipliers = {m};
    }
    return {};
  }
  const int64_t taps = int64_t{layer->kernel_h} * layer->kernel_w;
  if (taps > (1 << 20)) {
    return Failure{"the window has " + std::to_string(taps) + " taps, the overlay's limit is 2^20", ""};
  }
  // Only the counts that occur need a multiplier; the others stay empty.
  layer->pool_multipliers.resize(static_cast<size_t>(taps));
  for (const int64_t v : CountedTapsOfAxis(*layer, 0, x.shape[2], y.shape[2])) {
    for (const int64_t h : CountedTapsOfAxis(*layer, 1, x.shape[3], y.shape[3])) {
      if (v * h == 0) continue;
      XRUN_ASSIGN_OR_RETURN(layer->pool_multipliers[static_cast<size_t>(v * h - 1)],
                            MakeMultiplier({{ScaleOf(x)}, ScaleOf(y), v * h}));
    }
  }
  return {};
}

/// A depthwise 1x1 convolution with weight 1: negative results take the second multiplier, which holds the slope.
Status LowerPRelu(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer) {
  const Value& x = graph.at(node.inputs[0]);
  const Value& y = graph.at(node.outputs[0]);
  const Value& slopes = graph.at(node.inputs[1]);
  const uint32_t channels = tensors[static_cast<size_t>(layer->input)].channels;
  layer->kind = channels > 1 ? LayerKind::kDepthwise : LayerKind::kConv;
  layer->groups = channels;
  layer->prelu = true;
  layer->own_weights = std::make_shared<const std::vector<int8_t>>(channels, int8_t{1});
  layer->weights = layer->own_weights->data();
  XRUN_ASSIGN_OR_RETURN(const Multiplier positive, MakeMultiplier({{ScaleOf(x)}, ScaleOf(y), 1}));
  for (uint32_t c = 0; c < channels; ++c) {
    const float slope = slopes.data<float>()[Elements(slopes.shape) == 1 ? 0 : c];
    Multiplier negative;
    if (slope != 0) {
      XRUN_ASSIGN_OR_RETURN(negative, MakeMultiplier({{ScaleOf(x), slope}, ScaleOf(y), 1}));
    }
    layer->params.push_back({-ZeroOf(x), positive, negative, 0});
  }
  return {};
}

Status LowerBinary(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer) {
  layer->kind = LayerKind::kElementwise;
  const Value& y = graph.at(node.outputs[0]);
  int side_a = 0;
  const OverlayTensor& out = tensors[static_cast<size_t>(layer->output)];
  const auto full = [&](int32_t index) {
    const OverlayTensor& t = tensors[static_cast<size_t>(index)];
    return t.channels == out.channels && t.height == out.height && t.width == out.width;
  };
  // Operand a has the result's shape; b may repeat along any axis.
  if (!full(layer->input)) {
    if (!full(layer->input_b)) {
      return Failure{"both operands are broadcast", "expand one of them in the model"};
    }
    std::swap(layer->input, layer->input_b);
    side_a = 1;
  }
  const Value& a = graph.at(node.inputs[static_cast<size_t>(side_a)]);
  const Value& b = graph.at(node.inputs[static_cast<size_t>(1 - side_a)]);
  if (node.op == Op::kMul) {
    layer->elementwise = kElementwiseMul;
    XRUN_ASSIGN_OR_RETURN(const Multiplier m, MakeMultiplier({{ScaleOf(a), ScaleOf(b)}, ScaleOf(y), 1}));
    layer->m_a = static_cast<int32_t>(m.m);
    layer->shift = m.shift;
    return {};
  }
  layer->elementwise = kElementwiseAdd;
  XRUN_ASSIGN_OR_RETURN(const AddMultipliers m, MakeAddMultipliers(ScaleOf(a), ScaleOf(b), ScaleOf(y)));
  layer->m_a = m.m[0];
  layer->m_b = m.m[1];
  layer->shift = m.shift;
  if (node.op == Op::kSub) (side_a == 0 ? layer->m_b : layer->m_a) *= -1;
  return {};
}

/// Of [1,N,K]·[1,K,M], or [1,K,N] turned: the first operand becomes weights, the second has the sum's axis as channels.
Status LowerMatMul(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer) {
  const Value& weights = graph.at(node.inputs[0]);
  const Value& x = graph.at(node.inputs[1]);
  const Value& y = graph.at(node.outputs[0]);
  for (const Value* v : {&weights, &x}) {
    if (v->shape.size() != 3 || v->shape[0] != 1) {
      return Failure{"'" + v->name + "' is not one matrix", ""};
    }
  }
  layer->kind = LayerKind::kMatMul;
  layer->transposed = !node.as<MatMulAttrs>().transpose_a;
  const uint32_t length = tensors[static_cast<size_t>(layer->input)].channels;
  // |Σ x·w − za·Σ w − zb·Σ x + …| stays below 2^16 for each of the products, padding of the last group included.
  constexpr uint32_t kLongest = (1U << 15) - 64;
  if (length > kLongest) {
    return Failure{"sums of " + std::to_string(length) +
                       " products can overflow the 32-bit accumulator, the limit is " + std::to_string(kLongest),
                   ""};
  }
  XRUN_ASSIGN_OR_RETURN(const Multiplier m, MakeMultiplier({{ScaleOf(weights), ScaleOf(x)}, ScaleOf(y), 1}));
  layer->params = {{0, m, m, ZeroOf(weights)}};
  layer->has_weight_zero = HasWeightZero(layer->params);
  return {};
}

}  // namespace

OutputStage MakeOutputStage(const Graph& graph, const Node& node) {
  const Value& y = graph.at(node.outputs[0]);
  OutputStage out;
  out.zero_point = ZeroOf(y);
  if (node.clamp) {
    out.clamp_lo = ClampBound(node.clamp->lo, y);
    out.clamp_hi = ClampBound(node.clamp->hi, y);
  }
  return out;
}

Status CheckWindow(uint32_t kernel_limit, uint32_t stride_limit, const Layer& layer) {
  const auto check = [](const char* what, uint32_t v, uint32_t limit) -> Status {
    if (v <= limit) return {};
    return Failure{std::string(what) + " is " + std::to_string(v) + ", the overlay's limit is " + std::to_string(limit),
                   "place the node on the CPU with --target cpu:NODE"};
  };
  XRUN_RETURN_IF_ERROR(check("kernel height", layer.kernel_h, kernel_limit));
  XRUN_RETURN_IF_ERROR(check("kernel width", layer.kernel_w, kernel_limit));
  XRUN_RETURN_IF_ERROR(check("vertical stride", layer.stride_h, stride_limit));
  XRUN_RETURN_IF_ERROR(check("horizontal stride", layer.stride_w, stride_limit));
  XRUN_RETURN_IF_ERROR(check("vertical dilation", layer.dilation_h, 255));
  XRUN_RETURN_IF_ERROR(check("horizontal dilation", layer.dilation_w, 255));
  XRUN_RETURN_IF_ERROR(check("dilated kernel height", (layer.kernel_h - 1) * layer.dilation_h, 32766));
  return check("dilated kernel width", (layer.kernel_w - 1) * layer.dilation_w, 32766);
}

Result<std::vector<ChannelParams>> MakeChannelParams(const Graph& graph, const Node& node, size_t channels,
                                                     const int8_t* weights, size_t k) {
  const Value& x = graph.at(node.inputs[0]);
  const Value& w = graph.at(node.inputs[1]);
  const Value& y = graph.at(node.outputs[0]);
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNone;
  const int32_t* bias = has_bias ? graph.at(node.inputs[2]).data<int32_t>() : nullptr;
  const int64_t zx = ZeroOf(x);
  std::vector<ChannelParams> params(channels);
  for (size_t c = 0; c < channels; ++c) {
    const size_t row = c % w.quant->scale.size();  // groups of a transposed convolution share the scales of a row
    const int64_t zw = ZeroOf(w, row);
    int64_t sum = 0, magnitude = 0;
    for (size_t i = 0; i < k; ++i) {
      const int64_t v = weights[c * k + i];
      sum += v - zw;
      magnitude += std::abs(v) + std::abs(zw);
    }
    const int64_t b = bias != nullptr ? bias[c] : 0;
    const int64_t folded = b - zx * sum;
    constexpr int64_t kLimit = int64_t{1} << 31;
    if (std::abs(b) + 128 * magnitude >= kLimit || std::abs(folded) + 128 * magnitude >= kLimit) {
      return Failure{"output channel " + std::to_string(c) + ": bias and weights can overflow the 32-bit accumulator",
                     "quantize the model again with a larger weight scale for this channel"};
    }
    auto multiplier = MakeMultiplier({{ScaleOf(x), ScaleOf(w, row)}, ScaleOf(y), 1});
    if (!multiplier.ok()) {
      return std::move(multiplier).failure().In("output channel " + std::to_string(c));
    }
    params[c] = {static_cast<int32_t>(folded), *multiplier, *multiplier, static_cast<int32_t>(zw)};
  }
  return params;
}

bool HasWeightZero(const std::vector<ChannelParams>& params) {
  return std::any_of(params.begin(), params.end(), [](const ChannelParams& p) { return p.weight_zero != 0; });
}

int64_t CountedTaps(const Layer& layer, int axis, int64_t in, int64_t out_position) {
  const int64_t kernel = axis == 0 ? layer.kernel_h : layer.kernel_w;
  const int64_t stride = axis == 0 ? layer.stride_h : layer.stride_w;
  const int64_t dilation = axis == 0 ? layer.dilation_h : layer.dilation_w;
  const int64_t pad = axis == 0 ? layer.pad_top : layer.pad_left;
  const int64_t lo = layer.count_include_pad ? -pad : 0;
  const int64_t hi = in + (layer.count_include_pad ? (axis == 0 ? layer.count_bottom : layer.count_right) : 0);
  int64_t count = 0;
  for (int64_t k = 0; k < kernel; ++k) {
    const int64_t i = out_position * stride + k * dilation - pad;
    count += i >= lo && i < hi ? 1 : 0;
  }
  return count;
}

Result<std::array<uint32_t, 3>> OverlayDims(const Value& value) {
  const Shape& s = value.shape;
  for (int64_t d : s) {
    if (d < 1 || d > (int64_t{1} << 24)) {
      return Failure{"value '" + value.name + "': dimension " + std::to_string(d) + " is outside 1…2^24", ""};
    }
  }
  const auto dim = [&](size_t i) { return static_cast<uint32_t>(s[i]); };
  const auto one = [&](size_t i) { return s[i] == 1; };
  if (s.size() == 4 && one(0)) return std::array<uint32_t, 3>{dim(1), dim(2), dim(3)};
  if (s.size() == 3 && one(0)) return std::array<uint32_t, 3>{dim(1), 1, dim(2)};
  if (s.size() == 2 && one(0)) return std::array<uint32_t, 3>{dim(1), 1, 1};
  if (s.size() == 1) return std::array<uint32_t, 3>{dim(0), 1, 1};
  if (s.empty()) return std::array<uint32_t, 3>{1, 1, 1};
  std::string text;
  for (int64_t d : s) text += (text.empty() ? "" : "x") + std::to_string(d);
  return Failure{
      "value '" + value.name + "' of shape " + text + " has no place in the overlay's layout (batch 1, up to 4 axes)",
      "give the model's input shape with batch 1, see --input-shape"};
}

Result<Layer> LowerNode(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors,
                        const LayerOperands& operands, const HardwareConfig& config) {
  Layer layer;
  layer.input = operands.input;
  layer.input_b = operands.input_b;
  layer.output = operands.output;
  layer.out = MakeOutputStage(graph, node);
  for (int32_t index : {operands.input, operands.input_b, operands.output}) {
    if (index == kNone) continue;
    const OverlayTensor& t = tensors[static_cast<size_t>(index)];
    if (t.groups > 2047) {
      return Failure{"'" + t.name + "' has " + std::to_string(t.channels) + " channels, the overlay's limit is " +
                         std::to_string(2047 * config.channels),
                     ""};
    }
  }
  switch (node.op) {
    case Op::kConv:
      XRUN_RETURN_IF_ERROR(LowerConv(graph, node, tensors, &layer));
      break;
    case Op::kConvTranspose:
      XRUN_RETURN_IF_ERROR(LowerConvTranspose(graph, node, tensors, &layer));
      break;
    case Op::kResize:
      XRUN_RETURN_IF_ERROR(LowerResize(graph, node, tensors, &layer));
      break;
    case Op::kDepthToSpace:
      XRUN_RETURN_IF_ERROR(LowerDepthToSpace(node, tensors, &layer));
      break;
    case Op::kSpaceToDepth:
      XRUN_RETURN_IF_ERROR(LowerSpaceToDepth(node, tensors, &layer));
      break;
    case Op::kFullyConnected:
      XRUN_RETURN_IF_ERROR(LowerFullyConnected(graph, node, tensors, &layer));
      break;
    case Op::kMatMul:
      XRUN_RETURN_IF_ERROR(LowerMatMul(graph, node, tensors, &layer));
      break;
    case Op::kMaxPool:
    case Op::kAveragePool:
      XRUN_RETURN_IF_ERROR(LowerPool(graph, node, &layer));
      break;
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
      XRUN_RETURN_IF_ERROR(LowerBinary(graph, node, tensors, &layer));
      break;
    case Op::kPRelu:
      XRUN_RETURN_IF_ERROR(LowerPRelu(graph, node, tensors, &layer));
      break;
    case Op::kUnary: {
      if (node.as<UnaryAttrs>().chain.empty()) {  // a change of parameters: exact multiplier, not a table
        const OutputStage out = layer.out;
        XRUN_ASSIGN_OR_RETURN(layer, CopyLayer(tensors[static_cast<size_t>(operands.input)],
                                               tensors[static_cast<size_t>(operands.output)]));
        layer.input = operands.input;
        layer.output = operands.output;
        layer.out = out;
        break;
      }
      layer.kind = LayerKind::kElementwise;
      layer.elementwise = kElementwiseCopy;
      layer.out = OutputStage{};
      layer.out.table = NodeTable(graph, node);
      break;
    }
    default:
      assert(false && "IsOverlayNode admits only the operators above");
  }
  return layer;
}

Result<Layer> IdentityLayer(const OverlayTensor& in, const OverlayTensor& out, uint32_t first_channel) {
  Layer layer;
  layer.kind = LayerKind::kConv;
  XRUN_ASSIGN_OR_RETURN(const Multiplier m, MakeMultiplier({{in.scale}, out.scale, 1}));
  layer.own_weights = std::make_shared<const std::vector<int8_t>>(out.channels, int8_t{1});
  layer.weights = layer.own_weights->data();
  layer.source.assign(out.channels, -1);
  layer.params.assign(out.channels, {0, m, m, 0});
  for (size_t i = 0; i < in.channels; ++i) {
    layer.source[first_channel + i] = static_cast<int32_t>(i);
    layer.params[first_channel + i].bias = -in.zero_point;
  }
  layer.out.zero_point = out.zero_point;
  return layer;
}

Result<Layer> CopyLayer(const OverlayTensor& in, const OverlayTensor& out) {
  Layer layer;
  layer.kind = LayerKind::kElementwise;
  layer.elementwise = kElementwiseCopy;
  if (in.scale == out.scale && in.zero_point == out.zero_point) return layer;
  layer.elementwise = kElementwiseRequantize;
  XRUN_ASSIGN_OR_RETURN(const Multiplier m, MakeMultiplier({{in.scale}, out.scale, 1}));
  layer.m_a = static_cast<int32_t>(m.m);
  layer.shift = m.shift;
  layer.out.zero_point = out.zero_point;
  return layer;
}

int32_t QuantizedConstant(float x, const OverlayTensor& tensor) {
  return QuantizeReal(x, tensor.scale, tensor.zero_point);
}

int OverlayAxis(size_t rank, int64_t axis) {
  if (rank == 1) return 0;
  if (rank == 3 && axis == 2) return 2;
  return static_cast<int>(axis) - 1;
}

Result<OutputStage::Residual> LowerResidual(const Graph& graph, const Node& node,
                                            const std::vector<OverlayTensor>& tensors, int32_t main, int32_t other) {
  const OverlayTensor& a = tensors[static_cast<size_t>(main)];
  const OverlayTensor& b = tensors[static_cast<size_t>(other)];
  XRUN_ASSIGN_OR_RETURN(const AddMultipliers m,
                        MakeAddMultipliers(a.scale, b.scale, ScaleOf(graph.at(node.outputs[0]))));
  const OutputStage stage = MakeOutputStage(graph, node);
  OutputStage::Residual r;
  r.tensor = other;
  r.m_main = m.m[0];
  r.m_res = m.m[1];
  r.shift = m.shift;
  r.main_zero = a.zero_point;
  r.res_zero = b.zero_point;
  r.zero_point = stage.zero_point;
  r.clamp_lo = stage.clamp_lo;
  r.clamp_hi = stage.clamp_hi;
  return r;
}

Table NodeTable(const Graph& graph, const Node& node) {
  const Value& x = graph.at(node.inputs[0]);
  const Value& y = graph.at(node.outputs[0]);
  Table table = UnaryTable(node.as<UnaryAttrs>().chain, ScaleOf(x), ZeroOf(x), ScaleOf(y), ZeroOf(y));
  if (node.clamp) {
    const OutputStage stage = MakeOutputStage(graph, node);
    for (int8_t& q : table) q = static_cast<int8_t>(ClampTo(q, stage.clamp_lo, stage.clamp_hi));
  }
  return table;
}

}  // namespace xrun::compiler
