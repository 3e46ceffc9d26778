#ifndef XRUN_OVERLAY_HW_SEQUENTIAL_H_
#define XRUN_OVERLAY_HW_SEQUENTIAL_H_

// The sequential top: the same engine functions, called one instruction at a time in an order that tokens and ring
// allow. It is what an open HLS tool turns into RTL; which of the allowed orders is taken makes no difference to a
// program's results. It has no clock: the status page's cycles are 0 and there are no time marks.

#include "overlay_hw/engines.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// A whole launch: reads program image and request table, runs, writes the status page (isa/README.md, section 7).
void RunSequential(const LaunchArguments& arguments, DramReadPort& dram, DramWritePort& dram_out,
                   ActivationPort& conv_source, ActivationPort& conv_result, ActivationPort& conv_residual,
                   ActivationPort& vector_read0, ActivationPort& vector_read1, ActivationPort& vector_read2,
                   ActivationPort& vector_result, ActivationPort& load_result, ActivationPort& save_source,
                   RingPort& ring_read, RingPort& ring_write, PartialPort& partial_read, PartialPort& partial_write,
                   VectorPort& vector_memory_read, VectorPort& vector_memory_write,
                   VectorPartialPort& vector_partial_read, VectorPartialPort& vector_partial_write);

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_SEQUENTIAL_H_
