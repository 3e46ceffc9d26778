#include "compiler/lower_phases.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "compiler/lower_layer.h"
#include "isa/multiplier.h"
#include "runtime/cpu/resize.h"

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

namespace {

/// What an output element takes of each input element, the same element twice added up.
std::map<int64_t, double> WeightsAt(const ResizeAttrs& attrs, size_t axis, int64_t in, int64_t out, int64_t o) {
  const ResizeTaps taps = TapsAt(attrs, axis, in, out, o);
  std::map<int64_t, double> weights;
  for (int t = 0; t < taps.count; ++t) weights[taps.index[t]] += taps.weight[t];
  return weights;
}

}  // namespace

int64_t ResizeDenominator(const ResizeAttrs& attrs, size_t axis, int64_t in, int64_t out) {
  if (attrs.mode == ResizeMode::kNearest) return 1;
  if (attrs.mode == ResizeMode::kCubic || out % in != 0) return 0;
  const int64_t parts = 2 * (out / in);  // positions are pixels' corners or middles
  int64_t common = parts;
  for (int64_t o = 0; o < out; ++o) {
    for (const auto& [index, weight] : WeightsAt(attrs, axis, in, out, o)) {
      const double exact = weight * static_cast<double>(parts);
      if (std::fabs(exact - std::nearbyint(exact)) > 1e-6) return 0;
      common = std::gcd(common, std::llround(exact));
    }
  }
  return parts / common;
}

namespace {

/// One axis of resizing: output element cell·factor + pixel, for the cells of a run, is Σ weights[t]·in[cell + t − pad]
/// / denominator.
struct ResizeRun {
  int64_t pixel = 0, first_cell = 0, cells = 0, pad = 0;
  std::vector<int64_t> weights;
};
struct ResizeAxis {
  int64_t factor = 1, denominator = 1;
  std::vector<ResizeRun> runs;
};

Result<ResizeAxis> MakeResizeAxis(const ResizeAttrs& attrs, size_t axis, int64_t in, int64_t out) {
  ResizeAxis result;
  if (out % in != 0) {
    return Failure{
        "it resizes " + std::to_string(in) + " to " + std::to_string(out) + ", the overlay does whole factors", ""};
  }
  result.factor = out / in;
  if (result.factor > kMaxCell) {
    return Failure{"factor " + std::to_string(result.factor) + ", the overlay's limit is " + std::to_string(kMaxCell),
                   ""};
  }
  result.denominator = ResizeDenominator(attrs, axis, in, out);
  if (result.denominator == 0) return Failure{"its weights change from pixel to pixel", ""};
  for (int64_t pixel = 0; pixel < result.factor; ++pixel) {
    for (int64_t cell = 0; cell < in; ++cell) {
      std::map<int64_t, int64_t> weights;  // by input element, relative to the cell
      for (const auto& [index, weight] : WeightsAt(attrs, axis, in, out, cell * result.factor + pixel)) {
        weights[index - cell] = std::llround(weight * static_cast<double>(result.denominator));
      }
      std::erase_if(weights, [](const auto& w) { return w.second == 0; });
      ResizeRun run{pixel, cell, 1, -weights.begin()->first, {}};
      for (int64_t i = weights.begin()->first; i <= weights.rbegin()->first; ++i) {
        run.weights.push_back(weights.contains(i) ? weights[i] : 0);
      }
      ResizeRun* last = result.runs.empty() ? nullptr : &result.runs.back();
      if (last != nullptr && last->pixel == pixel && last->pad == run.pad && last->weights == run.weights) {
        ++last->cells;
      } else {
        result.runs.push_back(std::move(run));
      }
    }
  }
  // The inside and both borders; more runs than that follow no pattern.
  if (static_cast<int64_t>(result.runs.size()) > 3 * result.factor) {
    return Failure{"its weights change from pixel to pixel", ""};
  }
  return result;
}

struct ResizeAxes {
  ResizeAxis v, h;
  int64_t denominator() const { return v.denominator * h.denominator; }
};

bool FromOnePixel(const Shape& in) { return in[2] == 1 && in[3] == 1; }

Result<ResizeAxes> MakeResizeAxes(const Graph& graph, const Node& node) {
  const auto& attrs = node.as<ResizeAttrs>();
  const Shape &in = graph.at(node.inputs[0]).shape, &out = graph.at(node.outputs[0]).shape;
  ResizeAxes axes;
  XRUN_ASSIGN_OR_RETURN(axes.v, MakeResizeAxis(attrs, 2, in[2], out[2]));
  XRUN_ASSIGN_OR_RETURN(axes.h, MakeResizeAxis(attrs, 3, in[3], out[3]));
  int64_t most = 0;
  for (const ResizeRun& v : axes.v.runs) {
    for (const ResizeRun& h : axes.h.runs) {
      most = std::max(most, *std::max_element(v.weights.begin(), v.weights.end()) *
                                *std::max_element(h.weights.begin(), h.weights.end()));
    }
  }
  if (most > 255) return Failure{"its weights need more than 8 bits", ""};
  return axes;
}

}  // namespace

Status CheckResize(const Graph& graph, const Node& node) {
  const auto& attrs = node.as<ResizeAttrs>();
  const Shape &in = graph.at(node.inputs[0]).shape, &out = graph.at(node.outputs[0]).shape;
  if (attrs.mode == ResizeMode::kCubic) return Failure{"the overlay does not resize in mode cubic", ""};
  if (in.size() != 4 || attrs.scales.size() != 4 || in[0] != out[0] || in[1] != out[1])
    return Failure{"it resizes channels or batch", ""};
  if (FromOnePixel(in)) return {};
  auto axes = MakeResizeAxes(graph, node);
  return axes.ok() ? Status() : Status(std::move(axes).failure());
}

Status LowerResize(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer) {
  XRUN_RETURN_IF_ERROR(CheckResize(graph, node));
  const OverlayTensor& in = tensors[static_cast<size_t>(layer->input)];
  const OverlayTensor& out = tensors[static_cast<size_t>(layer->output)];
  const OutputStage stage = layer->out;
  const int32_t input = layer->input, output = layer->output;
  if (FromOnePixel(graph.at(node.inputs[0]).shape)) {
    XRUN_ASSIGN_OR_RETURN(*layer, CopyLayer(in, out));
    layer->input = input;
    layer->output = output;
    layer->out = stage;
    return {};
  }
  XRUN_ASSIGN_OR_RETURN(const ResizeAxes axes, MakeResizeAxes(graph, node));
  XRUN_ASSIGN_OR_RETURN(const Multiplier m,
                        MakeMultiplier({{in.scale}, out.scale, static_cast<uint32_t>(axes.denominator())}));
  layer->kind = LayerKind::kConv;
  layer->cell_h = static_cast<uint32_t>(axes.v.factor);
  layer->cell_w = static_cast<uint32_t>(axes.h.factor);
  std::vector<int32_t> same(out.channels);
  std::iota(same.begin(), same.end(), 0);
  for (const ResizeRun& v : axes.v.runs) {
    for (const ResizeRun& h : axes.h.runs) {
      ConvPhase phase;
      phase.y = static_cast<uint32_t>(v.pixel);
      phase.x = static_cast<uint32_t>(h.pixel);
      phase.cell_y = static_cast<uint32_t>(v.first_cell);
      phase.cell_x = static_cast<uint32_t>(h.first_cell);
      phase.cell_rows = static_cast<uint32_t>(v.cells);
      phase.cell_cols = static_cast<uint32_t>(h.cells);
      phase.kernel_h = static_cast<uint32_t>(v.weights.size());
      phase.kernel_w = static_cast<uint32_t>(h.weights.size());
      phase.pad_top = static_cast<int32_t>(v.pad);
      phase.pad_left = static_cast<int32_t>(h.pad);
      std::vector<int64_t> kernel;
      for (const int64_t wv : v.weights) {
        for (const int64_t wh : h.weights) kernel.push_back(wv * wh);
      }
      const int64_t most = *std::max_element(kernel.begin(), kernel.end());
      const int64_t zero = most > 127 ? -128 : 0;  // weights up to 255, as int8 with a zero point
      for (uint32_t c = 0; c < out.channels; ++c) {
        for (const int64_t w : kernel) phase.weights.push_back(static_cast<int8_t>(w + zero));
      }
      phase.source = same;
      const auto sum = static_cast<int32_t>(std::accumulate(kernel.begin(), kernel.end(), int64_t{0}));
      phase.params.assign(out.channels, {-in.zero_point * sum, m, m, static_cast<int32_t>(zero)});
      layer->has_weight_zero |= zero != 0;
      layer->kernel_h = std::max(layer->kernel_h, phase.kernel_h);
      layer->kernel_w = std::max(layer->kernel_w, phase.kernel_w);
      layer->phases.push_back(std::move(phase));
    }
  }
  return {};
}

namespace {

/// Logical channel of the deep tensor that holds pixel (y, x) of a block of channel c.
int32_t DeepChannel(const BlockAttrs& attrs, uint32_t wide_channels, uint32_t c, uint32_t y, uint32_t x) {
  const auto b = static_cast<uint32_t>(attrs.block);
  const uint32_t pixel = y * b + x;
  return static_cast<int32_t>(attrs.crd ? c * b * b + pixel : pixel * wide_channels + c);
}

}  // namespace

Status LowerDepthToSpace(const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer) {
  const auto& attrs = node.as<BlockAttrs>();
  const OverlayTensor& in = tensors[static_cast<size_t>(layer->input)];
  const OverlayTensor& out = tensors[static_cast<size_t>(layer->output)];
  if (attrs.block > kMaxCell) {
    return Failure{"block of " + std::to_string(attrs.block) + ", the overlay's limit is " + std::to_string(kMaxCell),
                   ""};
  }
  XRUN_ASSIGN_OR_RETURN(const Multiplier m, MakeMultiplier({{in.scale}, out.scale, 1}));
  layer->kind = LayerKind::kConv;
  layer->cell_h = layer->cell_w = static_cast<uint32_t>(attrs.block);
  for (uint32_t y = 0; y < layer->cell_h; ++y) {
    for (uint32_t x = 0; x < layer->cell_w; ++x) {
      ConvPhase phase;
      phase.y = y;
      phase.x = x;
      phase.cell_rows = in.height;
      phase.cell_cols = in.width;
      phase.weights.assign(out.channels, 1);
      phase.params.assign(out.channels, {-in.zero_point, m, m, 0});
      for (uint32_t c = 0; c < out.channels; ++c) phase.source.push_back(DeepChannel(attrs, out.channels, c, y, x));
      layer->phases.push_back(std::move(phase));
    }
  }
  return {};
}

/// A convolution with one tap a channel.
Status LowerSpaceToDepth(const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer) {
  const auto& attrs = node.as<BlockAttrs>();
  const OverlayTensor& in = tensors[static_cast<size_t>(layer->input)];
  const OverlayTensor& out = tensors[static_cast<size_t>(layer->output)];
  if (attrs.block > kMaxCell) {
    return Failure{"block of " + std::to_string(attrs.block) + ", the overlay's limit is " + std::to_string(kMaxCell),
                   ""};
  }
  XRUN_ASSIGN_OR_RETURN(const Multiplier m, MakeMultiplier({{in.scale}, out.scale, 1}));
  const auto b = static_cast<uint32_t>(attrs.block);
  layer->kind = LayerKind::kConv;
  layer->kernel_h = layer->kernel_w = layer->stride_h = layer->stride_w = b;
  auto weights = std::make_shared<std::vector<int8_t>>(size_t{out.channels} * b * b, int8_t{0});
  layer->source.assign(out.channels, 0);
  for (uint32_t c = 0; c < in.channels; ++c) {
    for (uint32_t y = 0; y < b; ++y) {
      for (uint32_t x = 0; x < b; ++x) {
        const auto deep = static_cast<size_t>(DeepChannel(attrs, in.channels, c, y, x));
        layer->source[deep] = static_cast<int32_t>(c);
        (*weights)[deep * b * b + y * b + x] = 1;
      }
    }
  }
  layer->own_weights = weights;
  layer->weights = weights->data();
  layer->params.assign(out.channels, {-in.zero_point, m, m, 0});
  return {};
}

}  // namespace xrun::compiler
