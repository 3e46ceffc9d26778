// The tests can fail: every mutation that is switched on in the engines (HW_MUTATE) is caught by the same comparison
// that passes without one. One configuration, compiled with XRUN_HW_MUTATIONS.

#include <gtest/gtest.h>

#include "overlay_hw/csim/benches.h"
#include "overlay_hw/csim/counts.h"
#include "tests/overlay_hw/extremes.h"

namespace xrun::test {
namespace {

constexpr int kMutations = 43;

template <typename T>
std::string FirstDifference(Lockstep& lockstep, uint64_t first_seed, int count) {
  for (int i = 0; i < count; ++i) {
    const uint64_t seed = first_seed + static_cast<uint64_t>(i);
    std::string difference = lockstep.Run(lockstep.Draw<T>(seed));
    if (!difference.empty()) return difference;
    for (uint64_t k = 0; k < 40; ++k) {
      const InstructionWord word = Extreme<T>(seed * 40 + k, lockstep.config());
      bool overlaps = false;
      if (lockstep.bench().Judge(T::kEngine, word.data()) !=
          ExpectedTrap(word, T::kEngine, lockstep.config(), overlaps))
        return "judged differently";
    }
  }
  return "";
}

std::string Battery(int scale) {
  Lockstep lockstep(HardwareOf("Small4x8"), hw::Small4x8::MakeBench());
  lockstep.Randomize(1);
  for (const auto& run : {+[](Lockstep&l, int n) { return FirstDifference<Conv>(l, 11000, n); },
                          +[](Lockstep&l, int n) { return FirstDifference<Depthwise>(l, 12000, n); },
                          +[](Lockstep&l, int n) { return FirstDifference<Pool>(l, 13000, n); },
                          +[](Lockstep&l, int n) { return FirstDifference<Elementwise>(l, 14000, n); },
                          +[](Lockstep&l, int n) { return FirstDifference<Load>(l, 15000, n); },
                          +[](Lockstep&l, int n) { return FirstDifference<LoadWeights>(l, 16000, n); },
                          +[](Lockstep&l, int n) { return FirstDifference<LoadMatrix>(l, 17000, n); },
                          +[](Lockstep&l, int n) { return FirstDifference<LoadPacked>(l, 18000, n); },
                          +[](Lockstep&l, int n) { return FirstDifference<Save>(l, 19000, n); }}) {
    std::string difference = run(lockstep, scale);
    if (!difference.empty()) return difference;
  }
  return "";
}

TEST(Mutations, NoneIsClean) {
  hw::csim::Mutation() = 0;
  EXPECT_EQ(Battery(60), "");
}

TEST(Mutations, EveryOneIsCaught) {
  for (int mutation = 1; mutation <= kMutations; ++mutation) {
    hw::csim::Mutation() = mutation;
    EXPECT_NE(Battery(60), "") << "mutation " << mutation << " of overlay_hw survives";
  }
  hw::csim::Mutation() = 0;
}

}  // namespace
}  // namespace xrun::test
