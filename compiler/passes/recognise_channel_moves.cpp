#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "compiler/constant_ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace xrun::compiler {

namespace {

/// Tensors beyond this are not traced.
constexpr int64_t kMostTraced = int64_t{1} << 24;

bool Moves(const Node& node) {
  return !node.clamp && (node.op == Op::kReshape || node.op == Op::kTranspose || node.op == Op::kSlice);
}

bool IsPlanes(const Shape& shape) { return shape.size() == 4 && shape[0] == 1; }

/// What the nodes make of a tensor whose elements are 0, 1, 2, …; `chain` from the last node to the first.
std::vector<int32_t> Trace(const Graph& graph, ValueId from, const std::vector<const Node*>& chain) {
  std::vector<int32_t> elements(static_cast<size_t>(Elements(graph.at(from).shape)));
  std::iota(elements.begin(), elements.end(), 0);
  Bytes bytes(elements.size() * sizeof(int32_t));
  std::memcpy(bytes.data(), elements.data(), bytes.size());
  for (auto node = chain.rbegin(); node != chain.rend(); ++node) {
    const Shape& in = graph.at((*node)->inputs[0]).shape;
    if ((*node)->op == Op::kTranspose) {
      bytes = TransposeBytes(bytes, sizeof(int32_t), in, (*node)->as<TransposeAttrs>().perm);
    } else if ((*node)->op == Op::kSlice) {
      const auto& slice = (*node)->as<SliceAttrs>();
      bytes = SliceBytes(bytes, sizeof(int32_t), in, slice.begin, slice.step, graph.at((*node)->outputs[0]).shape);
    }
  }
  elements.resize(bytes.size() / sizeof(int32_t));
  std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

/// The channel that each channel of the result is, if whole planes were moved; empty otherwise.
std::vector<int64_t> ChannelsOf(const std::vector<int32_t>& elements, int64_t plane) {
  std::vector<int64_t> channels;
  for (size_t at = 0; at < elements.size(); at += static_cast<size_t>(plane)) {
    const int32_t first = elements[at];
    if (first % plane != 0) return {};
    for (int64_t i = 0; i < plane; ++i) {
      if (elements[at + static_cast<size_t>(i)] != first + i) return {};
    }
    channels.push_back(first / plane);
  }
  return channels;
}

bool InOrder(const std::vector<int32_t>& elements) {
  for (size_t i = 0; i < elements.size(); ++i) {
    if (elements[i] != static_cast<int32_t>(i)) return false;
  }
  return true;
}

class Finder {
 public:
  explicit Finder(Graph& graph) : rewriter_(graph) {}

  bool Run() {
    // The last node first: what it replaces is not looked at again.
    for (size_t n = rewriter_.node_count(); n-- > 0;) {
      Node& node = rewriter_.node(n);
      if (!rewriter_.removed(n) && Moves(node)) Try(node);
    }
    return rewriter_.Finish();
  }

 private:
  const Value& at(ValueId id) { return rewriter_.graph().at(id); }

  void Try(Node& node) {
    if (TryOrderKept(node)) return;
    const Value& result = at(node.outputs[0]);
    if (!IsPlanes(result.shape)) return;
    std::vector<const Node*> chain{&node};
    for (;;) {
      const ValueId from = rewriter_.Resolve(chain.back()->inputs[0]);
      const Value& source = at(from);
      if (source.quant != result.quant || Elements(source.shape) > kMostTraced) return;
      if (IsPlanes(source.shape) && chain.size() > 1) {
        if (source.shape[2] == result.shape[2] && source.shape[3] == result.shape[3]) Replace(node, from, chain);
        return;
      }
      const Node* before = rewriter_.Producer(from);
      if (before == nullptr || !Moves(*before)) return;
      chain.push_back(before);
    }
  }

  /// Moves that together leave every element where it was are one Reshape.
  bool TryOrderKept(Node& node) {
    const Shape shape = at(node.outputs[0]).shape;
    std::vector<const Node*> chain{&node};
    std::vector<const Node*> longest;
    bool transposed = node.op == Op::kTranspose;
    while (chain.back()->op != Op::kSlice) {
      const ValueId from = rewriter_.Resolve(chain.back()->inputs[0]);
      if (at(from).quant != at(node.outputs[0]).quant || Elements(at(from).shape) > kMostTraced) break;
      if (transposed && InOrder(Trace(rewriter_.graph(), from, chain))) longest = chain;
      const Node* before = rewriter_.Producer(from);
      if (before == nullptr || !Moves(*before)) break;
      transposed |= before->op == Op::kTranspose;
      chain.push_back(before);
    }
    if (longest.empty()) return false;
    AddOrigins(longest, &node);
    rewriter_.Replace(node, Op::kReshape, NoAttrs{}, {rewriter_.Resolve(longest.back()->inputs[0])});
    return true;
  }

  static void AddOrigins(const std::vector<const Node*>& chain, Node* node) {
    for (const Node* other : chain) {
      for (const std::string& name : other->origin) {
        if (std::find(node->origin.begin(), node->origin.end(), name) == node->origin.end()) {
          node->origin.push_back(name);
        }
      }
    }
  }

  void Replace(Node& node, ValueId from, const std::vector<const Node*>& chain) {
    const Shape shape = at(from).shape;
    const std::vector<int64_t> channels = ChannelsOf(Trace(rewriter_.graph(), from, chain), shape[2] * shape[3]);
    if (channels.empty()) return;
    AddOrigins(chain, &node);
    const int64_t step = channels.size() > 1 ? channels[1] - channels[0] : 1;
    bool even = step > 0;
    for (size_t i = 1; i < channels.size(); ++i) even = even && channels[i] - channels[i - 1] == step;
    if (even) {
      SliceAttrs slice{{0, channels[0], 0, 0}, shape, {1, step, 1, 1}};
      slice.end[1] = channels.back() + 1;
      rewriter_.Replace(node, Op::kSlice, std::move(slice), {from});
      return;
    }
    const ValueId indices =
        rewriter_.AddValue(at(node.outputs[0]).name + ".channels", {static_cast<int64_t>(channels.size())});
    Value& value = rewriter_.graph().at(indices);
    value.dtype = DType::kInt64;
    auto bytes = std::make_shared<std::vector<uint8_t>>(channels.size() * sizeof(int64_t));
    std::memcpy(bytes->data(), channels.data(), bytes->size());
    value.constant = std::move(bytes);
    rewriter_.Replace(node, Op::kGather, AxisAttrs{1}, {from, indices});
  }

  Rewriter rewriter_;
};

}  // namespace

Result<bool> RecogniseChannelMoves(Graph& graph) { return Finder(graph).Run(); }

}  // namespace xrun::compiler
