#ifndef XRUN_ISA_ASSEMBLY_H_
#define XRUN_ISA_ASSEMBLY_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "isa/hardware_config.h"
#include "isa/isa.h"
#include "isa/result.h"

namespace xrun {

/// The 64 bytes of one instruction as little-endian 64-bit words.
using InstructionWord = std::array<uint64_t, kInstructionWords>;

/// Any instruction. Alternatives stand in table order.
using Instruction = std::variant<
#define XRUN_INSTRUCTION(Name, opcode, engine, brief) Name,
#define XRUN_U(name, bits, brief)
#define XRUN_S(name, bits, brief)
#define XRUN_END(Name)
#include "isa/isa.def"
    std::monostate>;

/// Encodes. Never masks: a field outside its bits is a failure naming instruction, field, value and range.
/// A Sync encodes for whichever engine's stream it stands in.
Result<InstructionWord> Encode(const Instruction& instruction);

/// Decodes a word of `engine`'s stream: unknown opcode, an opcode of another engine, or non-zero unused bits are a
/// failure that says so. Field *ranges* are not judged here: CheckFields.
Result<Instruction> Decode(const InstructionWord& word, Engine engine);
/// The header's `late`, also of a word that does not decode.
inline bool IsLate(const InstructionWord& word) { return (word[kLateBit / 64] >> kLateBit % 64 & 1) != 0; }

/// The ranges stated in the table and in isa/README.md ("at least 1", strides, shifts, token masks without the own
/// engine) and every on-chip address within `config`.
Status CheckFields(const Instruction& instruction, Engine engine, const HardwareConfig& config);

/// The two halves of CheckFields, for who must tell the traps apart: field ranges and masks (kIllegalInstruction), then
/// on-chip addresses, segments, ring rows and overlapping operands (kOnChipLimit). CheckOnChip needs CheckRanges.
Status CheckRanges(const Instruction& instruction, Engine engine);
Status CheckOnChip(const Instruction& instruction, const HardwareConfig& config);

/// Capabilities (launch.h) that an instruction needs beside the base set: those of fields that came later.
uint64_t CapabilitiesOf(const Instruction& instruction);

/// One line of text: `Conv wait=load signal=load,save src=0 …`; fields that are zero are left out. Every word has a
/// text: what does not decode prints as `.word 0x… ×8`, which assembles back to the same bits.
std::string Disassemble(const Instruction& instruction);
std::string Disassemble(const InstructionWord& word, Engine engine);

/// The reverse of Disassemble. Unknown mnemonic or field: "did you mean".
Result<InstructionWord> Assemble(std::string_view line, Engine engine);

/// A whole program's streams as text: `.stream load prologue`, `.stream load body`, … then instructions; `#` comments.
struct Streams {
  struct Stream {
    std::vector<InstructionWord> prologue, body;
  };
  std::array<Stream, kEngines> engines;
  bool operator==(const Streams&) const;
};
Result<Streams> AssembleProgram(std::string_view text);
std::string DisassembleProgram(const Streams& streams);

const Header& HeaderOf(const Instruction& instruction);
Header& HeaderOf(Instruction& instruction);
std::string_view Mnemonic(const Instruction& instruction);
/// Ring rows the instruction acquires before it starts; 0 for most.
uint32_t AcquireOf(const Instruction& instruction);

std::string_view EngineName(Engine engine);  ///< "load", "conv", "vector", "save"
std::string_view TrapName(Trap trap);        ///< in words

/// isa/REFERENCE.md, generated from the table.
std::string ReferenceMarkdown();

}  // namespace xrun

#endif  // XRUN_ISA_ASSEMBLY_H_
