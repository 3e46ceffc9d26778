#ifndef XRUN_TOOLS_DRIVER_ESTIMATE_H_
#define XRUN_TOOLS_DRIVER_ESTIMATE_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "isa/program.h"
#include "isa/result.h"

namespace xrun::tools {

/// Requests in one launch for throughput figures; also what xrun::Session groups into a launch.
constexpr uint32_t kThroughputRequests = 8;

/// Modelled speed of a program: the simulator's timed mode, every launch on its own, CPU steps not counted.
struct Estimate {
  uint64_t latency_cycles = 0;     ///< one request, cold: the launches of all overlay steps
  uint64_t throughput_cycles = 0;  ///< the same with kThroughputRequests requests a launch
  uint32_t clock_mhz = 0;
  size_t launches = 0, cpu_steps = 0;
  uint64_t macs = 0;  ///< of one request, on the overlay
  std::string assumptions;

  double LatencySeconds() const { return static_cast<double>(latency_cycles) / (1e6 * clock_mhz); }
  double RequestsPerSecond() const;
};

Result<Estimate> EstimateProgram(const Program& program);

/// "clock 300 MHz, 2 DRAM ports of 16 B a cycle at 85 %": what every modelled figure rests on.
std::string Assumptions(const HardwareConfig& config);

/// Two lines, latency and throughput, and one with the assumptions.
std::string Text(const Estimate& estimate);
nlohmann::ordered_json ToJson(const Estimate& estimate);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_ESTIMATE_H_
