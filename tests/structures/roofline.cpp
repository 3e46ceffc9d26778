#include "roofline.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "compiler/macs.h"
#include "simulator/simulator.h"
#include "simulator/timing_model.h"
#include "tools/driver/causes.h"
#include "tools/driver/estimate.h"

namespace xrun::structures {
namespace {

using simulator::TimingReport;

constexpr uint32_t kRequests = tools::kThroughputRequests;

Bounds BoundsOf(const compiler::Graph& quantized, const compiler::LoweredGraph& lowered, const HardwareConfig& config) {
  Bounds b;
  const compiler::Graph& graph = lowered.graph;
  for (const compiler::Node& node : quantized.nodes) b.macs += compiler::Macs(quantized, node);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (lowered.model.places[n].place == compiler::Place::kCpu) b.macs -= compiler::Macs(graph, graph.nodes[n]);
  }
  for (const compiler::Partition& partition : lowered.model.partitions) {
    std::set<const int8_t*> counted;  // layers that share weights (batches) need them once
    for (const compiler::Layer& layer : partition.layers) {
      for (const compiler::NodeId n : layer.nodes) {
        const uint64_t macs = compiler::Macs(graph, graph.nodes[static_cast<size_t>(n)]);
        (layer.kind == compiler::LayerKind::kDepthwise ? b.vector_macs : b.array_macs) += macs;
      }
      const compiler::Node& node = graph.nodes[static_cast<size_t>(layer.nodes[0])];
      for (size_t i = 1; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == compiler::kNone) continue;
        const compiler::Value& value = graph.at(node.inputs[i]);
        if (value.is_constant() && counted.insert(reinterpret_cast<const int8_t*>(value.constant->data())).second) {
          b.compulsory_bytes += value.constant->size();
        }
      }
    }
    for (const auto* ports : {&partition.inputs, &partition.outputs}) {
      for (const compiler::Partition::Port& port : *ports) {
        b.compulsory_bytes += static_cast<uint64_t>(compiler::Elements(graph.at(port.value).shape));
      }
    }
  }
  b.array_cycles = static_cast<double>(b.array_macs) / static_cast<double>(config.macs_per_cycle());
  b.vector_cycles = static_cast<double>(b.vector_macs) / (config.vector_pixels * config.channels);
  b.depthwise_cycles = static_cast<double>(b.vector_macs) / (config.pixels * config.channels);
  b.dram_cycles = static_cast<double>(b.compulsory_bytes) / (config.dram_ports * config.dram_port_bytes);
  return b;
}

}  // namespace

double Bounds::Cycles() const {
  // Where the vector engine has more to do than the array, the array takes the part with which both end at once.
  const double share = std::max(0.0, vector_cycles - array_cycles) / (vector_cycles + depthwise_cycles);
  const double vector = vector_macs == 0 ? 0 : vector_cycles * (1 - share);
  return std::max({array_cycles, vector, dram_cycles});
}

Result<Roofline> MeasureRoofline(const std::string& network, const compiler::Graph& quantized,
                                 const compiler::CompileOptions& options) {
  Roofline r;
  r.network = network;
  r.arch = options.config.name;
  const auto start = std::chrono::steady_clock::now();
  XRUN_ASSIGN_OR_RETURN(Program program, compiler::Compile(quantized, options));
  r.compile_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  XRUN_ASSIGN_OR_RETURN(const compiler::LoweredGraph lowered, compiler::LowerGraph(quantized, options));
  r.bounds = BoundsOf(quantized, lowered, options.config);
  for (const NodeInfo& node : program.nodes) r.cpu_nodes += node.placement == "cpu" ? 1 : 0;

  tools::ArrayTimes times{};
  uint64_t latency = 0, launch = 0;
  for (const OverlayStep& step : program.overlay_steps) {
    const auto prepared = simulator::Prepare(program, step);
    XRUN_ASSIGN_OR_RETURN(const TimingReport one,
                          simulator::SimulateTiming(*prepared, {.requests = 1, .record = false}));
    XRUN_ASSIGN_OR_RETURN(const TimingReport many, simulator::SimulateTiming(*prepared, {.requests = kRequests}));
    latency += one.cycles;
    launch += many.cycles;
    for (const uint64_t bytes : many.bytes) r.dram_bytes += bytes;
    const tools::StepTimes divided = tools::DivideArrayTime(program, step, many);
    for (size_t p = 0; p < times.size(); ++p) times[p] += divided.all[p];
    const auto busy = [&](Engine e) { return static_cast<double>(many.engines[e].busy) / kRequests; };
    r.array_busy += busy(kConv);
    r.vector_busy += busy(kVector);
    r.load_busy += busy(kLoad);
    r.save_busy += busy(kSave);
  }
  r.dram_bytes /= kRequests;
  r.cycles = static_cast<double>(launch) / kRequests;
  const double hertz = 1e6 * options.config.clock_mhz;
  r.fps = r.cycles == 0 ? 0 : hertz / r.cycles;
  r.latency_ms = static_cast<double>(latency) / hertz * 1e3;
  r.bound_fps = r.bounds.Cycles() == 0 ? 0 : hertz / r.bounds.Cycles();
  r.causes = tools::GapCauses(times, r.bounds.array_cycles * kRequests);
  for (auto& [name, cycles] : r.causes) cycles /= kRequests;

  for (const uint32_t efficiency : {70U, 100U}) {
    Program other = program;
    other.config.dram_efficiency = efficiency;
    XRUN_ASSIGN_OR_RETURN(const tools::Estimate estimate, tools::EstimateProgram(other));
    (efficiency == 70 ? r.fps_at_70 : r.fps_at_100) = estimate.RequestsPerSecond();
  }
  return r;
}

}  // namespace xrun::structures
