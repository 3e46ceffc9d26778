#ifndef XRUN_RUNTIME_CPU_BROADCAST_H_
#define XRUN_RUNTIME_CPU_BROADCAST_H_

// Numpy's broadcasting of N inputs; private to runtime/cpu.

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

/// Output dimensions and the strides of the inputs (0 along a broadcast axis), with neighbouring dimensions merged
/// wherever all walk on together.
template <size_t N>
class Broadcast {
 public:
  explicit Broadcast(const OpCall& call) {
    const std::span<const int64_t> out = call.outputs[0].shape;
    std::array<Dims, N> full{};
    for (size_t n = 0; n < N; ++n) {
      const std::span<const int64_t> in = call.inputs[n].shape;
      int64_t step = 1;
      for (size_t back = 1; back <= in.size(); ++back) {
        const int64_t d = in[in.size() - back];
        full[n][out.size() - back] = d == 1 ? 0 : step;
        step *= d;
      }
    }
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i] == 1) continue;
      bool merges = rank_ > 0;
      for (size_t n = 0; n < N; ++n) merges = merges && strides_[n][rank_ - 1] == full[n][i] * out[i];
      if (merges) {
        dims_[rank_ - 1] *= out[i];
      } else {
        dims_[rank_++] = out[i];
      }
      for (size_t n = 0; n < N; ++n) strides_[n][rank_ - 1] = full[n][i];
    }
    if (rank_ == 0) dims_[0] = 1, rank_ = 1;
  }

  /// Stride of input n within a run.
  int64_t step(size_t n) const { return strides_[n][rank_ - 1]; }

  /// fn(at, count, offsets) for the runs along the last dimension that make up the outputs [begin, end).
  template <typename Fn>
  void ForRuns(int64_t begin, int64_t end, const Fn& fn) const {
    const size_t inner = rank_ - 1;
    for (int64_t at = begin; at < end;) {
      int64_t rest = at, column = 0;
      std::array<int64_t, N> offsets{};
      for (size_t i = rank_; i-- > 0;) {
        const int64_t index = rest % dims_[i];
        rest /= dims_[i];
        for (size_t n = 0; n < N; ++n) offsets[n] += index * strides_[n][i];
        if (i == inner) column = index;
      }
      const int64_t run = std::min(end - at, dims_[inner] - column);
      fn(at, run, offsets);
      at += run;
    }
  }

 private:
  size_t rank_ = 0;
  Dims dims_{};
  std::array<Dims, N> strides_{};
};

/// y = fn(a, b), elements of type T to elements of type R.
template <typename T, typename R = T, typename Fn>
void RunBroadcast(const OpCall& call, Workers& workers, const Fn& fn) {
  const Broadcast<2> shape(call);
  const T* a = call.inputs[0].as<T>();
  const T* b = call.inputs[1].as<T>();
  R* y = call.outputs[0].as<R>();
  const int64_t sa = shape.step(0), sb = shape.step(1);
  ForRanges(workers, Elements(call.outputs[0]), kElementsPerTask, [&](int64_t begin, int64_t end) {
    shape.ForRuns(begin, end, [&](int64_t at, int64_t run, const std::array<int64_t, 2>& offsets) {
      const T* pa = a + offsets[0];
      const T* pb = b + offsets[1];
      R* py = y + at;
      if (sa == 1 && sb == 1) {
        for (int64_t i = 0; i < run; ++i) py[i] = fn(pa[i], pb[i]);
      } else if (sa == 1 && sb == 0) {
        const T v = *pb;
        for (int64_t i = 0; i < run; ++i) py[i] = fn(pa[i], v);
      } else {
        for (int64_t i = 0; i < run; ++i) py[i] = fn(pa[i * sa], pb[i * sb]);
      }
    });
  });
}

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_BROADCAST_H_
