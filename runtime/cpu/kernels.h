#ifndef XRUN_RUNTIME_CPU_KERNELS_H_
#define XRUN_RUNTIME_CPU_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "isa/result.h"
#include "runtime/cpu/op.h"
#include "runtime/cpu/workers.h"

namespace xrun {
struct IntegerForm;  // integer.h
}

namespace xrun::cpu {

/// Largest rank of any tensor here.
constexpr size_t kMaxRank = 8;

/// Dense, row-major. Inputs are never written; an absent optional input has data == nullptr and an empty shape.
struct Tensor {
  DType dtype = DType::kFloat32;
  std::span<const int64_t> shape;
  void* data = nullptr;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

/// real = scale · (q − zero_point); one entry each, or one per index of `axis`.
struct Quantization {
  std::span<const float> scale;
  std::span<const int32_t> zero_point;
  int axis = -1;
};

/// One execution of one operator on memory that the caller owns. Outputs do not overlap inputs, except that Reshape may
/// be given the same buffer on both sides.
struct OpCall {
  Op op = Op::kReshape;
  const Attributes* attrs = nullptr;
  std::optional<Clamp> clamp;
  std::span<const Tensor> inputs;
  std::span<const Tensor> outputs;
  Quantization quant;                     ///< of Quantize's output or Dequantize's input
  const IntegerForm* integer = nullptr;   ///< of a quantized operator: int8 in and out, integers only
  const float* packed_weights = nullptr;  ///< what PackWeights wrote, or null: packed anew in the scratch
};

/// Whether the call is one that RunOp can execute: operator known here, number of inputs, element types, shapes,
/// attributes and quantization agree. Safe on any contents; looks at no tensor data. RunOp assumes a checked call.
Status CheckOp(const OpCall& call);

/// Bytes of scratch that RunOp needs with this many workers.
size_t ScratchBytes(const OpCall& call, int workers);

/// Floats that PackWeights writes, 0 when the operator does not gain from it (Conv does: its constant weights in the
/// order of the matrix product).
size_t PackedWeightFloats(const OpCall& call);
void PackWeights(const OpCall& call, float* packed);

/// Executes the call. Neither allocates, throws nor fails. The output bytes are the same for every number of workers;
/// between processors with different instruction sets the last digits of a float may differ. `scratch` holds at least
/// ScratchBytes(call, workers.count()) bytes at an alignment of 64.
void RunOp(const OpCall& call, std::span<std::byte> scratch, Workers& workers);

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_KERNELS_H_
