#ifndef XRUN_RUNTIME_CPU_SIMD_H_
#define XRUN_RUNTIME_CPU_SIMD_H_

#include <cstdint>

namespace xrun::cpu {

/// Rows of one register tile of the matrix product; the same for every instruction set, so that packed weights do not
/// depend on it.
constexpr int kTileRows = 6;
/// Widest tile of any instruction set, for buffers.
constexpr int kMaxTileColumns = 16;

/// Columns of input that tap_sum may read past the last it needs.
constexpr int kTapSumUnit = 8;

/// The innermost loops, one table per instruction set. Every output element is one chain of multiply-adds in the order
/// of k (or of taps), so a result does not depend on where in a tile or block the element lies.
struct Simd {
  const char* name;
  int tile_columns;

  /// c[rows][columns] (row stride ldc) = start + a·b, then limited to [lo, hi]; NaN passes through.
  /// a is packed [k][kTileRows], b packed [k][tile_columns]. `start` is c itself when `accumulate`, else
  /// row_start[row], or 0 when that is null. rows <= kTileRows, columns <= tile_columns.
  void (*gemm_tile)(int64_t k, const float* a, const float* b, float* c, int64_t ldc, int rows, int columns,
                    bool accumulate, const float* row_start, float lo, float hi);

  /// y[i] = start + the sum over taps of weights[t]·inputs[t][i], limited to [lo, hi]; i < n. Reads inputs up to n
  /// rounded up to kTapSumUnit.
  void (*tap_sum)(int64_t n, int64_t taps, const float* const* inputs, const float* weights, float start, float lo,
                  float hi, float* y);

  /// Sum of a[i]·b[i], in a fixed order of lanes.
  float (*dot)(int64_t n, const float* a, const float* b);
};

/// The fastest table this processor can run; chosen once.
const Simd& BestSimd();

extern const Simd kSimdGeneric;
#ifdef XRUN_CPU_HAVE_AVX2
extern const Simd kSimdAvx2;
#endif

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_SIMD_H_
