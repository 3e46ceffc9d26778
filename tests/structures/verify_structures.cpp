// verify_structures: full-size networks through the whole path, compared byte by byte with the oracle.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "verify.h"

namespace {

using namespace xrun;
using structures::Outcome;
using structures::Quantized;
using structures::Structure;

constexpr const char* kUsage =
    "usage: verify_structures [NAME[@N]...] [--quick] [--arch CONFIG]... [-O LEVEL] [--every-tensor] [--seed S]\n"
    "Generates, quantizes and compiles each structure (all by default) for B512, B2304, B4096 and K26, runs it in the\n"
    "simulator and compares with the oracle. @N: N samples at once. --quick: small structures on B4096. "
    "--every-tensor: compares every int8\n"
    "tensor, not just what launches give. Exits 1 when anything fails.\n";

struct Flags {
  std::vector<std::string> names, configs;
  bool every_tensor = false;
  int optimization = 2;
  uint64_t seed = 1;
};

[[noreturn]] void Usage(const std::string& problem) {
  std::fprintf(stderr, "verify_structures: %s\n%s", problem.c_str(), kUsage);
  std::exit(2);
}

Flags Parse(int argc, char** argv) {
  Flags flags;
  const auto value = [&](int& i) -> std::string {
    if (i + 1 >= argc) Usage(std::string(argv[i]) + " wants a value");
    return argv[++i];
  };
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (argument == "--quick") {
      flags.names = {"mobilenet_v2", "squeezenet1_1"};
      flags.configs = {"B4096"};
    } else if (argument == "--arch") {
      flags.configs.push_back(value(i));
    } else if (argument == "-O") {
      flags.optimization = std::atoi(value(i).c_str());
      if (flags.optimization < 0 || flags.optimization > 3) Usage("-O wants 0, 1, 2 or 3");
    } else if (argument == "--every-tensor") {
      flags.every_tensor = true;
    } else if (argument == "--seed") {
      flags.seed = std::strtoull(value(i).c_str(), nullptr, 10);
    } else if (argument.rfind("--", 0) == 0) {
      Usage("unknown option " + argument);
    } else {
      flags.names.push_back(argument);
    }
  }
  if (flags.configs.empty()) flags.configs = {"B512", "B2304", "B4096", "K26"};
  if (flags.names.empty()) {
    for (const Structure& structure : structures::Structures()) flags.names.push_back(structure.name);
  }
  return flags;
}

void PrintFailure(const std::string& structure, const std::string& config, const Failure& failure) {
  std::printf("%-20s %-6s FAIL  %s\n", structure.c_str(), config.c_str(), failure.ToString().c_str());
  std::fflush(stdout);
}

void PrintOutcome(const std::string& structure, const std::string& config, const Outcome& o) {
  std::printf(
      "%-20s %-6s same bytes  compile %5.1f s, run %5.1f s;  %3zu nodes on the overlay, on the CPU %s;  %.3f of "
      "%.3f GMAC;  %.1f fps modelled\n",
      structure.c_str(), config.c_str(), o.compile_seconds, o.run_seconds, o.overlay_nodes, o.cpu_nodes.c_str(),
      o.overlay_macs / 1e9, o.all_macs / 1e9, o.modelled_fps);
  std::fflush(stdout);
}

/// Number of failures.
int Verify(const std::string& structure, const Flags& flags) {
  const Result<Quantized> model =
      structures::QuantizeStructure(*structures::FindStructure(structure), flags.seed, structures::BatchOf(structure));
  if (!model.ok()) {
    PrintFailure(structure, "all", model.failure());
    return 1;
  }
  std::printf("%-20s        seed %llu: generate and quantize %.1f s, oracle %.1f s\n", structure.c_str(),
              static_cast<unsigned long long>(flags.seed), model->quantize_seconds, model->oracle_seconds);
  std::fflush(stdout);
  int failures = 0;
  for (const std::string& name : flags.configs) {
    const Result<HardwareConfig> config = FindConfig(name);
    if (!config.ok()) Usage(config.failure().ToString());
    const Result<Outcome> outcome =
        structures::VerifyStructure(*model, *config, flags.every_tensor, flags.optimization);
    if (outcome.ok()) {
      PrintOutcome(structure, name, *outcome);
    } else {
      PrintFailure(structure, name, outcome.failure());
      ++failures;
    }
  }
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  const Flags flags = Parse(argc, argv);
  for (const std::string& name : flags.names) {
    if (structures::FindStructure(name) == nullptr) Usage("there is no structure '" + name + "'");
  }
  int failures = 0;
  for (const std::string& name : flags.names) failures += Verify(name, flags);
  if (failures > 0) std::printf("%d failed\n", failures);
  return failures > 0 ? 1 : 0;
}
