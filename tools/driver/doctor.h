#ifndef XRUN_TOOLS_DRIVER_DOCTOR_H_
#define XRUN_TOOLS_DRIVER_DOCTOR_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace xrun::tools {

/// One thing that must be right before an overlay on a board can be used.
struct Check {
  enum class State : uint8_t { kOk, kBad, kNotHere };
  State state = State::kOk;
  std::string name;    ///< "kernel driver"
  std::string text;    ///< what was found
  std::string repair;  ///< the command that repairs it; empty unless kBad
};

struct DoctorOptions {
  /// Where the system's files are looked for; another folder in tests.
  std::filesystem::path root = "/";
  /// Who uses the board; not given: this process.
  std::optional<uint32_t> user;
  std::vector<uint32_t> groups;
  /// The clock that the overlay was built for; 0: not known.
  uint32_t clock_mhz = 0;
  /// XILINX_XRT; not given: the environment's.
  std::optional<std::string> xilinx_xrt;
};

/// Looks at the system: driver, loaded app, permission on the render node, contiguous memory, XRT, clock. Opens
/// nothing.
std::vector<Check> Diagnose(const DoctorOptions& options);

/// A line a check, and the command below it where one repairs.
std::string ChecksText(const std::vector<Check>& checks);

/// Sensors of the board: name and value in words, "zynqmp temp1 (PS): 41.2 °C".
std::vector<std::string> ReadSensors(const std::filesystem::path& root = "/");

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_DOCTOR_H_
