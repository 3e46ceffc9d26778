// The claim of isa/README.md, section 2: a client of port B whose lines are at least their line costs apart is served
// at most 7 cycles after its engine, whatever the clock stood at, so that the engine's cycles are its own alone.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace xrun {
namespace {

constexpr int64_t kGroups = 8;
constexpr int64_t kMostBehind = 7;
constexpr size_t kBufferLines = 16;

struct Client {
  int64_t slot = 0;
  std::vector<int64_t> lines, times;  ///< a line, and when the engine has it ready
};

int64_t LineCost(int64_t from, int64_t to) { return ((to - from - 1) % kGroups + kGroups) % kGroups + 1; }

/// Lines in runs and jumps; the engine is sometimes slower than the costs, never faster.
Client Draw(std::mt19937_64& random, int64_t slot) {
  Client client;
  client.slot = slot;
  int64_t line = static_cast<int64_t>(random() % 1000), time = static_cast<int64_t>(random() % 50);
  for (int i = 0; i < 400; ++i) {
    client.lines.push_back(line);
    client.times.push_back(time);
    const int64_t next = random() % 4 != 0 ? line + 1 : static_cast<int64_t>(random() % 1000);
    time += LineCost(line, next) + (random() % 5 == 0 ? static_cast<int64_t>(random() % 20) : 0);
    line = next;
  }
  return client;
}

TEST(PortRotation, NoClientIsEverLate) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    for (int64_t slot = 0; slot < kGroups; ++slot) {
      const Client client = Draw(random, slot);
      std::deque<size_t> waiting;  // lines the engine has finished, as in the buffer
      size_t next = 0, served = 0;
      int64_t worst = 0;
      for (int64_t t = 0; served < client.lines.size(); ++t) {
        while (next < client.lines.size() && client.times[next] == t) waiting.push_back(next++);
        ASSERT_LE(waiting.size(), kBufferLines / 2) << "seed " << seed;
        // The group this slot owns now: one line of it, if that is the oldest in the buffer.
        const int64_t group = ((t - slot) % kGroups + kGroups) % kGroups;
        if (waiting.empty() || client.lines[waiting.front()] % kGroups != group) continue;
        worst = std::max(worst, t - client.times[waiting.front()]);
        waiting.pop_front();
        ++served;
      }
      ASSERT_LE(worst, kMostBehind) << "seed " << seed << " slot " << slot;
    }
  }
}

/// An engine faster than the costs does fall behind: the bound is a matter of the formulas, not of the buffer.
TEST(PortRotation, FasterThanItsCostsFallsBehind) {
  Client client;
  for (int64_t i = 0; i < 100; ++i) {
    client.lines.push_back(i * kGroups);  // always the same group: 8 cycles each
    client.times.push_back(i * 4);
  }
  int64_t t = 0;
  for (const int64_t line : client.lines) {
    do {
      ++t;
    } while (t % kGroups != line % kGroups);
  }
  EXPECT_GT(t - client.times.back(), 10 * kMostBehind);
}

}  // namespace
}  // namespace xrun
