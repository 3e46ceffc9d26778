#ifndef XRUN_SIMULATOR_SIMULATOR_H_
#define XRUN_SIMULATOR_SIMULATOR_H_

// The instruction-level simulator: what a launch does (this header) and how long it takes (timing_model.h).
//
//   auto step = simulator::Prepare(program, program.overlay_steps[0]);   // once; shared by all threads
//   simulator::Machine machine(program.config);                          // one a thread, reused
//   auto status = machine.Run(*step, requests, options, &report);

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "isa/assembly.h"
#include "isa/hardware_config.h"
#include "isa/program.h"
#include "isa/result.h"

namespace xrun::simulator {

/// One entry of a launch's request table, that is a request, of which a staggered step has one more
/// (launch::SourceOf): base register i as host memory; an empty span is a register that is not set. Registers 0
/// (the program's weights) and 15 (status page) are ignored. Must stay alive until Run returns.
struct LaunchRequest {
  std::array<std::span<uint8_t>, kBaseRegisters> registers;
};

enum class CheckLevel : uint8_t {
  kLimits,  ///< fields, on-chip and DRAM limits, read-only registers, ring: enough for a program that passed Verify
  kFull,    ///< also uninitialised reads and races, word by word; allocates and is several times slower
};

/// The interpreter has two implementations of each instruction with equal results, bit for bit.
enum class Path : uint8_t {
  kFast,       ///< vectorised
  kReference,  ///< the loops of isa/README.md, one function an instruction: the semantics (reference.cpp)
};

struct RunOptions {
  CheckLevel checks = CheckLevel::kFull;
  Path path = Path::kFast;
  /// Modelled cycles after which the launch is cut off as hardware would (Trap::kCycleLimit); 0: none. Needs the timing
  /// model: its result is cached in the PreparedStep for each number of requests.
  uint64_t cycle_limit = 0;
  /// Read between instructions; true ends the launch with Trap::kAbort.
  const std::atomic<bool>* abort = nullptr;
  /// Empty, or 4096 bytes that get the status page of isa/README.md section 7.
  std::span<uint8_t> status_page;
  /// Fills LaunchReport::cycles and the status page's cycles by the timing model (cached as above).
  bool timed = false;
  /// Empty, or one entry for each of the step's time marks (isa/time_marks.h), in their order: filled with the modelled
  /// cycle at which the instruction was done in the last entry that executed it. Runs the timing model anew. Without a
  /// cycle limit.
  std::span<uint64_t> time_marks;
};

/// Where and why a launch stopped.
struct TrapInfo {
  Trap trap = Trap::kNone;
  Engine engine = kAnyEngine;  ///< kAnyEngine: the launch as a whole (cycle limit, abort)
  uint32_t request = 0;
  bool prologue = false;  ///< `index` counts in the prologue, not in the body
  uint32_t index =
      0;  ///< instruction of the engine's prologue or body; NodeOf(program, step, engine, index) names the node
  std::string disassembly;  ///< of the instruction, empty without engine
  std::string cause;        ///< in words: address, limit, the other instruction of a race
};

struct LaunchReport {
  TrapInfo trap;  ///< trap.trap == Trap::kNone: the launch went through
  uint32_t requests_completed = 0;
  std::array<uint64_t, kEngines> instructions{};  ///< executed, all requests
  uint64_t macs = 0;                              ///< of Conv instructions, taps outside the tile included
  uint64_t cycles = 0;                            ///< modelled; 0 unless `timed` or a cycle limit was given
};

/// A step decoded, checked once and planned: immutable, may be shared by threads. Refers to `program`'s weights and to
/// `step`; both must outlive it.
class PreparedStep;

/// Never fails: an instruction that is illegal or beyond an on-chip limit traps when it is executed, as on hardware.
std::shared_ptr<const PreparedStep> Prepare(const Program& program, const OverlayStep& step);

/// The overlay's state. One thread at a time; different Machines are independent. All memories are allocated by the
/// constructor; a Run at CheckLevel::kLimits allocates nothing unless it traps.
class Machine {
 public:
  explicit Machine(const HardwareConfig& config);
  ~Machine();
  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;

  /// One launch. `requests` may be empty: then only the status page's head is written, and nothing else happens.
  /// A trap is a failure naming engine, request, instruction, disassembly and cause (the caller adds the node from
  /// `report->trap`); so is a configuration other than the step's, or a status page of another size than 0 or 4096.
  /// `report` may be null. DRAM written before a trap stays.
  Status Run(const PreparedStep& step, std::span<const LaunchRequest> requests, const RunOptions& options = {},
             LaunchReport* report = nullptr);

  /// The launch that identifies a device: writes the status page's head and nothing else.
  Status Identify(std::span<uint8_t> status_page) const;

  const HardwareConfig& config() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The modelled time marks of a launch with `requests` requests (not entries), as RunOptions::time_marks.
Status ModelTimeMarks(const PreparedStep& step, uint32_t requests, std::span<uint64_t> marks);

/// Prepare and Run in one, on a Machine of its own: for tests and tools that run a step once.
Status RunOnce(const Program& program, const OverlayStep& step, std::span<const LaunchRequest> requests,
               const RunOptions& options = {}, LaunchReport* report = nullptr);

/// One line: "request 3, Conv body instruction 17 (`Conv wait=load …`): reads activation word 70000 of 65536".
std::string Describe(const TrapInfo& trap);

/// Words of the SIMD kernels chosen on this processor: "avx2", "sse2", "neon" or "generic".
std::string KernelName();

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_SIMULATOR_H_
