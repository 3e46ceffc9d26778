#ifndef XRUN_COMPILER_IMPORT_IMPORT_ONNX_H_
#define XRUN_COMPILER_IMPORT_IMPORT_ONNX_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

struct ImportOptions {
  /// Shapes of model inputs by name, as --input-shape gives them; the name "" means a model's only input.
  std::map<std::string, Shape> input_shapes;
  /// Bytes of all constants together that an import may create; keeps a hostile file from filling the memory.
  int64_t max_constant_bytes = int64_t{4} << 30;
};

/// Largest model file: the limit of protobuf itself.
constexpr int64_t kMaxModelBytes = int64_t{0x7fffffff};

/// Reads an ONNX model (opset 7 to 21, IR version 3 to 10) into a float or QDQ graph with every shape known. Weights in
/// separate files are looked for in the model's own folder. uint8 tensors come out as int8, zero points shifted by 128.
///
/// Metadata it sets: "opset", "ir_version", "producer", "batch" (inputs whose symbolic leading dimension became 1),
/// "type:NAME" for inputs and outputs whose type in the model is not float32 (float16, double, int8, uint8, ...).
///
/// Fails, naming file, node, operator and the way out, for anything it does not understand; no model is half imported.
/// Thread-safe.
Result<Graph> ImportOnnx(const std::filesystem::path& file, const ImportOptions& options = {});

/// The same from memory. `name` stands for the file in messages; external data is refused.
Result<Graph> ImportOnnx(std::span<const uint8_t> model, const std::string& name, const ImportOptions& options = {});

/// "NAME:1x3x224x224" or "1x3x224x224" (name "") as --input-shape takes it; the name may itself contain colons.
Result<std::pair<std::string, Shape>> ParseInputShape(const std::string& text);

/// One row of the table of supported operators, for documentation.
struct SupportedOperator {
  std::string name;
  std::vector<int> versions;  ///< the since-versions understood
  bool constants_only;        ///< only evaluated on constants, such as shape arithmetic
};
std::vector<SupportedOperator> SupportedOperators();

/// An operator that is known and refused, and what to do about it; sorted by name.
struct RefusedOperator {
  std::string name, hint;
};
std::vector<RefusedOperator> RefusedOperators();

/// Every node of a model file whose operator ImportOnnx does not know, where that stops at the first: in the file's
/// order, with what to do about each. Fails like ImportOnnx for a file that is no model.
struct RefusedNode {
  std::string name, op, hint;
};
Result<std::vector<RefusedNode>> FindRefusedNodes(const std::filesystem::path& file);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_IMPORT_IMPORT_ONNX_H_
