#include "compiler/passes/canonicalize.h"

#include <algorithm>
#include <utility>

#include "compiler/passes/passes.h"

namespace xrun::compiler {

namespace {

struct Pass {
  std::string_view name;
  Result<bool> (*run)(Graph&);
};

// Order matters in three places: patterns are recognised while the exporter's nodes still stand apart, before folding
// takes a scalar out of them; scales are folded before and after batch norms because either may follow the other;
// clamps come last, since a clamp ends what can be folded into an operator.
constexpr Pass kPipeline[] = {
    {"fold_constants", FoldConstants},
    {"remove_identity", RemoveIdentity},
    {"recognise_channel_moves", RecogniseChannelMoves},
    {"recognise_patterns", RecognisePatterns},
    {"recognise_layer_norm", RecogniseLayerNorm},
    {"explicit_pad", ExplicitPad},
    {"fold_scale", FoldScale},
    {"fold_batch_norm", FoldBatchNorm},
    {"fold_scale", FoldScale},
    {"fuse_activation", FuseActivation},
    {"remove_identity", RemoveIdentity},
};

}  // namespace

Status Canonicalize(Graph& graph, const PassObserver& observer, const std::vector<std::string>& skip) {
  for (const Pass& pass : kPipeline) {
    if (std::find(skip.begin(), skip.end(), pass.name) != skip.end()) continue;
    XRUN_ASSIGN_OR_RETURN(const bool changed, pass.run(graph));
    if (Status valid = Verify(graph); !valid.ok()) {
      return Failure(valid.failure()).In("internal error after pass " + std::string(pass.name));
    }
    if (observer) observer(pass.name, graph, changed);
  }
  return {};
}

std::vector<std::string_view> CanonicalizationPasses() {
  std::vector<std::string_view> names;
  for (const Pass& pass : kPipeline) {
    if (std::find(names.begin(), names.end(), pass.name) == names.end()) names.push_back(pass.name);
  }
  return names;
}

}  // namespace xrun::compiler
