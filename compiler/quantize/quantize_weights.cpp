#include "compiler/quantize/quantize_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

namespace xrun::compiler {

namespace {

constexpr double kAccumulatorLimit = 0x1p31;
/// No weight scale is smaller: its product with an activation scale (MakeParams) stays a normal float32.
constexpr float kSmallestWeightScale = 0x1p-60F;

const float* BiasOf(const Graph& graph, const Node& node) {
  return node.inputs.size() > 2 && node.inputs[2] != kNone ? graph.at(node.inputs[2]).data<float>() : nullptr;
}

Failure InNode(const Node& node, const std::string& what) {
  return Failure{"node '" + node.name + "' (" + std::string(Name(node.op)) + "): " + what, ""};
}

/// fn(channel, element index) over all weights.
template <typename Fn>
void ForEachWeight(const WeightLayout& layout, const Fn& fn) {
  int64_t at = 0;
  for (int64_t o = 0; o < layout.outer; ++o) {
    for (int64_t c = 0; c < layout.channels; ++c) {
      for (int64_t i = 0; i < layout.inner; ++i) fn(static_cast<size_t>(c), static_cast<size_t>(at++));
    }
  }
}

/// The step of weights that were integers once: exported from a quantized model, every weight is a multiple of one
/// step, |w| ≤ 255 steps. 0 when they are not.
double GridStep(const float* weights, size_t count) {
  std::unordered_set<float> distinct;
  for (size_t i = 0; i < count && distinct.size() <= 256; ++i) distinct.insert(std::fabs(weights[i]));
  if (distinct.size() < 2 || distinct.size() > 256) return 0;
  std::vector<double> magnitudes(distinct.begin(), distinct.end());
  std::sort(magnitudes.begin(), magnitudes.end());
  double step = magnitudes.back();
  for (size_t i = 1; i < magnitudes.size(); ++i) {
    const double gap = magnitudes[i] - magnitudes[i - 1];
    if (gap > magnitudes.back() * 1e-4) step = std::min(step, gap);
  }
  // The step again, from the largest weight: float32 rounds it least.
  const double steps = std::nearbyint(magnitudes.back() / step);
  if (steps < 32 || steps > 255) return 0;  // with few steps the scale would be coarse, and the bias with it
  step = magnitudes.back() / steps;
  const bool fits = std::all_of(magnitudes.begin(), magnitudes.end(),
                                [&](double m) { return std::fabs(m / step - std::nearbyint(m / step)) < 1e-3; });
  return fits ? step : 0;
}

}  // namespace

WeightLayout LayoutOf(const Graph& graph, const Node& node) {
  const Shape& shape = graph.at(node.inputs[1]).shape;
  WeightLayout layout;
  const bool transposed = node.op == Op::kConvTranspose;
  layout.axis = transposed ? 1 : 0;
  layout.outer = transposed ? shape[0] : 1;
  layout.channels = shape[static_cast<size_t>(layout.axis)];
  layout.inner = Elements(shape) / std::max<int64_t>(1, layout.outer * layout.channels);
  layout.groups = transposed ? node.as<ConvAttrs>().groups : 1;
  return layout;
}

bool OnGrid(const Graph& graph, const Node& node) {
  const Value& weights = graph.at(node.inputs[1]);
  return GridStep(weights.data<float>(), static_cast<size_t>(Elements(weights.shape))) > 0;
}

Result<std::vector<float>> WeightScales(const Graph& graph, const Node& node, float input_scale) {
  const WeightLayout layout = LayoutOf(graph, node);
  const float* weights = graph.at(node.inputs[1]).data<float>();
  const float* bias = BiasOf(graph, node);
  const auto channels = static_cast<size_t>(layout.channels);
  std::vector<float> largest(channels, 0.0F);
  std::vector<double> sum(channels, 0.0);
  bool finite = true;
  ForEachWeight(layout, [&](size_t c, size_t i) {
    const float w = std::fabs(weights[i]);
    finite = finite && std::isfinite(w);
    largest[c] = std::max(largest[c], w);
    sum[c] += static_cast<double>(w);
  });
  if (!finite)
    return InNode(node, "its weights '" + graph.at(node.inputs[1]).name + "' hold a value that is not finite");

  // Terms of one output: rounding adds at most half a unit to each.
  const int64_t outer = layout.outer / std::max<int64_t>(1, layout.groups);
  const double terms = static_cast<double>(layout.inner) * static_cast<double>(outer);
  const double room = kAccumulatorLimit - 128 * terms - 2;
  if (room < kAccumulatorLimit / 2)
    return InNode(node, "its sums of " + std::to_string(terms) + " products exceed 32 bits");

  const double step = GridStep(weights, static_cast<size_t>(Elements(graph.at(node.inputs[1]).shape)));
  const float most = *std::max_element(largest.begin(), largest.end());
  std::vector<float> scales(channels);
  for (size_t c = 0; c < channels; ++c) {
    // A channel of zeros only carries its bias; any scale of the layer's order of magnitude does.
    const float reach = largest[c] > 0 ? largest[c] : most > 0 ? most : 1.0F;
    float scale = std::max(reach / 127, kSmallestWeightScale);
    if (step > 0 && static_cast<double>(largest[c]) < 127.5 * step) scale = static_cast<float>(step);
    double magnitude = 0;
    for (int64_t g = 0; bias != nullptr && g < layout.groups; ++g) {
      const auto b = static_cast<double>(bias[static_cast<size_t>(g) * channels + c]);
      if (!std::isfinite(b)) return InNode(node, "its bias '" + graph.at(node.inputs[2]).name + "' is not finite");
      magnitude = std::max(magnitude, std::fabs(b));
    }
    const double least = (magnitude / static_cast<double>(input_scale) + 256 * sum[c]) / room;
    if (static_cast<double>(scale) < least) scale = static_cast<float>(least * (1 + 1e-6));
    if (!std::isfinite(scale)) return InNode(node, "its bias is too large for its input's range");
    scales[c] = scale;
  }
  return scales;
}

std::vector<int8_t> QuantizeWeights(const Graph& graph, const Node& node, const std::vector<float>& scales) {
  const WeightLayout layout = LayoutOf(graph, node);
  const float* weights = graph.at(node.inputs[1]).data<float>();
  std::vector<int8_t> quantized(static_cast<size_t>(Elements(graph.at(node.inputs[1]).shape)));
  ForEachWeight(layout, [&](size_t c, size_t i) {
    const double q = std::nearbyint(static_cast<double>(weights[i]) / static_cast<double>(scales[c]));
    quantized[i] = static_cast<int8_t>(std::clamp(q, -127.0, 127.0));
  });
  return quantized;
}

std::vector<int32_t> QuantizeBias(const Graph& graph, const Node& node, float input_scale,
                                  const std::vector<float>& scales, const std::vector<double>& corrections) {
  const WeightLayout layout = LayoutOf(graph, node);
  const float* bias = BiasOf(graph, node);
  std::vector<int32_t> quantized(static_cast<size_t>(layout.channels * layout.groups));
  for (size_t m = 0; m < quantized.size(); ++m) {
    const double unit = static_cast<double>(input_scale) * static_cast<double>(scales[m % scales.size()]);
    double real = bias == nullptr ? 0.0 : static_cast<double>(bias[m]);
    if (!corrections.empty()) real += corrections[m];
    constexpr double kMost = std::numeric_limits<int32_t>::max();
    quantized[m] = static_cast<int32_t>(std::clamp(std::nearbyint(real / unit), -kMost, kMost));
  }
  return quantized;
}

float BiasScale(float input_scale, float weight_scale) {
  return static_cast<float>(static_cast<double>(input_scale) * static_cast<double>(weight_scale));
}

}  // namespace xrun::compiler
