#ifndef XRUN_RUNTIME_CPU_INTEGER_H_
#define XRUN_RUNTIME_CPU_INTEGER_H_

#include <cstdint>
#include <vector>

#include "runtime/cpu/kernels.h"
#include "runtime/cpu/op.h"

namespace xrun {

/// The integers of a quantized operator that runs on the CPU: the same arithmetic as on the overlay (isa/README.md,
/// section 6), so that where it runs changes no byte. Inputs and result are int8, weights int8, a bias int32.
struct IntegerForm {
  std::vector<int64_t> in_zero;                 ///< zero points of the inputs (of Conv and FullyConnected the first)
  int64_t zero_point = 0, lo = -128, hi = 127;  ///< of the result
  /// Conv, FullyConnected: one for all or one an output channel; MatMul, Mul: one; Add, Sub: signed ones of both
  /// operands and one shift; AveragePool: one for each of `counts`; MaxPool: one, or none where parameters stay;
  /// Resize: one; Unary: none.
  std::vector<int64_t> multiplier, shift;
  std::vector<int64_t> weight_zero;  ///< Conv, FullyConnected: one for all or one an output channel
  /// AveragePool: counted elements of the windows that occur, ascending. Resize: what rows' and columns' weights are
  /// whole multiples of one part of.
  std::vector<int64_t> counts;
  std::vector<int64_t> table;  ///< Unary: 256 results, index q + 128
};

constexpr int64_t kMostResizeParts = 4096;  ///< along one axis

namespace cpu {

/// Operators that have kernels in integers.
bool HasIntegerKernel(Op op);

/// As CheckOp and RunOp, which come here for calls with an IntegerForm.
Status CheckInteger(const OpCall& call);
void RunInteger(const OpCall& call, Workers& workers);

}  // namespace cpu

}  // namespace xrun

#endif  // XRUN_RUNTIME_CPU_INTEGER_H_
