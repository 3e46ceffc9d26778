#include "simulator/kernels.h"

namespace xrun::simulator {

const Kernels& ActiveKernels() {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx2) return Avx2Kernels();
#endif
  return GenericKernels();
}

}  // namespace xrun::simulator
