#include "compiler/compile.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "compiler/build_program.h"
#include "compiler/estimate.h"
#include "compiler/lower.h"
#include "compiler/move_to_cpu.h"
#include "compiler/pack_inputs.h"
#include "compiler/passes/passes.h"
#include "compiler/plan.h"
#include "compiler/skip_unread_pixels.h"
#include "compiler/split_batch.h"
#include "compiler/stack_samples.h"
#include "compiler/stagger.h"
#include "compiler/tokens_to_planes.h"

namespace xrun::compiler {
namespace {

void Finish(const HardwareConfig& config, ScheduledPartition* result) {
  const bool fits = AssignWeightRows(&result->schedule, config);
  assert(fits && "the whole ring suffices");
  (void)fits;
  Synchronize(&result->schedule, config);
}

/// A plan and what a schedule after it takes.
struct Planned {
  Partition partition;  ///< as placed
  Plan plan;
  double cycles = 0;        ///< of a request, by the estimate
  size_t instructions = 0;  ///< of a request
};

/// The best plan; nullopt where nothing fits.
std::optional<Planned> PlanAndMeasure(const Partition& partition, const CompileOptions& options,
                                      const PlanOptions& search) {
  Planned planned{partition, {}, 0, 0};
  auto plan = PlanPartition(&planned.partition, options.config, search);
  if (!plan) return std::nullopt;
  planned.plan = *std::move(plan);
  planned.cycles = std::numeric_limits<double>::infinity();
  bool best = false;
  for (const bool ahead : {false, true}) {
    planned.plan.options.loads_ahead = ahead;
    WeightImage measured = WeightImage::Measure();
    auto schedule = BuildSchedule(planned.partition, options.config, options.tiling, &planned.plan, &measured, nullptr);
    if (!schedule.ok()) return std::nullopt;
    if (!AssignWeightRows(&*schedule, options.config)) continue;
    Synchronize(&*schedule, options.config);
    const double cycles = EstimateCycles(*schedule, options.config);
    planned.instructions = schedule->body.size();
    if (cycles < planned.cycles) best = ahead;
    planned.cycles = std::min(planned.cycles, cycles);
  }
  planned.plan.options.loads_ahead = best;
  return planned;
}

/// The plans worth a look: without and with shares of depthwise layers on the array; the better one first, the other
/// only where it is close: halves of staggered programs leave the engines other work.
std::vector<Planned> PlansOf(const Partition& partition, const CompileOptions& options, PlanOptions search) {
  constexpr double kClose = 1.05;
  std::vector<Planned> plans;
  for (const bool share : {false, true}) {
    search.use_shares = share;
    if (share && !options.share_depthwise) continue;
    auto planned = PlanAndMeasure(partition, options, search);
    if (planned && (!share || planned->plan.SharesDepthwise())) plans.push_back(*std::move(planned));
  }
  if (options.tiling.share != 0 && plans.size() > 1) plans.erase(plans.begin());
  std::stable_sort(plans.begin(), plans.end(), [](const auto& a, const auto& b) { return a.cycles < b.cycles; });
  std::erase_if(plans, [&](const Planned& p) { return p.cycles > kClose * plans[0].cycles; });
  return plans;
}

/// The better staggered program after any of the plans; nullopt where none is to be.
std::optional<StaggeredPartition> Stagger(const Partition& partition, const std::vector<Planned>& plans,
                                          const CompileOptions& options, WeightImage* weights) {
  const HardwareConfig& config = options.config;
  if (options.tiling.stagger != 0) {
    return ForceStagger(partition, config, options.tiling.stagger, plans[0].plan.options, weights);
  }
  // A plan takes longer the more layers there are, a schedule the more instructions; where few could be tried, none is.
  const bool longer = options.optimization >= 3;
  const size_t layers = partition.layers.size(), instructions = std::max<size_t>(1, plans[0].instructions);
  const size_t tries = longer ? std::min({size_t{48}, 4000 / layers, 400000 / instructions})
                              : std::min({size_t{24}, 600 / layers, 40000 / instructions});
  if (!options.stagger || tries < 2) return std::nullopt;
  std::optional<StaggeredPartition> best;
  WeightImage best_weights;
  for (const Planned& p : plans) {
    WeightImage with = *weights;
    auto found = SearchStagger(partition, p.plan, plans[0].cycles, config, tries, &with);
    if (!found || (best && found->cycles >= best->cycles)) continue;
    best = std::move(found);
    best_weights = std::move(with);
  }
  if (best) *weights = std::move(best_weights);
  return best;
}

/// Groups of layers by search (plan.h). Not where tests force tilings, and not for programs that show every tensor.
std::optional<ScheduledPartition> SchedulePlanned(const Partition& partition, const CompileOptions& options,
                                                  WeightImage* weights, std::vector<TileReport>* tiles) {
  const TilingLimits& t = options.tiling;
  const bool forced = t.rows != 0 || t.cols != 0 || t.out_groups != 0 || t.in_groups != 0 || t.kernel_rows != 0 ||
                      t.single_buffer || !t.keep_on_chip;
  if (options.optimization < 2 || options.debug_tensors || forced) return std::nullopt;
  PlanOptions search;
  PlanCache cache;
  if (options.optimization >= 3) search = {.longest_group = 16, .states = 24};
  search.cache = &cache;
  search.share = {options.share_depthwise, t.share};
  const std::vector<Planned> plans = PlansOf(partition, options, search);
  if (plans.empty()) return std::nullopt;
  if (auto staggered = Stagger(partition, plans, options, weights)) {
    *tiles = std::move(staggered->tiles);
    if (options.memory_observer) options.memory_observer(std::move(staggered->memory));
    return std::move(staggered->scheduled);
  }
  const auto& [placed, plan, cycles, instructions] = plans[0];
  auto schedule = BuildSchedule(placed, options.config, t, &plan, weights, tiles);
  assert(schedule.ok() && "it was when it was measured");
  ScheduledPartition result{placed, std::move(schedule).value(), plan.workspace_bytes};
  Finish(options.config, &result);
  tiles->push_back({"activation memory: " + std::to_string(plan.peak_words) + " words used, " +
                    std::to_string(plan.bound_words) + " live at the same time, of " +
                    std::to_string(options.config.activation_words()) + "; about " +
                    std::to_string(static_cast<uint64_t>(cycles)) + " cycles"});
  if (options.memory_observer) options.memory_observer(MapOf(result.partition, options.config, plan));
  return result;
}

/// Places and schedules one partition. Where tensors kept on chip leave a layer too little room for its tiles, all
/// tensors go through DRAM instead.
Result<ScheduledPartition> SchedulePartition(const Partition& partition, const CompileOptions& options,
                                             WeightImage* weights, std::vector<TileReport>* tiles) {
  if (const auto stack = StackSamples(partition)) {
    if (auto planned = SchedulePlanned(*stack, options, weights, tiles)) return std::move(*planned);
  }
  if (auto planned = SchedulePlanned(partition, options, weights, tiles)) return std::move(*planned);
  const uint64_t weight_bytes = weights->size();
  const bool wish = options.optimization >= 1 && options.tiling.keep_on_chip && !options.debug_tensors;
  for (const bool keep_on_chip : {wish, false}) {
    ScheduledPartition result;
    result.partition = partition;
    result.workspace_bytes = PlaceTensors(&result.partition, options.config, keep_on_chip, !options.debug_tensors);
    tiles->clear();
    auto schedule = BuildSchedule(result.partition, options.config, options.tiling, nullptr, weights, tiles);
    if (!schedule.ok()) {
      if (!keep_on_chip) return std::move(schedule).failure();
      weights->Truncate(weight_bytes);
      continue;
    }
    if (options.memory_observer) options.memory_observer(MapOf(result.partition, options.config));
    result.schedule = std::move(schedule).value();
    Finish(options.config, &result);
    return result;
  }
  assert(false && "the second turn returns");
  return Failure{"unreachable", ""};
}

/// Nodes that the user wants on the CPU, by name or by the name of an ONNX node they stand for.
Status MoveNamedNodes(const std::vector<std::string>& names, Graph* graph) {
  for (const std::string& name : names) {
    bool found = false;
    for (size_t i = 0; i < graph->nodes.size(); ++i) {
      const Node& node = graph->nodes[i];
      if (node.name != name && std::find(node.origin.begin(), node.origin.end(), name) == node.origin.end()) continue;
      found = true;
      if (!IsQuantizedOperator(*graph, node) || !node.cpu_reason.empty()) continue;
      const size_t before = graph->nodes.size();
      MoveToCpu(graph, static_cast<NodeId>(i), "as asked for: --target cpu:" + name);
      i += graph->nodes.size() - before;
    }
    if (!found) {
      return Failure{"there is no node '" + name + "' to place on the CPU",
                     "--dump-after quantize lists the nodes by name"};
    }
  }
  return {};
}

/// Elementwise work between two CPU steps costs less there than a launch and its transfers. Returns whether any was
/// moved; the model must then be lowered again.
bool MoveIdleLaunches(const LoweredModel& model, Graph* graph) {
  std::vector<std::string> names;
  for (const Partition& partition : model.partitions) {
    const bool idle = std::all_of(partition.layers.begin(), partition.layers.end(),
                                  [](const Layer& layer) { return layer.kind == LayerKind::kElementwise; }) &&
                      std::all_of(partition.inputs.begin(), partition.inputs.end(), [&](const Partition::Port& port) {
                        const NodeId from = graph->Producer(port.value);
                        return from != kNone && model.places[static_cast<size_t>(from)].place == Place::kCpu;
                      });
    if (!idle) continue;
    for (const Layer& layer : partition.layers) {
      for (const NodeId n : layer.nodes) {
        const Node& node = graph->nodes[static_cast<size_t>(n)];
        if (node.cpu_reason.empty() && !OnlyMoves(*graph, node)) names.push_back(node.name);
      }
    }
  }
  for (const std::string& name : names) {
    for (size_t i = 0; i < graph->nodes.size(); ++i) {
      const Node& node = graph->nodes[i];
      if (node.name != name || !node.cpu_reason.empty() || !IsQuantizedOperator(*graph, node)) continue;
      MoveToCpu(graph, static_cast<NodeId>(i), "elementwise between CPU steps: less work than a launch of its own");
      break;
    }
  }
  return !names.empty();
}

}  // namespace

Result<LoweredGraph> LowerGraph(const Graph& quantized, const CompileOptions& options) {
  LoweredGraph result{quantized, {}};
  Graph& graph = result.graph;
  const bool rewrite = options.optimization >= 2 && !options.debug_tensors;
  if (rewrite) SkipUnreadPixels(graph);
  const bool several = rewrite && std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](ValueId id) {
                         return !graph.at(id).shape.empty() && graph.at(id).shape[0] > 1;
                       });
  if (several) ThinForProjections(graph);
  SplitBatch(graph);
  TokensToPlanes(graph);
  if (auto moves = RecogniseChannelMoves(graph); !moves.ok()) return std::move(moves).failure();
  XRUN_RETURN_IF_ERROR(MoveNamedNodes(options.cpu_nodes, &graph));
  const LowerOptions lower{.fuse = rewrite, .separate = options.debug_tensors};
  for (;;) {
    NodeId refused = kNone;
    auto model = Lower(graph, options.config, lower, &refused);
    if (model.ok()) {
      if (MoveIdleLaunches(*model, &graph)) continue;
      if (lower.fuse) {
        for (Partition& partition : model->partitions) PackInputs(options.config, &partition);
      }
      result.model = std::move(*model);
      return result;
    }
    if (refused == kNone) return std::move(model).failure();
    // What the overlay refuses runs on the CPU, for the reason it was refused.
    const Node& node = graph.nodes[static_cast<size_t>(refused)];
    assert(node.cpu_reason.empty() && "a node on the CPU cannot be refused again");
    std::string reason = model.failure().message;
    const std::string prefix = "node '" + node.name + "' (" + std::string(Name(node.op)) + "): ";
    if (reason.rfind(prefix, 0) == 0) reason.erase(0, prefix.size());
    MoveToCpu(&graph, refused, reason);
  }
}

Result<Program> Compile(const Graph& quantized, const CompileOptions& options) {
  const auto observe = [&](const char* stage, const std::function<std::string()>& text) {
    if (options.observer) options.observer(stage, text);
  };
  XRUN_RETURN_IF_ERROR(Validate(options.config));
  XRUN_ASSIGN_OR_RETURN(const LoweredGraph lowered, LowerGraph(quantized, options));
  const Graph& graph = lowered.graph;
  const LoweredModel& model = lowered.model;
  observe("lower", [&] { return ToText(model, graph); });

  WeightImage weights;
  std::vector<ScheduledPartition> partitions;
  std::string placed, tiled;
  for (const Partition& partition : model.partitions) {
    std::vector<TileReport> tiles;
    XRUN_ASSIGN_OR_RETURN(ScheduledPartition scheduled, SchedulePartition(partition, options, &weights, &tiles));
    for (const TileReport& t : tiles) tiled += t.text + "\n";
    partitions.push_back(std::move(scheduled));
  }
  observe("place", [&] {
    LoweredModel shown = model;
    for (size_t i = 0; i < partitions.size(); ++i) shown.partitions[i] = partitions[i].partition;
    return ToText(shown, graph);
  });
  observe("tile", [&] { return tiled; });
  observe("schedule", [&] {
    std::string text;
    for (const ScheduledPartition& p : partitions) text += ToText(p.schedule, p.partition);
    return text;
  });
  XRUN_ASSIGN_OR_RETURN(Program program,
                        BuildProgram(graph, model, std::move(partitions), std::move(weights), options.config));
  if (Status s = Verify(program); !s.ok()) {
    Failure failure = std::move(s).failure();
    failure.message = "internal: the compiled program does not verify: " + failure.message;
    failure.hint = "this is a bug of the compiler; please report it with the model";
    return failure;
  }
  return program;
}

}  // namespace xrun::compiler
