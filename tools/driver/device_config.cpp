#include "tools/driver/device_config.h"

#include "runtime/device.h"

namespace xrun::tools {

Result<HardwareConfig> ConfigOf(const std::string& arch) {
  const std::string kind = arch.substr(0, arch.find(':'));
  if (kind != "xrt" && kind != "csim" && kind != "sim") return FindConfig(arch);
  XRUN_ASSIGN_OR_RETURN(const auto device, runtime::OpenDevice(arch));
  if (!device->config()) {
    return Failure{"device '" + arch + "' takes every configuration", "name one: --arch B4096"};
  }
  return *device->config();
}

}  // namespace xrun::tools
