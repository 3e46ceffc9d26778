// Throughput of one, two and four units of the stand-in board, whose launches take a simulated time: what the runtime
// makes of several units, not how fast a board is.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/stand_in_board/scaling.h"

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  const int launch_us = argc > 1 ? std::max(1, std::atoi(argv[1])) : 10000;
  const unsigned requests = argc > 2 ? static_cast<unsigned>(std::max(1, std::atoi(argv[2]))) : 600;
  xrun::stand_in::BoardOptions board;
  board.latency = std::chrono::microseconds(launch_us);
  // A request moves about 1,000 bytes: a DRAM that is enough for two and a half units.
  for (const uint64_t dram : {uint64_t{0}, uint64_t{2'500'000'000} / static_cast<uint64_t>(launch_us)}) {
    board.dram_bytes_per_second = dram;
    const std::string text = dram == 0 ? "unlimited" : std::to_string(dram / 1000) + " kB/s shared by the units";
    std::printf("%d us a request, DRAM %s, host time\n", launch_us, text.c_str());
    double one = 0;
    for (const uint32_t units : {1U, 2U, 4U}) {
      const double rate = xrun::test::Throughput(units, board, dram == 0 ? requests : requests / 4);
      if (units == 1) one = rate;
      std::printf("  %u unit%s %8.1f requests/s  %.2f x\n", units, units == 1 ? " " : "s", rate, rate / one);
    }
  }
}
