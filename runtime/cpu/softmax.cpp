#include <cmath>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

void RunSoftmax(const OpCall& call, Workers& workers) {
  const bool log = call.op == Op::kLogSoftmax;
  const auto axis = static_cast<size_t>(std::get<AxisAttrs>(*call.attrs).axis);
  const auto shape = call.inputs[0].shape;
  const int64_t size = shape[axis];
  const int64_t inner = Product(shape.subspan(axis + 1));
  const int64_t outer = Product(shape.first(axis));
  const float* x = call.inputs[0].as<float>();
  float* y = call.outputs[0].as<float>();
  ForRanges(workers, outer * inner, std::max<int64_t>(1, kElementsPerTask / 8 / std::max<int64_t>(size, 1)),
            [&](int64_t begin, int64_t end) {
              for (int64_t row = begin; row < end; ++row) {
                const int64_t base = row / inner * size * inner + row % inner;
                float most = -std::numeric_limits<float>::infinity();
                for (int64_t i = 0; i < size; ++i) most = std::max(most, x[base + i * inner]);
                double sum = 0;
                if (log) {
                  for (int64_t i = 0; i < size; ++i) {
                    sum += std::exp(static_cast<double>(x[base + i * inner]) - static_cast<double>(most));
                  }
                  const double shift = static_cast<double>(most) + std::log(sum);
                  for (int64_t i = 0; i < size; ++i) {
                    y[base + i * inner] = static_cast<float>(static_cast<double>(x[base + i * inner]) - shift);
                  }
                  continue;
                }
                for (int64_t i = 0; i < size; ++i) {
                  const double e = std::exp(static_cast<double>(x[base + i * inner]) - static_cast<double>(most));
                  y[base + i * inner] = static_cast<float>(e);
                  sum += e;
                }
                for (int64_t i = 0; i < size; ++i) {
                  y[base + i * inner] = static_cast<float>(static_cast<double>(y[base + i * inner]) / sum);
                }
              }
            });
}

}  // namespace xrun::cpu
