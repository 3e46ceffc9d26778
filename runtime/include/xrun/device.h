#ifndef XRUN_DEVICE_H_
#define XRUN_DEVICE_H_

#include <memory>
#include <string>

#include "xrun/error.h"

namespace xrun::internal {
struct Access;
}

namespace xrun::api {

/// Where programs run. Copies share the device; any thread may use it.
class XRUN_API Device {
 public:
  /// "sim": the instruction-level simulator, with whatever configuration a program was compiled for.
  /// "sim:CONFIG": with that one only (a name such as B4096, or a JSON file), as a board would be.
  /// Followed by ",check": uninitialised reads and races are trapped too, several times slower; ",reference": the plain
  /// loops of isa/README.md instead of the vectorised ones.
  /// "csim", "csim:CONFIG": the overlay's source as C++, one thread an engine; libxrun_csim_<configuration>.so is
  /// loaded. "xrt:N": an overlay on a board through XRT, device N as XRT counts; followed by
  /// ",xclbin=FILE" (otherwise the environment's XRUN_XCLBIN), ",unit=NAME" (only this unit, for this process alone),
  /// ",limit=SECONDS" (a launch is given up then; 10), ",verify" (each launch is compared with the simulator).
  /// Never falls back to another device. Throws Error.
  static Device open(const std::string& name);

  /// As given to open().
  const std::string& name() const;
  /// One line for people: what it is and which configuration it has.
  std::string description() const;

 private:
  friend struct xrun::internal::Access;
  struct Impl;
  explicit Device(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace xrun::api

#endif  // XRUN_DEVICE_H_
