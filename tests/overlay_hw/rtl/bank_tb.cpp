// rtl/xrun_bank.v under Verilator: random clients on port A and all eight slots, each at most once in 8 cycles, as the
// line costs make them. Every read must have its answer 10 cycles after the access (2 on port A).

#include <verilated.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

#include "Vxrun_bank.h"

namespace {

constexpr unsigned kWords = 64, kSlots = 8, kSettle = 24;  // a write is surely done after that many cycles

struct Expected {
  uint64_t at;
  uint16_t value;
};

}  // namespace

int main(int argc, char** argv) {
  const unsigned long cycles = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20000;
  Vxrun_bank bank;
  std::mt19937 random(1);
  std::vector<uint16_t> memory(kWords, 0);
  std::vector<uint64_t> written(kWords, 0), read(kWords, 0);
  std::vector<bool> known(kWords, false);
  std::vector<uint64_t> last(kSlots, 0);
  std::vector<std::deque<Expected>> waiting(kSlots + 1);
  unsigned long checked = 0, wrong = 0, reads_of[kSlots + 1] = {};

  bank.clear = 1;
  const auto clock = [&] {
    bank.clk = 0;
    bank.eval();
    bank.clk = 1;
    bank.eval();
  };
  clock();
  bank.clear = 0;
  for (uint64_t t = 100; t < 100 + cycles; ++t) {
    bank.phase = t % 8;
    CData* const write_ce[3] = {&bank.s0_ce, &bank.s5_ce, &bank.s6_ce};
    CData* const write_we[3] = {&bank.s0_we, &bank.s5_we, &bank.s6_we};
    CData* const write_address[3] = {&bank.s0_address, &bank.s5_address, &bank.s6_address};
    SData* const write_data[3] = {&bank.s0_d, &bank.s5_d, &bank.s6_d};
    CData* const read_ce[5] = {&bank.s1_ce, &bank.s2_ce, &bank.s3_ce, &bank.s4_ce, &bank.s7_ce};
    CData* const read_address[5] = {&bank.s1_address, &bank.s2_address, &bank.s3_address, &bank.s4_address,
                                    &bank.s7_address};
    SData* const read_q[5] = {&bank.s1_q, &bank.s2_q, &bank.s3_q, &bank.s4_q, &bank.s7_q};
    constexpr unsigned kWriters[3] = {0, 5, 6}, kReaders[5] = {1, 2, 3, 4, 7};

    // What was asked earlier is there now, before this cycle's edge.
    bank.eval();
    for (unsigned i = 0; i <= 5; ++i) {
      auto& queue = waiting[i];
      if (queue.empty() || queue.front().at != t) continue;
      const uint16_t q = i == 5 ? bank.a_q : *read_q[i];
      ++checked;
      ++reads_of[i];
      if (q != queue.front().value && wrong++ < 5) {
        std::printf("cycle %lu, client %u: %04x, not %04x\n", static_cast<unsigned long>(t), i, q, queue.front().value);
      }
      queue.pop_front();
    }
    for (unsigned i = 0; i < 3; ++i) {
      const unsigned slot = kWriters[i], address = random() % kWords;
      *write_ce[i] = *write_we[i] = 0;
      // No other access to the word may be under way: order of engines is the tokens' business, not the bank's.
      if (t < last[slot] + 8 || random() % 3 != 0 || t < written[address] + kSettle || t < read[address] + kSettle)
        continue;
      last[slot] = t;
      *write_ce[i] = *write_we[i] = 1;
      *write_address[i] = address;
      *write_data[i] = memory[address] = static_cast<uint16_t>(random());
      written[address] = t;
      known[address] = true;
    }
    for (unsigned i = 0; i < 5; ++i) {
      const unsigned slot = kReaders[i], address = random() % kWords;
      *read_ce[i] = 0;
      if (t < last[slot] + 8 || !known[address] || t < written[address] + kSettle) continue;
      last[slot] = t;
      *read_ce[i] = 1;
      *read_address[i] = address;
      read[address] = t;
      waiting[i].push_back({t + 10, memory[address]});
    }
    bank.a_ce = 0;
    const unsigned address = random() % kWords;
    if (known[address] && t >= written[address] + kSettle) {
      bank.a_ce = 1;
      bank.a_address = address;
      read[address] = t;
      waiting[5].push_back({t + 2, memory[address]});
    }
    clock();
  }
  for (unsigned i = 0; i <= 5; ++i) {
    if (reads_of[i] == 0) ++wrong;
  }
  std::printf("bank: %lu reads checked, %lu wrong\n", checked, wrong);
  return wrong == 0 ? 0 : 1;
}
