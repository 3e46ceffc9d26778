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

/// What stands at the page's head whatever is launched, word by word.
struct StatusHead {
  uint32_t word[launch::kStatusHeadBytes / 4];
};
constexpr StatusHead MakeStatusHead() {
  StatusHead head = {};
  head.word[0] = launch::kStatusMagic;
  head.word[launch::kStatusVersionAt / 4] = launch::kStatusLayoutVersion;
  head.word[launch::kStatusIsaMajor / 4] = uint32_t{kIsaMajor} | uint32_t{kIsaMinor} << 16;
  head.word[launch::kStatusFieldCount / 4] = kFieldCount;
  head.word[launch::kStatusCapabilities / 4] = static_cast<uint32_t>(launch::kCapabilities);
  head.word[launch::kStatusCapabilities / 4 + 1] = static_cast<uint32_t>(launch::kCapabilities >> 32);
  head.word[launch::kStatusFingerprint / 4] = static_cast<uint32_t>(kConfig.fingerprint);
  head.word[launch::kStatusFingerprint / 4 + 1] = static_cast<uint32_t>(kConfig.fingerprint >> 32);
  for (uint32_t i = 0; i < kFieldCount; ++i) head.word[launch::kStatusConfig / 4 + i] = kFields[i];
  return head;
}
constexpr StatusHead kStatusHead = MakeStatusHead();

/// Head, then zeros to the end of the page; a launch that runs has its state among them. A run of whole beats: the page
/// begins at a multiple of its size.
inline void WriteStatusHead(DramWritePort& dram, uint64_t page, bool running) {
  constexpr uint32_t kBeats = launch::kStatusPageBytes / kBusBytes, kBeatWords = kBusBytes / 4;
  ByteEnables all = 0;
  HW_UNROLL
  for (uint32_t i = 0; i < kBusBytes; ++i) {
    HW_VITIS(unroll)
    all.range(static_cast<int>(i), static_cast<int>(i)) = 1;
  }
  Writes writes;
  while (!Tell(dram, writes, page / kBusBytes, kBeats)) HW_CLOCK();  // unbounded: there is room, nothing was told
  for (uint32_t beat = 0; beat < kBeats;) {                          // unbounded: beats go out
    HW_PIPELINE
    HW_CLOCK();
    Beat next = 0;
    HW_UNROLL
    for (uint32_t i = 0; i < kBeatWords; ++i) {
      HW_VITIS(unroll)
      const uint32_t at = beat * kBeatWords + i;
      uint32_t word = at < launch::kStatusHeadBytes / 4 ? kStatusHead.word[at] : 0;
      if (running && at == launch::kStatusState / 4) word = static_cast<uint32_t>(launch::State::kRunning);
      next.range(static_cast<int>(32 * i + 31), static_cast<int>(32 * i)) = static_cast<uint64_t>(word);
    }
    if (Put(dram, writes, next, all)) ++beat;
  }
  WaitWritten(dram, writes);
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
