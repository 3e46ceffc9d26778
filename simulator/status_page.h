#ifndef XRUN_SIMULATOR_STATUS_PAGE_H_
#define XRUN_SIMULATOR_STATUS_PAGE_H_

// The status page of isa/README.md, section 7.

#include <array>
#include <cstdint>
#include <span>

#include "isa/hardware_config.h"
#include "isa/isa.h"

namespace xrun::simulator {

constexpr size_t kStatusPageBytes = 4096;

enum class LaunchState : uint32_t { kRunning = 1, kDone = 2, kTrapped = 3 };

struct EngineStatus {
  Trap trap = Trap::kNone;
  uint32_t request = 0;
  uint32_t completed = 0;  ///< instructions in that request; the prologue counts in request 0
  uint32_t waiting = 0;    ///< mask of engines; bit 8 ring, bit 9 DRAM
};
constexpr uint32_t kWaitingRing = 1U << 8;

/// Zeroes the page and writes magic, versions, capabilities, fingerprint and configuration. `page`: kStatusPageBytes.
void WriteStatusHead(std::span<uint8_t> page, const HardwareConfig& config);
void WriteStatusState(std::span<uint8_t> page, LaunchState state, Trap trap, uint32_t requests_completed,
                      uint64_t cycles);
void WriteStatusEngine(std::span<uint8_t> page, Engine engine, const EngineStatus& status);

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_STATUS_PAGE_H_
