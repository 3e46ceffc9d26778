#include "compiler/infer_types.h"

#include "runtime/cpu/reduce.h"

namespace xrun::compiler {

namespace {

/// Whether the operator can take this type as input i, whatever the others are.
bool Takes(const Node& node, size_t i, DType type) {
  switch (node.op) {
    case Op::kReshape:
    case Op::kTranspose:
    case Op::kSlice:
    case Op::kConcat:
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
      return true;
    case Op::kGather:
      return i == 0 || type == DType::kInt64;
    case Op::kCast:
      return type != DType::kInt8;
    case Op::kQuantize:
    case Op::kArgMax:
      return type == DType::kFloat32;
    case Op::kDequantize:
      return type == DType::kInt8 || type == DType::kInt32;
    case Op::kReduce:
      return cpu::CanReduce(node.as<ReduceAttrs>().kind, type);
    default:
      return type == DType::kFloat32 || type == DType::kInt8 || (type == DType::kInt32 && i == 2);
  }
}

/// Whether input i must have the type of input 0.
bool MustAgree(const Node& node, size_t i, DType first, DType type) {
  if (node.op == Op::kGather) return false;
  const bool bias = i == 2 && first == DType::kInt8 && type == DType::kInt32;
  return !bias;
}

DType ResultType(const Node& node, DType first) {
  switch (node.op) {
    case Op::kCast:
      return node.as<CastAttrs>().to;
    case Op::kArgMax:
      return DType::kInt64;
    case Op::kQuantize:
      return DType::kInt8;
    case Op::kDequantize:
      return DType::kFloat32;
    default:
      return first;
  }
}

}  // namespace

Result<DType> InferType(const Graph& graph, const Node& node) {
  const auto type_of = [&](size_t i) { return graph.at(node.inputs[i]).dtype; };
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNone) continue;
    const Value& value = graph.at(node.inputs[i]);
    if (!Takes(node, i, value.dtype)) {
      const bool index = node.op == Op::kGather && i == 1;
      return Failure{"input '" + value.name + "' is " + std::string(Name(value.dtype)) +
                         ", which this operator does not compute with here",
                     std::string("cast it to ") + (index ? "int64" : "float")};
    }
    if (i > 0 && MustAgree(node, i, type_of(0), value.dtype) && value.dtype != type_of(0)) {
      return Failure{"input '" + value.name + "' is " + std::string(Name(value.dtype)) + ", '" +
                         graph.at(node.inputs[0]).name + "' is " + std::string(Name(type_of(0))),
                     "cast one to the type of the other"};
    }
  }
  if (node.op == Op::kCast && node.as<CastAttrs>().to == DType::kInt8) {
    return Failure{"casts to int8, which needs a scale", "use QuantizeLinear"};
  }
  return ResultType(node, type_of(0));
}

}  // namespace xrun::compiler
