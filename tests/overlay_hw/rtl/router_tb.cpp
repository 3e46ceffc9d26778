// rtl/xrun_router.v under Verilator: one master with random bursts, two DRAM ports that answer when they like. Every
// piece must go to its port and cross no burst boundary, data come back in order, bytes written arrive once, a burst
// has one response, the worst. A port's read data may never be kept waiting, and no write address may go out while
// another piece's data are still to come: that is what keeps two routers on shared ports from waiting for each other.
// At last, ports that answer at half the master's rate each, as the interconnect behind the router does: the sum
// counts.

#include <verilated.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

#include "Vxrun_router.h"

namespace {

constexpr uint64_t kBeat = 8, kBurst = 64, kWriteBase = uint64_t{1} << 40, kWriteBytes = 1 << 14;
constexpr unsigned kPieceBeats = kBurst / kBeat;

std::mt19937_64 random_(1);
bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }

uint64_t Content(uint64_t address) { return address * 0x9E3779B97F4A7C15U ^ address >> 7; }
bool Faulty(uint64_t address) { return address / kBurst % 11 == 5; }

unsigned long checked = 0, wrong = 0;
void Check(bool right, const char* what, uint64_t at) {
  ++checked;
  if (!right && wrong++ < 8) std::printf("%s, at %llx\n", what, static_cast<unsigned long long>(at));
}

/// One of the DRAM ports: pins and what is under way.
struct Port {
  QData *ar_address, *aw_address;
  CData *ar_length, *ar_valid, *ar_ready, *r_response, *r_last, *r_valid, *r_ready;
  QData *r_data, *w_data;
  CData *aw_length, *aw_valid, *aw_ready, *w_strobe, *w_last, *w_valid, *w_ready, *b_response, *b_valid, *b_ready;
  struct Read {
    uint64_t address, at;
    unsigned left;
  };
  std::deque<Read> reads;
  uint64_t write_address = 0;
  unsigned write_left = 0;
  std::deque<std::pair<uint64_t, bool>> responses;  ///< when, error
  uint64_t pieces = 0, free_at = 0;
};

struct Burst {
  uint64_t address;
  unsigned beats;
  bool id;
};

}  // namespace

int main() {
  Vxrun_router top;
  std::array<Port, 2> ports;
#define PINS(n)                                                                               \
  ports[n].ar_address = &top.m##n##_axi_araddr, ports[n].aw_address = &top.m##n##_axi_awaddr; \
  ports[n].ar_length = &top.m##n##_axi_arlen, ports[n].ar_valid = &top.m##n##_axi_arvalid;    \
  ports[n].ar_ready = &top.m##n##_axi_arready, ports[n].r_response = &top.m##n##_axi_rresp;   \
  ports[n].r_last = &top.m##n##_axi_rlast, ports[n].r_valid = &top.m##n##_axi_rvalid;         \
  ports[n].r_ready = &top.m##n##_axi_rready, ports[n].r_data = &top.m##n##_axi_rdata;         \
  ports[n].w_data = &top.m##n##_axi_wdata, ports[n].aw_length = &top.m##n##_axi_awlen;        \
  ports[n].aw_valid = &top.m##n##_axi_awvalid, ports[n].aw_ready = &top.m##n##_axi_awready;   \
  ports[n].w_strobe = &top.m##n##_axi_wstrb, ports[n].w_last = &top.m##n##_axi_wlast;         \
  ports[n].w_valid = &top.m##n##_axi_wvalid, ports[n].w_ready = &top.m##n##_axi_wready;       \
  ports[n].b_response = &top.m##n##_axi_bresp, ports[n].b_valid = &top.m##n##_axi_bvalid,     \
  ports[n].b_ready = &top.m##n##_axi_bready
  PINS(0);
  PINS(1);

  const auto clock = [&] {
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
  };
  top.clk = 0;
  top.reset_n = 0;
  top.eval();
  for (int i = 0; i < 4; ++i) clock();
  top.reset_n = 1;
  top.eval();

  std::deque<Burst> asked, put;  // by the master, not yet answered
  std::deque<Burst> to_write;    // whose data the master has yet to send
  std::vector<uint8_t> expected(kWriteBytes, 0), memory(kWriteBytes, 0);
  unsigned answered = 0, sent = 0;  // beats of the oldest read, of the oldest write
  uint64_t reads = 0, writes = 0, beats = 0;
  uint64_t w_data = 0, asked_beats = 0;
  uint8_t w_strobe = 0;

  // Phases: 0 everything random; 1 nothing but reads, ports at half rate each, the master always ready.
  constexpr uint64_t kRandomCycles = 60000, kRateFrom = 62000, kRateTo = 66000;
  for (uint64_t t = 0; t < kRateTo; ++t) {
    const bool steady = t >= kRandomCycles;
    // What the master and the ports offer.
    if (!top.s_axi_arvalid && (steady ? t < kRateTo - 100 : Chance(30))) {
      top.s_axi_arvalid = 1;
      const unsigned most = steady ? 16 : Chance(10) ? 200 : 20;
      top.s_axi_arlen = static_cast<uint8_t>(steady ? 15 : random_() % most);
      top.s_axi_araddr = steady ? asked_beats * kBeat : random_() % (1 << 20) / kBeat * kBeat;
      if (steady) asked_beats += 16;
      top.s_axi_arid = random_() & 1;
    }
    if (!top.s_axi_awvalid && !steady && Chance(20)) {
      top.s_axi_awvalid = 1;
      const unsigned most = Chance(10) ? 100 : 20, length = random_() % most;
      top.s_axi_awlen = static_cast<uint8_t>(length);
      top.s_axi_awaddr = kWriteBase + random_() % (kWriteBytes / kBeat - length) * kBeat;
      top.s_axi_awid = random_() & 1;
    }
    if (!top.s_axi_wvalid && !to_write.empty() && (steady || Chance(70))) {
      top.s_axi_wvalid = 1;
      w_data = random_();
      w_strobe = static_cast<uint8_t>(Chance(50) ? 0xFF : random_());
      top.s_axi_wdata = w_data;
      top.s_axi_wstrb = w_strobe;
      top.s_axi_wlast = sent + 1 == to_write.front().beats;
    }
    top.s_axi_rready = steady || Chance(60);
    top.s_axi_bready = steady || Chance(60);
    for (Port& port : ports) {
      *port.ar_ready = steady || Chance(50);
      *port.aw_ready = steady || Chance(50);
      *port.w_ready = steady || Chance(60);
      if (!*port.r_valid && !port.reads.empty() && t >= port.reads.front().at && t >= port.free_at &&
          (steady || Chance(70))) {
        const Port::Read& read = port.reads.front();
        *port.r_valid = 1;
        *port.r_data = Content(read.address);
        *port.r_response = Faulty(read.address) ? 2 : 0;
        *port.r_last = read.left == 1;
      }
      if (!*port.b_valid && !port.responses.empty() && t >= port.responses.front().first) {
        *port.b_valid = 1;
        *port.b_response = port.responses.front().second ? 2 : 0;
      }
    }
    top.eval();

    // What passes at this cycle's edge.
    const bool ar = top.s_axi_arvalid && top.s_axi_arready, aw = top.s_axi_awvalid && top.s_axi_awready;
    const bool w = top.s_axi_wvalid && top.s_axi_wready, r = top.s_axi_rvalid && top.s_axi_rready;
    const bool b = top.s_axi_bvalid && top.s_axi_bready;
    if (r) {
      Check(!asked.empty(), "data that nobody asked for", t);
      if (asked.empty()) break;
      const Burst& burst = asked.front();
      const uint64_t address = burst.address + answered * kBeat;
      Check(top.s_axi_rdata == Content(address), "wrong data", address);
      Check(top.s_axi_rlast == (answered + 1 == burst.beats), "wrong last", address);
      Check((top.s_axi_rresp == 2) == Faulty(address), "wrong read response", address);
      Check(top.s_axi_rid == burst.id, "wrong read id", address);
      if (t >= kRateFrom) ++beats;
      if (++answered == burst.beats) {
        asked.pop_front();
        answered = 0;
        ++reads;
      }
    }
    if (b) {
      Check(!put.empty(), "a response that nobody waits for", t);
      if (put.empty()) break;
      bool faulty = false;
      for (unsigned i = 0; i < put.front().beats; ++i) faulty = faulty || Faulty(put.front().address + i * kBeat);
      Check((top.s_axi_bresp == 2) == faulty, "wrong write response", put.front().address);
      Check(top.s_axi_bid == put.front().id, "wrong write id", put.front().address);
      put.pop_front();
      ++writes;
    }
    bool took_data[2], took_response[2];
    for (unsigned n = 0; n < 2; ++n) {
      Port& port = ports[n];
      const auto piece = [&](uint64_t address, unsigned length) {
        Check(address / kBurst % 2 == n, "a piece at the wrong port", address);
        Check(address / kBurst == (address + length * kBeat) / kBurst, "a piece across a boundary", address);
        Check(length < kPieceBeats, "a piece too long", address);
        ++port.pieces;
      };
      if (*port.r_valid) {
        Check(*port.r_ready, "read data kept waiting", port.reads.front().address);
        if (*port.r_ready) {
          Port::Read& read = port.reads.front();
          read.address += kBeat;
          if (--read.left == 0) port.reads.pop_front();
          if (steady) port.free_at = t + 2;
        }
      }
      if (*port.w_valid && *port.w_ready) {
        Check(port.write_left != 0, "write data without an address", port.write_address);
        Check(*port.w_last == (port.write_left == 1), "wrong last of a write piece", port.write_address);
        for (unsigned i = 0; i < kBeat; ++i) {
          if ((*port.w_strobe >> i & 1) != 0)
            memory[(port.write_address - kWriteBase + i) % kWriteBytes] = static_cast<uint8_t>(*port.w_data >> 8 * i);
        }
        if (port.write_left == 1) {
          port.responses.push_back({t + random_() % 40, Faulty(port.write_address)});
        }
        port.write_address += kBeat;
        if (port.write_left != 0) --port.write_left;
      }
      if (*port.aw_valid && *port.aw_ready) {
        piece(*port.aw_address, *port.aw_length);
        Check(ports[0].write_left == 0 && ports[1].write_left == 0, "a write address before another's data",
              *port.aw_address);
        port.write_address = *port.aw_address;
        port.write_left = *port.aw_length + 1U;
      }
      if (*port.ar_valid && *port.ar_ready) {
        piece(*port.ar_address, *port.ar_length);
        port.reads.push_back({*port.ar_address, t + (steady ? 20 : random_() % 60), *port.ar_length + 1U});
      }
      took_data[n] = *port.r_valid && *port.r_ready;
      took_response[n] = *port.b_valid && *port.b_ready;
      if (took_response[n]) port.responses.pop_front();
    }
    if (ar) asked.push_back({top.s_axi_araddr, top.s_axi_arlen + 1U, (top.s_axi_arid & 1) != 0});
    if (aw) {
      const Burst burst = {top.s_axi_awaddr, top.s_axi_awlen + 1U, (top.s_axi_awid & 1) != 0};
      put.push_back(burst);
      to_write.push_back(burst);
    }
    if (w) {
      const Burst& burst = to_write.front();
      for (unsigned i = 0; i < kBeat; ++i) {
        if ((w_strobe >> i & 1) != 0)
          expected[burst.address - kWriteBase + sent * kBeat + i] = static_cast<uint8_t>(w_data >> 8 * i);
      }
      if (++sent == burst.beats) {
        to_write.pop_front();
        sent = 0;
      }
    }
    clock();
    if (ar) top.s_axi_arvalid = 0;
    if (aw) top.s_axi_awvalid = 0;
    if (w) top.s_axi_wvalid = 0;
    for (unsigned n = 0; n < 2; ++n) {
      if (took_data[n]) *ports[n].r_valid = 0;
      if (took_response[n]) *ports[n].b_valid = 0;
    }
  }
  Check(to_write.empty() && put.empty(), "writes that never ended", put.size());
  Check(expected == memory, "bytes written", 0);
  Check(reads > 500 && writes > 500 && ports[0].pieces > 500 && ports[1].pieces > 500, "too little happened", reads);
  const double rate = static_cast<double>(beats) / (kRateTo - kRateFrom);
  Check(rate > 0.8, "reads too slow", beats);
  std::printf("router: %llu reads, %llu writes, %.2f beats a cycle from two ports of half a beat each\n",
              static_cast<unsigned long long>(reads), static_cast<unsigned long long>(writes), rate);
  std::printf("router: %lu checked, %lu wrong\n", checked, wrong);
  return wrong == 0 ? 0 : 1;
}
