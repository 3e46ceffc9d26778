#ifndef XRUN_RUNTIME_PLAN_H_
#define XRUN_RUNTIME_PLAN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "isa/program.h"
#include "isa/result.h"
#include "runtime/cpu/attributes.h"
#include "runtime/cpu/kernels.h"

namespace xrun::runtime {

/// Heap memory aligned to 64 bytes and zeroed, for host tensors and scratch.
class AlignedMemory {
 public:
  AlignedMemory() = default;
  explicit AlignedMemory(size_t bytes);
  std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Delete {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, Delete> data_;
  size_t size_ = 0;
};

/// Everything about executing a program that does not depend on a device or a request: which tensors live where, what
/// is rearranged when, and the CPU operators, checked. Immutable and shared by all requests.
///
/// A tensor between two overlay steps that use the same buffer layout stays in the overlay's layout; only what a CPU
/// step or the caller sees exists in the model's.
struct Plan {
  struct Tensor {
    DType dtype = DType::kFloat32;
    std::vector<int64_t> shape;
    uint64_t bytes = 0;
    const uint8_t* constant = nullptr;  ///< in the program file
    bool on_host = false;               ///< has `bytes` bytes at `host_offset` of the request's host memory
    uint64_t host_offset = 0;
    bool on_cpu = false;  ///< a CPU step reads or writes it
    int32_t packed = -1;  ///< its one form in `packed`; −1: none, −2: several
  };

  /// A tensor in the overlay's layout, in the request's device memory.
  struct Packed {
    uint32_t tensor = 0;
    BufferLayout layout;
    uint64_t offset = 0, bytes = 0;
    /// Where the device finds it.
    struct Place {
      uint32_t step = 0, base = 0;
      bool alone = true;  ///< nothing else is in that register
    };
    std::vector<Place> places;
  };

  struct Overlay {
    std::vector<uint32_t> pack;    ///< indices into `packed`, filled from host memory before the launch
    std::vector<uint32_t> unpack;  ///< written to host memory after it
    struct Register {
      bool set = false;
      uint64_t offset = 0, bytes = 0;  ///< in the request's device memory
    };
    std::array<Register, kBaseRegisters> registers;
  };

  struct Cpu {
    OpFromFile op;
    std::vector<int32_t> inputs;  ///< tensor indices, −1: absent
    std::vector<int32_t> outputs;
    float scale = 0.0F;
    int32_t zero_point = 0;
    AlignedMemory packed_weights;  ///< empty: none
    std::string where;             ///< "node 'X' (Softmax)"
  };

  std::shared_ptr<const Program> program;
  std::vector<Tensor> tensors;  ///< as Program::tensors
  std::vector<Packed> packed;
  std::vector<Overlay> overlay;  ///< as Program::overlay_steps
  std::vector<Cpu> cpu;          ///< as Program::cpu_steps
  uint64_t host_bytes = 0;       ///< of a request
  uint64_t device_bytes = 0;     ///< of a request: packed tensors, then the workspace all its steps share
  uint64_t workspace_offset = 0;
};

/// The form of a program's input or output that a user's buffer can hold in the overlay's layout (index into `packed`);
/// −1: there is none.
int32_t DeviceForm(const Plan& plan, uint32_t tensor);

/// One CPU step bound to memory: what an OpCall points at.
struct BoundCall {
  std::vector<cpu::Tensor> inputs, outputs;
  cpu::OpCall call;
};

/// Step `index` with each tensor's memory as `data(tensor)` says. `call` refers to `plan` and to `to`, which stays in
/// place.
template <typename Data>
void BindCall(const Plan& plan, size_t index, const Data& data, BoundCall& to) {
  const Plan::Cpu& step = plan.cpu[index];
  const auto bind = [&](int32_t tensor) {
    if (tensor < 0) return cpu::Tensor{};
    const Plan::Tensor& t = plan.tensors[static_cast<size_t>(tensor)];
    return cpu::Tensor{t.dtype, t.shape, data(static_cast<uint32_t>(tensor))};
  };
  for (int32_t tensor : step.inputs) to.inputs.push_back(bind(tensor));
  for (int32_t tensor : step.outputs) to.outputs.push_back(bind(tensor));
  to.call.op = step.op.op;
  to.call.attrs = &step.op.attributes;
  to.call.clamp = step.op.clamp;
  to.call.inputs = to.inputs;
  to.call.outputs = to.outputs;
  to.call.integer = step.op.integer ? &*step.op.integer : nullptr;
  if (step.op.op == Op::kQuantize || step.op.op == Op::kDequantize) {
    to.call.quant = {{&step.scale, 1}, {&step.zero_point, 1}, -1};
  }
  if (step.packed_weights.size() != 0) {
    to.call.packed_weights = reinterpret_cast<const float*>(step.packed_weights.data());
  }
}

/// `program` has passed Verify. Fails for CPU steps that the kernels cannot execute, naming the node.
Result<std::shared_ptr<const Plan>> MakePlan(std::shared_ptr<const Program> program);

/// Bytes of scratch that any CPU step needs with `workers` threads.
size_t ScratchBytes(const Plan& plan, int workers);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_PLAN_H_
