#ifndef XRUN_SIMULATOR_TIMING_MODEL_H_
#define XRUN_SIMULATOR_TIMING_MODEL_H_

// Timed mode: an event simulation of the four streams, tokens, weight ring, instruction fetch and DRAM ports
// (isa/README.md, section 8). Data are not looked at: time does not depend on them.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "isa/hardware_config.h"
#include "isa/isa.h"
#include "isa/program.h"
#include "isa/result.h"

namespace xrun::simulator {

class PreparedStep;

/// Why an engine stood still.
enum class Stall : uint8_t {
  kTokenLoad = kLoad,  ///< waited for a token from this engine (same numbers as Engine)
  kTokenConv = kConv,
  kTokenVector = kVector,
  kTokenSave = kSave,
  kRing,      ///< waited for free rows of the weight ring
  kDramRead,  ///< the transfer took longer than the chip's side of it
  kDramWrite,
  kFetch,      ///< the instruction had not arrived
  kTokenFull,  ///< could not signal: a counter stood at its limit
  kCauses,
};
constexpr size_t kStallCauses = static_cast<size_t>(Stall::kCauses);
/// "waits for conv", "ring", "DRAM read", …
const char* StallName(Stall stall);

enum class Traffic : uint8_t { kLoad, kWeights, kVectorParameters, kSave, kFetch, kStatus, kKinds };
constexpr size_t kTrafficKinds = static_cast<size_t>(Traffic::kKinds);
const char* TrafficName(Traffic kind);

/// One executed instruction. Times in cycles from the start of the launch.
struct InstructionTime {
  uint32_t request = 0;  ///< entry of the request table
  uint32_t index = 0;    ///< in the engine's prologue or body
  bool prologue = false;
  bool idle = false;                  ///< its half of a staggered program had no request: it only waited and signalled
  Stall waited_for = Stall::kCauses;  ///< of the time before `start`; kCauses: did not wait
  uint64_t waited = 0;
  uint64_t start = 0, end = 0;  ///< decode to done
  uint64_t dram_stall = 0;      ///< of end − start, beyond decode and own cycles
};

struct EngineTime {
  uint64_t instructions = 0;
  uint64_t busy = 0;  ///< decode and own cycles
  std::array<uint64_t, kStallCauses> stalled{};
  uint64_t idle = 0;  ///< after its last instruction, until the launch's end (`launch_cycles` not included)
  uint64_t last_end = 0;
};

/// What a node took in the first request.
struct NodeTime {
  uint32_t node = 0;            ///< index into Program::nodes
  uint64_t start = 0, end = 0;  ///< first instruction's start, last one's end
  std::array<uint64_t, kEngines> busy{};
};

struct PortTime {
  uint64_t read_beats = 0, write_beats = 0, bursts = 0;
  uint64_t busy = 0;  ///< cycles, by efficiency
};

/// A token's way, for traces: k-th signal of a pair and the k-th wait that took it.
struct TokenTime {
  Engine from = kLoad, to = kLoad;
  uint32_t from_instruction = 0, to_instruction = 0;  ///< index into TimingReport::instructions of each engine
};

/// Bytes moved by finished bursts in one sampling interval, for traces.
struct DramSample {
  uint64_t cycle = 0;
  uint64_t read_bytes = 0, write_bytes = 0;
};

struct TimingOptions {
  uint32_t requests = 1;
  bool record = true;          ///< instructions, nodes, tokens
  uint64_t sample_cycles = 0;  ///< > 0: DRAM samples this far apart
  uint64_t cycle_limit = 0;    ///< > 0: stop there; TimingReport::instructions_done says how far each engine got
};

struct TimingReport {
  uint32_t requests = 0;
  uint64_t cycles = 0;  ///< of the launch, `launch_cycles` included; at the limit if `limited`
  bool limited = false;
  std::array<uint64_t, kEngines> instructions_done{};  ///< finished, prologue and bodies
  std::array<EngineTime, kEngines> engines;
  std::array<PortTime, 2> ports;
  std::array<uint64_t, kTrafficKinds> bytes{};
  std::array<std::vector<InstructionTime>, kEngines> instructions;
  std::vector<NodeTime> nodes;  ///< by node index
  std::vector<TokenTime> tokens;
  std::vector<DramSample> samples;
};

/// Deterministic. A program whose tokens or ring deadlock is a failure naming the engines and what they wait for.
Result<TimingReport> SimulateTiming(const PreparedStep& step, const TimingOptions& options);

/// A few lines for people: cycles, time at the configured clock, engines with stall causes, bytes, assumptions.
std::string Summary(const TimingReport& report, const HardwareConfig& config);

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_TIMING_MODEL_H_
