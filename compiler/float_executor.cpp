#include "compiler/float_executor.h"

#include <algorithm>
#include <cassert>
#include <new>

namespace xrun::compiler {

namespace {

constexpr size_t kNoOffset = SIZE_MAX;
constexpr size_t kAlignment = 64;

size_t ValueBytes(const Value& value) {
  const size_t bytes = static_cast<size_t>(Elements(value.shape)) * SizeOf(value.dtype);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::byte* Allocate(size_t bytes) {
  return static_cast<std::byte*>(
      ::operator new[](std::max<size_t>(bytes, 1), std::align_val_t{kAlignment}, std::nothrow));
}

}  // namespace

FloatExecutor::FloatExecutor(FloatExecutor&&) noexcept = default;
FloatExecutor& FloatExecutor::operator=(FloatExecutor&&) noexcept = default;
FloatExecutor::~FloatExecutor() = default;

Result<FloatExecutor> FloatExecutor::Create(const Graph& graph, int threads) {
  FloatExecutor executor;
  XRUN_RETURN_IF_ERROR(executor.Build(graph, threads));
  return executor;
}

void FloatExecutor::PlanMemory() {
  // First fit, in execution order: a value's place is free again after the last node that reads it.
  std::vector<size_t> last_use(graph_.values.size(), 0);
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    for (ValueId id : graph_.nodes[n].outputs) last_use[static_cast<size_t>(id)] = n;
    for (ValueId id : graph_.nodes[n].inputs) {
      if (id != kNone) last_use[static_cast<size_t>(id)] = n;
    }
  }
  for (ValueId id : graph_.outputs) last_use[static_cast<size_t>(id)] = graph_.nodes.size();

  struct Block {
    size_t begin, end, last_use;
  };
  std::vector<Block> live;  // by begin
  offsets_.assign(graph_.values.size(), kNoOffset);
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    std::erase_if(live, [&](const Block& block) { return block.last_use < n; });
    for (ValueId id : graph_.nodes[n].outputs) {
      const size_t bytes = ValueBytes(graph_.at(id));
      size_t at = 0;
      auto place = live.begin();
      while (place != live.end() && place->begin - at < bytes) at = (place++)->end;
      live.insert(place, {at, at + bytes, last_use[static_cast<size_t>(id)]});
      offsets_[static_cast<size_t>(id)] = at;
      arena_bytes_ = std::max(arena_bytes_, at + bytes);
    }
  }
}

Status FloatExecutor::Build(const Graph& graph, int threads) {
  graph_ = graph;
  workers_ = std::make_unique<cpu::Workers>(threads);
  PlanMemory();
  arena_.reset(Allocate(arena_bytes_));
  if (arena_ == nullptr) {
    return Failure{"graph '" + graph_.name + "' needs " + std::to_string(arena_bytes_ >> 20) +
                       " MiB of memory for its activations, which this machine does not give",
                   ""};
  }
  data_.assign(graph_.values.size(), nullptr);
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    // Kernels do not write their inputs; the view type is one for both.
    if (graph_.values[v].is_constant()) data_[v] = const_cast<uint8_t*>(graph_.values[v].constant->data());
    if (offsets_[v] != kNoOffset) data_[v] = arena_.get() + offsets_[v];
  }
  steps_.resize(graph_.nodes.size());
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    Step& step = steps_[n];
    const auto view = [&](ValueId id) {
      if (id == kNone) return cpu::Tensor{};
      const Value& value = graph_.at(id);
      return cpu::Tensor{value.dtype, value.shape, data_[static_cast<size_t>(id)]};
    };
    for (ValueId id : node.inputs) step.inputs.push_back(view(id));
    for (ValueId id : node.outputs) step.outputs.push_back(view(id));
    step.call.op = node.op;
    step.call.attrs = &node.attrs;
    step.call.clamp = node.clamp;
    step.call.inputs = step.inputs;
    step.call.outputs = step.outputs;
    const ValueId quantized = node.op == Op::kQuantize     ? node.outputs[0]
                              : node.op == Op::kDequantize ? node.inputs[0]
                                                           : kNone;
    if (quantized != kNone && graph_.at(quantized).quant) {
      const QuantParams& quant = *graph_.at(quantized).quant;
      step.call.quant = {quant.scale, quant.zero_point, quant.axis};
    }
    if (Status checked = cpu::CheckOp(step.call); !checked.ok()) {
      return std::move(checked).failure().In("node '" + node.name + "'");
    }
    const bool constant_weights =
        node.inputs.size() > 1 && node.inputs[1] != kNone && graph_.at(node.inputs[1]).is_constant();
    if (const size_t floats = cpu::PackedWeightFloats(step.call); floats != 0 && constant_weights) {
      step.packed.resize(floats);
      cpu::PackWeights(step.call, step.packed.data());
      step.call.packed_weights = step.packed.data();
    }
    scratch_bytes_ = std::max(scratch_bytes_, cpu::ScratchBytes(step.call, workers_->count()));
  }
  scratch_.reset(Allocate(scratch_bytes_));
  if (scratch_ == nullptr) return Failure{"graph '" + graph_.name + "': out of memory for scratch space", ""};
  return {};
}

void FloatExecutor::BindInput(ValueId id, const float* data) {
  data_[static_cast<size_t>(id)] = const_cast<float*>(data);
  for (size_t n = 0; n < steps_.size(); ++n) {
    const auto& ids = graph_.nodes[n].inputs;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == id) steps_[n].inputs[i].data = data_[static_cast<size_t>(id)];
    }
  }
}

std::span<const float> FloatExecutor::Floats(ValueId id) const {
  return {static_cast<const float*>(data_[static_cast<size_t>(id)]),
          static_cast<size_t>(Elements(graph_.at(id).shape))};
}

Status FloatExecutor::Run(std::span<const std::span<const float>> inputs, const Observer& observer,
                          const Editor& editor) {
  if (inputs.size() != graph_.inputs.size()) {
    return Failure{"graph '" + graph_.name + "' has " + std::to_string(graph_.inputs.size()) + " inputs, " +
                       std::to_string(inputs.size()) + " were given",
                   ""};
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph_.at(graph_.inputs[i]);
    if (value.dtype != DType::kFloat32) {
      return Failure{"input '" + value.name + "' is " + std::string(Name(value.dtype)) + ", not float32", ""};
    }
    if (inputs[i].size() != static_cast<size_t>(Elements(value.shape))) {
      return Failure{"input '" + value.name + "' has " + std::to_string(Elements(value.shape)) + " elements, " +
                         std::to_string(inputs[i].size()) + " were given",
                     ""};
    }
    BindInput(graph_.inputs[i], inputs[i].data());
  }
  if (observer) {
    for (ValueId id : graph_.inputs) observer(id, Floats(id));
  }
  for (size_t n = 0; n < steps_.size(); ++n) {
    cpu::RunOp(steps_[n].call, {scratch_.get(), scratch_bytes_}, *workers_);
    if (!observer && !editor) continue;
    for (ValueId id : graph_.nodes[n].outputs) {
      if (graph_.at(id).dtype != DType::kFloat32) continue;
      const std::span<const float> values = Floats(id);
      if (editor) editor(id, {static_cast<float*>(data_[static_cast<size_t>(id)]), values.size()});
      if (observer) observer(id, values);
    }
  }
  return {};
}

std::span<const float> FloatExecutor::output(size_t index) const {
  assert(graph_.at(graph_.outputs[index]).dtype == DType::kFloat32);
  return Floats(graph_.outputs[index]);
}

std::span<const std::byte> FloatExecutor::output_bytes(size_t index) const {
  const ValueId id = graph_.outputs[index];
  const Value& value = graph_.at(id);
  return {static_cast<const std::byte*>(data_[static_cast<size_t>(id)]),
          static_cast<size_t>(Elements(value.shape)) * SizeOf(value.dtype)};
}

}  // namespace xrun::compiler
