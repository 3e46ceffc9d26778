// DRAM beside the chip: how many iterations the loops of Load and Save take, where an iteration is a clock cycle, with
// DRAM that answers at once and with DRAM that takes its time. The formula is max(chip, DRAM) (isa/README.md, section
// 5); what comes on top is stated here and in overlay_hw/README.md. Runs are asked for while others are on their way:
// no row pays for its latency alone.

#include <gtest/gtest.h>

#include <algorithm>

#include "isa/timing.h"
#include "overlay_hw/csim/benches.h"
#include "tests/overlay_hw/lockstep.h"

namespace xrun::test {
namespace {

struct Overlay {
  const char* name;
  std::unique_ptr<hw::csim::Bench> (*make)();
};

class Dram : public testing::TestWithParam<Overlay> {
 protected:
  Dram() : lockstep_(HardwareOf(GetParam().name), GetParam().make()) { lockstep_.Randomize(1); }

  /// Instructions of type T take max(chip, DRAM), at most `more` iterations more, and `row_end` for each row of the
  /// walk: queues between the stages are short, so that a far line jump at a row's end does not always disappear behind
  /// others.
  template <typename T>
  void Check(uint64_t first_seed, bool slow, uint64_t more, uint64_t row_end) {
    const HardwareConfig& config = lockstep_.config();
    HardwareConfig ideal = config;  // what a port can do without refresh
    ideal.dram_efficiency = 100;
    lockstep_.bench().SetPace({slow ? config.dram_read_latency : 0, slow ? config.dram_ports : 0});
    for (uint64_t seed = first_seed; seed < first_seed + 24; ++seed) {
      const Instruction instruction = lockstep_.Draw<T>(seed);
      ASSERT_EQ(lockstep_.Run(instruction), "") << "seed " << seed;
      const hw::csim::BenchResult& result = lockstep_.last();
      if (result.trap != Trap::kNone) continue;
      const T& x = std::get<T>(instruction);
      uint64_t rows = x.rows;
      if constexpr (requires { x.planes; }) rows *= x.planes;
      const uint64_t dram = slow ? DramCyclesAlone(DramOf(instruction, ideal), ideal) : result.beats;
      const uint64_t most =
          std::max(result.cycles, dram) + (slow ? config.dram_read_latency : 0) + more + row_end * rows;
      EXPECT_LE(result.iterations, most) << "chip " << result.cycles << ", DRAM " << dram << ": "
                                         << Disassemble(instruction);
    }
  }
  void CheckAll(bool slow) {
    Check<Load>(1000, slow, 20, 8);
    Check<LoadWeights>(2000, slow, 4, 0);
    Check<LoadVector>(3000, slow, 4, 0);
    Check<LoadMatrix>(4000, slow, 4, 0);
    Check<LoadPacked>(5000, slow, 20, 8);
    Check<Save>(6000, slow, 20, 8);
  }
  Lockstep lockstep_;
};

TEST_P(Dram, AtOnce) { CheckAll(false); }
TEST_P(Dram, TakesItsTime) { CheckAll(true); }

const Overlay kOverlays[] = {
    {"B512", hw::B512::MakeBench}, {"K26", hw::K26::MakeBench}, {"Small2x4", hw::Small2x4::MakeBench}};
INSTANTIATE_TEST_SUITE_P(Some, Dram, testing::ValuesIn(kOverlays),
                         [](const testing::TestParamInfo<Overlay>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace xrun::test
