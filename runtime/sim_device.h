#ifndef XRUN_RUNTIME_SIM_DEVICE_H_
#define XRUN_RUNTIME_SIM_DEVICE_H_

#include <memory>
#include <string>

#include "runtime/device.h"

namespace xrun::runtime {

/// The instruction-level simulator as a device. `name` begins with "sim".
Result<std::shared_ptr<Device>> OpenSimDevice(const std::string& name);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_SIM_DEVICE_H_
