#include "runtime/cpu/simd.h"

namespace xrun::cpu {

const Simd& BestSimd() {
  static const Simd& best = []() -> const Simd& {
#ifdef XRUN_CPU_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kSimdAvx2;
#endif
    return kSimdGeneric;
  }();
  return best;
}

}  // namespace xrun::cpu
