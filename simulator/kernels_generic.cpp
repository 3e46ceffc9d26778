#include "simulator/kernels.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace xrun::simulator {
namespace {

#if defined(__SSE2__)
constexpr const char* kKernelName = "sse2";
#elif defined(__aarch64__)
constexpr const char* kKernelName = "neon";
#else
constexpr const char* kKernelName = "generic";
#endif

#include "simulator/kernels.inc"

}  // namespace

const Kernels& GenericKernels() { return kKernels; }

}  // namespace xrun::simulator
