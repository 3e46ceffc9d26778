// Fetch, one instance for each engine, and the ring's counter.

#include "overlay_hw/launch_reads.h"
#include "overlay_hw/shell.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

/// `idle[late]`: what the fetch knows of an instruction of the front and of the back half.
bool SendInstructions(DramReadPort& dram, uint64_t from, uint32_t count, const bool (&idle)[2], PacketStream& packets,
                      StopSignal& stop, bool& error) {
  UnitReader reader;
  StartUnits(from, count, reader);
  bool sent = true;
  for (uint32_t i = 0; i < count && sent; ++i) {
    Packet packet;
    packet.kind = kPacketInstruction;
    NextUnit(dram, reader, packet.part);
    packet.group = idle[packet.part[kLateBit / 64] >> kLateBit % 64 & 1] ? 1 : 0;
    sent = Send(packets, packet, stop);
  }
  DrainUnits(dram, reader);
  error = error || reader.reads.error;
  return sent;
}

/// The base registers of a request.
bool SendRegisters(DramReadPort& dram, const LaunchArguments& arguments, uint64_t weight_bytes, uint32_t request,
                   PacketStream& packets, StopSignal& stop, bool& error) {
  UnitReader reader;
  StartRegisters(arguments.requests, request, reader);
  bool sent = true;
  for (uint32_t group = 0; group < kBaseRegisters / 4 && sent; ++group) {
    Packet packet;
    packet.kind = kPacketRegisters;
    packet.group = static_cast<uint8_t>(group);
    NextRegisters(dram, reader, group, arguments.weights, weight_bytes, packet.part);
    sent = Send(packets, packet, stop);
  }
  DrainUnits(dram, reader);
  error = error || reader.reads.error;
  return sent;
}

bool SendKind(PacketKind kind, PacketStream& packets, StopSignal& stop) {
  Packet packet;
  packet.kind = kind;
  packet.group = 0;
  for (int w = 0; w < kInstructionWords; ++w) packet.part[w] = 0;
  return Send(packets, packet, stop);
}

}  // namespace

Judgement FetchEngine(uint32_t engine, const LaunchArguments& arguments, DramReadPort& dram, PacketStream& packets,
                      StopSignal& stop) {
  ByteReader reader;
  const uint64_t image = arguments.program;
  const bool mine = ReadUint32(dram, reader, image) == launch::kImageMagic &&
                    (ReadUint32(dram, reader, image + launch::kImageIsaMajor) & 0xFFFFU) == kIsaMajor &&
                    ReadUint32(dram, reader, image + launch::kImageIsaMajor) >> 16 <= kIsaMinor &&
                    ReadUint64(dram, reader, image + launch::kImageFingerprint) == kConfig.fingerprint;
  if (!mine || reader.reads.error) {
    SendKind(kPacketEnd, packets, stop);
    return reader.reads.error ? kImageUnreadable : kImageOther;
  }
  const ImageHead head = ReadImageHead(dram, reader, image);
  const StreamPlace place = ReadStreamPlace(dram, reader, image, engine);
  const uint64_t body_at = place.at + static_cast<uint64_t>(place.prologue) * kInstructionBytes;
  bool error = reader.reads.error, sent = true;
  for (uint32_t request = 0; request < arguments.request_count && sent; ++request) {
    HW_VITIS(loop_tripcount min = 1 max = 65536)
    const bool never[2] = {false, false};
    const bool idle[2] = {launch::IsIdle(head.staggered, false, request, arguments.request_count),
                          launch::IsIdle(head.staggered, true, request, arguments.request_count)};
    sent = SendRegisters(dram, arguments, head.weight_bytes, request, packets, stop, error) &&
           (request != 0 || SendInstructions(dram, place.at, place.prologue, never, packets, stop, error)) &&
           SendKind(kPacketBody, packets, stop) &&
           SendInstructions(dram, body_at, place.body, idle, packets, stop, error);
  }
  if (sent) SendKind(kPacketEnd, packets, stop);
  return error ? kImageUnreadable : kImageRight;
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
