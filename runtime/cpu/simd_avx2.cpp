#define XRUN_SIMD_BYTES 32
#define XRUN_SIMD_TABLE kSimdAvx2
#define XRUN_SIMD_NAME "avx2"
#include "runtime/cpu/simd_loops.inc"
