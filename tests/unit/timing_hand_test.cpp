// Cycles worked out by hand from isa/README.md section 5. B512: 4 pixel lanes, 8 channels, 8 banks (a line is one
// word), 8 requant lanes, 4 vector pixels, a record is 2 ring rows, Conv fill 8 + 4 + 8 = 20. B4096: 8 lanes, 16
// channels, 16 banks (a line is two words), 32 requant lanes, 8 vector pixels, record 1 row, fill 32.

#include <gtest/gtest.h>

#include "isa/timing.h"

namespace xrun {
namespace {

const HardwareConfig& B512() { return BuiltInConfigs()[0]; }
const HardwareConfig& B4096() { return BuiltInConfigs()[7]; }

uint64_t Cycles(std::string_view line, Engine engine, const HardwareConfig& config) {
  const auto word = Assemble(line, engine);
  EXPECT_TRUE(word.ok()) << word.failure().ToString();
  const auto instruction = Decode(*word, engine);
  EXPECT_TRUE(instruction.ok());
  const Status status = CheckFields(*instruction, engine, config);
  EXPECT_TRUE(status.ok()) << status.failure().message;
  return CyclesOf(*instruction, config).total();
}

TEST(HandComputed, Sync) { EXPECT_EQ(Cycles("Sync signal=conv", kLoad, B512()), 0U); }

TEST(HandComputed, LoadOfOneRow) {
  // 8 + 1 for line 0, then lines 1, 2, 3 one cycle each.
  EXPECT_EQ(Cycles("Load base=2 planes=1 rows=1 cols=4", kLoad, B512()), 12U);
}

TEST(HandComputed, LoadThatJumps) {
  // Lines 0, 1, 9, 10: 8 + 1; 0→1 is 1; 1→9 is the same group again, ((9−1−1) mod 8) + 1 = 8; 9→10 is 1.
  EXPECT_EQ(Cycles("Load base=2 planes=1 rows=2 cols=2 row_pitch=9", kLoad, B512()), 19U);
  // Lines 0, 1, 10, 11: 1→10 is ((10−1−1) mod 8) + 1 = 1.
  EXPECT_EQ(Cycles("Load base=2 planes=1 rows=2 cols=2 row_pitch=10", kLoad, B512()), 12U);
}

TEST(HandComputed, LoadWeights) { EXPECT_EQ(Cycles("LoadWeights rows=5 acquire=5", kLoad, B512()), 5U); }

constexpr const char* kUnit = " stride_h=1 stride_w=1 dilation_h=1 dilation_w=1";

TEST(HandComputed, ConvOfOnePixelGroup) {
  // fill 20, record 2, one group: array 1 tap; output max(4·8/8 = 4, lines 8…11: 3) = 4; drain 24.
  EXPECT_EQ(Cycles(std::string("Conv in_w=4 in_h=1 dst=8 dst_step=1 out_w=4 out_h=1 ic_groups=1 oc_groups=1 kernel_h=1 "
                               "kernel_w=1 clamp_hi=127") +
                       kUnit,
                   kConv, B512()),
            20U + 2 + 4 + 24);
}

TEST(HandComputed, ConvThatKeeps) {
  // 4×4, 3×3, padding 1: four groups, each a row; 9 taps, no two lanes in a bank; output 1; no record.
  EXPECT_EQ(
      Cycles(std::string(
                 "Conv in_w=4 in_h=4 src_row_pitch=4 dst=100 dst_row_pitch=4 dst_step=1 out_w=4 out_h=4 ic_groups=1 "
                 "oc_groups=1 kernel_h=3 kernel_w=3 pad_top=1 pad_left=1 keep=1") +
                 kUnit,
             kConv, B512()),
      20U + 4 * 9 + 24);
}

TEST(HandComputed, ConvWithConflicts) {
  // Stride 4: lanes at words 0, 4, 8, 12, so banks 0, 4, 0, 4: two cycles a tap; three input groups: 6. Output 4.
  EXPECT_EQ(
      Cycles("Conv in_w=16 in_h=1 src_row_pitch=16 src_plane_pitch=16 dst=100 dst_step=1 out_w=4 out_h=1 ic_groups=3 "
             "oc_groups=1 kernel_h=1 kernel_w=1 stride_h=1 stride_w=4 dilation_h=1 dilation_w=1 clamp_hi=127",
             kConv, B512()),
      20U + 2 + 6 + 24);
}

TEST(HandComputed, ConvWithTableAndTwoOutputGroups) {
  // B4096, 16 pixels of a row, 1×1: fill 32, table 32; each output group: record 1 + two pixel groups.
  // Group 0 writes lines 0…3 and 4…7 of plane 0: 3, then 4 cycles; requant 8·16/32 = 4: 4 + 4.
  // Group 1 goes on at word 24 past the plane's begin, line 12: from line 7, ((12−7−1) mod 8) + 1 = 5, + 3 more lines =
  // 8; then 4.
  EXPECT_EQ(
      Cycles(std::string(
                 "Conv in_w=16 in_h=1 dst=200 dst_plane_pitch=24 dst_step=1 out_w=16 out_h=1 ic_groups=1 oc_groups=2 "
                 "kernel_h=1 kernel_w=1 table=1 clamp_hi=127") +
                 kUnit,
             kConv, B4096()),
      32U + 32 + (1 + 4 + 4) + (1 + 8 + 4) + 24);
}

TEST(HandComputed, Depthwise) {
  // Two groups, 4×4, 3×3, padding 1. R = 16 + 9 = 25. A row is one block: 9 taps; reads at most 4 (1 to get there, 3
  // more lines), writes 4: compute 4·9 = 36. 24 + 25 (first parameters) + max(36, 25) + 36 + 24.
  EXPECT_EQ(
      Cycles(
          std::string(
              "Depthwise in_w=4 in_h=4 src_row_pitch=4 src_plane_pitch=16 dst=100 dst_row_pitch=4 dst_plane_pitch=16 "
              "out_w=4 out_h=4 groups=2 kernel_h=3 kernel_w=3 pad_top=1 pad_left=1 clamp_hi=127") +
              kUnit,
          kVector, B512()),
      24U + 25 + 36 + 36 + 24);
}

TEST(HandComputed, MaximumOverWindows) {
  // 2×2, stride 2, 8×2 to 4×1: 4 taps; each of two rows 8 lines: 7; write 3. 7 decides.
  EXPECT_EQ(Cycles("Pool in_w=8 in_h=2 src_row_pitch=8 dst=100 out_w=4 out_h=1 groups=1 kernel_h=2 kernel_w=2 "
                   "stride_h=2 stride_w=2 "
                   "dilation_h=1 dilation_w=1 clamp_hi=127",
                   kVector, B512()),
            24U + 7 + 24);
}

TEST(HandComputed, GlobalAverage) {
  // 7×7 to one: ⌈49/4⌉ + 8 = 21 taps. Slot 0 reads rows 0, 3, 6: 6; to line 21, ((21−6−1) mod 8) + 1 = 7, and 6;
  // to line 42 again 7 and 6: 32, which decides.
  EXPECT_EQ(Cycles("Pool average=1 m=8388608 shift=40 in_w=7 in_h=7 src_row_pitch=7 dst=100 out_w=1 out_h=1 groups=1 "
                   "kernel_h=7 kernel_w=7 "
                   "stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 clamp_hi=127",
                   kVector, B512()),
            24U + 32 + 24);
}

TEST(HandComputed, WindowsThatKeepTheirLines) {
  // One row of 8, 1×3 with padding 1, two blocks of 4. Block 0 needs columns 0…4: 4; block 1 columns 3…7, of which 3
  // and 4 are kept: 5…7, 3. Both below... 3 taps: block 0 max(3, 4, 3) = 4; block 1 max(3, 3, write 1 + 3 = 4) = 4.
  EXPECT_EQ(Cycles("Pool in_w=8 in_h=1 src_row_pitch=8 dst=104 out_w=8 out_h=1 groups=1 kernel_h=1 kernel_w=3 "
                   "pad_left=1 stride_h=1 "
                   "stride_w=1 dilation_h=1 dilation_w=1 clamp_hi=127",
                   kVector, B512()),
            24U + 4 + 4 + 24);
}

TEST(HandComputed, ElementwiseWithTable) {
  // One row of 8: a, b and the result 7 lines after the first; 24 + 32 + 7 + 24.
  EXPECT_EQ(
      Cycles("Elementwise kind=2 planes=1 rows=1 cols=8 b=8 b_step=1 dst=16 clamp_hi=127 table=1", kVector, B512()),
      87U);
  // B4096: 8 words are four lines: 3.
  EXPECT_EQ(Cycles("Elementwise kind=2 planes=1 rows=1 cols=8 b=8 b_step=1 dst=16 clamp_hi=127", kVector, B4096()),
            51U);
}

}  // namespace
}  // namespace xrun
