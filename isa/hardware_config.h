#ifndef XRUN_ISA_HARDWARE_CONFIG_H_
#define XRUN_ISA_HARDWARE_CONFIG_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isa/result.h"

namespace xrun {

// One overlay configuration: the single description that compiler, simulator and hardware build on.
//
// XRUN_CONFIG_FIELD(name, default, min, max, unit, functional, brief)
// Functional fields decide what a program's bits mean and make up the fingerprint; the others only scale time.
#define XRUN_FOR_EACH_CONFIG_FIELD(X)                                                                                \
  X(pixels, 8, 1, 64, "lanes", true, "pixel lanes of the array (PP)")                                                \
  X(channels, 16, 4, 32, "channels", true, "input and output channels of the array, bytes of a word (CP)")           \
  X(activation_rows, 2048, 64, 16384, "rows", true, "words of each activation bank, a power of two")                 \
  X(weight_rows, 2048, 64, 32768, "rows", true, "rows of CP*CP bytes of the weight ring, a power of two")            \
  X(partial_entries, 64, 1, 256, "entries", true, "pixel group by channel group accumulators of the partial buffer") \
  X(vector_rows, 4096, 64, 65536, "rows", true, "rows of CP bytes of the vector parameter memory")                   \
  X(vector_partial_entries, 256, 1, 4096, "entries", true, "accumulator words of the vector partial buffer")         \
  X(requant_lanes, 32, 4, 256, "results/cycle", true, "results the Conv output stage finishes a cycle")              \
  X(vector_pixels, 8, 1, 64, "pixels", true, "pixels of CP channels the vector engine handles a cycle (VP)")         \
  X(clock_mhz, 300, 10, 1000, "MHz", false, "clock of array, engines and memory ports")                              \
  X(dram_ports, 2, 1, 2, "ports", false, "DRAM ports")                                                               \
  X(dram_port_bytes, 16, 8, 64, "bytes", false, "bytes of a beat")                                                   \
  X(dram_efficiency, 85, 1, 100, "%", false, "sustained share of beats (refresh, bank turnaround)")                  \
  X(dram_burst_bytes, 256, 64, 4096, "bytes", false, "largest burst; none crosses 4 KiB")                            \
  X(dram_outstanding, 8, 1, 64, "bursts", false, "outstanding bursts of a port")                                     \
  X(dram_read_latency, 80, 0, 10000, "cycles", false, "from a burst's request to its first beat")                    \
  X(dram_write_response, 40, 0, 10000, "cycles", false, "from a burst's last beat to its response")                  \
  X(decode_cycles, 2, 0, 1000, "cycles", false, "to decode an instruction")                                          \
  X(token_cycles, 2, 0, 1000, "cycles", false, "for a token to reach its receiver")                                  \
  X(launch_cycles, 1000, 0, 1000000, "cycles", false, "start and end of a launch")

struct HardwareConfig {
  std::string name = "B4096";
#define X(field, def, lo, hi, unit, functional, brief) uint32_t field = def;
  XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X

  // Derived.

  /// Banks of the activation memory: the power of two that holds two windows of pixel lanes, at least one a slot.
  uint32_t banks() const;
  /// Words of the activation memory.
  uint32_t activation_words() const { return banks() * activation_rows; }
  /// Words one slot of the second port moves a cycle: a line.
  uint32_t line_words() const { return banks() / kSlots; }
  /// Ring rows that hold one output group's parameters (16 bytes a channel).
  uint32_t param_rows() const { return (16 + channels - 1) / channels; }
  /// Ring rows that hold a 256-byte table.
  uint32_t table_rows() const { return (256 + channels * channels - 1) / (channels * channels); }
  /// Vector memory rows that hold a 256-byte table.
  uint32_t vector_table_rows() const { return (256 + channels - 1) / channels; }
  uint32_t weight_row_bytes() const { return channels * channels; }
  uint64_t macs_per_cycle() const { return uint64_t{pixels} * channels * channels; }
  /// Peak DRAM bytes a second, before efficiency.
  double dram_bytes_per_second() const { return 1e6 * clock_mhz * dram_ports * dram_port_bytes; }
  /// Sustained DRAM bytes a cycle.
  double dram_bytes_per_cycle() const { return dram_ports * dram_port_bytes * dram_efficiency / 100.0; }

  /// Slots of the second activation port, one a client (isa/README.md, "Port table").
  static constexpr uint32_t kSlots = 8;

  /// The least of each field that is legal: what programs take for granted, such as the room for a table.
  static HardwareConfig Least();

  bool operator==(const HardwareConfig&) const = default;
};

/// Ranges, powers of two, requant_lanes a multiple of channels and within a slot; the failure names the field.
Status Validate(const HardwareConfig& config);

/// XXH64 over the functional fields and the ISA major, in table order. Equal fingerprints: same program bytes.
uint64_t Fingerprint(const HardwareConfig& config);

/// Names of functional fields in which two configurations differ, as "pixels: 8 here, 4 there".
std::vector<std::string> FunctionalDifferences(const HardwareConfig& here, const HardwareConfig& there);

/// B512 … B4096 (comparable to AMD's: same parallelism and buffers) and K26.
const std::vector<HardwareConfig>& BuiltInConfigs();

/// A built-in name ("did you mean" otherwise), or the path of a JSON file with the fields above; missing fields are an
/// error, as are unknown ones.
Result<HardwareConfig> FindConfig(std::string_view name_or_path);
Result<HardwareConfig> ConfigFromJson(std::string_view json, std::string_view where);
std::string ConfigToJson(const HardwareConfig& config);

}  // namespace xrun

#endif  // XRUN_ISA_HARDWARE_CONFIG_H_
