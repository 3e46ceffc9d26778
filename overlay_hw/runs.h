#ifndef XRUN_OVERLAY_HW_RUNS_H_
#define XRUN_OVERLAY_HW_RUNS_H_

// What stands between an engine's words and the beats of DRAM, a clock cycle a call. Runs are rows of planes; rows that
// follow on each other are one. Reading: runs are asked for ahead, as far as there is room; beats come into a window of
// bytes, from whose front the engine takes what it needs. Writing: the same the other way round. Runs begin and end at
// any byte; rotations by bytes are stages of powers of two.

#include "overlay_hw/dram.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// Most words that a cycle takes out of the window: a beat's, and at least a line's.
constexpr uint32_t kBeatWords = DivideUp(kBusBytes, kCP) > kLineWords ? DivideUp(kBusBytes, kCP) : kLineWords;
constexpr uint32_t kBeatWordBytes = kBeatWords * kCP;

/// Rows of planes: of bytes in DRAM, of words on chip.
struct Runs {
  uint64_t at;  ///< of the first row
  uint32_t planes, rows;
  uint64_t plane_stride, row_stride, length;
};
/// Rows that follow on each other without a gap are one.
inline Runs RunsOf(uint64_t at, uint32_t planes, uint32_t rows, uint64_t plane_stride, uint64_t row_stride,
                   uint64_t length) {
  Runs runs = {at, planes, rows, plane_stride, row_stride, length};
  if (runs.rows == 1) {
    runs.rows = runs.planes;
    runs.planes = 1;
    runs.row_stride = runs.plane_stride;
  }
  if (runs.row_stride == HW_MUTATE(40, runs.length, runs.row_stride)) {
    runs.length *= runs.rows;
    runs.rows = runs.planes;
    runs.planes = 1;
    runs.row_stride = runs.plane_stride;
    if (runs.row_stride == runs.length) {
      runs.length *= runs.rows;
      runs.rows = 1;
    }
  }
  return runs;
}

/// Where one is in them.
struct RunWalk {
  uint32_t p, r;
  uint64_t plane, row;  ///< where they begin
  uint64_t at, left;    ///< within the row
};
inline void StartRuns(const Runs& runs, RunWalk& walk) {
  walk.p = runs.rows == 0 ? runs.planes : 0;
  walk.r = 0;
  walk.plane = walk.row = walk.at = runs.at;
  walk.left = runs.length;
}
inline bool Ended(const Runs& runs, const RunWalk& walk) { return walk.p == runs.planes; }
inline void NextRun(const Runs& runs, RunWalk& walk) {
  ++walk.r;
  if (walk.r == runs.rows) {
    walk.r = 0;
    ++walk.p;
    walk.plane += runs.plane_stride;
    walk.row = walk.plane;
  } else {
    walk.row += runs.row_stride;
  }
  walk.at = walk.row;
  walk.left = runs.length;
}

/// Byte i comes to place (i + by) mod kN.
template <uint32_t kN>
inline void Rotate(int8_t (&bytes)[kN], uint32_t by) {
  static_assert((kN & (kN - 1)) == 0, "stages are powers of two");
  for (uint32_t stage = 1; stage < kN; stage *= 2) {
    HW_VITIS(unroll)
    int8_t turned[kN];
    HW_UNROLL
    for (uint32_t i = 0; i < kN; ++i) {
      HW_VITIS(unroll)
      turned[i] = (by & stage) != 0 ? bytes[(i + kN - stage) % kN] : bytes[i];
    }
    HW_UNROLL
    for (uint32_t i = 0; i < kN; ++i) {
      HW_VITIS(unroll)
      bytes[i] = turned[i];
    }
  }
}

/// Reads ahead: `kGive` bytes at most are taken out in a cycle.
template <uint32_t kGive>
struct ReadAhead {
  Runs runs;
  RunWalk asks;   ///< `at`, `left`: bytes of the run that are not asked for yet
  RunWalk takes;  ///< … that have not come into the window
  uint32_t fill;  ///< bytes in the window
  int8_t bytes[kGive + kBusBytes];
};
template <uint32_t kGive>
inline void StartReads(const Runs& runs, ReadAhead<kGive>& ahead) {
  ahead.runs = runs;
  StartRuns(runs, ahead.asks);
  StartRuns(runs, ahead.takes);
  ahead.fill = 0;
}
/// Asks for the next run, or as much of it as `most` beats are. Returns the beats asked for; 0: nothing left, or no
/// room.
template <uint32_t kGive>
inline uint32_t StepAsk(DramReadPort& port, Reads& reads, ReadAhead<kGive>& ahead, uint32_t most) {
  RunWalk& walk = ahead.asks;
  if (Ended(ahead.runs, walk)) return 0;
  const uint64_t first = walk.at / kBusBytes, beats = (walk.at + walk.left - 1) / kBusBytes - first + 1;
  const uint32_t count = beats < most ? static_cast<uint32_t>(beats) : most;
  if (!Ask(port, reads, first, count)) return 0;
  if (count == beats) {
    NextRun(ahead.runs, walk);
  } else {
    const uint64_t next = (first + count) * kBusBytes;
    walk.left -= next - walk.at;
    walk.at = next;
  }
  return count;
}
/// The next beat of the runs into the window; there is room where `fill` is at most kGive.
template <uint32_t kGive>
inline void TakeBeat(ReadAhead<kGive>& ahead, const Beat& beat) {
  RunWalk& walk = ahead.takes;
  const uint32_t lo = static_cast<uint32_t>(walk.at % kBusBytes);
  const uint32_t count = walk.left < kBusBytes - lo ? static_cast<uint32_t>(walk.left) : kBusBytes - lo;
  int8_t bytes[kBusBytes];
  HW_UNROLL
  for (uint32_t i = 0; i < kBusBytes; ++i) {
    HW_VITIS(unroll)
    bytes[i] = ByteOf(beat, i);
  }
  Rotate(bytes, (ahead.fill - HW_MUTATE(34, lo, 0U)) & (kBusBytes - 1));
  HW_UNROLL
  for (uint32_t i = 0; i < kGive + kBusBytes; ++i) {
    HW_VITIS(unroll)
    if (i >= ahead.fill && i < ahead.fill + count) ahead.bytes[i] = bytes[i % kBusBytes];
  }
  ahead.fill += count;
  walk.at += count;
  walk.left -= count;
  if (walk.left == 0) NextRun(ahead.runs, walk);
}
/// A cycle: a beat into the window, where there is one and room for it, and a run asked for.
template <uint32_t kGive>
inline void StepReads(DramReadPort& port, Reads& reads, ReadAhead<kGive>& ahead, uint32_t most = ~0U) {
  Beat beat;
  if (ahead.fill <= kGive && Take(port, reads, beat)) TakeBeat(ahead, beat);
  StepAsk(port, reads, ahead, most);
}
/// Takes `count` ≤ kGive bytes off the window's front: stages of powers of two.
template <uint32_t kGive>
inline void ReleaseBytes(ReadAhead<kGive>& ahead, uint32_t count) {
  for (uint32_t stage = 1; stage <= kGive; stage *= 2) {
    HW_VITIS(unroll)
    HW_UNROLL
    for (uint32_t i = 0; i < kGive + kBusBytes; ++i) {
      HW_VITIS(unroll)
      if ((count & stage) != 0 && i + stage < kGive + kBusBytes) ahead.bytes[i] = ahead.bytes[i + stage];
    }
  }
  ahead.fill -= count;
}
/// Takes `count` units of `kUnit` bytes, at most kGive bytes in all, off the window's front.
template <uint32_t kUnit, uint32_t kGive>
inline void Release(ReadAhead<kGive>& ahead, uint32_t count) {
  HW_UNROLL
  for (uint32_t i = 0; i < kGive + kBusBytes; ++i) {
    HW_VITIS(unroll)
    HW_UNROLL
    for (uint32_t n = 1; n <= kGive / kUnit; ++n) {
      HW_VITIS(unroll)
      if (n == count && i + n * kUnit < kGive + kBusBytes) ahead.bytes[i] = ahead.bytes[i + n * kUnit];
    }
  }
  ahead.fill -= count * kUnit;
}

/// Words a cycle puts into the window of writes: a line's.
constexpr uint32_t kPutBytes = kLineWords * kCP, kPutSpan = PowerOfTwoFrom(kPutBytes);

/// Writes: the beats of the run under way. The window begins at a beat's first byte.
struct WriteBehind {
  Runs runs;
  Writes writes;
  RunWalk tells;   ///< runs not announced yet
  RunWalk gives;   ///< `left`: bytes of the run that have not come into the window
  uint32_t begin;  ///< bytes before it are not the run's
  uint32_t fill;   ///< bytes in the window, those before `begin` counted
  bool ends;       ///< the run's last bytes are in the window: the next run waits
  int8_t bytes[kPutBytes + kBusBytes];
};
inline void BeginRun(WriteBehind& behind) {
  behind.begin = behind.fill = static_cast<uint32_t>(behind.gives.at % kBusBytes);
  behind.ends = false;
}
inline void StartWrites(const Runs& runs, WriteBehind& behind) {
  behind.runs = runs;
  StartRuns(runs, behind.tells);
  StartRuns(runs, behind.gives);
  BeginRun(behind);
}
/// A cycle: a beat out of the window, where it is complete and there is room for it, and a run announced.
inline void StepWrites(DramWritePort& port, WriteBehind& behind) {
  if (behind.fill >= kBusBytes || behind.ends) {
    const uint32_t end = behind.fill < kBusBytes ? behind.fill : kBusBytes;
    Beat beat = 0;
    ByteEnables enables = 0;
    HW_UNROLL
    for (uint32_t i = 0; i < kBusBytes; ++i) {
      HW_VITIS(unroll)
      const int lo = static_cast<int>(8 * i);
      beat.range(lo + 7, lo) = static_cast<uint64_t>(static_cast<uint8_t>(behind.bytes[i]));
      if (i >= HW_MUTATE(39, behind.begin, 0U) && i < end) enables.range(static_cast<int>(i), static_cast<int>(i)) = 1;
    }
    if (Put(port, behind.writes, beat, enables)) {
      HW_UNROLL
      for (uint32_t i = 0; i < kPutBytes; ++i) {
        HW_VITIS(unroll)
        behind.bytes[i] = behind.bytes[i + kBusBytes];
      }
      behind.fill -= end;
      behind.begin = 0;
      if (behind.ends && behind.fill == 0) BeginRun(behind);
    }
  }
  RunWalk& walk = behind.tells;
  if (!Ended(behind.runs, walk)) {
    const uint64_t first = walk.at / kBusBytes, beats = (walk.at + walk.left - 1) / kBusBytes - first + 1;
    if (Tell(port, behind.writes, first, static_cast<uint32_t>(beats))) NextRun(behind.runs, walk);
  }
  Written(port, behind.writes);
}
/// Room for a line's words.
inline bool HasRoom(const WriteBehind& behind) { return behind.fill <= kBusBytes && !behind.ends; }
/// The first `count` of `words` into the window: all of one run.
inline void GiveWrites(WriteBehind& behind, const Word (&words)[kLineWords], uint32_t count) {
  int8_t bytes[kPutSpan] = {};
  HW_UNROLL
  for (uint32_t i = 0; i < kPutBytes; ++i) {
    HW_VITIS(unroll)
    bytes[i] = words[i / kCP].lane[i % kCP];
  }
  Rotate(bytes, behind.fill & (kPutSpan - 1));
  const uint32_t size = count * kCP;
  HW_UNROLL
  for (uint32_t i = 0; i < kPutBytes + kBusBytes; ++i) {
    HW_VITIS(unroll)
    if (i >= behind.fill && i < behind.fill + size) behind.bytes[i] = bytes[i % kPutSpan];
  }
  behind.fill += size;
  behind.gives.left -= size;
  if (behind.gives.left == 0) {
    behind.ends = true;
    NextRun(behind.runs, behind.gives);
  }
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_RUNS_H_
