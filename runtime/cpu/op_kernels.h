#ifndef XRUN_RUNTIME_CPU_OP_KERNELS_H_
#define XRUN_RUNTIME_CPU_OP_KERNELS_H_

// What kernels.cpp dispatches to; private to runtime/cpu. Every call has passed CheckOp.

#include <algorithm>
#include <array>
#include <limits>

#include "runtime/cpu/kernels.h"

namespace xrun::cpu {

inline int64_t Product(std::span<const int64_t> shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}
inline int64_t Elements(const Tensor& tensor) { return Product(tensor.shape); }

inline float ClampLo(const OpCall& call) {
  return call.clamp ? call.clamp->lo : -std::numeric_limits<float>::infinity();
}
inline float ClampHi(const OpCall& call) {
  return call.clamp ? call.clamp->hi : std::numeric_limits<float>::infinity();
}

/// Elementwise work is cut into tasks of this many elements.
constexpr int64_t kElementsPerTask = 16384;

/// fn(begin, end) over [0, n) in tasks.
template <typename Fn>
void ForRanges(Workers& workers, int64_t n, int64_t step, const Fn& fn) {
  workers.Run((n + step - 1) / step, [&](int64_t task, int) { fn(task * step, std::min(n, (task + 1) * step)); });
}

using Dims = std::array<int64_t, kMaxRank>;

/// Splits scratch memory; each piece starts on a cache line.
class ScratchCursor {
 public:
  explicit ScratchCursor(std::byte* base) : at_(base) {}
  float* TakeFloats(int64_t count) {
    float* result = reinterpret_cast<float*>(at_);
    at_ += Bytes(count);
    return result;
  }
  static size_t Bytes(int64_t count) { return (static_cast<size_t>(count) * sizeof(float) + 63) / 64 * 64; }

 private:
  std::byte* at_;
};

size_t ConvScratchBytes(const OpCall& call, int workers);
size_t ConvPackedFloats(const OpCall& call);
void ConvPack(const OpCall& call, float* packed);
void RunConv(const OpCall& call, std::byte* scratch, Workers& workers);
void RunConvTranspose(const OpCall& call, Workers& workers);

size_t FullyConnectedScratchBytes(const OpCall& call, int workers);
void RunFullyConnected(const OpCall& call, std::byte* scratch, Workers& workers);
size_t MatMulScratchBytes(const OpCall& call, int workers);
void RunMatMul(const OpCall& call, std::byte* scratch, Workers& workers);

void RunPool(const OpCall& call, Workers& workers);
void RunBinary(const OpCall& call, Workers& workers);
void RunUnary(const OpCall& call, Workers& workers);
void RunBatchNorm(const OpCall& call, Workers& workers);
void RunSoftmax(const OpCall& call, Workers& workers);
void RunReduce(const OpCall& call, Workers& workers);
void RunLayerNorm(const OpCall& call, Workers& workers);
void RunInstanceNorm(const OpCall& call, Workers& workers);
void RunConcat(const OpCall& call, Workers& workers);
void RunSlice(const OpCall& call, Workers& workers);
void RunPad(const OpCall& call, Workers& workers);
void RunReshape(const OpCall& call);
void RunTranspose(const OpCall& call, Workers& workers);
size_t ResizeScratchBytes(const OpCall& call);
void RunResize(const OpCall& call, std::byte* scratch, Workers& workers);
void RunBlocks(const OpCall& call, Workers& workers);
void RunGather(const OpCall& call, Workers& workers);
void RunArgMax(const OpCall& call, Workers& workers);
void RunCast(const OpCall& call, Workers& workers);
void RunLrn(const OpCall& call, Workers& workers);
void RunQuantize(const OpCall& call, Workers& workers);
void RunDequantize(const OpCall& call, Workers& workers);

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_OP_KERNELS_H_
