#include "tools/driver/report_page.h"

#include <cmath>

#include "tools/common/format.h"
#include "tools/driver/estimate.h"
#include "tools/driver/report_drawings.h"

namespace xrun::tools {
namespace {

constexpr const char* kStyle =
    "body{font:14px/1.4 sans-serif;margin:2em auto;max-width:1300px;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:.5em 0}td,th{border:1px solid #ccc;padding:2px 8px;vertical-align:top}"
    "th{background:#eee;text-align:left;position:sticky;top:0}.n{text-align:right;white-space:nowrap}"
    ".overlay{background:#dfd}.cpu{background:#fdc}.folded{background:#eee}nav a{margin-right:1em}";

std::string Cell(const std::string& text, const char* kind = "") {
  return std::string("<td") + (*kind == '\0' ? "" : " class=\"" + std::string(kind) + "\"") + ">" + Escaped(text) +
         "</td>";
}

std::string Figure(double value) {
  return Cell(std::abs(value) < 0.5 ? "" : FormatCount(static_cast<int64_t>(std::llround(value))), "n");
}

std::string Head(std::initializer_list<const char*> names) {
  std::string row = "<tr>";
  for (const char* name : names) row += std::string("<th>") + name + "</th>";
  return row + "</tr>\n";
}

std::string Row(const std::string& name, const std::string& text) {
  return "<tr><th>" + Escaped(name) + "</th>" + Cell(text) + "</tr>\n";
}

std::string JsonWord(const nlohmann::ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string SummaryTable(const PageParts& parts) {
  const auto& s = parts.summary;
  std::string text = "<table>\n" + Row("model", parts.program.model_name) +
                     Row("configuration", parts.program.config.name) +
                     Row("assumptions", Assumptions(parts.program.config));
  for (const char* key :
       {"output", "bytes", "overlay_nodes", "cpu_nodes", "folded_nodes", "overlay_macs", "parameters"}) {
    if (s.contains(key)) text += Row(key, JsonWord(s[key]));
  }
  if (s.contains("modelled")) {
    for (const auto& [key, value] : s["modelled"].items()) text += Row("modelled: " + key, JsonWord(value));
  }
  return text + "</table>\n";
}

/// "requantize lanes 1,200, DRAM 300": causes of 1 % of the layer's time or more.
std::string CausesText(const LayerProfile& layer) {
  double all = layer.array_bound;
  for (const auto& [cause, cycles] : layer.causes) all += cycles;
  std::string text;
  for (const auto& [cause, cycles] : layer.causes) {
    if (cycles < 0.5 || cycles < 0.01 * all) continue;
    text += (text.empty() ? "" : ", ") + cause + " " + FormatCount(static_cast<int64_t>(std::llround(cycles)));
  }
  return text;
}

std::string LayersTable(const PageParts& parts) {
  std::string text = "<table>\n" + Head({"layer", "op", "place", "MACs", "start", "end", "load", "conv", "vector",
                                         "save", "DRAM bytes", "array bound", "gap", "causes of the gap"});
  std::vector<const LayerProfile*> of_node(parts.program.nodes.size(), nullptr);
  for (const LayerProfile& layer : parts.layers) of_node[layer.node] = &layer;
  for (size_t n = 0; n < parts.program.nodes.size(); ++n) {
    const NodeInfo& info = parts.program.nodes[n];
    text += "<tr>" + Cell(info.name) + Cell(info.op) + Cell(info.placement, info.placement.c_str()) +
            Figure(static_cast<double>(info.macs));
    if (const LayerProfile* layer = of_node[n]) {
      text += Figure(static_cast<double>(layer->start)) + Figure(static_cast<double>(layer->end));
      for (const uint64_t busy : layer->busy) text += Figure(static_cast<double>(busy));
      double gap = 0;
      for (const auto& [cause, cycles] : layer->causes) gap += cycles;
      text += Figure(static_cast<double>(layer->dram_bytes)) + Figure(layer->array_bound) + Figure(gap) +
              Cell(CausesText(*layer));
    } else {
      text += "<td colspan=\"10\"></td>";
    }
    text += "</tr>\n";
  }
  return text + "</table>\n";
}

std::string PlacementTable(const compiler::Explanation& explanation) {
  std::string text = "<table>\n" + Head({"ONNX node", "op", "place", "MACs", "reason"});
  for (const compiler::ExplainedNode& node : explanation.nodes) {
    const std::string place(compiler::Name(node.placement.place));
    const std::string hint = node.placement.hint.empty() ? "" : "; " + node.placement.hint;
    text += "<tr>" + Cell(node.source.name) + Cell(node.source.op) +
            Cell(node.into.empty() ? place : place + " into " + node.into, place.c_str()) +
            Figure(static_cast<double>(node.macs)) + Cell(node.into.empty() ? node.placement.reason + hint : "") +
            "</tr>\n";
  }
  return text + "</table>\n";
}

}  // namespace

std::string ReportPage(const PageParts& parts) {
  const std::string title = Escaped(parts.program.model_name + " on " + parts.program.config.name);
  std::string text = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" + title +
                     "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>" + kStyle +
                     "</style>\n</head>\n<body>\n<h1>" + title +
                     "</h1>\n<nav><a href=\"#layers\">layers</a><a href=\"#timeline\">timeline</a>"
                     "<a href=\"#placement\">placement</a><a href=\"#memory\">memory</a></nav>\n"
                     "<h2 id=\"summary\">Summary</h2>\n" +
                     SummaryTable(parts);
  text +=
      "<h2 id=\"layers\">Layers</h2>\n<p>Cycles of the simulator's timed mode, one request, cold; load to save: cycles "
      "the engine was busy. Array bound: MACs over the array's peak. The gap is what the array's timeline has beyond "
      "it "
      "while it works for the layer or waits to; layers without Conv instructions have none: what the array waits "
      "for them stands at the layer that waits, as <i>vector engine</i>. Causes under 1 % are left out.</p>\n" +
      LayersTable(parts);
  text += "<h2 id=\"timeline\">Timeline</h2>\n";
  for (const std::string& timeline : parts.timelines) text += timeline;
  text += "<h2 id=\"placement\">Placement</h2>\n" + PlacementTable(parts.explanation);
  text +=
      "<h2 id=\"memory\">Memory</h2>\n<p>Dark: tensors kept on chip in whole. Light: rows of tensors that live inside "
      "a "
      "group, or tiles. Point at a box for its name.</p>\n" +
      parts.memory;
  return text + "</body>\n</html>\n";
}

}  // namespace xrun::tools
