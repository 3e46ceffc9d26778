#include "compiler/quantize/float_constants.h"

#include <memory>
#include <utility>

namespace xrun::compiler {

ConstantData CopyBytes(const void* data, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  return std::make_shared<const std::vector<uint8_t>>(bytes, bytes + size);
}

std::vector<float> Floats(const Graph& graph, ValueId id) {
  const float* data = graph.at(id).data<float>();
  return {data, data + Elements(graph.at(id).shape)};
}

ValueId PickRows(Graph& graph, ValueId id, const std::vector<size_t>& rows, const std::string& suffix) {
  Shape shape = graph.at(id).shape;
  const auto size = static_cast<size_t>(Elements(shape) / shape[0]);
  const float* data = graph.at(id).data<float>();
  std::vector<float> picked;
  for (const size_t r : rows) picked.insert(picked.end(), data + r * size, data + (r + 1) * size);
  shape[0] = static_cast<int64_t>(rows.size());
  return graph.AddConstant(graph.UniqueName(graph.at(id).name + suffix), DType::kFloat32, std::move(shape),
                           picked.data());
}

}  // namespace xrun::compiler
