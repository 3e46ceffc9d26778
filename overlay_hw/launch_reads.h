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
// registers.
static_assert(kInstructionBytes == 4 * launch::kRequestRegisterBytes, "a unit holds four registers");
constexpr uint32_t kUnitBytes = kInstructionBytes, kUnitParts = kUnitBytes / 8;
/// Beats of units asked for at a time: two bursts are under way and one is taken, so little is left when a launch
/// stops.
constexpr uint32_t kUnitBeats = kDramBurstBytes / kBusBytes;

struct UnitReader {
  Reads reads;
  ReadAhead<kUnitBytes> ahead;
};
inline void StartUnits(uint64_t at, uint32_t units, UnitReader& reader) {
  StartReads(RunsOf(at, 1, units == 0 ? 0 : 1, 0, 0, static_cast<uint64_t>(units) * kUnitBytes), reader.ahead);
}
/// The next unit as 64-bit numbers.
inline void NextUnit(DramReadPort& dram, UnitReader& reader, uint64_t (&part)[kUnitParts]) {
  while (reader.ahead.fill < kUnitBytes) {  // unbounded: DRAM answers
    HW_PIPELINE
    HW_CLOCK();
    StepReads(dram, reader.reads, reader.ahead, kUnitBeats);
  }
  HW_UNROLL
  for (uint32_t w = 0; w < kUnitParts; ++w) {
    HW_VITIS(unroll)
    part[w] = 0;
    HW_UNROLL
    for (uint32_t i = 0; i < 8; ++i) {
      HW_VITIS(unroll)
      part[w] |= static_cast<uint64_t>(static_cast<uint8_t>(reader.ahead.bytes[8 * w + i])) << (8 * i);
    }
  }
  Release<kUnitBytes>(reader.ahead, 1);
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
