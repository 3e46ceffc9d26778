#define XRUN_SIMD_BYTES 16
#define XRUN_SIMD_TABLE kSimdGeneric
#define XRUN_SIMD_NAME "generic"
#include "runtime/cpu/simd_loops.inc"
