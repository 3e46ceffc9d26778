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

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_LOWER_PHASES_H_
