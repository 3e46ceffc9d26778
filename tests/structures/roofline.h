#ifndef XRUN_TESTS_STRUCTURES_ROOFLINE_H_
#define XRUN_TESTS_STRUCTURES_ROOFLINE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compiler/compile.h"
#include "isa/hardware_config.h"
#include "isa/result.h"

namespace xrun::structures {

/// What no schedule on this machine can beat: each bound in cycles of one request, all others being free.
struct Bounds {
  uint64_t macs = 0;              ///< of the model's nodes on the overlay, every pixel of their results
  uint64_t array_macs = 0;        ///< the systolic array's: without pixels that nothing reads
  uint64_t vector_macs = 0;       ///< depthwise
  uint64_t compulsory_bytes = 0;  ///< weights and biases once, inputs and outputs; intermediates never
  double array_cycles = 0, vector_cycles = 0, dram_cycles = 0;  ///< DRAM at 100 %
  double depthwise_cycles = 0;                                  ///< the vector engine's work, if the array did it
  double Cycles() const;
};

/// Modelled speed of one program against its bounds. Cycles are those of one request of a launch of eight.
struct Roofline {
  std::string network, arch;
  Bounds bounds;
  double fps = 0, latency_ms = 0;
  double fps_at_70 = 0, fps_at_100 = 0;  ///< the same program at other DRAM efficiencies
  double bound_fps = 0;
  double cycles = 0;
  uint64_t dram_bytes = 0;  ///< of one request, everything counted
  double array_busy = 0, vector_busy = 0, load_busy = 0, save_busy = 0;
  size_t cpu_nodes = 0;
  double compile_seconds = 0;
  /// Where the Conv engine's cycles beyond the array's bound go: they add up to cycles − bounds.array_cycles.
  std::vector<std::pair<std::string, double>> causes;
};

/// Compiles and models. Speeds leave CPU steps out, as `cpu_nodes` says.
Result<Roofline> MeasureRoofline(const std::string& network, const compiler::Graph& quantized,
                                 const compiler::CompileOptions& options);

}  // namespace xrun::structures

#endif  // XRUN_TESTS_STRUCTURES_ROOFLINE_H_
