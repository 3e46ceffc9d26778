#include "simulator/status_page.h"

#include <algorithm>
#include <cassert>

namespace xrun::simulator {

using launch::Put;

void WriteStatusHead(std::span<uint8_t> page, const HardwareConfig& config) {
  assert(page.size() == launch::kStatusPageBytes);
  std::fill(page.begin(), page.end(), uint8_t{0});
  Put<uint32_t>(page, 0, launch::kStatusMagic);
  Put<uint32_t>(page, launch::kStatusVersionAt, launch::kStatusLayoutVersion);
  Put<uint16_t>(page, launch::kStatusIsaMajor, kIsaMajor);
  Put<uint16_t>(page, launch::kStatusIsaMinor, kIsaMinor);
  Put<uint64_t>(page, launch::kStatusCapabilities, launch::kCapabilities);
  Put<uint64_t>(page, launch::kStatusFingerprint, Fingerprint(config));
  size_t at = launch::kStatusConfig;
#define X(field, def, lo, hi, unit, functional, brief) \
  Put<uint32_t>(page, at, config.field);               \
  at += sizeof(uint32_t);
  XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X
  Put<uint32_t>(page, launch::kStatusFieldCount,
                static_cast<uint32_t>((at - launch::kStatusConfig) / sizeof(uint32_t)));
}

void WriteStatusState(std::span<uint8_t> page, launch::State state, Trap trap, uint32_t requests_completed,
                      uint64_t cycles) {
  Put<uint32_t>(page, launch::kStatusState, static_cast<uint32_t>(state));
  Put<uint32_t>(page, launch::kStatusTrap, static_cast<uint32_t>(trap));
  Put<uint32_t>(page, launch::kStatusCompleted, requests_completed);
  Put<uint64_t>(page, launch::kStatusCycles, cycles);
}

void WriteStatusEngine(std::span<uint8_t> page, Engine engine, const launch::EngineProgress& progress) {
  const size_t at = launch::kStatusEngines + launch::kStatusEngineBytes * engine;
  Put<uint32_t>(page, at + launch::kEngineTrap, static_cast<uint32_t>(progress.trap));
  Put<uint32_t>(page, at + launch::kEngineRequest, progress.request);
  Put<uint32_t>(page, at + launch::kEngineCompleted, progress.completed);
  Put<uint32_t>(page, at + launch::kEngineWaiting, progress.waiting);
}

}  // namespace xrun::simulator
