#ifndef XRUN_COMPILER_MOVE_TO_CPU_H_
#define XRUN_COMPILER_MOVE_TO_CPU_H_

#include <string>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Makes a quantized operator run on the CPU: Dequantize, the operator in float32, Quantize. Rounding still happens
/// once, into the same int8 values, but after float32 arithmetic instead of integers. Operators that only move int8
/// values stay as they are. `reason` is what reports say. Ids of nodes after `id` change.
void MoveToCpu(Graph* graph, NodeId id, const std::string& reason);

/// True if the node is a quantized operator, one that MoveToCpu can move.
bool IsQuantizedOperator(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_MOVE_TO_CPU_H_
