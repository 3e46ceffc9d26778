// xcompile: ONNX, float or quantized, to a program for one overlay configuration.

#include <cstdio>
#include <filesystem>

#include "compiler/compile.h"
#include "compiler/quantize/qdq_export.h"
#include "runtime/io/preprocess_text.h"
#include "tools/common/format.h"
#include "tools/common/tool.h"
#include "tools/driver/count_parameters.h"
#include "tools/driver/device_config.h"
#include "tools/driver/dump.h"
#include "tools/driver/estimate.h"
#include "tools/driver/explain_text.h"
#include "tools/driver/quantized_model.h"
#include "tools/driver/report.h"
#include "tools/driver/stages.h"
#include "tools/driver/summary.h"
#include "tools/driver/tiling_flag.h"

namespace {

using namespace xrun;

struct CompileFlags {
  tools::ModelFlags model;
  std::string arch, output, emit_qdq, report, tiling;
  std::optional<std::string> explain;  ///< text, json or dot
  int optimization = 2;
  bool estimate = false, debug_tensors = false, no_stagger = false, no_share = false;
  std::vector<std::string> dumps, targets;

  void AddTo(CLI::App& app) {
    model.AddTo(app);
    app.add_option("--arch", arch,
                   "Configuration: a built-in name (B512 ... B4096, K26), a JSON file, or a device (xrt:0)")
        ->type_name("NAME|FILE.json");
    app.add_option("-o,--output", output, "Program to write [<model>.xprog]")->type_name("FILE");
    app.add_option("-O", optimization, "0: tensors through DRAM, 1: on chip, 2 and 3: fused too; equal results [2]")
        ->check(CLI::Range(0, 3))
        ->type_name("0..3");
    app.add_option("--target", targets, "cpu:NODE runs a node on the CPU, in float; repeatable")
        ->type_name("TARGET")
        ->allow_extra_args(false);
    app.add_option("--emit-qdq", emit_qdq, "Also write the quantized graph as standard ONNX")->type_name("FILE.onnx");
    // As with --json, the value needs '=': MODEL may follow.
    auto* explain_flag = app.add_flag("--explain{text}", explain,
                                      "Say where each node runs, why, and what would change it; no program [text]")
                             ->check(CLI::IsMember({"text", "json", "dot"}))
                             ->type_name("[=text|json|dot]");
    app.add_flag("--estimate", estimate, "Print modelled speed; no program")->excludes(explain_flag);
    app.add_option("--report", report,
                   "Write index.html, memory.svg, summary.json, layers.csv, placement.dot, trace.json into a folder")
        ->type_name("DIR");
    app.add_flag("--no-stagger", no_stagger,
                 "Not in two halves that work for requests that follow each other: fewer requests a second, but one "
                 "by itself is done a little sooner");
    app.add_flag("--no-share", no_share,
                 "Depthwise convolutions on the vector engine alone, no part of them on the array");
    app.add_flag("--debug-tensors", debug_tensors,
                 "Keep every tensor for xinfer --dump-tensors and xeval --layers; slower, equal results");
    app.add_option("--dump-after", dumps, "Print what a stage made, or write it to a file; repeatable")
        ->type_name("STAGE[:FILE]")
        ->allow_extra_args(false);
    app.add_flag_callback(
        "--list-stages",
        [] {
          std::string names;
          for (const std::string& name : tools::StageNames()) names += (names.empty() ? "" : "\n") + name;
          throw CLI::CallForVersion(names, 0);
        },
        "Print the stages that --dump-after takes and exit");
    app.add_option("--tiling", tiling, "")->group("");  // for tests: forces the paths of the tiler
  }
};

void Describe(const CompileFlags& flags, const tools::QuantizedModel& model, Program& program) {
  program.preprocessing = io::ToJson(model.preprocess);
  program.info["compiler"] = std::string("xcompile ") + tools::Version();
  program.info["source"] = std::filesystem::path(flags.model.model).filename();
  program.info["options"] = "-O" + std::to_string(flags.optimization) +
                            (flags.debug_tensors ? " --debug-tensors" : "") +
                            (flags.no_stagger ? " --no-stagger" : "") + (flags.no_share ? " --no-share" : "") +
                            (flags.tiling.empty() ? "" : " --tiling " + flags.tiling);
  program.info["calibration"] = model.calibration;
  for (const auto& [key, value] : model.graph.metadata) {
    if (key != "calibration") program.info[key] = value;
  }
}

void PrintSummary(const CompileFlags& flags, const tools::CommonOptions& common, const tools::QuantizedModel& model,
                  const Program& program, uint64_t file_bytes, const tools::Estimate& estimate) {
  if (common.verbosity > 0 && !model.ranges.empty()) std::printf("%s\n", tools::RangeTable(model.ranges).c_str());
  std::printf("%s\n", tools::NodeTable(program, common.verbosity > 0).c_str());
  const tools::PlacementCount nodes = tools::CountPlacements(program);
  const tools::ParameterCount parameters = tools::CountParameters(model.graph);
  std::printf("program      %s, %s, for %s\n", flags.output.c_str(), tools::FormatBytes(file_bytes).c_str(),
              program.config.name.c_str());
  std::printf("layers       %zu on the overlay in %zu launch%s, %zu on the CPU, %zu folded\n", nodes.overlay,
              program.overlay_steps.size(), program.overlay_steps.size() == 1 ? "" : "es", nodes.cpu, nodes.folded);
  std::printf("parameters   %s in %s; %s a request\n",
              tools::FormatCount(static_cast<int64_t>(parameters.numbers)).c_str(),
              tools::FormatBytes(parameters.bytes).c_str(),
              tools::FormatSi(static_cast<double>(nodes.overlay_macs), "MAC").c_str());
  std::printf("calibration  %s\n", model.calibration.c_str());
  if (model.pictures) {
    std::printf("pictures     %s%s\n", io::Summary(model.preprocess).c_str(),
                model.preprocess_given ? "" : " (the default; --scale, --mean, --std ... change it)");
  }
  if (const auto batch = model.graph.metadata.find("batch"); batch != model.graph.metadata.end()) {
    std::printf("batch        %s\n", batch->second.c_str());
  }
  std::printf("%s", tools::Text(estimate).c_str());
}

nlohmann::ordered_json SummaryJson(const CompileFlags& flags, const tools::QuantizedModel& model,
                                   const Program& program, uint64_t file_bytes, const tools::Estimate& estimate) {
  const tools::PlacementCount nodes = tools::CountPlacements(program);
  nlohmann::ordered_json document;
  document["output"] = flags.output;
  document["bytes"] = file_bytes;
  document["configuration"] = program.config.name;
  document["nodes"] = tools::NodesJson(program);
  document["overlay_nodes"] = nodes.overlay;
  document["cpu_nodes"] = nodes.cpu;
  document["folded_nodes"] = nodes.folded;
  document["overlay_macs"] = nodes.overlay_macs;
  document["parameters"] = tools::CountParameters(model.graph).numbers;
  document["calibration"] = {{"text", model.calibration},
                             {"without_data", model.source == tools::ScaleSource::kSynthetic}};
  document["preprocessing"] = nlohmann::ordered_json::parse(program.preprocessing);
  document["modelled"] = tools::ToJson(estimate);
  return document;
}

compiler::CompileOptions CheckFlags(const CompileFlags& flags, const tools::CommonOptions& common,
                                    tools::StageDumper& dumper) {
  const bool json = common.json && *common.json == "-";
  for (const std::string& dump : flags.dumps) tools::CheckUsage("--dump-after", dumper.Add(dump));
  if (dumper.UsesStdout() && json) {
    tools::UsageError("--dump-after and --json both want stdout", "give one of them a file");
  }
  if (flags.explain && *flags.explain != "text" && (json || dumper.UsesStdout())) {
    tools::UsageError("--explain=" + *flags.explain + " wants stdout for itself", "give --json and --dump-after files");
  }
  const std::string alone = flags.explain ? "--explain" : flags.estimate ? "--estimate" : "";
  if (!alone.empty() && (!flags.output.empty() || !flags.report.empty())) {
    tools::UsageError(alone + " writes no program: it does not go with --output and --report", "");
  }
  if (flags.arch.empty() && !flags.explain) {
    tools::UsageError("--arch is required", "--arch B4096, another built-in name, a JSON file, or a device (xrt:0)");
  }
  compiler::CompileOptions options;
  options.optimization = flags.optimization;
  options.debug_tensors = flags.debug_tensors;
  options.stagger = !flags.no_stagger;
  options.share_depthwise = !flags.no_share;
  if (!flags.tiling.empty()) {
    auto tiling = tools::ParseTiling(flags.tiling);
    if (!tiling.ok()) tools::UsageError("--tiling: " + tiling.failure().message, tiling.failure().hint);
    options.tiling = *tiling;
  }
  for (const std::string& target : flags.targets) {
    if (target.rfind("cpu:", 0) != 0 || target.size() == 4) {
      tools::UsageError("--target: '" + target + "' is not of the form cpu:NODE");
    }
    options.cpu_nodes.push_back(target.substr(4));
  }
  return options;
}

compiler::Explanation ExplainModel(const tools::QuantizedModel& model, const compiler::CompileOptions& options) {
  return compiler::Explain(model.graph, options);
}

/// --explain. A model that does not compile is explained all the same, and then refused.
Status PrintExplanation(const CompileFlags& flags, const tools::Tool& tool, const tools::QuantizedModel& model,
                        const compiler::CompileOptions& options) {
  const compiler::Explanation explanation = ExplainModel(model, options);
  nlohmann::ordered_json document;
  document["model"] = std::filesystem::path(flags.model.model).filename();
  document["configuration"] = options.config.name;
  document.update(tools::ToJson(explanation));
  if (*flags.explain == "json") {
    XRUN_RETURN_IF_ERROR(tools::PrintJson(document));
  } else if (*flags.explain == "dot") {
    std::fputs(tools::Dot(explanation, model.graph.name).c_str(), stdout);
  } else if (tool.common().text()) {
    std::printf("%sfor          %s\n", tools::Text(explanation).c_str(), options.config.name.c_str());
  }
  XRUN_RETURN_IF_ERROR(tool.WriteJson(document));
  if (!explanation.refusal) return {};
  return Failure(*explanation.refusal).In(flags.model.model);
}

/// --explain of a model that cannot be imported: all the nodes that stand in the way, where the failure names the
/// first.
Status PrintRefused(const CompileFlags& flags, const tools::Tool& tool) {
  XRUN_ASSIGN_OR_RETURN(const std::vector<compiler::RefusedNode> refused,
                        compiler::FindRefusedNodes(flags.model.model));
  nlohmann::ordered_json document;
  document["model"] = std::filesystem::path(flags.model.model).filename();
  document["compiles"] = false;
  document["refused"] = tools::ToJson(refused);
  if (*flags.explain == "json") XRUN_RETURN_IF_ERROR(tools::PrintJson(document));
  if (*flags.explain == "text" && tool.common().text() && !refused.empty()) {
    std::fputs(tools::Text(refused).c_str(), stdout);
  }
  return tool.WriteJson(document);
}

Result<Program> CompileModel(const CompileFlags& flags, const tools::CommonOptions& common,
                             const tools::QuantizedModel& model, compiler::CompileOptions& options,
                             tools::StageDumper& dumper, std::vector<compiler::MemoryMap>* memory) {
  tools::Progress progress("compiling, stage", 0, common.progress_mode());
  options.observer = [&](const std::string& stage, const std::function<std::string()>& text) {
    dumper(stage, text);
    progress.Advance();
  };
  options.memory_observer = [&](compiler::MemoryMap map) { memory->push_back(std::move(map)); };
  auto compiled = compiler::Compile(model.graph, options);
  options.observer = {};
  options.memory_observer = {};
  if (!compiled.ok()) return std::move(compiled).failure().In(flags.model.model);
  Describe(flags, model, *compiled);
  dumper("encode", [&] { return tools::DisassemblyText(*compiled); });
  XRUN_RETURN_IF_ERROR(dumper.status());
  return compiled;
}

/// --estimate: how long a program would take that is not written.
Status PrintEstimate(const tools::Tool& tool, const Program& program, const tools::Estimate& estimate) {
  if (tool.common().text()) {
    std::printf("program      none written, modelled for %s\n%s", program.config.name.c_str(),
                tools::Text(estimate).c_str());
  }
  nlohmann::ordered_json document;
  document["configuration"] = program.config.name;
  document["modelled"] = tools::ToJson(estimate);
  return tool.WriteJson(document);
}

void WarnOfMissed(const tools::Tool& tool, const tools::StageDumper& dumper, const std::string& reason) {
  for (const std::string& stage : dumper.Missed()) {
    tool.Warn("--dump-after " + stage + ": this stage did not run, as " + reason);
  }
}

Status Run(CompileFlags& flags, const tools::Tool& tool) {
  const tools::CommonOptions& common = tool.common();
  tools::StageDumper dumper;
  compiler::CompileOptions options = CheckFlags(flags, common, dumper);
  XRUN_ASSIGN_OR_RETURN(options.config, tools::ConfigOf(flags.arch.empty() ? "B4096" : flags.arch));
  if (flags.output.empty()) flags.output = std::filesystem::path(flags.model.model).stem().string() + ".xprog";

  auto made = tools::MakeQuantizedModel(flags.model, common.progress_mode(), std::ref(dumper));
  if (!made.ok()) {
    if (flags.explain) XRUN_RETURN_IF_ERROR(PrintRefused(flags, tool));
    return std::move(made).failure();
  }
  tools::QuantizedModel& model = *made;
  if (!flags.emit_qdq.empty()) XRUN_RETURN_IF_ERROR(compiler::WriteQdq(model.graph, flags.emit_qdq));
  if (flags.explain) {
    XRUN_RETURN_IF_ERROR(dumper.status());
    WarnOfMissed(tool, dumper, "--explain ends after quantization, or the model is quantized already");
    return PrintExplanation(flags, tool, model, options);
  }

  std::vector<compiler::MemoryMap> memory;
  XRUN_ASSIGN_OR_RETURN(const Program program, CompileModel(flags, common, model, options, dumper, &memory));
  XRUN_ASSIGN_OR_RETURN(const tools::Estimate estimate, tools::EstimateProgram(program));
  if (flags.estimate) return PrintEstimate(tool, program, estimate);
  XRUN_RETURN_IF_ERROR(WriteProgram(program, flags.output));

  std::error_code error;
  const uint64_t file_bytes = std::filesystem::file_size(flags.output, error);
  const nlohmann::ordered_json summary = SummaryJson(flags, model, program, error ? 0 : file_bytes, estimate);
  if (!flags.report.empty()) {
    XRUN_RETURN_IF_ERROR(tools::WriteReport(flags.report, program, ExplainModel(model, options), memory, summary));
  }
  if (common.text()) PrintSummary(flags, common, model, program, error ? 0 : file_bytes, estimate);
  WarnOfMissed(tool, dumper, "the model is quantized already");
  if (model.source == tools::ScaleSource::kSynthetic) {
    const std::string level = flags.optimization == 2 ? "" : " -O" + std::to_string(flags.optimization);
    tool.Warn(tools::AdviceWithoutData(model, "xcompile " + flags.model.CommandText() + " --arch " +
                                                  tools::ShellWord(flags.arch) + level + " -o " +
                                                  tools::ShellWord(flags.output)));
  }
  return tool.WriteJson(summary);
}

}  // namespace

int main(int argc, char** argv) {
  xrun::tools::Tool tool("xcompile",
                         "Compiles an ONNX model, float or quantized, for one configuration of the overlay.");
  CompileFlags flags;
  flags.AddTo(tool.app());
  return tool.Run(argc, argv, [&] { return Run(flags, tool); });
}
