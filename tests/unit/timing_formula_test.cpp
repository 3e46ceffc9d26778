// isa/timing.cpp against the cycle-stepped reference, on random instructions of every configuration.

#include <gtest/gtest.h>

#include <set>

#include "isa/timing.h"
#include "tests/unit/cycle_reference.h"
#include "tests/unit/random_instruction.h"

namespace xrun::test {
namespace {

class FormulaTest : public testing::TestWithParam<HardwareConfig> {
 protected:
  template <typename T>
  void Compare(int count) {
    const HardwareConfig& config = GetParam();
    std::set<uint64_t> different;
    for (int seed = 0; seed < count; ++seed) {
      RandomInstruction random(static_cast<uint64_t>(seed) * 999983 + 7, config);
      const T x = random.Draw<T>();
      const CycleCount stepped = StepCycles(x, config);
      ASSERT_EQ(stepped.violation, "") << Disassemble(x);
      const OwnCycles own = CyclesOf(x, config);
      ASSERT_EQ(own.total(), stepped.cycles)
          << config.name << " seed " << seed << ": " << Disassemble(x) << "\n  " << Describe(own);
      different.insert(stepped.cycles);
    }
    EXPECT_GT(different.size(), static_cast<size_t>(count) / 8);  // the instructions were not all alike
  }
};

TEST_P(FormulaTest, Conv) { Compare<Conv>(150); }
TEST_P(FormulaTest, Depthwise) { Compare<Depthwise>(150); }
TEST_P(FormulaTest, Pool) { Compare<Pool>(150); }
TEST_P(FormulaTest, Elementwise) { Compare<Elementwise>(150); }
TEST_P(FormulaTest, Load) { Compare<Load>(150); }
TEST_P(FormulaTest, Save) { Compare<Save>(150); }
TEST_P(FormulaTest, LoadPacked) { Compare<LoadPacked>(150); }
TEST_P(FormulaTest, LoadMatrix) { Compare<LoadMatrix>(50); }

INSTANTIATE_TEST_SUITE_P(Configs, FormulaTest, testing::ValuesIn(TestConfigs()),
                         [](const auto& info) { return info.param.name; });

/// At any cycle the eight slots own eight different groups.
TEST(PortTable, NoTwoSlotsMeet) {
  for (int t = 0; t < 64; ++t) {
    std::set<int> groups;
    for (int s = 0; s < 8; ++s) groups.insert(((t - s) % 8 + 8) % 8);
    EXPECT_EQ(groups.size(), 8U) << t;
  }
}

TEST(Bursts, CutWhereTheyMust) {
  HardwareConfig config;  // bursts of 256, beats of 16, two ports
  std::vector<DramBurst> bursts;
  ForEachBurst(250, 300, config, [&](const DramBurst& b) { bursts.push_back(b); });
  ASSERT_EQ(bursts.size(), 3U);
  EXPECT_EQ(bursts[0].bytes, 6U);  // 250…255: one beat, port 0
  EXPECT_EQ(bursts[0].beats, 1U);
  EXPECT_EQ(bursts[0].port, 0U);
  EXPECT_EQ(bursts[1].bytes, 256U);  // 256…511: 16 beats, port 1
  EXPECT_EQ(bursts[1].beats, 16U);
  EXPECT_EQ(bursts[1].port, 1U);
  EXPECT_EQ(bursts[2].bytes, 38U);  // 512…549: 512, 528, 544
  EXPECT_EQ(bursts[2].beats, 3U);
  EXPECT_EQ(bursts[2].port, 0U);
}

TEST(Bursts, RowsWithoutGapAreOneRun) {
  const HardwareConfig config;
  Load x;
  x.planes = 2;
  x.rows = 3;
  x.cols = 4;
  x.row_stride = 64;
  x.plane_stride = 192;
  EXPECT_EQ(DramOf(x, config).runs, 1U);
  EXPECT_EQ(DramOf(x, config).bytes, 384U);
  x.plane_stride = 208;
  EXPECT_EQ(DramOf(x, config).runs, 2U);
  x.row_stride = 80;
  EXPECT_EQ(DramOf(x, config).runs, 6U);
  EXPECT_EQ(DramOf(Sync{}, config).bytes, 0U);
}

}  // namespace
}  // namespace xrun::test
