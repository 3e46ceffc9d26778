#include "runtime/cpu/gemm.h"

namespace xrun::cpu {

void PackAPanel(const float* a, int64_t row_stride, int64_t column_stride, int64_t m, int64_t k, int64_t panel,
                float* packed) {
  const int64_t padded_m = RoundUp(m, kTileRows);
  const int64_t row0 = panel * kTileRows;
  const int64_t rows = std::min<int64_t>(kTileRows, m - row0);
  for (int64_t k0 = 0; k0 < k; k0 += kBlockK) {
    const int64_t kc = std::min(kBlockK, k - k0);
    float* out = packed + k0 * padded_m + row0 * kc;
    for (int64_t r = 0; r < rows; ++r) {
      const float* in = a + (row0 + r) * row_stride + k0 * column_stride;
      for (int64_t i = 0; i < kc; ++i) out[i * kTileRows + r] = in[i * column_stride];
    }
    for (int64_t r = rows; r < kTileRows; ++r) {
      for (int64_t i = 0; i < kc; ++i) out[i * kTileRows + r] = 0.0F;
    }
  }
}

int64_t RowParts(int64_t m, int64_t column_tasks) {
  constexpr int64_t kEnoughTasks = 8;
  constexpr int64_t kFewestRows = 8 * kTileRows;
  if (column_tasks >= kEnoughTasks) return 1;
  return std::clamp<int64_t>(DivideUp(kEnoughTasks, std::max<int64_t>(column_tasks, 1)), 1,
                             std::max<int64_t>(1, m / kFewestRows));
}

}  // namespace xrun::cpu
