#include "compiler/infer_types.h"

#include "runtime/cpu/reduce.h"

namespace xrun::compiler {

namespace {

bool IsNumber(DType type) { return type == DType::kFloat32 || type == DType::kInt32 || type == DType::kInt64; }

bool IsGather(Op op) { return op == Op::kGather || op == Op::kGatherElements || op == Op::kGatherNd; }

/// Whether the operator can take this type as input i, whatever the others are.
bool Takes(const Node& node, size_t i, DType type) {
  switch (node.op) {
    case Op::kReshape:
    case Op::kTranspose:
    case Op::kSlice:
    case Op::kConcat:
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
    case Op::kTile:
    case Op::kMirrorPad:
      return true;
    case Op::kWhere:
      return i == 0 ? type == DType::kBool : type != DType::kInt8;
    case Op::kEqual:
      return type != DType::kInt8;
    case Op::kGreater:
    case Op::kGreaterOrEqual:
    case Op::kLess:
    case Op::kLessOrEqual:
    case Op::kTopK:
      return IsNumber(type);
    case Op::kMod:
      return node.as<ModAttrs>().fmod ? IsNumber(type) : type == DType::kInt32 || type == DType::kInt64;
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv:
    case Op::kMin:
    case Op::kMax:
      return IsNumber(type) || type == DType::kInt8;
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor:
    case Op::kNot:
      return type == DType::kBool;
    case Op::kGather:
    case Op::kGatherElements:
    case Op::kGatherNd:
      return i == 0 || type == DType::kInt64;
    case Op::kCast:
      return type != DType::kInt8;
    case Op::kQuantize:
    case Op::kArgMax:
    case Op::kIsNan:
    case Op::kNonMaxSuppression:
      return type == DType::kFloat32;
    case Op::kDequantize:
      return type == DType::kInt8 || type == DType::kInt32;
    case Op::kReduce:
      return cpu::CanReduce(node.as<ReduceAttrs>().kind, type);
    default:
      return type == DType::kFloat32 || type == DType::kInt8 || (type == DType::kInt32 && i == 2);
  }
}

/// The input whose type the result has, and the others with few exceptions.
size_t DataInput(Op op) { return op == Op::kWhere ? 1 : 0; }

/// Whether input i must have the type of the data.
bool MustAgree(const Node& node, size_t i, DType first, DType type) {
  if (IsGather(node.op)) return false;
  const bool bias = i == 2 && first == DType::kInt8 && type == DType::kInt32;
  const bool slopes = node.op == Op::kPRelu && first == DType::kInt8 && type == DType::kFloat32;
  return !bias && !slopes;
}

DType ResultType(const Node& node, DType first) {
  switch (node.op) {
    case Op::kCast:
      return node.as<CastAttrs>().to;
    case Op::kArgMax:
    case Op::kTopK:
    case Op::kNonMaxSuppression:
      return DType::kInt64;
    case Op::kEqual:
    case Op::kGreater:
    case Op::kGreaterOrEqual:
    case Op::kLess:
    case Op::kLessOrEqual:
    case Op::kIsNan:
      return DType::kBool;
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
  const size_t data = DataInput(node.op);
  const Value& first = graph.at(node.inputs[data]);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNone) continue;
    const Value& value = graph.at(node.inputs[i]);
    if (!Takes(node, i, value.dtype)) {
      const DType better = IsGather(node.op) && i == 1       ? DType::kInt64
                           : Takes(node, i, DType::kFloat32) ? DType::kFloat32
                           : Takes(node, i, DType::kBool)    ? DType::kBool
                                                             : DType::kInt64;
      return Failure{"input '" + value.name + "' is " + std::string(Name(value.dtype)) +
                         ", which this operator does not compute with here",
                     "cast it to " + std::string(Name(better))};
    }
    if (i > data && value.dtype != first.dtype && MustAgree(node, i, first.dtype, value.dtype)) {
      return Failure{"input '" + value.name + "' is " + std::string(Name(value.dtype)) + ", '" + first.name + "' is " +
                         std::string(Name(first.dtype)),
                     "cast one to the type of the other"};
    }
  }
  if (node.op == Op::kCast && node.as<CastAttrs>().to == DType::kInt8) {
    return Failure{"casts to int8, which needs a scale", "use QuantizeLinear"};
  }
  return ResultType(node, first.dtype);
}

}  // namespace xrun::compiler
