#ifndef XRUN_TESTS_UNIT_CYCLE_REFERENCE_H_
#define XRUN_TESTS_UNIT_CYCLE_REFERENCE_H_

// The cycles of isa/README.md section 5 found by stepping a clock and doing every access of every bank, one after the
// other: no formulas, no code of isa/timing.cpp. Each of the overlapping activities of a step (array, result write,
// residual read; multipliers, window reads, write) has a clock of its own that stands still while it has nothing to do;
// the step takes as long as the longest. On that clock every access of every port is written down.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "isa/assembly.h"
#include "isa/hardware_config.h"

namespace xrun::test {

/// The ports of isa/README.md, section 2: slots 0 to 7 of the activations' port B, then the others.
enum ReferencePort : int {
  kPortSlot0,
  kPortActivationsA = 8,
  kPortRingA,
  kPortRingB,
  kPortPartialA,
  kPortPartialB,
  kPortVectorA,
  kPortVectorB,
  kPortVectorPartialA,
  kPortVectorPartialB,
  kReferencePorts
};

/// A word, row or entry through a port. `cycle` is of the activity that uses the port, 1 the instruction's first; a
/// client of port B has its first line in its cycle 0, which the fixed cycles contain.
struct ReferenceAccess {
  uint64_t cycle, address;
};

struct CycleCount {
  uint64_t cycles = 0;
  std::array<std::vector<ReferenceAccess>, kReferencePorts> accesses;
  std::string violation;  ///< a port that was used twice in a cycle; empty: none
};

/// Slow: for instructions of some thousand pixels.
CycleCount StepCycles(const Instruction& instruction, const HardwareConfig& config);

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_CYCLE_REFERENCE_H_
