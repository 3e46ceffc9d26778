#include "compiler/quantize/input_moments.h"

#include <Eigen/Core>
#include <algorithm>
#include <cassert>
#include <cmath>

namespace xrun::compiler {
namespace {

/// Output positions looked at in one sample of one group, evenly spread. Their products add up exactly in float32:
/// 256 · 255^2 < 2^24.
constexpr int64_t kPositions = 256;

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void AddTo(std::vector<double>& sum, const std::vector<double>& more) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

}  // namespace

void InputMoments::Merge(const InputMoments& other) {
  positions += other.positions;
  AddTo(codes, other.codes);
  AddTo(reals, other.reals);
  AddTo(products, other.products);
}

Result<MomentCollector> MomentCollector::Create(const Graph& graph, const std::vector<bool>& quantized,
                                                const ActivationParams& params, int threads) {
  XRUN_ASSIGN_OR_RETURN(FloatExecutor executor, FloatExecutor::Create(graph, threads));
  MomentCollector collector(std::move(executor));
  collector.readers_.resize(graph.values.size());
  collector.moments_.resize(graph.nodes.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (!quantized[n] || (node.op != Op::kConv && node.op != Op::kFullyConnected)) continue;
    const auto input = static_cast<size_t>(node.inputs[0]);
    if (!params.params[input]) continue;  // a constant
    const QuantParams& quant = *params.params[input];
    collector.readers_[input].push_back({n, static_cast<double>(quant.scale[0]), quant.zero_point[0]});
    InputMoments& m = collector.moments_[n];
    const Shape& weights = graph.at(node.inputs[1]).shape;
    m.groups = node.op == Op::kConv ? node.as<ConvAttrs>().groups : 1;
    m.taps = Elements(weights) / weights[0];
    m.codes.assign(static_cast<size_t>(m.groups * m.taps), 0.0);
    m.reals = m.codes;
    if (m.taps <= InputMoments::kMostTaps) m.products.assign(static_cast<size_t>(m.groups * m.taps * m.taps), 0.0);
  }
  return collector;
}

Status MomentCollector::Add(std::span<const std::span<const float>> inputs) {
  return executor_.Run(inputs, [&](ValueId id, std::span<const float> values) {
    for (const Reader& reader : readers_[static_cast<size_t>(id)]) {
      See(executor_.graph().nodes[reader.node], reader, values);
    }
  });
}

void MomentCollector::Merge(const MomentCollector& other) {
  for (size_t n = 0; n < moments_.size(); ++n) moments_[n].Merge(other.moments_[n]);
}

void MomentCollector::See(const Node& node, const Reader& reader, std::span<const float> values) {
  const Graph& graph = executor_.graph();
  InputMoments& m = moments_[reader.node];
  const Shape& in = graph.at(node.inputs[0]).shape;
  // A FullyConnected is a 1x1 convolution whose rows are pixels.
  ConvAttrs conv;
  int64_t batch = 1, height = 1, width = 1, out_h = 1, out_w = 1;
  const bool rows = node.op == Op::kFullyConnected;
  if (rows) {
    batch = Elements(in) / m.taps;
  } else {
    conv = node.as<ConvAttrs>();
    const Shape& out = graph.at(node.outputs[0]).shape;
    batch = in[0], height = in[2], width = in[3], out_h = out[2], out_w = out[3];
  }
  const int64_t kernel = conv.kernel[0] * conv.kernel[1];
  const int64_t channels = m.taps / kernel;  // of a group
  const int64_t all = batch * out_h * out_w, count = std::min(all, kPositions);
  const double per_scale = 1 / reader.scale;
  RowMajor taps(count, m.taps);
  for (int64_t g = 0; g < m.groups; ++g) {
    double* real = &m.reals[static_cast<size_t>(g * m.taps)];
    for (int64_t i = 0; i < count; ++i) {
      const int64_t position = (2 * i + 1) * all / (2 * count);
      const int64_t b = position / (out_h * out_w), y = position / out_w % out_h, x = position % out_w;
      float* row = taps.row(i).data();
      for (int64_t t = 0; t < m.taps; ++t) {
        const int64_t c = t / kernel, ky = t % kernel / conv.kernel[1], kx = t % conv.kernel[1];
        const int64_t iy = y * conv.stride[0] + ky * conv.dilation[0] - conv.pads[0];
        const int64_t ix = x * conv.stride[1] + kx * conv.dilation[1] - conv.pads[1];
        row[t] = 0;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        const int64_t at = ((b * m.groups + g) * channels + c) * height * width + iy * width + ix;
        const double value = static_cast<double>(values[static_cast<size_t>(at)]) * per_scale;
        const double code = std::clamp(std::nearbyint(value) + reader.zero_point, -128.0, 127.0) - reader.zero_point;
        row[t] = static_cast<float>(code);
        real[t] += std::nearbyint(value / InputMoments::kRealUnit);
      }
    }
    double* code_sums = &m.codes[static_cast<size_t>(g * m.taps)];
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t t = 0; t < m.taps; ++t) code_sums[t] += static_cast<double>(taps(i, t));
    }
    if (m.products.empty()) continue;
    const RowMajor gram = taps.transpose() * taps;
    double* product = &m.products[static_cast<size_t>(g * m.taps * m.taps)];
    for (int64_t k = 0; k < m.taps * m.taps; ++k) product[k] += static_cast<double>(gram.data()[k]);
  }
  m.positions += count;
}

}  // namespace xrun::compiler
