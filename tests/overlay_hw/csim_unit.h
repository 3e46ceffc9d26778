#ifndef XRUN_TESTS_OVERLAY_HW_CSIM_UNIT_H_
#define XRUN_TESTS_OVERLAY_HW_CSIM_UNIT_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "isa/launch_image.h"
#include "isa/program.h"
#include "overlay_hw/csim/api.h"
#include "overlay_hw/csim/dram.h"
#include "simulator/simulator.h"

namespace xrun::test {

/// Buffers of one launch: what base register i of each request holds.
using Buffers = std::vector<std::array<std::vector<uint8_t>, kBaseRegisters>>;

struct Ended {
  std::vector<uint8_t> page;  ///< the status page
  Buffers buffers;
  std::vector<uint64_t> marks;                                  ///< C-sim: time marks, ~0 where none was written
  std::string text;                                             ///< deadlock, fault or failure
  std::array<uint64_t, hw::csim::kMostDramPorts> dram_beats{};  ///< C-sim: through each DRAM port
};

struct HowToRun {
  uint64_t cycle_limit = 0;
  const std::atomic<bool>* abort = nullptr;
  const char* stall = nullptr;
  size_t stall_after = 0;
  bool time_marks = false;
};

/// A loaded C-sim library with one machine, for tests that look at the status page itself.
class CsimUnit {
 public:
  explicit CsimUnit(const std::string& library);
  const hw::csim::Api& api() const { return *api_; }
  /// One launch of the program's only step.
  Ended Run(const Program& program, Buffers buffers, const HowToRun& how = {});
  /// The launch without requests.
  std::vector<uint8_t> Identify();

 private:
  const hw::csim::Api* api_ = nullptr;
  std::unique_ptr<hw::csim::Machine> machine_;
};

/// The same launch in the simulator, limits checked, timed only under a limit.
Ended RunInSimulator(const Program& program, Buffers buffers, const HowToRun& how = {});

/// A program of one step from assembly, for any configuration; with `weight_bytes` bytes of weights.
std::shared_ptr<Program> ProgramOf(const HardwareConfig& config, const std::string& text, size_t weight_bytes = 0);

}  // namespace xrun::test

#endif  // XRUN_TESTS_OVERLAY_HW_CSIM_UNIT_H_
