#include "compiler/import/order_nodes.h"

#include <functional>
#include <queue>
#include <unordered_map>
#include <utility>

#include "compiler/import/node_view.h"

namespace xrun::compiler {

Result<NodeOrder> OrderNodes(const onnx::GraphProto& graph) {
  NodeOrder order;
  const int count = graph.node_size();
  std::unordered_map<std::string, int> producer;
  for (int n = 0; n < count; ++n) {
    for (const std::string& name : graph.node(n).output()) {
      if (name.empty()) continue;
      if (!producer.emplace(name, n).second) {
        return Failure{"tensor '" + name + "' is produced twice, by node '" + NodeName(graph.node(producer[name])) +
                           "' and node '" + NodeName(graph.node(n)) + "'",
                       ""};
      }
    }
  }
  std::vector<char> needed(static_cast<size_t>(count), 0);
  std::vector<std::string> pending;
  for (const auto& info : graph.output()) pending.push_back(info.name());
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    if (!order.names.insert(name).second) continue;
    const auto found = producer.find(name);
    if (found == producer.end() || needed[static_cast<size_t>(found->second)] != 0) continue;
    needed[static_cast<size_t>(found->second)] = 1;
    for (const std::string& input : graph.node(found->second).input()) {
      if (!input.empty()) pending.push_back(input);
    }
  }

  std::vector<int> waiting(static_cast<size_t>(count), 0);
  std::vector<std::vector<int>> readers(static_cast<size_t>(count));
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  size_t wanted = 0;
  for (int n = 0; n < count; ++n) {
    if (needed[static_cast<size_t>(n)] == 0) continue;
    ++wanted;
    for (const std::string& input : graph.node(n).input()) {
      const auto found = producer.find(input);
      if (input.empty() || found == producer.end()) continue;
      readers[static_cast<size_t>(found->second)].push_back(n);
      ++waiting[static_cast<size_t>(n)];
    }
    if (waiting[static_cast<size_t>(n)] == 0) ready.push(n);
  }
  while (!ready.empty()) {
    const int n = ready.top();
    ready.pop();
    order.nodes.push_back(n);
    for (int reader : readers[static_cast<size_t>(n)]) {
      if (--waiting[static_cast<size_t>(reader)] == 0) ready.push(reader);
    }
  }
  if (order.nodes.size() != wanted) {
    for (int n = 0; n < count; ++n) {
      if (needed[static_cast<size_t>(n)] != 0 && waiting[static_cast<size_t>(n)] > 0) {
        return Failure{"the nodes form a cycle: node '" + NodeName(graph.node(n)) + "' (" + graph.node(n).op_type() +
                           ") depends on its own output",
                       ""};
      }
    }
  }
  return order;
}

}  // namespace xrun::compiler
