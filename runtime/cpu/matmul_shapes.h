#ifndef XRUN_RUNTIME_CPU_MATMUL_SHAPES_H_
#define XRUN_RUNTIME_CPU_MATMUL_SHAPES_H_

// Shapes of matrix products; private to runtime/cpu.

#include <utility>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

/// [m,k] by [k,n] with any strides of both.
struct Product2d {
  int64_t m, n, k;
  int64_t a_row, a_column, b_row, b_column;
};

/// The shapes of numpy's matmul: vectors become matrices, leading dimensions broadcast.
struct Batched {
  Product2d product;
  int64_t batches;
  size_t rank;  // of the batch dimensions
  Dims dims, a_stride, b_stride;

  explicit Batched(const OpCall& call) {
    const auto a = call.inputs[0].shape;
    const auto b = call.inputs[1].shape;
    const bool turned = std::get<MatMulAttrs>(*call.attrs).transpose_a;
    const int64_t m = a.size() == 1 ? 1 : turned ? a.back() : a[a.size() - 2];
    const int64_t k = turned ? a[a.size() - 2] : a.back();
    const int64_t n = b.size() == 1 ? 1 : b.back();
    product = turned ? Product2d{m, n, k, 1, m, n, 1} : Product2d{m, n, k, k, 1, n, 1};
    const size_t a_rank = a.size() < 2 ? 0 : a.size() - 2;
    const size_t b_rank = b.size() < 2 ? 0 : b.size() - 2;
    rank = std::max(a_rank, b_rank);
    batches = 1;
    int64_t a_step = m * k;
    int64_t b_step = k * n;
    for (size_t i = rank; i-- > 0;) {
      const int64_t da = i + a_rank < rank ? 1 : a[i + a_rank - rank];
      const int64_t db = i + b_rank < rank ? 1 : b[i + b_rank - rank];
      dims[i] = da == 1 ? db : da;
      a_stride[i] = da == 1 ? 0 : a_step;
      b_stride[i] = db == 1 ? 0 : b_step;
      a_step *= da;
      b_step *= db;
      batches *= dims[i];
    }
  }

  /// Elements before the matrices of one of the batch, of both operands.
  std::pair<int64_t, int64_t> Offsets(int64_t batch) const {
    std::pair<int64_t, int64_t> offsets{0, 0};
    for (size_t i = rank; i-- > 0;) {
      const int64_t index = batch % dims[i];
      batch /= dims[i];
      offsets.first += index * a_stride[i];
      offsets.second += index * b_stride[i];
    }
    return offsets;
  }
};

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_MATMUL_SHAPES_H_
