#include "runtime/request_state.h"

#include <utility>

namespace xrun::runtime {

Result<std::unique_ptr<RequestState>> RequestState::Create(std::shared_ptr<const Plan> plan, Device& device) {
  auto state = std::make_unique<RequestState>();
  state->host = AlignedMemory(plan->host_bytes);
  XRUN_ASSIGN_OR_RETURN(state->device_memory, device.Allocate(plan->device_bytes));
  state->plan = std::move(plan);
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

}  // namespace xrun::runtime
