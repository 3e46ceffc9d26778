// rtl/xrun_reader.v under Verilator: random runs, two DRAM ports that answer when they like. Every piece must go to its
// port and cross no burst boundary, data come back in the order asked, and a port's data may never be kept waiting:
// that is what keeps two readers on shared ports from waiting for each other. Then ports that answer at half the
// process's rate each, as the interconnect behind does: the sum counts, for long runs and for short rows asked for one
// behind the other.

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>

#include "Vxrun_reader.h"
#include "dram_tb.h"

namespace {

uint64_t Content(uint64_t address) { return address * 0x9E3779B97F4A7C15U ^ address >> 7; }

/// One of the DRAM ports: pins and what is under way.
struct Port {
  QData* address;
  CData *length, *asks, *ready, *response, *last, *valid, *takes;
  QData* data;
  struct Read {
    uint64_t address, at;
    unsigned left;
  };
  std::deque<Read> reads;
  uint64_t pieces = 0, free_at = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const unsigned port_count = PortsOf(argc, argv);
  Vxrun_reader top;
  std::array<Port, 2> ports;
#define PINS(n)                                                                       \
  ports[n].address = &top.m##n##_axi_araddr, ports[n].length = &top.m##n##_axi_arlen, \
  ports[n].asks = &top.m##n##_axi_arvalid, ports[n].ready = &top.m##n##_axi_arready,  \
  ports[n].response = &top.m##n##_axi_rresp, ports[n].last = &top.m##n##_axi_rlast,   \
  ports[n].valid = &top.m##n##_axi_rvalid, ports[n].takes = &top.m##n##_axi_rready,   \
  ports[n].data = &top.m##n##_axi_rdata
  PINS(0);
  PINS(1);

  Reset(top);

  std::deque<Run> asked;
  Run offered = {0, 0};
  unsigned answered = 0;  // beats of the oldest run
  uint64_t runs = 0, next_steady = 0, beats_long = 0, beats_short = 0;

  // Phases: everything random; then ports at half rate each and a process that always takes, first with runs of 16
  // beats, then with rows of 7 that lie 9 beats apart.
  constexpr uint64_t kRandom = 60000, kLong = 62000, kShort = 66000, kShortFrom = 66500, kEnd = 70500;
  for (uint64_t t = 0; t < kEnd; ++t) {
    const bool steady = t >= kRandom;
    if (!top.s_ask_tvalid && (steady || Chance(30))) {
      if (steady) {
        const bool is_long = t < kShort;
        offered = {next_steady, is_long ? 16U : 7U};
        next_steady += (is_long ? 16 : 9) * kBeat;
      } else {
        offered = {random_() % (1 << 20) / kBeat * kBeat,
                   static_cast<unsigned>(1 + random_() % (Chance(10) ? 400 : 20))};
      }
      top.s_ask_tvalid = 1;
      SetEntry(top.s_ask_tdata, offered.address, offered.beats);
    }
    top.m_data_tready = steady || Chance(60);
    for (Port& port : ports) {
      *port.ready = steady || Chance(50);
      if (!*port.valid && !port.reads.empty() && t >= port.reads.front().at && t >= port.free_at &&
          (steady || Chance(70))) {
        const Port::Read& read = port.reads.front();
        *port.valid = 1;
        *port.data = Content(read.address);
        *port.response = Faulty(read.address) ? 2 : 0;
        *port.last = read.left == 1;
      }
    }
    top.eval();

    // What passes at this cycle's edge.
    const bool ask = top.s_ask_tvalid && top.s_ask_tready;
    if (top.m_data_tvalid && top.m_data_tready) {
      Check(!asked.empty(), "data that nobody asked for", t);
      if (asked.empty()) break;
      const uint64_t address = asked.front().address + answered * kBeat;
      const uint64_t data = static_cast<uint64_t>(top.m_data_tdata[1]) << 32 | top.m_data_tdata[0];
      Check(data == Content(address), "wrong data", address);
      Check((top.m_data_tdata[2] & 1) == Faulty(address), "wrong error", address);
      if (t >= kLong && t < kShort) ++beats_long;
      if (t >= kShortFrom) ++beats_short;
      if (++answered == asked.front().beats) {
        asked.pop_front();
        answered = 0;
        ++runs;
      }
    }
    bool took[2];
    for (unsigned n = 0; n < 2; ++n) {
      Port& port = ports[n];
      if (*port.valid) {
        Check(*port.takes, "read data kept waiting", port.reads.front().address);
        if (*port.takes) {
          Port::Read& read = port.reads.front();
          read.address += kBeat;
          if (--read.left == 0) port.reads.pop_front();
          if (steady) port.free_at = t + 2;
        }
      }
      if (*port.asks && *port.ready) {
        const uint64_t address = *port.address;
        CheckPiece(n, port_count, address, *port.length);
        ++port.pieces;
        port.reads.push_back({address, t + (steady ? 20 : random_() % (Chance(10) ? 600 : 60)), *port.length + 1U});
      }
      took[n] = *port.valid && *port.takes;
    }
    if (ask) asked.push_back(offered);
    Clock(top);
    if (ask) top.s_ask_tvalid = 0;
    for (unsigned n = 0; n < 2; ++n) {
      if (took[n]) *ports[n].valid = 0;
    }
  }
  Check(runs > 500, "too little happened", runs);
  CheckPorts(ports, port_count);
  const double rate = static_cast<double>(beats_long) / (kShort - kLong);
  const double rows = static_cast<double>(beats_short) / (kEnd - kShortFrom);
  Check(rate > 0.45 * port_count, "long runs too slow", beats_long);
  Check(rows > 0.375 * port_count, "short rows too slow", beats_short);
  std::printf("reader: %llu runs; %.2f beats a cycle of long runs, %.2f of rows of 7, latency 20\n",
              static_cast<unsigned long long>(runs), rate, rows);
  return Verdict("reader");
}
