// Every instruction over the ends of its fields: hardware's decoder and checks say what the host's say, and what is
// legal gives the same bytes.

#include "tests/overlay_hw/extremes.h"

#include <gtest/gtest.h>

#include "overlay_hw/csim/benches.h"

namespace xrun::test {
namespace {

struct Overlay {
  const char* name;
  std::unique_ptr<hw::csim::Bench> (*make)();
};

class Extremes : public testing::TestWithParam<Overlay> {
 protected:
  template <typename T>
  void Check(uint64_t first_seed) {
    constexpr int kDraws = 4000, kMostExecuted = 120;
    int executed = 0, refused = 0;
    Lockstep lockstep(HardwareOf(GetParam().name), GetParam().make());
    // A window wider than the row buffers is slower than the formula (overlay_hw/README.md).
    lockstep.set_check_cycles(T::kEngine != kVector);
    lockstep.Randomize(first_seed);
    for (int i = 0; i < kDraws; ++i) {
      const uint64_t seed = first_seed + static_cast<uint64_t>(i);
      const InstructionWord word = Extreme<T>(seed, lockstep.config());
      bool overlaps = false, ran = false;
      if (executed >= kMostExecuted) {
        const Trap want = ExpectedTrap(word, T::kEngine, lockstep.config(), overlaps);
        ASSERT_EQ(lockstep.bench().Judge(T::kEngine, word.data()), want)
            << "seed " << seed << ": " << Disassemble(word, T::kEngine);
        continue;
      }
      ASSERT_EQ(CompareWord(lockstep, word, T::kEngine, ran), "") << "seed " << seed;
      (ran ? executed : refused) += 1;
    }
    EXPECT_GT(executed, 20);
    EXPECT_GT(refused, 20);
  }
};

TEST_P(Extremes, Load) { Check<Load>(100000); }
TEST_P(Extremes, LoadWeights) { Check<LoadWeights>(200000); }
TEST_P(Extremes, LoadVector) { Check<LoadVector>(300000); }
TEST_P(Extremes, LoadPacked) { Check<LoadPacked>(400000); }
TEST_P(Extremes, LoadMatrix) { Check<LoadMatrix>(500000); }
TEST_P(Extremes, Conv) { Check<Conv>(600000); }
TEST_P(Extremes, Depthwise) { Check<Depthwise>(700000); }
TEST_P(Extremes, Pool) { Check<Pool>(800000); }
TEST_P(Extremes, Elementwise) { Check<Elementwise>(900000); }
TEST_P(Extremes, Save) { Check<Save>(1000000); }

// Words of pure noise, and every opcode in every stream.
TEST_P(Extremes, NoiseIsRefusedAlike) {
  const HardwareConfig config = HardwareOf(GetParam().name);
  const auto bench = GetParam().make();
  RandomInstruction random(1100000, config);
  for (int i = 0; i < 20000; ++i) {
    InstructionWord word{};
    for (uint64_t& w : word)
      w = random.Chance(50) ? 0 : random.U(0, UINT32_MAX) | uint64_t{random.U(0, UINT32_MAX)} << 32;
    word[0] = (word[0] & ~uint64_t{0xFF}) | random.U(0, 255);
    const auto engine = static_cast<Engine>(random.U(0, kEngines - 1));
    bool overlaps = false;
    ASSERT_EQ(bench->Judge(engine, word.data()), ExpectedTrap(word, engine, config, overlaps))
        << Disassemble(word, engine);
  }
}

INSTANTIATE_TEST_SUITE_P(Some, Extremes,
                         testing::Values(Overlay{"B1024", hw::B1024::MakeBench}, Overlay{"K26", hw::K26::MakeBench},
                                         Overlay{"Small3x5", hw::Small3x5::MakeBench}),
                         [](const testing::TestParamInfo<Overlay>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace xrun::test
