#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_set>

#include "compiler/graph.h"
#include "compiler/infer_shapes.h"
#include "compiler/infer_types.h"

namespace xrun::compiler {

namespace {

Failure InValue(const Value& value, const std::string& what) {
  return Failure{"value '" + value.name + "': " + what, ""};
}

Failure InNode(const Node& node, const std::string& what) {
  return Failure{"node '" + node.name + "' (" + std::string(Name(node.op)) + "): " + what, ""};
}

Status CheckQuant(const Value& value) {
  const QuantParams& quant = *value.quant;
  size_t entries = 1;
  if (quant.axis != -1) {
    if (quant.axis < 0 || quant.axis >= static_cast<int>(value.shape.size())) {
      return InValue(value, "quantization axis is outside of its shape " + ShapeText(value.shape));
    }
    entries = static_cast<size_t>(value.shape[static_cast<size_t>(quant.axis)]);
    if (!value.is_constant()) return InValue(value, "activations are quantized per tensor, not per channel");
  }
  if (quant.scale.size() != entries || quant.zero_point.size() != entries) {
    return InValue(value, "needs " + std::to_string(entries) + " scales and zero points");
  }
  for (float scale : quant.scale) {
    if (!std::isfinite(scale) || scale <= 0) return InValue(value, "scale must be positive and finite");
  }
  for (int32_t zero_point : quant.zero_point) {
    const bool fits = value.dtype == DType::kInt32 ? zero_point == 0 : zero_point >= -128 && zero_point <= 127;
    if (!fits) return InValue(value, "zero point " + std::to_string(zero_point) + " is out of range");
  }
  return {};
}

Status CheckValue(const Value& value) {
  if (value.name.empty()) return Failure{"a value has no name", ""};
  auto count = CheckedElements(value.shape);
  if (!count.ok()) return InValue(value, count.failure().message);
  if (value.is_constant() && value.constant->size() != static_cast<size_t>(*count) * SizeOf(value.dtype)) {
    return InValue(value, "constant of " + std::to_string(value.constant->size()) + " bytes does not fill " +
                              ShapeText(value.shape));
  }
  if (value.dtype == DType::kInt8 && !value.quant) return InValue(value, "int8 without scale and zero point");
  if (value.quant) {
    if (value.dtype != DType::kInt8 && value.dtype != DType::kInt32) {
      return InValue(value, "has a scale but is neither int8 nor int32");
    }
    return CheckQuant(value);
  }
  return {};
}

Status CheckClamp(const Node& node) {
  if (!node.clamp) return {};
  if (std::isnan(node.clamp->lo) || std::isnan(node.clamp->hi) || node.clamp->lo > node.clamp->hi) {
    return InNode(node, "clamp is empty");
  }
  return {};
}

Status CheckTypes(const Graph& graph, const Node& node) {
  auto type = InferType(graph, node);
  if (!type.ok()) return InNode(node, type.failure().message);
  const Value& out = graph.at(node.outputs[0]);
  if (out.dtype != *type) {
    return InNode(node, "output '" + out.name + "' is " + std::string(Name(out.dtype)) + ", the operator gives " +
                            std::string(Name(*type)));
  }
  if (node.op == Op::kDequantize && !graph.at(node.inputs[0]).quant) return InNode(node, "its input has no scale");
  return {};
}

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph), defined_(graph.values.size(), 0) {}

  Status Run() {
    std::unordered_set<std::string_view> names;
    for (const Value& value : graph_.values) {
      XRUN_RETURN_IF_ERROR(CheckValue(value));
      if (!names.insert(value.name).second) return InValue(value, "the name is used twice");
    }
    for (size_t v = 0; v < graph_.values.size(); ++v) defined_[v] = graph_.values[v].is_constant() ? 1 : 0;
    for (ValueId id : graph_.inputs) {
      if (!Exists(id)) return Failure{"a graph input refers to no value", ""};
      if (defined_[static_cast<size_t>(id)]++ != 0) return InValue(graph_.at(id), "is an input twice, or a constant");
    }
    std::unordered_set<std::string_view> node_names;
    for (const Node& node : graph_.nodes) {
      if (node.name.empty() || !node_names.insert(node.name).second) {
        return InNode(node, "the name is empty or used twice");
      }
      if (node.origin.empty()) return InNode(node, "names no ONNX node as its origin");
      XRUN_RETURN_IF_ERROR(CheckNode(node));
    }
    if (graph_.outputs.empty()) return Failure{"the graph has no outputs", ""};
    for (ValueId id : graph_.outputs) {
      if (!Exists(id)) return Failure{"a graph output refers to no value", ""};
      if (defined_[static_cast<size_t>(id)] == 0) return InValue(graph_.at(id), "is an output that no node produces");
    }
    return {};
  }

 private:
  bool Exists(ValueId id) const { return id >= 0 && static_cast<size_t>(id) < graph_.values.size(); }

  Status CheckNode(const Node& node) {
    for (ValueId id : node.inputs) {
      if (id == kNone) continue;
      if (!Exists(id)) return InNode(node, "an input refers to no value");
      if (defined_[static_cast<size_t>(id)] == 0) {
        return InNode(node, "reads '" + graph_.at(id).name + "' before it is produced");
      }
    }
    for (ValueId id : node.outputs) {
      if (!Exists(id)) return InNode(node, "an output refers to no value");
      if (defined_[static_cast<size_t>(id)]++ != 0) {
        return InNode(node, "produces '" + graph_.at(id).name + "', which has a producer already");
      }
    }
    XRUN_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, InferShapes(graph_, node));
    for (size_t i = 0; i < shapes.size(); ++i) {
      const Value& out = graph_.at(node.outputs[i]);
      if (out.shape != shapes[i]) {
        return InNode(node, "output '" + out.name + "' is " + ShapeText(out.shape) + ", the operator gives " +
                                ShapeText(shapes[i]));
      }
    }
    XRUN_RETURN_IF_ERROR(CheckClamp(node));
    return CheckTypes(graph_, node);
  }

  const Graph& graph_;
  std::vector<int> defined_;  ///< how often each value is defined: as an input, a constant, or by a node
};

}  // namespace

Status Verify(const Graph& graph) { return Verifier(graph).Run(); }

}  // namespace xrun::compiler
