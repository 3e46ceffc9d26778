#ifndef XRUN_COMPILER_COMPILE_H_
#define XRUN_COMPILER_COMPILE_H_

#include <functional>
#include <string>

#include "compiler/graph.h"
#include "compiler/lower.h"
#include "compiler/memory_map.h"
#include "compiler/schedule.h"
#include "isa/hardware_config.h"
#include "isa/program.h"
#include "isa/result.h"

namespace xrun::compiler {

/// Told after each stage: its name (the one --dump-after takes) and a function that prints what the stage made.
using StageObserver = std::function<void(const std::string& stage, const std::function<std::string()>& text)>;

struct CompileOptions {
  HardwareConfig config;
  /// 0: no fusion, every tensor through DRAM. 1: tensors stay on chip. 2: fusion, groups of layers in strips by search;
  /// 3: a longer search. Results are equal.
  int optimization = 2;
  TilingLimits tiling;
  StageObserver observer;  ///< may be empty
  /// Told of each partition, in the order of Program::overlay_steps; may be empty.
  std::function<void(MemoryMap)> memory_observer = {};
  /// Every int8 value stays readable in the workspace after a run (OverlayStep::watches). Slower and larger; results
  /// are equal.
  bool debug_tensors = false;
  std::vector<std::string> cpu_nodes = {};  ///< run these quantized nodes (ONNX names) on the CPU
  /// From `optimization` 2 on, programs in two halves that work for requests that follow each other, where that gives
  /// more requests a second (stagger.h). A request by itself then takes somewhat longer. Results are equal.
  bool stagger = true;
  /// From `optimization` 2 on, the array computes channel groups of depthwise layers beside the vector engine, where
  /// that takes less time. Results are equal.
  bool share_depthwise = true;
};

/// The quantized graph as it is lowered (nodes that run on the CPU rewritten, channel moves joined) and what became of
/// it. Compile begins with this, reports ask for it.
struct LoweredGraph {
  Graph graph;
  LoweredModel model;
};
Result<LoweredGraph> LowerGraph(const Graph& quantized, const CompileOptions& options);

/// The stages after quantization, in order: lower, place, tile, schedule, synchronize, encode.
/// The graph must be a quantized graph (graph.h). Failure names node, operator, limit and the way out. The result has
/// passed isa's Verify. Same graph and options, same bytes.
Result<Program> Compile(const Graph& quantized, const CompileOptions& options);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_COMPILE_H_
