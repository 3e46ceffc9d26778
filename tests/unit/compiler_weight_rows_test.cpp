// Rows of weight memory in staggered programs, where no ring keeps segments apart: whatever is live at the same time
// lies in different rows. Random orders of loads and last readers, with memory nearly full and in pieces.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "compiler/schedule.h"

namespace xrun::compiler {
namespace {

constexpr uint32_t kRows = 64;

/// Loads of segments in up to three parts, among them the last readers of others; never more than `most` rows live.
class RandomLoads {
 public:
  explicit RandomLoads(uint64_t seed) : random_(seed) {}

  uint32_t Pick(uint32_t lo, uint32_t hi) { return lo + static_cast<uint32_t>(random_() % (hi - lo + 1)); }

  /// Appends `count` segments, all of them released at the end, numbered from `first`.
  std::vector<ScheduledInstruction> Make(int32_t first, int32_t count, uint32_t most) {
    std::vector<ScheduledInstruction> body;
    std::vector<Open> open;
    uint32_t live = 0;
    int32_t next = first;
    while (next < first + count || !open.empty()) {
      const uint32_t rows = Pick(1, most / 3);
      const bool waits = std::any_of(open.begin(), open.end(), [](const Open& o) { return o.missing != 0; });
      if (waits && Pick(0, 2) != 0) {
        Open& o = *std::find_if(open.begin(), open.end(), [](const Open& x) { return x.missing != 0; });
        const uint32_t part = Pick(1, o.missing);
        body.push_back(Load(o.segment, o.rows - o.missing, part));
        o.missing -= part;
      } else if (!waits && next < first + count && live + rows <= most && Pick(0, 3) != 0) {
        const uint32_t part = Pick(1, rows);
        body.push_back(Load(next, 0, part));
        open.push_back({next, rows, rows - part});
        live += rows;
        ++next;
      } else if (!open.empty()) {
        const size_t i = Pick(0, static_cast<uint32_t>(open.size()) - 1);
        if (open[i].missing != 0) continue;
        body.push_back(LastReader(open[i].segment));
        live -= open[i].rows;
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    return body;
  }

  static std::vector<ScheduledInstruction> Merge(const std::vector<ScheduledInstruction>& a,
                                                 const std::vector<ScheduledInstruction>& b, std::mt19937_64* random) {
    std::vector<ScheduledInstruction> merged;
    size_t i = 0, k = 0;
    while (i < a.size() || k < b.size()) {
      const bool from_a = k == b.size() || (i < a.size() && (*random)() % 2 == 0);
      merged.push_back(from_a ? a[i++] : b[k++]);
    }
    return merged;
  }
  std::mt19937_64* random() { return &random_; }

 private:
  struct Open {
    int32_t segment;
    uint32_t rows, missing;
  };

  static ScheduledInstruction Load(int32_t segment, uint32_t row, uint32_t rows) {
    LoadWeights load;
    load.rows = rows;
    ScheduledInstruction s{load, kLoad};
    s.segment = segment;
    s.row = row;
    return s;
  }
  static ScheduledInstruction LastReader(int32_t segment) {
    ScheduledInstruction s{Conv{}, kConv};
    s.segment = segment;
    s.releases = true;
    return s;
  }

  std::mt19937_64 random_;
};

/// Walks the body with an owner for each row: nobody's when it is filled, its segment's when that is read last.
void ExpectOwnRows(const Schedule& schedule, uint64_t seed) {
  std::vector<int32_t> owner(kRows, kNone);
  for (const ScheduledInstruction& s : schedule.body) {
    if (const auto* load = std::get_if<LoadWeights>(&s.instruction)) {
      for (uint32_t r = 0; r < load->rows; ++r) {
        int32_t& row = owner[(load->row + r) % kRows];
        ASSERT_EQ(row, kNone) << "segment " << s.segment << " fills a row that is live, seed " << seed;
        row = s.segment;
      }
    } else {
      ASSERT_EQ(owner[std::get<Conv>(s.instruction).weights], s.segment) << "seed " << seed;
      std::replace(owner.begin(), owner.end(), s.segment, kNone);
    }
  }
}

TEST(CompilerWeightRows, NothingLiesWhereAnotherSegmentLives) {
  HardwareConfig config;
  config.weight_rows = kRows;
  int assigned = 0, over_the_end = 0;
  constexpr int kSeeds = 3000;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    RandomLoads make(seed);
    // The front half before its window, beside the back half, and after; nothing lives across the window's ends.
    const uint32_t front_rows = make.Pick(16, 40);
    const auto before = make.Make(0, 12, kRows - 14), beside = make.Make(12, 12, front_rows - 4);
    const auto after = make.Make(24, 12, kRows - 14), back = make.Make(36, 12, kRows - front_rows - 4);
    Schedule schedule;
    schedule.segments = 48;
    schedule.front_segments = 36;
    schedule.front_rows = front_rows;
    schedule.stagger = OverlayStep::Stagger{};
    schedule.body = before;
    const auto window = RandomLoads::Merge(beside, back, make.random());
    schedule.body.insert(schedule.body.end(), window.begin(), window.end());
    schedule.window = {before.size(), schedule.body.size()};
    schedule.body.insert(schedule.body.end(), after.begin(), after.end());
    if (!AssignWeightRows(&schedule, config)) continue;
    ++assigned;
    ExpectOwnRows(schedule, seed);
    if (HasFatalFailure()) return;
    for (const ScheduledInstruction& s : schedule.body) {
      const auto* load = std::get_if<LoadWeights>(&s.instruction);
      over_the_end += load != nullptr && load->row + load->rows > kRows ? 1 : 0;
    }
  }
  EXPECT_GT(assigned, kSeeds / 3);
  EXPECT_GT(over_the_end, assigned / 2);
}

}  // namespace
}  // namespace xrun::compiler
