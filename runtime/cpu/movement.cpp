#include <cstring>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

/// A copy between two strided walks over one box of elements. Strides in elements, of either sign.
struct StridedCopy {
  size_t rank = 0;
  Dims dims{}, from{}, to{};

  void Add(int64_t size, int64_t from_stride, int64_t to_stride) {
    if (size == 1) return;
    if (rank > 0 && from[rank - 1] == from_stride * size && to[rank - 1] == to_stride * size) {
      dims[rank - 1] *= size;
      from[rank - 1] = from_stride;
      to[rank - 1] = to_stride;
      return;
    }
    dims[rank] = size, from[rank] = from_stride, to[rank] = to_stride;
    ++rank;
  }

  template <typename T>
  void Rows(const T* source, T* target, int64_t begin, int64_t end) const {
    const size_t inner = rank - 1;
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      const T* s = source;
      T* t = target;
      for (size_t i = inner; i-- > 0;) {
        s += rest % dims[i] * from[i];
        t += rest % dims[i] * to[i];
        rest /= dims[i];
      }
      if (from[inner] == 1 && to[inner] == 1) {
        std::memcpy(t, s, static_cast<size_t>(dims[inner]) * sizeof(T));
      } else {
        for (int64_t i = 0; i < dims[inner]; ++i) t[i * to[inner]] = s[i * from[inner]];
      }
    }
  }

  /// `source` and `target` point at the first element of the walk.
  template <typename T>
  void Run(const T* source, T* target, Workers& workers) {
    if (rank == 0) dims[0] = from[0] = to[0] = 1, rank = 1;
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < rank; ++i) rows *= dims[i];
    if (rows == 0 || dims[rank - 1] == 0) return;
    ForRanges(workers, rows, std::max<int64_t>(1, kElementsPerTask / dims[rank - 1]),
              [&](int64_t begin, int64_t end) { Rows(source, target, begin, end); });
  }
};

}  // namespace

void RunConcat(const OpCall& call, Workers& workers) {
  const auto axis = static_cast<size_t>(std::get<AxisAttrs>(*call.attrs).axis);
  const Tensor& out = call.outputs[0];
  const int64_t out_row = Product(out.shape.subspan(axis));
  int64_t offset = 0;
  for (const Tensor& in : call.inputs) {
    const int64_t in_row = Product(in.shape.subspan(axis));
    WithElementType(out.dtype, [&]<typename T>(T*) {
      StridedCopy copy;
      copy.Add(Product(in.shape.first(axis)), in_row, out_row);
      copy.Add(in_row, 1, 1);
      copy.Run(in.as<T>(), out.as<T>() + offset, workers);
    });
    offset += in_row;
  }
}

void RunSlice(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<SliceAttrs>(*call.attrs);
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (Elements(out) == 0) return;
  StridedCopy copy;
  int64_t offset = 0;
  for (size_t i = 0; i < in.shape.size(); ++i) {
    const int64_t stride = Product(in.shape.subspan(i + 1));
    offset += attrs.begin[i] * stride;
    copy.Add(out.shape[i], stride * attrs.step[i], Product(out.shape.subspan(i + 1)));
  }
  WithElementType(out.dtype, [&]<typename T>(T*) { copy.Run(in.as<T>() + offset, out.as<T>(), workers); });
}

void RunPad(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<PadAttrs>(*call.attrs);
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  float* y = out.as<float>();
  ForRanges(workers, Elements(out), kElementsPerTask,
            [&](int64_t begin, int64_t end) { std::fill(y + begin, y + end, attrs.value); });
  // Negative padding crops, so the copied box may start inside the input.
  StridedCopy copy;
  int64_t from = 0;
  int64_t to = 0;
  for (size_t i = 0; i < in.shape.size(); ++i) {
    const int64_t in_stride = Product(in.shape.subspan(i + 1));
    const int64_t out_stride = Product(out.shape.subspan(i + 1));
    from += std::max<int64_t>(0, -attrs.before[i]) * in_stride;
    to += std::max<int64_t>(0, attrs.before[i]) * out_stride;
    const int64_t size = in.shape[i] + std::min<int64_t>(0, attrs.before[i]) + std::min<int64_t>(0, attrs.after[i]);
    if (size <= 0) return;
    copy.Add(size, in_stride, out_stride);
  }
  copy.Run(in.as<float>() + from, y + to, workers);
}

void RunReshape(const OpCall& call) {
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (in.data != out.data) std::memcpy(out.data, in.data, static_cast<size_t>(Elements(out)) * SizeOf(out.dtype));
}

void RunTranspose(const OpCall& call, Workers& workers) {
  const auto& perm = std::get<TransposeAttrs>(*call.attrs).perm;
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  StridedCopy copy;
  for (size_t i = 0; i < perm.size(); ++i) {
    copy.Add(out.shape[i], Product(in.shape.subspan(static_cast<size_t>(perm[i]) + 1)),
             Product(out.shape.subspan(i + 1)));
  }
  WithElementType(out.dtype, [&]<typename T>(T*) { copy.Run(in.as<T>(), out.as<T>(), workers); });
}

}  // namespace xrun::cpu
