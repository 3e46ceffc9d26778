// make_float_graphs: random float ONNX models, their inputs, and what the float executor makes of them.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "recipes.h"
#include "run_twice.h"
#include "runtime/io/npy.h"

namespace {

using namespace xrun;

constexpr const char* kUsage =
    "usage: make_float_graphs DIR [--first S] [--seeds N]\n"
    "For each seed from S (1) on, N of them (100), writes into DIR:\n"
    "  SEED.onnx  a random float model\n"
    "  SEED.npz   input/NAME; imported/I: output I of the float executor after import; passed/I: after all passes\n"
    "A line a seed on stdout: \"SEED ok\", or \"SEED failed: WHY\" when a model was refused or the two runs differ.\n"
    "Exit code 1 when any failed.\n";

int Usage(const std::string& problem) {
  std::fprintf(stderr, "make_float_graphs: %s\n%s", problem.c_str(), kUsage);
  return 2;
}

bool Number(const char* text, uint64_t* number) {
  char* end = nullptr;
  *number = std::strtoull(text, &end, 10);
  return end != text && *end == '\0';
}

Status WriteAll(uint64_t seed, const std::filesystem::path& folder) {
  float_graphs::ModelMaker maker = float_graphs::MakeModel(seed);
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

}  // namespace

int main(int argc, char** argv) {
  uint64_t first = 1, seeds = 100;
  std::string folder;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help") return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
    if (argument == "--first" || argument == "--seeds") {
      if (i + 1 == argc || !Number(argv[++i], argument == "--first" ? &first : &seeds)) {
        return Usage(argument + " wants a number");
      }
    } else if (argument.rfind("--", 0) == 0 || !folder.empty()) {
      return Usage("unexpected " + argument);
    } else {
      folder = argument;
    }
  }
  if (folder.empty()) return Usage("a folder is wanted");
  int failed = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const Status done = WriteAll(seed, folder);
    failed += done.ok() ? 0 : 1;
    std::printf("%llu %s%s\n", static_cast<unsigned long long>(seed),
                done.ok() ? "ok" : "failed: ", done.ok() ? "" : done.failure().message.c_str());
  }
  return failed == 0 ? 0 : 1;
}
