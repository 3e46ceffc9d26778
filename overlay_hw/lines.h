#ifndef XRUN_OVERLAY_HW_LINES_H_
#define XRUN_OVERLAY_HW_LINES_H_

// A client of port B, one cycle a call: its line register, one line at most in or out, idle while the rotation comes
// round. Its cycles are the line costs of isa/README.md, section 2; the first line of an instruction is in the fixed
// cycles.

#include "overlay_hw/memory.h"
#include "overlay_hw/queue.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

struct LineClient {
  bool held = false;
  uint32_t at = 0;  ///< the line held
  Line line;
  bool enabled[kLineWords];  ///< writes: words merged into it
};

inline uint32_t LineOf(uint32_t address) { return address >> kLineShift; }
inline uint32_t LineCost(uint32_t from, uint32_t to) { return ((to - from - 1) & (kSlots - 1)) + 1; }

inline void StartLines(LineClient& client) {
  client.held = false;
  client.at = 0;
  HW_UNROLL
  for (uint32_t i = 0; i < kLineWords; ++i) {
    HW_VITIS(unroll)
    client.enabled[i] = false;
  }
}

/// Writes what is still held; in the instruction's fixed cycles.
inline void FlushLine(ActivationPort& port, LineClient& client) {
  HW_FIXED();
  if (client.held) WriteLine(port, client.at, client.line, client.enabled);
  StartLines(client);
}

/// A group of words in the order a client takes them, and what each costs from the one before; 0: in the same line.
template <uint32_t kMost>
struct LinePlan {
  uint32_t count;
  uint32_t address[kMost];
  uint32_t cost[kMost];
};
/// Words of one line, on their way to or from its client.
struct LineWords {
  LinePlan<kLineWords> plan;
  Word words[kLineWords];
};
/// The line that plans have come to.
struct PlannedLine {
  bool begun = false;
  uint32_t at = 0;
};
template <uint32_t kMost>
inline void PlanLines(PlannedLine& before, LinePlan<kMost>& plan) {
  HW_UNROLL
  for (uint32_t k = 0; k < kMost; ++k) {
    HW_VITIS(unroll)
    if (k >= plan.count) continue;
    const uint32_t line = LineOf(plan.address[k]);
    plan.cost[k] = !before.begun || line == before.at ? 0 : HW_MUTATE(35, LineCost(before.at, line), 1U);
    before.begun = true;
    before.at = line;
  }
}

/// Where a client is in its group: the word whose line it wants, and the cycles until that comes by; 0: not begun.
struct LineSeek {
  uint32_t word = 0, left = 0;
};
/// The first word after `word` that lies in another line.
template <uint32_t kMost>
inline uint32_t NextLine(const LinePlan<kMost>& plan, uint32_t word) {
  uint32_t next = plan.count;
  HW_UNROLL
  for (uint32_t i = 0; i < kMost; ++i) {
    HW_VITIS(unroll)
    const uint32_t k = kMost - 1 - i;
    if (k > word && k < plan.count && plan.cost[k] != 0) next = k;
  }
  return next;
}

/// Takes words from seek.word up to the next line's into the line held.
template <uint32_t kMost>
inline void MergeWords(LineClient& client, LineSeek& seek, const LinePlan<kMost>& plan, const Word (&words)[kMost]) {
  const uint32_t next = NextLine(plan, seek.word);
  HW_UNROLL
  for (uint32_t k = 0; k < kMost; ++k) {
    HW_VITIS(unroll)
    if (k < seek.word || k >= next) continue;
    client.at = LineOf(plan.address[k]);
    client.line.word[plan.address[k] & (kLineWords - 1)] = words[k];
    client.enabled[plan.address[k] & (kLineWords - 1)] = true;
  }
  client.held = true;
  seek.word = next;
}
/// A cycle of a client that writes; at most one line goes out. True when it has taken in the whole group.
template <int kStage, uint32_t kMost>
inline bool StepWrite(ActivationPort& port, LineClient& client, LineSeek& seek, const LinePlan<kMost>& plan,
                      const Word (&words)[kMost]) {
  if (seek.word == 0 && plan.cost[0] == 0) MergeWords(client, seek, plan, words);
  if (seek.word != plan.count) {
    HW_ITERATION(kStage);
    if (seek.left == 0) {
      seek.left = plan.cost[seek.word];
      WriteLine(port, client.at, client.line, client.enabled);
      HW_UNROLL
      for (uint32_t i = 0; i < kLineWords; ++i) {
        HW_VITIS(unroll)
        client.enabled[i] = false;
      }
    }
    --seek.left;
    if (seek.left == 0) MergeWords(client, seek, plan, words);
  }
  if (seek.word != plan.count) return false;
  seek.word = 0;
  return true;
}

/// Gives the words from seek.word up to the next line's from the line held.
template <uint32_t kMost>
inline void GiveWords(const LineClient& client, LineSeek& seek, const LinePlan<kMost>& plan, Word (&words)[kMost]) {
  const uint32_t next = NextLine(plan, seek.word);
  HW_UNROLL
  for (uint32_t k = 0; k < kMost; ++k) {
    HW_VITIS(unroll)
    if (k >= seek.word && k < next) words[k] = client.line.word[plan.address[k] & (kLineWords - 1)];
  }
  seek.word = next;
}
/// A cycle of a client that reads; at most one line comes in. True when the whole group is there.
template <int kStage, uint32_t kMost>
inline bool StepRead(ActivationPort& port, LineClient& client, LineSeek& seek, const LinePlan<kMost>& plan,
                     Word (&words)[kMost]) {
  if (!client.held) {  // the first line, in the fixed cycles
    ReadLine(port, LineOf(plan.address[0]), client.line);
    client.held = true;
    GiveWords(client, seek, plan, words);
  } else {
    if (seek.word == 0 && plan.cost[0] == 0) GiveWords(client, seek, plan, words);
    if (seek.word != plan.count) {
      HW_ITERATION(kStage);
      if (seek.left == 0) seek.left = HW_MUTATE(1, plan.cost[seek.word], 1);
      --seek.left;
      if (seek.left == 0) {
        ReadLine(port, LineOf(plan.address[seek.word]), client.line);
        GiveWords(client, seek, plan, words);
      }
    }
  }
  if (seek.word != plan.count) return false;
  seek.word = 0;
  return true;
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_LINES_H_
