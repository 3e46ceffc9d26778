// GraphMaker's windows and what slides them over planes: convolutions, transposed ones, pools.

#include <algorithm>
#include <cmath>

#include "random_graph.h"

namespace xrun::testing {

using compiler::QuantParams;
using compiler::Shape;
using compiler::ValueId;

namespace {

int64_t OutSize(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after) {
  return (in + before + after - (kernel - 1) * dilation - 1) / stride + 1;
}

ConvAttrs AttrsOf(const GraphMaker::Window& w, int64_t groups) {
  ConvAttrs attrs;
  attrs.kernel = {w.kernel_h, w.kernel_w};
  attrs.stride = {w.stride_h, w.stride_w};
  attrs.dilation = {w.dilation_h, w.dilation_w};
  attrs.pads = {w.top, w.left, w.bottom, w.right};
  attrs.groups = groups;
  return attrs;
}

}  // namespace

GraphMaker::Window GraphMaker::RandomWindow(int64_t height, int64_t width, int64_t most_kernel, int64_t most_stride,
                                            int64_t most_dilation) {
  for (;;) {
    Window w;
    w.kernel_h = Pick(1, most_kernel);
    w.kernel_w = Chance(60) ? w.kernel_h : Pick(1, most_kernel);
    w.stride_h = Pick(1, most_stride);
    w.stride_w = Chance(70) ? w.stride_h : Pick(1, most_stride);
    w.dilation_h = Chance(75) ? 1 : Pick(1, most_dilation);
    w.dilation_w = Chance(80) ? w.dilation_h : Pick(1, most_dilation);
    // Padding below the kernel's size, as ONNX's pooling asks.
    w.top = Pick(0, w.kernel_h - 1);
    w.left = Pick(0, w.kernel_w - 1);
    w.bottom = Chance(60) ? w.top : Pick(0, w.kernel_h - 1);
    w.right = Chance(60) ? w.left : Pick(0, w.kernel_w - 1);
    if ((w.kernel_h - 1) * w.dilation_h + 1 <= height + w.top + w.bottom &&
        (w.kernel_w - 1) * w.dilation_w + 1 <= width + w.left + w.right) {
      return w;
    }
  }
}

ValueId GraphMaker::Weights(const Shape& shape, size_t axis, bool zero_points) {
  const bool per_channel = Chance(70);
  QuantParams quant;
  quant.axis = per_channel ? static_cast<int>(axis) : -1;
  const float base = Jitter(0.01F);
  for (int64_t c = 0; c < (per_channel ? shape[axis] : 1); ++c) {
    quant.scale.push_back(per_channel ? Jitter(base) : base);
    quant.zero_point.push_back(zero_points ? static_cast<int32_t>(Pick(-20, 20)) : 0);
  }
  std::vector<int8_t> weights(static_cast<size_t>(compiler::Elements(shape)));
  for (int8_t& q : weights) q = static_cast<int8_t>(Pick(-128, 127));
  const ValueId id = graph.AddConstant("w" + std::to_string(counter_++), DType::kInt8, shape, weights.data());
  graph.at(id).quant = quant;
  return id;
}

ValueId GraphMaker::Bias(int64_t channels, ValueId weights, float input_scale) {
  std::vector<int32_t> bias(static_cast<size_t>(channels));
  for (int32_t& b : bias) b = static_cast<int32_t>(Pick(-4000, 4000));
  const ValueId id = graph.AddConstant("b" + std::to_string(counter_++), DType::kInt32, {channels}, bias.data());
  const std::vector<float>& scales = graph.at(weights).quant->scale;
  QuantParams quant;
  quant.axis = scales.size() == 1 ? -1 : 0;
  const size_t count = scales.size() == 1 ? 1 : static_cast<size_t>(channels);
  for (size_t c = 0; c < count; ++c) quant.scale.push_back(scales[c % scales.size()] * input_scale);
  quant.zero_point.assign(count, 0);
  graph.at(id).quant = quant;
  return id;
}

ValueId GraphMaker::Conv(ValueId x, int64_t out_channels, int64_t groups, const Window& w) {
  const Shape in = graph.at(x).shape;
  const int64_t ic = in[1] / groups;
  const ValueId weights = Weights({out_channels, ic, w.kernel_h, w.kernel_w}, 0, Chance(25));
  const float sx = ScaleOf(x), sw = graph.at(weights).quant->scale[0];
  std::vector<ValueId> inputs{x, weights};
  if (Chance(80)) inputs.push_back(Bias(out_channels, weights, sx));
  const Shape out{1, out_channels, OutSize(in[2], w.kernel_h, w.stride_h, w.dilation_h, w.top, w.bottom),
                  OutSize(in[3], w.kernel_w, w.stride_w, w.dilation_w, w.left, w.right)};
  const auto k = static_cast<float>(ic * w.kernel_h * w.kernel_w);
  return AddNode(Op::kConv, AttrsOf(w, groups), std::move(inputs), out, Jitter(sx * sw * std::sqrt(k) * 100), true);
}

ValueId GraphMaker::ConvTranspose(ValueId x, int64_t out_channels, int64_t groups, const Window& w) {
  const Shape in = graph.at(x).shape;
  const int64_t ic = in[1] / groups;
  const ValueId weights = Weights({in[1], out_channels / groups, w.kernel_h, w.kernel_w}, 1, Chance(25));
  const float sx = ScaleOf(x), sw = graph.at(weights).quant->scale[0];
  std::vector<ValueId> inputs{x, weights};
  if (Chance(80)) inputs.push_back(Bias(out_channels, weights, sx));
  ConvAttrs attrs = AttrsOf(w, groups);
  attrs.output_padding = {Pick(0, std::max(w.stride_h, w.dilation_h) - 1),
                          Pick(0, std::max(w.stride_w, w.dilation_w) - 1)};
  // Never crop away everything.
  const auto size = [&](size_t d) {
    int64_t& before = attrs.pads[d];
    int64_t& after = attrs.pads[d + 2];
    for (;;) {
      const int64_t n = attrs.stride[d] * (in[d + 2] - 1) + attrs.output_padding[d] +
                        (attrs.kernel[d] - 1) * attrs.dilation[d] + 1 - before - after;
      if (n >= 1) return n;
      (before > after ? before : after) -= 1;
    }
  };
  const Shape out{1, out_channels, size(0), size(1)};
  const auto k = static_cast<float>(ic * std::max<int64_t>(1, w.kernel_h / w.stride_h) *
                                    std::max<int64_t>(1, w.kernel_w / w.stride_w));
  return AddNode(Op::kConvTranspose, attrs, std::move(inputs), out, Jitter(sx * sw * std::sqrt(k) * 100), true);
}

ValueId GraphMaker::Pool(ValueId x, bool average, bool count_include_pad, const Window& w) {
  const Shape in = graph.at(x).shape;
  PoolAttrs attrs;
  attrs.kernel = {w.kernel_h, w.kernel_w};
  attrs.stride = {w.stride_h, w.stride_w};
  // A dilated window could lie wholly in the padding, which the graph forbids.
  const bool dilated = !average && w.top + w.left + w.bottom + w.right == 0;
  if (dilated) attrs.dilation = {w.dilation_h, w.dilation_w};
  attrs.pads = {w.top, w.left, w.bottom, w.right};
  attrs.count_include_pad = average && count_include_pad;
  const Shape out{1, in[1], OutSize(in[2], w.kernel_h, w.stride_h, attrs.dilation[0], w.top, w.bottom),
                  OutSize(in[3], w.kernel_w, w.stride_w, attrs.dilation[1], w.left, w.right)};
  const float sx = ScaleOf(x);
  const ValueId y =
      AddNode(average ? Op::kAveragePool : Op::kMaxPool, attrs, {x}, out, Jitter(sx * (average ? 0.6F : 1.0F)), true);
  if (!average && Chance(70)) graph.at(y).quant = graph.at(x).quant;  // the usual case: a plain maximum
  return y;
}

}  // namespace xrun::testing
