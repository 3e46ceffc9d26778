#ifndef XRUN_OVERLAY_HW_DRAM_H_
#define XRUN_OVERLAY_HW_DRAM_H_

// An engine's view of DRAM: beats of kBusBytes bytes, numbered by byte address / kBusBytes. An engine has no m_axi
// port: it asks for runs of beats, as many ahead as there is room for, and takes the beats in the order asked, whenever
// they come; or it announces runs and gives their beats with an enable for each byte. What makes bursts of runs, sends
// them to the kernel's ports and keeps the answers in order is Verilog of ours (rtl/xrun_reader.v, rtl/xrun_writer.v),
// so nothing depends on an HLS tool seeing a burst in a loop.
//
// Three forms of the same calls. The concurrent hardware: streams to and from a reader or writer. C-sim: that reader or
// writer as an object (csim/dram.h). The sequential top (XRUN_HW_SEQUENTIAL, or the open tool): one m_axi pointer, and
// runs are worked off as their beats are taken.
//
// None of the calls waits. Everything asked for has to be taken before an instruction ends, everything announced to be
// given, and an instruction that wrote is done when Written() says so.

#include "overlay_hw/memory.h"
#include "overlay_hw/queue.h"

#if defined(__BAMBU__) || defined(XRUN_HW_SEQUENTIAL)
#define XRUN_HW_POINTER_DRAM 1
#elif defined(XRUN_HW_BARE)
#include <hls_stream.h>
#else
#include "overlay_hw/csim/dram.h"
#endif

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

typedef ap_uint<static_cast<int>(kBusBits)> Beat;
/// Which bytes of a beat are written: bit i is byte i's.
typedef ap_uint<static_cast<int>(kBusBytes)> ByteEnables;

// Entries of the streams, as the Verilog cuts them.
/// A run: address of its first beat in bytes (64 bits), then its beats (32).
typedef ap_uint<96> DramRun;
constexpr int kRunBeatsAt = 64;
/// A beat read, then 1 where the port answered with an error (a byte of its own).
typedef ap_uint<static_cast<int>(kBusBits) + 8> DramAnswer;
/// A beat to be written, then its enables.
typedef ap_uint<static_cast<int>(kBusBits + kBusBytes)> DramWrite;

/// Runs that may be asked for or announced before the first of them is worked off.
constexpr uint32_t kRunsAhead = 4;

/// What the reads of an instruction have come to.
struct Reads {
  bool error = false;
  uint32_t under_way = 0;  ///< beats asked for and not taken
#ifdef XRUN_HW_POINTER_DRAM
  uint32_t runs = 0;
  uint64_t at[kRunsAhead];
  uint32_t left[kRunsAhead];
#endif
};
/// The same of writes.
struct Writes {
  bool error = false;
  uint32_t unanswered = 0;  ///< runs announced whose response has not come
#ifdef XRUN_HW_POINTER_DRAM
  uint32_t runs = 0;
  uint64_t at[kRunsAhead];
  uint32_t left[kRunsAhead];
#endif
};

#ifdef XRUN_HW_POINTER_DRAM

typedef Beat* DramReadPort;
typedef Beat* DramWritePort;

/// Of Reads and Writes: the oldest run's next beat.
template <typename Runs>
inline uint64_t NextOfRuns(Runs& runs) {
  const uint64_t at = runs.at[0];
  ++runs.at[0];
  --runs.left[0];
  if (runs.left[0] == 0) {
    --runs.runs;
    HW_UNROLL
    for (uint32_t i = 0; i + 1 < kRunsAhead; ++i) {
      HW_VITIS(unroll)
      runs.at[i] = runs.at[i + 1];
      runs.left[i] = runs.left[i + 1];
    }
  }
  return at;
}
template <typename Runs>
inline bool AddRun(Runs& runs, uint64_t beat, uint32_t beats) {
  if (runs.runs == kRunsAhead) return false;
  runs.at[runs.runs] = beat;
  runs.left[runs.runs] = beats;
  ++runs.runs;
  return true;
}
inline bool SendAsk(DramReadPort&, Reads& reads, uint64_t beat, uint32_t beats) { return AddRun(reads, beat, beats); }
inline bool TakeAnswer(DramReadPort& port, Reads& reads, Beat& beat, bool& error) {
  if (reads.runs == 0) return false;
  beat = port[NextOfRuns(reads)];
  error = false;  // an interconnect answers errors with data; the host sees the log
  return true;
}
inline bool SendTell(DramWritePort&, Writes& writes, uint64_t beat, uint32_t beats) {
  return AddRun(writes, beat, beats);
}
/// m_axi pointers have no enables: a beat that is only partly written is read first.
inline bool SendBeat(DramWritePort& port, Writes& writes, const Beat& beat, const ByteEnables& enables) {
  if (writes.runs == 0) return false;
  const uint64_t at = NextOfRuns(writes);
  bool all = true;
  HW_UNROLL
  for (uint32_t i = 0; i < kBusBytes; ++i) {
    HW_VITIS(unroll)
    all = all && static_cast<uint64_t>(enables.range(static_cast<int>(i), static_cast<int>(i))) != 0;
  }
  Beat whole = beat;
  if (!all) {
    whole = port[at];
    HW_UNROLL
    for (uint32_t i = 0; i < kBusBytes; ++i) {
      HW_VITIS(unroll)
      const int lo = static_cast<int>(8 * i);
      if (static_cast<uint64_t>(enables.range(static_cast<int>(i), static_cast<int>(i))) != 0)
        whole.range(lo + 7, lo) = static_cast<uint64_t>(beat.range(lo + 7, lo));
    }
  }
  port[at] = whole;
  return true;
}
inline bool TakeResponse(DramWritePort&, Writes& writes, bool& error) {
  error = false;
  return writes.runs == 0;
}

#elif defined(XRUN_HW_BARE)

struct DramReadPort {
  hls::stream<DramRun>& ask;
  hls::stream<DramAnswer>& data;
};
struct DramWritePort {
  hls::stream<DramRun>& tell;
  hls::stream<DramWrite>& put;
  hls::stream<uint8_t>& done;  ///< a response a run: 1 where one of its bursts was answered with an error
};

/// Bits lo … lo + 63 at most, of words of any width.
template <typename From, typename To>
inline void CopyBits(const From& from, uint32_t bits, To& to) {
  HW_UNROLL
  for (uint32_t i = 0; i < bits; i += 8) {
    HW_VITIS(unroll)
    const int lo = static_cast<int>(i), hi = static_cast<int>(i + 8 < bits ? i + 7 : bits - 1);
    to.range(hi, lo) = static_cast<uint64_t>(from.range(hi, lo));
  }
}
inline DramRun RunOf(uint64_t beat, uint32_t beats) {
  DramRun run = 0;
  run.range(63, 0) = beat * kBusBytes;
  run.range(kRunBeatsAt + 31, kRunBeatsAt) = static_cast<uint64_t>(beats);
  return run;
}
inline bool SendAsk(DramReadPort& port, Reads&, uint64_t beat, uint32_t beats) {
  return port.ask.write_nb(RunOf(beat, beats));
}
inline bool TakeAnswer(DramReadPort& port, Reads&, Beat& beat, bool& error) {
  DramAnswer answer;
  if (!port.data.read_nb(answer)) return false;
  CopyBits(answer, kBusBits, beat);
  const int at = static_cast<int>(kBusBits);
  error = static_cast<uint64_t>(answer.range(at, at)) != 0;
  return true;
}
inline bool SendTell(DramWritePort& port, Writes&, uint64_t beat, uint32_t beats) {
  return port.tell.write_nb(RunOf(beat, beats));
}
inline bool SendBeat(DramWritePort& port, Writes&, const Beat& beat, const ByteEnables& enables) {
  DramWrite write = 0;
  CopyBits(beat, kBusBits, write);
  HW_UNROLL
  for (uint32_t i = 0; i < kBusBytes; i += 8) {
    HW_VITIS(unroll)
    const int lo = static_cast<int>(i), at = static_cast<int>(kBusBits + i);
    write.range(at + 7, at) = static_cast<uint64_t>(enables.range(lo + 7, lo));
  }
  return port.put.write_nb(write);
}
inline bool TakeResponse(DramWritePort& port, Writes&, bool& error) {
  uint8_t response = 0;
  if (!port.done.read_nb(response)) return false;
  error = response != 0;
  return true;
}

#else
#include "overlay_hw/csim/dram_port.inc"
#endif

/// Asks for `beats` ≥ 1 beats from `beat` on. False: there is no room for another run yet.
inline bool Ask(DramReadPort& port, Reads& reads, uint64_t beat, uint32_t beats) {
  if (!SendAsk(port, reads, beat, beats)) return false;
  reads.under_way += beats;
  return true;
}
/// The next beat of what was asked for. False: it is not there yet.
inline bool Take(DramReadPort& port, Reads& reads, Beat& beat) {
  bool error = false;
  if (reads.under_way == 0 || !TakeAnswer(port, reads, beat, error)) return false;
  reads.error = reads.error || error;
  --reads.under_way;
  return true;
}

/// Announces that `beats` ≥ 1 beats will be written from `beat` on. False: there is no room for another run yet.
inline bool Tell(DramWritePort& port, Writes& writes, uint64_t beat, uint32_t beats) {
  if (!SendTell(port, writes, beat, beats)) return false;
  ++writes.unanswered;
  return true;
}
/// The next beat of what was announced. False: there is no room for it yet.
inline bool Put(DramWritePort& port, Writes& writes, const Beat& beat, const ByteEnables& enables) {
  return SendBeat(port, writes, beat, enables);
}
/// A step of waiting for what was written to be there for everyone; true when it is.
inline bool Written(DramWritePort& port, Writes& writes) {
  bool error = false;
  if (writes.unanswered != 0 && TakeResponse(port, writes, error)) {
    writes.error = writes.error || error;
    --writes.unanswered;
  }
  return writes.unanswered == 0;
}
inline void WaitWritten(DramWritePort& port, Writes& writes) {
  while (!Written(port, writes)) HW_CLOCK();  // unbounded: every run is answered
}

inline int8_t ByteOf(const Beat& beat, uint32_t i) {
  return static_cast<int8_t>(
      static_cast<uint8_t>(static_cast<uint64_t>(beat.range(static_cast<int>(8 * i + 7), static_cast<int>(8 * i)))));
}

/// Single values of DRAM, each beat asked for when it is wanted: headers. Holds the beat it read last.
struct ByteReader {
  Reads reads;
  bool held = false;
  uint64_t beat = 0;
  int8_t bytes[kBusBytes];
};
/// Bytes lo <= i < hi of the `kMost` that begin at `address`, one beat an iteration; the others of `to` stay.
template <uint32_t kMost>
inline void ReadBytes(DramReadPort& port, ByteReader& reader, uint64_t address, uint32_t lo, uint32_t hi,
                      int8_t (&to)[kMost]) {
  if (lo >= hi) return;
  const uint64_t first = (address + lo) / kBusBytes, last = (address + hi - 1) / kBusBytes;
  for (uint64_t beat = first; beat <= last; ++beat) {
    HW_VITIS(loop_tripcount min = 1 max = kMost / kBusBytes + 2)
    if (!reader.held || beat != reader.beat) {
      Beat read;
      while (!Ask(port, reader.reads, beat, 1)) HW_CLOCK();  // unbounded: runs are worked off
      while (!Take(port, reader.reads, read)) HW_CLOCK();    // unbounded: DRAM answers
      HW_UNROLL
      for (uint32_t i = 0; i < kBusBytes; ++i) {
        HW_VITIS(unroll)
        reader.bytes[i] = ByteOf(read, i);
      }
      reader.held = true;
      reader.beat = beat;
    }
    HW_UNROLL
    for (uint32_t i = 0; i < kMost; ++i) {
      HW_VITIS(unroll)
      if (i >= lo && i < hi && (address + i) / kBusBytes == beat) to[i] = reader.bytes[(address + i) % kBusBytes];
    }
  }
}
inline uint32_t ReadUint32(DramReadPort& port, ByteReader& reader, uint64_t address) {
  int8_t bytes[4] = {};
  ReadBytes(port, reader, address, 0, 4, bytes);
  uint32_t v = 0;
  for (uint32_t i = 0; i < 4; ++i) v |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return v;
}
inline uint64_t ReadUint64(DramReadPort& port, ByteReader& reader, uint64_t address) {
  const uint64_t low = ReadUint32(port, reader, address);
  return low | static_cast<uint64_t>(ReadUint32(port, reader, address + 4)) << 32;
}

/// Single values written to DRAM: the status page. Values in one beat go out together.
struct ByteWriter {
  Writes writes;
  uint64_t beat = 0;
  bool any = false;
  Beat bytes = 0;
  ByteEnables enables = 0;
};
inline void FlushBeat(DramWritePort& port, ByteWriter& writer) {
  if (!writer.any) return;
  while (!Tell(port, writer.writes, writer.beat, 1)) {  // unbounded: runs are worked off
    HW_CLOCK();
    Written(port, writer.writes);
  }
  while (!Put(port, writer.writes, writer.bytes, writer.enables)) HW_CLOCK();  // unbounded: beats go out
  writer.any = false;
  writer.enables = 0;
}
/// Writes `kMost` bytes from `address` on.
template <uint32_t kMost>
inline void WriteBytes(DramWritePort& port, ByteWriter& writer, uint64_t address, const int8_t (&from)[kMost]) {
  const uint64_t last = (address + kMost - 1) / kBusBytes;
  for (uint64_t beat = address / kBusBytes; beat <= last; ++beat) {
    HW_VITIS(loop_tripcount min = 1 max = kMost / kBusBytes + 2)
    if (beat != writer.beat) FlushBeat(port, writer);
    writer.beat = beat;
    writer.any = true;
    HW_UNROLL
    for (uint32_t i = 0; i < kMost; ++i) {
      HW_VITIS(unroll)
      if ((address + i) / kBusBytes != beat) continue;
      const int at = static_cast<int>((address + i) % kBusBytes);
      writer.bytes.range(8 * at + 7, 8 * at) = static_cast<uint64_t>(static_cast<uint8_t>(from[i]));
      writer.enables.range(at, at) = 1;
    }
  }
}
inline void PutUint32(DramWritePort& port, ByteWriter& writer, uint64_t address, uint32_t value) {
  int8_t bytes[4];
  HW_UNROLL
  for (uint32_t i = 0; i < 4; ++i) {
    HW_VITIS(unroll)
    bytes[i] = static_cast<int8_t>(static_cast<uint8_t>(value >> (8 * i)));
  }
  WriteBytes(port, writer, address, bytes);
}
inline void PutUint64(DramWritePort& port, ByteWriter& writer, uint64_t address, uint64_t value) {
  PutUint32(port, writer, address, static_cast<uint32_t>(value));
  PutUint32(port, writer, address + 4, static_cast<uint32_t>(value >> 32));
}
/// Everything written so far is there for everyone when this returns.
inline void FinishWrites(DramWritePort& port, ByteWriter& writer) {
  FlushBeat(port, writer);
  WaitWritten(port, writer.writes);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_DRAM_H_
