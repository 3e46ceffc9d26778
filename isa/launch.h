#ifndef XRUN_ISA_LAUNCH_H_
#define XRUN_ISA_LAUNCH_H_

// Where everything of a launch lies (isa/README.md, section 7): registers, program image, request table, status page.
// C++14, shared by host and hardware: includes isa.h and <cstdint> and nothing else.

#include <cstdint>

#include "isa/isa.h"

namespace xrun {
namespace launch {

// The kernel's registers over s_axilite.
constexpr uint32_t kRegControl = 0x00, kRegProgram = 0x10, kRegWeights = 0x1C, kRegRequests = 0x28, kRegStatus = 0x34,
                   kRegRequestCount = 0x40, kRegCycleLimit = 0x48, kRegFlags = 0x54;
constexpr uint32_t kFlagTimeMarks = 1, kFlagAbort = 2;

// Program image.
constexpr uint32_t kImageMagic = 0x31495258;  ///< "XRI1"
constexpr uint32_t kImageIsaMajor = 4, kImageIsaMinor = 6, kImageFingerprint = 8, kImageWeightBytes = 16;
constexpr uint32_t kImageStreams = 24, kImageStreamBytes = 16;                  ///< one entry an engine
constexpr uint32_t kStreamPrologue = 0, kStreamBody = 4, kStreamOffset = 8;     ///< within an entry
constexpr uint32_t kImageMarks = kImageStreams + kImageStreamBytes * kEngines;  ///< u32 an engine
constexpr uint32_t kImageStatusBytes = kImageMarks + 4 * kEngines;              ///< u32
constexpr uint32_t kImageHeaderBytes = 128;
constexpr uint32_t kImageStaggered = kImageStatusBytes + 4;  ///< u32, 0 or 1
static_assert(kImageStaggered + 4 <= kImageHeaderBytes, "the header holds its fields");

// Request table.
constexpr uint32_t kRequestBytes = 256, kRequestRegisterBytes = 16;  ///< address u64, limit u64 of each base register
static_assert(kRequestRegisterBytes * kBaseRegisters == kRequestBytes, "one entry a base register");

/// Whether an instruction's half has no request in this entry of a staggered program's table (isa/README.md, section
/// 4).
constexpr bool IsIdle(bool staggered, bool late, uint32_t entry, uint32_t entries) {
  return staggered && (late ? entry == 0 : entry + 1 == entries);
}

// Status page.
constexpr uint32_t kStatusMagic = 0x54535258;  ///< "XRST"
constexpr uint32_t kStatusLayoutVersion = 1;
constexpr uint32_t kStatusVersionAt = 4, kStatusIsaMajor = 8, kStatusIsaMinor = 10, kStatusFieldCount = 12,
                   kStatusCapabilities = 16, kStatusFingerprint = 24, kStatusConfig = 32;
constexpr uint32_t kStatusHeadBytes = 320;  ///< written at the start of every launch
constexpr uint32_t kStatusState = 256, kStatusTrap = 260, kStatusCompleted = 264, kStatusCycles = 272;
constexpr uint32_t kStatusEngines = 320, kStatusEngineBytes = 64;
constexpr uint32_t kEngineTrap = 0, kEngineRequest = 4, kEngineCompleted = 8, kEngineWaiting = 12;
constexpr uint32_t kStatusPageBytes = 4096;  ///< time marks follow
constexpr uint32_t kWaitingRing = 1U << 8, kWaitingDram = 1U << 9;
enum class State : uint32_t { kRunning = 1, kDone = 2, kTrapped = 3 };

/// Capabilities of a device, and what a program asks for: everything in isa/README.md but what has a bit of its own.
constexpr uint64_t kBaseCapabilities = 1;
constexpr uint64_t kStaggeredCapability = 2;   ///< staggered programs
constexpr uint64_t kPackedRowsCapability = 4;  ///< LoadPacked's fields from `head` on
constexpr uint64_t kCapabilities = kBaseCapabilities | kStaggeredCapability | kPackedRowsCapability;

}  // namespace launch
}  // namespace xrun

#endif  // XRUN_ISA_LAUNCH_H_
