#ifndef XRUN_TOOLS_DRIVER_SUMMARY_H_
#define XRUN_TOOLS_DRIVER_SUMMARY_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "isa/program.h"

namespace xrun::tools {

/// Nodes by placement.
struct PlacementCount {
  size_t overlay = 0, cpu = 0, folded = 0;
  uint64_t overlay_macs = 0, other_macs = 0;
};
PlacementCount CountPlacements(const Program& program);

/// Node, operator, place and reason, one row a node. With `all` false, runs of overlay nodes with the same reason are
/// left out when there are more than 40 nodes, and a last line says how many.
std::string NodeTable(const Program& program, bool all);

nlohmann::ordered_json NodesJson(const Program& program);

/// "input 1x1x28x28 float32": a program's tensor.
std::string TensorText(const TensorDesc& tensor);
std::string_view TypeName(ElementType type);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_SUMMARY_H_
