#include "runtime/plan.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

namespace xrun::runtime {
namespace {

constexpr uint64_t kHostAlignment = 64, kDeviceAlignment = 4096;

uint64_t AlignTo(uint64_t value, uint64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

DType TypeOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return DType::kFloat32;
    case ElementType::kInt8:
      return DType::kInt8;
    case ElementType::kInt32:
      return DType::kInt32;
    case ElementType::kInt64:
      return DType::kInt64;
    case ElementType::kBool:
      return DType::kBool;
  }
  return DType::kFloat32;
}

bool Same(const BufferLayout& a, const BufferLayout& b) {
  return a.batch == b.batch && a.channels == b.channels && a.height == b.height && a.width == b.width &&
         a.groups == b.groups && a.channel_map == b.channel_map && a.dense == b.dense;
}

class Planner {
 public:
  explicit Planner(std::shared_ptr<const Program> program) : program_(*program), uses_(program_.tensors.size()) {
    plan_.program = std::move(program);
  }

  Result<std::shared_ptr<const Plan>> Make() {
    AddTensors();
    for (uint32_t t : program_.inputs) UseOnHost(t, kBefore);
    for (size_t i = 0; i < program_.steps.size(); ++i) {
      const Step& step = program_.steps[i];
      if (step.kind == Step::Kind::kCpu) {
        VisitCpu(program_.cpu_steps[step.index], static_cast<int64_t>(i));
      } else {
        VisitOverlay(step.index, static_cast<int64_t>(i));
      }
    }
    for (uint32_t t : program_.outputs) {
      NeedOnHost(t);
      UseOnHost(t, kAfter);
    }
    // The caller fills inputs at any time and reads outputs at any time.
    for (uint32_t t : program_.inputs) uses_[t].last = kAfter;
    for (uint32_t t : program_.outputs) uses_[t].first = kBefore;
    PlaceOnHost();
    PlaceOnDevice();
    for (const CpuStep& step : program_.cpu_steps) XRUN_RETURN_IF_ERROR(AddCpu(step));
    PackConstantWeights();
    return std::shared_ptr<const Plan>(std::make_shared<Plan>(std::move(plan_)));
  }

 private:
  static constexpr int64_t kBefore = -1, kAfter = std::numeric_limits<int64_t>::max();

  /// Steps between which a tensor's host memory must keep its contents.
  struct Use {
    int64_t first = kAfter, last = kBefore;
    int64_t produced = kBefore;  ///< by this overlay step…
    int32_t packed = -1;         ///< …into this buffer
    uint32_t producer = 0;       ///< index into overlay steps
    bool unpacked = false;
  };

  void AddTensors() {
    for (const TensorDesc& desc : program_.tensors) {
      Plan::Tensor t;
      t.dtype = TypeOf(desc.type);
      t.shape = desc.shape;
      t.bytes = SizeOf(t.dtype);
      for (int64_t d : desc.shape) t.bytes *= static_cast<uint64_t>(d);
      plan_.tensors.push_back(std::move(t));
    }
    for (const ConstantData& constant : program_.constants) {
      plan_.tensors[constant.tensor].constant = constant.bytes.data();
    }
    plan_.overlay.resize(program_.overlay_steps.size());
  }

  void UseOnHost(uint32_t tensor, int64_t at) {
    if (plan_.tensors[tensor].constant != nullptr) return;
    plan_.tensors[tensor].on_host = true;
    uses_[tensor].first = std::min(uses_[tensor].first, at);
    uses_[tensor].last = std::max(uses_[tensor].last, at);
  }

  /// A tensor that an overlay step made is wanted in the model's layout: it is unpacked right after that step.
  void NeedOnHost(uint32_t tensor) {
    Use& use = uses_[tensor];
    if (use.packed < 0 || use.unpacked) return;
    use.unpacked = true;
    plan_.overlay[use.producer].unpack.push_back(static_cast<uint32_t>(use.packed));
    UseOnHost(tensor, use.produced);
  }

  void VisitCpu(const CpuStep& step, int64_t at) {
    for (int32_t t : step.inputs) {
      if (t < 0) continue;
      plan_.tensors[static_cast<size_t>(t)].on_cpu = true;
      NeedOnHost(static_cast<uint32_t>(t));
      UseOnHost(static_cast<uint32_t>(t), at);
    }
    for (int32_t t : step.outputs) {
      plan_.tensors[static_cast<size_t>(t)].on_cpu = true;
      UseOnHost(static_cast<uint32_t>(t), at);
    }
  }

  uint32_t AddPacked(const Binding& binding) {
    Plan::Packed packed;
    packed.tensor = binding.tensor;
    packed.layout = binding.layout;
    packed.bytes = binding.layout.Bytes(program_.config);
    plan_.packed.push_back(std::move(packed));
    const auto index = static_cast<uint32_t>(plan_.packed.size() - 1);
    int32_t& form = plan_.tensors[binding.tensor].packed;
    form = form == -1 ? static_cast<int32_t>(index) : -2;
    return index;
  }

  static bool SharesRegister(const std::vector<Binding>& bindings, const Binding& binding) {
    return std::count_if(bindings.begin(), bindings.end(), [&](const Binding& b) { return b.base == binding.base; }) >
           1;
  }

  /// Packed buffers are placed in the order in which they are added, so those that share a register are neighbours.
  void VisitOverlay(uint32_t index, int64_t at) {
    const OverlayStep& step = program_.overlay_steps[index];
    Plan::Overlay& overlay = plan_.overlay[index];
    for (const Binding& binding : step.inputs) {
      const bool shares = SharesRegister(step.inputs, binding);
      const auto same = std::find_if(plan_.packed.begin(), plan_.packed.end(), [&](const Plan::Packed& p) {
        return !shares && p.tensor == binding.tensor && Same(p.layout, binding.layout);
      });
      uint32_t packed = static_cast<uint32_t>(same - plan_.packed.begin());
      if (same == plan_.packed.end()) {
        packed = AddPacked(binding);
        NeedOnHost(binding.tensor);
        UseOnHost(binding.tensor, at);
        overlay.pack.push_back(packed);
      }
      bindings_.push_back({index, binding.base, packed});
    }
    for (const Binding& binding : step.outputs) {
      const uint32_t packed = AddPacked(binding);
      bindings_.push_back({index, binding.base, packed});
      Use& use = uses_[binding.tensor];
      use.produced = at;
      use.packed = static_cast<int32_t>(packed);
      use.producer = index;
    }
  }

  /// First fit, largest first: tensors whose uses do not overlap in time share memory.
  void PlaceOnHost() {
    std::vector<uint32_t> order;
    for (uint32_t t = 0; t < plan_.tensors.size(); ++t) {
      if (plan_.tensors[t].on_host) order.push_back(t);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return plan_.tensors[a].bytes > plan_.tensors[b].bytes; });
    std::vector<uint32_t> placed;  // by offset
    for (uint32_t t : order) {
      uint64_t offset = 0;
      for (uint32_t other : placed) {
        if (uses_[other].last < uses_[t].first || uses_[t].last < uses_[other].first) continue;
        if (offset + plan_.tensors[t].bytes <= plan_.tensors[other].host_offset) break;
        offset =
            std::max(offset, AlignTo(plan_.tensors[other].host_offset + plan_.tensors[other].bytes, kHostAlignment));
      }
      plan_.tensors[t].host_offset = offset;
      plan_.host_bytes = std::max(plan_.host_bytes, offset + plan_.tensors[t].bytes);
      const auto at = std::upper_bound(placed.begin(), placed.end(), t, [&](uint32_t a, uint32_t b) {
        return plan_.tensors[a].host_offset < plan_.tensors[b].host_offset;
      });
      placed.insert(at, t);
    }
  }

  void PlaceOnDevice() {
    // Neighbours of one register follow on each other; everything else starts aligned.
    std::vector<bool> follows(plan_.packed.size(), false);
    for (size_t i = 1; i < bindings_.size(); ++i) {
      const Bound &before = bindings_[i - 1], &b = bindings_[i];
      if (before.step == b.step && before.base == b.base) follows[b.packed] = true;
    }
    uint64_t end = 0;
    for (size_t i = 0; i < plan_.packed.size(); ++i) {
      Plan::Packed& packed = plan_.packed[i];
      packed.offset = follows[i] ? end : AlignTo(end, kDeviceAlignment);
      end = packed.offset + packed.bytes;
    }
    end = AlignTo(end, kDeviceAlignment);
    plan_.workspace_offset = end;
    uint64_t workspace = 0;
    for (size_t i = 0; i < plan_.overlay.size(); ++i) {
      const uint64_t bytes = program_.overlay_steps[i].workspace_bytes;
      const auto& stagger = program_.overlay_steps[i].stagger;
      const uint64_t own = stagger ? stagger->offset : bytes;
      if (own != 0) plan_.overlay[i].registers[kBaseWorkspace] = {true, end, own};
      if (stagger) plan_.overlay[i].registers[stagger->out] = {true, end + stagger->offset, stagger->bytes};
      workspace = std::max(workspace, bytes);
    }
    plan_.device_bytes = AlignTo(end + workspace, kDeviceAlignment);
    for (const Bound& b : bindings_) {
      const auto same = [&](const Bound& other) { return other.step == b.step && other.base == b.base; };
      plan_.packed[b.packed].places.push_back(
          {b.step, b.base, std::count_if(bindings_.begin(), bindings_.end(), same) == 1});
      const Plan::Packed& packed = plan_.packed[b.packed];
      Plan::Overlay::Register& r = plan_.overlay[b.step].registers[b.base];
      r = r.set ? Plan::Overlay::Register{true, r.offset, r.bytes + packed.bytes}
                : Plan::Overlay::Register{true, packed.offset, packed.bytes};
    }
  }

  /// CheckOp reads no tensor's contents; it only wants present tensors to have memory.
  static void* Somewhere(const Plan::Tensor& tensor) {
    alignas(64) static std::byte nothing[64];
    return tensor.constant != nullptr ? const_cast<uint8_t*>(tensor.constant) : static_cast<void*>(nothing);
  }

  Status AddCpu(const CpuStep& step) {
    Plan::Cpu cpu;
    const NodeInfo* node = step.node < program_.nodes.size() ? &program_.nodes[step.node] : nullptr;
    cpu.where = (node != nullptr ? "node '" + node->name + "'" : std::string("CPU step")) + " (" + step.op + ")";
    auto op = OpFromStep(step);
    if (!op.ok()) return std::move(op).failure().In(cpu.where);
    cpu.op = std::move(op).value();
    cpu.inputs = step.inputs;
    cpu.outputs = step.outputs;
    const int32_t quantized = cpu.op.op == Op::kQuantize && !step.outputs.empty()    ? step.outputs[0]
                              : cpu.op.op == Op::kDequantize && !step.inputs.empty() ? step.inputs[0]
                                                                                     : -1;
    if (quantized >= 0) {
      cpu.scale = program_.tensors[static_cast<size_t>(quantized)].scale;
      cpu.zero_point = program_.tensors[static_cast<size_t>(quantized)].zero_point;
    }
    plan_.cpu.push_back(std::move(cpu));
    BoundCall bound;
    Bind(plan_.cpu.size() - 1, bound);
    auto status = cpu::CheckOp(bound.call);
    if (!status.ok()) return std::move(status).failure().In(plan_.cpu.back().where);
    return {};
  }

  void Bind(size_t index, BoundCall& bound) {
    BindCall(
        plan_, index, [&](uint32_t t) { return Somewhere(plan_.tensors[t]); }, bound);
  }

  void PackConstantWeights() {
    for (size_t i = 0; i < plan_.cpu.size(); ++i) {
      Plan::Cpu& step = plan_.cpu[i];
      if (step.inputs.size() < 2 || step.inputs[1] < 0) continue;
      if (plan_.tensors[static_cast<size_t>(step.inputs[1])].constant == nullptr) continue;
      BoundCall bound;
      Bind(i, bound);
      const size_t floats = cpu::PackedWeightFloats(bound.call);
      if (floats == 0) continue;
      AlignedMemory memory(floats * sizeof(float));
      cpu::PackWeights(bound.call, reinterpret_cast<float*>(memory.data()));
      step.packed_weights = std::move(memory);
    }
  }

  struct Bound {
    uint32_t step, base, packed;
  };

  const Program& program_;
  Plan plan_;
  std::vector<Use> uses_;
  std::vector<Bound> bindings_;
};

}  // namespace

AlignedMemory::AlignedMemory(size_t bytes)
    : data_(static_cast<std::byte*>(::operator new[](std::max<size_t>(bytes, 1), std::align_val_t{64}))), size_(bytes) {
  std::memset(data_.get(), 0, bytes);
}

Result<std::shared_ptr<const Plan>> MakePlan(std::shared_ptr<const Program> program) {
  return Planner(std::move(program)).Make();
}

int32_t DeviceForm(const Plan& plan, uint32_t tensor) {
  const Plan::Tensor& t = plan.tensors[tensor];
  if (t.packed < 0 || t.on_cpu) return -1;
  const auto& inputs = plan.program->inputs;
  const auto& outputs = plan.program->outputs;
  if (std::count(inputs.begin(), inputs.end(), tensor) + std::count(outputs.begin(), outputs.end(), tensor) != 1) {
    return -1;
  }
  const Plan::Packed& packed = plan.packed[static_cast<size_t>(t.packed)];
  const bool alone = std::all_of(packed.places.begin(), packed.places.end(), [](const auto& p) { return p.alone; });
  return alone ? t.packed : -1;
}

size_t ScratchBytes(const Plan& plan, int workers) {
  size_t bytes = 0;
  alignas(64) static std::byte nothing[64];
  for (size_t i = 0; i < plan.cpu.size(); ++i) {
    BoundCall bound;
    BindCall(
        plan, i, [](uint32_t) -> void* { return nothing; }, bound);
    bytes = std::max(bytes, cpu::ScratchBytes(bound.call, workers));
  }
  return bytes;
}

}  // namespace xrun::runtime
