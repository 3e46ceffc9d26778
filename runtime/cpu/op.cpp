#include "runtime/cpu/op.h"

#include <cstddef>

namespace xrun {

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

std::string_view Name(ReduceKind kind) {
  static constexpr std::string_view kNames[] = {"Sum", "Mean", "Max",       "Min",    "Prod",
                                                "L1",  "L2",   "SumSquare", "LogSum", "LogSumExp"};
  return kNames[static_cast<size_t>(kind)];
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
