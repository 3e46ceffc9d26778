#ifndef XRUN_ISA_TIMING_H_
#define XRUN_ISA_TIMING_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "isa/assembly.h"
#include "isa/hardware_config.h"
#include "isa/isa.h"

namespace xrun {

/// Own cycles of an instruction (isa/README.md, section 5): what the engine needs once its tokens are there, without
/// decode and without DRAM. The parts add up to the total; where several things run side by side the bound that decided
/// gets the excess over the ideal.
struct OwnCycles {
  uint64_t fill = 0;   ///< pipeline fill (Load, Save: the 8 of a first access)
  uint64_t table = 0;  ///< T
  uint64_t parameters =
      0;  ///< parameter rows not hidden behind compute (P, R, rows of LoadWeights, LoadMatrix, LoadVector)
  uint64_t compute = 0;    ///< array steps without conflicts; multiplier steps of the vector engine; LoadPacked's words
  uint64_t conflicts = 0;  ///< lanes that met in a bank
  uint64_t output = 0;     ///< Conv: output stage (requant lanes, result write, residual read) beyond the array
  uint64_t read = 0;       ///< vector reads beyond the multipliers; Elementwise rows bound by reads; Save's reads
  uint64_t write = 0;      ///< vector writes beyond both; Elementwise rows bound by writes; Load's writes
  uint64_t drain = 0;

  uint64_t total() const { return fill + table + parameters + compute + conflicts + output + read + write + drain; }
  bool operator==(const OwnCycles&) const = default;
};

/// Exact; the instruction's fields must satisfy CheckFields. Thread-safe. Planes and output groups whose pitches repeat
/// modulo a line are computed once, so the cost follows the pixels of a plane, not the size of the instruction.
OwnCycles CyclesOf(const Instruction& instruction, const HardwareConfig& config);

/// "fill 32, compute 4608, conflicts 12, …": the parts that are not zero.
std::string Describe(const OwnCycles& cycles);

/// What an instruction moves over DRAM (isa/README.md, section 8). Buffers stand at address 0.
struct DramTransfer {
  bool write = false;
  uint8_t base = 0;
  uint64_t bytes = 0;
  uint64_t runs = 0, bursts = 0;
  std::array<uint64_t, 2> port_beats{};   ///< beats of each port
  std::array<uint64_t, 2> port_bursts{};  ///< bursts of each port
  uint64_t beats() const { return port_beats[0] + port_beats[1]; }
};

/// All zero for an instruction that does not touch DRAM.
DramTransfer DramOf(const Instruction& instruction, const HardwareConfig& config);

/// One burst as a port sees it.
struct DramBurst {
  uint64_t address = 0;  ///< relative to the base register
  uint32_t bytes = 0, beats = 0, port = 0;
};

/// The bursts of bytes [begin, begin + bytes), in order.
template <typename Visitor>
void ForEachBurst(uint64_t begin, uint64_t bytes, const HardwareConfig& config, Visitor&& visit) {
  const uint64_t unit = config.dram_port_bytes, burst = config.dram_burst_bytes;  // powers of two, burst ≤ 4096
  for (const uint64_t end = begin + bytes; begin < end;) {
    const uint64_t next = (begin / burst + 1) * burst, stop = next < end ? next : end;
    visit(DramBurst{begin, static_cast<uint32_t>(stop - begin),
                    static_cast<uint32_t>((stop - 1) / unit - begin / unit + 1),
                    static_cast<uint32_t>(begin / burst % config.dram_ports)});
    begin = stop;
  }
}

/// The contiguous runs of an instruction in order: `visit(offset from the base register, bytes)`. Nothing for an
/// instruction without DRAM.
void ForEachDramRun(const Instruction& instruction, const HardwareConfig& config,
                    const std::function<void(uint64_t offset, uint64_t bytes)>& visit);

/// Cycles of a transfer that has the ports to itself: the busier port's beats by `dram_efficiency`, limited by
/// outstanding bursts, plus latency (read) or response (write). 0 for nothing. A cost model's figure: the exact
/// interplay is the simulator's timed mode.
uint64_t DramCyclesAlone(const DramTransfer& transfer, const HardwareConfig& config);

}  // namespace xrun

#endif  // XRUN_ISA_TIMING_H_
