#include "tools/driver/explain_text.h"

#include <map>

#include "runtime/io/array.h"
#include "tools/common/format.h"
#include "tools/common/table.h"

namespace xrun::tools {
namespace {

using compiler::ExplainedNode;
using compiler::Explanation;
using compiler::Place;

std::string PlaceText(const ExplainedNode& node) {
  const std::string place(compiler::Name(node.placement.place));
  return node.into.empty() ? place : place + " into " + node.into;
}

std::string MacsText(uint64_t macs) { return macs == 0 ? "" : FormatCount(static_cast<int64_t>(macs)); }

double Share(const Explanation& e) {
  const uint64_t all = e.overlay_macs + e.cpu_macs;
  return all == 0 ? 0 : static_cast<double>(e.overlay_macs) / static_cast<double>(all);
}

/// A string of the DOT language.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  return quoted + "\"";
}

const char* Colour(Place place) {
  switch (place) {
    case Place::kOverlay:
      return "palegreen";
    case Place::kCpu:
      return "lightsalmon";
    case Place::kFolded:
      return "lightgray";
  }
  return "white";
}

}  // namespace

std::string Text(const Explanation& e) {
  Table table({{"node"}, {"op"}, {"output"}, {"place"}, {"MACs", Table::Align::kRight}, {"reason"}});
  for (const ExplainedNode& node : e.nodes) {
    const compiler::Placement& p = node.placement;
    table.AddRow({node.source.name, node.source.op, io::ShapeText(node.source.shape), PlaceText(node),
                  MacsText(node.macs), node.into.empty() ? p.reason + (p.hint.empty() ? "" : "; " + p.hint) : ""});
  }
  std::string text = table.ToString() + "\n";
  text += "MACs         " + FormatCount(static_cast<int64_t>(e.overlay_macs)) + " on the overlay (" +
          FormatPercent(Share(e), 1) + "), " + FormatCount(static_cast<int64_t>(e.cpu_macs)) + " on the CPU\n";
  if (!e.refusal) {
    text += "steps        " + std::to_string(e.partitions) + " overlay partition" + (e.partitions == 1 ? "" : "s") +
            ", " + std::to_string(e.cpu_steps) + " CPU step" + (e.cpu_steps == 1 ? "" : "s") +
            " (conversions between int8 and float included)\n";
  }
  return text;
}

nlohmann::ordered_json ToJson(const Explanation& e) {
  nlohmann::ordered_json json;
  nlohmann::ordered_json& nodes = json["nodes"] = nlohmann::ordered_json::array();
  for (const ExplainedNode& node : e.nodes) {
    nodes.push_back({{"name", node.source.name},
                     {"op", node.source.op},
                     {"shape", node.source.shape},
                     {"place", compiler::Name(node.placement.place)},
                     {"into", node.into},
                     {"reason", node.placement.reason},
                     {"hint", node.placement.hint},
                     {"macs", node.macs}});
  }
  json["overlay_macs"] = e.overlay_macs;
  json["cpu_macs"] = e.cpu_macs;
  json["overlay_share"] = Share(e);
  json["compiles"] = !e.refusal;
  if (!e.refusal) {
    json["overlay_partitions"] = e.partitions;
    json["cpu_steps"] = e.cpu_steps;
  } else {
    json["refusal"] = {{"message", e.refusal->message}, {"hint", e.refusal->hint}};
  }
  return json;
}

std::string Dot(const Explanation& e, const std::string& model_name) {
  std::string text =
      "digraph " + Quoted(model_name) + " {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n";
  std::map<std::string, std::string> producer;
  for (const ExplainedNode& node : e.nodes) {
    const std::string macs = node.macs == 0 ? "" : ", " + FormatSi(static_cast<double>(node.macs), "MAC");
    text += "  " + Quoted(node.source.name) +
            " [label=" + Quoted(node.source.op + " " + io::ShapeText(node.source.shape) + macs) +
            ", fillcolor=" + Colour(node.placement.place) +
            ", tooltip=" + Quoted(node.source.name + ": " + PlaceText(node) + ", " + node.placement.reason) + "];\n";
    for (const std::string& output : node.source.outputs) producer[output] = node.source.name;
  }
  for (const ExplainedNode& node : e.nodes) {
    for (const std::string& input : node.source.inputs) {
      const auto from = input.empty() ? producer.end() : producer.find(input);
      if (from == producer.end()) continue;
      text += "  " + Quoted(from->second) + " -> " + Quoted(node.source.name) + ";\n";
    }
  }
  return text + "}\n";
}

std::string Text(const std::vector<compiler::RefusedNode>& refused) {
  Table table({{"node"}, {"op"}, {"cannot be imported; what to do"}});
  for (const compiler::RefusedNode& node : refused) table.AddRow({node.name, node.op, node.hint});
  return table.ToString();
}

nlohmann::ordered_json ToJson(const std::vector<compiler::RefusedNode>& refused) {
  nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
  for (const compiler::RefusedNode& node : refused) {
    nodes.push_back({{"name", node.name}, {"op", node.op}, {"hint", node.hint}});
  }
  return nodes;
}

}  // namespace xrun::tools
