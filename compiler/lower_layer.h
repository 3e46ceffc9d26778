#ifndef XRUN_COMPILER_LOWER_LAYER_H_
#define XRUN_COMPILER_LOWER_LAYER_H_

#include <array>
#include <cstdint>
#include <vector>

#include "compiler/lower.h"

namespace xrun::compiler {

/// C, H, W of an int8 value on the overlay: [N,C,H,W], [N,C,W] (H = 1), [N,C] or [C] (H = W = 1), all with N = 1.
Result<std::array<uint32_t, 3>> OverlayDims(const Value& value);

struct LayerOperands {
  int32_t input = kNone, input_b = kNone, output = kNone;
};

/// The layer of one quantized node: geometry, and every integer derived from scales (multipliers, folded biases,
/// clamps, tables). Failures say which limit is exceeded; the caller names the node.
Result<Layer> LowerNode(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors,
                        const LayerOperands& operands, const HardwareConfig& config);

/// Records of `channels` output channels of a Conv, ConvTranspose or FullyConnected whose weights are [channels][k]:
/// bias with the input zero point folded in, multiplier, weight zero point. Proves that the accumulators fit 32 bits.
Result<std::vector<ChannelParams>> MakeChannelParams(const Graph& graph, const Node& node, size_t channels,
                                                     const int8_t* weights, size_t k);
bool HasWeightZero(const std::vector<ChannelParams>& params);

/// Refuses a window (kernel, stride, dilation of the layer) that the instruction's fields cannot hold.
Status CheckWindow(uint32_t kernel_limit, uint32_t stride_limit, const Layer& layer);

/// A convolution that moves data and, where scales differ, requantizes: 1 × 1, output channel c takes input channel
/// c − first_channel, and is real zero where there is none. Its geometry (stride, padding, fill) is left for the
/// caller; channels may lie anywhere on both sides.
Result<Layer> IdentityLayer(const OverlayTensor& in, const OverlayTensor& out, uint32_t first_channel = 0);

/// An element-for-element copy, requantized where parameters differ.
Result<Layer> CopyLayer(const OverlayTensor& in, const OverlayTensor& out);

/// saturate(zero point + rhe(x / scale)): a real constant in a tensor's int8 form.
int32_t QuantizedConstant(float x, const OverlayTensor& tensor);

/// The axis of C × H × W (0, 1, 2) that an axis of a value of this rank is; -1 for the batch.
int OverlayAxis(size_t rank, int64_t axis);

/// The residual part of an output stage for Add(main, other).
Result<OutputStage::Residual> LowerResidual(const Graph& graph, const Node& node,
                                            const std::vector<OverlayTensor>& tensors, int32_t main, int32_t other);

/// Taps that an average counts along an axis (0 vertical, 1 horizontal) for an output position; `in` is the input's
/// size.
int64_t CountedTaps(const Layer& layer, int axis, int64_t in, int64_t out_position);

/// Zero point and clamps of a quantized node's result.
OutputStage MakeOutputStage(const Graph& graph, const Node& node);

/// The table of a quantized Unary node, its clamp included.
Table NodeTable(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_LOWER_LAYER_H_
