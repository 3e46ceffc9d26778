#ifndef XRUN_TESTS_UNIT_CYCLE_REFERENCE_H_
#define XRUN_TESTS_UNIT_CYCLE_REFERENCE_H_

// The cycles of isa/README.md section 5 found by stepping a clock and doing every access of every bank, one after the
// other: no formulas, no code of isa/timing.cpp. Each of the overlapping activities of a step (array, result write,
// residual read; multipliers, window reads, write) has a clock of its own that stands still while it has nothing to do;
// the step takes as long as the longest.

#include <cstdint>
#include <string>

#include "isa/assembly.h"
#include "isa/hardware_config.h"

namespace xrun::test {

struct CycleCount {
  uint64_t cycles = 0;
  uint64_t bank_accesses = 0;  ///< single words read or written, for the test to see that something happened
  std::string violation;       ///< a port that was used twice in a cycle; empty: none
};

/// Slow: for instructions of some thousand pixels.
CycleCount StepCycles(const Instruction& instruction, const HardwareConfig& config);

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_CYCLE_REFERENCE_H_
