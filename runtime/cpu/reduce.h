#ifndef XRUN_RUNTIME_CPU_REDUCE_H_
#define XRUN_RUNTIME_CPU_REDUCE_H_

#include "runtime/cpu/op.h"

namespace xrun::cpu {

/// Whether a reduction is computed on this element type: all on float, those that stay whole numbers on int32 and
/// int64.
constexpr bool CanReduce(ReduceKind kind, DType type) {
  if (type == DType::kFloat32) return true;
  if (type != DType::kInt32 && type != DType::kInt64) return false;
  return kind == ReduceKind::kSum || kind == ReduceKind::kMax || kind == ReduceKind::kMin ||
         kind == ReduceKind::kProd || kind == ReduceKind::kL1 || kind == ReduceKind::kSumSquare;
}

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_REDUCE_H_
