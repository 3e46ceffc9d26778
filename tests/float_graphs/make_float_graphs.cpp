// make_float_graphs: random float ONNX models, their inputs, and what the float executor makes of them.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "recipes.h"
#include "run_twice.h"
#include "runtime/io/npy.h"

namespace {

using namespace xrun;

constexpr const char* kAbout =
    "Random float ONNX models. For each seed writes into DIR:\n"
    "  SEED.onnx  the model\n"
    "  SEED.npz   input/NAME; imported/I: output I of the float executor after import; passed/I: after all passes\n"
    "A line a seed on stdout: \"SEED ok\", or \"SEED failed: WHY\" when a model was refused or the two runs differ.\n"
    "Exit code 1 when any failed.";

Status WriteAll(uint64_t seed, const std::filesystem::path& folder, bool every_tensor) {
  float_graphs::ModelMaker maker = float_graphs::MakeModel(seed, every_tensor);
  const std::string stem = (folder / std::to_string(seed)).string();
  std::ofstream file(stem + ".onnx", std::ios::binary);
  if (!maker.model().SerializeToOstream(&file) || !file.flush()) return Failure{stem + ".onnx cannot be written", ""};
  auto runs = float_graphs::RunTwice(maker);
  io::NamedArrays arrays;
  for (const auto& input : maker.inputs()) {
    arrays["input/" + input.tensor.name] = io::Array::Of(input.tensor.shape, input.values);
  }
  for (size_t i = 0; runs.ok() && i < runs->imported.size(); ++i) {
    arrays["imported/" + std::to_string(i)] = runs->imported[i];
    arrays["passed/" + std::to_string(i)] = runs->passed[i];
  }
  XRUN_RETURN_IF_ERROR(io::SaveNpz(stem + ".npz", arrays));
  if (!runs.ok()) return std::move(runs).failure();
  for (size_t i = 0; i < runs->imported.size(); ++i) {
    const std::string difference = float_graphs::FirstDifference(runs->imported[i], runs->passed[i]);
    if (!difference.empty()) {
      return Failure{"output '" + maker.outputs()[i].name + "' before and after the passes: " + difference, ""};
    }
  }
  return {};
}

/// Inputs, opset, nodes and short constants.
int Show(uint64_t seed) {
  float_graphs::ModelMaker maker = float_graphs::MakeModel(seed);
  const onnx::ModelProto& model = maker.model();
  std::printf("opset %lld\n", static_cast<long long>(model.opset_import(0).version()));
  for (const auto& input : maker.inputs()) {
    std::printf("input %s %s\n", input.tensor.name.c_str(), io::ShapeText(input.tensor.shape).c_str());
  }
  constexpr size_t kLongest = 400;
  for (const auto& constant : model.graph().initializer()) {
    std::printf("constant %s\n", constant.ShortDebugString().substr(0, kLongest).c_str());
  }
  for (const auto& node : model.graph().node()) std::printf("node %s\n", node.ShortDebugString().c_str());
  for (const auto& output : maker.outputs()) {
    std::printf("output %s %s\n", output.name.c_str(), io::ShapeText(output.shape).c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t first = 1, seeds = 100, shown = 0;
  std::string folder;
  bool every_tensor = false;
  CLI::App app(kAbout, "make_float_graphs");
  const CLI::Option* directory = app.add_option("DIR", folder)->check(CLI::ExistingDirectory);
  app.add_option("--first", first, "First seed")->capture_default_str();
  app.add_option("--seeds", seeds, "So many seeds")->capture_default_str();
  app.add_flag("--every-tensor", every_tensor, "Every tensor an output, to find where results part");
  const CLI::Option* show = app.add_option("--show", shown, "Print the model of a seed as text, nothing else");
  app.callback([&] {
    if (directory->empty() == show->empty()) throw CLI::ValidationError("either DIR or --show is wanted");
  });
  CLI11_PARSE(app, argc, argv);
  if (!show->empty()) return Show(shown);
  int failed = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const Status done = WriteAll(seed, folder, every_tensor);
    failed += done.ok() ? 0 : 1;
    std::printf("%llu %s%s\n", static_cast<unsigned long long>(seed),
                done.ok() ? "ok" : "failed: ", done.ok() ? "" : done.failure().message.c_str());
  }
  return failed == 0 ? 0 : 1;
}
