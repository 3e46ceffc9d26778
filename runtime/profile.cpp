#include "xrun/profile.h"

#include <cstdio>

#include "runtime/api_impl.h"
#include "runtime/arguments.h"
#include "simulator/simulator.h"
#include "simulator/timing_model.h"

namespace xrun::api {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string Field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string Assumptions(const HardwareConfig& config) {
  return "one request, cold; " + config.name + " at " + std::to_string(config.clock_mhz) + " MHz, " +
         std::to_string(config.dram_ports) + " DRAM ports of " + std::to_string(config.dram_port_bytes) +
         " B a cycle at " + std::to_string(config.dram_efficiency) + " %";
}

/// One overlay step by the simulator's timing model.
void AddModelled(const xrun::Program& program, uint32_t step, Profile& profile) {
  const OverlayStep& overlay = program.overlay_steps[program.steps[step].index];
  const auto prepared = simulator::Prepare(program, overlay);
  const auto report = ValueOrThrow(simulator::SimulateTiming(*prepared, {.requests = 1}));
  const double mhz = program.config.clock_mhz;
  for (const simulator::NodeTime& node : report.nodes) {
    const NodeInfo& info = program.nodes[node.node];
    const uint64_t cycles = node.end - node.start;
    if (cycles == 0) continue;
    Profile::Layer layer;
    layer.node = info.name;
    layer.op = info.op;
    layer.place = "overlay";
    layer.step = step;
    layer.start_us = static_cast<double>(node.start) / mhz;
    layer.microseconds = static_cast<double>(cycles) / mhz;
    layer.cycles = cycles;
    layer.macs = info.macs;
    layer.utilisation = static_cast<double>(info.macs) /
                        (static_cast<double>(cycles) * static_cast<double>(program.config.macs_per_cycle()));
    profile.layers.push_back(std::move(layer));
  }
  profile.microseconds += static_cast<double>(report.cycles) / mhz;
}

void AddMeasured(const xrun::Program& program, uint32_t step, std::chrono::nanoseconds time, Profile& profile) {
  const CpuStep& cpu = program.cpu_steps[program.steps[step].index];
  Profile::Layer layer;
  if (cpu.node < program.nodes.size()) layer.node = program.nodes[cpu.node].name;
  layer.op = cpu.op;
  layer.place = "cpu";
  layer.measured = true;
  layer.step = step;
  layer.microseconds = static_cast<double>(time.count()) * 1e-3;
  profile.microseconds += layer.microseconds;
  profile.layers.push_back(std::move(layer));
}

}  // namespace

std::string Profile::to_csv() const {
  std::string text = "node,op,place,source,step,start_us,microseconds,cycles,macs,utilisation\n";
  for (const Layer& layer : layers) {
    text += Field(layer.node) + "," + Field(layer.op) + "," + layer.place + "," +
            (layer.measured ? "measured" : "modelled") + "," + std::to_string(layer.step) + "," +
            Number(layer.start_us) + "," + Number(layer.microseconds) + "," + std::to_string(layer.cycles) + "," +
            std::to_string(layer.macs) + "," + Number(layer.utilisation) + "\n";
  }
  return text;
}

Profile Session::profile(std::initializer_list<NamedInput> inputs) const {
  return profile(std::span<const NamedInput>(inputs.begin(), inputs.size()));
}

Profile Session::profile(std::span<const NamedInput> inputs) const {
  runtime::RunArguments arguments;
  auto status = arguments.Match(*impl_->inputs, *impl_->outputs, inputs, {});
  if (!status.ok()) Throw(std::move(status).failure());
  if (arguments.runs() != 1)
    Throw({"profile: the arrays are of " + std::to_string(arguments.runs()) + " runs", "give one"});

  // A scheduler of its own: this session's requests go on undisturbed.
  const auto& shared = internal::Access::Of(impl_->program);
  auto scheduler =
      ValueOrThrow(runtime::Scheduler::Create(impl_->device, shared.plan,
                                              {.in_flight = 1, .group = 1, .cpu_threads = impl_->cpu_threads}),
                   ErrorCode::kDevice);
  runtime::RequestState* request = ValueOrThrow(scheduler->Acquire(), ErrorCode::kDevice);
  const auto run = [&] {
    scheduler->RunNow(request);
    if (request->failed) throw Error(request->code, request->failure.message, request->failure.hint);
  };
  arguments.Fill(0, *impl_->file, *request);
  run();  // warm: caches and pages as a user's second request finds them

  std::vector<std::pair<uint32_t, std::chrono::nanoseconds>> steps;
  scheduler->SetListener(
      [&](const runtime::ExecutedStep& executed) { steps.emplace_back(executed.step, executed.host_time); });
  run();

  Profile profile;
  profile.device = impl_->device->name();
  profile.assumptions = Assumptions(impl_->file->config);
  for (const auto& [step, time] : steps) {
    if (impl_->file->steps[step].kind == Step::Kind::kOverlay) {
      AddModelled(*impl_->file, step, profile);
    } else {
      AddMeasured(*impl_->file, step, time, profile);
    }
  }
  return profile;
}

}  // namespace xrun::api
