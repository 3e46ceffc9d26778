#ifndef XRUN_OVERLAY_HW_ENGINES_H_
#define XRUN_OVERLAY_HW_ENGINES_H_

// The engines. One engine = one file = two functions:
//
//   Execute<Engine>   one instruction, whose tokens and ring rows are there: what the sequential top calls;
//   <Engine>Engine    the process: takes instructions, waits, executes, signals. What the concurrent wiring runs, one
//                     thread each, and what becomes an IP each.
//
// All ports of an engine are arguments; which client of which memory an argument is, its comment says (isa/README.md,
// section 2). Nothing is shared between engines but what stands in these lists.

#include "isa/isa.h"
#include "overlay_hw/dram.h"
#include "overlay_hw/memory.h"

#if defined(XRUN_HW_BARE) && !defined(XRUN_HW_BARE_CSIM)
#include <hls_stream.h>
#else
#include "overlay_hw/csim/hls_stream.h"
#endif
#ifndef XRUN_HW_BARE
#include <atomic>

#include "overlay_hw/csim/idle.h"
#endif

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// The 64 bytes of an instruction.
struct InstructionWord {
  uint64_t part[kInstructionWords];
};

/// Address and limit in bytes of each base register; limit 0: not set.
struct BaseRegisters {
  uint64_t address[kBaseRegisters], limit[kBaseRegisters];
};

/// What fetch sends to an engine, in this order: the registers of request 0, the prologue's instructions, kBody, the
/// body's instructions, then for each further request its registers, kBody and the body's instructions; at last kEnd.
enum PacketKind : uint8_t {
  kPacketInstruction,
  kPacketRegisters,  ///< registers 4·group … 4·group + 3: address, limit, address, …
  kPacketBody,       ///< the body of the next request (of request 0 the first time) begins
  kPacketEnd         ///< all requests done
};
struct Packet {
  uint8_t kind;
  uint8_t group;  ///< of an instruction: 1 where it is idle (isa/README.md, staggered programs), else 0
  uint64_t part[kInstructionWords];
};

typedef uint8_t Token;                     ///< its arrival is all that counts
typedef hls::stream<Packet> PacketStream;  ///< fetch → engine, depth kPacketDepth
typedef hls::stream<Token> TokenStream;    ///< engine → engine, depth kTokenLimit: the counter of section 4
typedef hls::stream<uint32_t> RowStream;   ///< ring rows
constexpr uint32_t kPacketDepth = 8, kRowDepth = 4, kMarkDepth = 16;

/// The launch's stop wire: cycle limit, abort, or a trap of any engine. Read only.
/// What an engine tells about itself: registers the launch control reads at any time.
enum ReportField : uint32_t {
  kReportTrap,       ///< enum Trap
  kReportRequest,    ///< as the status page's: request under way
  kReportCompleted,  ///< instructions completed in it; the prologue counts in request 0
  kReportWaiting,    ///< mask of engines, launch::kWaitingRing, launch::kWaitingDram
  kReportFinished,   ///< 1: the engine has left (all done, trapped or stopped)
  kReportFields
};
#ifdef XRUN_HW_BARE
typedef volatile bool* StopSignal;
typedef volatile uint32_t EngineReport[kReportFields];
typedef volatile uint32_t* RowCount;
inline bool Stopped(const StopSignal& stop) { return *stop; }
inline void SetReport(EngineReport& report, ReportField field, uint32_t value) { report[field] = value; }
inline uint32_t ReadRowCount(const RowCount& count) { return *count; }
inline void SetRowCount(RowCount& count, uint32_t value) { *count = value; }
inline void Idle() {}
#else
typedef std::atomic<bool>* StopSignal;
struct EngineReport {
  std::atomic<uint32_t> field[kReportFields] = {};
};
typedef std::atomic<uint32_t>* RowCount;
inline bool Stopped(const StopSignal& stop) { return stop->load(std::memory_order_acquire); }
inline void SetReport(EngineReport& report, ReportField field, uint32_t value) {
  report.field[field].store(value, std::memory_order_release);
}
inline uint32_t ReadRowCount(const RowCount& count) { return count->load(std::memory_order_acquire); }
inline void SetRowCount(RowCount& count, uint32_t value) { count->store(value, std::memory_order_release); }
inline void Idle() { csim::Idle(); }
#endif

// ------------------------------------------------------------------------------------------------ one instruction
// `word` has passed NeedsOf…: fields, ranges, on-chip addresses. DRAM limits depend on the request and are judged here;
// a trap other than kNone: nothing was done.

Trap ExecuteLoad(const InstructionWord& word, const BaseRegisters& registers, DramReadPort& dram,
                 ActivationPort& result,   // activations, port B slot 6: write
                 RingPort& ring,           // weight ring, port B: write
                 VectorPort& parameters);  // vector parameter memory, port B: write

Trap ExecuteConv(const InstructionWord& word,
                 ActivationPort& source,       // activations, port A: read
                 ActivationPort& result,       // activations, port B slot 0: write
                 ActivationPort& residual,     // activations, port B slot 1: read
                 RingPort& ring,               // weight ring, port A: read
                 PartialPort& partial_read,    // partial buffer, port A: read
                 PartialPort& partial_write);  // partial buffer, port B: write

Trap ExecuteVector(const InstructionWord& word,
                   ActivationPort& read0,              // activations, port B slot 2: read
                   ActivationPort& read1,              // activations, port B slot 3: read
                   ActivationPort& read2,              // activations, port B slot 4: read
                   ActivationPort& result,             // activations, port B slot 5: write
                   VectorPort& parameters,             // vector parameter memory, port A: read
                   VectorPartialPort& partial_read,    // vector partial buffer, port A: read
                   VectorPartialPort& partial_write);  // vector partial buffer, port B: write

Trap ExecuteSave(const InstructionWord& word, const BaseRegisters& registers, DramWritePort& dram,
                 ActivationPort& source);  // activations, port B slot 7: read

/// What stands around an instruction's execution, of any engine.
struct Needs {
  Trap trap;  ///< kIllegalInstruction: found before any wait; kOnChipLimit: after it; else kNone
  uint32_t wait, signal, mark, late;
  uint32_t acquire, release;  ///< ring rows
};
Needs NeedsOfLoad(const InstructionWord& word);
Needs NeedsOfConv(const InstructionWord& word);
Needs NeedsOfVector(const InstructionWord& word);
Needs NeedsOfSave(const InstructionWord& word);

// ------------------------------------------------------------------------------------------------------ processes
// `from[e]`, `to[e]`: tokens of and to engine e; the engine's own entry is never touched. `marks` gets a token for each
// marked instruction of a body when it is done: 1, or 0 where it was idle. A process ends after kPacketEnd, a trap, or
// `stop`.

void LoadEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines],
                RowStream& acquire,    // → RingEngine: rows wanted
                TokenStream& granted,  // ← RingEngine: they are there and taken
                StopSignal& stop, EngineReport& report, TokenStream& marks, DramReadPort& dram, ActivationPort& result,
                RingPort& ring, VectorPort& parameters);

void ConvEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines],
                RowStream& release,  // → RingEngine: rows given back
                RowCount& acquired,  // ← RingEngine: rows acquired in all, modulo 2^32
                StopSignal& stop, EngineReport& report, TokenStream& marks, ActivationPort& source,
                ActivationPort& result, ActivationPort& residual, RingPort& ring, PartialPort& partial_read,
                PartialPort& partial_write);

void VectorEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines], StopSignal& stop,
                  EngineReport& report, TokenStream& marks, ActivationPort& read0, ActivationPort& read1,
                  ActivationPort& read2, ActivationPort& result, VectorPort& parameters,
                  VectorPartialPort& partial_read, VectorPartialPort& partial_write);

void SaveEngine(PacketStream& packets, TokenStream (&from)[kEngines], TokenStream (&to)[kEngines], StopSignal& stop,
                EngineReport& report, TokenStream& marks, DramWritePort& dram, ActivationPort& source);

/// The ring's free-space counter: between Load and Conv. Runs until `stop`, or until `release` and `acquire` are empty
/// once `finished` (Load and Conv have left) is set.
void RingEngine(RowStream& acquire, TokenStream& granted, RowStream& release, RowCount& acquired, StopSignal& stop,
                StopSignal& finished);

/// Where a launch's parts lie in DRAM: the kernel's arguments.
struct LaunchArguments {
  uint64_t program, weights, requests, status;
  uint32_t request_count;
};
/// What a fetch finds: an image for this overlay, another's (magic, ISA major, minor, fingerprint; nothing but
/// kPacketEnd was sent), or an address at which DRAM answers with an error.
enum Judgement : uint8_t { kImageOther, kImageRight, kImageUnreadable };
/// One instance for each engine: reads its stream of the program image and the request table, sends packets.
Judgement FetchEngine(uint32_t engine, const LaunchArguments& arguments, DramReadPort& dram, PacketStream& packets,
                      StopSignal& stop);

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_ENGINES_H_
