// xeval: a program's accuracy on labelled data, beside that of the float model.

#include <algorithm>
#include <cstdio>
#include <thread>

#include "compiler/compile.h"
#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/absorb_qdq.h"
#include "isa/program.h"
#include "tools/common/format.h"
#include "tools/common/table.h"
#include "tools/common/tool.h"
#include "tools/driver/estimate.h"
#include "tools/driver/evaluate.h"
#include "tools/driver/layer_errors.h"
#include "tools/driver/tensors.h"

namespace {

using namespace xrun;

struct EvalFlags {
  std::string program, labels, float_model, qdq, device = "sim";
  std::vector<std::string> data;
  tools::EvaluateOptions options;
  int64_t limit = 0, layers = 0;
  int jobs = 0;

  void AddTo(CLI::App& app) {
    app.add_option("PROG", program, "Program file")->required()->type_name("FILE.xprog");
    app.add_option("--data", data, "Directory, list.txt, .npy, .npz, IDX or IDX.gz; once per input")
        ->required()
        ->type_name("[NAME=]PATH")
        ->allow_extra_args(false);
    app.add_option("--labels", labels, ".npy, IDX or text, one per sample; dirnames: the data's class directories")
        ->type_name("FILE|dirnames");
    auto* float_flag = app.add_option("--float", float_model, "Float model to compare with")->type_name("FILE.onnx");
    app.add_option("--topk", options.top_k, "A label counts as found among the K best [1,5]")
        ->delimiter(',')
        ->check(CLI::PositiveNumber)
        ->type_name("K,K...");
    app.add_option("--label-offset", options.label_offset, "Added to every label [0]")->type_name("N");
    app.add_option("--limit", limit, "Only the first N samples")->check(CLI::PositiveNumber)->type_name("N");
    auto* layers_flag =
        app.add_option("--layers", layers,
                       "Also each layer's error on the first N samples; needs --float, and --debug-tensors or --qdq")
            ->check(CLI::PositiveNumber)
            ->needs(float_flag)
            ->type_name("N");
    app.add_option("--qdq", qdq, "The program's quantized graph: --layers measures each layer on its own too")
        ->needs(layers_flag)
        ->type_name("FILE.onnx");
    app.add_option("-j,--jobs", jobs, "Threads [one per processor]")->check(CLI::Range(1, 1024))->type_name("N");
    app.add_option("--device", device, "sim, csim or xrt:N; sim:CONFIG, csim:CONFIG insist on a configuration [sim]")
        ->type_name("DEVICE");
  }
};

/// Labels as the flags say; none is a failure unless there is a float model to compare with.
Result<std::optional<std::vector<int64_t>>> FindLabels(const EvalFlags& flags, const io::Dataset& data) {
  std::optional<std::vector<int64_t>> labels;
  if (flags.labels == "dirnames") {
    XRUN_ASSIGN_OR_RETURN(labels, data.DirectoryLabels());
  } else if (!flags.labels.empty()) {
    XRUN_ASSIGN_OR_RETURN(labels, io::LoadLabels(flags.labels));
  } else if (data.labels()) {
    labels = *data.labels();
  } else if (flags.float_model.empty()) {
    return Failure{"nothing to compare with", "give --labels FILE, --labels dirnames, or --float MODEL.onnx"};
  }
  // With --limit the samples are the first of more, which the labels may cover all.
  const auto count = labels ? static_cast<int64_t>(labels->size()) : data.samples();
  if (count < data.samples() || (count != data.samples() && flags.limit == 0)) {
    return Failure{"there are " + std::to_string(count) + " labels for " + std::to_string(data.samples()) + " samples",
                   "is it the right file?"};
  }
  return labels;
}

Result<compiler::Graph> LoadFloatModel(const std::string& path, const api::Session& session) {
  compiler::ImportOptions options;
  for (const api::TensorInfo& t : session.inputs()) options.input_shapes[t.name] = t.shape;
  XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, compiler::ImportOnnx(path, options));
  if (compiler::HasQdq(graph)) return Failure{path + " is quantized; --float takes the float model", ""};
  if (Status canonical = compiler::Canonicalize(graph); !canonical.ok()) {
    return std::move(canonical).failure().In(path);
  }
  return graph;
}

/// What xquantize and xcompile --emit-qdq write.
Result<compiler::Graph> LoadQuantizedGraph(const std::string& path, const api::Session& session) {
  compiler::ImportOptions options;
  for (const api::TensorInfo& t : session.inputs()) options.input_shapes[t.name] = t.shape;
  XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, compiler::ImportOnnx(path, options));
  if (!compiler::HasQdq(graph)) {
    return Failure{path + " is not quantized", "--qdq takes what xcompile --emit-qdq or xquantize wrote"};
  }
  Status canonical = compiler::Canonicalize(graph);
  if (!canonical.ok()) return std::move(canonical).failure().In(path);
  auto quantized = compiler::AbsorbQdq(graph);
  if (!quantized.ok()) return std::move(quantized).failure().In(path);
  return quantized;
}

/// The same quantized graph as a program that shows every tensor.
Result<std::shared_ptr<const Program>> DebugProgram(const compiler::Graph& quantized, const HardwareConfig& config) {
  compiler::CompileOptions options;
  options.config = config;
  options.debug_tensors = true;
  XRUN_ASSIGN_OR_RETURN(Program program, compiler::Compile(quantized, options));
  return std::make_shared<const Program>(std::move(program));
}

Result<std::vector<tools::LayerError>> EvaluateLayers(const EvalFlags& flags, const tools::LoadedSession& loaded,
                                                      const compiler::Graph& float_model, const io::Dataset& data,
                                                      tools::ProgressMode progress_mode) {
  tools::LayerErrorInputs inputs{internal::ProgramOf(loaded.program), &float_model, nullptr, &data, flags.layers};
  std::optional<compiler::Graph> quantized;
  if (!flags.qdq.empty()) {
    XRUN_ASSIGN_OR_RETURN(quantized, LoadQuantizedGraph(flags.qdq, loaded.session));
    inputs.quantized = &*quantized;
    XRUN_ASSIGN_OR_RETURN(const auto debug, DebugProgram(*quantized, inputs.program->config));
    Status same = tools::CheckSameResults(inputs.program, debug, data, flags.layers);
    if (!same.ok()) return std::move(same).failure().In(flags.qdq);
    inputs.program = debug;
  } else if (!tools::ShowsInsides(*inputs.program)) {
    return Failure{flags.program + ": the program does not show its layers' results",
                   "compile it with --debug-tensors, or give its quantized graph with --qdq"};
  }
  tools::Progress progress("measuring layers", std::min(flags.layers, data.runs()), progress_mode);
  return tools::MeasureLayers(inputs, progress);
}

double Fraction(int64_t part, int64_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

nlohmann::ordered_json AccuracyJson(const tools::Accuracy& accuracy, const tools::EvaluateOptions& options, int64_t n) {
  nlohmann::ordered_json json;
  for (size_t k = 0; k < options.top_k.size(); ++k) {
    json["top" + std::to_string(options.top_k[k])] = Fraction(accuracy.correct[k], n);
  }
  return json;
}

std::string Report(const tools::Evaluation& result, const EvalFlags& flags, const Program& program,
                   const tools::Estimate& estimate, const io::Dataset& data) {
  std::string text = "data         " + data.Describe() + "\n";
  text += "samples      " + tools::FormatCount(result.samples) + "\n";
  if (const auto it = program.info.find("calibration"); it != program.info.end()) {
    text += "calibration  " + it->second + "\n";
  }
  if (result.int8) {
    std::vector<tools::Table::Column> columns = {{""}};
    for (int64_t k : flags.options.top_k) columns.push_back({"top-" + std::to_string(k), tools::Table::Align::kRight});
    tools::Table table(std::move(columns));
    const auto row = [&](const char* name, const tools::Accuracy& accuracy) {
      std::vector<std::string> cells = {name};
      for (int64_t correct : accuracy.correct) cells.push_back(tools::FormatPercent(Fraction(correct, result.samples)));
      table.AddRow(std::move(cells));
    };
    row("int8", *result.int8);
    if (result.float32) row("float", *result.float32);
    text += "\n" + table.ToString() + "\n";
  }
  if (result.agreeing) {
    text += "agreement    " + tools::FormatPercent(Fraction(*result.agreeing, result.samples)) +
            " of samples get the same class from both\n";
  }
  text += tools::Text(estimate);
  text += "host time    " + tools::FormatDuration(result.seconds) + ", " +
          tools::FormatSi(static_cast<double>(result.samples) / result.seconds, "samples/s") +
          " (simulator and float model on this machine; says nothing about the overlay)\n";
  return text;
}

Status Run(EvalFlags& flags, const tools::Tool& tool) {
  flags.options.jobs = flags.jobs > 0 ? flags.jobs : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const auto jobs = static_cast<unsigned>(flags.options.jobs);
  XRUN_ASSIGN_OR_RETURN(const Program program, ReadProgram(flags.program));
  XRUN_ASSIGN_OR_RETURN(
      tools::LoadedSession loaded,
      tools::OpenSession(flags.program, flags.device,
                         {.in_flight = std::min(8 * jobs, 1024U), .launches = jobs, .cpu_threads = 1}));
  XRUN_ASSIGN_OR_RETURN(const io::Preprocess preprocess, tools::PreprocessOf(loaded.program));
  XRUN_ASSIGN_OR_RETURN(const io::Dataset data, io::Dataset::Open(flags.data, tools::InputSpecsOf(loaded.session),
                                                                  {.preprocess = preprocess, .limit = flags.limit}));
  XRUN_ASSIGN_OR_RETURN(const auto labels, FindLabels(flags, data));
  std::optional<compiler::Graph> float_model;
  if (!flags.float_model.empty()) {
    XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, LoadFloatModel(flags.float_model, loaded.session));
    float_model = std::move(graph);
  }
  XRUN_ASSIGN_OR_RETURN(const tools::Estimate estimate, tools::EstimateProgram(program));

  tools::Progress progress("evaluating", data.samples(), tool.common().progress_mode());
  XRUN_ASSIGN_OR_RETURN(const tools::Evaluation result,
                        tools::Evaluate(loaded.session, float_model ? &*float_model : nullptr, data,
                                        labels ? &*labels : nullptr, flags.options, progress));
  progress.Finish();
  std::vector<tools::LayerError> layers;
  if (flags.layers > 0) {
    XRUN_ASSIGN_OR_RETURN(layers, EvaluateLayers(flags, loaded, *float_model, data, tool.common().progress_mode()));
  }
  if (tool.common().text()) {
    std::fputs(Report(result, flags, program, estimate, data).c_str(), stdout);
    if (flags.layers > 0) std::printf("\n%s", tools::Text(layers).c_str());
  }

  nlohmann::ordered_json document;
  document["n"] = result.samples;
  if (result.int8) document["int8"] = AccuracyJson(*result.int8, flags.options, result.samples);
  if (result.float32) document["float"] = AccuracyJson(*result.float32, flags.options, result.samples);
  if (result.agreeing) document["agreement"] = Fraction(*result.agreeing, result.samples);
  document["modelled"] = tools::ToJson(estimate);
  document["host"] = {{"seconds", result.seconds},
                      {"samples_per_second", static_cast<double>(result.samples) / result.seconds},
                      {"jobs", flags.options.jobs}};
  if (flags.layers > 0) {
    document["layer_samples"] = std::min(flags.layers, data.runs());
    document["layers"] = tools::ToJson(layers);
  }
  const auto calibration = program.info.find("calibration");
  document["calibration"] = calibration == program.info.end() ? "" : calibration->second;
  return tool.WriteJson(document);
}

}  // namespace

int main(int argc, char** argv) {
  xrun::tools::Tool tool("xeval", "Measures a program's accuracy on labelled data, beside the float model's.");
  EvalFlags flags;
  flags.AddTo(tool.app());
  return tool.Run(argc, argv, [&] { return Run(flags, tool); });
}
