#include "compiler/pack_weights.h"

#include <algorithm>
#include <cassert>

namespace xrun::compiler {
namespace {

constexpr size_t kRecordBytes = 16;

void Put32(uint32_t v, uint8_t* at) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(v >> (8 * i));
}

void PutRecord(const ChannelParams& p, bool prelu, uint8_t* at) {
  Put32(static_cast<uint32_t>(p.bias), at);
  Put32(PackMultiplier(p.multiplier), at + 4);
  if (prelu) Put32(PackMultiplier(p.negative), at + 8);
  at[12] = static_cast<uint8_t>(p.weight_zero);
}

/// Records of one group's physical channels; channels that do not exist multiply by zero.
void PutRecords(const ChannelParams* params, bool prelu, const int32_t* logical, const HardwareConfig& config,
                uint8_t* at) {
  for (uint32_t c = 0; c < config.channels; ++c) {
    PutRecord(logical[c] >= 0 ? params[logical[c]] : ChannelParams{}, prelu, at + c * kRecordBytes);
  }
}

void PutTable(const Table& table, std::vector<uint8_t>* bytes, size_t padded) {
  const size_t at = bytes->size();
  bytes->resize(at + padded, 0);
  std::transform(table.begin(), table.end(), bytes->begin() + static_cast<std::ptrdiff_t>(at),
                 [](int8_t q) { return static_cast<uint8_t>(q); });
}

/// The weights of a convolution by logical channels.
class ConvWeights {
 public:
  ConvWeights(const Layer& layer, const PhaseView& phase, const OverlayTensor& in, const OverlayTensor& out)
      : phase_(phase),
        in_per_group_(static_cast<int32_t>(in.channels / layer.groups)),
        out_per_group_(static_cast<int32_t>(out.channels / layer.groups)) {}

  /// What multiplies input channel `ic` at a tap for output channel `oc`; where nothing does, the weight zero point.
  int8_t At(int32_t oc, int32_t ic, uint32_t kh, uint32_t kw) const {
    const size_t tap = size_t{kh} * phase_.kernel_w + kw, window = size_t{phase_.kernel_h} * phase_.kernel_w;
    const auto nothing = static_cast<int8_t>(phase_.params[oc].weight_zero);
    if (ic < 0) return nothing;
    const auto channel = static_cast<size_t>(oc);
    if (phase_.source != nullptr) return phase_.source[oc] == ic ? phase_.weights[channel * window + tap] : nothing;
    if (ic / in_per_group_ != oc / out_per_group_) return nothing;
    const auto row = channel * static_cast<size_t>(in_per_group_) + static_cast<size_t>(ic % in_per_group_);
    return phase_.weights[row * window + tap];
  }

 private:
  const PhaseView& phase_;
  int32_t in_per_group_, out_per_group_;
};

}  // namespace

std::vector<uint8_t> PackConvSegment(const Layer& layer, const PhaseView& phase, const OverlayTensor& in,
                                     const OverlayTensor& out, const ConvPart& part, const HardwareConfig& config) {
  const uint32_t cp = config.channels;
  const size_t row = config.weight_row_bytes();
  std::vector<uint8_t> bytes;
  if (part.last && layer.out.table) PutTable(*layer.out.table, &bytes, config.table_rows() * row);

  const std::vector<int32_t> in_logical = in.LogicalChannels(cp), out_logical = out.LogicalChannels(cp);
  const ConvWeights weights(layer, phase, in, out);
  for (uint32_t og = part.og0; og < part.og0 + part.ogn; ++og) {
    if (part.last) {
      const size_t at = bytes.size();
      bytes.resize(at + config.param_rows() * row, 0);
      PutRecords(phase.params, layer.prelu, &out_logical[size_t{og} * cp], config, bytes.data() + at);
    }
    for (uint32_t kh = part.kh0; kh < part.kh0 + part.khn; ++kh) {
      for (uint32_t kw = part.kw0; kw < part.kw0 + part.kwn; ++kw) {
        for (uint32_t ig = part.ig0; ig < part.ig0 + part.ign; ++ig) {
          const size_t at = bytes.size();
          bytes.resize(at + row, 0);
          for (uint32_t o = 0; o < cp; ++o) {
            const int32_t oc = out_logical[size_t{og} * cp + o];
            if (oc < 0) continue;
            for (uint32_t i = 0; i < cp; ++i) {
              bytes[at + o * cp + i] = static_cast<uint8_t>(weights.At(oc, in_logical[size_t{ig} * cp + i], kh, kw));
            }
          }
        }
      }
    }
  }
  assert(bytes.size() == ConvSegmentRows(layer, part, config) * row);
  return bytes;
}

uint32_t ConvSegmentRows(const Layer& layer, const ConvPart& part, const HardwareConfig& config) {
  const uint32_t table = part.last && layer.out.table ? config.table_rows() : 0;
  const uint32_t records = part.last ? config.param_rows() : 0;
  return table + part.ogn * (records + part.khn * part.kwn * part.ign);
}

std::vector<uint8_t> PackDepthwiseSegment(const Layer& layer, const OverlayTensor& out, uint32_t g0, uint32_t gn,
                                          uint32_t kh0, uint32_t khn, bool last, const HardwareConfig& config) {
  const uint32_t cp = config.channels;
  const std::vector<int32_t> logical = out.LogicalChannels(cp);
  std::vector<uint8_t> bytes;
  if (last && layer.out.table) PutTable(*layer.out.table, &bytes, size_t{config.vector_table_rows()} * cp);
  for (uint32_t g = g0; g < g0 + gn; ++g) {
    if (last) {
      const size_t at = bytes.size();
      bytes.resize(at + kRecordBytes * cp, 0);
      PutRecords(layer.params.data(), layer.prelu, &logical[size_t{g} * cp], config, bytes.data() + at);
    }
    for (uint32_t kh = kh0; kh < kh0 + khn; ++kh) {
      for (uint32_t kw = 0; kw < layer.kernel_w; ++kw) {
        for (uint32_t c = 0; c < cp; ++c) {
          const int32_t channel = logical[size_t{g} * cp + c];
          const size_t at = (static_cast<size_t>(std::max(channel, 0)) * layer.kernel_h + kh) * layer.kernel_w + kw;
          bytes.push_back(channel >= 0 ? static_cast<uint8_t>(layer.weights[at]) : 0);
        }
      }
    }
  }
  return bytes;
}

std::vector<uint8_t> PackTable(const std::optional<Table>& table, const std::vector<uint32_t>& words,
                               const HardwareConfig& config) {
  std::vector<uint8_t> bytes;
  if (table) PutTable(*table, &bytes, size_t{config.vector_table_rows()} * config.channels);
  const size_t at = bytes.size();
  const size_t rows = (words.size() * 4 + config.channels - 1) / config.channels;
  bytes.resize(at + rows * config.channels, 0);
  for (size_t i = 0; i < words.size(); ++i) Put32(words[i], bytes.data() + at + 4 * i);
  return bytes;
}

std::vector<uint8_t> PackRecord(const ChannelParams& params, const HardwareConfig& config) {
  std::vector<uint8_t> bytes(size_t{config.param_rows()} * config.weight_row_bytes(), 0);
  for (uint32_t c = 0; c < config.channels; ++c) PutRecord(params, false, bytes.data() + c * kRecordBytes);
  return bytes;
}

std::vector<uint8_t> PackRingTable(const Table& table, const HardwareConfig& config) {
  std::vector<uint8_t> bytes;
  PutTable(table, &bytes, size_t{config.table_rows()} * config.weight_row_bytes());
  return bytes;
}

std::vector<uint8_t> PackConstant(const OverlayTensor& t, const HardwareConfig& config) {
  assert(t.constant != nullptr);
  const uint32_t cp = config.channels;
  const size_t plane = size_t{t.height} * t.width;
  std::vector<uint8_t> bytes(t.groups * plane * cp, 0);
  for (uint32_t c = 0; c < t.channels; ++c) {
    const uint32_t p = t.Physical(c);
    for (size_t i = 0; i < plane; ++i) {
      bytes[((p / cp) * plane + i) * cp + p % cp] = static_cast<uint8_t>(t.constant[c * plane + i]);
    }
  }
  return bytes;
}

}  // namespace xrun::compiler
