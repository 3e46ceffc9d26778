#ifndef XRUN_COMPILER_INFER_INDEXING_H_
#define XRUN_COMPILER_INFER_INDEXING_H_

#include "compiler/graph.h"

namespace xrun::compiler {

/// Output shape of the operators that resize, repeat or pick elements, and of Cast and LRN; part of InferShapes. Inputs
/// are present.
Result<Shape> InferIndexing(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_INFER_INDEXING_H_
