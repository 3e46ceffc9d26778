#include "compiler/import/import_onnx.h"

#include <fstream>
#include <system_error>
#include <utility>

#include "compiler/import/importer.h"
#include "compiler/import/operators.h"

namespace xrun::compiler {

namespace {

Result<onnx::ModelProto> ParseModel(const char* data, size_t size) {
  if (size == 0) return Failure{"the file is empty", ""};
  if (size > static_cast<size_t>(kMaxModelBytes)) {
    return Failure{"the file is larger than 2 GiB", "save the weights as external data"};
  }
  onnx::ModelProto model;
  // Partial: ONNX has no required fields, and protobuf would report a missing one on stderr.
  if (!model.ParsePartialFromArray(data, static_cast<int>(size))) {
    return Failure{"is not an ONNX model, or is truncated or damaged", ""};
  }
  return model;
}

Result<Graph> ImportBytes(const char* data, size_t size, const std::filesystem::path& folder,
                          const ImportOptions& options) {
  XRUN_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseModel(data, size));
  Importer importer(options, folder);
  return importer.Run(model);
}

Result<std::vector<char>> ReadModel(const std::filesystem::path& file) {
  const std::string name = file.string();
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return Failure{name + ": no such file", ""};
  if (!std::filesystem::is_regular_file(file, error)) return Failure{name + ": is not a file", ""};
  const auto size = std::filesystem::file_size(file, error);
  if (error) return Failure{name + ": " + error.message(), ""};
  if (size > static_cast<uintmax_t>(kMaxModelBytes)) {
    return Failure{name + ": the file is larger than 2 GiB", "save the weights as external data"};
  }
  std::vector<char> bytes(size);
  std::ifstream stream(file, std::ios::binary);
  stream.read(bytes.data(), static_cast<std::streamsize>(size));
  if (!stream) return Failure{name + ": cannot be read", ""};
  return bytes;
}

}  // namespace

Result<Graph> ImportOnnx(const std::filesystem::path& file, const ImportOptions& options) {
  const std::string name = file.string();
  XRUN_ASSIGN_OR_RETURN(const std::vector<char> bytes, ReadModel(file));
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  auto result = ImportBytes(bytes.data(), bytes.size(), folder, options);
  if (!result.ok()) return std::move(result).failure().In(name);
  if (result->name.empty()) result->name = file.stem().string();
  return result;
}

Result<Graph> ImportOnnx(std::span<const uint8_t> model, const std::string& name, const ImportOptions& options) {
  auto result = ImportBytes(reinterpret_cast<const char*>(model.data()), model.size(), {}, options);
  if (!result.ok()) return std::move(result).failure().In(name);
  return result;
}

Result<std::vector<RefusedNode>> FindRefusedNodes(const std::filesystem::path& file) {
  XRUN_ASSIGN_OR_RETURN(const std::vector<char> bytes, ReadModel(file));
  auto model = ParseModel(bytes.data(), bytes.size());
  if (!model.ok()) return std::move(model).failure().In(file.string());
  std::vector<RefusedNode> refused;
  for (const onnx::NodeProto& node : model->graph().node()) {
    const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
    if (standard && FindOperator(node.op_type()) != nullptr) continue;
    refused.push_back({NodeName(node), (standard ? "" : node.domain() + ".") + node.op_type(),
                       RefuseOperator(node, NodeName(node)).hint});
  }
  return refused;
}

std::vector<SupportedOperator> SupportedOperators() {
  std::vector<SupportedOperator> rows;
  for (const OperatorRule& rule : OperatorRules()) {
    rows.push_back({std::string(rule.name), rule.versions, rule.lower == nullptr});
  }
  return rows;
}

}  // namespace xrun::compiler
