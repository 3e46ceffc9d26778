#include <gtest/gtest.h>

#include "tools/common/format.h"
#include "tools/common/progress.h"
#include "tools/common/table.h"

namespace xrun::tools {
namespace {

TEST(Format, Bytes) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatBytes(1023 * 1024), "1.00 MiB");
  EXPECT_EQ(FormatBytes(uint64_t{345} << 20), "345 MiB");
  EXPECT_EQ(FormatBytes(~uint64_t{0}), "16.0 EiB");
}

TEST(Format, Durations) {
  EXPECT_EQ(FormatDuration(0), "0 s");
  EXPECT_EQ(FormatDuration(820e-9), "820 ns");
  EXPECT_EQ(FormatDuration(1.234e-3), "1.23 ms");
  EXPECT_EQ(FormatDuration(0.9996), "1.00 s");
  EXPECT_EQ(FormatDuration(12.34), "12.3 s");
  EXPECT_EQ(FormatDuration(99.94), "99.9 s");
  EXPECT_EQ(FormatDuration(125), "2 min 05 s");
  EXPECT_EQ(FormatDuration(3599.4), "59 min 59 s");
  EXPECT_EQ(FormatDuration(3599.6), "1 h 00 min");
  EXPECT_EQ(FormatDuration(-0.5), "-500 ms");
  EXPECT_EQ(FormatDuration(1.0 / 0.0), "unknown");
}

TEST(Format, SiPercentCount) {
  EXPECT_EQ(FormatSi(1.2148e9, "MAC/s"), "1.21 GMAC/s");
  EXPECT_EQ(FormatSi(320, "images/s"), "320 images/s");
  EXPECT_EQ(FormatSi(0.25, "images/s"), "0.25 images/s");
  EXPECT_EQ(FormatSi(999.7, "B/s"), "1.00 kB/s");
  EXPECT_EQ(FormatSi(-4.1e6, "MAC"), "-4.10 MMAC");
  EXPECT_EQ(FormatPercent(0.91234), "91.23 %");
  EXPECT_EQ(FormatPercent(1, 0), "100 %");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(10000), "10,000");
  EXPECT_EQ(FormatCount(-1234567), "-1,234,567");
}

TEST(Table, AlignsByCharacters) {
  Table table({{"layer"}, {"cycles", Table::Align::kRight}, {"where"}});
  table.AddRow({"conv1", "12", "overlay"});
  table.AddRow({"µ", "1234567", ""});
  table.AddRule();
  table.AddRow({"total", "1234579", ""});
  EXPECT_EQ(table.ToString(2),
            "  layer   cycles  where\n"
            "  conv1       12  overlay\n"
            "  µ      1234567\n"
            "  -----  -------  -------\n"
            "  total  1234579\n");
}

TEST(Progress, SaysWhatIsLeft) {
  EXPECT_EQ(Progress::Text("calibrating", 312, 500, 13.44), "calibrating  312/500  62 %  8.10 s left");
  EXPECT_EQ(Progress::Text("running", 0, 10, 5), "running  0/10  0 %");
  EXPECT_EQ(Progress::Text("running", 10, 10, 5), "running  10/10  100 %");
  EXPECT_EQ(Progress::Text("reading", 7, 0, 3), "reading  7  3.00 s");
}

TEST(Progress, WritesOnlyWhenAsked) {
  const auto output = [](ProgressMode mode) {
    ::testing::internal::CaptureStderr();
    {
      Progress progress("working", 3, mode);
      for (int i = 0; i < 3; ++i) progress.Advance();
      progress.Finish();
      progress.Advance();
    }
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(output(ProgressMode::kAuto), "");  // no terminal here
  EXPECT_EQ(output(ProgressMode::kOff), "");
  EXPECT_EQ(output(ProgressMode::kOn).substr(0, 12), "working  1/3");
}

}  // namespace
}  // namespace xrun::tools
