#include <charconv>
#include <optional>
#include <type_traits>

#include "isa/assembly.h"
#include "isa/nearest.h"

namespace xrun {
namespace {

constexpr std::string_view kSpaces = " \t\r";

std::string Hex64(uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value, 16).ptr;
  return "0x" + std::string(digits, end);
}

std::string WordText(const InstructionWord& word) {
  std::string text = ".word";
  for (uint64_t part : word) text += " " + Hex64(part);
  return text;
}

std::string MaskText(uint32_t mask) {
  std::string text;
  for (uint32_t e = 0; e < kEngines; ++e) {
    if ((mask >> e & 1) == 0) continue;
    if (!text.empty()) text += ",";
    text += EngineName(static_cast<Engine>(e));
  }
  return text;
}

/// Splits off the next word of `line`; empty at the end.
std::string_view NextWord(std::string_view& line) {
  const size_t begin = line.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) {
    line = {};
    return {};
  }
  const size_t end = std::min(line.find_first_of(kSpaces, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::string_view WithoutComment(std::string_view line) { return line.substr(0, line.find('#')); }

std::optional<uint64_t> ParseUnsigned(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A field's number. Anything within ±2^62 is accepted here; whether it fits its bits is Encode's to say.
std::optional<int64_t> ParseNumber(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto magnitude = ParseUnsigned(text);
  if (!magnitude || *magnitude > (uint64_t{1} << 62)) return std::nullopt;
  return negative ? -static_cast<int64_t>(*magnitude) : static_cast<int64_t>(*magnitude);
}

Result<uint32_t> ParseMask(std::string_view text) {
  uint32_t mask = 0;
  std::vector<std::string> names;
  for (uint32_t e = 0; e < kEngines; ++e) names.emplace_back(EngineName(static_cast<Engine>(e)));
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    uint32_t engine = 0;
    while (engine < kEngines && names[engine] != name) ++engine;
    if (engine == kEngines) {
      return Failure{"unknown engine '" + std::string(name) + "'", "did you mean '" + Nearest(name, names) + "'?"};
    }
    if ((mask >> engine & 1) != 0) return Failure{"engine '" + names[engine] + "' is named twice", ""};
    mask |= 1U << engine;
    if (comma == std::string_view::npos) return mask;
    text.remove_prefix(comma + 1);
  }
}

Result<InstructionWord> ParseWord(std::string_view rest) {
  InstructionWord word{};
  for (uint64_t& part : word) {
    const std::string_view text = NextWord(rest);
    const auto value = ParseUnsigned(text);
    if (!value) {
      return Failure{".word: '" + std::string(text) + "' is not a 64-bit number", "eight of them make an instruction"};
    }
    part = *value;
  }
  if (const std::string_view extra = NextWord(rest); !extra.empty()) {
    return Failure{".word: '" + std::string(extra) + "' after the eighth number", ""};
  }
  return word;
}

/// Sets the field `name` of `x`; nothing of that name: "did you mean".
template <typename T>
Status SetField(T& x, std::string_view name, std::string_view text, std::vector<bool>& seen) {
  const std::string place = std::string(T::Mnemonic()) + ": ";
  size_t index = 0;
  const auto once = [&]() -> Status {
    if (seen[index]) return Failure{place + std::string(name) + " is given twice", ""};
    seen[index] = true;
    return {};
  };
  for (auto [mask_name, mask] : {std::pair{"wait", &x.wait}, std::pair{"signal", &x.signal}}) {
    if (name == mask_name) {
      XRUN_RETURN_IF_ERROR(once());
      auto value = ParseMask(text);
      if (!value.ok()) return std::move(value).failure().In(place + std::string(name));
      *mask = *value;
      return {};
    }
    ++index;
  }
  std::vector<std::string> known = {"wait", "signal"};
  bool found = false;
  Status status;
  const auto number = [&](const char* field_name, auto& field, int bits, bool is_signed, const char* = "") {
    known.emplace_back(field_name);
    if (name == field_name) {
      found = true;
      status = once();
      if (!status.ok()) return;
      const auto value = ParseNumber(text);
      const int64_t lo = FieldMin(bits, is_signed);
      const int64_t hi = FieldMax(bits, is_signed);
      if (!value) {
        status = Failure{place + std::string(name) + "=" + std::string(text) + " is not a number", ""};
      } else if (*value < lo || *value > hi) {
        status = Failure{place + std::string(name) + " is " + std::string(text) + ", outside " + std::to_string(lo) +
                             "…" + std::to_string(hi) + " (" + std::to_string(bits) + " bits)",
                         ""};
      } else {
        field = static_cast<std::remove_reference_t<decltype(field)>>(*value);
      }
    }
    ++index;
  };
  number("mark", x.mark, 1, false);
  number("late", x.late, 1, false);
  VisitFields(x, number);
  if (found) return status;
  return Failure{place + "unknown field '" + std::string(name) + "'", "did you mean '" + Nearest(name, known) + "'?"};
}

template <typename T>
Result<Instruction> ParseFields(std::string_view rest) {
  T x;
  size_t fields = 4;
  VisitFields(x, [&](const char*, auto&, int, bool, const char*) { ++fields; });
  std::vector<bool> seen(fields, false);
  for (std::string_view word = NextWord(rest); !word.empty(); word = NextWord(rest)) {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) {
      return Failure{std::string(T::Mnemonic()) + ": '" + std::string(word) + "' is not of the form field=number", ""};
    }
    XRUN_RETURN_IF_ERROR(SetField(x, word.substr(0, equals), word.substr(equals + 1), seen));
  }
  return Instruction(x);
}

Result<Instruction> ParseInstruction(std::string_view mnemonic, std::string_view rest) {
#define XRUN_INSTRUCTION(Name, opcode, engine, brief) \
  if (mnemonic == #Name) return ParseFields<Name>(rest);
#define XRUN_U(name, bits, brief)
#define XRUN_S(name, bits, brief)
#define XRUN_END(Name)
#include "isa/isa.def"
  const std::vector<std::string> known = {
#define XRUN_INSTRUCTION(Name, opcode, engine, brief) #Name,
#define XRUN_U(name, bits, brief)
#define XRUN_S(name, bits, brief)
#define XRUN_END(Name)
#include "isa/isa.def"
  };
  return Failure{"unknown instruction '" + std::string(mnemonic) + "'",
                 "did you mean '" + Nearest(mnemonic, known) + "'?"};
}

std::optional<Engine> EngineNamed(std::string_view name) {
  for (uint8_t e = 0; e < kEngines; ++e) {
    if (EngineName(static_cast<Engine>(e)) == name) return static_cast<Engine>(e);
  }
  return std::nullopt;
}

/// The stream a `.stream ENGINE prologue|body` line opens.
Result<std::pair<Engine, bool>> ParseStreamLine(std::string_view rest) {
  const std::string_view name = NextWord(rest);
  const std::string_view part = NextWord(rest);
  const auto engine = EngineNamed(name);
  if (!engine || (part != "prologue" && part != "body") || !NextWord(rest).empty()) {
    return Failure{
        ".stream: expected an engine and a part, found '" + std::string(name) + " " + std::string(part) + "'",
        "as in `.stream load prologue` or `.stream conv body`"};
  }
  return std::pair{*engine, part == "body"};
}

}  // namespace

std::string Disassemble(const Instruction& instruction) {
  return std::visit(
      [](const auto& x) -> std::string {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return ".empty";
        } else {
          std::string text = T::Mnemonic();
          if (x.wait != 0) text += " wait=" + MaskText(x.wait);
          if (x.signal != 0) text += " signal=" + MaskText(x.signal);
          if (x.mark != 0) text += " mark=1";
          if (x.late != 0) text += " late=1";
          VisitFields(x, [&](const char* name, const auto& field, int, bool, const char*) {
            if (field != 0) text += std::string(" ") + name + "=" + std::to_string(field);
          });
          return text;
        }
      },
      instruction);
}

std::string Disassemble(const InstructionWord& word, Engine engine) {
  const auto instruction = Decode(word, engine);
  return instruction.ok() ? Disassemble(*instruction) : WordText(word);
}

Result<InstructionWord> Assemble(std::string_view line, Engine engine) {
  std::string_view rest = WithoutComment(line);
  const std::string_view mnemonic = NextWord(rest);
  if (mnemonic.empty()) return Failure{"an empty line is no instruction", ""};
  if (mnemonic == ".word") return ParseWord(rest);
  XRUN_ASSIGN_OR_RETURN(const Instruction instruction, ParseInstruction(mnemonic, rest));
  XRUN_ASSIGN_OR_RETURN(InstructionWord word, Encode(instruction));
  // Says which engine's stream an instruction belongs to, if not this one.
  XRUN_RETURN_IF_ERROR([&]() -> Status {
    auto decoded = Decode(word, engine);
    if (!decoded.ok()) return std::move(decoded).failure();
    return {};
  }());
  return word;
}

Result<Streams> AssembleProgram(std::string_view text) {
  Streams streams;
  std::vector<InstructionWord>* open = nullptr;
  Engine engine = kLoad;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = WithoutComment(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    std::string_view rest = line;
    const std::string_view first = NextWord(rest);
    if (first.empty()) continue;
    const std::string place = "line " + std::to_string(number);
    if (first == ".stream") {
      auto stream = ParseStreamLine(rest);
      if (!stream.ok()) return std::move(stream).failure().In(place);
      engine = stream->first;
      auto& parts = streams.engines[engine];
      open = stream->second ? &parts.body : &parts.prologue;
      continue;
    }
    if (open == nullptr) return Failure{place + ": an instruction before the first .stream line", ""};
    auto word = Assemble(line, engine);
    if (!word.ok()) return std::move(word).failure().In(place);
    open->push_back(*word);
  }
  return streams;
}

std::string DisassembleProgram(const Streams& streams) {
  std::string text;
  for (uint8_t e = 0; e < kEngines; ++e) {
    const auto engine = static_cast<Engine>(e);
    const auto& parts = streams.engines[e];
    for (const auto& [name, words] : {std::pair{"prologue", &parts.prologue}, std::pair{"body", &parts.body}}) {
      if (words->empty()) continue;
      text += ".stream " + std::string(EngineName(engine)) + " " + name + "\n";
      for (const InstructionWord& word : *words) text += Disassemble(word, engine) + "\n";
    }
  }
  return text;
}

}  // namespace xrun
