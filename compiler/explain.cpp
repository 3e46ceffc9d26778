#include "compiler/explain.h"

#include <algorithm>
#include <map>

#include "compiler/macs.h"
#include "compiler/quantize/select.h"

namespace xrun::compiler {
namespace {

/// The name by which users know a node: its own, unless a pass made it up.
const std::string& OwnerOf(const Node& node) {
  const bool known = std::find(node.origin.begin(), node.origin.end(), node.name) != node.origin.end();
  return known ? node.name : node.origin.front();
}

/// Finds out about the ONNX nodes one by one.
class Explainer {
 public:
  Explainer(const Graph& graph, std::vector<Placement> placements) : graph_(graph), placements_(std::move(placements)) {
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      for (const std::string& name : graph.nodes[n].origin) of_origin_[name].push_back(n);
    }
  }

  void TakeOutputStages(const LoweredModel& model) {
    for (const Partition& partition : model.partitions) {
      for (const Layer& layer : partition.layers) {
        for (size_t i = 1; i < layer.nodes.size(); ++i) {
          placements_[static_cast<size_t>(layer.nodes[i])].reason = OutputStageReason(layer);
        }
      }
    }
  }

  ExplainedNode Explain(const SourceNode& source) const {
    ExplainedNode result{source, {}, "", 0};
    const auto found = of_origin_.find(source.name);
    if (found == of_origin_.end()) {
      result.placement.reason = WhyGone(source);
      return result;
    }
    bool owned = false;
    for (const size_t n : found->second) {
      if (OwnerOf(graph_.nodes[n]) != source.name) continue;
      result.macs += Macs(graph_, graph_.nodes[n]);
      // A node that became several is where its slowest part is.
      if (!owned || placements_[n].place == Place::kCpu) result.placement = placements_[n];
      owned = true;
    }
    if (owned) return result;
    result.into = OwnerOf(graph_.nodes[found->second.front()]);
    result.placement.reason = "part of '" + result.into + "'";
    return result;
  }

 private:
  static std::string WhyGone(const SourceNode& source) {
    if (!source.needed) return "no output of the model needs it";
    if (source.constant) return "constant: computed while compiling";
    if (source.op == "QuantizeLinear" || source.op == "DequantizeLinear") {
      return "scale and zero point of the int8 operators around it";
    }
    return "leaves nothing to do at run time";
  }

  const Graph& graph_;
  std::vector<Placement> placements_;                     ///< by NodeId
  std::map<std::string, std::vector<size_t>> of_origin_;  ///< ONNX node → graph nodes it is part of
};

}  // namespace

std::string OutputStageReason(const Layer& layer) {
  return "int8 operator, in the output stage of '" + layer.name + "'";
}

Explanation Explain(const Graph& quantized, const CompileOptions& options) {
  Explanation result;
  auto lowered = LowerGraph(quantized, options);
  if (!lowered.ok()) result.refusal = lowered.failure();
  const Graph& graph = lowered.ok() ? lowered->graph : quantized;
  Explainer explainer(graph, lowered.ok() ? lowered->model.places : PlaceNodes(graph));
  if (lowered.ok()) {
    const LoweredModel& model = lowered->model;
    explainer.TakeOutputStages(model);
    for (const Node& node : graph.nodes) result.origins.push_back(node.origin);
    result.partitions = model.partitions.size();
    result.cpu_steps = static_cast<size_t>(
        std::count_if(model.steps.begin(), model.steps.end(), [](const LoweredStep& s) { return !s.partition; }));
  }
  for (const SourceNode& source : quantized.source) {
    ExplainedNode node = explainer.Explain(source);
    (node.placement.place == Place::kOverlay ? result.overlay_macs : result.cpu_macs) += node.macs;
    result.nodes.push_back(std::move(node));
  }
  return result;
}

}  // namespace xrun::compiler
