#include <cmath>
#include <utility>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace xrun::compiler {

namespace {

/// y = scale · x + shift per channel.
struct ChannelAffine {
  std::vector<double> scale, shift;
};

Result<ChannelAffine> AffineOf(const Graph& graph, const Node& node) {
  const double epsilon = node.as<BatchNormAttrs>().epsilon;
  const auto parameter = [&](size_t i) { return graph.at(node.inputs[i]).data<float>(); };
  const float *gamma = parameter(1), *beta = parameter(2), *mean = parameter(3), *variance = parameter(4);
  ChannelAffine affine;
  for (int64_t c = 0; c < graph.at(node.inputs[1]).shape[0]; ++c) {
    const double spread = variance[c] + epsilon;
    if (!(spread > 0)) {
      return Failure{"node '" + node.name + "' (BatchNorm): variance of channel " + std::to_string(c) + " is " +
                         std::to_string(variance[c]) + ", which with epsilon is not positive",
                     "the training or the export diverged"};
    }
    const double scale = gamma[c] / std::sqrt(spread);
    affine.scale.push_back(scale);
    affine.shift.push_back(beta[c] - mean[c] * scale);
  }
  return affine;
}

/// A depthwise 1x1 convolution that does the same; other ranks than 4 go through [N,C,1,rest].
Status BecomeDepthwise(Rewriter& rewriter, Node& node, const ChannelAffine& affine) {
  Graph& graph = rewriter.graph();
  std::vector<float> weights(affine.scale.begin(), affine.scale.end()), bias(affine.shift.begin(), affine.shift.end());
  for (size_t c = 0; c < weights.size(); ++c) {
    if (!std::isfinite(weights[c]) || !std::isfinite(bias[c])) {
      return Failure{"node '" + node.name + "' (BatchNorm): parameters of channel " + std::to_string(c) +
                         " give a scale that is not finite",
                     "the training or the export diverged"};
    }
  }
  const Shape shape = graph.at(node.inputs[0]).shape;
  const int64_t channels = shape[1];
  const ValueId w = rewriter.AddFloats(node.name + ".weights", {channels, 1, 1, 1}, weights);
  const ValueId b = rewriter.AddFloats(node.name + ".bias", {channels}, bias);
  ConvAttrs attrs;
  attrs.groups = channels;
  ValueId x = node.inputs[0];
  if (shape.size() != 4) {
    const Shape plane{shape[0], channels, 1, Elements(shape) / (shape[0] * channels)};
    const auto reshape = [&](const std::string& suffix, ValueId from, ValueId to) {
      Node result;
      result.name = rewriter.UniqueNodeName(node.name + suffix);
      result.inputs = {from};
      result.outputs = {to};
      result.origin = node.origin;
      return result;
    };
    const std::string out_name = graph.at(node.outputs[0]).name;
    const ValueId before = rewriter.AddValue(graph.at(x).name + ".plane", plane);
    const ValueId after = rewriter.AddValue(out_name + ".plane", plane);
    rewriter.InsertBefore(node, reshape(".plane", x, before));
    rewriter.InsertAfter(node, reshape(".shape", after, node.outputs[0]));
    node.outputs[0] = after;
    x = before;
  }
  rewriter.Replace(node, Op::kConv, attrs, {x, w, b});
  return {};
}

}  // namespace

Result<bool> FoldBatchNorm(Graph& graph) {
  Rewriter rewriter(graph);
  for (size_t n = 0; n < rewriter.node_count(); ++n) {
    Node& node = rewriter.node(n);
    if (node.op != Op::kBatchNorm) continue;
    XRUN_ASSIGN_OR_RETURN(const ChannelAffine affine, AffineOf(graph, node));
    Node* linear = rewriter.Producer(node.inputs[0]);
    // A batch norm before this one that became a convolution between Reshapes no longer makes the value itself.
    const bool makes_input = linear != nullptr && linear->outputs[0] == node.inputs[0];
    if (makes_input && IsFoldableLinear(rewriter, *linear) && ChannelAxis(graph, *linear) == 1 &&
        rewriter.ReadOnce(node.inputs[0])) {
      XRUN_RETURN_IF_ERROR(ScaleOutput(rewriter, *linear, affine.scale, affine.shift, "bn"));
      linear->clamp = node.clamp;
      rewriter.FuseInto(*linear, node);
    } else {
      XRUN_RETURN_IF_ERROR(BecomeDepthwise(rewriter, node, affine));
    }
  }
  return rewriter.Finish();
}

}  // namespace xrun::compiler
