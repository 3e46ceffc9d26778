#include <algorithm>
#include <numeric>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

/// Larger first (or smaller first), NaN before everything, and of equal ones the first: an order without ties, so every
/// sort gives the same.
template <typename T>
struct Before {
  const T* x;
  int64_t stride;
  bool largest;

  bool operator()(int64_t i, int64_t j) const {
    const T a = x[i * stride], b = x[j * stride];
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan != b_nan) return a_nan;
    if (a_nan || a == b) return i < j;
    return largest ? a > b : a < b;
  }
};

template <typename T>
void TopK(const OpCall& call, std::byte* scratch, Workers& workers) {
  const auto& attrs = std::get<TopKAttrs>(*call.attrs);
  const auto axis = static_cast<size_t>(attrs.axis);
  const Tensor& in = call.inputs[0];
  const int64_t size = in.shape[axis], inner = Product(in.shape.subspan(axis + 1)), k = attrs.k;
  workers.Run(Product(in.shape.first(axis)) * inner, [&](int64_t row, int worker) {
    auto* order = reinterpret_cast<int64_t*>(scratch) + worker * size;
    std::iota(order, order + size, 0);
    const T* x = in.as<T>() + row / inner * size * inner + row % inner;
    std::partial_sort(order, order + k, order + size, Before<T>{x, inner, attrs.largest});
    int64_t* y = call.outputs[0].as<int64_t>() + row / inner * k * inner + row % inner;
    for (int64_t i = 0; i < k; ++i) y[i * inner] = order[i];
  });
}

}  // namespace

size_t TopKScratchBytes(const OpCall& call, int workers) {
  const auto axis = static_cast<size_t>(std::get<TopKAttrs>(*call.attrs).axis);
  return static_cast<size_t>(call.inputs[0].shape[axis]) * static_cast<size_t>(workers) * sizeof(int64_t);
}

void RunTopK(const OpCall& call, std::byte* scratch, Workers& workers) {
  switch (call.inputs[0].dtype) {
    case DType::kFloat32:
      return TopK<float>(call, scratch, workers);
    case DType::kInt32:
      return TopK<int32_t>(call, scratch, workers);
    default:
      return TopK<int64_t>(call, scratch, workers);
  }
}

}  // namespace xrun::cpu
