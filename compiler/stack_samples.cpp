#include "compiler/stack_samples.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace xrun::compiler {
namespace {

class Stacker {
 public:
  Stacker(const Partition& partition, uint32_t samples)
      : in_(partition), samples_(samples), layers_(partition.layers.size() / samples), same_(in_.tensors.size()) {}

  std::optional<Partition> Run() {
    if (in_.layers.size() % samples_ != 0 || !in_.inside.empty()) return std::nullopt;
    for (size_t l = 0; l < layers_; ++l) {
      if (!Stackable(in_.layers[l])) return std::nullopt;
      for (uint32_t s = 1; s < samples_; ++s) {
        if (!SameWork(in_.layers[l], in_.layers[s * layers_ + l], s)) return std::nullopt;
      }
    }
    out_ = in_;
    out_.layers.resize(layers_);
    std::vector<int32_t> tall(in_.tensors.size(), kNone);
    for (size_t t = 0; t < in_.tensors.size(); ++t) {
      if (same_[t].empty()) continue;
      if (!Stack(static_cast<int32_t>(t), &tall)) return std::nullopt;
    }
    for (size_t l = 0; l < layers_; ++l) Widen(l, tall);
    return std::move(out_);
  }

 private:
  const OverlayTensor& at(int32_t tensor) const { return in_.tensors[static_cast<size_t>(tensor)]; }

  /// Whether rows of the layer can be computed by themselves, of each sample (strips.h looks more closely).
  bool Stackable(const Layer& layer) const {
    const OverlayTensor& out = at(layer.output);
    if (layer.kind == LayerKind::kMatMul || !layer.phases.empty() || layer.cell_h != 1 || layer.cell_w != 1)
      return false;
    for (const int32_t t : Tensors(layer)) {
      if (t == kNone) continue;
      const OverlayTensor& tensor = at(t);
      if (tensor.samples != 1 || tensor.reshaped || tensor.y0 != 0 || tensor.x0 != 0) return false;
      if (tensor.is_view() && (at(tensor.parent).height != tensor.height || at(tensor.parent).width != tensor.width)) {
        return false;
      }
      // A constant is that of every sample: one row of it is repeated.
      if (tensor.constant != nullptr && (tensor.height != 1 || t != layer.input_b || out.height == 1)) return false;
    }
    return true;
  }

  static std::array<int32_t, 4> Tensors(const Layer& layer) {
    return {layer.input, layer.input_b, layer.output, layer.out.residual ? layer.out.residual->tensor : kNone};
  }

  bool SameWork(const Layer& first, const Layer& other, uint32_t sample) {
    const auto tensors = Tensors(first), others = Tensors(other);
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (!Pair(tensors[i], others[i], sample)) return false;
    }
    Layer mapped = other;
    mapped.nodes = first.nodes;
    mapped.name = first.name;
    mapped.input = first.input;
    mapped.input_b = first.input_b;
    mapped.output = first.output;
    if (mapped.out.residual && first.out.residual) mapped.out.residual->tensor = first.out.residual->tensor;
    if (mapped.own_weights && first.own_weights && *mapped.own_weights == *first.own_weights) {
      mapped.own_weights = first.own_weights;
      mapped.weights = first.weights;
    }
    return mapped == first;
  }

  /// Notes that a tensor of the first sample and one of another are the same thing of each.
  bool Pair(int32_t first, int32_t other, uint32_t sample) {
    if (first == kNone || other == kNone) return first == other;
    const OverlayTensor &a = at(first), &b = at(other);
    if (a.is_view() != b.is_view() || (a.is_view() && !Pair(a.parent, b.parent, sample))) return false;
    std::vector<int32_t>& same = same_[static_cast<size_t>(first)];
    if (same.empty()) same.assign(samples_, kNone);
    same[0] = first;
    if (same[sample] != kNone) return same[sample] == other;
    same[sample] = other;
    if (a.constant != nullptr) return first == other || a.constant == b.constant;
    // What several samples read is none's.
    if (first == other) return false;
    const bool ports = a.base != kBaseWorkspace;
    return a.channels == b.channels && a.height == b.height && a.width == b.width && a.groups == b.groups &&
           a.scale == b.scale && a.zero_point == b.zero_point && ports == (b.base != kBaseWorkspace) &&
           a.channel_map == b.channel_map && a.group0 == b.group0 && a.y0 == b.y0 && a.x0 == b.x0 &&
           a.reshaped == b.reshaped && a.dense == b.dense && a.packed == b.packed && a.in_dram == b.in_dram;
  }

  /// The stack of a tensor of the first sample; a constant stays what it is.
  bool Stack(int32_t first, std::vector<int32_t>* tall) {
    int32_t& made = (*tall)[static_cast<size_t>(first)];
    if (made != kNone) return true;
    const std::vector<int32_t>& same = same_[static_cast<size_t>(first)];
    if (std::find(same.begin(), same.end(), kNone) != same.end()) return false;
    if (at(first).constant != nullptr) {
      made = first;
      return true;
    }
    OverlayTensor t = at(first);
    if (t.is_view()) {
      if (!Stack(t.parent, tall)) return false;
      t.parent = (*tall)[static_cast<size_t>(t.parent)];
    }
    t.samples = samples_;
    t.height *= samples_;
    if (t.base != kBaseWorkspace) {
      for (const int32_t s : same) t.places.push_back({at(s).base, at(s).offset});
    }
    made = static_cast<int32_t>(out_.tensors.size());
    out_.tensors.push_back(std::move(t));
    return true;
  }

  void Widen(size_t l, const std::vector<int32_t>& tall) {
    Layer& layer = out_.layers[l];
    const auto widened = [&](int32_t t) { return t == kNone ? kNone : tall[static_cast<size_t>(t)]; };
    const OverlayTensor &in = at(layer.input), &out = at(layer.output);
    // A window that is made once goes on from sample to sample by a sample's height.
    const bool window = layer.kind != LayerKind::kElementwise;
    if (window && out.height == 1 && layer.pad_top == 0 && in.height <= kLongestStride) layer.stride_h = in.height;
    for (uint32_t s = 1; s < samples_; ++s) {
      const Layer& other = in_.layers[s * layers_ + l];
      layer.nodes.insert(layer.nodes.end(), other.nodes.begin(), other.nodes.end());
    }
    constexpr std::string_view kFirst = ".sample0";
    if (layer.name.size() > kFirst.size() && layer.name.ends_with(kFirst)) {
      layer.name.resize(layer.name.size() - kFirst.size());
    }
    layer.input = widened(layer.input);
    layer.input_b = widened(layer.input_b);
    layer.output = widened(layer.output);
    if (layer.out.residual) layer.out.residual->tensor = widened(layer.out.residual->tensor);
  }

  static constexpr uint32_t kLongestStride = 31;

  const Partition& in_;
  uint32_t samples_;
  size_t layers_;  ///< of a sample
  /// By tensor of the first sample: the same one of each sample. Empty for all others.
  std::vector<std::vector<int32_t>> same_;
  Partition out_;
};

}  // namespace

std::optional<Partition> StackSamples(const Partition& partition) {
  // One sample's layers end where the first layer's work comes again.
  const size_t layers = partition.layers.size();
  for (size_t l = 1; l <= layers / 2; ++l) {
    if (layers % l != 0) continue;
    if (auto stack = Stacker(partition, static_cast<uint32_t>(layers / l)).Run()) return stack;
  }
  return std::nullopt;
}

}  // namespace xrun::compiler
