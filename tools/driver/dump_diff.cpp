#include <algorithm>
#include <map>

#include "runtime/io/array.h"
#include "tools/driver/dump.h"
#include "tools/driver/summary.h"

namespace xrun::tools {
namespace {

using Lines = std::vector<std::string>;

void DiffTensors(const Program& here, const Program& there, Lines& lines) {
  const auto compare = [&](const char* what, const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
    if (a.size() != b.size()) {
      lines.push_back(std::string(what) + "s: " + std::to_string(a.size()) + " here, " + std::to_string(b.size()) +
                      " there");
    }
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      const TensorDesc &x = here.tensors[a[i]], &y = there.tensors[b[i]];
      const std::string place = std::string(what) + " " + std::to_string(i) + ": ";
      if (TensorText(x) != TensorText(y)) lines.push_back(place + TensorText(x) + " here, " + TensorText(y) + " there");
      if (x.scale != y.scale || x.zero_point != y.zero_point) {
        lines.push_back(place + "scale " + std::to_string(x.scale) + ", zero point " + std::to_string(x.zero_point) +
                        " here, " + std::to_string(y.scale) + ", " + std::to_string(y.zero_point) + " there");
      }
    }
  };
  compare("input", here.inputs, there.inputs);
  compare("output", here.outputs, there.outputs);
}

void DiffNodes(const Program& here, const Program& there, Lines& lines) {
  std::map<std::string, const NodeInfo*> others;
  for (const NodeInfo& node : there.nodes) others[node.name] = &node;
  for (const NodeInfo& node : here.nodes) {
    const auto it = others.find(node.name);
    if (it == others.end()) {
      lines.push_back("node '" + node.name + "' (" + node.op + "): only here");
      continue;
    }
    const NodeInfo& other = *it->second;
    if (node.op != other.op || node.placement != other.placement) {
      lines.push_back("node '" + node.name + "': " + node.op + " on " + node.placement + " here, " + other.op + " on " +
                      other.placement + " there");
    }
    others.erase(it);
  }
  for (const NodeInfo& node : there.nodes) {
    if (others.contains(node.name)) lines.push_back("node '" + node.name + "' (" + node.op + "): only there");
  }
}

void DiffStream(const std::string& place, Engine engine, std::span<const InstructionWord> a,
                std::span<const InstructionWord> b, const std::string& node, Lines& lines) {
  if (a.size() != b.size()) {
    lines.push_back(place + ": " + std::to_string(a.size()) + " instructions here, " + std::to_string(b.size()) +
                    " there");
  }
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i] == b[i]) continue;
    size_t differing = 0;
    for (size_t k = i; k < std::min(a.size(), b.size()); ++k) differing += a[k] != b[k] ? 1 : 0;
    lines.push_back(place + ": " + std::to_string(differing) + " differ, first instruction " + std::to_string(i) +
                    node);
    lines.push_back("  here  " + Disassemble(a[i], engine));
    lines.push_back("  there " + Disassemble(b[i], engine));
    return;
  }
}

void DiffSteps(const Program& here, const Program& there, Lines& lines) {
  if (here.overlay_steps.size() != there.overlay_steps.size() || here.cpu_steps.size() != there.cpu_steps.size()) {
    const auto text = [](const Program& p) {
      return std::to_string(p.overlay_steps.size()) + " overlay and " + std::to_string(p.cpu_steps.size()) + " CPU";
    };
    lines.push_back("steps: " + text(here) + " here, " + text(there) + " there");
  }
  for (size_t s = 0; s < std::min(here.overlay_steps.size(), there.overlay_steps.size()); ++s) {
    const OverlayStep &a = here.overlay_steps[s], &b = there.overlay_steps[s];
    const std::string step = "overlay step " + std::to_string(s);
    if (a.workspace_bytes != b.workspace_bytes) {
      lines.push_back(step + ": workspace " + std::to_string(a.workspace_bytes) + " B here, " +
                      std::to_string(b.workspace_bytes) + " B there");
    }
    for (uint8_t e = 0; e < kEngines; ++e) {
      const auto engine = static_cast<Engine>(e);
      const std::string place = step + ", " + std::string(EngineName(engine));
      DiffStream(place + " prologue", engine, a.prologue[e], b.prologue[e], "", lines);
      const auto [first, other] = std::mismatch(a.body[e].begin(), a.body[e].end(), b.body[e].begin(), b.body[e].end());
      (void)other;
      const std::string node =
          first == a.body[e].end() ? "" : NodeOf(here, a, engine, static_cast<uint32_t>(first - a.body[e].begin()));
      DiffStream(place + " body", engine, a.body[e], b.body[e], node.empty() ? "" : " (node '" + node + "')", lines);
    }
  }
}

}  // namespace

std::vector<std::string> DiffPrograms(const Program& here, const Program& there) {
  Lines lines;
  const auto text = [&](const std::string& what, const std::string& a, const std::string& b) {
    if (a != b) lines.push_back(what + ": '" + a + "' here, '" + b + "' there");
  };
  text("model", here.model_name, there.model_name);
  text("configuration", here.config.name, there.config.name);
  for (const std::string& field : FunctionalDifferences(here.config, there.config)) {
    lines.push_back("configuration: " + field);
  }
  text("preprocessing", here.preprocessing, there.preprocessing);
  std::map<std::string, std::pair<std::string, std::string>> info;
  for (const auto& [key, value] : here.info) info[key].first = value;
  for (const auto& [key, value] : there.info) info[key].second = value;
  for (const auto& [key, values] : info) text(key, values.first, values.second);
  DiffTensors(here, there, lines);
  DiffNodes(here, there, lines);
  DiffSteps(here, there, lines);
  if (here.weights.size() != there.weights.size()) {
    lines.push_back("weights: " + std::to_string(here.weights.size()) + " B here, " +
                    std::to_string(there.weights.size()) + " B there");
  } else {
    const auto [a, b] = std::mismatch(here.weights.begin(), here.weights.end(), there.weights.begin());
    (void)b;
    if (a != here.weights.end()) {
      lines.push_back("weights: first difference at byte " + std::to_string(a - here.weights.begin()));
    }
  }
  return lines;
}

}  // namespace xrun::tools
