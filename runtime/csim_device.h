#ifndef XRUN_RUNTIME_CSIM_DEVICE_H_
#define XRUN_RUNTIME_CSIM_DEVICE_H_

#include <memory>
#include <string>

#include "runtime/device.h"

namespace xrun::runtime {

/// The overlay's own source as C++, one thread an engine (overlay_hw/csim). `name` is "csim", then every program's
/// configuration has its library loaded, or "csim:CONFIG[,stall=FIFO:N]": the reader of that FIFO of
/// overlay_hw/wiring.def gets N items a launch and no more, a fault on purpose.
///
/// Libraries are called libxrun_csim_<configuration>.so and looked for in $XRUN_CSIM_PATH, then beside the program or
/// library this code is in, in ../lib of that, and where the system looks.
Result<std::shared_ptr<Device>> OpenCsimDevice(const std::string& name);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_CSIM_DEVICE_H_
