#ifndef XRUN_TESTS_OVERLAY_HW_LOCKSTEP_H_
#define XRUN_TESTS_OVERLAY_HW_LOCKSTEP_H_

// An overlay in C-sim and the simulator's reference, side by side on the same memories: the same instruction on both,
// then every byte of every memory, the cycles and the memory ports are compared.

#include <memory>
#include <string>
#include <vector>

#include "isa/assembly.h"
#include "isa/hardware_config.h"
#include "overlay_hw/csim/bench.h"
#include "simulator/machine_state.h"
#include "tests/unit/random_instruction.h"

namespace xrun::test {

class Lockstep {
 public:
  Lockstep(HardwareConfig config, std::unique_ptr<hw::csim::Bench> bench);

  /// All memories anew: random bytes with legal records, small partial sums.
  void Randomize(uint64_t seed);
  /// Executes on both; empty where they agree, else what differs.
  std::string Run(const Instruction& instruction);
  /// A random legal instruction of type T.
  template <typename T>
  Instruction Draw(uint64_t seed) {
    RandomInstruction random(seed, config_);
    return random.Draw<T>();
  }
  /// Of all Conv instructions and windows so far: iterations of the source's loops over the formula's cycles without
  /// fill and drain.
  double slowdown() const { return static_cast<double>(iterations_) / static_cast<double>(cycles_); }

  /// What the last instruction did.
  const hw::csim::BenchResult& last() const { return last_; }

  const HardwareConfig& config() const { return config_; }
  hw::csim::Bench& bench() { return *bench_; }
  /// Compare cycles and every access of every port, too (on by default).
  void set_check_cycles(bool check) { check_cycles_ = check; }
  /// Accesses of a port that were found to be those of the reference that steps a clock.
  uint64_t port_accesses(hw::csim::BenchPort port) const { return port_accesses_[port]; }

 private:
  std::string Compare();
  std::string CompareCycles(const Instruction& instruction, const hw::csim::BenchResult& result);
  std::string CompareIterations(const Instruction& instruction, const hw::csim::BenchResult& result);
  std::string ComparePorts(const Instruction& instruction, const hw::csim::BenchResult& result);

  HardwareConfig config_;
  std::unique_ptr<hw::csim::Bench> bench_;
  simulator::MachineState state_;
  hw::csim::Contents contents_, expected_;
  std::vector<uint8_t> dram_, dram_reference_;
  hw::csim::BenchResult last_;
  bool check_cycles_ = true;
  uint64_t iterations_ = 0, cycles_ = 0;
  uint64_t port_accesses_[hw::csim::kBenchPorts] = {};
};

/// The built-in configuration, or the file of overlay_hw/configs, of this name.
HardwareConfig HardwareOf(const std::string& name);

}  // namespace xrun::test

#endif  // XRUN_TESTS_OVERLAY_HW_LOCKSTEP_H_
