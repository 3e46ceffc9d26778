#ifndef XRUN_TOOLS_DRIVER_COUNT_PARAMETERS_H_
#define XRUN_TOOLS_DRIVER_COUNT_PARAMETERS_H_

#include <cstdint>

#include "compiler/graph.h"

namespace xrun::tools {

/// Constants a graph's nodes read: how many numbers, and in how many bytes.
struct ParameterCount {
  uint64_t numbers = 0, bytes = 0;
};
ParameterCount CountParameters(const compiler::Graph& graph);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_COUNT_PARAMETERS_H_
