#include "runtime/cpu/gemm.h"
#include "runtime/cpu/matmul_shapes.h"

namespace xrun::cpu {

namespace {

/// Up to this many rows of x, every output is a dot product: the weights are read once either way, and need no packing.
constexpr int64_t kDotRows = 8;
constexpr int64_t kOutputsPerTask = 32;

int64_t SharedFloats(const Product2d& p) { return PackedAFloats(p.m, p.k); }

/// y[m][n] = a·b with any strides of a and b.
void RunProduct(const Product2d& p, const float* a, const float* b, float* y, bool accumulate, float lo, float hi,
                std::byte* scratch, Workers& workers) {
  const Simd& simd = BestSimd();
  ScratchCursor cursor(scratch);
  float* packed_a = cursor.TakeFloats(SharedFloats(p));
  float* packed_b = cursor.TakeFloats(0);
  workers.Run(DivideUp(p.m, kTileRows),
              [&](int64_t panel, int) { PackAPanel(a, p.a_row, p.a_column, p.m, p.k, panel, packed_a); });
  const int64_t blocks = DivideUp(p.n, kBlockN);
  const int64_t parts = RowParts(p.m, blocks);
  const int64_t part_rows = RoundUp(DivideUp(p.m, parts), kTileRows);
  workers.Run(blocks * parts, [&](int64_t task, int worker) {
    const int64_t n0 = task / parts * kBlockN;
    const int64_t columns = std::min(kBlockN, p.n - n0);
    const int64_t m0 = task % parts * part_rows;
    const int64_t m1 = std::min(p.m, m0 + part_rows);
    if (m0 >= m1) return;
    GemmBlock(simd, p.m, m0, m1, n0, columns, p.k, packed_a, y, p.n, accumulate, nullptr, lo, hi,
              packed_b + worker * PackedBFloats(), [&](int64_t k0, int64_t kc, float* out) {
                const int64_t width = simd.tile_columns;
                for (int64_t j = 0; j < columns; j += width) {
                  for (int64_t i = 0; i < kc; ++i) {
                    for (int64_t t = 0; t < width; ++t) {
                      *out++ = j + t < columns ? b[(k0 + i) * p.b_row + (n0 + j + t) * p.b_column] : 0.0F;
                    }
                  }
                }
              });
  });
}

Product2d FullyConnectedProduct(const OpCall& call) {
  const int64_t m = call.inputs[1].shape[0];
  const int64_t k = call.inputs[1].shape[1];
  const int64_t rows = m == 0 ? 0 : Elements(call.outputs[0]) / m;
  return {rows, m, k, k, 1, 1, k};
}

size_t ProductScratchBytes(const Product2d& p, int workers) {
  return ScratchCursor::Bytes(SharedFloats(p)) + static_cast<size_t>(workers) * ScratchCursor::Bytes(PackedBFloats());
}

}  // namespace

size_t FullyConnectedScratchBytes(const OpCall& call, int workers) {
  const Product2d p = FullyConnectedProduct(call);
  return p.m <= kDotRows ? 0 : ProductScratchBytes(p, workers);
}

void RunFullyConnected(const OpCall& call, std::byte* scratch, Workers& workers) {
  const Product2d p = FullyConnectedProduct(call);
  const float* x = call.inputs[0].as<float>();
  const float* weights = call.inputs[1].as<float>();
  const float* bias = call.inputs.size() > 2 ? call.inputs[2].as<float>() : nullptr;
  float* y = call.outputs[0].as<float>();
  const float lo = ClampLo(call);
  const float hi = ClampHi(call);
  if (p.m > kDotRows) {
    for (int64_t row = 0; row < p.m; ++row) {
      if (bias != nullptr) std::copy_n(bias, p.n, y + row * p.n);
    }
    return RunProduct(p, x, weights, y, bias != nullptr, lo, hi, scratch, workers);
  }
  const Simd& simd = BestSimd();
  workers.Run(DivideUp(p.n, kOutputsPerTask), [&](int64_t task, int) {
    const int64_t end = std::min(p.n, (task + 1) * kOutputsPerTask);
    for (int64_t j = task * kOutputsPerTask; j < end; ++j) {
      for (int64_t row = 0; row < p.m; ++row) {
        float v = simd.dot(p.k, x + row * p.k, weights + j * p.k) + (bias == nullptr ? 0.0F : bias[j]);
        v = v < lo ? lo : v;
        y[row * p.n + j] = v > hi ? hi : v;
      }
    }
  });
}

size_t MatMulScratchBytes(const OpCall& call, int workers) {
  return ProductScratchBytes(Batched(call).product, workers);
}

void RunMatMul(const OpCall& call, std::byte* scratch, Workers& workers) {
  const Batched batched(call);
  const Product2d& p = batched.product;
  const float inf = std::numeric_limits<float>::infinity();
  for (int64_t batch = 0; batch < batched.batches; ++batch) {
    const auto [a_offset, b_offset] = batched.Offsets(batch);
    RunProduct(p, call.inputs[0].as<float>() + a_offset, call.inputs[1].as<float>() + b_offset,
               call.outputs[0].as<float>() + batch * p.m * p.n, false, -inf, inf, scratch, workers);
  }
}

}  // namespace xrun::cpu
