#include "random_graph.h"

namespace xrun::testing {

using compiler::Graph;
using compiler::ValueId;

/// The end of a stage of a residual network as its first version has it: a sum, or what stands for one, that pointwise
/// convolutions of a stride alone read; and now and then somebody else, who needs every pixel.
Graph RandomStage(uint64_t seed) {
  GraphMaker make(seed);
  const int64_t channels = make.Channels(40), height = make.Pick(3, 21), width = make.Pick(3, 21);
  ValueId x = make.Input({1, channels, height, width});
  if (make.Chance(50)) x = make.Conv(x, channels, 1, {});
  const auto conv = [&](ValueId from, int64_t out) {
    const int64_t k = make.Chance(60) ? 3 : 1;
    return make.Conv(from, out, 1, {k, k, 1, 1, 1, 1, k / 2, k / 2, k / 2, k / 2});
  };
  ValueId y = conv(x, channels);
  if (make.Chance(50)) y = make.Unary(conv(y, channels));
  if (make.Chance(70)) y = make.Chance(70) ? make.Add(y, x) : make.Mul(y, make.Chance(50) ? x : conv(x, channels));
  if (make.Chance(30)) y = make.Unary(y);
  const int64_t sh = make.Pick(1, 3), sw = make.Chance(80) ? sh : make.Pick(1, 3);
  const int64_t readers = make.Pick(1, 3);
  for (int64_t r = 0; r < readers; ++r) {
    const bool other = make.Chance(15);
    make.Output(make.Conv(y, make.Channels(40), 1, {1, 1, other ? 1 : sh, other ? 1 : sw}));
  }
  if (make.Chance(20)) make.Output(x);
  if (make.Chance(15)) make.PlainOutput(y);
  return std::move(make.graph);
}

}  // namespace xrun::testing
