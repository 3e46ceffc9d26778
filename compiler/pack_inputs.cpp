#include "compiler/pack_inputs.h"

#include <algorithm>

namespace xrun::compiler {
namespace {

bool Reads(const Layer& layer, int32_t tensor) {
  return layer.input == tensor || layer.input_b == tensor ||
         (layer.out.residual && layer.out.residual->tensor == tensor);
}

/// A convolution that pays packed: fewer array steps for each row of its kernel.
bool CanPack(const Layer& layer, const OverlayTensor& in, const HardwareConfig& config) {
  const bool plain = layer.kind == LayerKind::kConv && layer.phases.empty() && layer.source.empty() &&
                     layer.groups == 1 && layer.cell_h == 1 && layer.cell_w == 1 && layer.dilation_w == 1 &&
                     layer.input_b == kNone && layer.fill.value_or(in.zero_point) == in.zero_point;
  return plain && in.channels * 2 <= config.channels && layer.kernel_w > 1 && in.channel_map.empty() &&
         !(layer.out.residual && layer.out.residual->tensor == layer.input);
}

/// How the taps of a kernel's row lie in words: `taps` neighbouring pixels in a word. Either the words of neighbouring
/// columns, `stride` pixels apart, hold all taps between them, so that the kernel becomes `words` columns wide; or they
/// stand in `words` planes.
struct Packing {
  uint32_t taps = 0, words = 0;
  bool columns = false;
};
Packing PackingOf(const Layer& layer, const OverlayTensor& in, const HardwareConfig& config) {
  Packing p;
  p.taps = std::min(layer.kernel_w, config.channels / in.channels);
  p.words = (layer.kernel_w + p.taps - 1) / p.taps;
  const uint32_t stride = layer.stride_w;
  if (stride <= p.taps) {
    const uint32_t columns = (layer.kernel_w - p.taps + stride - 1) / stride + 1;
    p.columns = columns <= p.words;
    if (p.columns) p.words = columns;
  }
  return p;
}

/// What LoadPacked makes of `in` for a layer.
OverlayTensor PackedTensor(const Layer& layer, const OverlayTensor& in, uint32_t out_width,
                           const HardwareConfig& config) {
  OverlayTensor t;
  t.name = in.name + " packed";
  t.scale = in.scale;
  t.zero_point = in.zero_point;
  t.base = in.base;
  t.offset = in.offset;
  t.height = in.height;
  const Packing packing = PackingOf(layer, in, config);
  OverlayTensor::Packed p;
  p.channels = in.channels;
  p.taps = packing.taps;
  p.all_taps = packing.columns ? packing.taps : layer.kernel_w;
  p.stride = layer.stride_w;
  p.left = -layer.pad_left;
  p.in_cols = in.width;
  t.packed = p;
  t.channels = p.all_taps * in.channels;
  t.width = packing.columns ? out_width + packing.words - 1 : out_width;
  t.groups = packing.columns ? 1 : packing.words;
  for (uint32_t tap = 0; tap < p.all_taps; ++tap) {
    for (uint32_t c = 0; c < in.channels; ++c) {
      t.channel_map.push_back(tap / p.taps * config.channels + tap % p.taps * in.channels + c);
    }
  }
  return t;
}

bool Same(const OverlayTensor& a, const OverlayTensor& b) {
  return a.packed && b.packed && a.base == b.base && a.offset == b.offset && a.width == b.width &&
         a.packed->all_taps == b.packed->all_taps && a.packed->stride == b.packed->stride &&
         a.packed->left == b.packed->left;
}

/// Weights [OC][C][KH][KW] as [OC][taps·C][KH][words] of a layer whose kernel is `words` columns of packed words wide.
/// A tap that two words hold counts in the first.
std::shared_ptr<const std::vector<int8_t>> PackedWeights(const Layer& layer, const OverlayTensor::Packed& packed,
                                                         uint32_t words) {
  const size_t kh = layer.kernel_h, kw = layer.kernel_w, channels = packed.channels;
  auto weights = std::make_shared<std::vector<int8_t>>();
  for (size_t oc = 0; oc < layer.params.size(); ++oc) {
    const auto nothing = static_cast<int8_t>(layer.params[oc].weight_zero);
    for (size_t lane_tap = 0; lane_tap < packed.all_taps; ++lane_tap) {
      for (size_t c = 0; c < channels; ++c) {
        for (size_t y = 0; y < kh; ++y) {
          for (size_t word = 0; word < words; ++word) {
            const size_t tap = word * packed.stride + lane_tap;
            const bool held_before = word != 0 && lane_tap + packed.stride < packed.all_taps;
            weights->push_back(tap < kw && !held_before ? layer.weights[((oc * channels + c) * kh + y) * kw + tap]
                                                        : nothing);
          }
        }
      }
    }
  }
  return weights;
}

}  // namespace

void PackInputs(const HardwareConfig& config, Partition* partition) {
  for (const Partition::Port& port : partition->inputs) {
    const int32_t input = port.tensor;
    const OverlayTensor in = partition->tensors[static_cast<size_t>(input)];
    const bool viewed = std::any_of(partition->tensors.begin(), partition->tensors.end(),
                                    [&](const OverlayTensor& t) { return t.parent == input; });
    if (in.is_view() || in.dense || viewed || in.base < kBaseInput0 || in.base >= kBaseOutput0) continue;
    const auto same_place = std::count_if(partition->inputs.begin(), partition->inputs.end(), [&](const auto& other) {
      return other.tensor == input || partition->tensors[static_cast<size_t>(other.tensor)].base == in.base;
    });
    if (same_place != 1) continue;
    const bool all = std::all_of(partition->layers.begin(), partition->layers.end(), [&](const Layer& layer) {
      return !Reads(layer, input) || CanPack(layer, in, config);
    });
    if (!all) continue;
    for (Layer& layer : partition->layers) {
      if (!Reads(layer, input)) continue;
      const uint32_t width = partition->tensors[static_cast<size_t>(layer.output)].width;
      OverlayTensor packed = PackedTensor(layer, in, width, config);
      const auto known = std::find_if(partition->tensors.begin(), partition->tensors.end(),
                                      [&](const OverlayTensor& t) { return Same(t, packed); });
      layer.input = static_cast<int32_t>(known - partition->tensors.begin());
      const Packing packing = PackingOf(layer, in, config);
      const uint32_t columns = packing.columns ? packing.words : 1;
      layer.own_weights = PackedWeights(layer, *packed.packed, columns);
      if (known == partition->tensors.end()) partition->tensors.push_back(std::move(packed));
      layer.weights = layer.own_weights->data();
      layer.kernel_w = columns;
      layer.stride_w = 1;
      layer.pad_left = 0;
    }
    OverlayTensor& dense = partition->tensors[static_cast<size_t>(input)];
    dense.dense = true;
    dense.groups = 1;
  }
}

}  // namespace xrun::compiler
