#ifndef XRUN_SIMULATOR_PREPARED_H_
#define XRUN_SIMULATOR_PREPARED_H_

// A step decoded once: what Machine::Run and the timing model work on.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "isa/footprint.h"
#include "isa/timing.h"
#include "simulator/simulator.h"
#include "simulator/timing_model.h"

namespace xrun::simulator {

struct PreparedInstruction {
  Instruction instruction;
  uint32_t wait = 0, signal = 0;
  uint32_t acquire = 0, release = 0;  ///< ring rows
  Trap trap = Trap::kNone;            ///< what executing it does, whatever the registers hold
  std::string cause;
  bool touches_dram = false, writes_dram = false;
  uint8_t base = 0;
  uint64_t dram_end = 0;  ///< bytes of the base register's buffer it needs
  uint64_t macs = 0;
};

/// One engine's prologue, then its body.
struct PreparedStream {
  std::vector<PreparedInstruction> instructions;
  uint32_t prologue = 0;  ///< how many of them
  uint32_t body() const { return static_cast<uint32_t>(instructions.size()) - prologue; }
};

class PreparedStep {
 public:
  PreparedStep(const Program& program, const OverlayStep& step);

  const HardwareConfig& config() const { return config_; }
  const OverlayStep& step() const { return step_; }
  const std::vector<NodeInfo>& nodes() const { return nodes_; }
  std::span<const uint8_t> weights() const { return weights_; }
  const std::array<PreparedStream, kEngines>& streams() const { return streams_; }
  const InstructionWord& WordAt(Engine engine, uint32_t index) const;

  /// Per instruction, as in streams(): computed by the first who asks. Thread-safe.
  const std::array<std::vector<OwnCycles>, kEngines>& Cycles() const;
  const std::array<std::vector<std::vector<Access>>, kEngines>& Footprints() const;

  /// Timing of a launch with `requests` requests without per-instruction times, computed once for each number.
  Result<std::shared_ptr<const TimingReport>> Timing(uint32_t requests) const;

 private:
  const HardwareConfig config_;
  const OverlayStep& step_;
  const std::vector<NodeInfo>& nodes_;
  const std::span<const uint8_t> weights_;
  std::array<PreparedStream, kEngines> streams_;

  mutable std::once_flag cycles_once_, footprints_once_;
  mutable std::array<std::vector<OwnCycles>, kEngines> cycles_;
  mutable std::array<std::vector<std::vector<Access>>, kEngines> footprints_;
  mutable std::mutex timing_mutex_;
  mutable std::map<uint32_t, std::shared_ptr<const TimingReport>> timing_;
};

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_PREPARED_H_
