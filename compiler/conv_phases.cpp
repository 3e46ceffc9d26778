#include "compiler/conv_phases.h"

#include <algorithm>

namespace xrun::compiler {

std::vector<PhaseView> PhasesOf(const Layer& layer, const OverlayTensor& out) {
  if (layer.phases.empty()) {
    PhaseView view;
    view.cell_rows = out.height;
    view.cell_cols = out.width;
    view.kernel_h = layer.kernel_h;
    view.kernel_w = layer.kernel_w;
    view.pad_top = layer.pad_top;
    view.pad_left = layer.pad_left;
    view.weights = layer.weights;
    view.source = layer.source.empty() ? nullptr : layer.source.data();
    view.params = layer.params.data();
    return {view};
  }
  std::vector<PhaseView> views;
  for (const ConvPhase& p : layer.phases) {
    views.push_back({p.y, p.x, p.cell_y, p.cell_x, p.cell_rows, p.cell_cols, p.kernel_h, p.kernel_w, p.pad_top,
                     p.pad_left, p.weights.data(), p.source.empty() ? nullptr : p.source.data(), p.params.data()});
  }
  return views;
}

bool RepeatsPixels(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out) {
  const uint32_t pixels = layer.cell_h * layer.cell_w;
  if (layer.kind != LayerKind::kConv || pixels == 1 || layer.phases.size() != pixels) return false;
  if (layer.stride_h != 1 || layer.stride_w != 1 || layer.prelu || layer.input_b != kNone) return false;
  if (out.height != in.height * layer.cell_h || out.width != in.width * layer.cell_w) return false;
  if (out.channels != in.channels || out.groups != in.groups || out.zero_point != in.zero_point) return false;
  const OutputStage& stage = layer.out;
  if (stage.zero_point != in.zero_point || stage.clamp_lo != -128 || stage.clamp_hi != 127) return false;
  if (stage.table || stage.residual) return false;
  std::vector<bool> seen(pixels, false);
  for (const ConvPhase& phase : layer.phases) {
    if (phase.y >= layer.cell_h || phase.x >= layer.cell_w || seen[phase.y * layer.cell_w + phase.x]) return false;
    seen[phase.y * layer.cell_w + phase.x] = true;
    if (phase.cell_y != 0 || phase.cell_x != 0 || phase.cell_rows != in.height || phase.cell_cols != in.width ||
        phase.kernel_h != 1 || phase.kernel_w != 1 || phase.pad_top != 0 || phase.pad_left != 0) {
      return false;
    }
    if (phase.weights.size() != out.channels || phase.source.size() != out.channels) return false;
    for (uint32_t c = 0; c < out.channels; ++c) {
      const ChannelParams& p = phase.params[c];
      if (phase.weights[c] != 1 || phase.source[c] != static_cast<int32_t>(c) || p.weight_zero != 0 ||
          p.bias != -in.zero_point || p.multiplier.m != uint64_t{1} << p.multiplier.shift ||
          in.Physical(c) != out.Physical(c)) {
        return false;
      }
    }
  }
  return true;
}

GroupRange InputGroups(const Layer& layer, const PhaseView& phase, const OverlayTensor& in, const OverlayTensor& out,
                       const std::vector<int32_t>& out_logical, uint32_t og, uint32_t channels_of_group) {
  if (layer.groups == 1 && phase.source == nullptr) return {0, in.groups};
  const uint32_t in_per_group = in.channels / layer.groups, out_per_group = out.channels / layer.groups;
  uint32_t lo = in.groups, hi = 0;
  const auto include = [&](uint32_t channel) {
    const uint32_t group = in.Physical(channel) / channels_of_group;
    lo = std::min(lo, group);
    hi = std::max(hi, group + 1);
  };
  for (uint32_t c = 0; c < channels_of_group; ++c) {
    const int32_t oc = out_logical[size_t{og} * channels_of_group + c];
    if (oc < 0) continue;
    if (phase.source != nullptr) {
      if (phase.source[oc] >= 0) include(static_cast<uint32_t>(phase.source[oc]));
      continue;
    }
    const uint32_t first = static_cast<uint32_t>(oc) / out_per_group * in_per_group;
    if (in.channel_map.empty()) {
      include(first);
      include(first + in_per_group - 1);
    } else {
      for (uint32_t i = 0; i < in_per_group; ++i) include(first + i);
    }
  }
  return hi == 0 ? GroupRange{} : GroupRange{lo, hi - lo};
}

GroupRange Join(const GroupRange& a, const GroupRange& b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  const uint32_t first = std::min(a.first, b.first);
  return {first, std::max(a.first + a.count, b.first + b.count) - first};
}

}  // namespace xrun::compiler
