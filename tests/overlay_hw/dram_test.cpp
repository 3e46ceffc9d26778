// DRAM beside the chip: how many iterations the loops of Load and Save take, where an iteration is a clock cycle, with DRAM
// that answers at once and with DRAM that takes its time. The formula is max(chip, DRAM) (isa/README.md, section 5); what
// comes on top is stated here and in overlay_hw/README.md. Runs are asked for while others are on their way: no row pays
// for its latency alone.

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

  /// Most iterations that instructions of type T have more than max(chip, DRAM).
  template <typename T>
  int64_t Excess(uint64_t first_seed, bool slow) {
    const HardwareConfig& config = lockstep_.config();
    HardwareConfig ideal = config;  // what a port can do without refresh
    ideal.dram_efficiency = 100;
    const uint64_t latency = slow ? config.dram_read_latency : 0;
    lockstep_.bench().SetPace({latency, slow ? config.dram_ports : 0});
    int64_t worst = 0;
    for (uint64_t seed = first_seed; seed < first_seed + 80; ++seed) {
      const Instruction instruction = lockstep_.Draw<T>(seed);
      const std::string difference = lockstep_.Run(instruction);
      EXPECT_EQ(difference, "") << "seed " << seed;
      if (lockstep_.last().trap != Trap::kNone) continue;
      const uint64_t dram =
          slow ? DramCyclesAlone(DramOf(instruction, ideal), ideal) : lockstep_.last().beats;
      const uint64_t bound = std::max(lockstep_.last().cycles, dram);
      const auto excess = static_cast<int64_t>(lockstep_.last().iterations) - static_cast<int64_t>(bound);
      if (excess > worst) {
        worst = excess;
        RecordProperty("worst", std::to_string(worst) + " of " + std::to_string(bound) + ": " + Disassemble(instruction));
      }
    }
    return worst;
  }
  Lockstep lockstep_;
};

TEST_P(Dram, AtOnce) {
  std::printf("%s at once: %ld %ld %ld %ld %ld %ld\n", GetParam().name, Excess<Load>(1000, false), Excess<LoadWeights>(2000, false), Excess<LoadVector>(3000, false), Excess<LoadMatrix>(4000, false), Excess<LoadPacked>(5000, false), Excess<Save>(6000, false));
}
TEST_P(Dram, Slow) {
  std::printf("%s slow: %ld %ld %ld %ld %ld %ld\n", GetParam().name, Excess<Load>(1000, true), Excess<LoadWeights>(2000, true), Excess<LoadVector>(3000, true), Excess<LoadMatrix>(4000, true), Excess<LoadPacked>(5000, true), Excess<Save>(6000, true));
}

const Overlay kOverlays[] = {
    {"B512", hw::B512::MakeBench}, {"K26", hw::K26::MakeBench}, {"Small2x4", hw::Small2x4::MakeBench}};
INSTANTIATE_TEST_SUITE_P(Some, Dram, testing::ValuesIn(kOverlays),
                         [](const testing::TestParamInfo<Overlay>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace xrun::test
