#ifndef XRUN_COMPILER_QUANTIZE_FLOAT_CONSTANTS_H_
#define XRUN_COMPILER_QUANTIZE_FLOAT_CONSTANTS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// A copy, as a constant's data.
ConstantData CopyBytes(const void* data, size_t size);

/// The elements of a float constant.
std::vector<float> Floats(const Graph& graph, ValueId id);

/// Rows (entries of axis 0) of a float constant, in this order, one perhaps several times, as a constant NAME + suffix.
ValueId PickRows(Graph& graph, ValueId id, const std::vector<size_t>& rows, const std::string& suffix);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_FLOAT_CONSTANTS_H_
