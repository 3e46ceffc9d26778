#ifndef XRUN_SIMULATOR_STATUS_PAGE_H_
#define XRUN_SIMULATOR_STATUS_PAGE_H_

// Writes the status page of isa/README.md, section 7. launch_image.h reads it.

#include <array>
#include <cstdint>
#include <span>

#include "isa/hardware_config.h"
#include "isa/launch_image.h"

namespace xrun::simulator {

/// Zeroes the page and writes magic, versions, capabilities, fingerprint and configuration. `page`: kStatusPageBytes.
void WriteStatusHead(std::span<uint8_t> page, const HardwareConfig& config);
void WriteStatusState(std::span<uint8_t> page, launch::State state, Trap trap, uint32_t requests_completed,
                      uint64_t cycles);
void WriteStatusEngine(std::span<uint8_t> page, Engine engine, const launch::EngineProgress& progress);

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_STATUS_PAGE_H_
