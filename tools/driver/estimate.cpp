#include "tools/driver/estimate.h"

#include "simulator/simulator.h"
#include "simulator/timing_model.h"
#include "tools/common/format.h"

namespace xrun::tools {

double Estimate::RequestsPerSecond() const {
  if (throughput_cycles == 0) return 0;
  return kThroughputRequests * 1e6 * clock_mhz / static_cast<double>(throughput_cycles);
}

Result<Estimate> EstimateProgram(const Program& program) {
  Estimate estimate;
  estimate.clock_mhz = program.config.clock_mhz;
  estimate.launches = program.overlay_steps.size();
  estimate.cpu_steps = program.cpu_steps.size();
  estimate.assumptions = Assumptions(program.config);
  for (const NodeInfo& node : program.nodes) {
    if (node.placement == "overlay") estimate.macs += node.macs;
  }
  for (const OverlayStep& step : program.overlay_steps) {
    const auto prepared = simulator::Prepare(program, step);
    for (const uint32_t requests : {1U, kThroughputRequests}) {
      XRUN_ASSIGN_OR_RETURN(const simulator::TimingReport report,
                            simulator::SimulateTiming(*prepared, {.requests = requests, .record = false}));
      (requests == 1 ? estimate.latency_cycles : estimate.throughput_cycles) += report.cycles;
    }
  }
  return estimate;
}

std::string Assumptions(const HardwareConfig& c) {
  return "clock " + std::to_string(c.clock_mhz) + " MHz, " + std::to_string(c.dram_ports) + " DRAM port" +
         (c.dram_ports == 1 ? "" : "s") + " of " + std::to_string(c.dram_port_bytes) + " B a cycle, DRAM efficiency " +
         std::to_string(c.dram_efficiency) + " %, read latency " + std::to_string(c.dram_read_latency) +
         " cycles, launch " + std::to_string(c.launch_cycles) + " cycles";
}

std::string Text(const Estimate& e) {
  const std::string cpu = e.cpu_steps == 0 ? ""
                                           : "; " + std::to_string(e.cpu_steps) + " CPU step" +
                                                 (e.cpu_steps == 1 ? "" : "s") + " not counted";
  if (e.launches == 0) return "modelled     nothing runs on the overlay\n";
  std::string text = "latency      " + FormatDuration(e.LatencySeconds()) + " modelled (1 request, cold, " +
                     FormatCount(static_cast<int64_t>(e.latency_cycles)) + " cycles" +
                     (e.launches > 1 ? ", " + std::to_string(e.launches) + " launches" : "") + cpu + ")\n";
  text += "throughput   " + FormatSi(e.RequestsPerSecond(), "requests/s") + " modelled (" +
          std::to_string(kThroughputRequests) + " requests in one launch, " +
          FormatSi(e.RequestsPerSecond() * static_cast<double>(e.macs), "MAC/s") + cpu + ")\n";
  return text + "assuming     " + e.assumptions + "\n";
}

nlohmann::ordered_json ToJson(const Estimate& e) {
  nlohmann::ordered_json json;
  json["latency_seconds"] = e.LatencySeconds();
  json["latency_cycles"] = e.latency_cycles;
  json["requests_per_second"] = e.RequestsPerSecond();
  json["throughput_cycles"] = e.throughput_cycles;
  json["requests_per_launch"] = kThroughputRequests;
  json["launches"] = e.launches;
  json["cpu_steps_not_counted"] = e.cpu_steps;
  json["assumptions"] = e.assumptions;
  return json;
}

}  // namespace xrun::tools
