// make_structure: writes a published network, with made-up weights, as ONNX.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "structures.h"

namespace {

constexpr const char* kUsage =
    "usage: make_structure NAME[@N] OUT.onnx [--seed S]\n"
    "       make_structure --list\n"
    "Writes a full-size network structure with random weights and realistic activations; @N: for N samples at once.\n"
    "--list names them all.\n";

int Usage(const std::string& problem) {
  std::fprintf(stderr, "make_structure: %s\n%s", problem.c_str(), kUsage);
  return 2;
}

int List() {
  std::printf("%-20s %12s %8s  %s\n", "name", "parameters", "GMAC", "source");
  for (const auto& s : xrun::structures::Structures()) {
    std::printf("%-20s %10.2f M %8.3f  %s\n", s.name.c_str(), s.million_parameters, s.giga_macs, s.source.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> names;
  uint64_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--list") return List();
    if (argument == "--help") return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
    if (argument == "--seed") {
      char* end = nullptr;
      if (i + 1 < argc) seed = std::strtoull(argv[++i], &end, 10);
      if (end == nullptr || end == argv[i] || *end != '\0') return Usage("--seed wants a number");
    } else if (argument.rfind("--", 0) == 0) {
      return Usage("unknown option " + argument);
    } else {
      names.push_back(argument);
    }
  }
  if (names.size() != 2) return Usage("a name and a file are wanted");
  const auto* structure = xrun::structures::FindStructure(names[0]);
  if (structure == nullptr) return Usage("there is no structure '" + names[0] + "'; --list names them");
  std::ofstream file(names[1], std::ios::binary);
  onnx::ModelProto model = structure->write(seed);
  if (const int64_t batch = xrun::structures::BatchOf(names[0]); batch != 1) {
    xrun::structures::SetBatch(batch, &model);
  }
  if (!model.SerializeToOstream(&file) || !file.flush()) {
    std::fprintf(stderr, "make_structure: '%s' cannot be written\n", names[1].c_str());
    return 1;
  }
  return 0;
}
