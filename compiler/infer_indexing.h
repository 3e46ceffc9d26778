#ifndef XRUN_COMPILER_INFER_INDEXING_H_
#define XRUN_COMPILER_INFER_INDEXING_H_

#include "compiler/graph.h"

namespace xrun::compiler {

/// Output shape of Resize, DepthToSpace, SpaceToDepth, Gather, ArgMax, Cast, LRN; part of InferShapes.
Result<Shape> InferIndexing(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_INFER_INDEXING_H_
