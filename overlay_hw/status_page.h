#ifndef XRUN_OVERLAY_HW_STATUS_PAGE_H_
#define XRUN_OVERLAY_HW_STATUS_PAGE_H_

// The status page (isa/README.md, section 7) as both tops write it.

#include "isa/launch.h"
#include "overlay_hw/engines.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// The configuration's fields in the order of the status page.
constexpr uint32_t kFields[] = {kConfig.pixels,
                                kConfig.channels,
                                kConfig.activation_rows,
                                kConfig.weight_rows,
                                kConfig.partial_entries,
                                kConfig.vector_rows,
                                kConfig.vector_partial_entries,
                                kConfig.requant_lanes,
                                kConfig.vector_pixels,
                                kConfig.clock_mhz,
                                kConfig.dram_ports,
                                kConfig.dram_port_bytes,
                                kConfig.dram_efficiency,
                                kConfig.dram_burst_bytes,
                                kConfig.dram_outstanding,
                                kConfig.dram_read_latency,
                                kConfig.dram_write_response,
                                kConfig.decode_cycles,
                                kConfig.token_cycles,
                                kConfig.launch_cycles};
constexpr uint32_t kFieldCount = sizeof(kFields) / sizeof(kFields[0]);
static_assert(launch::kStatusConfig + 4 * kFieldCount <= launch::kStatusState, "the fields fit before the state");

/// Head, then zeros to the end of the page; a launch that runs has its state among them.
inline void WriteStatusHead(DramWritePort& dram, uint64_t page, bool running) {
  ByteWriter writer;
  PutUint32(dram, writer, page, launch::kStatusMagic);
  PutUint32(dram, writer, page + launch::kStatusVersionAt, launch::kStatusLayoutVersion);
  PutUint32(dram, writer, page + launch::kStatusIsaMajor, uint32_t{kIsaMajor} | uint32_t{kIsaMinor} << 16);
  PutUint32(dram, writer, page + launch::kStatusFieldCount, kFieldCount);
  PutUint64(dram, writer, page + launch::kStatusCapabilities, launch::kCapabilities);
  PutUint64(dram, writer, page + launch::kStatusFingerprint, kConfig.fingerprint);
  for (uint32_t i = 0; i < kFieldCount; ++i) {
    PutUint32(dram, writer, page + launch::kStatusConfig + 4 * i, kFields[i]);
  }
  for (uint64_t at = launch::kStatusConfig + 4 * kFieldCount; at < launch::kStatusPageBytes; at += 4) {
    const bool state = running && at == launch::kStatusState;
    PutUint32(dram, writer, page + at, state ? static_cast<uint32_t>(launch::State::kRunning) : 0);
  }
  FinishWrites(dram, writer);
}

/// How far an engine got.
struct EngineStatus {
  uint32_t trap, request, completed, waiting;
};
/// The launch's end. The state comes last: who sees it sees the rest.
inline void WriteStatusTail(DramWritePort& dram, uint64_t page, Trap trap, uint64_t cycles,
                            const EngineStatus (&engines)[kEngines]) {
  ByteWriter writer;
  uint32_t completed = ~uint32_t{0};
  for (uint32_t e = 0; e < kEngines; ++e) {
    const uint64_t at = page + launch::kStatusEngines + launch::kStatusEngineBytes * e;
    if (engines[e].request < completed) completed = engines[e].request;
    PutUint32(dram, writer, at + launch::kEngineTrap, engines[e].trap);
    PutUint32(dram, writer, at + launch::kEngineRequest, engines[e].request);
    PutUint32(dram, writer, at + launch::kEngineCompleted, engines[e].completed);
    PutUint32(dram, writer, at + launch::kEngineWaiting, engines[e].waiting);
  }
  PutUint32(dram, writer, page + launch::kStatusTrap, static_cast<uint32_t>(trap));
  PutUint32(dram, writer, page + launch::kStatusCompleted, completed);
  PutUint64(dram, writer, page + launch::kStatusCycles, cycles);
  FinishWrites(dram, writer);
  const launch::State state = trap == Trap::kNone ? launch::State::kDone : launch::State::kTrapped;
  PutUint32(dram, writer, page + launch::kStatusState, static_cast<uint32_t>(state));
  FinishWrites(dram, writer);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_STATUS_PAGE_H_
