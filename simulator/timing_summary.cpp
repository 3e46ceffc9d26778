#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "isa/assembly.h"
#include "simulator/timing_model.h"

namespace xrun::simulator {
namespace {

template <typename... Args>
std::string Format(const char* format, Args... args) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, args...);
  return buffer;
}

double Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

const char* StallName(Stall stall) {
  switch (stall) {
    case Stall::kTokenLoad:
      return "token from load";
    case Stall::kTokenConv:
      return "token from conv";
    case Stall::kTokenVector:
      return "token from vector";
    case Stall::kTokenSave:
      return "token from save";
    case Stall::kRing:
      return "weight ring";
    case Stall::kDramRead:
      return "DRAM read";
    case Stall::kDramWrite:
      return "DRAM write";
    case Stall::kFetch:
      return "instruction fetch";
    case Stall::kTokenFull:
      return "full token counter";
    case Stall::kCauses:
      break;
  }
  return "";
}

const char* TrafficName(Traffic kind) {
  switch (kind) {
    case Traffic::kLoad:
      return "activations in";
    case Traffic::kWeights:
      return "weights";
    case Traffic::kVectorParameters:
      return "vector parameters";
    case Traffic::kSave:
      return "activations out";
    case Traffic::kFetch:
      return "instructions";
    case Traffic::kStatus:
      return "status";
    case Traffic::kKinds:
      break;
  }
  return "";
}

std::string Summary(const TimingReport& report, const HardwareConfig& config) {
  const double milliseconds = static_cast<double>(report.cycles) / (1e3 * config.clock_mhz);
  std::string text =
      Format("modelled, %s at %u MHz: %u request%s in %" PRIu64 " cycles, %.3f ms", config.name.c_str(),
             config.clock_mhz, report.requests, report.requests == 1 ? "" : "s", report.cycles, milliseconds);
  if (report.requests > 1) {
    text += Format(" (%.0f cycles a request, %.1f requests/s)", static_cast<double>(report.cycles) / report.requests,
                   1e3 * report.requests / milliseconds);
  }
  text += report.limited ? ", cut off by the cycle limit\n" : "\n";
  for (uint8_t i = 0; i < kEngines; ++i) {
    const EngineTime& e = report.engines[i];
    text +=
        Format("  %-6s %8" PRIu64 " instructions, busy %5.1f %%",
               std::string(EngineName(static_cast<Engine>(i))).c_str(), e.instructions, Percent(e.busy, report.cycles));
    for (size_t s = 0; s < kStallCauses; ++s) {
      if (e.stalled[s] == 0) continue;
      text += Format(", %s %.1f %%", StallName(static_cast<Stall>(s)), Percent(e.stalled[s], report.cycles));
    }
    text += '\n';
  }
  text += "  DRAM  ";
  for (size_t k = 0; k < kTrafficKinds; ++k) {
    if (report.bytes[k] == 0) continue;
    text += Format(" %s %" PRIu64 " B;", TrafficName(static_cast<Traffic>(k)), report.bytes[k]);
  }
  for (uint32_t p = 0; p < config.dram_ports; ++p) {
    text += Format(" port %u busy %.1f %%%s", p, Percent(report.ports[p].busy, report.cycles),
                   p + 1 < config.dram_ports ? "," : "");
  }
  text += Format(
      "\n  assumed: %u DRAM port%s of %u B a beat at %u %% efficiency, bursts of %u B, read latency %u, write response "
      "%u, "
      "%u bursts under way; decode %u, token %u, launch %u cycles\n",
      config.dram_ports, config.dram_ports == 1 ? "" : "s", config.dram_port_bytes, config.dram_efficiency,
      config.dram_burst_bytes, config.dram_read_latency, config.dram_write_response, config.dram_outstanding,
      config.decode_cycles, config.token_cycles, config.launch_cycles);
  return text;
}

}  // namespace xrun::simulator
