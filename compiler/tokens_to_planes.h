#ifndef XRUN_COMPILER_TOKENS_TO_PLANES_H_
#define XRUN_COMPILER_TOKENS_TO_PLANES_H_

#include "compiler/graph.h"

namespace xrun::compiler {

/// Matrix products of rows (transformers, Linear on NHWC tensors) and the int8 operators beside them work on
/// tensors whose last axis holds the channels: [1,T,D], [1,H,W,D], [T,D]. The overlay's layout wants channels first.
/// Turns such a region of a quantized graph into planes, [1,D,1,T] or [1,D,H,W], with the product as 1x1 Conv, and puts
/// transposes at the region's border. Products of two activations become one for each matrix of the batch (head):
/// [1,N,K] · [1,K,M], or [1,K,N] turned, whose operands are slices of planes wherever moves of the model say so. Every
/// int8 element keeps its value; weights and parameters stay as they are. Marks the graph ("tokens" in its metadata)
/// and leaves a marked one alone. Returns whether the graph was changed.
bool TokensToPlanes(Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_TOKENS_TO_PLANES_H_
