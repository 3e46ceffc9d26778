// xobjdump: what stands in a program file.

#include <cstdio>

#include "isa/hardware_config.h"
#include "isa/program.h"
#include "tools/common/tool.h"
#include "tools/driver/dump.h"

namespace {

using namespace xrun;

struct DumpFlags {
  std::string program, node, arch_json, diff;
  bool header = false, disassemble = false, tensors = false, all = false, map = false, profile = false;

  void AddTo(CLI::App& app) {
    app.add_option("PROG", program, "Program file")->type_name("FILE.xprog");
    app.add_flag("-f,--header", header, "Header: format, ISA, configuration, capabilities, calibration");
    app.add_flag("-d,--disassemble", disassemble, "Instructions of each engine with the nodes they work for");
    app.add_flag("-t,--tensors", tensors, "Tensors, the registers they are bound to, their layouts");
    app.add_flag("-x,--all-headers", all, "Header, sections, tensors and map");
    app.add_option("--node", node, "Instructions of one node only")->type_name("NAME");
    app.add_flag("--map", map, "Each node's place and instructions");
    app.add_flag("--profile", profile, "Modelled cycles: per node, engines busy and waiting with the cause, bytes");
    app.add_option("--diff", diff, "Differences to another program; exit code 1 if there are any")->type_name("OTHER");
    app.add_option("--arch-json", arch_json, "Print a configuration as JSON, to make one of your own; needs no PROG")
        ->type_name("NAME");
  }
  bool AnyPart() const {
    return header || disassemble || tensors || all || map || profile || !node.empty() || !diff.empty();
  }
};

Status Run(DumpFlags& flags, const tools::Tool& tool) {
  if (!flags.arch_json.empty()) {
    XRUN_ASSIGN_OR_RETURN(const HardwareConfig config, FindConfig(flags.arch_json));
    std::string json = ConfigToJson(config);
    if (!json.ends_with('\n')) json += '\n';
    std::fputs(json.c_str(), stdout);
    return {};
  }
  if (flags.program.empty()) tools::UsageError("PROG is missing");
  if (!flags.AnyPart()) flags.header = true;
  XRUN_ASSIGN_OR_RETURN(const Program program, ReadProgram(flags.program));
  XRUN_ASSIGN_OR_RETURN(const tools::FileHeader header, tools::ReadFileHeader(flags.program));

  nlohmann::ordered_json document;
  document["program"] = flags.program;
  bool first = true;
  // Several parts have a title each; a single one is printed bare, so that it can be piped on.
  const int parts = (flags.header || flags.all) + (flags.all ? 1 : 0) + (flags.tensors || flags.all) +
                    (flags.map || flags.all) + (flags.disassemble || !flags.node.empty()) + flags.profile +
                    !flags.diff.empty();
  const auto show = [&](const char* title, const std::string& text) {
    if (!tool.common().text()) return;
    if (parts > 1) std::printf("%s%s\n\n", first ? "" : "\n", title);
    std::fwrite(text.data(), 1, text.size(), stdout);
    first = false;
  };
  if (flags.header || flags.all) {
    show("Header", tools::HeaderText(program, header));
    document["header"] = tools::HeaderJson(program, header);
  }
  if (flags.all) {
    show("Sections", tools::SectionsText(header));
    document["sections"] = tools::SectionsJson(header);
  }
  if (flags.tensors || flags.all) {
    show("Tensors", tools::TensorsText(program));
    document["tensors"] = tools::TensorsJson(program);
  }
  if (flags.map || flags.all) {
    show("Map", tools::MapText(program));
    document["map"] = tools::MapJson(program);
  }
  if (flags.disassemble || !flags.node.empty()) {
    std::optional<uint32_t> node;
    if (!flags.node.empty()) {
      XRUN_ASSIGN_OR_RETURN(node, tools::FindNode(program, flags.node));
    }
    show("Instructions", tools::DisassemblyText(program, node));
    document["instructions"] = tools::DisassemblyJson(program, node);
  }
  if (flags.profile) {
    XRUN_ASSIGN_OR_RETURN(const tools::Profile profile, tools::ProfileProgram(program));
    show("Profile", profile.text);
    document["profile"] = profile.json;
  }
  Status result;
  if (!flags.diff.empty()) {
    XRUN_ASSIGN_OR_RETURN(const Program other, ReadProgram(flags.diff));
    const std::vector<std::string> lines = tools::DiffPrograms(program, other);
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    show("Differences", text);
    document["differences"] = lines;
    if (!lines.empty()) result = Failure{flags.program + " and " + flags.diff + " differ", ""};
  }
  XRUN_RETURN_IF_ERROR(tool.WriteJson(document));
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  xrun::tools::Tool tool("xobjdump", "Shows what stands in a compiled program.");
  DumpFlags flags;
  flags.AddTo(tool.app());
  return tool.Run(argc, argv, [&] { return Run(flags, tool); });
}
