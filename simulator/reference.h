#ifndef XRUN_SIMULATOR_REFERENCE_H_
#define XRUN_SIMULATOR_REFERENCE_H_

// The semantics: one function an instruction, the loops of isa/README.md section 5 written out, nothing optimised.
// Everything they touch lies within the memories: the caller has checked fields and limits (prepared.h, machine.cpp).
// Accumulators wrap modulo 2^32; the compiler proves that they do not.

#include <cstdint>

#include "isa/isa.h"
#include "simulator/machine_state.h"

namespace xrun::simulator::reference {

/// `dram`: host address of the base register's byte 0.
void Execute(const Load& x, MachineState& s, const uint8_t* dram);
void Execute(const LoadWeights& x, MachineState& s, const uint8_t* dram);
void Execute(const LoadVector& x, MachineState& s, const uint8_t* dram);
void Execute(const LoadPacked& x, MachineState& s, const uint8_t* dram);
void Execute(const LoadMatrix& x, MachineState& s, const uint8_t* dram);
void Execute(const Conv& x, MachineState& s);
void Execute(const Depthwise& x, MachineState& s);
void Execute(const Pool& x, MachineState& s);
void Execute(const Elementwise& x, MachineState& s);
void Execute(const Save& x, MachineState& s, uint8_t* dram);

}  // namespace xrun::simulator::reference

#endif  // XRUN_SIMULATOR_REFERENCE_H_
