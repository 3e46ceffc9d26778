#ifndef XRUN_OVERLAY_HW_SHELL_H_
#define XRUN_OVERLAY_HW_SHELL_H_

// What all engines do around an instruction: take packets, wait for tokens, signal, report. Every wait polls, so that
// the stop wire is seen: a cycle limit, an abort or another engine's trap ends the process, and nothing is left half
// sent that the next launch could meet (the launch control resets the FIFOs).

#include "isa/launch.h"
#include "overlay_hw/engines.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// An engine's progress, as the status page has it.
struct Progress {
  uint32_t request = 0, completed = 0;
  bool body = false, any_body = false;
};

/// The next packet; false when stopped. An empty packet FIFO is a wait for DRAM.
inline bool TakePacket(PacketStream& packets, StopSignal& stop, EngineReport& report, Packet& packet) {
  bool waiting = false;
  for (;;) {  // unbounded: a packet comes, or the launch stops
    if (packets.read_nb(packet)) break;
    if (Stopped(stop)) return false;
    if (!waiting) SetReport(report, kReportWaiting, launch::kWaitingDram);
    waiting = true;
    Idle();
  }
  if (waiting) SetReport(report, kReportWaiting, 0);
  return true;
}

/// Waits until every counter of `mask` has a token; takes none yet.
inline bool WaitTokens(TokenStream (&from)[kEngines], uint32_t mask, StopSignal& stop, EngineReport& report) {
  uint32_t before = 0;
  for (;;) {  // unbounded: the tokens come, or the launch stops
    uint32_t missing = 0;
    for (uint32_t e = 0; e < kEngines; ++e) {
      if ((mask >> e & 1) != 0 && from[e].empty()) missing |= 1U << e;
    }
    if (missing != before) SetReport(report, kReportWaiting, missing);
    before = missing;
    if (missing == 0) return true;
    if (Stopped(stop)) return false;
    Idle();
  }
}
inline void TakeTokens(TokenStream (&from)[kEngines], uint32_t mask) {
  for (uint32_t e = 0; e < kEngines; ++e) {
    Token token;
    if ((mask >> e & 1) != 0) from[e].read_nb(token);
  }
}
/// Signals; one that meets a full counter waits while the others go out.
inline bool SendTokens(TokenStream (&to)[kEngines], uint32_t mask, StopSignal& stop, EngineReport& report) {
  uint32_t before = 0;
  for (uint32_t unsent = mask;;) {  // unbounded: the counters have room, or the launch stops
    for (uint32_t e = 0; e < kEngines; ++e) {
      if ((unsent >> e & 1) != 0 && to[e].write_nb(Token(1))) unsent &= ~(1U << e);
    }
    if (unsent != before) SetReport(report, kReportWaiting, unsent);
    before = unsent;
    if (unsent == 0) return true;
    if (Stopped(stop)) return false;
    Idle();
  }
}
template <typename Stream, typename T>
inline bool Send(Stream& stream, const T& value, StopSignal& stop) {
  while (!stream.write_nb(value)) {  // unbounded: the FIFO has room, or the launch stops
    if (Stopped(stop)) return false;
    Idle();
  }
  return true;
}

/// A packet that is not an instruction: registers, or the beginning of a body.
inline void Account(const Packet& packet, Progress& progress, BaseRegisters& registers, EngineReport& report) {
  if (packet.kind == kPacketRegisters) {
    HW_UNROLL
    for (uint32_t i = 0; i < 4; ++i) {
      HW_VITIS(unroll)
      registers.address[4 * (packet.group & 3) + i] = packet.part[2 * i];
      registers.limit[4 * (packet.group & 3) + i] = packet.part[2 * i + 1];
    }
    return;
  }
  if (progress.any_body || packet.kind == kPacketEnd) {
    ++progress.request;
    progress.completed = 0;
    SetReport(report, kReportRequest, progress.request);
    SetReport(report, kReportCompleted, 0);
  }
  progress.any_body = progress.body = true;
}

inline void Done(const Needs& needs, bool idle, Progress& progress, EngineReport& report, TokenStream& marks,
                 StopSignal& stop) {
  ++progress.completed;
  SetReport(report, kReportCompleted, progress.completed);
  if (needs.mark != 0 && progress.body) Send(marks, Token(idle ? 0 : 1), stop);
}

inline InstructionWord WordOf(const Packet& packet) {
  InstructionWord word;
  HW_UNROLL
  for (int i = 0; i < kInstructionWords; ++i) {
    HW_VITIS(unroll)
    word.part[i] = packet.part[i];
  }
  return word;
}

/// The process of an engine. `Steps` has `Needs needs(word)`, `bool acquire(rows)`, `Trap execute(word, registers)`,
/// `bool release(rows)`; the bools are false when stopped.
template <typename Steps>
inline void RunEngine(Steps& steps, PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines],
                      StopSignal& stop, EngineReport& report, TokenStream& marks) {
  BaseRegisters registers;
  for (uint32_t i = 0; i < kBaseRegisters; ++i) registers.address[i] = registers.limit[i] = 0;
  Progress progress;
  for (uint32_t i = 0; i < kReportFields; ++i) SetReport(report, static_cast<ReportField>(i), 0);
  Packet packet;
  Trap trap = Trap::kNone;
  while (TakePacket(packets, stop, report, packet)) {  // unbounded: until kPacketEnd, a trap or a stop
    if (packet.kind != kPacketInstruction) {
      Account(packet, progress, registers, report);
      if (packet.kind == kPacketEnd) break;
      continue;
    }
    const InstructionWord word = WordOf(packet);
    const Needs needs = steps.needs(word);
    trap = needs.trap;
    if (trap == Trap::kIllegalInstruction) break;
    if (Stopped(stop)) break;
    if (!WaitTokens(from, needs.wait, stop, report)) break;
    if (trap == Trap::kNone && !steps.acquire(needs.acquire)) break;
    TakeTokens(from, needs.wait);
    const bool idle = packet.group != 0;
    if (trap == Trap::kNone && !idle) trap = steps.execute(word, registers, needs);
    if (trap != Trap::kNone) break;
    if (!steps.release(needs.release)) break;
    if (!SendTokens(to, needs.signal, stop, report)) break;
    Done(needs, idle, progress, report, marks, stop);
  }
  SetReport(report, kReportTrap, static_cast<uint32_t>(trap));
  SetReport(report, kReportFinished, 1);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_SHELL_H_
