#ifndef XRUN_OVERLAY_HW_DRAM_H_
#define XRUN_OVERLAY_HW_DRAM_H_

// An engine's view of DRAM: beats of kBusBytes bytes, numbered by byte address / kBusBytes. For the HLS tools the port
// is an m_axi pointer; in C-sim it is a router to the kernel's DRAM ports, behind which is host memory by regions.
// Bytes are cut and joined in registers: runs begin and end at any byte.

#include "overlay_hw/memory.h"

#ifndef XRUN_HW_BARE
#include "overlay_hw/csim/dram.h"
#endif

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

typedef ap_uint<static_cast<int>(kBusBits)> Beat;

#ifdef XRUN_HW_BARE
typedef Beat* DramPort;
inline Beat ReadBeat(DramPort& port, uint64_t at) { return port[at]; }
inline void WriteBeat(DramPort& port, uint64_t at, const Beat& beat) { port[at] = beat; }
inline bool BusError(DramPort&) { return false; }  // an interconnect answers errors with data; the host sees the log
#else
typedef csim::DramRouter* DramPort;
inline Beat ReadBeat(DramPort& port, uint64_t at) {
  uint64_t words[kBusBytes / 8];
  port->Read(at * kBusBytes, kBusBytes, words);
  Beat beat;
  for (uint32_t i = 0; i < kBusBytes / 8; ++i)
    beat.range(static_cast<int>(64 * i + 63), static_cast<int>(64 * i)) = words[i];
  return beat;
}
inline void WriteBeat(DramPort& port, uint64_t at, const Beat& beat) {
  uint64_t words[kBusBytes / 8];
  for (uint32_t i = 0; i < kBusBytes / 8; ++i)
    words[i] = beat.range(static_cast<int>(64 * i + 63), static_cast<int>(64 * i));
  port->Write(at * kBusBytes, kBusBytes, words);
}
inline bool BusError(DramPort& port) { return port->error(); }
#endif

/// Bytes of DRAM in the order an instruction wants them. Holds the beat it read last, so that neighbouring runs read no
/// beat twice.
struct ByteReader {
  bool held = false;
  uint64_t beat = 0;
  uint8_t bytes[kBusBytes];
};
/// Bytes lo <= i < hi of the `kMost` that begin at `address`, one beat an iteration; the others of `to` stay.
template <uint32_t kMost>
inline void ReadBytes(DramPort& port, ByteReader& reader, uint64_t address, uint32_t lo, uint32_t hi,
                      int8_t (&to)[kMost]) {
  if (lo >= hi) return;
  const uint64_t first = (address + lo) / kBusBytes, last = (address + hi - 1) / kBusBytes;
  for (uint64_t beat = first; beat <= last; ++beat) {
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = kMost / kBusBytes + 2)
    if (!reader.held || beat != reader.beat) {
      const Beat read = ReadBeat(port, beat);
      HW_UNROLL
      for (uint32_t i = 0; i < kBusBytes; ++i) {
        HW_VITIS(unroll)
        reader.bytes[i] = static_cast<uint8_t>(
            static_cast<uint64_t>(read.range(static_cast<int>(8 * i + 7), static_cast<int>(8 * i))));
      }
      reader.held = true;
      reader.beat = beat;
    }
    HW_UNROLL
    for (uint32_t i = 0; i < kMost; ++i) {
      HW_VITIS(unroll)
      if (i >= lo && i < hi && (address + i) / kBusBytes == beat)
        to[i] = static_cast<int8_t>(reader.bytes[(address + i) % kBusBytes]);
    }
  }
}
inline uint32_t ReadUint32(DramPort& port, ByteReader& reader, uint64_t address) {
  int8_t bytes[4] = {};
  ReadBytes(port, reader, address, 0, 4, bytes);
  uint32_t v = 0;
  for (uint32_t i = 0; i < 4; ++i) v |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return v;
}
inline uint64_t ReadUint64(DramPort& port, ByteReader& reader, uint64_t address) {
  const uint64_t low = ReadUint32(port, reader, address);
  return low | static_cast<uint64_t>(ReadUint32(port, reader, address + 4)) << 32;
}

/// Bytes written to DRAM. A beat that is only partly written is read first: m_axi pointers have no byte strobes.
struct ByteWriter {
  uint64_t beat = 0;
  bool enabled[kBusBytes];
  uint8_t bytes[kBusBytes];
};
inline void StartBeats(ByteWriter& writer) {
  writer.beat = 0;
  HW_UNROLL
  for (uint32_t i = 0; i < kBusBytes; ++i) {
    HW_VITIS(unroll)
    writer.enabled[i] = false;
  }
}
inline void FlushBeat(DramPort& port, ByteWriter& writer) {
  bool any = false, all = true;
  HW_UNROLL
  for (uint32_t i = 0; i < kBusBytes; ++i) {
    HW_VITIS(unroll)
    any = any || writer.enabled[i];
    all = all && writer.enabled[i];
  }
  if (!any) return;
  Beat beat = 0;
  if (!all) beat = ReadBeat(port, writer.beat);
  HW_UNROLL
  for (uint32_t i = 0; i < kBusBytes; ++i) {
    HW_VITIS(unroll)
    if (writer.enabled[i])
      beat.range(static_cast<int>(8 * i + 7), static_cast<int>(8 * i)) = static_cast<uint64_t>(writer.bytes[i]);
  }
  WriteBeat(port, writer.beat, beat);
  StartBeats(writer);
}
/// Writes `kMost` bytes from `address` on, one beat an iteration.
template <uint32_t kMost>
inline void WriteBytes(DramPort& port, ByteWriter& writer, uint64_t address, const int8_t (&from)[kMost]) {
  const uint64_t last = (address + kMost - 1) / kBusBytes;
  for (uint64_t beat = address / kBusBytes; beat <= last; ++beat) {
    HW_PIPELINE
    HW_VITIS(loop_tripcount min = 1 max = kMost / kBusBytes + 2)
    if (beat != writer.beat) FlushBeat(port, writer);
    writer.beat = beat;
    HW_UNROLL
    for (uint32_t i = 0; i < kMost; ++i) {
      HW_VITIS(unroll)
      if ((address + i) / kBusBytes == beat) {
        writer.bytes[(address + i) % kBusBytes] = static_cast<uint8_t>(from[i]);
        writer.enabled[(address + i) % kBusBytes] = true;
      }
    }
  }
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_DRAM_H_
