#include "compiler/graph.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <unordered_set>
#include <utility>

namespace xrun::compiler {

int64_t Elements(const Shape& shape) {
  int64_t count = 1;
  for (int64_t dim : shape) count *= dim;
  return count;
}

ValueId Graph::AddValue(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::AddConstant(const std::string& value_name, DType dtype, Shape shape, const void* data) {
  const size_t bytes = static_cast<size_t>(Elements(shape)) * SizeOf(dtype);
  std::vector<uint8_t> copy(bytes);
  if (bytes > 0) std::memcpy(copy.data(), data, bytes);
  Value value;
  value.name = value_name;
  value.dtype = dtype;
  value.shape = std::move(shape);
  value.constant = std::make_shared<const std::vector<uint8_t>>(std::move(copy));
  return AddValue(std::move(value));
}

NodeId Graph::Producer(ValueId id) const {
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (std::count(nodes[n].outputs.begin(), nodes[n].outputs.end(), id) > 0) return static_cast<NodeId>(n);
  }
  return kNone;
}

std::vector<NodeId> Graph::Consumers(ValueId id) const {
  std::vector<NodeId> result;
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (std::count(nodes[n].inputs.begin(), nodes[n].inputs.end(), id) > 0) result.push_back(static_cast<NodeId>(n));
  }
  return result;
}

bool Graph::IsOutput(ValueId id) const { return std::count(outputs.begin(), outputs.end(), id) > 0; }

ValueId Graph::FindValue(const std::string& value_name) const {
  for (size_t v = 0; v < values.size(); ++v) {
    if (values[v].name == value_name) return static_cast<ValueId>(v);
  }
  return kNone;
}

std::string Graph::UniqueName(const std::string& base) const {
  std::unordered_set<std::string> taken;
  for (const Value& value : values) taken.insert(value.name);
  if (taken.count(base) == 0) return base;
  for (size_t n = 1;; ++n) {
    std::string candidate = base + "." + std::to_string(n);
    if (taken.count(candidate) == 0) return candidate;
  }
}

void Graph::ReplaceUses(ValueId from, ValueId to) {
  for (Node& node : nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
}

void Graph::RemoveDead() {
  std::vector<char> live(values.size(), 0);
  for (ValueId id : outputs) live[static_cast<size_t>(id)] = 1;
  // Execution order backwards: every reader of a value is seen before its producer.
  std::vector<Node> kept;
  for (size_t n = nodes.size(); n-- > 0;) {
    Node& node = nodes[n];
    const bool used = std::any_of(node.outputs.begin(), node.outputs.end(),
                                  [&](ValueId id) { return id != kNone && live[static_cast<size_t>(id)] != 0; });
    if (!used) continue;
    for (ValueId id : node.inputs) {
      if (id != kNone) live[static_cast<size_t>(id)] = 1;
    }
    for (ValueId id : node.outputs) {
      if (id != kNone) live[static_cast<size_t>(id)] = 1;
    }
    kept.push_back(std::move(node));
  }
  std::reverse(kept.begin(), kept.end());
  nodes = std::move(kept);
  // A model's inputs are its interface: they stay even when nothing reads them.
  for (ValueId id : inputs) live[static_cast<size_t>(id)] = 1;

  std::vector<ValueId> renumbered(values.size(), kNone);
  std::vector<Value> kept_values;
  for (size_t v = 0; v < values.size(); ++v) {
    if (live[v] == 0) continue;
    renumbered[v] = static_cast<ValueId>(kept_values.size());
    kept_values.push_back(std::move(values[v]));
  }
  values = std::move(kept_values);
  const auto renumber = [&](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) {
      if (id != kNone) id = renumbered[static_cast<size_t>(id)];
    }
  };
  for (Node& node : nodes) {
    renumber(node.inputs);
    renumber(node.outputs);
  }
  renumber(inputs);
  renumber(outputs);
}

}  // namespace xrun::compiler
