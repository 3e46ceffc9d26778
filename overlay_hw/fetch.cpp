// Fetch, one instance for each engine, and the ring's counter.

#include "isa/launch.h"
#include "overlay_hw/shell.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

/// `idle[late]`: what the fetch knows of an instruction of the front and of the back half.
bool SendInstructions(DramPort& dram, ByteReader& reader, uint64_t from, uint32_t count, const bool (&idle)[2],
                      PacketStream& packets, StopSignal& stop) {
  for (uint32_t i = 0; i < count; ++i) {
    Packet packet;
    packet.kind = kPacketInstruction;
    for (int w = 0; w < kInstructionWords; ++w) {
      packet.part[w] = ReadUint64(dram, reader, from + static_cast<uint64_t>(i) * kInstructionBytes + 8U * w);
    }
    packet.group = idle[packet.part[kLateBit / 64] >> kLateBit % 64 & 1] ? 1 : 0;
    if (!Send(packets, packet, stop)) return false;
  }
  return true;
}

/// The base registers of a request. Weights come from the arguments, the status page is no engine's.
bool SendRegisters(DramPort& dram, ByteReader& reader, const LaunchArguments& arguments, uint64_t weight_bytes,
                   uint32_t request, PacketStream& packets, StopSignal& stop) {
  const uint64_t entry = arguments.requests + static_cast<uint64_t>(request) * launch::kRequestBytes;
  for (uint32_t group = 0; group < kBaseRegisters / 4; ++group) {
    Packet packet;
    packet.kind = kPacketRegisters;
    packet.group = static_cast<uint8_t>(group);
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t r = 4 * group + i;
      const uint64_t at = entry + r * launch::kRequestRegisterBytes;
      packet.part[2 * i] = r == kBaseWeights ? arguments.weights : ReadUint64(dram, reader, at);
      packet.part[2 * i + 1] = r == kBaseWeights ? weight_bytes : ReadUint64(dram, reader, at + 8);
      if (r == kBaseStatus) packet.part[2 * i + 1] = 0;
    }
    if (!Send(packets, packet, stop)) return false;
  }
  return true;
}

bool SendKind(PacketKind kind, PacketStream& packets, StopSignal& stop) {
  Packet packet;
  packet.kind = kind;
  packet.group = 0;
  for (int w = 0; w < kInstructionWords; ++w) packet.part[w] = 0;
  return Send(packets, packet, stop);
}

}  // namespace

bool FetchEngine(uint32_t engine, const LaunchArguments& arguments, DramPort& dram, PacketStream& packets,
                 StopSignal& stop) {
  ByteReader reader;
  const uint64_t image = arguments.program;
  const bool mine = ReadUint32(dram, reader, image) == launch::kImageMagic &&
                    (ReadUint32(dram, reader, image + launch::kImageIsaMajor) & 0xFFFFU) == kIsaMajor &&
                    ReadUint32(dram, reader, image + launch::kImageIsaMajor) >> 16 <= kIsaMinor &&
                    ReadUint64(dram, reader, image + launch::kImageFingerprint) == kConfig.fingerprint;
  if (!mine) {
    SendKind(kPacketEnd, packets, stop);
    return false;
  }
  const uint64_t weight_bytes = ReadUint64(dram, reader, image + launch::kImageWeightBytes);
  const bool staggered = ReadUint32(dram, reader, image + launch::kImageStaggered) != 0;
  const uint64_t entry = image + launch::kImageStreams + engine * launch::kImageStreamBytes;
  const uint32_t prologue = ReadUint32(dram, reader, entry + launch::kStreamPrologue);
  const uint32_t body = ReadUint32(dram, reader, entry + launch::kStreamBody);
  const uint64_t stream = image + ReadUint64(dram, reader, entry + launch::kStreamOffset);
  const uint64_t body_at = stream + static_cast<uint64_t>(prologue) * kInstructionBytes;
  for (uint32_t request = 0; request < arguments.request_count; ++request) {
    HW_VITIS(loop_tripcount min = 1 max = 65536)
    if (!SendRegisters(dram, reader, arguments, weight_bytes, request, packets, stop)) return true;
    const bool never[2] = {false, false};
    const bool idle[2] = {launch::IsIdle(staggered, false, request, arguments.request_count),
                          launch::IsIdle(staggered, true, request, arguments.request_count)};
    if (request == 0 && !SendInstructions(dram, reader, stream, prologue, never, packets, stop)) return true;
    if (!SendKind(kPacketBody, packets, stop)) return true;
    if (!SendInstructions(dram, reader, body_at, body, idle, packets, stop)) return true;
  }
  SendKind(kPacketEnd, packets, stop);
  return true;
}

void RingEngine(RowStream& acquire, TokenStream& granted, RowStream& release, RowCount& acquired, StopSignal& stop,
                StopSignal& finished) {
  uint32_t free = kWeightRows, taken = 0, wanted = 0;
  bool asked = false;
  SetRowCount(acquired, 0);
  while (!Stopped(stop)) {  // unbounded: until the launch stops or the engines have left
    uint32_t rows = 0;
    const bool given = release.read_nb(rows);
    if (given) free += rows;
    if (!asked) asked = acquire.read_nb(wanted);
    if (asked && wanted <= free) {
      taken += wanted;
      SetRowCount(acquired, taken);  // before the grant: a Conv that comes after it must see it
      if (granted.write_nb(Token(1))) {
        free -= wanted;
        asked = false;
      } else {
        taken -= wanted;
        SetRowCount(acquired, taken);
      }
    }
    if (!given && !asked && Stopped(finished)) return;
    Idle();
  }
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
