#ifndef XRUN_COMPILER_INTEGER_FORM_H_
#define XRUN_COMPILER_INTEGER_FORM_H_

#include <optional>

#include "compiler/graph.h"
#include "runtime/cpu/integer.h"

namespace xrun::compiler {

/// The integers with which the CPU computes a quantized node as the overlay would; nothing for operators without such
/// kernels and for ratios of scales that no multiplier holds.
std::optional<IntegerForm> MakeIntegerForm(const Graph& graph, const Node& node);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_INTEGER_FORM_H_
