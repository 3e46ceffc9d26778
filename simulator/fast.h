#ifndef XRUN_SIMULATOR_FAST_H_
#define XRUN_SIMULATOR_FAST_H_

// The same instructions as reference.h, with the same results and the same conditions on the caller, on the kernels of
// kernels.h.

#include <cstdint>

#include "isa/isa.h"
#include "simulator/kernels.h"
#include "simulator/machine_state.h"

namespace xrun::simulator::fast {

void Execute(const Load& x, MachineState& s, const Kernels& k, const uint8_t* dram);
void Execute(const LoadWeights& x, MachineState& s, const uint8_t* dram);
void Execute(const LoadVector& x, MachineState& s, const uint8_t* dram);
void Execute(const Conv& x, MachineState& s, const Kernels& k);
void Execute(const Depthwise& x, MachineState& s, const Kernels& k);
void Execute(const Pool& x, MachineState& s, const Kernels& k);
void Execute(const Elementwise& x, MachineState& s, const Kernels& k);
void Execute(const Save& x, MachineState& s, const Kernels& k, uint8_t* dram);

}  // namespace xrun::simulator::fast

#endif  // XRUN_SIMULATOR_FAST_H_
