#include "compiler/split_batch.h"

#include <algorithm>
#include <map>
#include <utility>

#include "compiler/move_to_cpu.h"

namespace xrun::compiler {
namespace {

class Splitter {
 public:
  explicit Splitter(Graph& graph) : graph_(graph), batch_(graph.nodes.size(), 0) {}

  bool Run() {
    if (!FindRegions()) return false;
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (size_t n = 0; n < nodes.size(); ++n) {
      if (batch_[n] > 0) {
        Convert(nodes[n], batch_[n]);
        continue;
      }
      for (ValueId id : nodes[n].inputs) Join(id);
      Add(std::move(nodes[n]), kWhole);
    }
    for (ValueId id : std::vector<ValueId>(graph_.outputs)) Join(id);
    SampleAfterSample();
    graph_.RemoveDead();
    return true;
  }

 private:
  static constexpr int64_t kWhole = -1;  ///< sample of a node that is none's

  const Value& at(ValueId id) const { return graph_.at(id); }

  /// What works on each sample by itself: tensors with planes, and the matrices beside them.
  bool FindRegions() {
    std::vector<std::vector<size_t>> users(graph_.values.size());
    std::vector<NodeId> producer(graph_.values.size(), kNone);
    std::vector<size_t> todo;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      for (ValueId id : node.inputs) {
        if (id != kNone) users[static_cast<size_t>(id)].push_back(n);
      }
      for (ValueId id : node.outputs) producer[static_cast<size_t>(id)] = static_cast<NodeId>(n);
      // Rows of a matrix alone, [N,K], are planes for tokens_to_planes.
      if (BySample(node) && at(node.outputs[0]).shape.size() > 2) {
        batch_[n] = at(node.outputs[0]).shape[0];
        todo.push_back(n);
      }
    }
    if (todo.empty()) return false;
    while (!todo.empty()) {
      const size_t n = todo.back();
      todo.pop_back();
      const auto visit = [&](size_t other) {
        if (batch_[other] != 0 || !BySample(graph_.nodes[other])) return;
        if (at(graph_.nodes[other].outputs[0]).shape[0] != batch_[n]) return;
        batch_[other] = batch_[n];
        todo.push_back(other);
      };
      for (ValueId id : graph_.nodes[n].inputs) {
        if (id == kNone) continue;
        const NodeId from = producer[static_cast<size_t>(id)];
        if (from != kNone) visit(static_cast<size_t>(from));
      }
      for (size_t user : users[static_cast<size_t>(graph_.nodes[n].outputs[0])]) visit(user);
    }
    return true;
  }

  static bool NeedsPlanes(Op op) {
    switch (op) {
      case Op::kConv:
      case Op::kConvTranspose:
      case Op::kMaxPool:
      case Op::kAveragePool:
      case Op::kResize:
      case Op::kDepthToSpace:
      case Op::kSpaceToDepth:
        return true;
      default:
        return false;
    }
  }

  /// A quantized operator of several samples, each of which depends on its own inputs alone.
  bool BySample(const Node& node) const {
    if (!node.cpu_reason.empty() || !IsQuantizedOperator(graph_, node)) return false;
    const Shape& out = at(node.outputs[0]).shape;
    if (out.size() < 2 || out[0] < 2) return false;
    const Shape& in = at(node.inputs[0]).shape;
    const bool first_is_batch = !in.empty() && in[0] == out[0];
    switch (node.op) {
      case Op::kUnary:
      case Op::kPRelu:
      case Op::kFullyConnected:
        return first_is_batch;
      case Op::kReshape:
        return first_is_batch;
      case Op::kTranspose:
        return node.as<TransposeAttrs>().perm[0] == 0;
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
        return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
          const Shape& s = at(id).shape;
          return s.size() < out.size() || s[0] == out[0] || s[0] == 1;
        });
      case Op::kMatMul:
        return out.size() > 2 && std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
                 const Shape& s = at(id).shape;
                 return s.size() < out.size() || s[0] == out[0] || s[0] == 1;
               });
      case Op::kConcat:
      case Op::kGather:
        return node.as<AxisAttrs>().axis != 0 && first_is_batch;
      case Op::kSlice:
        return first_is_batch && node.as<SliceAttrs>().begin[0] == 0 && node.as<SliceAttrs>().step[0] == 1;
      case Op::kPad:
        return node.as<PadAttrs>().before[0] == 0 && node.as<PadAttrs>().after[0] == 0;
      default:
        return NeedsPlanes(node.op) && first_is_batch;
    }
  }

  void Add(Node node, int64_t sample) {
    graph_.nodes.push_back(std::move(node));
    sample_.push_back(sample);
  }

  ValueId AddLike(ValueId id, int64_t sample, ConstantData constant) {
    Value v = at(id);
    v.name = graph_.UniqueName(v.name + ".sample" + std::to_string(sample));
    v.shape[0] = 1;
    v.constant = std::move(constant);
    return graph_.AddValue(std::move(v));
  }

  /// Sample `i` of an operand: a part, a slice of it, or the operand itself where all samples share it.
  ValueId Part(ValueId id, int64_t i, int64_t batch, size_t rank) {
    if (id == kNone) return id;
    if (at(id).shape.size() < rank || at(id).shape[0] != batch) {
      Join(id);  // its own samples, if it has any, are something else
      return id;
    }
    std::vector<ValueId>& parts = parts_[id];
    if (parts.empty()) {
      for (int64_t s = 0; s < batch; ++s) {
        if (at(id).is_constant()) {
          const auto& bytes = *at(id).constant;
          const auto size = static_cast<std::ptrdiff_t>(bytes.size() / static_cast<size_t>(batch));
          parts.push_back(AddLike(
              id, s,
              std::make_shared<const std::vector<uint8_t>>(bytes.begin() + s * size, bytes.begin() + (s + 1) * size)));
          continue;
        }
        parts.push_back(AddLike(id, s, nullptr));
        Node cut;
        cut.name = at(parts.back()).name;
        cut.op = Op::kSlice;
        SliceAttrs attrs{Shape(at(id).shape.size(), 0), at(id).shape, Shape(at(id).shape.size(), 1)};
        attrs.begin[0] = s;
        attrs.end[0] = s + 1;
        cut.attrs = std::move(attrs);
        cut.inputs = {id};
        cut.outputs = {parts.back()};
        Add(std::move(cut), kWhole);
      }
    }
    return parts[static_cast<size_t>(i)];
  }

  static bool ReadsWeights(Op op, size_t input) {
    return input > 0 && (op == Op::kConv || op == Op::kConvTranspose || op == Op::kFullyConnected ||
                         op == Op::kGather || op == Op::kPRelu);
  }

  void Convert(const Node& node, int64_t batch) {
    const ValueId old = node.outputs[0];
    // An operand of lower rank is the same for all samples where shapes are broadcast.
    const bool broadcasts = node.op == Op::kAdd || node.op == Op::kSub || node.op == Op::kMul || node.op == Op::kMatMul;
    const size_t rank = broadcasts ? at(old).shape.size() : 1;
    std::vector<ValueId> made;
    for (int64_t s = 0; s < batch; ++s) {
      Node part = node;
      part.name += ".sample" + std::to_string(s);
      for (size_t i = 0; i < part.inputs.size(); ++i) {
        if (ReadsWeights(node.op, i)) {
          Join(part.inputs[i]);
          continue;
        }
        part.inputs[i] = Part(part.inputs[i], s, batch, rank);
      }
      if (part.op == Op::kSlice) part.as<SliceAttrs>().end[0] = 1;
      part.outputs = {AddLike(old, s, nullptr)};
      made.push_back(part.outputs[0]);
      Add(std::move(part), s);
    }
    parts_[old] = std::move(made);
    whole_[old] = false;
  }

  /// Puts the samples of a value together again for those who read it whole.
  void Join(ValueId id) {
    const auto whole = whole_.find(id);
    if (whole == whole_.end() || whole->second) return;
    whole->second = true;
    Node join;
    join.name = at(id).name + ".joined";
    join.op = Op::kConcat;
    join.attrs = AxisAttrs{0};
    join.inputs = parts_.at(id);
    join.outputs = {id};
    Add(std::move(join), kWhole);
  }

  /// One sample after the other, as far as the rest allows: what lives at the same time is then that of one sample.
  void SampleAfterSample() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    std::vector<char> made(graph_.values.size(), 1);
    for (const Node& node : nodes) {
      for (ValueId id : node.outputs) made[static_cast<size_t>(id)] = 0;
    }
    const int64_t samples = *std::max_element(sample_.begin(), sample_.end()) + 1;
    std::vector<char> done(nodes.size(), 0);
    for (size_t left = nodes.size(); left > 0;) {
      for (int64_t sample = kWhole; sample < samples; ++sample) {
        for (size_t n = 0; n < nodes.size(); ++n) {
          if (done[n] != 0 || sample_[n] != sample) continue;
          const bool ready = std::all_of(nodes[n].inputs.begin(), nodes[n].inputs.end(),
                                         [&](ValueId id) { return id == kNone || made[static_cast<size_t>(id)] != 0; });
          if (!ready) continue;
          for (ValueId id : nodes[n].outputs) made[static_cast<size_t>(id)] = 1;
          done[n] = 1;
          --left;
          graph_.nodes.push_back(std::move(nodes[n]));
        }
      }
    }
  }

  Graph& graph_;
  std::vector<int64_t> batch_;   ///< of each old node: samples it is split into, 0 if it stays
  std::vector<int64_t> sample_;  ///< of each new node
  std::map<ValueId, std::vector<ValueId>> parts_;
  std::map<ValueId, bool> whole_;  ///< values of regions: whether they were joined
};

}  // namespace

bool SplitBatch(Graph& graph) { return Splitter(graph).Run(); }

}  // namespace xrun::compiler
