#ifndef XRUN_COMPILER_PASSES_REWRITE_H_
#define XRUN_COMPILER_PASSES_REWRITE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// Edits a graph during one pass and keeps producers and use counts up to date. Nodes stay where they are until
/// Finish(), so indices and references into graph.nodes are stable.
class Rewriter {
 public:
  explicit Rewriter(Graph& graph);

  Graph& graph() { return graph_; }
  size_t node_count() const { return graph_.nodes.size(); }
  Node& node(size_t n) { return graph_.nodes[n]; }
  bool removed(size_t n) const { return removed_[n] != 0; }
  /// The value that stands for `id` after Bypass.
  ValueId Resolve(ValueId id) const;

  /// The node that produces a value; null for inputs and constants.
  Node* Producer(ValueId id);
  /// Exactly one node input reads it, and it is no output of the graph.
  bool ReadOnce(ValueId id) const;
  bool IsFloatConstant(ValueId id) const;

  /// `into` takes over the output and the origin of `node`, which is removed; everything else that `node` reads must be
  /// available to `into` already or be constant.
  void FuseInto(Node& into, Node& node);
  /// Removes a node that only passes its input 0 on.
  void Bypass(Node& node);
  /// Makes input `i` of the node read another value.
  void SetInput(Node& node, size_t i, ValueId value);
  /// Replaces operator, attributes and inputs of a node; name, output and origin stay.
  void Replace(Node& node, Op op, Attributes attrs, std::vector<ValueId> inputs);
  /// Puts a new node right before (after) the given one at Finish(). The output value is made by AddValue.
  void InsertBefore(const Node& place, Node node) {
    before_.emplace_back(Index(place), std::move(node));
    changed_ = true;
  }
  void InsertAfter(const Node& place, Node node) {
    after_.emplace_back(Index(place), std::move(node));
    changed_ = true;
  }

  ValueId AddValue(const std::string& name, Shape shape);
  ValueId AddFloats(const std::string& name, Shape shape, const std::vector<float>& values);
  std::string UniqueNodeName(const std::string& base);

  void MarkChanged() { changed_ = true; }
  /// Applies removals and insertions and drops what is dead. Returns whether anything was changed.
  bool Finish();

 private:
  size_t Index(const Node& node) const { return static_cast<size_t>(&node - graph_.nodes.data()); }
  void AddOrigin(Node& to, const Node& from);
  std::string UniqueValueName(const std::string& base);

  Graph& graph_;
  std::vector<NodeId> producer_;
  std::vector<int> uses_;
  std::vector<char> is_output_;
  std::vector<char> removed_;
  std::vector<ValueId> alias_;  ///< kNone, or what a bypassed value stands for
  std::vector<std::pair<size_t, Node>> before_, after_;
  std::unordered_set<std::string> value_names_, node_names_;
  bool changed_ = false;
};

/// Conv, ConvTranspose or FullyConnected with float weights (and bias) that are constants, and no clamp.
bool IsFoldableLinear(const Rewriter& rewriter, const Node& node);
/// Axis of the output channels in its output.
size_t ChannelAxis(const Graph& graph, const Node& linear);

/// Puts out' = scale · out + shift, per output channel, into weights and bias. New constants are named after the old
/// ones with `suffix`. Fails when a weight is no longer finite.
Status ScaleOutput(Rewriter& rewriter, Node& linear, const std::vector<double>& scale, const std::vector<double>& shift,
                   const std::string& suffix);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PASSES_REWRITE_H_
