#ifndef XRUN_COMPILER_SKIP_UNREAD_PIXELS_H_
#define XRUN_COMPILER_SKIP_UNREAD_PIXELS_H_

#include "compiler/graph.h"

namespace xrun::compiler {

/// Where 1x1 convolutions of stride s alone read a tensor of a quantized graph (the last one of each stage of a
/// ResNet v1), most of its pixels are never read. Then what makes it makes only the others: its strides are multiplied
/// by s, those of its readers become 1, and a residual operand that has other readers is thinned out by a maximum over
/// one pixel. No pixel that is left changes. Returns whether anything was done.
bool SkipUnreadPixels(Graph& graph);

/// Where a 1x1 convolution of stride s reads a tensor that others read whole: it reads a thinned copy instead, which
/// takes less of activation memory until the convolution, whose weights may be more than the ring, comes to it.
bool ThinForProjections(Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_SKIP_UNREAD_PIXELS_H_
