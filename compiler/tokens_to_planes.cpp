#include "compiler/tokens_to_planes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "compiler/constant_ops.h"
#include "compiler/move_to_cpu.h"
#include "compiler/strided_view.h"

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
        Look(graph_.nodes.back());
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
    if (node.op == Op::kMatMul) {
      return Quantized(node) && !node.as<MatMulAttrs>().transpose_a && at(node.inputs[0]).shape.size() > 1 &&
             at(node.inputs[1]).shape.size() > 1;
    }
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
    if (const ValueId absorbed = PlanesInView(id); absorbed != kNone) return planes_[id] = absorbed;
    BringBack(id);
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
    if (planes_.count(id) == 0) return BringBackView(id);
    if (spread == shape) {
      AddMoveTo(Op::kTranspose, TransposeAttrs{kToTokens}, planes_.at(id), id);
      return;
    }
    const ValueId laid =
        AddMove(Op::kTranspose, TransposeAttrs{kToTokens}, planes_.at(id), spread, at(id).name + ".spread");
    AddMoveTo(Op::kReshape, NoAttrs{}, laid, id);
  }

  // ---- views: values whose elements lie somewhere in planes made before

  /// Notes where the result of a move lies, if its operand's place is known.
  void Look(const Node& node) {
    const auto from = node.inputs.empty() ? views_.end() : views_.find(node.inputs[0]);
    if (from == views_.end() || at(node.outputs[0]).quant != at(node.inputs[0]).quant) return;
    if (auto view = ViewThrough(graph_, node, from->second)) views_[node.outputs[0]] = *std::move(view);
  }

  /// Pixels of a plane of [1,C,…].
  int64_t PlaneOf(ValueId planes) const { return Elements(at(planes).shape) / at(planes).shape[1]; }

  /// [1,C,P] of planes [1,C,H,W].
  ValueId Flat(ValueId planes) {
    if (at(planes).shape.size() == 3) return planes;
    const auto known = flat_.find(planes);
    if (known != flat_.end()) return known->second;
    const Shape shape{1, at(planes).shape[1], PlaneOf(planes)};
    return flat_[planes] = AddMove(Op::kReshape, NoAttrs{}, planes, shape, at(planes).name + ".flat");
  }

  /// A matrix within planes: its rows or its columns are channels, the others pixels.
  struct Matrix {
    ValueId source = kNone;
    int64_t channel = 0, channels = 0, pixel = 0, pixels = 0;
    bool rows_are_channels = false;
  };

  /// The matrix of the last two axes of a view, `extra` elements further on; nothing if it is no such matrix.
  std::optional<Matrix> MatrixOf(const StridedView& view, int64_t extra, bool rows_are_channels) const {
    const size_t rank = view.shape.size();
    const size_t c = rows_are_channels ? rank - 2 : rank - 1, p = rows_are_channels ? rank - 1 : rank - 2;
    const int64_t plane = PlaneOf(view.source), first = view.offset + extra;
    if (view.shape[c] > 1 && view.strides[c] != plane) return std::nullopt;
    if (view.shape[p] > 1 && view.strides[p] != 1) return std::nullopt;
    const Matrix m{view.source, first / plane, view.shape[c], first % plane, view.shape[p], rows_are_channels};
    if (m.pixel + m.pixels > plane || m.channel + m.channels > at(view.source).shape[1]) return std::nullopt;
    return m;
  }

  /// [1,channels,pixels]: a slice of the planes, or the planes.
  ValueId Cut(const Matrix& m) {
    const ValueId flat = Flat(m.source);
    const Shape shape{1, m.channels, m.pixels};
    if (at(flat).shape == shape) return flat;
    const auto key = std::make_tuple(flat, m.channel, m.channels, m.pixel, m.pixels);
    const auto known = cuts_.find(key);
    if (known != cuts_.end()) return known->second;
    const SliceAttrs attrs{{0, m.channel, m.pixel}, {1, m.channel + m.channels, m.pixel + m.pixels}, {1, 1, 1}};
    return cuts_[key] = AddMove(Op::kSlice, attrs, flat, shape, at(m.source).name + ".part");
  }

  /// The planes of a value that is tokens of planes made before, or of a part of them; kNone if it is not.
  ValueId PlanesInView(ValueId id) {
    const auto view = views_.find(id);
    if (view == views_.end()) return kNone;
    const Shape planes = Planes(at(id).shape);
    const auto tokens = Reshaped(view->second, {planes[2] * planes[3], planes[1]});
    if (!tokens) return kNone;
    const auto matrix = MatrixOf(*tokens, 0, false);
    if (!matrix) return kNone;
    const ValueId cut = Cut(*matrix);
    return AddMove(Op::kReshape, NoAttrs{}, cut, planes, at(id).name + ".planes");
  }

  /// Makes a value that lies in planes, all of them in another order.
  void BringBackView(ValueId id) {
    const StridedView& view = views_.at(id);
    const std::vector<int64_t> order = *OrderInMemory(view);
    std::vector<int64_t> perm(order.size());
    Shape laid;
    for (size_t i = 0; i < order.size(); ++i) {
      laid.push_back(view.shape[static_cast<size_t>(order[i])]);
      perm[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
    }
    const ValueId spread = AddMove(Op::kReshape, NoAttrs{}, view.source, laid, at(id).name + ".spread");
    AddMoveTo(Op::kTranspose, TransposeAttrs{perm}, spread, id);
  }

  // ---- products of two activations

  /// Where an operand of a product lies, of as many axes as the result. What lies nowhere yet is laid out here: with
  /// the sum's axis as channels.
  StridedView OperandView(ValueId id, size_t rank, bool left, bool again) {
    Shape shape = at(id).shape;
    shape.insert(shape.begin(), rank - shape.size(), 1);
    if (!again) {
      const auto known = views_.find(id);
      if (known != views_.end()) return *Reshaped(known->second, shape);
    }
    BringBack(id);
    const int64_t rows = shape[rank - 2], columns = shape[rank - 1], batch = Elements(shape) / (rows * columns);
    Shape flat{1, batch * rows, columns};
    ValueId laid = id;
    if (left) {
      laid = MaybeReshape(laid, {batch, rows, columns}, ".heads");
      laid =
          AddOrFold(Op::kTranspose, TransposeAttrs{{0, 2, 1}}, laid, {batch, columns, rows}, at(id).name + ".turned");
      flat = {1, batch * columns, rows};
    }
    laid = MaybeReshape(laid, flat, ".planes");
    StridedView view = WholeView(laid, {batch, left ? columns : rows, left ? rows : columns});
    if (left) {
      std::swap(view.shape[1], view.shape[2]);
      std::swap(view.strides[1], view.strides[2]);
    }
    return *Reshaped(view, shape);
  }

  ValueId MaybeReshape(ValueId id, const Shape& shape, const std::string& suffix) {
    if (at(id).shape == shape) return id;
    return AddOrFold(Op::kReshape, NoAttrs{}, id, shape, at(id).name + suffix);
  }

  /// A move, of a constant at once.
  ValueId AddOrFold(Op op, Attributes attrs, ValueId from, Shape shape, const std::string& name) {
    if (!at(from).is_constant()) return AddMove(op, std::move(attrs), from, std::move(shape), name);
    Value v = LikeOf(from, std::move(shape), name);
    v.constant = at(from).constant;
    if (op == Op::kTranspose) {
      v.constant = std::make_shared<const Bytes>(
          TransposeBytes(*at(from).constant, 1, at(from).shape, std::get<TransposeAttrs>(attrs).perm));
    }
    return graph_.AddValue(std::move(v));
  }

  /// Elements from the first matrix of an operand to that of one of the result's batch, broadcast as in numpy.
  static int64_t BatchOffset(const StridedView& view, const Shape& result, int64_t batch) {
    int64_t offset = 0;
    for (size_t a = result.size() - 2; a-- > 0;) {
      if (view.shape[a] > 1) offset += batch % result[a] * view.strides[a];
      batch /= result[a];
    }
    return offset;
  }

  /// One product for each matrix of the batch. One operand stays activations, with the sum's axis as channels; the
  /// other becomes weights, whichever way it lies. The results are channels of one tensor.
  void ConvertMatMul(const Node& node) {
    const ValueId result = node.outputs[0];
    const Shape out = at(result).shape;
    const size_t rank = out.size();
    StridedView a = OperandView(node.inputs[0], rank, true, false), b = OperandView(node.inputs[1], rank, false, false);
    const int64_t batches = Elements(out) / (out[rank - 2] * out[rank - 1]);
    const auto lies = [&](const StridedView& v, bool rows_are_channels) {
      for (int64_t i = 0; i < batches; ++i) {
        if (!MatrixOf(v, BatchOffset(v, out, i), rows_are_channels)) return false;
      }
      return true;
    };
    const bool b_rows = lies(b, true);
    if (!b_rows && !lies(b, false)) b = OperandView(node.inputs[1], rank, false, true);
    const bool b_as_rows = b_rows || lies(b, true);
    // A turned product has its columns as channels' place: Bᵀ stays, A becomes weights.
    const bool turned = !lies(a, false) && b_as_rows && lies(a, true);
    if (!turned && !lies(a, false)) a = OperandView(node.inputs[0], rank, true, true);
    std::vector<ValueId> parts;
    for (int64_t i = 0; i < batches; ++i) {
      const StridedView &weights_view = turned ? a : b, &x_view = turned ? b : a;
      const bool weights_rows = turned ? true : b_as_rows;
      const Matrix weights = *MatrixOf(weights_view, BatchOffset(weights_view, out, i), weights_rows);
      const Matrix x = *MatrixOf(x_view, BatchOffset(x_view, out, i), turned);
      Node part = node;
      if (batches > 1) part.name += ".head" + std::to_string(i);
      // [1,N,K] · [1,K,M], the first turned where the sum runs over its channels.
      part.attrs = MatMulAttrs{turned ? !weights.rows_are_channels : weights.rows_are_channels};
      part.inputs = {Cut(weights), Cut(x)};
      const Shape shape{1, turned ? out[rank - 2] : out[rank - 1], turned ? out[rank - 1] : out[rank - 2]};
      part.outputs = {graph_.AddValue(LikeOf(result, shape, at(result).name + ".planes"))};
      parts.push_back(part.outputs[0]);
      graph_.nodes.push_back(std::move(part));
    }
    Shape batch_shape(out.begin(), out.end() - 2);
    Shape memory = batch_shape;
    memory.insert(memory.end(), {turned ? out[rank - 2] : out[rank - 1], turned ? out[rank - 1] : out[rank - 2]});
    StridedView view = WholeView(Joined(result, std::move(parts)), memory);
    if (!turned) {
      std::swap(view.shape[rank - 2], view.shape[rank - 1]);
      std::swap(view.strides[rank - 2], view.strides[rank - 1]);
    }
    views_[result] = std::move(view);
    made_[result] = result;
  }

  /// Planes that are one after another the channels of one tensor; readers of a part find it in parts_.
  ValueId Joined(ValueId like, std::vector<ValueId> parts) {
    if (parts.size() == 1) return parts[0];
    Shape shape = at(parts[0]).shape;
    shape[1] *= static_cast<int64_t>(parts.size());
    const ValueId joined = graph_.AddValue(LikeOf(like, shape, at(like).name + ".heads"));
    Node node;
    node.name = at(joined).name;
    node.op = Op::kConcat;
    node.attrs = AxisAttrs{1};
    node.inputs = parts;
    node.outputs = {joined};
    graph_.nodes.push_back(std::move(node));
    parts_[joined] = std::move(parts);
    return joined;
  }

  /// Functions of a value that is some planes in another order: of the planes. Returns whether it is.
  bool ConvertInView(const Node& node) {
    const auto found = views_.find(node.inputs[0]);
    if (node.op != Op::kUnary || found == views_.end() || planes_.count(node.inputs[0]) != 0) return false;
    StridedView view = found->second;
    const int64_t plane = PlaneOf(view.source), count = Elements(view.shape);
    if (!OrderInMemory(view) || view.offset % plane != 0 || count % plane != 0) return false;
    const ValueId result = node.outputs[0];
    std::vector<ValueId> parts;
    const auto known = parts_.find(view.source);
    if (known != parts_.end() && count == Elements(at(view.source).shape)) {
      parts = known->second;
    } else {
      parts = {Cut({view.source, view.offset / plane, count / plane, 0, plane, false})};
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      Node part = node;
      if (parts.size() > 1) part.name += ".head" + std::to_string(i);
      part.inputs = {parts[i]};
      parts[i] = graph_.AddValue(LikeOf(result, at(parts[i]).shape, at(result).name + ".planes"));
      part.outputs = {parts[i]};
      graph_.nodes.push_back(std::move(part));
    }
    view.source = Joined(result, std::move(parts));
    view.offset = 0;
    views_[result] = std::move(view);
    made_[result] = result;
    return true;
  }

  void Convert(Node node) {
    if (node.op == Op::kMatMul) return ConvertMatMul(node);
    if (ConvertInView(node)) return;
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
    const Shape spread = Spread(out);
    const int64_t pixels = spread[1] * spread[2];
    if (auto view = Reshaped({planes, 0, spread, {pixels * spread[3], spread[2], 1, pixels}}, out)) {
      views_[old] = *std::move(view);
    }
    node.outputs = {planes};
    graph_.nodes.push_back(std::move(node));
  }

  Graph& graph_;
  std::vector<bool> inside_;
  std::map<ValueId, ValueId> planes_;
  std::map<ValueId, ValueId> made_;       ///< values of the region that no node outside has read yet
  std::map<ValueId, StridedView> views_;  ///< where the elements of a value lie, in planes
  std::map<ValueId, ValueId> flat_;
  std::map<std::tuple<ValueId, int64_t, int64_t, int64_t, int64_t>, ValueId> cuts_;
  std::map<ValueId, std::vector<ValueId>> parts_;  ///< of planes that are joined
};

}  // namespace

bool TokensToPlanes(Graph& graph) {
  // Products of planes look like products of tokens: once is enough.
  if (graph.metadata.contains("tokens") || !Converter(graph).Run()) return false;
  graph.metadata["tokens"] = "as planes";
  return true;
}

}  // namespace xrun::compiler
