#ifndef XRUN_COMPILER_PASSES_CANONICALIZE_H_
#define XRUN_COMPILER_PASSES_CANONICALIZE_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Called after every pass with its name, the graph, and whether the pass changed it; for --dump-after and timing.
using PassObserver = std::function<void(std::string_view pass, const Graph& graph, bool changed)>;

/// Brings an imported graph into the form that the quantizer and the backend expect: no BatchNorm, no constant
/// subexpressions, activations fused as clamps or joined as Unary chains. Passes named in `skip` are left out. The
/// graph is verified after each pass.
Status Canonicalize(Graph& graph, const PassObserver& observer = {}, const std::vector<std::string>& skip = {});

/// Names of the passes in their order, each once.
std::vector<std::string_view> CanonicalizationPasses();

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PASSES_CANONICALIZE_H_
