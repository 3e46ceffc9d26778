#include "compiler/lower_phases.h"

#include <algorithm>
#include <numeric>

#include "compiler/lower_layer.h"

namespace xrun::compiler {
namespace {

/// Columns of a cell are written with Conv's dst_step, a field of 4 bits.
constexpr int64_t kMaxCell = 15;

/// One axis of a phase of a transposed convolution: its taps are first, first + step, … of the kernel's, in falling
/// order (rising input rows); tap t reads input row cell + t·(dilation of the layer) − pad.
struct TransposedAxis {
  int64_t first = 0, step = 1, taps = 0, pad = 0;
};

TransposedAxis TransposedTaps(int64_t phase, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad) {
  TransposedAxis axis;
  axis.step = stride / std::gcd(stride, dilation);
  for (int64_t k = 0; k < kernel; ++k) {
    if ((phase + pad - k * dilation) % stride != 0) continue;
    if (axis.taps++ == 0) axis.first = k;
  }
  if (axis.taps == 0) return axis;
  const int64_t last = axis.first + (axis.taps - 1) * axis.step;  // reads the first input row
  axis.pad = -(phase + pad - last * dilation) / stride;
  return axis;
}

/// The weights of a phase as [M][C / groups][taps][taps], from [C][M / groups][KH][KW].
std::vector<int8_t> TransposedWeights(const Value& w, int64_t groups, const TransposedAxis& v,
                                      const TransposedAxis& h) {
  const int64_t in_per_group = w.shape[0] / groups, out_per_group = w.shape[1], kh = w.shape[2], kw = w.shape[3];
  const auto* data = w.data<int8_t>();
  std::vector<int8_t> weights;
  for (int64_t m = 0; m < out_per_group * groups; ++m) {
    for (int64_t c = 0; c < in_per_group; ++c) {
      const int8_t* kernel =
          data + ((m / out_per_group * in_per_group + c) * out_per_group + m % out_per_group) * kh * kw;
      for (int64_t y = v.taps - 1; y >= 0; --y) {
        for (int64_t x = h.taps - 1; x >= 0; --x) {
          weights.push_back(kernel[(v.first + y * v.step) * kw + h.first + x * h.step]);
        }
      }
    }
  }
  return weights;
}

uint32_t CellsWithPixel(uint32_t size, int64_t cell, int64_t pixel) {
  return static_cast<uint32_t>(int64_t{size} > pixel ? (size - pixel + cell - 1) / cell : 0);
}

}  // namespace

Status LowerConvTranspose(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors,
                          Layer* layer) {
  const auto& attrs = node.as<ConvAttrs>();
  const OverlayTensor& in = tensors[static_cast<size_t>(layer->input)];
  const OverlayTensor& out = tensors[static_cast<size_t>(layer->output)];
  const Value& w = graph.at(node.inputs[1]);
  if (attrs.stride[0] > kMaxCell || attrs.stride[1] > kMaxCell) {
    return Failure{"stride " + std::to_string(std::max(attrs.stride[0], attrs.stride[1])) +
                       " of a transposed convolution, the overlay's limit is " + std::to_string(kMaxCell),
                   "place the node on the CPU with --target cpu:NODE"};
  }
  layer->kind = LayerKind::kConv;
  layer->groups = static_cast<uint32_t>(attrs.groups);
  layer->cell_h = static_cast<uint32_t>(attrs.stride[0]);
  layer->cell_w = static_cast<uint32_t>(attrs.stride[1]);
  layer->dilation_h = static_cast<uint32_t>(attrs.dilation[0] / std::gcd(attrs.dilation[0], attrs.stride[0]));
  layer->dilation_w = static_cast<uint32_t>(attrs.dilation[1] / std::gcd(attrs.dilation[1], attrs.stride[1]));
  layer->macs = uint64_t{in.channels} * in.height * in.width * (out.channels / layer->groups) *
                static_cast<uint64_t>(attrs.kernel[0] * attrs.kernel[1]);
  for (int64_t y = 0; y < attrs.stride[0]; ++y) {
    for (int64_t x = 0; x < attrs.stride[1]; ++x) {
      ConvPhase phase;
      phase.y = static_cast<uint32_t>(y);
      phase.x = static_cast<uint32_t>(x);
      phase.cell_rows = CellsWithPixel(out.height, layer->cell_h, y);
      phase.cell_cols = CellsWithPixel(out.width, layer->cell_w, x);
      if (phase.cell_rows == 0 || phase.cell_cols == 0) continue;
      const TransposedAxis v = TransposedTaps(y, attrs.kernel[0], attrs.stride[0], attrs.dilation[0], attrs.pads[0]);
      const TransposedAxis h = TransposedTaps(x, attrs.kernel[1], attrs.stride[1], attrs.dilation[1], attrs.pads[1]);
      const bool none = v.taps == 0 || h.taps == 0;
      phase.weights = TransposedWeights(w, attrs.groups, v, h);
      XRUN_ASSIGN_OR_RETURN(phase.params, MakeChannelParams(graph, node, out.channels, phase.weights.data(),
                                                            phase.weights.size() / out.channels));
      if (none) {  // the bias alone: a tap of no channel
        phase.source.assign(out.channels, -1);
        phase.weights.assign(out.channels, 0);
      } else {
        phase.kernel_h = static_cast<uint32_t>(v.taps);
        phase.kernel_w = static_cast<uint32_t>(h.taps);
        phase.pad_top = static_cast<int32_t>(v.pad);
        phase.pad_left = static_cast<int32_t>(h.pad);
      }
      layer->kernel_h = std::max(layer->kernel_h, phase.kernel_h);
      layer->kernel_w = std::max(layer->kernel_w, phase.kernel_w);
      layer->has_weight_zero |= HasWeightZero(phase.params);
      layer->phases.push_back(std::move(phase));
    }
  }
  return CheckWindow(255, 31, *layer);
}

}  // namespace xrun::compiler
