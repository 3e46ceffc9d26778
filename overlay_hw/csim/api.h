#ifndef XRUN_OVERLAY_HW_CSIM_API_H_
#define XRUN_OVERLAY_HW_CSIM_API_H_

// What the C-sim of one configuration, a shared library, offers: found by dlopen, so plain structs and one C function.
// Both sides are built from one tree; kCsimVersion refuses others.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "isa/isa.h"

namespace xrun {
namespace hw {
namespace csim {

constexpr uint32_t kCsimVersion = 2;

/// Host memory that the overlay sees at `address`, a multiple of 4096; regions lie at least 4096 bytes apart.
struct Region {
  uint64_t address;
  uint8_t* data;
  uint64_t bytes;
};

struct LaunchInput {
  uint64_t program, weights, requests, status;  ///< addresses: the kernel's arguments
  uint32_t request_count;
  uint32_t flags;  ///< launch::kFlag…
  uint64_t cycle_limit;
  const Region* regions;
  size_t region_count;
  /// Null, or becomes true when the launch is to end: the host's write to the flags register.
  const std::atomic<bool>* abort;
  /// C-sim has no clock: what the cycle counter says, from beginning to end, while the launch is within its limit.
  uint64_t cycles;
  /// Instructions each engine finishes before the limit comes, counted over all requests; all ones: no limit.
  uint64_t instructions[kEngines];
  /// Null, or the FIFO whose reader gets only `stall_after` items: a fault on purpose.
  const char* stall;
  size_t stall_after;
};

struct LaunchResult {
  /// Nothing could move any more, and not because of the limit: what every engine waits for. Else empty.
  std::string deadlock;
  /// A memory port that was used more often than it can be, a DRAM port that got another's beats, or an unknown
  /// `stall`. Else empty.
  std::string fault;
  uint64_t accesses = 0;        ///< of all memory ports
  uint64_t dram_beats[2] = {};  ///< through each DRAM port
};

class Machine {
 public:
  virtual ~Machine() = default;
  /// One launch; the status page says how it ended. One thread at a time.
  virtual void Run(const LaunchInput& input, LaunchResult& result) = 0;
};

struct Api {
  uint32_t version;
  uint64_t fingerprint;
  const char* name;
  Machine* (*create)();
};

constexpr const char* kEntryPoint = "xrun_csim";
typedef const Api* (*EntryPoint)();

}  // namespace csim
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CSIM_API_H_
