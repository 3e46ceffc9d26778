#include "runtime/cpu/op.h"

#include <cstddef>

namespace xrun {

DType OutputType(Op op, const Attributes& attrs, DType input) {
  if (op == Op::kArgMax) return DType::kInt64;
  if (op == Op::kCast) return std::get<CastAttrs>(attrs).to;
  if (op == Op::kQuantize) return DType::kInt8;
  if (op == Op::kDequantize) return DType::kFloat32;
  return input;
}

std::string_view Name(Op op) {
  switch (op) {
#define X(e, n, a) \
  case Op::e:      \
    return n;
    XRUN_FOR_EACH_OP(X)
#undef X
  }
  return "unknown operator";
}

std::string_view Name(UnaryKind kind) {
  switch (kind) {
#define X(e, n)      \
  case UnaryKind::e: \
    return n;
    XRUN_FOR_EACH_UNARY(X)
#undef X
  }
  return "unknown function";
}

std::string_view Name(DType type) {
  switch (type) {
    case DType::kFloat32:
      return "float32";
    case DType::kInt8:
      return "int8";
    case DType::kInt32:
      return "int32";
    case DType::kInt64:
      return "int64";
    case DType::kBool:
      return "bool";
  }
  return "unknown type";
}

size_t SizeOf(DType type) {
  switch (type) {
    case DType::kFloat32:
    case DType::kInt32:
      return 4;
    case DType::kInt64:
      return 8;
    case DType::kInt8:
    case DType::kBool:
      return 1;
  }
  return 0;
}

}  // namespace xrun
