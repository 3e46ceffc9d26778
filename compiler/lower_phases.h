#ifndef XRUN_COMPILER_LOWER_PHASES_H_
#define XRUN_COMPILER_LOWER_PHASES_H_

#include <vector>

#include "compiler/lower.h"

namespace xrun::compiler {

/// Layers whose output pixels have different windows, as convolutions with phases (lower.h). Failures say which limit
/// is exceeded; the caller names the node.

/// Output row y takes the input rows i with y = i·stride + k·dilation − pad for some kernel row k: those k depend on
/// y mod stride only, which makes stride_h × stride_w phases.
Status LowerConvTranspose(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors,
                          Layer* layer);

/// The least common denominator of the weights that Resize gives to elements along an axis; 0 in mode cubic and by
/// other than whole factors, unless it is to the nearest.
int64_t ResizeDenominator(const ResizeAttrs& attrs, size_t axis, int64_t in, int64_t out);

/// Whether Lower has a form for this Resize, and if not, why.
Status CheckResize(const Graph& graph, const Node& node);

/// Growing by whole factors: every output pixel of a cell has the same neighbours with the same weights, but for those
/// at the border, which are phases of their own. Linear weights are integers over an axis's ResizeDenominator, as
/// rounding halves right takes the least. From a single pixel: a copy that repeats it.
Status LowerResize(const Graph& graph, const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer);

/// Channels that become the pixels of a cell, and the reverse.
Status LowerDepthToSpace(const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer);
Status LowerSpaceToDepth(const Node& node, const std::vector<OverlayTensor>& tensors, Layer* layer);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_LOWER_PHASES_H_
