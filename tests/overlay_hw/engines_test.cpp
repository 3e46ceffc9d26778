// Every engine against the simulator's reference, byte for byte, cycle for cycle, access for access of every memory
// port: random legal instructions on every configuration, memories compared whole after each. A failure prints
// configuration, instruction and seed.

#include <gtest/gtest.h>

#include <functional>

#include "overlay_hw/csim/benches.h"
#include "tests/overlay_hw/lockstep.h"

namespace xrun::test {
namespace {

struct Overlay {
  const char* name;
  std::unique_ptr<hw::csim::Bench> (*make)();
};
const Overlay kOverlays[] = {
#define XRUN_HW_CONFIGURATION(name, ...) {#name, hw::name::MakeBench},
#include "overlay_hw/configs.def"
#undef XRUN_HW_CONFIGURATION
};

class Engines : public testing::TestWithParam<Overlay> {
 protected:
  Engines() : lockstep_(HardwareOf(GetParam().name), GetParam().make()) {}

  /// `ports`: those that the instructions use, each of which must have been seen at work.
  template <typename T>
  void Compare(uint64_t first_seed, int count, std::initializer_list<hw::csim::BenchPort> ports) {
    const int fresh = 16;  // instructions on the same memories, each working on what those before left
    if (lockstep_.config().macs_per_cycle() > 2048) count = count * 2 / 3;
    for (int i = 0; i < count; ++i) {
      const uint64_t seed = first_seed + static_cast<uint64_t>(i);
      if (i % fresh == 0) lockstep_.Randomize(seed);
      const std::string difference = lockstep_.Run(lockstep_.Draw<T>(seed));
      ASSERT_EQ(difference, "") << "seed " << seed << ", memories of seed " << seed - seed % 1000 % fresh;
    }
    if (lockstep_.slowdown() > 0) RecordProperty("iterations_over_cycles", std::to_string(lockstep_.slowdown()));
    for (hw::csim::BenchPort port : ports) EXPECT_GT(lockstep_.port_accesses(port), 20U) << "port " << port;
  }
  Lockstep lockstep_;
};

// Seeds are multiples of 1000 plus the number of the draw.
using namespace hw::csim;
TEST_P(Engines, Load) { Compare<Load>(1000, 96, {kPortLoadResult}); }
TEST_P(Engines, LoadWeights) { Compare<LoadWeights>(2000, 48, {kPortRingWrite}); }
TEST_P(Engines, LoadVector) { Compare<LoadVector>(3000, 48, {kPortVectorMemoryWrite}); }
TEST_P(Engines, LoadPacked) { Compare<LoadPacked>(4000, 144, {kPortLoadResult}); }
TEST_P(Engines, LoadMatrix) { Compare<LoadMatrix>(5000, 96, {kPortRingWrite}); }
TEST_P(Engines, Conv) {
  Compare<Conv>(
      6000, 144,
      {kPortConvSource, kPortConvResult, kPortConvResidual, kPortRingRead, kPortPartialRead, kPortPartialWrite});
  EXPECT_LT(lockstep_.slowdown(), 1.05);  // small instructions: fixed cycles are not in it
}
TEST_P(Engines, Depthwise) {
  Compare<Depthwise>(7000, 144,
                     {kPortVectorRead0, kPortVectorRead1, kPortVectorRead2, kPortVectorResult, kPortVectorMemoryRead,
                      kPortVectorPartialRead, kPortVectorPartialWrite});
  EXPECT_LT(lockstep_.slowdown(), 1.06);
}
TEST_P(Engines, Pool) {
  Compare<Pool>(8000, 192,
                {kPortVectorRead0, kPortVectorRead1, kPortVectorRead2, kPortVectorResult, kPortVectorMemoryRead,
                 kPortVectorPartialRead, kPortVectorPartialWrite});
  EXPECT_LT(lockstep_.slowdown(), 1.06);
}
TEST_P(Engines, Elementwise) {
  Compare<Elementwise>(9000, 144, {kPortVectorRead0, kPortVectorRead1, kPortVectorResult, kPortVectorMemoryRead});
}
TEST_P(Engines, Save) { Compare<Save>(10000, 96, {kPortSaveSource}); }

/// Windows that do not fit what the engine keeps: kernel rows wider than a slot's row buffer, more taps than weights,
/// more multipliers by count. Slower than the formula, so only bytes are compared.
template <typename T, typename Change>
void CompareChanged(Lockstep& lockstep, uint64_t first_seed, Change&& change) {
  lockstep.set_check_cycles(false);
  lockstep.Randomize(first_seed);
  int ran = 0;
  for (uint64_t seed = first_seed; ran < 6; ++seed) {
    ASSERT_LT(seed, first_seed + 5000) << "no legal instruction";
    RandomInstruction random(seed, lockstep.config());
    T x = random.Draw<T>();
    change(random, x);
    x.src_row_pitch = x.in_w + random.U(0, 3);
    x.src_plane_pitch = x.in_h * x.src_row_pitch;
    if (!CheckFields(x, T::kEngine, lockstep.config()).ok()) continue;
    ++ran;
    ASSERT_EQ(lockstep.Run(x), "") << "seed " << seed;
  }
}
const auto kWide = [](RandomInstruction& random, auto& x) {
  x.kernel_w = random.U(10, 60);
  x.kernel_h = random.U(1, 4);
  x.dilation_w = random.U(1, 9);
  x.stride_w = random.Chance(30) ? random.U(20, 63) : random.U(1, 3);
  x.in_w = random.U(140, 400);
  x.in_h = random.U(1, 4);
  x.groups = 1;
};
const auto kManyTaps = [](RandomInstruction& random, auto& x) {
  x.kernel_w = random.U(17, 40);
  x.kernel_h = random.U(17, 30);
  x.in_w = random.U(10, 40);
  x.in_h = random.U(10, 30);
  x.out_w = random.Chance(50) ? 1 : random.U(2, 5);
  x.out_h = random.U(1, 3);
  x.groups = random.U(1, 2);
};
TEST_P(Engines, WideDepthwise) { CompareChanged<Depthwise>(lockstep_, 11000, kWide); }
TEST_P(Engines, WidePool) { CompareChanged<Pool>(lockstep_, 12000, kWide); }
TEST_P(Engines, DepthwiseOfManyTaps) { CompareChanged<Depthwise>(lockstep_, 13000, kManyTaps); }
TEST_P(Engines, PoolOfManyTaps) { CompareChanged<Pool>(lockstep_, 14000, kManyTaps); }

INSTANTIATE_TEST_SUITE_P(All, Engines, testing::ValuesIn(kOverlays),
                         [](const testing::TestParamInfo<Overlay>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace xrun::test
