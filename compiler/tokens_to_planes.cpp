#include "compiler/tokens_to_planes.h"

#include <algorithm>
#include <map>
#include <utility>

#include "compiler/constant_ops.h"
#include "compiler/move_to_cpu.h"

namespace xrun::compiler {
namespace {

int64_t Rows(const Shape& shape) { return shape.empty() || shape.back() == 0 ? 0 : Elements(shape) / shape.back(); }

/// Position among [1,H,W,D] of an axis of a token tensor: 1 and 2 are space, 3 the channels; 0 for what has no place.
size_t PlaceOf(const Shape& shape, size_t axis) {
  if (axis + 1 == shape.size()) return 3;
  if (shape.size() == 4 && shape[0] == 1) return axis;
  return axis + 2 == shape.size() && Rows(shape) == shape[axis] ? 2 : 0;
}

/// [1,H,W,D] of a token tensor: the same elements in the same order.
Shape Spread(const Shape& shape) {
  if (shape.size() == 4 && shape[0] == 1) return shape;
  return {1, 1, Rows(shape), shape.empty() ? 1 : shape.back()};
}

Shape Planes(const Shape& shape) {
  const Shape s = Spread(shape);
  return {1, s[3], s[1], s[2]};
}

const std::vector<int64_t> kToPlanes = {0, 3, 1, 2}, kToTokens = {0, 2, 3, 1};

class Converter {
 public:
  explicit Converter(Graph& graph) : graph_(graph), inside_(graph.nodes.size(), false) {}

  bool Run() {
    if (!FindRegion()) return false;
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (size_t n = 0; n < nodes.size(); ++n) {
      if (inside_[n]) {
        Convert(std::move(nodes[n]));
      } else {
        for (ValueId id : nodes[n].inputs) BringBack(id);
        graph_.nodes.push_back(std::move(nodes[n]));
      }
    }
    for (ValueId id : std::vector<ValueId>(graph_.outputs)) BringBack(id);
    graph_.RemoveDead();
    return true;
  }

 private:
  const Value& at(ValueId id) const { return graph_.at(id); }

  /// Products of several rows, and whatever can go with them on either side.
  bool FindRegion() {
    std::vector<size_t> todo;
    std::vector<std::vector<size_t>> users(graph_.values.size());
    std::vector<NodeId> producer(graph_.values.size(), kNone);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      for (ValueId id : node.inputs) {
        if (id != kNone) users[static_cast<size_t>(id)].push_back(n);
      }
      for (ValueId id : node.outputs) producer[static_cast<size_t>(id)] = static_cast<NodeId>(n);
      if (IsProduct(node)) {
        inside_[n] = true;
        todo.push_back(n);
      }
    }
    if (todo.empty()) return false;
    const auto visit = [&](size_t n) {
      if (inside_[n] || !CanFollow(graph_.nodes[n])) return;
      inside_[n] = true;
      todo.push_back(n);
    };
    while (!todo.empty()) {
      const Node& node = graph_.nodes[todo.back()];
      todo.pop_back();
      for (ValueId id : node.inputs) {
        if (id != kNone && producer[static_cast<size_t>(id)] != kNone) {
          visit(static_cast<size_t>(producer[static_cast<size_t>(id)]));
        }
      }
      for (size_t user : users[static_cast<size_t>(node.outputs[0])]) visit(user);
    }
    return true;
  }

  bool Quantized(const Node& node) const { return node.cpu_reason.empty() && IsQuantizedOperator(graph_, node); }

  bool IsProduct(const Node& node) const {
    if (node.op != Op::kFullyConnected || !Quantized(node)) return false;
    // One row too: of [1,1,D] the layout would make one channel.
    const Shape& in = at(node.inputs[0]).shape;
    return Rows(in) > 1 || in.size() > 2;
  }

  bool CanFollow(const Node& node) const {
    if (!Quantized(node)) return false;
    const Shape& shape = at(node.outputs[0]).shape;
    if (shape.size() < 2) return false;
    switch (node.op) {
      case Op::kUnary:
        return true;
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
        return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
          const Value& v = at(id);
          return v.shape == shape || (v.is_constant() && Rows(v.shape) == 1 && v.shape.size() <= shape.size());
        });
      case Op::kConcat:
        return PlaceOf(shape, static_cast<size_t>(node.as<AxisAttrs>().axis)) != 0 && SameFrame(node);
      case Op::kSlice: {
        const Shape& in = at(node.inputs[0]).shape;
        for (size_t a = 0; a < in.size(); ++a) {
          const bool moved = in[a] != shape[a] || node.as<SliceAttrs>().begin[a] != 0;
          if (moved && (PlaceOf(in, a) == 0 || PlaceOf(shape, a) == 0)) return false;
        }
        return SameFrame(node);
      }
      default:
        return false;
    }
  }

  /// Every axis has the same place in all operands and the result.
  bool SameFrame(const Node& node) const {
    const Shape& shape = at(node.outputs[0]).shape;
    const bool four = shape.size() == 4 && shape[0] == 1;
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      const Shape& s = at(id).shape;
      if (four) return s.size() == 4 && s[0] == 1;
      return s.size() == shape.size() && Rows(s) == s[s.size() - 2];
    });
  }

  Value LikeOf(ValueId id, Shape shape, const std::string& name) const {
    Value v;
    v.name = graph_.UniqueName(name);
    v.dtype = at(id).dtype;
    v.quant = at(id).quant;
    v.shape = std::move(shape);
    return v;
  }

  ValueId AddMove(Op op, Attributes attrs, ValueId from, Shape shape, const std::string& name) {
    const ValueId to = graph_.AddValue(LikeOf(from, std::move(shape), name));
    AddMoveTo(op, std::move(attrs), from, to);
    return to;
  }

  void AddMoveTo(Op op, Attributes attrs, ValueId from, ValueId to) {
    Node node;
    node.name = at(to).name;
    node.op = op;
    node.attrs = std::move(attrs);
    node.inputs = {from};
    node.outputs = {to};
    graph_.nodes.push_back(std::move(node));
  }

  /// The planes of a value: made in the region, or transposed here.
  ValueId PlanesOf(ValueId id) {
    const auto known = planes_.find(id);
    if (known != planes_.end()) return known->second;
    const std::string name = at(id).name + ".planes";
    const Shape shape = at(id).shape, spread = Spread(shape), planes = Planes(shape);
    if (at(id).is_constant()) {
      Value v = LikeOf(id, planes, name);
      v.constant = std::make_shared<const Bytes>(TransposeBytes(*at(id).constant, 1, spread, kToPlanes));
      return planes_[id] = graph_.AddValue(std::move(v));
    }
    const ValueId laid = spread == shape ? id : AddMove(Op::kReshape, NoAttrs{}, id, spread, at(id).name + ".spread");
    return planes_[id] = AddMove(Op::kTranspose, TransposeAttrs{kToPlanes}, laid, planes, name);
  }

  /// Makes a value of the region again what nodes outside of it read.
  void BringBack(ValueId id) {
    if (id == kNone || made_.count(id) == 0) return;
    made_.erase(id);
    const Shape shape = at(id).shape, spread = Spread(shape);
    if (spread == shape) {
      AddMoveTo(Op::kTranspose, TransposeAttrs{kToTokens}, planes_.at(id), id);
      return;
    }
    const ValueId laid =
        AddMove(Op::kTranspose, TransposeAttrs{kToTokens}, planes_.at(id), spread, at(id).name + ".spread");
    AddMoveTo(Op::kReshape, NoAttrs{}, laid, id);
  }

  void Convert(Node node) {
    const Shape in = at(node.inputs[0]).shape, out = at(node.outputs[0]).shape;
    switch (node.op) {
      case Op::kFullyConnected: {
        Value weights = at(node.inputs[1]);
        weights.name = graph_.UniqueName(weights.name + ".planes");
        weights.shape.insert(weights.shape.end(), {1, 1});
        node.op = Op::kConv;
        node.attrs = ConvAttrs{};
        node.inputs[0] = PlanesOf(node.inputs[0]);
        node.inputs[1] = graph_.AddValue(std::move(weights));
        break;
      }
      case Op::kConcat: {
        const size_t place = PlaceOf(out, static_cast<size_t>(node.as<AxisAttrs>().axis));
        node.attrs = AxisAttrs{place == 3 ? 1 : static_cast<int64_t>(place) + 1};
        for (ValueId& id : node.inputs) id = PlanesOf(id);
        break;
      }
      case Op::kSlice: {
        const SliceAttrs from = node.as<SliceAttrs>();
        SliceAttrs to{{0, 0, 0, 0}, Planes(in), {1, 1, 1, 1}};
        for (size_t a = 0; a < in.size(); ++a) {
          const size_t place = PlaceOf(in, a);
          if (place == 0) continue;
          const size_t axis = place == 3 ? 1 : place + 1;
          to.begin[axis] = from.begin[a];
          to.end[axis] = from.end[a];
          to.step[axis] = from.step[a];
        }
        node.attrs = std::move(to);
        node.inputs[0] = PlanesOf(node.inputs[0]);
        break;
      }
      default:
        for (ValueId& id : node.inputs) id = PlanesOf(id);
    }
    const ValueId old = node.outputs[0];
    const ValueId planes = graph_.AddValue(LikeOf(old, Planes(out), at(old).name + ".planes"));
    planes_[old] = planes;
    made_[old] = planes;
    node.outputs = {planes};
    graph_.nodes.push_back(std::move(node));
  }

  Graph& graph_;
  std::vector<bool> inside_;
  std::map<ValueId, ValueId> planes_;
  std::map<ValueId, ValueId> made_;  ///< values of the region that no node outside has read yet
};

}  // namespace

bool TokensToPlanes(Graph& graph) { return Converter(graph).Run(); }

}  // namespace xrun::compiler
