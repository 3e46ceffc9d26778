#ifndef XRUN_COMPILER_MACS_H_
#define XRUN_COMPILER_MACS_H_

#include <cstdint>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Multiply-accumulates of one node for one run, float or quantized: what every report counts. Taps in the padding
/// count too. 0 for operators that are not sums of products.
uint64_t Macs(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_MACS_H_
