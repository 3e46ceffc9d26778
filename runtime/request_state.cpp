#include "runtime/request_state.h"

#include <algorithm>
#include <utility>

namespace xrun::runtime {

Result<std::unique_ptr<RequestState>> RequestState::Create(std::shared_ptr<const Plan> plan, Device& device) {
  auto state = std::make_unique<RequestState>();
  state->host = AlignedMemory(plan->host_bytes);
  XRUN_ASSIGN_OR_RETURN(state->device_memory, device.Allocate(plan->device_bytes));
  state->plan = std::move(plan);
  for (const Plan::Tensor& t : state->plan->tensors) {
    state->host_data.push_back(t.constant != nullptr ? const_cast<uint8_t*>(t.constant)
                                                     : static_cast<void*>(state->host.data() + t.host_offset));
  }
  for (uint32_t t : state->plan->program->inputs) state->bindings.push_back({t, -1, nullptr});
  for (uint32_t t : state->plan->program->outputs) state->bindings.push_back({t, -1, nullptr});
  state->device_form_bound.resize(state->plan->packed.size());
  state->cpu_calls.resize(state->plan->cpu.size());
  for (size_t i = 0; i < state->cpu_calls.size(); ++i) {
    BindCall(
        *state->plan, i, [&](uint32_t tensor) { return state->HostData(tensor); }, state->cpu_calls[i]);
  }
  for (const Plan::Overlay& step : state->plan->overlay) {
    DeviceRequest& request = state->device_requests.emplace_back();
    for (size_t r = 0; r < kBaseRegisters; ++r) {
      const auto& from = step.registers[r];
      if (from.set) request.registers[r] = {state->device_memory.get(), from.offset, from.bytes};
    }
  }
  return state;
}

namespace {

void SetHostData(RequestState& request, uint32_t tensor, void* data) {
  request.host_data[tensor] = data;
  for (size_t i = 0; i < request.cpu_calls.size(); ++i) {
    const Plan::Cpu& step = request.plan->cpu[i];
    const auto set = [&](const std::vector<int32_t>& tensors, std::vector<cpu::Tensor>& bound) {
      for (size_t k = 0; k < tensors.size(); ++k) {
        if (tensors[k] == static_cast<int32_t>(tensor)) bound[k].data = data;
      }
    };
    set(step.inputs, request.cpu_calls[i].inputs);
    set(step.outputs, request.cpu_calls[i].outputs);
  }
}

void SetDevicePlace(RequestState& request, int32_t form, DeviceBuffer* buffer, uint64_t offset) {
  const Plan::Packed& packed = request.plan->packed[static_cast<size_t>(form)];
  for (const Plan::Packed::Place& place : packed.places) {
    request.device_requests[place.step].registers[place.base] = {buffer, offset, packed.bytes};
  }
}

}  // namespace

void RequestState::Bind(uint32_t tensor, std::shared_ptr<DeviceBuffer> buffer, uint64_t offset, int32_t form) {
  Unbind(tensor);
  if (form < 0) {
    SetHostData(*this, tensor, buffer->host().data() + offset);
  } else {
    SetDevicePlace(*this, form, buffer.get(), offset);
    device_form_bound[static_cast<size_t>(form)] = true;
  }
  for (Binding& binding : bindings) {
    if (binding.tensor == tensor) binding.buffer = buffer, binding.form = form;
  }
}

void RequestState::Unbind(uint32_t tensor) {
  const auto bound =
      std::find_if(bindings.begin(), bindings.end(), [&](const Binding& b) { return b.tensor == tensor; });
  if (bound == bindings.end() || bound->buffer == nullptr) return;
  if (bound->form < 0) {
    SetHostData(*this, tensor, host.data() + plan->tensors[tensor].host_offset);
  } else {
    SetDevicePlace(*this, bound->form, device_memory.get(), plan->packed[static_cast<size_t>(bound->form)].offset);
    device_form_bound[static_cast<size_t>(bound->form)] = false;
  }
  for (Binding& binding : bindings) {
    if (binding.tensor == tensor) binding.buffer = nullptr, binding.form = -1;
  }
}

void RequestState::UnbindAll() {
  for (const Binding& binding : bindings) Unbind(binding.tensor);
}

}  // namespace xrun::runtime
