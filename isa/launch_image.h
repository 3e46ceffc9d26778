#ifndef XRUN_ISA_LAUNCH_IMAGE_H_
#define XRUN_ISA_LAUNCH_IMAGE_H_

// The host's side of a launch (isa/README.md, section 7): program images and request tables to write, status pages to
// read. Whoever drives the overlay, or plays it, goes through here; the places of the fields are in launch.h.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isa/hardware_config.h"
#include "isa/launch.h"
#include "isa/program.h"
#include "isa/result.h"

namespace xrun::launch {

/// Little-endian access to launch structures. `at` + sizeof(T) lies inside.
template <typename T>
T Get(std::span<const uint8_t> bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | static_cast<T>(T{bytes[at + i]} << (8 * i)));
  return value;
}
template <typename T>
void Put(std::span<uint8_t> bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) bytes[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

/// The program image of one overlay step of `program`.
std::vector<uint8_t> BuildImage(const Program& program, const OverlayStep& step);

/// What stands in an image.
struct Image {
  uint16_t isa_major = 0, isa_minor = 0;
  uint64_t fingerprint = 0, weight_bytes = 0;
  std::array<std::vector<InstructionWord>, kEngines> prologue, body;
  std::array<uint32_t, kEngines> marks{};  ///< where each engine's time marks lie, from the status page
  uint32_t status_bytes = 0;               ///< of status page and time marks
  bool staggered = false;
  uint64_t bytes = 0;  ///< of the whole image
};

/// The image at the beginning of `memory`, which may go on behind it. Fails for another magic or ISA major and for
/// streams that lie outside.
Result<Image> ReadImage(std::span<const uint8_t> memory);

/// What stands in register `base` of an entry of a request table: register `base` of request `request`, or nothing. In
/// a launch of a staggered step, request r's register `out` (OverlayStep::Stagger) is the place of what is handed over.
struct EntrySource {
  std::optional<uint32_t> request;
  uint32_t base = 0;
};
EntrySource SourceOf(const OverlayStep& step, uint32_t requests, uint32_t entry, uint32_t base);

/// One base register of one entry of a table.
inline void PutRegister(std::span<uint8_t> table, size_t request, size_t base, uint64_t address, uint64_t limit) {
  const size_t at = request * kRequestBytes + base * kRequestRegisterBytes;
  Put<uint64_t>(table, at, address);
  Put<uint64_t>(table, at + 8, limit);
}

/// How far an engine is, as the status page has it.
struct EngineProgress {
  Trap trap = Trap::kNone;
  uint32_t request = 0;
  uint32_t completed = 0;  ///< instructions in that request; the prologue counts in request 0
  uint32_t waiting = 0;    ///< mask of engines, kWaitingRing, kWaitingDram
};

struct StatusPage {
  uint16_t isa_major = 0, isa_minor = 0;
  uint64_t capabilities = 0, fingerprint = 0;
  HardwareConfig config;  ///< its name: the built-in with the same functional fields, otherwise "custom"
  State state = State::kRunning;
  Trap trap = Trap::kNone;
  uint32_t completed = 0;  ///< requests
  uint64_t cycles = 0;
  std::array<EngineProgress, kEngines> engines;
};

/// Reads a page's head and tail. Fails when the head was not written, when its layout or ISA major is another, when it
/// lacks fields that this build knows, or when its fingerprint is not that of its fields.
Result<StatusPage> ReadStatusPage(std::span<const uint8_t> page);

/// Where each engine stands, in words, for a launch with so many entries in its request table:
/// "load: request 0, body instruction 3 (`Load …`, node 'Conv_1'), waits for vector; conv: done; …".
std::string ProgressText(const Program& program, const OverlayStep& step, const StatusPage& page, uint32_t entries);

/// The engine that trapped, kAnyEngine if none of them did (cycle limit, abort).
Engine TrappedEngine(const StatusPage& page);

/// As FunctionalDifferences, with the fields that only scale time.
std::vector<std::string> AllDifferences(const HardwareConfig& here, const HardwareConfig& there);

}  // namespace xrun::launch

#endif  // XRUN_ISA_LAUNCH_IMAGE_H_
