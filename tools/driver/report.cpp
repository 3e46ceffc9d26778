#include "tools/driver/report.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "isa/atomic_file.h"
#include "tools/common/tool.h"
#include "tools/driver/dump.h"
#include "tools/driver/explain_text.h"
#include "tools/driver/folder.h"
#include "tools/driver/report_drawings.h"
#include "tools/driver/report_page.h"
#include "tools/driver/trace_file.h"

namespace xrun::tools {
namespace {

/// A field of RFC 4180.
std::string Field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string Header() {
  std::string line = "node,onnx_nodes,op,place,macs,step,start,end,cycles,microseconds,utilisation,dram_bytes";
  for (uint8_t e = 0; e < kEngines; ++e) line += ",busy " + std::string(EngineName(static_cast<Engine>(e)));
  for (size_t c = 0; c < simulator::kStallCauses; ++c) {
    line += ",waits " + std::string(simulator::StallName(static_cast<simulator::Stall>(c)));
  }
  return line + "\n";
}

/// Columns of the timed mode for a node; empty ones for a node without instructions (CPU, folded, part of another).
std::string TimedFields(const Program& program, const LayerProfile* layer) {
  if (layer == nullptr) return std::string(7 + kEngines + simulator::kStallCauses, ',');
  const uint64_t cycles = layer->end - layer->start;
  const double peak = static_cast<double>(cycles) * static_cast<double>(program.config.macs_per_cycle());
  std::string line = "," + std::to_string(layer->step) + "," + std::to_string(layer->start) + "," +
                     std::to_string(layer->end) + "," + std::to_string(cycles) + "," +
                     Number(static_cast<double>(cycles) / program.config.clock_mhz) + "," +
                     Number(peak == 0 ? 0 : static_cast<double>(program.nodes[layer->node].macs) / peak) + "," +
                     std::to_string(layer->dram_bytes);
  for (const uint64_t busy : layer->busy) line += "," + std::to_string(busy);
  for (const uint64_t waited : layer->waited) line += "," + std::to_string(waited);
  return line;
}

/// Also draws each launch: of one request, or of two where the halves of a staggered step work side by side.
Status WriteTraces(const Program& program, const std::string& path, std::vector<std::string>* timelines) {
  for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
    const auto prepared = simulator::Prepare(program, program.overlay_steps[s]);
    XRUN_ASSIGN_OR_RETURN(const simulator::TimingReport report,
                          simulator::SimulateTiming(*prepared, {.requests = program.overlay_steps[s].stagger ? 2U : 1U,
                                                                .sample_cycles = kTraceSampleCycles}));
    XRUN_RETURN_IF_ERROR(WriteTraceFile(*prepared, report, path, s, program.overlay_steps.size()));
    timelines->push_back(TimelineSvg(program, program.overlay_steps[s], report));
  }
  return {};
}

}  // namespace

std::string LayersCsv(const compiler::Explanation& explanation, const Program& program,
                      const std::vector<LayerProfile>& layers) {
  std::vector<const LayerProfile*> of_node(program.nodes.size(), nullptr);
  for (const LayerProfile& layer : layers) of_node[layer.node] = &layer;
  std::string text = Header();
  for (size_t n = 0; n < program.nodes.size(); ++n) {
    const NodeInfo& info = program.nodes[n];
    std::string origin;
    for (const std::string& name : explanation.origins[n]) origin += (origin.empty() ? "" : " + ") + name;
    text += Field(info.name) + "," + Field(origin) + "," + Field(info.op) + "," + info.placement + "," +
            std::to_string(info.macs) + TimedFields(program, of_node[n]) + "\n";
  }
  return text;
}

Status WriteReport(const std::string& folder, const Program& program, const compiler::Explanation& explanation,
                   const std::vector<compiler::MemoryMap>& memory, const nlohmann::ordered_json& summary) {
  assert(memory.size() == program.overlay_steps.size() && explanation.origins.size() == program.nodes.size());
  XRUN_ASSIGN_OR_RETURN(const std::vector<LayerProfile> layers, ProfileLayers(program));
  nlohmann::ordered_json document = summary;
  document["onnx"] = ToJson(explanation);
  XRUN_RETURN_IF_ERROR(MakeFolder(folder));
  const std::filesystem::path base(folder);
  XRUN_RETURN_IF_ERROR(WriteFileAtomically((base / "layers.csv").string(), LayersCsv(explanation, program, layers)));
  XRUN_RETURN_IF_ERROR(WriteFileAtomically((base / "placement.dot").string(), Dot(explanation, program.model_name)));
  std::vector<std::string> timelines;
  XRUN_RETURN_IF_ERROR(WriteTraces(program, (base / "trace.json").string(), &timelines));
  const std::string map = MemorySvg(memory, program.config, layers);
  XRUN_RETURN_IF_ERROR(WriteFileAtomically((base / "memory.svg").string(), map));
  const PageParts page{program, explanation, summary, layers, std::move(timelines), map};
  XRUN_RETURN_IF_ERROR(WriteFileAtomically((base / "index.html").string(), ReportPage(page)));
  return WriteFileAtomically((base / "summary.json").string(), JsonText(document));
}

}  // namespace xrun::tools
