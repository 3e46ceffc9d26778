#ifndef XRUN_COMPILER_IMPORT_IMPORTER_H_
#define XRUN_COMPILER_IMPORT_IMPORTER_H_

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/graph.h"
#include "compiler/import/import_onnx.h"
#include "compiler/import/node_view.h"
#include "compiler/import/tensor.h"

namespace xrun::compiler {

/// What is known of one ONNX tensor name. A constant stays outside of the graph until an operator reads it as a tensor:
/// shapes, axes and clip bounds never enter the graph.
struct Symbol {
  ValueId value = kNone;               ///< in the graph; for a constant once it was read
  std::optional<HostTensor> constant;  ///< set for everything known while importing
  std::optional<QuantParams> quant;    ///< with an int8 or int32 constant: the result of DequantizeLinear on it
  std::string origin;                  ///< with quant: the DequantizeLinear node
  std::string source;                  ///< with quant: name of the integer tensor
};

/// Builds the graph node by node (importer.cpp; inputs_outputs.cpp for the model's border). The lower_*.cpp files use
/// it: they read inputs, emit graph nodes and define outputs (build_graph.cpp).
class Importer {
 public:
  Importer(const ImportOptions& options, std::filesystem::path folder)
      : options_(options), folder_(std::move(folder)), budget_(options.max_constant_bytes) {}

  /// Imports the whole model; called once. The model's tensors are released as they are read.
  Result<Graph> Run(onnx::ModelProto& model);

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }
  ConstantBudget& budget() { return budget_; }
  const std::filesystem::path& folder() const { return folder_; }
  int opset() const { return opset_; }

  // ---- reading inputs; i is the index in the ONNX node, which must have that input

  /// Shape of an input, constant or not.
  Result<Shape> InputShape(const NodeView& node, int i) const;
  /// The plain constant behind an input, null when it is computed from model inputs or is a dequantized constant.
  const HostTensor* Constant(const NodeView& node, int i) const;
  const Symbol& InputSymbol(const NodeView& node, int i) const { return symbols_.at(node.input(i)); }
  /// An input as a value of the graph; constants enter it here (NaN and infinities in weights are refused).
  Result<ValueId> Input(const NodeView& node, int i);
  /// Integers of a constant input such as axes or a shape; `what` names it in the failure.
  Result<std::vector<int64_t>> IntegerInput(const NodeView& node, int i, const std::string& what) const;
  /// A constant float scalar.
  Result<float> ScalarInput(const NodeView& node, int i, const std::string& what) const;

  // ---- writing

  /// How Emit names things: the node and its one output. Helper nodes of one ONNX node add a suffix.
  struct Names {
    std::string node, output;
  };
  Names Final(const NodeView& node, int output = 0) const { return {node.name(), node.output(output)}; }
  Names Helper(const NodeView& node, const std::string& suffix);

  /// Adds a node whose output has the inputs' type and the shape of InferShapes (`target` for a Reshape). When all
  /// inputs are constants it is evaluated instead and a constant value comes out. `quant` makes it a Quantize's output.
  Result<ValueId> Emit(const NodeView& node, const Names& names, Op op, Attributes attrs, std::vector<ValueId> inputs,
                       const Shape& target = {}, std::optional<QuantParams> quant = std::nullopt);
  /// Emit for an ONNX node that becomes one graph node, and Define of its output 0.
  Status EmitFinal(const NodeView& node, Op op, Attributes attrs, std::vector<ValueId> inputs,
                   const Shape& target = {});

  /// A constant of the graph; `name` is made unique.
  Result<ValueId> AddConstant(const NodeView& node, const std::string& name, const HostTensor& tensor,
                              std::optional<QuantParams> quant = std::nullopt);
  /// The same constant read as float through a Dequantize node of its own. `symbol` tells where it comes from; its
  /// tensor and parameters are not used.
  Result<ValueId> AddDequantized(const NodeView& node, const std::string& name, const HostTensor& tensor,
                                 const QuantParams& quant, const Symbol& symbol);

  void Define(const NodeView& node, int output, ValueId value);
  void Define(const NodeView& node, int output, HostTensor constant);
  /// A dequantized constant. `origin` and `source` as in Symbol.
  void DefineDequantized(const NodeView& node, HostTensor constant, QuantParams quant, const std::string& origin,
                         const std::string& source);

  /// Marks a value as uint8 in the model; Emit carries the mark through operators that only move data.
  void MarkUint8(ValueId value) { uint8_.insert(value); }
  bool IsUint8(ValueId value) const { return uint8_.count(value) != 0; }

  std::string UniqueValueName(const std::string& base);
  std::string UniqueNodeName(const std::string& base);

 private:
  Status CheckQuantized(const NodeView& node, Op op, const std::vector<ValueId>& inputs) const;
  Status CheckModel(const onnx::ModelProto& model);
  Status ReadInitializers(onnx::GraphProto& graph);
  Status DeclareInputs(const onnx::GraphProto& graph);
  Status ImportNode(const onnx::NodeProto& proto);
  void RecordSource(const onnx::NodeProto& proto, const std::string& name, bool needed);
  Status DeclareOutputs(const onnx::GraphProto& graph);

  const ImportOptions& options_;
  std::filesystem::path folder_;
  ConstantBudget budget_;
  Graph graph_;
  int opset_ = 0;
  std::unordered_map<std::string, Symbol> symbols_;
  std::unordered_set<std::string> needed_;       ///< as NodeOrder::names
  std::unordered_set<std::string> value_names_;  ///< taken: all ONNX names, and those of values added here
  std::unordered_set<std::string> graph_names_;  ///< ONNX names that a value of the graph has already
  std::unordered_set<std::string> node_names_;
  std::unordered_set<std::string> emitted_origins_;
  std::unordered_set<ValueId> uint8_;
};

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_IMPORT_IMPORTER_H_
