// rtl/xrun_writer.v under Verilator: random runs, two DRAM ports that take data and answer when they like. Every piece
// must go to its port and cross no burst boundary, bytes written arrive once, and no others; a run has one response,
// after all of its pieces', the worst. A piece's data follow its address without a pause, whatever the process does:
// who holds a port's data channel waits for nobody. Then ports that take half the process's rate each: the sum counts.

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <utility>
#include <vector>

#include "Vxrun_writer.h"
#include "dram_tb.h"

namespace {

constexpr uint64_t kBytes = 1 << 14;

/// One of the DRAM ports: pins and what is under way.
struct Port {
  QData *address, *data;
  CData *length, *tells, *ready, *enables, *last, *valid, *takes, *response, *answers, *heard;
  uint64_t free_at = 0, pieces = 0;
  struct Piece {
    uint64_t address;
    unsigned left;
  };
  std::deque<Piece> told;                           ///< addresses taken whose data have not all come
  std::deque<std::pair<uint64_t, bool>> responses;  ///< when, error
};

}  // namespace

int main(int argc, char** argv) {
  const unsigned port_count = PortsOf(argc, argv);
  Vxrun_writer top;
  std::array<Port, 2> ports;
#define PINS(n)                                                                       \
  ports[n].address = &top.m##n##_axi_awaddr, ports[n].data = &top.m##n##_axi_wdata,   \
  ports[n].length = &top.m##n##_axi_awlen, ports[n].tells = &top.m##n##_axi_awvalid,  \
  ports[n].ready = &top.m##n##_axi_awready, ports[n].enables = &top.m##n##_axi_wstrb, \
  ports[n].last = &top.m##n##_axi_wlast, ports[n].valid = &top.m##n##_axi_wvalid,     \
  ports[n].takes = &top.m##n##_axi_wready, ports[n].response = &top.m##n##_axi_bresp, \
  ports[n].answers = &top.m##n##_axi_bvalid, ports[n].heard = &top.m##n##_axi_bready
  PINS(0);
  PINS(1);

  Reset(top);

  std::deque<Run> told, to_write;  // without a response; whose beats are still to be sent
  std::vector<uint8_t> expected(kBytes, 0), memory(kBytes, 0);
  Run offered = {0, 0};
  uint64_t data = 0, runs = 0, beats = 0, next_steady = 0;
  uint8_t enables = 0;
  unsigned sent = 0;

  constexpr uint64_t kRandom = 60000, kRateFrom = 62000, kRateTo = 66000, kEnd = 68000;
  for (uint64_t t = 0; t < kEnd; ++t) {
    const bool steady = t >= kRandom;
    if (!top.s_tell_tvalid && t < kRateTo && (steady || Chance(20))) {
      const auto most = static_cast<unsigned>(steady ? 16 : Chance(10) ? 300 : 20);
      const auto length = static_cast<unsigned>(steady ? 16 : 1 + random_() % most);
      offered = {steady ? next_steady : random_() % (kBytes / kBeat - length) * kBeat, length};
      if (steady) next_steady = (next_steady + 16 * kBeat) % kBytes;
      top.s_tell_tvalid = 1;
      SetEntry(top.s_tell_tdata, offered.address, offered.beats);
    }
    if (!top.s_put_tvalid && !to_write.empty() && (steady || Chance(70))) {
      data = random_();
      enables = static_cast<uint8_t>(Chance(50) ? 0xFF : random_());
      top.s_put_tvalid = 1;
      SetEntry(top.s_put_tdata, data, enables);
    }
    top.m_done_tready = steady || Chance(60);
    for (Port& port : ports) {
      *port.ready = steady || Chance(50);
      *port.takes = t >= port.free_at && (steady || Chance(60));
      if (!*port.answers && !port.responses.empty() && t >= port.responses.front().first) {
        *port.answers = 1;
        *port.response = port.responses.front().second ? 2 : 0;
      }
    }
    top.eval();

    // What passes at this cycle's edge.
    const bool tell = top.s_tell_tvalid && top.s_tell_tready, put = top.s_put_tvalid && top.s_put_tready;
    if (top.m_done_tvalid && top.m_done_tready) {
      Check(!told.empty(), "a response that nobody waits for", t);
      if (told.empty()) break;
      bool faulty = false;
      for (unsigned i = 0; i < told.front().beats; ++i) faulty = faulty || Faulty(told.front().address + i * kBeat);
      Check((top.m_done_tdata & 1) == faulty, "wrong response", told.front().address);
      told.pop_front();
      ++runs;
    }
    bool heard[2];
    for (unsigned n = 0; n < 2; ++n) {
      Port& port = ports[n];
      if (*port.tells && *port.ready) {
        const uint64_t address = *port.address;
        CheckPiece(n, port_count, address, *port.length);
        ++port.pieces;
        port.told.push_back({address, *port.length + 1U});
      }
      // Data may come with their address, and before it is taken.
      const bool begun = !port.told.empty();
      Check(!begun || *port.valid, "data of a piece that make the port wait", begun ? port.told.front().address : 0);
      if (begun && *port.valid && *port.takes) {
        Port::Piece& piece = port.told.front();
        Check(*port.last == (piece.left == 1), "wrong last of a piece", piece.address);
        for (unsigned i = 0; i < kBeat; ++i) {
          if ((*port.enables >> i & 1) != 0)
            memory[(piece.address + i) % kBytes] = static_cast<uint8_t>(*port.data >> 8 * i);
        }
        if (steady) port.free_at = t + 2;
        if (t >= kRateFrom && t < kRateTo) ++beats;
        if (piece.left == 1) port.responses.push_back({t + random_() % 40, Faulty(piece.address)});
        piece.address += kBeat;
        if (--piece.left == 0) port.told.pop_front();
      } else if (!begun && *port.valid) {
        *port.takes = 0;  // a port that takes addresses first
        top.eval();
      }
      heard[n] = *port.answers && *port.heard;
      if (heard[n]) port.responses.pop_front();
    }
    if (tell) {
      told.push_back(offered);
      to_write.push_back(offered);
    }
    if (put) {
      const Run& run = to_write.front();
      for (unsigned i = 0; i < kBeat; ++i) {
        if ((enables >> i & 1) != 0) expected[run.address + sent * kBeat + i] = static_cast<uint8_t>(data >> 8 * i);
      }
      if (++sent == run.beats) {
        to_write.pop_front();
        sent = 0;
      }
    }
    Clock(top);
    if (tell) top.s_tell_tvalid = 0;
    if (put) top.s_put_tvalid = 0;
    for (unsigned n = 0; n < 2; ++n) {
      if (heard[n]) *ports[n].answers = 0;
    }
  }
  Check(to_write.empty() && told.empty(), "writes that never ended", told.size());
  Check(expected == memory, "bytes written", 0);
  Check(runs > 500, "too little happened", runs);
  CheckPorts(ports, port_count);
  const double rate = static_cast<double>(beats) / (kRateTo - kRateFrom);
  Check(rate > 0.4 * port_count, "writes too slow", beats);
  std::printf("writer: %llu runs, %.2f beats a cycle to ports of half a beat each\n",
              static_cast<unsigned long long>(runs), rate);
  return Verdict("writer");
}
