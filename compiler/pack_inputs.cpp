#include "compiler/pack_inputs.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace xrun::compiler {
namespace {

constexpr uint32_t kMostUnitRows = 16;  ///< image rows of a unit that are tried
constexpr uint32_t kMostSkip = 2047;    ///< LoadPacked's field
constexpr double kSpare = 1.05;
constexpr uint32_t kWindowShare = 4;  ///< a window takes at most this part of activation memory, if any does

uint64_t DivideUp(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

bool Reads(const Layer& layer, int32_t tensor) {
  return layer.input == tensor || layer.input_b == tensor ||
         (layer.out.residual && layer.out.residual->tensor == tensor);
}

/// A convolution of `input` and nothing else, over a shallow tensor as it is.
bool CanPack(const Layer& layer, int32_t input, const OverlayTensor& in, const HardwareConfig& config) {
  const bool plain = layer.kind == LayerKind::kConv && layer.phases.empty() && layer.source.empty() &&
                     layer.groups == 1 && layer.cell_h == 1 && layer.cell_w == 1 && layer.dilation_w == 1 &&
                     layer.input_b == kNone && layer.fill.value_or(in.zero_point) == in.zero_point;
  return plain && layer.input == input && in.channels * 2 <= config.channels && layer.kernel_w > 1 &&
         in.channel_map.empty() && !(layer.out.residual && layer.out.residual->tensor == input);
}

/// How a kernel's taps lie in words. A *unit* is `rows` × `taps` pixels of the image, row after row in `words`; the
/// kernel is `kernel_h` × `kernel_w` units, `rows` × stride_w pixels apart, and the last may reach beyond it.
struct Packing {
  uint32_t rows = 1, taps = 1;
  uint32_t kernel_h = 1, kernel_w = 1;
  uint32_t row_step = 1;  ///< image rows from a row of units to the next
  uint32_t stride_h = 1, dilation_h = 1;
  int32_t top = 0;  ///< image row of the first row of units
  int32_t pad_top = 0;
  uint32_t height = 0, width = 0;  ///< units
  std::vector<OverlayTensor::Packed::Word> words;
};

/// The bytes of a unit in words, none of which reaches into a third row.
std::vector<OverlayTensor::Packed::Word> WordsOf(uint32_t rows, uint32_t span, uint32_t word_bytes) {
  std::vector<OverlayTensor::Packed::Word> words;
  for (uint32_t row = 0, skip = 0; row < rows;) {
    OverlayTensor::Packed::Word word;
    word.row = row;
    word.skip = skip;
    word.head = std::min(word_bytes, span - skip);
    if (row + 1 < rows) word.tail = std::min(word_bytes - word.head, span);
    words.push_back(word);
    // Where the next begins.
    skip = word.tail != 0 ? word.tail : skip + word.head;
    if (word.tail != 0) ++row;
    if (skip == span) {
      ++row;
      skip = 0;
    }
  }
  return words;
}

/// The packing with units of `rows` × `taps` pixels; none where the machine or the layer has no such thing.
std::optional<Packing> MakePacking(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, uint32_t rows,
                                   uint32_t columns, const HardwareConfig& config) {
  Packing p;
  const auto stride_h = static_cast<int32_t>(layer.stride_h);
  p.rows = rows;
  p.kernel_w = columns;
  const uint32_t before = (columns - 1) * layer.stride_w;
  if (before >= layer.kernel_w || (rows > 1 && layer.dilation_h != 1)) return std::nullopt;
  p.taps = std::max(layer.kernel_w - before, columns > 1 ? std::min(layer.stride_w, layer.kernel_w) : 1);
  if (p.taps * in.channels > kMostSkip) return std::nullopt;
  p.words = WordsOf(rows, p.taps * in.channels, config.channels);
  p.kernel_h = static_cast<uint32_t>(DivideUp(layer.kernel_h, rows));
  p.width = out.width + columns - 1;
  // Units begin at image rows that any output row's kernel has one at.
  p.row_step = rows == 1 ? 1 : p.kernel_h == 1 ? layer.stride_h : std::gcd(layer.stride_h, rows);
  const auto step = static_cast<int32_t>(p.row_step);
  p.stride_h = static_cast<uint32_t>(stride_h / step);
  p.dilation_h = rows == 1 ? layer.dilation_h : p.kernel_h == 1 ? 1 : rows / p.row_step;
  // The first row of units is the first that reaches into the image, or the first that is read.
  const int32_t first = -layer.pad_top, most_above = static_cast<int32_t>(rows) - 1;
  p.pad_top = first < -most_above ? (-most_above - first + step - 1) / step : 0;
  if (rows == 1) p.pad_top = layer.pad_top;  // all rows of the image, read or not
  p.top = first + p.pad_top * step;
  const int32_t last_read = (static_cast<int32_t>(out.height) - 1) * static_cast<int32_t>(p.stride_h) +
                            static_cast<int32_t>((p.kernel_h - 1) * p.dilation_h) - p.pad_top;
  const int32_t last_inside = (static_cast<int32_t>(in.height) - 1 - p.top) / step;
  if (static_cast<int32_t>(in.height) <= p.top || last_read < 0) return std::nullopt;
  p.height = rows == 1 ? in.height : static_cast<uint32_t>(std::min(last_read, last_inside) + 1);
  return p;
}

/// Words of the rows that a strip of two rows of results reads.
uint64_t WindowWords(const Packing& p) {
  const uint64_t rows = uint64_t{p.kernel_h - 1} * p.dilation_h + 1 + p.stride_h;
  return std::min<uint64_t>(rows, p.height) * p.width * p.words.size();
}

/// Cycles of the longest of array, packer and DRAM, which work side by side, then of the two that others want as well.
/// The array waits for them where a strip is the first or the image comes in jumps: they must have some time to spare.
std::pair<double, double> CostOf(const Packing& p, const OverlayTensor& in, const OverlayTensor& out,
                                 const Layer& layer, const HardwareConfig& config) {
  const uint64_t pixel_groups = DivideUp(uint64_t{out.width} * out.height, config.pixels);
  const uint64_t steps = std::max<uint64_t>(uint64_t{p.kernel_h} * p.kernel_w * p.words.size(),
                                            DivideUp(config.pixels * config.channels, config.requant_lanes));
  const uint64_t moves = DivideUp(uint64_t{layer.stride_w} * in.channels, config.channels);
  const double array = static_cast<double>(pixel_groups * out.groups * steps);
  const double packer = static_cast<double>(uint64_t{p.height} * p.width * p.words.size() * moves);
  uint64_t dram_rows = 0;
  for (const auto& word : p.words) dram_rows += word.tail != 0 ? 2 : 1;
  const double dram =
      static_cast<double>(dram_rows * p.height * in.width * in.channels) / config.dram_bytes_per_cycle();
  return {std::max({array, kSpare * packer, kSpare * dram}), packer + dram};
}

/// The cheapest packing of a layer, of those whose windows leave room for other layers' rows. None for a kernel whose
/// row is too long for LoadPacked, or one that meets nothing but padding.
std::optional<Packing> PackingOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out,
                                 const HardwareConfig& config) {
  std::optional<Packing> best;
  std::tuple<bool, double, double> best_cost;
  for (uint32_t rows = 1; rows <= std::min(layer.kernel_h, kMostUnitRows); ++rows) {
    for (uint32_t columns = 1; columns <= layer.kernel_w; ++columns) {
      std::optional<Packing> p = MakePacking(layer, in, out, rows, columns, config);
      if (!p) continue;
      const bool large = WindowWords(*p) > config.activation_words() / kWindowShare;
      const auto cost = std::tuple_cat(std::tuple(large), CostOf(*p, in, out, layer, config));
      if (best && cost >= best_cost) continue;
      best = std::move(p);
      best_cost = cost;
    }
  }
  return best;
}

/// What LoadPacked makes of `in` for a layer. Its channels are the bytes of a unit, row after row.
OverlayTensor PackedTensor(const Layer& layer, const OverlayTensor& in, const Packing& packing,
                           const HardwareConfig& config) {
  OverlayTensor t;
  t.name = in.name + " packed";
  t.scale = in.scale;
  t.zero_point = in.zero_point;
  t.base = in.base;
  t.offset = in.offset;
  t.height = packing.height;
  t.width = packing.width;
  t.groups = static_cast<uint32_t>(packing.words.size());
  const uint32_t span = packing.taps * in.channels;
  t.channels = packing.rows * span;
  t.channel_map.resize(t.channels);
  for (uint32_t g = 0; g < t.groups; ++g) {
    const OverlayTensor::Packed::Word& word = packing.words[g];
    for (uint32_t l = 0; l < word.head + word.tail; ++l) {
      const uint32_t byte = l < word.head ? word.row * span + word.skip + l : (word.row + 1) * span + l - word.head;
      t.channel_map[byte] = g * config.channels + l;
    }
  }
  OverlayTensor::Packed p;
  p.channels = in.channels;
  p.stride = layer.stride_w;
  p.left = -layer.pad_left;
  p.in_cols = in.width;
  p.in_rows = in.height;
  p.row_step = packing.row_step;
  p.top = packing.top;
  p.words = packing.words;
  t.packed = std::move(p);
  return t;
}

bool Same(const OverlayTensor& a, const OverlayTensor& b) {
  return a.packed == b.packed && a.base == b.base && a.offset == b.offset && a.height == b.height && a.width == b.width;
}

/// Weights [OC][C][KH][KW] as [OC][bytes of a unit][units down][units across]. A tap that two units hold counts in the
/// first.
std::shared_ptr<const std::vector<int8_t>> PackedWeights(const Layer& layer, const Packing& packing,
                                                         uint32_t channels) {
  auto weights = std::make_shared<std::vector<int8_t>>();
  for (size_t oc = 0; oc < layer.params.size(); ++oc) {
    const auto nothing = static_cast<int8_t>(layer.params[oc].weight_zero);
    for (size_t row = 0; row < packing.rows; ++row) {
      for (size_t tap = 0; tap < packing.taps; ++tap) {
        for (size_t c = 0; c < channels; ++c) {
          for (size_t i = 0; i < packing.kernel_h; ++i) {
            for (size_t j = 0; j < packing.kernel_w; ++j) {
              const size_t y = i * packing.rows + row, x = j * layer.stride_w + tap;
              const bool held_before = j != 0 && tap + layer.stride_w < packing.taps;
              const bool used = y < layer.kernel_h && x < layer.kernel_w && !held_before;
              weights->push_back(used ? layer.weights[((oc * channels + c) * layer.kernel_h + y) * layer.kernel_w + x]
                                      : nothing);
            }
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
    std::map<const Layer*, Packing> packings;
    const bool all = std::all_of(partition->layers.begin(), partition->layers.end(), [&](const Layer& layer) {
      if (!Reads(layer, input)) return true;
      if (!CanPack(layer, input, in, config)) return false;
      auto packing = PackingOf(layer, in, partition->tensors[static_cast<size_t>(layer.output)], config);
      if (!packing) return false;
      packings.emplace(&layer, *std::move(packing));
      return true;
    });
    if (!all) continue;
    for (Layer& layer : partition->layers) {
      if (!Reads(layer, input)) continue;
      const Packing& packing = packings.at(&layer);
      OverlayTensor packed = PackedTensor(layer, in, packing, config);
      const auto known = std::find_if(partition->tensors.begin(), partition->tensors.end(),
                                      [&](const OverlayTensor& t) { return Same(t, packed); });
      layer.input = static_cast<int32_t>(known - partition->tensors.begin());
      layer.own_weights = PackedWeights(layer, packing, in.channels);
      if (known == partition->tensors.end()) partition->tensors.push_back(std::move(packed));
      layer.weights = layer.own_weights->data();
      layer.kernel_h = packing.kernel_h;
      layer.kernel_w = packing.kernel_w;
      layer.stride_h = packing.stride_h;
      layer.stride_w = 1;
      layer.dilation_h = packing.dilation_h;
      layer.pad_top = packing.pad_top;
      layer.pad_left = 0;
    }
    OverlayTensor& dense = partition->tensors[static_cast<size_t>(input)];
    dense.dense = true;
    dense.groups = 1;
  }
}

}  // namespace xrun::compiler
