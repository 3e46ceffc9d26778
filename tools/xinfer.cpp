// xinfer: runs a program on given inputs.

#include <cstdio>

#include "isa/program.h"
#include "simulator/simulator.h"
#include "simulator/timing_model.h"
#include "tools/common/format.h"
#include "tools/common/tool.h"
#include "tools/driver/estimate.h"
#include "tools/driver/infer.h"
#include "tools/driver/tensors.h"
#include "tools/driver/trace_file.h"

namespace {

using namespace xrun;

struct InferFlags {
  std::string program, device = "sim", trace, compare, dump;
  std::vector<std::string> inputs, outputs;
  bool raw = false, timed = false;
  double atol = 0;

  void AddTo(CLI::App& app) {
    app.add_option("PROG", program, "Program file")->required()->type_name("FILE.xprog");
    app.add_option("-i,--input", inputs, "Array or picture; N times the input's size runs N times; once per input")
        ->required()
        ->type_name("[NAME=]FILE")
        ->allow_extra_args(false);
    app.add_option("-o,--output", outputs, "Write outputs: .npz all, .npy one; repeatable [a summary on stdout]")
        ->type_name("[NAME=]FILE")
        ->allow_extra_args(false);
    app.add_option("--device", device, "sim, csim or xrt:N; sim:CONFIG, csim:CONFIG insist on a configuration [sim]")
        ->type_name("DEVICE");
    app.add_flag("--raw", raw, "Inputs and outputs in the tensors' own types (int8), not as float values");
    app.add_flag("--timed", timed, "Also print modelled cycles (one request, cold)");
    app.add_option("--trace", trace, "Write the modelled run as Chrome/Perfetto JSON")->type_name("FILE.json");
    app.add_option("--dump-tensors", dump,
                   "Write every tensor of one run as .npy; inside launches with xcompile --debug-tensors")
        ->type_name("DIR");
    auto* compare_flag =
        app.add_option("--compare", compare,
                       "Compare outputs or any tensors by name; the first difference is named, exit code 1")
            ->type_name("REF.npz|DIR");
    app.add_option("--atol", atol, "With --compare: largest difference of float values that counts as equal [0]")
        ->check(CLI::NonNegativeNumber)
        ->needs(compare_flag)
        ->type_name("X");
  }
};

/// One request through the timing model, each overlay step on its own.
Status TimedMode(const InferFlags& flags, const tools::Tool& tool, nlohmann::ordered_json& document) {
  XRUN_ASSIGN_OR_RETURN(const Program program, ReadProgram(flags.program));
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (size_t s = 0; s < program.overlay_steps.size(); ++s) {
    const auto prepared = simulator::Prepare(program, program.overlay_steps[s]);
    XRUN_ASSIGN_OR_RETURN(
        const simulator::TimingReport report,
        simulator::SimulateTiming(*prepared, {.requests = 1, .sample_cycles = tools::kTraceSampleCycles}));
    steps.push_back({{"cycles", report.cycles},
                     {"seconds", static_cast<double>(report.cycles) / (1e6 * program.config.clock_mhz)}});
    if (flags.timed && tool.common().text()) {
      std::printf("\noverlay step %zu, modelled:\n%s", s, simulator::Summary(report, program.config).c_str());
    }
    if (flags.trace.empty()) continue;
    XRUN_RETURN_IF_ERROR(tools::WriteTraceFile(*prepared, report, flags.trace, s, program.overlay_steps.size()));
  }
  document["modelled"] = {{"assumptions", tools::Assumptions(program.config)}, {"steps", std::move(steps)}};
  return {};
}

Status Run(const InferFlags& flags, const tools::Tool& tool) {
  XRUN_ASSIGN_OR_RETURN(tools::LoadedSession loaded, tools::OpenSession(flags.program, flags.device, {}));
  tools::Inputs inputs;
  if (flags.raw) {
    XRUN_ASSIGN_OR_RETURN(inputs, tools::LoadRawInputs(flags.inputs, loaded.session));
  } else {
    XRUN_ASSIGN_OR_RETURN(const io::Preprocess preprocess, tools::PreprocessOf(loaded.program));
    XRUN_ASSIGN_OR_RETURN(inputs, tools::LoadInputs(flags.inputs, loaded.session, preprocess));
  }
  const std::shared_ptr<const Program> program = internal::ProgramOf(loaded.program);
  const bool one = inputs.runs == 1 && inputs.samples == inputs.batch;
  std::optional<tools::TensorTap> tap;
  if (!flags.dump.empty() && !one) {
    return Failure{"--dump-tensors shows one run, the inputs make " + std::to_string(inputs.runs), "give one sample"};
  }
  if (one && (!flags.dump.empty() || !flags.compare.empty())) tap.emplace(loaded.session, program);
  XRUN_ASSIGN_OR_RETURN(const io::NamedArrays outputs, tools::RunAll(loaded.session, inputs, flags.raw));
  std::vector<tools::CapturedTensor> tensors;
  if (tap) tensors = tap->Take();
  XRUN_RETURN_IF_ERROR(tools::WriteOutputs(flags.outputs, outputs));
  if (!flags.dump.empty()) {
    XRUN_RETURN_IF_ERROR(tools::DumpTensors(flags.dump, tensors, *program));
    if (!tools::ShowsInsides(*program)) {
      tool.Warn("the program was compiled without --debug-tensors: tensors inside launches are not in " + flags.dump);
    }
  }
  if (tool.common().text()) std::fputs(tools::OutputsText(outputs, loaded.session).c_str(), stdout);

  nlohmann::ordered_json document;
  document["program"] = flags.program;
  document["inputs"] = inputs.description;
  document["samples"] = inputs.samples;
  nlohmann::ordered_json& list = document["outputs"] = nlohmann::ordered_json::array();
  for (const auto& [name, array] : outputs) {
    list.push_back({{"name", name}, {"type", io::Name(array.type)}, {"shape", array.shape}});
  }
  if (flags.timed || !flags.trace.empty()) XRUN_RETURN_IF_ERROR(TimedMode(flags, tool, document));
  Status compared;
  if (!flags.compare.empty()) {
    XRUN_ASSIGN_OR_RETURN(const io::NamedArrays expected, tools::LoadReference(flags.compare, outputs));
    compared = tap ? tools::CompareTensors(tensors, flags.compare, expected, flags.atol, *program)
                   : tools::CompareOutputs(flags.compare, expected, outputs, flags.atol);
    document["equal"] = compared.ok();
    if (compared.ok() && tool.common().text()) {
      std::printf("%s to %s\n", flags.atol > 0 ? "close enough" : "equal", flags.compare.c_str());
    }
  }
  XRUN_RETURN_IF_ERROR(tool.WriteJson(document));
  return compared;
}

}  // namespace

int main(int argc, char** argv) {
  xrun::tools::Tool tool("xinfer", "Runs a compiled program on given inputs.");
  InferFlags flags;
  flags.AddTo(tool.app());
  return tool.Run(argc, argv, [&] { return Run(flags, tool); });
}
