#ifndef XRUN_ISA_ISA_H_
#define XRUN_ISA_ISA_H_

// The instruction set as C++14 types, shared by host and hardware: includes <cstdint> and nothing else.

#include <cstdint>

namespace xrun {

/// ISA version. A program runs where the major is equal and its minor is not above the device's.
constexpr uint16_t kIsaMajor = 1;
constexpr uint16_t kIsaMinor = 0;

constexpr int kInstructionBytes = 64;
constexpr int kInstructionBits = 8 * kInstructionBytes;
constexpr int kInstructionWords = 8;  ///< of 64 bits, little-endian

/// The four engines. Each has an instruction stream, a decoder and a program counter of its own.
enum Engine : uint8_t { kLoad = 0, kConv = 1, kVector = 2, kSave = 3, kEngines = 4, kAnyEngine = 0xFF };

constexpr int kTokenLimit = 15;  ///< largest value of a token counter (4 bits)

/// Base registers: address and limit of each DRAM buffer a program speaks of.
enum BaseRegister : uint8_t {
  kBaseWeights = 0,    ///< read only
  kBaseWorkspace = 1,  ///< one per request
  kBaseInput0 = 2,     ///< inputs 2…7, read only
  kBaseOutput0 = 8,    ///< outputs 8…14
  kBaseStatus = 15,    ///< written by the launch logic only
  kBaseRegisters = 16
};
constexpr int kMaxInputs = 6, kMaxOutputs = 7;

enum class Opcode : uint8_t {
#define XRUN_INSTRUCTION(Name, opcode, engine, brief) k##Name = opcode,
#define XRUN_U(name, bits, brief)
#define XRUN_S(name, bits, brief)
#define XRUN_END(Name)
#include "isa/isa.def"
};

/// Kinds of the Elementwise instruction.
enum ElementwiseKind : uint32_t {
  kElementwiseCopy = 0,
  kElementwiseRequantize = 1,
  kElementwiseAdd = 2,
  kElementwiseMul = 3
};

/// The part all instructions share: token masks, bit i = engine i, whether its end is a time mark, and, in a staggered
/// program, whether it belongs to the back half.
struct Header {
  uint32_t wait = 0;
  uint32_t signal = 0;
  uint32_t mark = 0;
  uint32_t late = 0;
};

// One struct an instruction: named fields as integers, in table order, with the header in front.
#define XRUN_INSTRUCTION(Name, opcode, engine, brief)  \
  struct Name : Header {                               \
    static constexpr Opcode kOpcode = Opcode::k##Name; \
    static constexpr Engine kEngine = engine;          \
    static const char* Mnemonic() { return #Name; }    \
    static const char* Brief() { return brief; }
#define XRUN_U(name, bits, brief) uint32_t name = 0;
#define XRUN_S(name, bits, brief) int32_t name = 0;
#define XRUN_END(Name) \
  }                    \
  ;
#include "isa/isa.def"

/// Visits the fields of an instruction in table order:
/// `visitor(const char* name, field_reference, int bits, bool is_signed, const char* brief)`.
/// The header (opcode, wait, signal and mark before, late behind) is not visited.
#define XRUN_INSTRUCTION(Name, opcode, engine, brief_)                   \
  template <typename Instruction, typename Visitor>                      \
  void VisitFieldsOf##Name(Instruction& instruction, Visitor& visitor) { \
    (void)instruction;                                                   \
    (void)visitor;
#define XRUN_U(name, bits, brief) visitor(#name, instruction.name, bits, false, brief);
#define XRUN_S(name, bits, brief) visitor(#name, instruction.name, bits, true, brief);
#define XRUN_END(Name)                                           \
  }                                                              \
  template <typename Visitor>                                    \
  void VisitFields(Name& instruction, Visitor&& visitor) {       \
    VisitFieldsOf##Name(instruction, visitor);                   \
  }                                                              \
  template <typename Visitor>                                    \
  void VisitFields(const Name& instruction, Visitor&& visitor) { \
    VisitFieldsOf##Name(instruction, visitor);                   \
  }
#include "isa/isa.def"

/// Bits of the header before an instruction's own fields: opcode 8, wait 4, signal 4, mark 1.
constexpr int kHeaderBits = 17;
/// The word's last bit is the header's, too: `late`.
constexpr int kLateBit = kInstructionBits - 1;

// A field past the end of the word does not compile.
#define XRUN_INSTRUCTION(Name, opcode, engine, brief) static_assert(kHeaderBits
#define XRUN_U(name, bits, brief) +(bits)
#define XRUN_S(name, bits, brief) +(bits)
#define XRUN_END(Name) <= kLateBit, #Name " does not fit the instruction word");
#include "isa/isa.def"

/// Largest and smallest value of a field of `bits` bits.
constexpr int64_t FieldMax(int bits, bool is_signed) {
  return is_signed ? (int64_t{1} << (bits - 1)) - 1 : (int64_t{1} << bits) - 1;
}
constexpr int64_t FieldMin(int bits, bool is_signed) { return is_signed ? -(int64_t{1} << (bits - 1)) : 0; }

/// Why an engine, and with it the launch, stopped early. Printed names: TrapName() in assembly.h.
enum class Trap : uint32_t {
  kNone = 0,
  kIllegalInstruction = 1,  ///< unknown opcode, wrong engine, non-zero unused bits, field outside its stated range
  kOnChipLimit = 2,         ///< an address beyond an on-chip memory of this configuration
  kDramLimit = 3,           ///< beyond the limit of a base register, or a register that is not set
  kReadOnly = 4,            ///< a write to weights, inputs or status
  kCycleLimit = 5,          ///< the launch's cycle limit expired
  kAbort = 6,               ///< the host asked
  kBusError = 7,            ///< the memory system answered with an error
  kUninitialized = 8,       ///< simulator only: reads a word nobody wrote in this launch
  kRace = 9,                ///< simulator only: two engines, one word, no order
  kRingUnderflow = 10       ///< releases more ring rows than are held
};

}  // namespace xrun

#endif  // XRUN_ISA_ISA_H_
