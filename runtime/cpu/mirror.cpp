// Results made of the input's own elements, some of them several times: Tile and the paddings that invent no value.

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

int64_t Modulo(int64_t i, int64_t n) {
  const int64_t rest = i % n;
  return rest < 0 ? rest + n : rest;
}

/// Where index i of an axis that goes on beyond its n elements comes from.
int64_t Source(MirrorMode mode, int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  if (mode == MirrorMode::kEdge) return i < 0 ? 0 : n - 1;
  if (mode == MirrorMode::kWrap) return Modulo(i, n);
  if (n == 1) return 0;
  const int64_t folded = Modulo(i, 2 * (n - 1));
  return folded < n ? folded : 2 * (n - 1) - folded;
}

/// source(axis, index in the output) is the index in the input.
template <typename Fn>
void Spread(const OpCall& call, Workers& workers, const Fn& source) {
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (in.shape.empty()) return RunReshape(call);
  const size_t last = in.shape.size() - 1;
  const int64_t row = out.shape[last], rows = Product(out.shape.first(last));
  WithElementType(out.dtype, [&]<typename T>(T*) {
    ForRanges(workers, rows, std::max<int64_t>(1, kElementsPerTask / std::max<int64_t>(1, row)),
              [&](int64_t begin, int64_t end) {
                for (int64_t r = begin; r < end; ++r) {
                  int64_t rest = r, step = in.shape[last], from = 0;
                  for (size_t d = last; d-- > 0;) {
                    from += source(d, rest % out.shape[d]) * step;
                    rest /= out.shape[d];
                    step *= in.shape[d];
                  }
                  const T* x = in.as<T>() + from;
                  T* y = out.as<T>() + r * row;
                  for (int64_t i = 0; i < row; ++i) y[i] = x[source(last, i)];
                }
              });
  });
}

}  // namespace

void RunTile(const OpCall& call, Workers& workers) {
  Spread(call, workers, [shape = call.inputs[0].shape](size_t d, int64_t i) { return i % shape[d]; });
}

void RunMirrorPad(const OpCall& call, Workers& workers) {
  const auto& attrs = std::get<MirrorPadAttrs>(*call.attrs);
  Spread(call, workers, [&, shape = call.inputs[0].shape](size_t d, int64_t i) {
    return Source(attrs.mode, i - attrs.before[d], shape[d]);
  });
}

}  // namespace xrun::cpu
