#ifndef XRUN_SIMULATOR_SHADOW_H_
#define XRUN_SIMULATOR_SHADOW_H_

// CheckLevel::kFull: who wrote and read each unit of each memory, against what tokens and ring order. Each engine's
// instructions are numbered; a vector clock says which of the other engines' instructions happened before. Two accesses
// to a unit, one of them a write, that no chain of tokens orders are a race, whatever order this run took.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "simulator/prepared.h"
#include "simulator/simulator.h"

namespace xrun::simulator {

/// Highest instruction number of each engine that happened before.
using Clock = std::array<uint32_t, kEngines>;

class Shadow {
 public:
  explicit Shadow(const HardwareConfig& config);

  /// Forgets everything: a launch begins.
  void Begin(const PreparedStep& step, std::span<const LaunchRequest> requests);

  struct Finding {
    Trap trap = Trap::kNone;
    std::string cause;
  };
  /// Instruction number clock[engine] of `engine`, its accesses, and all that happened before it.
  std::optional<Finding> Check(Engine engine, const Clock& clock, uint32_t request,
                               const std::vector<Access>& accesses);

 private:
  struct Unit {
    uint32_t write = 0;  ///< instruction number of the last write; 0: never written
    Engine writer = kLoad;
    std::array<uint32_t, kEngines> reads{};  ///< of the last read of each engine
  };
  struct Area {
    std::vector<Unit> units;
    uint64_t wrap = 0;     ///< > 0: units count modulo this
    uint64_t granule = 1;  ///< bytes of a unit, in DRAM
    const char* name = "";
  };
  std::optional<Finding> Touch(Area& area, const Access& access, Engine engine, const Clock& clock);

  std::array<Area, 5> chip_;  ///< by Memory
  std::vector<Area> dram_;
  std::vector<std::array<int32_t, kBaseRegisters>> dram_of_;  ///< request, base register: index into dram_, or −1
};

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_SHADOW_H_
