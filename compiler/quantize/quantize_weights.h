#ifndef XRUN_COMPILER_QUANTIZE_QUANTIZE_WEIGHTS_H_
#define XRUN_COMPILER_QUANTIZE_QUANTIZE_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// How the output channels of a Conv, ConvTranspose or FullyConnected lie in its weights: `outer` blocks of `channels`
/// rows of `inner` elements. `groups` output channels share the scale of one row (ConvTranspose with groups).
struct WeightLayout {
  int64_t outer = 1, channels = 1, inner = 1, groups = 1;
  int axis = 0;
};
WeightLayout LayoutOf(const Graph& graph, const Node& node);

/// True if the node's float weights were integers once: all are multiples of one step, as in a model exported from a
/// quantized one.
bool OnGrid(const Graph& graph, const Node& node);

/// Scale of each output channel of the node's float weights for an input scale of `input_scale`: largest magnitude /
/// 127; the common step of weights that an earlier quantization left on a grid, so that they stay exact; more where
/// |bias| + 256·Σ|w| would reach 2^31 (the input's zero point, folded into the bias, may double Σ|w|). Fails, naming
/// the node, when a weight or bias is not finite or when the sum is too long for 32 bits.
Result<std::vector<float>> WeightScales(const Graph& graph, const Node& node, float input_scale);

/// rhe(w / scale) in −127…127.
std::vector<int8_t> QuantizeWeights(const Graph& graph, const Node& node, const std::vector<float>& scales);

/// rhe(b / (input_scale · weight scale)), one per output channel; `corrections` (may be empty) are added to the real
/// bias.
std::vector<int32_t> QuantizeBias(const Graph& graph, const Node& node, float input_scale,
                                  const std::vector<float>& scales, const std::vector<double>& corrections = {});

/// float32 scale of the bias of channel c in the exported graph.
float BiasScale(float input_scale, float weight_scale);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_QUANTIZE_WEIGHTS_H_
