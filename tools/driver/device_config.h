#ifndef XRUN_TOOLS_DRIVER_DEVICE_CONFIG_H_
#define XRUN_TOOLS_DRIVER_DEVICE_CONFIG_H_

#include <string>

#include "isa/hardware_config.h"
#include "isa/result.h"

namespace xrun::tools {

/// What --arch says: a built-in name, a JSON file, or a device whose configuration is read ("xrt:0").
Result<HardwareConfig> ConfigOf(const std::string& arch);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_DEVICE_CONFIG_H_
