#ifndef XRUN_COMPILER_INFER_AXES_H_
#define XRUN_COMPILER_INFER_AXES_H_

#include "compiler/graph.h"

namespace xrun::compiler {

/// Private to infer_shapes.cpp: output shape of the operators that compute along axes (Reduce, LayerNorm,
/// InstanceNorm). Inputs are present.
Result<Shape> InferAxes(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_INFER_AXES_H_
