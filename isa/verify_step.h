#ifndef XRUN_ISA_VERIFY_STEP_H_
#define XRUN_ISA_VERIFY_STEP_H_

// What the parts of the verifier share: verify.cpp (single instructions, balances), verify_flow.cpp (tokens, ring,
// order), verify_shadow.cpp (memory).

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "isa/assembly.h"
#include "isa/footprint.h"
#include "isa/program.h"

namespace xrun {

/// Requests that are played through. Order and memory use of a body repeat: whatever can happen between two requests
/// that follow each other happens between the first two (where the prologue's tokens matter) or the next two (where
/// not).
constexpr uint32_t kVerifiedRequests = 3;

/// How many instructions of each engine are known to be done.
using VectorClock = std::array<uint32_t, kEngines>;

inline void Join(VectorClock& clock, const VectorClock& other) {
  for (size_t e = 0; e < kEngines; ++e) clock[e] = clock[e] < other[e] ? other[e] : clock[e];
}

/// An overlay step, decoded and checked instruction by instruction. Executions of an engine are numbered through
/// prologue and requests: its *sequence*.
struct VerifiedStep {
  const Program* program = nullptr;
  const OverlayStep* step = nullptr;
  std::array<std::vector<Instruction>, kEngines> prologue, body;
  std::array<uint64_t, kBaseRegisters> limits{};  ///< bytes; 0: not set
  std::array<uint64_t, kBaseRegisters>
      granules{};  ///< divides each address and length used with the register; 0: unused

  uint32_t Executions(Engine engine) const {
    return static_cast<uint32_t>(prologue[engine].size() + kVerifiedRequests * body[engine].size());
  }
  const Instruction& At(Engine engine, uint32_t sequence) const;
  /// The request, that is the entry of the request table, of an execution; the prologue counts as request 0.
  uint32_t RequestOf(Engine engine, uint32_t sequence) const;
  /// Of a staggered step's back half.
  bool IsLate(Engine engine, uint32_t sequence) const {
    return step->stagger && HeaderOf(At(engine, sequence)).late != 0;
  }
  /// "conv body instruction 7 of request 1 `Conv …` (node 'conv_3')".
  std::string Name(Engine engine, uint32_t sequence) const;
  std::string Name(Engine engine, bool in_body, uint32_t index, const std::string& when = "") const;
};

inline bool IsOutput(uint32_t base) { return base >= kBaseOutput0 && base < kBaseOutput0 + kMaxOutputs; }
inline bool IsInput(uint32_t base) { return base >= kBaseInput0 && base < kBaseInput0 + kMaxInputs; }

std::string BaseName(uint32_t base);

/// Plays prologue and requests through: deadlock, ring underflow, and by a shadow of every memory uninitialised reads,
/// races and outputs left incomplete.
Status VerifyFlow(const VerifiedStep& step);

}  // namespace xrun

#endif  // XRUN_ISA_VERIFY_STEP_H_
