#ifndef XRUN_OVERLAY_HW_LINES_H_
#define XRUN_OVERLAY_HW_LINES_H_

// A client of port B: its line register, and loops that access one line an iteration and idle while the rotation comes
// round. Iterations are the line costs of isa/README.md, section 2; the first line of an instruction is in the fixed
// cycles.

#include "overlay_hw/memory.h"

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

/// Makes `line` the one held, reading it.
template <int kStage>
inline void SeekRead(ActivationPort& port, LineClient& client, uint32_t line) {
  if (!client.held) {
    HW_FIXED();
    ReadLine(port, line, client.line);
  } else if (client.at != line) {
    const uint32_t cost = HW_MUTATE(1, LineCost(client.at, line), 1);
    for (uint32_t i = 0; i < cost; ++i) {
      HW_PIPELINE
      HW_ITERATION(kStage);
      if (i + 1 == cost) ReadLine(port, line, client.line);
    }
  }
  client.held = true;
  client.at = line;
}

/// Makes `line` the one that merges writes; the one held is written.
template <int kStage>
inline void SeekWrite(ActivationPort& port, LineClient& client, uint32_t line) {
  if (client.held && client.at != line) {
    const uint32_t cost = LineCost(client.at, line);
    for (uint32_t i = 0; i < cost; ++i) {
      HW_PIPELINE
      HW_ITERATION(kStage);
      if (i == HW_MUTATE(34, 0U, cost - 1)) WriteLine(port, client.at, client.line, client.enabled);
    }
    HW_UNROLL
    for (uint32_t i = 0; i < kLineWords; ++i) {
      HW_VITIS(unroll)
      client.enabled[i] = false;
    }
  }
  client.held = true;
  client.at = line;
}
/// Writes what is still held; in the instruction's fixed cycles.
inline void FlushLine(ActivationPort& port, LineClient& client) {
  HW_FIXED();
  if (client.held) WriteLine(port, client.at, client.line, client.enabled);
  StartLines(client);
}

/// Reads `count` words in order: all words in a row that lie in one line come with it.
template <int kStage, uint32_t kMost>
inline void ReadWords(ActivationPort& port, LineClient& client, const uint32_t (&address)[kMost], uint32_t count,
                      Word (&words)[kMost]) {
  for (uint32_t done = 0; done < count;) {  // unbounded: at most `count` rounds, of up to a line each
    HW_VITIS(loop_tripcount min = 1 max = kMost)
    SeekRead<kStage>(port, client, LineOf(address[done]));
    uint32_t next = done;
    HW_UNROLL
    for (uint32_t k = 0; k < kMost; ++k) {
      HW_VITIS(unroll)
      if (k == next && k < count && LineOf(address[k]) == client.at) {
        words[k] = client.line.word[address[k] & (kLineWords - 1)];
        ++next;
      }
    }
    done = next;
  }
}

/// Writes `count` words in order: words in a row that lie in one line are merged.
template <int kStage, uint32_t kMost>
inline void WriteWords(ActivationPort& port, LineClient& client, const uint32_t (&address)[kMost], uint32_t count,
                       const Word (&words)[kMost]) {
  for (uint32_t done = 0; done < count;) {  // unbounded: at most `count` rounds, of up to a line each
    HW_VITIS(loop_tripcount min = 1 max = kMost)
    SeekWrite<kStage>(port, client, LineOf(address[done]));
    uint32_t next = done;
    HW_UNROLL
    for (uint32_t k = 0; k < kMost; ++k) {
      HW_VITIS(unroll)
      if (k == next && k < count && LineOf(address[k]) == client.at) {
        client.line.word[address[k] & (kLineWords - 1)] = words[k];
        client.enabled[address[k] & (kLineWords - 1)] = true;
        ++next;
      }
    }
    done = next;
  }
}

/// Words a copy's loop handles at a time.
constexpr uint32_t kChunk = 2 * kLineWords;

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_LINES_H_
