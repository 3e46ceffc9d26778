#include "compiler/build_program.h"

#include <algorithm>
#include <cassert>
#include <map>

#include "compiler/explain.h"
#include "compiler/integer_form.h"
#include "compiler/macs.h"
#include "compiler/move_to_cpu.h"
#include "compiler/placement.h"
#include "isa/launch.h"
#include "runtime/cpu/attributes.h"

namespace xrun::compiler {
namespace {

ElementType ElementTypeOf(DType type) {
  switch (type) {
    case DType::kFloat32:
      return ElementType::kFloat32;
    case DType::kInt8:
      return ElementType::kInt8;
    case DType::kInt32:
      return ElementType::kInt32;
    case DType::kInt64:
      return ElementType::kInt64;
    case DType::kBool:
      return ElementType::kBool;
  }
  return ElementType::kFloat32;
}

class Builder {
 public:
  Builder(const Graph& graph, const LoweredModel& model, const HardwareConfig& config)
      : graph_(graph), model_(model), config_(config) {}

  Result<Program> Build(std::vector<ScheduledPartition> partitions, WeightImage weights) {
    program_.model_name = graph_.name;
    program_.config = config_;
    program_.capabilities = launch::kBaseCapabilities;
    AddNodes();
    for (const ScheduledPartition& p : partitions) NoteStacks(p.partition);
    BindBorders();
    for (ValueId id : graph_.inputs) program_.inputs.push_back(TensorOf(id));
    for (const LoweredStep& step : model_.steps) {
      if (step.partition) {
        XRUN_RETURN_IF_ERROR(AddOverlayStep(partitions[*step.partition]));
      } else {
        AddCpuStep(step.cpu_node);
      }
    }
    for (ValueId id : graph_.outputs) program_.outputs.push_back(TensorOf(id));
    program_.weights = Keep(std::move(weights).Take());
    return std::move(program_);
  }

 private:
  template <typename T>
  std::span<const T> Keep(std::vector<T> data) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(data));
    program_.storage.push_back(owner);
    return {owner->data(), owner->size()};
  }

  void AddNodes() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      const Placement& placement = model_.places[i];
      program_.nodes.push_back({node.name, std::string(Name(node.op)), std::string(Name(placement.place)),
                                placement.reason, Macs(graph_, node)});
    }
    for (const Partition& p : model_.partitions) {
      for (const Layer& layer : p.layers) {
        for (size_t i = 1; i < layer.nodes.size(); ++i) {
          program_.nodes[static_cast<size_t>(layer.nodes[i])].reason = OutputStageReason(layer);
        }
      }
    }
  }

  /// Instructions of a stack of samples count as its first sample's nodes', so its work does, too.
  void NoteStacks(const Partition& partition) {
    for (const Layer& layer : partition.layers) {
      const uint32_t samples = partition.tensors[static_cast<size_t>(layer.output)].samples;
      if (samples == 1) continue;
      const size_t nodes = layer.nodes.size() / samples;
      for (size_t i = nodes; i < layer.nodes.size(); ++i) {
        NodeInfo& first = program_.nodes[static_cast<size_t>(layer.nodes[i % nodes])];
        NodeInfo& other = program_.nodes[static_cast<size_t>(layer.nodes[i])];
        first.macs += other.macs;
        other.macs = 0;
        other.reason = "int8 operator, in one stack of samples with '" + first.name + "'";
      }
    }
  }

  /// Model inputs and outputs that are converted at the border appear as int8 tensors under the model's names.
  void BindBorders() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (model_.places[i].place != Place::kFolded) continue;
      const bool in = node.op == Op::kQuantize;
      const ValueId outer = in ? node.inputs[0] : node.outputs[0];
      const ValueId inner = in ? node.outputs[0] : node.inputs[0];
      const uint32_t index = AddTensor(graph_.at(inner));
      program_.tensors[index].name = graph_.at(outer).name;
      tensor_of_[outer] = tensor_of_[inner] = index;
    }
  }

  uint32_t AddTensor(const Value& value) {
    TensorDesc t;
    t.name = value.name;
    t.type = ElementTypeOf(value.dtype);
    t.shape = value.shape;
    if (value.dtype == DType::kInt8 && value.quant) {
      t.scale = value.quant->scale[0];
      t.zero_point = value.quant->zero_point[0];
    }
    program_.tensors.push_back(std::move(t));
    return static_cast<uint32_t>(program_.tensors.size() - 1);
  }

  uint32_t TensorOf(ValueId id) {
    const auto it = tensor_of_.find(id);
    if (it != tensor_of_.end()) return it->second;
    const Value& value = graph_.at(id);
    const uint32_t index = AddTensor(value);
    tensor_of_[id] = index;
    if (value.is_constant()) {
      program_.storage.push_back(value.constant);
      program_.constants.push_back({index, {value.constant->data(), value.constant->size()}});
    }
    return index;
  }

  static BufferLayout LayoutOf(const OverlayTensor& t) {
    BufferLayout layout;
    layout.channels = t.channels;
    layout.height = t.height;
    layout.width = t.width;
    layout.groups = t.groups;
    layout.channel_map = t.channel_map;
    layout.dense = t.dense;
    return layout;
  }

  Binding BindingOf(const Partition& partition, const Partition::Port& port) {
    const OverlayTensor& t = partition.tensors[static_cast<size_t>(port.tensor)];
    return {TensorOf(port.value), t.base, LayoutOf(t)};
  }

  OverlayStep::Watch WatchOf(const Partition& partition, const Partition::Port& port) const {
    const OverlayTensor& t = partition.tensors[static_cast<size_t>(port.tensor)];
    // Lower makes no other views of watched tensors than whole ones (channel shuffles).
    assert(t.group0 == 0 && t.y0 == 0 && t.x0 == 0);
    const OverlayTensor& root = t.is_view() ? partition.tensors[static_cast<size_t>(t.parent)] : t;
    const Value& value = graph_.at(port.value);
    // A value that a model output stands for goes by the output's name, as its tensor does.
    const auto known = tensor_of_.find(port.value);
    const std::string& name = known == tensor_of_.end() ? value.name : program_.tensors[known->second].name;
    return {name,
            root.offset,
            LayoutOf(t),
            value.quant->scale[0],
            value.quant->zero_point[0],
            value.shape,
            static_cast<uint32_t>(graph_.Producer(port.value))};
  }

  Result<std::span<const InstructionWord>> EncodeAll(const std::vector<Instruction>& instructions) {
    std::vector<InstructionWord> words;
    words.reserve(instructions.size());
    for (const Instruction& i : instructions) {
      program_.capabilities |= CapabilitiesOf(i);
      XRUN_ASSIGN_OR_RETURN(const InstructionWord word, Encode(i));
      words.push_back(word);
    }
    return Keep(std::move(words));
  }

  Status AddOverlayStep(const ScheduledPartition& scheduled) {
    OverlayStep step;
    std::array<std::vector<Instruction>, kEngines> bodies;
    for (const ScheduledInstruction& s : scheduled.schedule.body) {
      std::vector<Instruction>& body = bodies[s.engine];
      if (s.layer != kNone) {
        const auto node = static_cast<uint32_t>(scheduled.partition.layers[static_cast<size_t>(s.layer)].nodes[0]);
        const auto index = static_cast<uint32_t>(body.size());
        auto& open = open_range_[s.engine];
        if (open && open->node == node && open->first + open->count == index) {
          ++open->count;
        } else {
          if (open) step.ranges.push_back(*open);
          open = NodeRange{node, s.engine, index, 1};
        }
      }
      body.push_back(s.instruction);
    }
    for (auto& open : open_range_) {
      if (open) step.ranges.push_back(*open);
      open.reset();
    }
    std::stable_sort(step.ranges.begin(), step.ranges.end(), [](const NodeRange& a, const NodeRange& b) {
      return a.engine != b.engine ? a.engine < b.engine : a.first < b.first;
    });
    for (const NodeRange& range : step.ranges) {  // time marks: the last instruction of each range
      HeaderOf(bodies[range.engine][range.first + range.count - 1]).mark = 1;
    }
    for (size_t e = 0; e < kEngines; ++e) {
      XRUN_ASSIGN_OR_RETURN(step.prologue[e], EncodeAll(scheduled.schedule.prologue[e]));
      XRUN_ASSIGN_OR_RETURN(step.body[e], EncodeAll(bodies[e]));
    }
    for (const Partition::Port& port : scheduled.partition.inputs) {
      step.inputs.push_back(BindingOf(scheduled.partition, port));
    }
    for (const Partition::Port& port : scheduled.partition.outputs) {
      step.outputs.push_back(BindingOf(scheduled.partition, port));
    }
    for (const Partition::Port& port : scheduled.partition.inside) {
      step.watches.push_back(WatchOf(scheduled.partition, port));
    }
    step.workspace_bytes = scheduled.workspace_bytes;
    step.stagger = scheduled.schedule.stagger;
    if (step.stagger) program_.capabilities |= launch::kStaggeredCapability;
    program_.steps.push_back({Step::Kind::kOverlay, static_cast<uint32_t>(program_.overlay_steps.size())});
    program_.overlay_steps.push_back(std::move(step));
    return {};
  }

  void AddCpuStep(NodeId id) {
    const Node& node = graph_.nodes[static_cast<size_t>(id)];
    CpuStep step;
    step.op = std::string(Name(node.op));
    // What is still quantized here computes in integers; its clamp is among them.
    const bool integer = IsQuantizedOperator(graph_, node) && !OnlyMoves(graph_, node);
    const auto form = integer ? MakeIntegerForm(graph_, node) : std::nullopt;
    assert((!integer || form) && "MoveToCpu leaves int8 only what has an integer form");
    step.attributes =
        form ? AttributesToFile(node.attrs, std::nullopt, &*form) : AttributesToFile(node.attrs, node.clamp);
    step.node = static_cast<uint32_t>(id);
    for (ValueId in : node.inputs) step.inputs.push_back(in == kNone ? -1 : static_cast<int32_t>(TensorOf(in)));
    for (ValueId out : node.outputs) step.outputs.push_back(static_cast<int32_t>(TensorOf(out)));
    program_.steps.push_back({Step::Kind::kCpu, static_cast<uint32_t>(program_.cpu_steps.size())});
    program_.cpu_steps.push_back(std::move(step));
  }

  const Graph& graph_;
  const LoweredModel& model_;
  const HardwareConfig& config_;
  Program program_;
  std::map<ValueId, uint32_t> tensor_of_;
  std::array<std::optional<NodeRange>, kEngines> open_range_;
};

}  // namespace

Result<Program> BuildProgram(const Graph& graph, const LoweredModel& model, std::vector<ScheduledPartition> partitions,
                             WeightImage weights, const HardwareConfig& config) {
  return Builder(graph, model, config).Build(std::move(partitions), std::move(weights));
}

}  // namespace xrun::compiler
