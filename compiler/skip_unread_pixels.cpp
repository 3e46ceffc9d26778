#include "compiler/skip_unread_pixels.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "compiler/move_to_cpu.h"

namespace xrun::compiler {
namespace {

using Stride = std::array<int64_t, 2>;

constexpr int64_t kLongestStride = 31;  // of Conv, isa.def

class Thinner {
 public:
  explicit Thinner(Graph& graph) : graph_(graph) {}

  bool SkipUnread() {
    bool changed = false;
    // What one value's maker then skips, its own operand's need not make: from the last value to the first.
    for (size_t v = graph_.values.size(); v-- > 0;) {
      const auto id = static_cast<ValueId>(v);
      const std::optional<Stride> stride = StrideOfAllReaders(id);
      if (!stride || !CanMakeThin(id, *stride)) continue;
      for (const NodeId reader : graph_.Consumers(id)) node(reader).as<ConvAttrs>().stride = {1, 1};
      MakeThin(id, *stride);
      InsertPools();
      changed = true;
      v = graph_.values.size();
    }
    return changed;
  }

  bool ThinForProjections() {
    bool changed = false;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const auto id = static_cast<NodeId>(n);
      const std::optional<Stride> stride = PointwiseStride(id);
      if (!stride || graph_.Consumers(node(id).inputs[0]).size() < 2 || IsBorder(node(id).inputs[0])) continue;
      node(id).inputs[0] = Pooled(node(id).inputs[0], *stride, id);
      node(id).as<ConvAttrs>().stride = {1, 1};
      changed = true;
    }
    InsertPools();
    return changed;
  }

 private:
  Node& node(NodeId id) { return graph_.nodes[static_cast<size_t>(id)]; }
  const Node& node(NodeId id) const { return graph_.nodes[static_cast<size_t>(id)]; }
  const Shape& shape(ValueId id) const { return graph_.at(id).shape; }

  bool OnOverlay(const Node& n) const { return n.cpu_reason.empty() && IsQuantizedOperator(graph_, n); }

  /// A value that the program takes or gives.
  bool IsBorder(ValueId id) const {
    return graph_.IsOutput(id) || graph_.Producer(id) == kNone || !OnOverlay(node(graph_.Producer(id)));
  }

  /// The stride of a 1x1 convolution that skips pixels.
  std::optional<Stride> PointwiseStride(NodeId id) const {
    const Node& n = node(id);
    if (n.op != Op::kConv || !OnOverlay(n) || shape(n.inputs[0]).size() != 4) return std::nullopt;
    const auto& a = n.as<ConvAttrs>();
    const bool alone = std::all_of(a.kernel.begin(), a.kernel.end(), [](int64_t k) { return k == 1; }) &&
                       std::all_of(a.pads.begin(), a.pads.end(), [](int64_t p) { return p == 0; });
    if (!alone || a.stride[0] * a.stride[1] == 1) return std::nullopt;
    return Stride{a.stride[0], a.stride[1]};
  }

  std::optional<Stride> StrideOfAllReaders(ValueId id) const {
    if (graph_.IsOutput(id)) return std::nullopt;
    std::optional<Stride> all;
    for (const NodeId reader : graph_.Consumers(id)) {
      const std::optional<Stride> stride = PointwiseStride(reader);
      if (!stride || (all && *all != *stride)) return std::nullopt;
      all = stride;
    }
    return all;
  }

  /// Whether a value that is only read thinned can be made so, at a gain: a convolution somewhere computes less.
  bool CanMakeThin(ValueId id, const Stride& stride) const {
    const NodeId producer = graph_.Producer(id);
    if (producer == kNone || shape(id).size() != 4) return false;
    const Node& n = node(producer);
    if (!OnOverlay(n)) return false;
    const auto own = [&](ValueId operand) {
      return !graph_.IsOutput(operand) && graph_.Consumers(operand).size() == 1 && CanMakeThin(operand, stride);
    };
    switch (n.op) {
      case Op::kConv: {
        const auto& a = n.as<ConvAttrs>();
        return a.stride[0] * stride[0] <= kLongestStride && a.stride[1] * stride[1] <= kLongestStride;
      }
      case Op::kUnary:
        return own(n.inputs[0]);
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
        return std::all_of(n.inputs.begin(), n.inputs.end(),
                           [&](ValueId i) { return OnePixel(i) || (shape(i) == shape(id) && !IsBorder(i)); }) &&
               std::any_of(n.inputs.begin(), n.inputs.end(), [&](ValueId i) { return !OnePixel(i) && own(i); });
      default:
        return false;
    }
  }

  bool OnePixel(ValueId id) const {
    const Shape& s = shape(id);
    return s.size() < 2 || (s.size() == 4 && s[2] == 1 && s[3] == 1);
  }

  static Shape Thinned(Shape s, const Stride& stride) {
    for (size_t axis = 0; axis < 2; ++axis) s[2 + axis] = (s[2 + axis] + stride[axis] - 1) / stride[axis];
    return s;
  }

  void MakeThin(ValueId id, const Stride& stride) {
    const NodeId producer = graph_.Producer(id);
    graph_.at(id).shape = Thinned(shape(id), stride);
    if (node(producer).op == Op::kConv) {
      auto& a = node(producer).as<ConvAttrs>();
      for (size_t axis = 0; axis < 2; ++axis) a.stride[axis] *= stride[axis];
      node(producer).remark = "only the pixels that are read: one of " + std::to_string(stride[0] * stride[1]);
      return;
    }
    for (size_t i = 0; i < node(producer).inputs.size(); ++i) {
      const ValueId operand = node(producer).inputs[i];
      if (OnePixel(operand)) continue;
      if (!graph_.IsOutput(operand) && graph_.Consumers(operand).size() == 1 && CanMakeThin(operand, stride)) {
        MakeThin(operand, stride);
      } else {
        node(producer).inputs[i] = Pooled(operand, stride, producer);
      }
    }
  }

  /// A copy of every s-th pixel for `reader`, made as soon as there are pixels: in strips with what makes them.
  ValueId Pooled(ValueId id, const Stride& stride, NodeId reader) {
    Value thin = graph_.at(id);
    thin.name = graph_.UniqueName(thin.name + ".thin");
    thin.shape = Thinned(thin.shape, stride);
    Node pool;
    pool.name = thin.name;
    pool.op = Op::kMaxPool;
    PoolAttrs attrs;
    attrs.kernel = {1, 1};
    attrs.stride = {stride[0], stride[1]};
    pool.attrs = attrs;
    pool.inputs = {id};
    pool.origin = node(reader).origin;
    pool.outputs = {graph_.AddValue(std::move(thin))};
    pools_[graph_.Producer(id)].push_back(pool);
    return pool.outputs[0];
  }

  void InsertPools() {
    std::vector<Node> nodes;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      nodes.push_back(std::move(graph_.nodes[n]));
      for (Node& pool : pools_[static_cast<NodeId>(n)]) nodes.push_back(std::move(pool));
    }
    graph_.nodes = std::move(nodes);
    pools_.clear();
  }

  Graph& graph_;
  std::map<NodeId, std::vector<Node>> pools_;  ///< by the node whose result they thin
};

}  // namespace

bool SkipUnreadPixels(Graph& graph) { return Thinner(graph).SkipUnread(); }

bool ThinForProjections(Graph& graph) { return Thinner(graph).ThinForProjections(); }

}  // namespace xrun::compiler
