#ifndef XRUN_COMPILER_EXPLAIN_H_
#define XRUN_COMPILER_EXPLAIN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"
#include "compiler/graph.h"
#include "compiler/lower.h"

namespace xrun::compiler {

/// Why a node is on the overlay that `layer` computes besides the one it is named after.
std::string OutputStageReason(const Layer& layer);

/// A node of the ONNX file and what became of it.
struct ExplainedNode {
  SourceNode source;
  Placement placement;
  std::string into;   ///< the node it became part of, when it is folded into one
  uint64_t macs = 0;  ///< of one run
};

struct Explanation {
  std::vector<ExplainedNode> nodes;  ///< in order of execution, those that no output needs last
  uint64_t overlay_macs = 0, cpu_macs = 0;
  size_t partitions = 0;  ///< launches of the overlay
  size_t cpu_steps = 0;   ///< conversions between int8 and float included
  /// By index of Program::nodes: the ONNX nodes that each stands for. Empty after a refusal.
  std::vector<std::vector<std::string>> origins;
  std::optional<Failure> refusal;  ///< why Lower refuses the model; then partitions and steps are not known
};

/// What Compile makes of every node of the ONNX file that a quantized graph was imported from. Nothing is scheduled: a
/// layer that fits no tile is found by compiling only.
Explanation Explain(const Graph& quantized, const CompileOptions& options);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_EXPLAIN_H_
