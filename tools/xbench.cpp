// xbench: how fast a program runs on a device, host included.

#include <cstdio>

#include "isa/program.h"
#include "runtime/internal.h"
#include "tools/common/format.h"
#include "tools/common/table.h"
#include "tools/common/tool.h"
#include "tools/driver/bench.h"
#include "tools/driver/doctor.h"
#include "tools/driver/infer.h"

namespace {

using namespace xrun;

struct BenchFlags {
  std::string program, device = "sim", duration = "10s";
  tools::BenchOptions options;
  bool per_layer = false, overhead = false;

  void AddTo(CLI::App& app) {
    app.add_option("PROG", program, "Program file")->required()->type_name("FILE.xprog");
    app.add_option("--device", device, "sim, sim:CONFIG or xrt:N[,xclbin=FILE] [sim]")->type_name("DEVICE");
    app.add_option("--threads", options.threads, "Threads that submit requests [1]")
        ->check(CLI::Range(1, 256))
        ->type_name("N");
    app.add_option("--in-flight", options.in_flight, "Requests in flight of each thread [4]")
        ->check(CLI::Range(1, 256))
        ->type_name("N");
    app.add_option("--requests-per-launch", options.requests_per_launch, "Waiting requests in one launch, at most [8]")
        ->check(CLI::Range(1, 16))
        ->type_name("N");
    auto* duration_flag =
        app.add_option("--duration", duration, "How long to measure [10s]")
            ->check(CLI::AsNumberWithUnit(std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"min", 60}}))
            ->type_name("TIME");
    app.add_option("--requests", options.requests, "So many requests instead")
        ->check(CLI::PositiveNumber)
        ->excludes(duration_flag)
        ->type_name("N");
    app.add_option("--warmup", options.warmup, "Requests of each thread before that [10]")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
    app.add_flag("--verify", options.verify, "Compare every output with the simulator's; exit code 1 if one differs");
    app.add_flag("--per-layer", per_layer, "Also the time of each layer, from time marks of one request");
    app.add_flag("--overhead", overhead, "Also the cost of a request without a network, beside plain XRT's");
  }
};

const char* Kind(const std::string& device) { return device.rfind("sim", 0) == 0 ? "modelled" : "measured"; }

Status PrintLayers(const BenchFlags& flags, const tools::Tool& tool, const api::Device& device,
                   const api::Program& program, nlohmann::ordered_json& document) {
  XRUN_ASSIGN_OR_RETURN(const auto layers, tools::TimeLayers(device, program));
  const double clock = internal::ProgramOf(program)->config.clock_mhz;
  tools::Table table({{"layer"},
                      {"op"},
                      {"done at", tools::Table::Align::kRight},
                      {"time", tools::Table::Align::kRight},
                      {"cycles", tools::Table::Align::kRight}});
  auto& list = document["layers"] = {{"kind", Kind(flags.device)}, {"layers", nlohmann::ordered_json::array()}};
  for (const tools::LayerTime& layer : layers) {
    const auto seconds = [&](uint64_t cycles) { return static_cast<double>(cycles) / (1e6 * clock); };
    table.AddRow({layer.node, layer.op, tools::FormatDuration(seconds(layer.end)),
                  tools::FormatDuration(seconds(layer.cycles)),
                  tools::FormatCount(static_cast<int64_t>(layer.cycles))});
    list["layers"].push_back({{"node", layer.node},
                              {"op", layer.op},
                              {"launch", layer.launch},
                              {"end_cycle", layer.end},
                              {"cycles", layer.cycles}});
  }
  if (tool.common().text()) {
    std::printf("\nlayers, %s, one request (a layer's time is since the one before it was done):\n%s",
                Kind(flags.device), table.ToString(2).c_str());
  }
  return {};
}

Status PrintOverhead(const BenchFlags& flags, const tools::Tool& tool, const api::Device& device,
                     nlohmann::ordered_json& document) {
  XRUN_ASSIGN_OR_RETURN(const auto overhead, tools::MeasureOverhead(device, flags.device, 2000));
  auto& json = document["overhead_us"] = {{"request", overhead.xrun_us}, {"run", overhead.run_us}};
  if (overhead.plain_xrt_us > 0) json["plain_xrt"] = overhead.plain_xrt_us;
  if (!tool.common().text()) return {};
  std::printf("\noverhead, host time, median of 2,000 requests of an empty program:\n");
  std::printf("  submit and wait   %.1f us\n  Session::run      %.1f us\n", overhead.xrun_us, overhead.run_us);
  if (overhead.plain_xrt_us > 0) {
    std::printf("  plain XRT         %.1f us  (start and wait of the same launch)\n", overhead.plain_xrt_us);
  }
  return {};
}

Status Run(BenchFlags& flags, const tools::Tool& tool) {
  flags.options.duration = std::chrono::nanoseconds(static_cast<int64_t>(std::atof(flags.duration.c_str()) * 1e9));
  std::optional<api::Program> program;
  std::optional<api::Device> device;
  XRUN_RETURN_IF_ERROR(tools::Try([&] {
    program.emplace(api::Program::load(flags.program));
    device.emplace(api::Device::open(flags.device));
  }));
  XRUN_ASSIGN_OR_RETURN(const tools::BenchResult result,
                        tools::Bench(*device, *program, flags.options, tool.common().progress_mode()));
  nlohmann::ordered_json document;
  document["program"] = flags.program;
  document["device"] = flags.device;
  document["description"] = device->description();
  document["threads"] = flags.options.threads;
  document["in_flight"] = flags.options.in_flight;
  document["requests"] = result.requests;
  document["seconds"] = result.seconds;
  document["requests_per_second"] = result.PerSecond();
  auto& latency = document["latency_us"];
  for (const double percent : {50.0, 90.0, 99.0, 99.9}) {
    char name[16];
    std::snprintf(name, sizeof(name), "p%g", percent);
    latency[name] = result.Percentile(percent);
  }
  latency["max"] = result.Percentile(100);
  if (tool.common().text()) {
    std::printf("%s\n%s\n\n", flags.program.c_str(), device->description().c_str());
    std::printf("host time, %u threads x %u requests in flight: %s requests in %s\n", flags.options.threads,
                flags.options.in_flight, tools::FormatCount(static_cast<int64_t>(result.requests)).c_str(),
                tools::FormatDuration(result.seconds).c_str());
    std::printf("  throughput   %s\n", tools::FormatSi(result.PerSecond(), "requests/s").c_str());
    const auto time = [&](double percent) { return tools::FormatDuration(result.Percentile(percent) * 1e-6); };
    std::printf("  latency      p50 %s, p90 %s, p99 %s, p99.9 %s, max %s (submit to completion)\n", time(50).c_str(),
                time(90).c_str(), time(99).c_str(), time(99.9).c_str(), time(100).c_str());
  }
  if (flags.options.verify) {
    document["verified"] = {{"requests", result.verified}, {"wrong", result.wrong}};
    if (tool.common().text()) {
      std::printf("  verified     %s outputs against the simulator, %s wrong\n",
                  tools::FormatCount(static_cast<int64_t>(result.verified)).c_str(),
                  tools::FormatCount(static_cast<int64_t>(result.wrong)).c_str());
    }
  }
  if (flags.overhead) XRUN_RETURN_IF_ERROR(PrintOverhead(flags, tool, *device, document));
  if (flags.per_layer) XRUN_RETURN_IF_ERROR(PrintLayers(flags, tool, *device, *program, document));
  if (flags.device.rfind("xrt", 0) == 0) {
    const auto sensors = tools::ReadSensors();
    document["sensors"] = sensors;
    if (tool.common().text() && !sensors.empty()) std::printf("\nsensors at the end:\n");
    for (const std::string& sensor : sensors) {
      if (tool.common().text()) std::printf("  %s\n", sensor.c_str());
    }
  }
  XRUN_RETURN_IF_ERROR(tool.WriteJson(document));
  if (result.wrong != 0) {
    return Failure{std::to_string(result.wrong) + " of " + std::to_string(result.verified) +
                       " requests have another result than the simulator; the first: " + result.first_wrong,
                   "tests/device/run.py looks for the instruction and the layer"};
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  xrun::tools::Tool tool("xbench", "Measures throughput and latency of a program on a device.");
  BenchFlags flags;
  flags.AddTo(tool.app());
  return tool.Run(argc, argv, [&] { return Run(flags, tool); });
}
