#ifndef XRUN_OVERLAY_HW_LAUNCH_READS_H_
#define XRUN_OVERLAY_HW_LAUNCH_READS_H_

// What a launch reads of program image and request table (isa/launch.h), and in which order: the fetches' and the
// sequential top's alike.

#include "isa/launch.h"
#include "overlay_hw/engines.h"
#include "overlay_hw/runs.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// What the image says of the whole program.
struct ImageHead {
  uint64_t weight_bytes;
  bool staggered;
};
inline ImageHead ReadImageHead(DramReadPort& dram, ByteReader& reader, uint64_t image) {
  ImageHead head;
  head.weight_bytes = ReadUint64(dram, reader, image + launch::kImageWeightBytes);
  head.staggered = ReadUint32(dram, reader, image + launch::kImageStaggered) != 0;
  return head;
}

/// An engine's instructions.
struct StreamPlace {
  uint64_t at;  ///< DRAM address of the prologue; the body follows
  uint32_t prologue, body;
};
inline StreamPlace ReadStreamPlace(DramReadPort& dram, ByteReader& reader, uint64_t image, uint32_t engine) {
  const uint64_t entry = image + launch::kImageStreams + engine * launch::kImageStreamBytes;
  StreamPlace place;
  place.prologue = ReadUint32(dram, reader, entry + launch::kStreamPrologue);
  place.body = ReadUint32(dram, reader, entry + launch::kStreamBody);
  place.at = image + ReadUint64(dram, reader, entry + launch::kStreamOffset);
  return place;
}

// Instructions and a request's registers come 64 bytes at a time: an instruction, or address and limit of four
// registers. Program image and request table lie at multiples of 8 bytes (isa/README.md, section 7), so a beat is cut
// at its words.
static_assert(kInstructionBytes == 4 * launch::kRequestRegisterBytes, "a unit holds four registers");
constexpr uint32_t kUnitParts = kInstructionBytes / 8, kBeatParts = kBusBytes / 8;
/// Beats asked for at a time: a few bursts are under way, so little is left when a launch stops.
constexpr uint32_t kUnitBeats = kDramBurstBytes / kBusBytes;

struct UnitReader {
  Reads reads;
  uint64_t ask, end;  ///< beats not asked for yet
  uint32_t part;      ///< of the beat held: the next
  bool held;
  Beat beat;
};
inline void StartUnits(uint64_t at, uint32_t units, UnitReader& reader) {
  reader.ask = at / kBusBytes;
  reader.end = units == 0 ? reader.ask : (at + static_cast<uint64_t>(units) * kInstructionBytes - 1) / kBusBytes + 1;
  reader.part = static_cast<uint32_t>(at / 8 % kBeatParts);
  reader.held = false;
}
/// The next unit as 64-bit numbers, one a cycle.
inline void NextUnit(DramReadPort& dram, UnitReader& reader, uint64_t (&part)[kUnitParts]) {
  uint32_t w = 0;
  while (w != kUnitParts) {  // unbounded: DRAM answers
    HW_PIPELINE
    HW_CLOCK();
    if (!reader.held) reader.held = Take(dram, reader.reads, reader.beat);
    if (reader.held) {
      HW_UNROLL
      for (uint32_t i = 0; i < kBeatParts; ++i) {
        HW_VITIS(unroll)
        const int lo = static_cast<int>(64 * i);
        if (i == reader.part) part[w] = static_cast<uint64_t>(reader.beat.range(lo + 63, lo));
      }
      ++w;
      reader.part = reader.part + 1 == kBeatParts ? 0 : reader.part + 1;
      reader.held = reader.part != 0;
    }
    const uint64_t left = reader.end - reader.ask, count = left < kUnitBeats ? left : kUnitBeats;
    if (left != 0 && Ask(dram, reader.reads, reader.ask, static_cast<uint32_t>(count))) reader.ask += count;
  }
}
/// Takes what is under way and drops it: where a launch stops.
inline void DrainUnits(DramReadPort& dram, UnitReader& reader) {
  Beat beat;
  while (reader.reads.under_way != 0) {  // unbounded: DRAM answers
    HW_CLOCK();
    Take(dram, reader.reads, beat);
  }
}

/// Starts on the registers of a request: kBaseRegisters / 4 units.
inline void StartRegisters(uint64_t requests, uint32_t request, UnitReader& reader) {
  StartUnits(requests + static_cast<uint64_t>(request) * launch::kRequestBytes, kBaseRegisters / 4, reader);
}
/// The next four registers, 4·group and on: address, limit, address, … Weights come from the kernel's arguments, the
/// status page is no engine's.
inline void NextRegisters(DramReadPort& dram, UnitReader& reader, uint32_t group, uint64_t weights,
                          uint64_t weight_bytes, uint64_t (&part)[kUnitParts]) {
  NextUnit(dram, reader, part);
  HW_UNROLL
  for (uint32_t i = 0; i < 4; ++i) {
    HW_VITIS(unroll)
    if (4 * group + i == kBaseWeights) {
      part[2 * i] = weights;
      part[2 * i + 1] = weight_bytes;
    }
    if (4 * group + i == kBaseStatus) part[2 * i + 1] = 0;
  }
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_LAUNCH_READS_H_
