#include "simulator/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace xrun::simulator {
namespace {

constexpr const char* kKernelName = "avx2";

#include "simulator/kernels.inc"

}  // namespace

const Kernels& Avx2Kernels() { return kKernels; }

}  // namespace xrun::simulator

#endif  // __x86_64__
