#ifndef XRUN_RUNTIME_CPU_GEMM_H_
#define XRUN_RUNTIME_CPU_GEMM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/cpu/simd.h"

namespace xrun::cpu {

/// Blocking of the matrix product C[m][n] = A[m][k]·B[k][n]. A block of B (kBlockK × kBlockN floats, 192 KiB) stays in
/// the L2 cache while panels of A pass over it. Own code instead of Eigen's: no heap allocation, the same blocking on
/// every machine, and the instruction set is chosen when the program starts.
constexpr int64_t kBlockK = 256;
constexpr int64_t kBlockN = 192;
static_assert(kBlockN % kMaxTileColumns == 0);

constexpr int64_t RoundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }
constexpr int64_t DivideUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit; }

/// Floats of A packed, of one block of B packed.
constexpr int64_t PackedAFloats(int64_t m, int64_t k) { return RoundUp(m, kTileRows) * k; }
constexpr int64_t PackedBFloats() { return kBlockK * kBlockN; }

/// Packs rows [panel·kTileRows, …) of A into their places in `packed`; panels count DivideUp(m, kTileRows).
void PackAPanel(const float* a, int64_t row_stride, int64_t column_stride, int64_t m, int64_t k, int64_t panel,
                float* packed);

/// How many parts the rows of A are cut into, so that even a product with few columns gives every thread work. A
/// function of the shape alone.
int64_t RowParts(int64_t m, int64_t column_tasks);

/// The part of C made of rows [m0, m1) (m0 a multiple of kTileRows) and columns [n0, n0 + columns), columns <= kBlockN.
/// `pack_b(k0, kc, destination)` writes rows [k0, k0 + kc) of the block of B as [column tile][kc][tile_columns],
/// columns beyond `columns` zero. `row_start` (may be null) is indexed by row; `c` points at C[0][0].
template <typename PackB>
void GemmBlock(const Simd& simd, int64_t m, int64_t m0, int64_t m1, int64_t n0, int64_t columns, int64_t k,
               const float* packed_a, float* c, int64_t ldc, bool accumulate, const float* row_start, float lo,
               float hi, float* packed_b, const PackB& pack_b) {
  const int64_t padded_m = RoundUp(m, kTileRows);
  const float inf = __builtin_inff();
  for (int64_t k0 = 0; k0 < k || k0 == 0; k0 += kBlockK) {
    const int64_t kc = std::min(kBlockK, k - k0);
    const bool first = k0 == 0;
    const bool last = k0 + kc >= k;
    pack_b(k0, kc, packed_b);
    for (int64_t j = 0; j < columns; j += simd.tile_columns) {
      const int width = static_cast<int>(std::min<int64_t>(simd.tile_columns, columns - j));
      for (int64_t i = m0; i < m1; i += kTileRows) {
        const int rows = static_cast<int>(std::min<int64_t>(kTileRows, m1 - i));
        simd.gemm_tile(kc, packed_a + k0 * padded_m + i * kc, packed_b + j * kc, c + i * ldc + n0 + j, ldc, rows, width,
                       accumulate || !first, row_start == nullptr ? nullptr : row_start + i, last ? lo : -inf,
                       last ? hi : inf);
      }
    }
  }
}

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_GEMM_H_
