#ifndef XRUN_COMPILER_GRAPH_H_
#define XRUN_COMPILER_GRAPH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isa/result.h"
#include "runtime/cpu/op.h"

namespace xrun::compiler {

using Shape = std::vector<int64_t>;

/// Number of elements; 1 for a scalar.
int64_t Elements(const Shape& shape);

/// Quantization of an int8 (or int32 bias) value: real = scale · (q − zero_point).
/// Per tensor: one entry and axis = -1. Per channel: one entry per index of `axis`.
struct QuantParams {
  std::vector<float> scale;
  std::vector<int32_t> zero_point;
  int axis = -1;
  bool operator==(const QuantParams&) const = default;
};

/// Bytes of a constant in the value's dtype, row-major, little-endian. Shared, never changed in place.
using ConstantData = std::shared_ptr<const std::vector<uint8_t>>;

using ValueId = int32_t;
using NodeId = int32_t;
constexpr int32_t kNone = -1;

/// A tensor of the graph. `name` is the ONNX name (unique); a value made by a pass takes the name of what it replaces
/// plus a suffix that says why ("conv1.bias").
struct Value {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::optional<QuantParams> quant;  ///< set exactly when dtype is int8, or int32 bias in a quantized graph
  ConstantData constant;             ///< null for activations

  bool is_constant() const { return constant != nullptr; }
  template <typename T>
  const T* data() const {
    return reinterpret_cast<const T*>(constant->data());
  }
};

/// One operator. Inputs may hold kNone for an absent optional input (bias). `origin` lists the names of all ONNX nodes
/// this node stands for, first the one that users know the layer by; reports and disassembly print it.
struct Node {
  std::string name;
  Op op = Op::kReshape;
  Attributes attrs;
  std::optional<Clamp> clamp;  ///< fused activation
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<std::string> origin;
  std::string remark;      ///< what reports say of it beside its place
  std::string cpu_reason;  ///< not empty: runs on the CPU although it is quantized, because of this

  template <typename T>
  const T& as() const {
    return std::get<T>(attrs);
  }
  template <typename T>
  T& as() {
    return std::get<T>(attrs);
  }
};

/// A node of the ONNX file, for reports: what the model's author wrote.
struct SourceNode {
  std::string name, op;                      ///< the name is unique, as Node::origin has it
  std::vector<std::string> inputs, outputs;  ///< tensor names, "" where an optional one is left out
  Shape shape;                               ///< of the first output; empty when not needed
  bool constant = false;                     ///< the result does not depend on the model's inputs
  bool needed = true;                        ///< some output of the model depends on it
};

/// The one intermediate form, float and quantized. Nodes are kept in execution order. Invariants, checked by Verify()
/// after every pass: names unique; every value has at most one producer, before all its uses; shapes agree with the
/// operator (InferShape); quantized operators have int8 activations with per-tensor parameters.
///
/// A *quantized graph* is a graph in which int8 values carry `quant`: Quantize and Dequantize nodes stand where float
/// enters and leaves, every operator between them is a quantized operator with the integer arithmetic of isa/README.md,
/// and rounding happens once per int8 value. It maps one to one onto standard QDQ ONNX (quantize/qdq_export).
struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;  ///< activations in the model's order
  std::vector<ValueId> outputs;
  std::vector<SourceNode> source;               ///< nodes of the ONNX file in execution order, unneeded ones last
  std::map<std::string, std::string> metadata;  ///< carried to reports: producer, opset, calibration, ...

  ValueId AddValue(Value value);
  /// A constant of raw bytes copied from `data`.
  ValueId AddConstant(const std::string& name, DType dtype, Shape shape, const void* data);
  Value& at(ValueId id) { return values[static_cast<size_t>(id)]; }
  const Value& at(ValueId id) const { return values[static_cast<size_t>(id)]; }

  /// Index of the node that produces `id`, kNone for inputs and constants. Linear: build a table for repeated use.
  NodeId Producer(ValueId id) const;
  /// Indices of the nodes that read `id`.
  std::vector<NodeId> Consumers(ValueId id) const;
  bool IsOutput(ValueId id) const;
  ValueId FindValue(const std::string& name) const;  ///< kNone when there is none
  /// A value name not in use: `base`, else base.1, base.2, …
  std::string UniqueName(const std::string& base) const;
  /// Makes every use of `from` (graph outputs included) a use of `to`.
  void ReplaceUses(ValueId from, ValueId to);
  /// Drops nodes whose results nobody reads, and values nobody refers to (ids are renumbered).
  void RemoveDead();
};

/// Checks the invariants above; the failure names the node and what is wrong.
Status Verify(const Graph& graph);

/// Output shapes of a node from its inputs' shapes; the failure names node, operator and the shapes.
Result<std::vector<Shape>> InferShapes(const Graph& graph, const Node& node);

/// The whole graph as text: one line a value-producing node with shapes, attributes, scale and zero point.
std::string ToText(const Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_GRAPH_H_
