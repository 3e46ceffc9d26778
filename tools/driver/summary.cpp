#include "tools/driver/summary.h"

#include <set>

#include "runtime/io/array.h"
#include "tools/common/format.h"
#include "tools/common/table.h"

namespace xrun::tools {

PlacementCount CountPlacements(const Program& program) {
  PlacementCount count;
  for (const NodeInfo& node : program.nodes) {
    (node.placement == "overlay" ? count.overlay_macs : count.other_macs) += node.macs;
    ++(node.placement == "overlay" ? count.overlay : node.placement == "cpu" ? count.cpu : count.folded);
  }
  return count;
}

std::string NodeTable(const Program& program, bool all) {
  constexpr size_t kShort = 40;
  all = all || program.nodes.size() <= kShort;
  Table table({{"node"}, {"op"}, {"place"}, {"MACs", Table::Align::kRight}, {"reason"}});
  size_t hidden = 0, shown = 0;
  for (const NodeInfo& node : program.nodes) {
    if (!all && node.placement == "overlay") {
      ++hidden;
      continue;
    }
    ++shown;
    table.AddRow({node.name, node.op, node.placement,
                  node.macs == 0 ? "" : FormatCount(static_cast<int64_t>(node.macs)), node.reason});
  }
  std::string text = shown == 0 ? "" : table.ToString();
  if (hidden > 0) text += std::to_string(hidden) + " nodes on the overlay are not listed; -v lists all\n";
  return text;
}

nlohmann::ordered_json NodesJson(const Program& program) {
  nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
  for (const NodeInfo& node : program.nodes) {
    nodes.push_back({{"name", node.name},
                     {"op", node.op},
                     {"place", node.placement},
                     {"reason", node.reason},
                     {"macs", node.macs}});
  }
  return nodes;
}

std::string_view TypeName(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kInt8:
      return "int8";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kBool:
      return "bool";
  }
  return "unknown";
}

std::string TensorText(const TensorDesc& tensor) {
  return tensor.name + " " + io::ShapeText(tensor.shape) + " " + std::string(TypeName(tensor.type));
}

}  // namespace xrun::tools
