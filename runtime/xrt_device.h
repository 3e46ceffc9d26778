#ifndef XRUN_RUNTIME_XRT_DEVICE_H_
#define XRUN_RUNTIME_XRT_DEVICE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"

namespace xrun::runtime {

/// What "xrt:N[,xclbin=FILE][,unit=NAME][,limit=SECONDS][,verify]" says.
struct XrtOptions {
  unsigned index = 0;  ///< of the device, as XRT counts them
  /// The overlay's xclbin; not given: the environment variable XRUN_XCLBIN.
  std::string xclbin;
  /// Only this unit of the overlay, for this process alone: then a launch under way can be aborted. Empty: all units,
  /// shared with whoever else uses them.
  std::string unit;
  /// A launch that takes longer is cut off by the overlay itself, and given up after half as long again when that
  /// does not help.
  std::chrono::nanoseconds limit = std::chrono::seconds(10);
  /// Each launch is repeated in the simulator and its outputs are compared.
  bool verify = false;
};
Result<XrtOptions> ParseXrtName(const std::string& name);

/// An overlay on a board through XRT. `name` begins with "xrt".
Result<std::shared_ptr<Device>> OpenXrtDevice(const std::string& name);

/// Devices that XRT sees, an overlay on them or not. Fails when XRT itself does.
Result<unsigned> CountXrtDevices();

/// Gives back memory that was kept for launches given up, as far as they are over by now. Allocating does so too.
void ReapXrtLaunches();

/// What xquery shows of an opened device beside its configuration.
struct XrtReport {
  std::string board, bus_address, xrt_version, xclbin, uuid;
  std::vector<std::string> units;
  std::vector<std::string> banks;   ///< "bank0: 1024 MiB, used"
  unsigned long max_clock_mhz = 0;  ///< as XRT says; 0: it does not
  uint64_t launches = 0;            ///< of this process
  uint64_t hangs = 0, errors = 0;   ///< launches that were given up, that the device or XRT reported
};
/// Microseconds of each of `launches` launches of `program`'s first step with one request by XRT alone: start and wait
/// of one run whose arguments are set. What libxrun adds is measured against it. `program` needs no buffers.
Result<std::vector<double>> TimePlainXrt(Device& device, std::shared_ptr<const Program> program, unsigned launches);

/// Fails when `device` is no XRT device.
Result<XrtReport> ReportXrtDevice(const Device& device);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_XRT_DEVICE_H_
