// In place of the kernels where they are left out (-DXRUN_CPU_KERNELS=OFF): a program that needs one is refused by name
// when it is loaded, so none of the others is ever reached.

#include <cassert>

#include "runtime/cpu/attributes.h"
#include "runtime/cpu/kernels.h"

namespace xrun {

Result<OpFromFile> OpFromStep(const CpuStep&) {
  return Failure{"this libxrun was built without CPU kernels and cannot execute it",
                 "use a libxrun with them (-DXRUN_CPU_KERNELS=ON), or end the model before this operator"};
}

namespace cpu {

Status CheckOp(const OpCall&) { return Failure{"this libxrun was built without CPU kernels", ""}; }
size_t ScratchBytes(const OpCall&, int) { return 0; }
size_t PackedWeightFloats(const OpCall&) { return 0; }
void PackWeights(const OpCall&, float*) { assert(false && "no CPU step passes loading"); }
void RunOp(const OpCall&, std::span<std::byte>, Workers&) { assert(false && "no CPU step passes loading"); }

}  // namespace cpu
}  // namespace xrun
