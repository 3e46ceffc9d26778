// reference_speed: how fast the float executor (calibration) and the simulator's interpreter run one structure.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/float_executor.h"
#include "compiler/import/import_onnx.h"
#include "compiler/macs.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/synthetic_inputs.h"
#include "simulator/simulator.h"
#include "verify.h"

namespace {

using namespace xrun;
using structures::Structure;

constexpr const char* kUsage =
    "usage: reference_speed [NAME] [--threads N] [--runs R] [--arch CONFIG]\n"
    "Speed of the host on one picture of a structure (resnet50): the float executor on N threads (2), and the "
    "simulator\n"
    "on one, of a program for CONFIG (B4096), by its fast and by its reference path. The fastest of R runs (5) each.\n"
    "Beside wall-clock time stands the work a second of processor time gives, which other load on the machine changes\n"
    "little.\n";

struct Flags {
  std::string network = "resnet50", config = "B4096";
  int threads = 2, runs = 5;
};

[[noreturn]] void Usage(const std::string& problem) {
  std::fprintf(stderr, "reference_speed: %s\n%s", problem.c_str(), kUsage);
  std::exit(2);
}

Flags Parse(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) Usage(argument + " wants a value");
      return argv[++i];
    };
    const auto number = [&] {
      const int n = std::atoi(value().c_str());
      if (n < 1) Usage(argument + " wants a number of at least 1");
      return n;
    };
    if (argument == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (argument == "--threads") {
      flags.threads = number();
    } else if (argument == "--runs") {
      flags.runs = number();
    } else if (argument == "--arch") {
      flags.config = value();
    } else if (argument.rfind("--", 0) == 0) {
      Usage("unknown option " + argument);
    } else {
      flags.network = argument;
    }
  }
  return flags;
}

struct Seconds {
  double wall = 0, processor = 0;  ///< the second: of all threads
};

double ProcessorSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The smallest of each over `runs` runs; the first failure ends it.
template <typename Run>
Result<Seconds> Fastest(int runs, Run&& run) {
  Seconds best{1e30, 1e30};
  for (int i = 0; i < runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const double processor = ProcessorSeconds();
    XRUN_RETURN_IF_ERROR(run());
    best.processor = std::min(best.processor, ProcessorSeconds() - processor);
    best.wall = std::min(best.wall, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

void Print(const char* what, double work, const char* unit, int threads, const Seconds& time) {
  std::printf("%-28s %d thread%s %8.3f s %8.2f %s/s   %8.2f %s per second of processor time\n", what, threads,
              threads == 1 ? " " : "s", time.wall, work / time.wall / 1e9, unit, work / time.processor / 1e9, unit);
  std::fflush(stdout);
}

double AllMacs(const compiler::Graph& graph) {
  double macs = 0;
  for (const compiler::Node& node : graph.nodes) macs += static_cast<double>(compiler::Macs(graph, node));
  return macs;
}

Status MeasureFloat(const Structure& structure, const Flags& flags) {
  std::string bytes;
  if (!structure.write(1).SerializeToString(&bytes)) return Failure{"the model cannot be serialized", ""};
  const std::span<const uint8_t> file(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, compiler::ImportOnnx(file, structure.name + ".onnx"));
  XRUN_RETURN_IF_ERROR(compiler::Canonicalize(graph));
  XRUN_ASSIGN_OR_RETURN(compiler::FloatExecutor executor, compiler::FloatExecutor::Create(graph, flags.threads));
  std::vector<std::vector<float>> pictures;
  for (const compiler::ValueId id : graph.inputs) {
    pictures.push_back(compiler::SyntheticInput(graph.at(id).shape, 0, 0, static_cast<float>(structure.lo),
                                                static_cast<float>(structure.hi)));
  }
  const std::vector<std::span<const float>> inputs(pictures.begin(), pictures.end());
  XRUN_ASSIGN_OR_RETURN(const Seconds time, Fastest(flags.runs, [&] { return executor.Run(inputs); }));
  Print("float executor", 2 * AllMacs(graph), "GFLOP", flags.threads, time);
  return {};
}

/// Overlay steps one after another on buffers of zeros: the time does not depend on data.
Status MeasureInterpreter(const Structure& structure, const HardwareConfig& config, const Flags& flags) {
  XRUN_ASSIGN_OR_RETURN(const compiler::Graph graph, structures::QuantizedGraph(structure, 1));
  compiler::CompileOptions options;
  options.config = config;
  options.stagger = false;  // one entry is one request
  XRUN_ASSIGN_OR_RETURN(const Program program, compiler::Compile(graph, options));
  struct Launch {
    std::shared_ptr<const simulator::PreparedStep> step;
    std::array<std::vector<uint8_t>, kBaseRegisters> memory;
    simulator::LaunchRequest request;
  };
  std::vector<Launch> launches(program.overlay_steps.size());
  for (size_t i = 0; i < launches.size(); ++i) {
    const OverlayStep& step = program.overlay_steps[i];
    Launch& launch = launches[i];
    launch.step = simulator::Prepare(program, step);
    for (const auto& bindings : {step.inputs, step.outputs}) {
      for (const Binding& b : bindings) {
        launch.memory[b.base].resize(launch.memory[b.base].size() + b.layout.Bytes(program.config));
      }
    }
    launch.memory[kBaseWorkspace].resize(step.workspace_bytes);
    for (size_t r = 0; r < kBaseRegisters; ++r) launch.request.registers[r] = launch.memory[r];
  }
  simulator::Machine machine(program.config);
  const auto measure = [&](const char* what, simulator::Path path, simulator::CheckLevel checks, int runs) -> Status {
    simulator::RunOptions run;
    run.path = path;
    run.checks = checks;
    XRUN_ASSIGN_OR_RETURN(const Seconds time, Fastest(runs, [&]() -> Status {
                            for (const Launch& launch : launches) {
                              simulator::LaunchReport report;
                              XRUN_RETURN_IF_ERROR(machine.Run(*launch.step, {&launch.request, 1}, run, &report));
                              if (report.macs == 0) return Failure{"a launch computed nothing", ""};
                            }
                            return {};
                          }));
    Print(what, AllMacs(graph), "GMAC", 1, time);
    return {};
  };
  using simulator::CheckLevel;
  using simulator::Path;
  XRUN_RETURN_IF_ERROR(measure("interpreter", Path::kFast, CheckLevel::kLimits, flags.runs));
  XRUN_RETURN_IF_ERROR(measure("interpreter, all checks", Path::kFast, CheckLevel::kFull, 1));
  return measure("interpreter, reference path", Path::kReference, CheckLevel::kLimits, 1);
}

}  // namespace

int main(int argc, char** argv) {
  const Flags flags = Parse(argc, argv);
  const Structure* structure = structures::FindStructure(flags.network);
  if (structure == nullptr) Usage("there is no structure '" + flags.network + "'");
  const Result<HardwareConfig> config = FindConfig(flags.config);
  if (!config.ok()) Usage(config.failure().ToString());
  std::printf("%s, simulator kernels: %s\n", structure->name.c_str(), simulator::KernelName().c_str());
  Status status = MeasureFloat(*structure, flags);
  if (status.ok()) status = MeasureInterpreter(*structure, *config, flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "reference_speed: %s\n", status.failure().ToString().c_str());
  return 1;
}
