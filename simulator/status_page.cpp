#include "simulator/status_page.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace xrun::simulator {
namespace {

constexpr uint32_t kLayoutVersion = 1;
constexpr uint64_t kCapabilities = 1;  ///< bit 0: the base set
constexpr size_t kConfigAt = 32, kStateAt = 256, kEnginesAt = 320, kEngineBytes = 64;

template <typename T>
void Put(std::span<uint8_t> page, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) page[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

}  // namespace

void WriteStatusHead(std::span<uint8_t> page, const HardwareConfig& config) {
  assert(page.size() == kStatusPageBytes);
  std::fill(page.begin(), page.end(), uint8_t{0});
  std::memcpy(page.data(), "XRST", 4);
  Put<uint32_t>(page, 4, kLayoutVersion);
  Put<uint16_t>(page, 8, kIsaMajor);
  Put<uint16_t>(page, 10, kIsaMinor);
  Put<uint64_t>(page, 16, kCapabilities);
  Put<uint64_t>(page, 24, Fingerprint(config));
  size_t at = kConfigAt;
#define X(field, def, lo, hi, unit, functional, brief) \
  Put<uint32_t>(page, at, config.field);               \
  at += sizeof(uint32_t);
  XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X
  Put<uint32_t>(page, 12, static_cast<uint32_t>((at - kConfigAt) / sizeof(uint32_t)));
}

void WriteStatusState(std::span<uint8_t> page, LaunchState state, Trap trap, uint32_t requests_completed,
                      uint64_t cycles) {
  Put<uint32_t>(page, kStateAt, static_cast<uint32_t>(state));
  Put<uint32_t>(page, kStateAt + 4, static_cast<uint32_t>(trap));
  Put<uint32_t>(page, kStateAt + 8, requests_completed);
  Put<uint64_t>(page, kStateAt + 16, cycles);
}

void WriteStatusEngine(std::span<uint8_t> page, Engine engine, const EngineStatus& status) {
  const size_t at = kEnginesAt + kEngineBytes * engine;
  Put<uint32_t>(page, at, static_cast<uint32_t>(status.trap));
  Put<uint32_t>(page, at + 4, status.request);
  Put<uint32_t>(page, at + 8, status.completed);
  Put<uint32_t>(page, at + 12, status.waiting);
}

}  // namespace xrun::simulator
