#include <algorithm>
#include <numeric>

#include "isa/timing.h"
#include "simulator/simulator.h"
#include "simulator/timing_model.h"
#include "tools/common/format.h"
#include "tools/common/table.h"
#include "tools/driver/causes.h"
#include "tools/driver/dump.h"
#include "tools/driver/estimate.h"

namespace xrun::tools {
namespace {

using simulator::TimingReport;

std::string Number(uint64_t n) { return n == 0 ? "" : FormatCount(static_cast<int64_t>(n)); }

std::string Share(uint64_t part, uint64_t whole) {
  return part == 0 || whole == 0 ? "" : FormatPercent(static_cast<double>(part) / static_cast<double>(whole), 1);
}

/// Bytes that a node's instructions move over DRAM, and how long the node waited and for what.
struct NodeCost {
  uint64_t dram_bytes = 0;
  std::array<uint64_t, simulator::kStallCauses> waited{};

  std::string MainCause() const {
    const auto largest = std::max_element(waited.begin(), waited.end());
    if (*largest == 0) return "";
    return simulator::StallName(static_cast<simulator::Stall>(largest - waited.begin()));
  }
};

std::vector<NodeCost> CostsOf(const Program& program, const OverlayStep& step, const TimingReport& report) {
  std::vector<NodeCost> costs(program.nodes.size());
  for (const NodeRange& range : step.ranges) {
    NodeCost& cost = costs[range.node];
    for (uint32_t i = range.first; i < range.first + range.count; ++i) {
      const auto instruction = Decode(step.body[range.engine][i], range.engine);
      if (instruction.ok()) cost.dram_bytes += DramOf(*instruction, program.config).bytes;
    }
    for (const simulator::InstructionTime& time : report.instructions[range.engine]) {
      if (time.prologue || time.request != 0 || time.index < range.first || time.index >= range.first + range.count) {
        continue;
      }
      if (time.waited_for != simulator::Stall::kCauses)
        cost.waited[static_cast<size_t>(time.waited_for)] += time.waited;
      const auto dram = range.engine == kSave ? simulator::Stall::kDramWrite : simulator::Stall::kDramRead;
      cost.waited[static_cast<size_t>(dram)] += time.dram_stall;
    }
  }
  return costs;
}

std::string NodesText(const Program& program, const OverlayStep& step, const TimingReport& report) {
  const auto right = Table::Align::kRight;
  Table table({{"node"},
               {"op"},
               {"start", right},
               {"end", right},
               {"load", right},
               {"conv", right},
               {"vector", right},
               {"save", right},
               {"DRAM", right},
               {"MACs/cycle", right},
               {"waits most for"}});
  const std::vector<NodeCost> costs = CostsOf(program, step, report);
  for (const simulator::NodeTime& node : report.nodes) {
    const uint64_t busy = std::accumulate(node.busy.begin(), node.busy.end(), uint64_t{0});
    if (busy == 0) continue;
    const NodeInfo& info = program.nodes[node.node];
    const uint64_t span = node.end - node.start;
    const std::string rate = info.macs == 0 || span == 0 ? "" : FormatCount(static_cast<int64_t>(info.macs / span));
    table.AddRow({info.name, info.op, FormatCount(static_cast<int64_t>(node.start)),
                  FormatCount(static_cast<int64_t>(node.end)), Number(node.busy[kLoad]), Number(node.busy[kConv]),
                  Number(node.busy[kVector]), Number(node.busy[kSave]),
                  costs[node.node].dram_bytes == 0 ? "" : FormatBytes(costs[node.node].dram_bytes), rate,
                  costs[node.node].MainCause()});
  }
  return table.ToString();
}

std::string EnginesText(const TimingReport& report) {
  const auto right = Table::Align::kRight;
  std::vector<Table::Column> columns = {{"engine"}, {"instructions", right}, {"busy", right}, {"share", right}};
  std::vector<size_t> causes;
  for (size_t c = 0; c < simulator::kStallCauses; ++c) {
    const bool any = std::any_of(report.engines.begin(), report.engines.end(),
                                 [&](const simulator::EngineTime& engine) { return engine.stalled[c] != 0; });
    if (!any) continue;
    causes.push_back(c);
    columns.push_back({simulator::StallName(static_cast<simulator::Stall>(c)), right});
  }
  columns.push_back({"idle at end", right});
  Table table(columns);
  for (uint8_t e = 0; e < kEngines; ++e) {
    const simulator::EngineTime& engine = report.engines[e];
    std::vector<std::string> cells = {std::string(EngineName(static_cast<Engine>(e))),
                                      FormatCount(static_cast<int64_t>(engine.instructions)), Number(engine.busy),
                                      Share(engine.busy, report.cycles)};
    for (size_t c : causes) cells.push_back(Number(engine.stalled[c]));
    cells.push_back(Number(engine.idle));
    table.AddRow(std::move(cells));
  }
  return table.ToString();
}

/// MACs of a node, or of all with Conv instructions, over the array's peak; none of depthwise layers.
double BoundOf(const Program& program, const StepTimes& times, uint32_t node) {
  if (times.depthwise.contains(node)) return 0;
  return static_cast<double>(program.nodes[node].macs) / static_cast<double>(program.config.macs_per_cycle());
}
double BoundOf(const Program& program, const StepTimes& times) {
  double bound = 0;
  for (const auto& [node, unused] : times.nodes) bound += BoundOf(program, times, node);
  return bound;
}

std::string CausesText(const Program& program, const StepTimes& times) {
  const double bound = BoundOf(program, times);
  std::string text = "array: MACs over peak " + FormatCount(static_cast<int64_t>(bound)) + "; beyond it";
  for (const auto& [cause, cycles] : GapCauses(times.all, bound)) {
    if (cycles >= 0.5) text += " " + cause + " " + FormatCount(static_cast<int64_t>(cycles)) + ",";
  }
  text.back() = '\n';
  return text;
}

nlohmann::ordered_json CausesJson(const std::vector<std::pair<std::string, double>>& causes) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [cause, cycles] : causes) json[cause] = cycles;
  return json;
}

std::string TrafficText(const TimingReport& report) {
  std::string text;
  for (size_t k = 0; k < simulator::kTrafficKinds; ++k) {
    if (report.bytes[k] == 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(simulator::TrafficName(static_cast<simulator::Traffic>(k))) + " " +
            FormatBytes(report.bytes[k]);
  }
  return text;
}

nlohmann::ordered_json StepJson(const Program& program, const OverlayStep& step, const TimingReport& report) {
  nlohmann::ordered_json json;
  json["cycles"] = report.cycles;
  const std::vector<NodeCost> costs = CostsOf(program, step, report);
  const StepTimes times = DivideArrayTime(program, step, report);
  json["array_bound"] = BoundOf(program, times);
  json["causes"] = CausesJson(GapCauses(times.all, BoundOf(program, times)));
  nlohmann::ordered_json& nodes = json["nodes"] = nlohmann::ordered_json::array();
  for (const simulator::NodeTime& node : report.nodes) {
    if (std::accumulate(node.busy.begin(), node.busy.end(), uint64_t{0}) == 0) continue;
    nlohmann::ordered_json busy;
    for (uint8_t e = 0; e < kEngines; ++e) busy[std::string(EngineName(static_cast<Engine>(e)))] = node.busy[e];
    nodes.push_back({{"name", program.nodes[node.node].name},
                     {"start", node.start},
                     {"end", node.end},
                     {"busy", busy},
                     {"dram_bytes", costs[node.node].dram_bytes},
                     {"macs", program.nodes[node.node].macs},
                     {"waits_most_for", costs[node.node].MainCause()}});
    const auto array = times.nodes.find(node.node);
    if (array == times.nodes.end()) continue;
    nodes.back()["array_bound"] = BoundOf(program, times, node.node);
    nodes.back()["causes"] = CausesJson(GapCauses(array->second, BoundOf(program, times, node.node)));
  }
  for (uint8_t e = 0; e < kEngines; ++e) {
    const simulator::EngineTime& engine = report.engines[e];
    nlohmann::ordered_json stalled;
    for (size_t c = 0; c < simulator::kStallCauses; ++c) {
      stalled[simulator::StallName(static_cast<simulator::Stall>(c))] = engine.stalled[c];
    }
    json["engines"][std::string(EngineName(static_cast<Engine>(e)))] = {
        {"instructions", engine.instructions}, {"busy", engine.busy}, {"stalled", stalled}, {"idle", engine.idle}};
  }
  for (size_t k = 0; k < simulator::kTrafficKinds; ++k) {
    json["bytes"][simulator::TrafficName(static_cast<simulator::Traffic>(k))] = report.bytes[k];
  }
  return json;
}

}  // namespace

Result<std::vector<LayerProfile>> ProfileLayers(const Program& program) {
  std::vector<LayerProfile> layers;
  for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
    const OverlayStep& step = program.overlay_steps[s];
    const auto prepared = simulator::Prepare(program, step);
    XRUN_ASSIGN_OR_RETURN(const TimingReport report, simulator::SimulateTiming(*prepared, {.requests = 1}));
    const std::vector<NodeCost> costs = CostsOf(program, step, report);
    const StepTimes times = DivideArrayTime(program, step, report);
    for (const simulator::NodeTime& node : report.nodes) {
      if (std::accumulate(node.busy.begin(), node.busy.end(), uint64_t{0}) == 0) continue;
      const NodeCost& cost = costs[node.node];
      layers.push_back({s, node.node, node.start, node.end, node.busy, cost.dram_bytes, cost.waited, 0, {}});
      const auto array = times.nodes.find(node.node);
      if (array == times.nodes.end()) continue;
      layers.back().array_bound = BoundOf(program, times, node.node);
      layers.back().causes = GapCauses(array->second, layers.back().array_bound);
    }
  }
  return layers;
}

Result<Profile> ProfileProgram(const Program& program) {
  Profile profile;
  const std::string assumptions = Assumptions(program.config);
  profile.text = "modelled, one request, cold; " + assumptions + "\n";
  profile.json["kind"] = "modelled";
  profile.json["assumptions"] = assumptions;
  nlohmann::ordered_json& steps = profile.json["steps"] = nlohmann::ordered_json::array();
  for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
    const OverlayStep& step = program.overlay_steps[s];
    const auto prepared = simulator::Prepare(program, step);
    XRUN_ASSIGN_OR_RETURN(const TimingReport report, simulator::SimulateTiming(*prepared, {.requests = 1}));
    const double seconds = static_cast<double>(report.cycles) / (1e6 * program.config.clock_mhz);
    profile.text += "\noverlay step " + std::to_string(s) + ": " + FormatCount(static_cast<int64_t>(report.cycles)) +
                    " cycles, " + FormatDuration(seconds) + "\n" + NodesText(program, step, report) +
                    "(start and end in cycles from the launch; load ... save: cycles the engine was busy)\n\n" +
                    EnginesText(report) + CausesText(program, DivideArrayTime(program, step, report)) +
                    "DRAM: " + TrafficText(report) + "\n";
    steps.push_back(StepJson(program, step, report));
  }
  if (!program.cpu_steps.empty()) {
    profile.text += "\n" + std::to_string(program.cpu_steps.size()) + " CPU steps are not modelled\n";
  }
  return profile;
}

}  // namespace xrun::tools
