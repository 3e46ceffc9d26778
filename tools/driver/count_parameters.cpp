#include "tools/driver/count_parameters.h"

#include <set>

namespace xrun::tools {

ParameterCount CountParameters(const compiler::Graph& graph) {
  ParameterCount count;
  std::set<compiler::ValueId> seen;
  for (const compiler::Node& node : graph.nodes) {
    for (compiler::ValueId id : node.inputs) {
      if (id == compiler::kNone || !graph.at(id).is_constant() || !seen.insert(id).second) continue;
      count.numbers += static_cast<uint64_t>(compiler::Elements(graph.at(id).shape));
      count.bytes += graph.at(id).constant->size();
    }
  }
  return count;
}

}  // namespace xrun::tools
