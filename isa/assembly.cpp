#include "isa/assembly.h"

#include <cassert>
#include <type_traits>

namespace xrun {
namespace {

constexpr int kOpcodeBits = 8;
constexpr int kMaskBits = 4;
constexpr int kMarkBits = 1;
static_assert(kOpcodeBits + 2 * kMaskBits + kMarkBits == kHeaderBits, "the header is these");

/// Writes fields one after the other from bit 0 of the word. Values are checked before: a bit too many is our bug.
class BitWriter {
 public:
  void Put(int64_t value, int bits) {
    const uint64_t mask = (uint64_t{1} << bits) - 1;
    const uint64_t raw = static_cast<uint64_t>(value) & mask;
    const int index = at_ / 64;
    const int shift = at_ % 64;
    assert(at_ + bits <= kInstructionBits);
    word_[static_cast<size_t>(index)] |= raw << shift;
    if (shift + bits > 64) word_[static_cast<size_t>(index) + 1] |= raw >> (64 - shift);
    at_ += bits;
  }
  const InstructionWord& word() const { return word_; }

 private:
  InstructionWord word_{};
  int at_ = 0;
};

class BitReader {
 public:
  explicit BitReader(const InstructionWord& word) : word_(word) {}

  int64_t Get(int bits, bool is_signed) {
    const auto index = static_cast<size_t>(at_ / 64);
    const int shift = at_ % 64;
    uint64_t raw = word_[index] >> shift;
    if (shift + bits > 64) raw |= word_[index + 1] << (64 - shift);
    raw &= (uint64_t{1} << bits) - 1;
    at_ += bits;
    if (is_signed && (raw >> (bits - 1)) != 0) return static_cast<int64_t>(raw) - (int64_t{1} << bits);
    return static_cast<int64_t>(raw);
  }

  /// The lowest set bit from here to the header's last, −1 if there is none.
  int FirstSetBitOfRest() const {
    for (int i = at_; i < kLateBit; ++i) {
      if ((word_[static_cast<size_t>(i / 64)] >> (i % 64) & 1) != 0) return i;
    }
    return -1;
  }

 private:
  const InstructionWord& word_;
  int at_ = 0;
};

/// Keeps the first field that does not fit its bits.
class RangeChecker {
 public:
  explicit RangeChecker(const char* mnemonic) : mnemonic_(mnemonic) {}

  void operator()(const char* name, int64_t value, int bits, bool is_signed, const char* brief = "") {
    const int64_t lo = FieldMin(bits, is_signed);
    const int64_t hi = FieldMax(bits, is_signed);
    if (!status_.ok() || (value >= lo && value <= hi)) return;
    status_ = Failure{std::string(mnemonic_) + ": " + name + " is " + std::to_string(value) + ", outside " +
                          std::to_string(lo) + "…" + std::to_string(hi) + " (" + std::to_string(bits) + " bits)",
                      brief};
  }
  Status Take() && { return std::move(status_); }

 private:
  const char* mnemonic_;
  Status status_;
};

std::string Hex(uint64_t value, int digits) {
  std::string text = "0x";
  for (int i = digits - 1; i >= 0; --i) text += "0123456789abcdef"[value >> (4 * i) & 0xF];
  return text;
}

template <typename T>
Result<Instruction> DecodeAs(const InstructionWord& word) {
  T instruction;
  BitReader reader(word);
  reader.Get(kOpcodeBits, false);
  instruction.wait = static_cast<uint32_t>(reader.Get(kMaskBits, false));
  instruction.signal = static_cast<uint32_t>(reader.Get(kMaskBits, false));
  instruction.mark = static_cast<uint32_t>(reader.Get(kMarkBits, false));
  VisitFields(instruction, [&](const char*, auto& field, int bits, bool is_signed, const char*) {
    field = static_cast<std::remove_reference_t<decltype(field)>>(reader.Get(bits, is_signed));
  });
  if (const int bit = reader.FirstSetBitOfRest(); bit >= 0) {
    return Failure{std::string(T::Mnemonic()) + ": unused bit " + std::to_string(bit) + " of the word is set", ""};
  }
  instruction.late = IsLate(word) ? 1 : 0;
  return Instruction(instruction);
}

}  // namespace

Result<InstructionWord> Encode(const Instruction& instruction) {
  return std::visit(
      [](const auto& x) -> Result<InstructionWord> {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return Failure{"an empty instruction has no encoding", ""};
        } else {
          RangeChecker check(T::Mnemonic());
          check("wait", x.wait, kMaskBits, false);
          check("signal", x.signal, kMaskBits, false);
          check("mark", x.mark, kMarkBits, false);
          check("late", x.late, 1, false);
          VisitFields(x, check);
          XRUN_RETURN_IF_ERROR(std::move(check).Take());
          BitWriter writer;
          writer.Put(static_cast<int64_t>(T::kOpcode), kOpcodeBits);
          writer.Put(x.wait, kMaskBits);
          writer.Put(x.signal, kMaskBits);
          writer.Put(x.mark, kMarkBits);
          VisitFields(x, [&](const char*, const auto& field, int bits, bool, const char*) { writer.Put(field, bits); });
          InstructionWord word = writer.word();
          word[kLateBit / 64] |= uint64_t{x.late} << (kLateBit % 64);
          return word;
        }
      },
      instruction);
}

Result<Instruction> Decode(const InstructionWord& word, Engine engine) {
  const auto opcode = static_cast<uint8_t>(word[0] & 0xFF);
  switch (static_cast<Opcode>(opcode)) {
#define XRUN_INSTRUCTION(Name, opcode_, engine_, brief)                                                        \
  case Opcode::k##Name:                                                                                        \
    if (Name::kEngine != kAnyEngine && Name::kEngine != engine) {                                              \
      return Failure{std::string(#Name " stands in the ") + std::string(EngineName(engine)) +                  \
                         " stream, it belongs to the " + std::string(EngineName(Name::kEngine)) + " engine's", \
                     ""};                                                                                      \
    }                                                                                                          \
    return DecodeAs<Name>(word);
#define XRUN_U(name, bits, brief)
#define XRUN_S(name, bits, brief)
#define XRUN_END(Name)
#include "isa/isa.def"
  }
  return Failure{"unknown opcode " + Hex(opcode, 2), ""};
}

const Header& HeaderOf(const Instruction& instruction) {
  return std::visit(
      [](const auto& x) -> const Header& {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::monostate>) {
          assert(false && "an empty instruction has no header");
          static const Header none;
          return none;
        } else {
          return x;
        }
      },
      instruction);
}

Header& HeaderOf(Instruction& instruction) {
  return const_cast<Header&>(HeaderOf(static_cast<const Instruction&>(instruction)));
}

std::string_view Mnemonic(const Instruction& instruction) {
  return std::visit(
      [](const auto& x) -> std::string_view {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::monostate>) {
          return ".empty";
        } else {
          return x.Mnemonic();
        }
      },
      instruction);
}

uint32_t AcquireOf(const Instruction& instruction) {
  if (const auto* weights = std::get_if<LoadWeights>(&instruction)) return weights->acquire;
  if (const auto* matrix = std::get_if<LoadMatrix>(&instruction)) return matrix->acquire;
  return 0;
}

std::string_view EngineName(Engine engine) {
  switch (engine) {
    case kLoad:
      return "load";
    case kConv:
      return "conv";
    case kVector:
      return "vector";
    case kSave:
      return "save";
    case kEngines:
    case kAnyEngine:
      break;
  }
  return "any";
}

std::string_view TrapName(Trap trap) {
  switch (trap) {
    case Trap::kNone:
      return "none";
    case Trap::kIllegalInstruction:
      return "illegal instruction";
    case Trap::kOnChipLimit:
      return "on-chip address beyond its memory";
    case Trap::kDramLimit:
      return "DRAM address beyond its base register's limit";
    case Trap::kReadOnly:
      return "write to a read-only region";
    case Trap::kCycleLimit:
      return "cycle limit expired";
    case Trap::kAbort:
      return "aborted by the host";
    case Trap::kBusError:
      return "bus error";
    case Trap::kUninitialized:
      return "read of a word nobody wrote";
    case Trap::kRace:
      return "race between two engines";
    case Trap::kRingUnderflow:
      return "more weight ring rows released than held";
  }
  return "unknown trap";
}

bool Streams::operator==(const Streams& other) const {
  for (size_t e = 0; e < kEngines; ++e) {
    if (engines[e].prologue != other.engines[e].prologue || engines[e].body != other.engines[e].body) return false;
  }
  return true;
}

}  // namespace xrun
