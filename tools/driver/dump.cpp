#include "tools/driver/dump.h"

#include <algorithm>
#include <cstdio>

#include "isa/program_file.h"
#include "runtime/io/array.h"
#include "runtime/io/file.h"
#include "runtime/io/suggest.h"
#include "tools/common/format.h"
#include "tools/common/table.h"
#include "tools/driver/summary.h"

namespace xrun::tools {
namespace {

std::string Hex(uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%0*llx", digits, static_cast<unsigned long long>(value));
  return text;
}

std::string Count(uint64_t n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

std::string VersionText(uint16_t major, uint16_t minor) { return std::to_string(major) + "." + std::to_string(minor); }

std::string RegisterName(uint32_t base) {
  if (base == kBaseWeights) return "weights";
  if (base == kBaseWorkspace) return "workspace";
  if (base >= kBaseInput0 && base < kBaseOutput0) return "input " + std::to_string(base - kBaseInput0);
  if (base >= kBaseOutput0 && base < kBaseStatus) return "output " + std::to_string(base - kBaseOutput0);
  return "register " + std::to_string(base);
}

std::string LayoutText(const BufferLayout& layout) {
  std::string text = std::to_string(layout.batch) + "x" + std::to_string(layout.channels) + "x" +
                     std::to_string(layout.height) + "x" + std::to_string(layout.width) + " in " +
                     Count(layout.groups, "group");
  if (layout.dense) text += ", dense";
  if (!layout.channel_map.empty()) text += ", channels permuted";
  return text;
}

std::string QuantText(const TensorDesc& tensor) {
  if (tensor.type != ElementType::kInt8) return "";
  char text[64];
  std::snprintf(text, sizeof(text), "%.9g, zero %d", static_cast<double>(tensor.scale), tensor.zero_point);
  return text;
}

/// JSON without its line breaks; a file need not hold JSON there.
std::string OneLine(const std::string& json) {
  if (json.empty()) return "none";
  const auto parsed = nlohmann::ordered_json::parse(json, nullptr, false);
  return parsed.is_discarded() ? json : parsed.dump();
}

bool Contains(const std::vector<uint32_t>& list, size_t index) {
  return std::find(list.begin(), list.end(), index) != list.end();
}

/// Calls visit(step index, step, engine, is body, words) for every stream that holds instructions.
template <typename Visit>
void ForEachStream(const OverlayStep& step, Visit&& visit) {
  for (uint8_t e = 0; e < kEngines; ++e) {
    if (!step.prologue[e].empty()) visit(static_cast<Engine>(e), false, step.prologue[e]);
    if (!step.body[e].empty()) visit(static_cast<Engine>(e), true, step.body[e]);
  }
}

/// Node of each instruction of an engine's body; none where no range covers it.
std::vector<std::optional<uint32_t>> NodesOf(const OverlayStep& step, Engine engine) {
  std::vector<std::optional<uint32_t>> nodes(step.body[engine].size());
  for (const NodeRange& range : step.ranges) {
    if (range.engine != engine) continue;
    for (uint32_t i = 0; i < range.count; ++i) nodes[range.first + i] = range.node;
  }
  return nodes;
}

}  // namespace

Result<FileHeader> ReadFileHeader(const std::string& path) {
  XRUN_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, io::ReadFile(path));
  const Failure changed{path + " changed while it was read", ""};
  if (bytes.size() < kProgramHeaderBytes) return changed;
  FileHeader header;
  header.format_major = LoadInteger<uint16_t>(bytes, 4);
  header.format_minor = LoadInteger<uint16_t>(bytes, 6);
  header.isa_major = LoadInteger<uint16_t>(bytes, 8);
  header.isa_minor = LoadInteger<uint16_t>(bytes, 10);
  header.file_bytes = LoadInteger<uint64_t>(bytes, 16);
  header.fingerprint = LoadInteger<uint64_t>(bytes, 24);
  const auto count = LoadInteger<uint32_t>(bytes, 40);
  if (count > kMaxSections || bytes.size() < kProgramHeaderBytes + count * kSectionEntryBytes) return changed;
  for (uint32_t i = 0; i < count; ++i) {
    const size_t at = kProgramHeaderBytes + i * kSectionEntryBytes;
    const auto type = LoadInteger<uint32_t>(bytes, at);
    FileHeader::Section section;
    section.name = "type " + std::to_string(type);
    for (const auto& known : kSections) {
      if (static_cast<uint32_t>(known.type) == type) section.name = known.name;
    }
    section.offset = LoadInteger<uint64_t>(bytes, at + 8);
    section.bytes = LoadInteger<uint64_t>(bytes, at + 16);
    section.checksum = LoadInteger<uint64_t>(bytes, at + 24);
    section.alignment = LoadInteger<uint32_t>(bytes, at + 32);
    header.sections.push_back(std::move(section));
  }
  return header;
}

namespace {

/// Where the back half of a step begins.
std::string StaggerText(const Program& program, size_t s) {
  const OverlayStep& step = program.overlay_steps[s];
  std::string from;
  for (const NodeRange& r : step.ranges) {
    const auto word = Decode(step.body[r.engine][r.first], r.engine);
    if (r.engine != kConv || !word.ok() || HeaderOf(*word).late == 0) continue;
    from = program.nodes[r.node].name;
    break;
  }
  return "overlay step " + std::to_string(s) + ": from " + from + " on for the request before, " +
         FormatBytes(step.stagger->bytes) + " handed over";
}

}  // namespace

std::string HeaderText(const Program& program, const FileHeader& header) {
  const auto names = [&](const std::vector<uint32_t>& list) {
    std::string text;
    for (uint32_t i : list) text += (text.empty() ? "" : "; ") + TensorText(program.tensors[i]);
    return text;
  };
  std::array<uint64_t, kEngines> instructions{};
  uint64_t workspace = 0;
  for (const OverlayStep& step : program.overlay_steps) {
    for (size_t e = 0; e < kEngines; ++e) instructions[e] += step.prologue[e].size() + step.body[e].size();
    workspace = std::max(workspace, step.workspace_bytes);
  }
  std::string text;
  const auto line = [&](std::string label, const std::string& value) {
    label.resize(std::max<size_t>(label.size() + 1, 16), ' ');
    text += label + value + "\n";
  };
  line("model", program.model_name);
  line("format", VersionText(header.format_major, header.format_minor));
  line("ISA", VersionText(header.isa_major, header.isa_minor) + ", capabilities " + Hex(program.capabilities, 1));
  line("configuration", program.config.name + ", fingerprint " + Hex(header.fingerprint, 16));
  line("inputs", names(program.inputs));
  line("outputs", names(program.outputs));
  line("steps", std::to_string(program.overlay_steps.size()) + " on the overlay, " +
                    std::to_string(program.cpu_steps.size()) + " on the CPU");
  std::string streams;
  for (uint8_t e = 0; e < kEngines; ++e) {
    streams +=
        (e == 0 ? "" : ", ") + std::string(EngineName(static_cast<Engine>(e))) + " " + std::to_string(instructions[e]);
  }
  line("instructions", streams);
  for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
    if (program.overlay_steps[s].stagger) line("staggered", StaggerText(program, s));
  }
  line("weights", FormatBytes(program.weights.size()));
  line("workspace", FormatBytes(workspace) + " a request");
  line("file", FormatBytes(header.file_bytes) + ", " + Count(header.sections.size(), "section"));
  line("preprocessing", OneLine(program.preprocessing));
  for (const auto& [key, value] : program.info) line(key, value);
  return text;
}

nlohmann::ordered_json HeaderJson(const Program& program, const FileHeader& header) {
  nlohmann::ordered_json json;
  json["model"] = program.model_name;
  json["format"] = VersionText(header.format_major, header.format_minor);
  json["isa"] = VersionText(header.isa_major, header.isa_minor);
  json["capabilities"] = program.capabilities;
  json["configuration"] = nlohmann::ordered_json::parse(ConfigToJson(program.config));
  json["fingerprint"] = Hex(header.fingerprint, 16);
  json["file_bytes"] = header.file_bytes;
  json["weight_bytes"] = program.weights.size();
  json["overlay_steps"] = program.overlay_steps.size();
  json["cpu_steps"] = program.cpu_steps.size();
  json["preprocessing"] = program.preprocessing;
  json["info"] = program.info;
  return json;
}

std::string SectionsText(const FileHeader& header) {
  const auto right = Table::Align::kRight;
  Table table({{"section"}, {"offset", right}, {"bytes", right}, {"alignment", right}, {"XXH64"}});
  for (const FileHeader::Section& s : header.sections) {
    table.AddRow(
        {s.name, std::to_string(s.offset), std::to_string(s.bytes), std::to_string(s.alignment), Hex(s.checksum, 16)});
  }
  return table.ToString();
}

nlohmann::ordered_json SectionsJson(const FileHeader& header) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const FileHeader::Section& s : header.sections) {
    json.push_back({{"name", s.name},
                    {"offset", s.offset},
                    {"bytes", s.bytes},
                    {"alignment", s.alignment},
                    {"xxh64", Hex(s.checksum, 16)}});
  }
  return json;
}

std::string TensorsText(const Program& program) {
  Table table({{"#", Table::Align::kRight}, {"tensor"}, {"type"}, {"shape"}, {"scale, zero point"}, {"role"}});
  for (size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorDesc& t = program.tensors[i];
    const bool constant = std::any_of(program.constants.begin(), program.constants.end(),
                                      [&](const ConstantData& c) { return c.tensor == i; });
    const char* role = Contains(program.inputs, i)    ? "model input"
                       : Contains(program.outputs, i) ? "model output"
                       : constant                     ? "constant"
                                                      : "between steps";
    table.AddRow(
        {std::to_string(i), t.name, std::string(TypeName(t.type)), io::ShapeText(t.shape), QuantText(t), role});
  }
  std::string text = table.ToString();
  for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
    const OverlayStep& step = program.overlay_steps[s];
    text += "\noverlay step " + std::to_string(s) + ", workspace " + FormatBytes(step.workspace_bytes) + "\n";
    Table bindings({{"register"}, {"tensor"}, {"layout"}, {"bytes", Table::Align::kRight}});
    for (const auto* list : {&step.inputs, &step.outputs}) {
      for (const Binding& b : *list) {
        bindings.AddRow({RegisterName(b.base), program.tensors[b.tensor].name, LayoutText(b.layout),
                         std::to_string(b.layout.Bytes(program.config))});
      }
    }
    text += bindings.ToString(2);
    if (step.watches.empty()) continue;
    Table watches({{"inside"}, {"node"}, {"shape"}, {"layout"}, {"workspace offset", Table::Align::kRight}});
    for (const OverlayStep::Watch& w : step.watches) {
      watches.AddRow({w.name, program.nodes[w.node].name, io::ShapeText(w.shape), LayoutText(w.layout),
                      std::to_string(w.workspace_offset)});
    }
    text += watches.ToString(2);
  }
  return text;
}

nlohmann::ordered_json TensorsJson(const Program& program) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorDesc& t = program.tensors[i];
    nlohmann::ordered_json tensor = {{"name", t.name}, {"type", TypeName(t.type)}, {"shape", t.shape}};
    if (t.type == ElementType::kInt8) {
      tensor["scale"] = t.scale;
      tensor["zero_point"] = t.zero_point;
    }
    tensor["input"] = Contains(program.inputs, i);
    tensor["output"] = Contains(program.outputs, i);
    json.push_back(std::move(tensor));
  }
  return json;
}

namespace {

std::string StreamText(const Program& program, const OverlayStep& step, Engine engine, bool body,
                       std::span<const InstructionWord> words, std::optional<uint32_t> only) {
  const std::string title = ".stream " + std::string(EngineName(engine)) + (body ? " body\n" : " prologue\n");
  const auto nodes = body ? NodesOf(step, engine) : std::vector<std::optional<uint32_t>>(words.size());
  std::string text;
  std::optional<uint32_t> current;
  bool first = true;
  for (size_t i = 0; i < words.size(); ++i) {
    if (only && nodes[i] != only) continue;
    if (nodes[i] != current || first) {
      if (nodes[i]) text += "# " + program.nodes[*nodes[i]].name + " (" + program.nodes[*nodes[i]].op + ")\n";
      if (!nodes[i] && !first) text += "# no node\n";
      current = nodes[i];
      first = false;
    }
    text += Disassemble(words[i], engine) + "  # " + std::to_string(i) + "\n";
  }
  return text.empty() ? text : title + text;
}

}  // namespace

std::string DisassemblyText(const Program& program, std::optional<uint32_t> node) {
  std::string text;
  for (const Step& s : program.steps) {
    if (s.kind == Step::Kind::kCpu) {
      const CpuStep& step = program.cpu_steps[s.index];
      if (node && step.node != *node) continue;
      text +=
          "# CPU step " + std::to_string(s.index) + ": " + step.op + ", node " + program.nodes[step.node].name + "\n";
      continue;
    }
    const OverlayStep& step = program.overlay_steps[s.index];
    std::string streams;
    ForEachStream(step, [&](Engine engine, bool body, std::span<const InstructionWord> words) {
      streams += StreamText(program, step, engine, body, words, node);
    });
    if (!streams.empty()) text += "# overlay step " + std::to_string(s.index) + "\n" + streams;
  }
  return text;
}

nlohmann::ordered_json DisassemblyJson(const Program& program, std::optional<uint32_t> node) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
    const OverlayStep& step = program.overlay_steps[s];
    ForEachStream(step, [&](Engine engine, bool body, std::span<const InstructionWord> words) {
      const auto nodes = body ? NodesOf(step, engine) : std::vector<std::optional<uint32_t>>(words.size());
      for (size_t i = 0; i < words.size(); ++i) {
        if (node && nodes[i] != node) continue;
        nlohmann::ordered_json row = {{"step", s},
                                      {"engine", EngineName(engine)},
                                      {"part", body ? "body" : "prologue"},
                                      {"index", i},
                                      {"text", Disassemble(words[i], engine)}};
        if (nodes[i]) row["node"] = program.nodes[*nodes[i]].name;
        json.push_back(std::move(row));
      }
    });
  }
  return json;
}

Result<uint32_t> FindNode(const Program& program, const std::string& name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < program.nodes.size(); ++i) {
    if (program.nodes[i].name == name) return static_cast<uint32_t>(i);
    names.push_back(program.nodes[i].name);
  }
  std::string hint = io::DidYouMean(name, names);
  if (hint.empty()) hint = "nodes are " + io::ListNames(names);
  return Failure{"no node '" + name + "' in this program", hint};
}

namespace {

/// "12…19, 40": the instructions of one engine that work for a node.
std::string RangesText(const OverlayStep& step, uint32_t node, Engine engine) {
  std::string text;
  for (const NodeRange& range : step.ranges) {
    if (range.node != node || range.engine != engine || range.count == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::to_string(range.first);
    if (range.count > 1) text += "…" + std::to_string(range.first + range.count - 1);
  }
  return text;
}

}  // namespace

std::string MapText(const Program& program) {
  Table table({{"node"}, {"op"}, {"place"}, {"step", Table::Align::kRight}, {"load"}, {"conv"}, {"vector"}, {"save"}});
  for (uint32_t n = 0; n < program.nodes.size(); ++n) {
    const NodeInfo& node = program.nodes[n];
    bool shown = false;
    for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
      std::vector<std::string> cells = {node.name, node.op, node.placement, std::to_string(s)};
      bool any = false;
      for (uint8_t e = 0; e < kEngines; ++e) {
        cells.push_back(RangesText(program.overlay_steps[s], n, static_cast<Engine>(e)));
        any = any || !cells.back().empty();
      }
      if (!any) continue;
      table.AddRow(std::move(cells));
      shown = true;
    }
    if (!shown) table.AddRow({node.name, node.op, node.placement, "", "", "", "", ""});
  }
  return table.ToString();
}

nlohmann::ordered_json MapJson(const Program& program) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (uint32_t n = 0; n < program.nodes.size(); ++n) {
    const NodeInfo& node = program.nodes[n];
    nlohmann::ordered_json ranges = nlohmann::ordered_json::array();
    for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
      for (const NodeRange& range : program.overlay_steps[s].ranges) {
        if (range.node != n) continue;
        ranges.push_back(
            {{"step", s}, {"engine", EngineName(range.engine)}, {"first", range.first}, {"count", range.count}});
      }
    }
    json.push_back({{"name", node.name}, {"op", node.op}, {"place", node.placement}, {"instructions", ranges}});
  }
  return json;
}

}  // namespace xrun::tools
