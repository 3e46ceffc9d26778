#ifndef XRUN_TESTS_OVERLAY_HW_RTL_DRAM_TB_H_
#define XRUN_TESTS_OVERLAY_HW_RTL_DRAM_TB_H_

// What the testbenches of DRAM reader and writer share: addresses, what is checked of a piece, the clock. Beats of 8
// bytes, bursts of 64, one or two ports: the program's argument.

#include <verilated.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

constexpr uint64_t kBeat = 8, kBurst = 64;
constexpr unsigned kPieceBeats = kBurst / kBeat;

inline std::mt19937_64 random_(1);
inline bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
/// Bursts that a port answers with an error.
inline bool Faulty(uint64_t address) { return address / kBurst % 11 == 5; }

inline unsigned long checked = 0, wrong = 0;
inline void Check(bool right, const char* what, uint64_t at) {
  ++checked;
  if (!right && wrong++ < 8) std::printf("%s, at %llx\n", what, static_cast<unsigned long long>(at));
}
/// The last line, which verilog_check.py reads; the exit code.
inline int Verdict(const char* name) {
  std::printf("%s: %lu checked, %lu wrong\n", name, checked, wrong);
  return wrong == 0 ? 0 : 1;
}

/// Beats of DRAM from an address on, as a process says it.
struct Run {
  uint64_t address;
  unsigned beats;
};

inline unsigned PortsOf(int argc, char** argv) {
  return argc > 1 ? static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10)) : 2;
}

/// A piece of `length` + 1 beats whose address went out on port `n` of `ports`.
inline void CheckPiece(unsigned n, unsigned ports, uint64_t address, unsigned length) {
  Check(address / kBurst % ports == n, "a piece at the wrong port", address);
  Check(address / kBurst == (address + length * kBeat) / kBurst, "a piece across a boundary", address);
  Check(length < kPieceBeats, "a piece too long", address);
}
/// Every port there is has had pieces, another none.
template <typename Ports>
void CheckPorts(const Ports& all, unsigned ports) {
  for (unsigned n = 0; n < all.size(); ++n) {
    Check(n < ports ? all[n].pieces > 500 : all[n].pieces == 0, "pieces of a port", all[n].pieces);
  }
}

/// The three words of a stream's entry: 64 bits, then 32.
template <typename Words>
void SetEntry(Words& words, uint64_t low, uint32_t high) {
  words[0] = static_cast<uint32_t>(low);
  words[1] = static_cast<uint32_t>(low >> 32);
  words[2] = high;
}

template <typename Top>
void Clock(Top& top) {
  top.clk = 1;
  top.eval();
  top.clk = 0;
  top.eval();
}
template <typename Top>
void Reset(Top& top) {
  top.clk = 0;
  top.reset_n = 0;
  top.eval();
  for (int i = 0; i < 4; ++i) Clock(top);
  top.reset_n = 1;
  top.eval();
}

#endif  // XRUN_TESTS_OVERLAY_HW_RTL_DRAM_TB_H_
