#ifndef XRUN_COMPILER_QUANTIZE_SELECT_H_
#define XRUN_COMPILER_QUANTIZE_SELECT_H_

#include <string>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Operators that only move int8 values or choose among them: output parameters equal input parameters, a copy.
bool KeepsParameters(Op op);

/// Whether a PRelu's slopes are one for all channels (axis 1) of `in` or one a channel.
bool SlopesPerChannel(const Shape& in, const Shape& slopes);

/// Empty when the quantized form of the node exists (isa/README.md, arithmetic); else why not, for reports.
std::string WhyNotQuantizable(const Graph& graph, const Node& node);

/// What users can do about an operator without a quantized form; empty where nothing is known to help.
std::string HowToQuantize(Op op);

/// Which nodes become quantized operators: those that have a quantized form, without the ones that would only be an
/// island of data movement or elementwise work between operators that stay float.
std::vector<bool> SelectQuantized(const Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_SELECT_H_
