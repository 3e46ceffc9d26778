// roofline_report: modelled speed of the generated structures against what the machine could do at most.

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/absorb_qdq.h"
#include "roofline.h"
#include "tools/common/format.h"
#include "tools/common/table.h"
#include "tools/common/tool.h"
#include "tools/driver/estimate.h"
#include "verify.h"

namespace {

using namespace xrun;
using structures::Roofline;

std::string Fixed(double value, int decimals) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  return text;
}

nlohmann::ordered_json ToJson(const Roofline& r) {
  nlohmann::ordered_json json;
  json["network"] = r.network;
  json["arch"] = r.arch;
  json["fps"] = r.fps;
  json["latency_ms"] = r.latency_ms;
  json["bound_fps"] = r.bound_fps;
  json["dram_bytes"] = r.dram_bytes;
  nlohmann::ordered_json& causes = json["causes"] = nlohmann::ordered_json::object();
  for (const auto& [name, cycles] : r.causes) causes[name] = cycles;
  json["fps_at_dram_efficiency"] = {{"70", r.fps_at_70}, {"100", r.fps_at_100}};
  json["cycles"] = r.cycles;
  json["macs"] = r.bounds.macs;
  json["compulsory_bytes"] = r.bounds.compulsory_bytes;
  json["bounds"] = {{"array_cycles", r.bounds.array_cycles},
                    {"vector_cycles", r.bounds.vector_cycles},
                    {"dram_cycles", r.bounds.dram_cycles}};
  json["busy"] = {{"load", r.load_busy}, {"conv", r.array_busy}, {"vector", r.vector_busy}, {"save", r.save_busy}};
  json["cpu_nodes_not_counted"] = r.cpu_nodes;
  json["compile_seconds"] = r.compile_seconds;
  return json;
}

std::string Text(const std::vector<Roofline>& rows) {
  const auto right = tools::Table::Align::kRight;
  tools::Table table({{"network"},
                      {"arch"},
                      {"MMAC", right},
                      {"fps", right},
                      {"at 70 %", right},
                      {"at 100 %", right},
                      {"bound", right},
                      {"of it", right},
                      {"cold", right},
                      {"cycles", right},
                      {"conv", right},
                      {"vector", right},
                      {"DRAM", right},
                      {"compulsory", right},
                      {"CPU nodes", right},
                      {"compile", right}});
  for (const Roofline& r : rows) {
    table.AddRow({r.network, r.arch, Fixed(static_cast<double>(r.bounds.macs) / 1e6, 0), Fixed(r.fps, 1),
                  Fixed(r.fps_at_70, 1), Fixed(r.fps_at_100, 1), Fixed(r.bound_fps, 0),
                  tools::FormatPercent(r.bound_fps == 0 ? 0 : r.fps / r.bound_fps, 0), Fixed(r.latency_ms, 2) + " ms",
                  tools::FormatCount(static_cast<int64_t>(r.cycles)), tools::FormatPercent(r.array_busy / r.cycles, 0),
                  tools::FormatPercent(r.vector_busy / r.cycles, 0), tools::FormatBytes(r.dram_bytes),
                  Fixed(static_cast<double>(r.dram_bytes) / static_cast<double>(r.bounds.compulsory_bytes), 2) + "x",
                  std::to_string(r.cpu_nodes), Fixed(r.compile_seconds, 1) + " s"});
  }
  std::string text = table.ToString() + "\ncycles of a request beyond the array's bound, by cause:\n";
  for (const Roofline& r : rows) {
    text += r.network + " " + r.arch + ": array bound " +
            tools::FormatCount(static_cast<int64_t>(r.bounds.array_cycles)) + ";";
    for (const auto& [name, cycles] : r.causes) {
      if (cycles >= 0.5) text += " " + name + " " + tools::FormatCount(static_cast<int64_t>(cycles)) + ",";
    }
    text.back() = '\n';
  }
  return text;
}

/// A structure's name, or a file with a quantized (QDQ) model.
Result<compiler::Graph> GraphOf(const std::string& name, uint64_t seed) {
  if (name.find(".onnx") != std::string::npos) {
    XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, compiler::ImportOnnx(std::filesystem::path(name)));
    XRUN_RETURN_IF_ERROR(compiler::Canonicalize(graph));
    return compiler::AbsorbQdq(graph);
  }
  const structures::Structure* structure = structures::FindStructure(name);
  if (structure == nullptr) {
    return Failure{"there is no structure '" + name + "'", "make_structure --list names them"};
  }
  return structures::QuantizedGraph(*structure, seed, structures::BatchOf(name));
}

}  // namespace

int main(int argc, char** argv) {
  tools::Tool tool("roofline_report", "Modelled speed of the generated structures against the machine's bounds.");
  std::vector<std::string> archs = {"B4096"}, networks;
  int optimization = 2;
  uint64_t seed = 1;
  tool.app().add_option("--arch", archs, "Configurations, separated by commas")->delimiter(',');
  tool.app()
      .add_option("--networks", networks,
                  "Structures, separated by commas; NAME@N: N samples a request, fps counts samples [all]")
      ->delimiter(',');
  tool.app().add_option("-O", optimization, "Optimization level [2]")->check(CLI::Range(0, 3));
  tool.app().add_option("--seed", seed, "Seed of the made-up weights [1]");
  return tool.Run(argc, argv, [&]() -> Status {
    if (networks.empty()) {
      for (const structures::Structure& s : structures::Structures()) networks.push_back(s.name);
    }
    std::vector<Roofline> rows;
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const std::string& network : networks) {
      XRUN_ASSIGN_OR_RETURN(const compiler::Graph graph, GraphOf(network, seed));
      for (const std::string& arch : archs) {
        compiler::CompileOptions options;
        XRUN_ASSIGN_OR_RETURN(options.config, FindConfig(arch));
        options.optimization = optimization;
        XRUN_ASSIGN_OR_RETURN(Roofline row, structures::MeasureRoofline(network, graph, options));
        const auto batch = static_cast<double>(structures::BatchOf(network));
        for (double* fps : {&row.fps, &row.fps_at_70, &row.fps_at_100, &row.bound_fps}) *fps *= batch;
        list.push_back(ToJson(row));
        rows.push_back(std::move(row));
      }
    }
    if (tool.common().text()) {
      std::string assumptions;
      for (const Roofline& r : rows) {
        XRUN_ASSIGN_OR_RETURN(const HardwareConfig config, FindConfig(r.arch));
        const std::string line = r.arch + ": " + tools::Assumptions(config) + ", " +
                                 std::to_string(config.requant_lanes) + " requantize lanes\n";
        if (assumptions.find(line) == std::string::npos) assumptions += line;
      }
      std::fputs(("modelled, " + std::to_string(tools::kThroughputRequests) +
                  " requests a launch (cold: one); bound: array, DRAM at 100 %, vector engine fully overlapped, "
                  "depthwise layers on both engines;\n"
                  "MACs counted from the graph; columns at 70 % and 100 %: the same program at that DRAM efficiency\n" +
                  assumptions + "\n" + Text(rows))
                     .c_str(),
                 stdout);
    }
    return tool.WriteJson(
        {{"kind", "modelled"}, {"requests_per_launch", tools::kThroughputRequests}, {"networks", list}});
  });
}
