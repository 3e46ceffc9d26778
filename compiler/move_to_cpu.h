#ifndef XRUN_COMPILER_MOVE_TO_CPU_H_
#define XRUN_COMPILER_MOVE_TO_CPU_H_

#include <string>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Makes a quantized operator run on the CPU: as it is where the CPU has its integers (integer_form.h) or it only moves
/// int8 values; else as Dequantize, the operator in float32, Quantize. Rounding then still happens once, into the same
/// int8 values, but after float32 arithmetic. `reason` is what reports say. Ids of nodes after `id` change.
void MoveToCpu(Graph* graph, NodeId id, const std::string& reason);

/// True if the node is a quantized operator, one that MoveToCpu can move.
bool IsQuantizedOperator(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_MOVE_TO_CPU_H_
