#ifndef XRUN_COMPILER_QUANTIZE_QDQ_NODES_H_
#define XRUN_COMPILER_QUANTIZE_QDQ_NODES_H_

// Private to qdq_export: writes ONNX nodes and initializers. Beside import/, the only code that sees ONNX's messages.

#include <algorithm>
#include <initializer_list>
#include <string>
#include <unordered_set>
#include <vector>

#include "compiler/graph.h"
#include "onnx/onnx_pb.h"

namespace xrun::compiler {

class OnnxWriter {
 public:
  explicit OnnxWriter(onnx::GraphProto* graph) : graph_(graph) {}

  int opset() const { return opset_; }
  void NeedOpset(int version) { opset_ = std::max(opset_, version); }

  /// A tensor or node name not used before: `base`, else base_1, base_2, …
  std::string Unique(const std::string& base);
  std::string UniqueNode(const std::string& base);

  onnx::NodeProto* Node(const std::string& type, const std::string& name, const std::vector<std::string>& inputs,
                        const std::string& output);
  static void Attribute(onnx::NodeProto* node, const std::string& name, int64_t value);
  static void Attribute(onnx::NodeProto* node, const std::string& name, float value);
  static void Attribute(onnx::NodeProto* node, const std::string& name, const std::vector<int64_t>& values);
  static void Attribute(onnx::NodeProto* node, const std::string& name, const std::string& text);

  /// Adds an initializer and returns its name.
  std::string Initializer(const std::string& base, DType type, const Shape& shape, const void* data);
  std::string Scalar(const std::string& base, float value);
  std::string Integers(const std::string& base, const std::vector<int64_t>& values);

  /// The functions of a chain from tensor `input` to tensor `output`; an empty chain gives an Identity.
  void Chain(const std::string& name, const std::vector<UnaryFunction>& chain, const std::string& input,
             const std::string& output);

 private:
  void Function(const std::string& name, const UnaryFunction& function, const std::string& input,
                const std::string& output);

  onnx::GraphProto* graph_;
  int opset_ = 13;
  std::unordered_set<std::string> names_, node_names_;
};

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_QDQ_NODES_H_
