#ifndef XRUN_COMPILER_PACK_INPUTS_H_
#define XRUN_COMPILER_PACK_INPUTS_H_

#include "compiler/lower.h"

namespace xrun::compiler {

/// Shallow inputs (pictures) that only convolutions read: dense in DRAM, packed over the kernel's rows, columns and
/// channels when they are loaded (LoadPacked), so that the array's lanes carry taps instead of nothing. Such a
/// convolution becomes one with a kernel of few rows and columns. Changes no result.
void PackInputs(const HardwareConfig& config, Partition* partition);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PACK_INPUTS_H_
