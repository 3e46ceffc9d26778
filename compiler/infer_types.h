#ifndef XRUN_COMPILER_INFER_TYPES_H_
#define XRUN_COMPILER_INFER_TYPES_H_

#include "compiler/graph.h"

namespace xrun::compiler {

/// Element type of a node's result, from those of its inputs; a failure when the operator does not take them. The one
/// place that knows which operator computes with what: float operators with float, quantized ones with int8 (and int32
/// biases), those that pick or move elements with anything, some arithmetic with int32 and int64 too.
Result<DType> InferType(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_INFER_TYPES_H_
