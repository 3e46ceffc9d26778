#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <type_traits>

#include "isa/assembly.h"

namespace xrun {
namespace {

constexpr uint64_t kSeed = 20240611;

/// One default instruction of each kind.
std::vector<Instruction> AllKinds() {
  return {
#define XRUN_INSTRUCTION(Name, opcode, engine, brief) Name{},
#define XRUN_U(name, bits, brief)
#define XRUN_S(name, bits, brief)
#define XRUN_END(Name)
#include "isa/isa.def"
  };
}

Engine StreamOf(const Instruction& instruction) {
  return std::visit(
      [](const auto& x) {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::monostate>) {
          return kLoad;
        } else {
          return x.kEngine == kAnyEngine ? kSave : x.kEngine;
        }
      },
      instruction);
}

/// Calls `set(value reference, bits, signed, index)` for each field.
template <typename F>
void ForFields(Instruction& instruction, F&& f) {
  std::visit(
      [&](auto& x) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(x)>, std::monostate>) {
          int index = 0;
          VisitFields(x, [&](const char*, auto& field, int bits, bool is_signed, const char*) {
            f(field, bits, is_signed, index++);
          });
        }
      },
      instruction);
}

bool Same(const Instruction& a, const Instruction& b) { return Disassemble(a) == Disassemble(b); }

void ExpectRoundTrip(const Instruction& instruction) {
  const Engine engine = StreamOf(instruction);
  const auto word = Encode(instruction);
  ASSERT_TRUE(word.ok()) << word.failure().ToString();
  const auto decoded = Decode(*word, engine);
  ASSERT_TRUE(decoded.ok()) << decoded.failure().ToString();
  EXPECT_EQ(decoded->index(), instruction.index());
  EXPECT_TRUE(Same(*decoded, instruction)) << Disassemble(instruction) << "\n" << Disassemble(*decoded);
  EXPECT_EQ(*Encode(*decoded), *word);
  const auto assembled = Assemble(Disassemble(*word, engine), engine);
  ASSERT_TRUE(assembled.ok()) << assembled.failure().ToString();
  EXPECT_EQ(*assembled, *word);
}

TEST(IsaAssembly, EveryFieldAtItsExtremesRoundTrips) {
  for (const Instruction& kind : AllKinds()) {
    int fields = 0;
    Instruction counted = kind;
    ForFields(counted, [&](auto&, int, bool, int) { ++fields; });
    for (int chosen = -1; chosen < fields; ++chosen) {
      for (const bool high : {false, true}) {
        Instruction x = kind;
        ForFields(x, [&](auto& field, int bits, bool is_signed, int index) {
          // One field at an extreme among zeros, and (−1) all fields at once: neighbours must not leak into each other.
          if (chosen != -1 && index != chosen) return;
          field =
              static_cast<std::decay_t<decltype(field)>>(high ? FieldMax(bits, is_signed) : FieldMin(bits, is_signed));
        });
        HeaderOf(x).wait = high ? 15 : 0;
        ExpectRoundTrip(x);
      }
    }
  }
}

TEST(IsaAssembly, RandomFieldsRoundTrip) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 200; ++round) {
    for (Instruction x : AllKinds()) {
      ForFields(x, [&](auto& field, int bits, bool is_signed, int) {
        const auto span = static_cast<uint64_t>(FieldMax(bits, is_signed) - FieldMin(bits, is_signed)) + 1;
        field = static_cast<std::decay_t<decltype(field)>>(FieldMin(bits, is_signed) +
                                                           static_cast<int64_t>(random() % span));
      });
      HeaderOf(x).wait = random() % 16;
      HeaderOf(x).signal = random() % 16;
      ExpectRoundTrip(x);
    }
  }
}

TEST(IsaAssembly, RandomWordsHaveATextThatAssemblesBack) {
  std::mt19937_64 random(kSeed + 1);
  const uint8_t opcodes[] = {0x01, 0x10, 0x11, 0x12, 0x20, 0x30, 0x31, 0x32, 0x40};
  for (int round = 0; round < 4000; ++round) {
    InstructionWord word{};
    const size_t filled = random() % 9;
    for (size_t i = 0; i < filled; ++i) word[i] = random();
    if (round % 2 == 0) word[0] = (word[0] & ~uint64_t{0xFF}) | opcodes[random() % std::size(opcodes)];
    for (uint8_t e = 0; e < kEngines; ++e) {
      const auto engine = static_cast<Engine>(e);
      const std::string text = Disassemble(word, engine);
      const auto back = Assemble(text, engine);
      ASSERT_TRUE(back.ok()) << text << "\n" << back.failure().ToString();
      EXPECT_EQ(*back, word) << text;
    }
  }
}

TEST(IsaAssembly, EncodeRefusesWhatDoesNotFit) {
  for (const Instruction& kind : AllKinds()) {
    int fields = 0;
    Instruction counted = kind;
    ForFields(counted, [&](auto&, int, bool, int) { ++fields; });
    for (int chosen = 0; chosen < fields; ++chosen) {
      for (const bool high : {false, true}) {
        Instruction x = kind;
        bool representable = true;
        ForFields(x, [&](auto& field, int bits, bool is_signed, int index) {
          if (index != chosen) return;
          const int64_t value = high ? FieldMax(bits, is_signed) + 1 : FieldMin(bits, is_signed) - 1;
          field = static_cast<std::decay_t<decltype(field)>>(value);
          representable = static_cast<int64_t>(field) == value;  // a 32-bit field cannot hold more
          if (!is_signed && !high) representable = bits < 32;    // −1 wraps to a value far too large
        });
        if (representable) {
          EXPECT_FALSE(Encode(x).ok()) << Disassemble(x);
        }
      }
    }
    Instruction x = kind;
    HeaderOf(x).signal = 16;
    EXPECT_FALSE(Encode(x).ok());
  }
  Load load;
  load.base = 16;
  EXPECT_EQ(Encode(load).failure().message, "Load: base is 16, outside 0…15 (4 bits)");
  EXPECT_FALSE(Encode(std::monostate{}).ok());
}

TEST(IsaAssembly, DecodeRefuses) {
  InstructionWord word{};
  word[0] = 0x99;
  EXPECT_EQ(Decode(word, kLoad).failure().message, "unknown opcode 0x99");
  word[0] = 0x10;
  EXPECT_TRUE(Decode(word, kLoad).ok());
  EXPECT_EQ(Decode(word, kConv).failure().message, "Load stands in the conv stream, it belongs to the load engine's");
  // Load's fields end at bit 219: from there to the last, which is the header's `late`, every bit counts.
  for (int bit = 219; bit < kLateBit; ++bit) {
    InstructionWord unused = word;
    unused[static_cast<size_t>(bit / 64)] |= uint64_t{1} << (bit % 64);
    const auto result = Decode(unused, kLoad);
    ASSERT_FALSE(result.ok()) << bit;
    EXPECT_EQ(result.failure().message, "Load: unused bit " + std::to_string(bit) + " of the word is set");
  }
  word[3] |= uint64_t{1} << (218 % 64);
  EXPECT_TRUE(Decode(word, kLoad).ok());
}

// Written by hand from the table: the one check that does not go through the code that lays fields out.
TEST(IsaAssembly, BitsStandWhereTheTableSays) {
  Load load;
  load.wait = 0b0010;
  load.signal = 0b1000;
  load.mark = 1;
  load.base = 5;
  load.offset = 0x89ABCDEF;
  load.plane_stride = 0x12345678;
  const InstructionWord word = *Encode(load);
  EXPECT_EQ(word[0], 0xCF113579BDEB8210ULL);
  EXPECT_EQ(word[0] & 0xFF, 0x10U);
  EXPECT_EQ(word[0] >> 8 & 0xF, 2U);
  EXPECT_EQ(word[0] >> 12 & 0xF, 8U);
  EXPECT_EQ(word[0] >> 16 & 1, 1U);
  EXPECT_EQ(word[0] >> 17 & 0xF, 5U);
  EXPECT_EQ(word[0] >> 21 & 0xFFFFFFFF, 0x89ABCDEFU);
  EXPECT_EQ(word[0] >> 53, 0x678U);         // low 11 bits of plane_stride
  EXPECT_EQ(word[1] & 0x1FFFFF, 0x2468AU);  // its upper 21 bits
  Conv conv;
  conv.pad_top = -1;
  const InstructionWord padded = *Encode(conv);
  int bits = 0;
  for (uint64_t part : padded) bits += __builtin_popcountll(part);
  EXPECT_EQ(bits, 1 + 16);  // opcode 0x20 and sixteen ones
}

TEST(IsaAssembly, Text) {
  Conv conv;
  conv.wait = 0b0101;
  conv.signal = 0b1000;
  conv.src = 16;
  conv.pad_top = -3;
  EXPECT_EQ(Disassemble(conv), "Conv wait=load,vector signal=save src=16 pad_top=-3");
  EXPECT_EQ(Disassemble(Sync{}), "Sync");
  Sync marked;
  marked.mark = 1;
  EXPECT_EQ(Disassemble(marked), "Sync mark=1");
  EXPECT_EQ(*Assemble("Sync mark=1", kVector), *Encode(marked));
  EXPECT_EQ(*Assemble("  Conv   wait=load,vector signal=save src=0x10 pad_top=-3 # why", kConv), *Encode(conv));
  InstructionWord unknown{};
  unknown[0] = 0xFE;
  unknown[7] = 1;
  EXPECT_EQ(Disassemble(unknown, kSave), ".word 0xfe 0x0 0x0 0x0 0x0 0x0 0x0 0x1");
}

struct BadText {
  const char* text;
  Engine engine;
  const char* message;
  const char* hint;
};

TEST(IsaAssembly, BadText) {
  const BadText cases[] = {
      {"Cnov src=1", kConv, "unknown instruction 'Cnov'", "'Conv'"},
      {"Conv scr=1", kConv, "unknown field 'scr'", "'src'"},
      {"Conv src=1 src=2", kConv, "src is given twice", ""},
      {"Conv wait=load wait=save", kConv, "wait is given twice", ""},
      {"Conv wait=laod", kConv, "unknown engine 'laod'", "'load'"},
      {"Conv wait=load,load", kConv, "named twice", ""},
      {"Conv wait=", kConv, "unknown engine ''", ""},
      {"Conv src", kConv, "not of the form field=number", ""},
      {"Conv src=12x", kConv, "src=12x is not a number", ""},
      {"Conv src=", kConv, "is not a number", ""},
      {"Conv src=99999999999999999999999", kConv, "is not a number", ""},
      {"Conv src=262144", kConv, "outside 0…262143 (18 bits)", ""},
      {"Conv src=-1", kConv, "src is -1, outside", ""},
      {"Conv pad_top=-32769", kConv, "outside -32768…32767", ""},
      {"Conv src=1", kLoad, "belongs to the conv engine", ""},
      {".word 1 2 3", kLoad, "not a 64-bit number", ""},
      {".word 1 2 3 4 5 6 7 8 9", kLoad, "'9' after the eighth", ""},
      {"", kLoad, "empty line", ""},
      {"# nothing", kLoad, "empty line", ""},
  };
  for (const BadText& c : cases) {
    const auto result = Assemble(c.text, c.engine);
    ASSERT_FALSE(result.ok()) << c.text;
    EXPECT_NE(result.failure().message.find(c.message), std::string::npos) << c.text << "\n"
                                                                           << result.failure().ToString();
    EXPECT_NE(result.failure().hint.find(c.hint), std::string::npos) << c.text << "\n" << result.failure().ToString();
  }
}

TEST(IsaAssembly, ProgramText) {
  const std::string text =
      ".stream load prologue\nSync signal=conv\n.stream load body\nLoad wait=conv base=2 planes=1 rows=1 cols=4\n"
      ".stream conv body\nSync wait=load\n.word 0xff 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n";
  const auto streams = AssembleProgram("# a comment\r\n\n" + text);
  ASSERT_TRUE(streams.ok()) << streams.failure().ToString();
  EXPECT_EQ(streams->engines[kLoad].prologue.size(), 1U);
  EXPECT_EQ(streams->engines[kConv].body.size(), 2U);
  EXPECT_EQ(DisassembleProgram(*streams), text);
  EXPECT_TRUE(*AssembleProgram(DisassembleProgram(*streams)) == *streams);
  EXPECT_NE(AssembleProgram("Sync\n").failure().message.find("line 1: an instruction before"), std::string::npos);
  EXPECT_NE(AssembleProgram("\n.stream laod body\n").failure().message.find("line 2: .stream: expected"),
            std::string::npos);
  EXPECT_NE(AssembleProgram(".stream load\n").failure().message.find("line 1: .stream: expected"), std::string::npos);
  EXPECT_NE(AssembleProgram(".stream load body\nSync\nFoo\n").failure().message.find("line 3: unknown instruction"),
            std::string::npos);
}

TEST(IsaAssembly, TableIsSane) {
  std::set<uint8_t> opcodes;
  std::set<std::string> names;
  for (Instruction x : AllKinds()) {
    EXPECT_TRUE(opcodes.insert(static_cast<uint8_t>((*Encode(x))[0] & 0xFF)).second) << Mnemonic(x);
    EXPECT_TRUE(names.insert(std::string(Mnemonic(x))).second);
    std::visit(
        [](auto& i) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(i)>, std::monostate>) {
            std::set<std::string> fields = {"wait", "signal"};
            VisitFields(i, [&](const char* name, auto&, int bits, bool, const char* brief) {
              EXPECT_TRUE(fields.insert(name).second) << i.Mnemonic() << " " << name;
              EXPECT_GE(bits, 1);
              EXPECT_LE(bits, 32);
              EXPECT_STRNE(brief, "");
            });
          }
        },
        x);
  }
  EXPECT_EQ(opcodes.count(0), 0U);  // a zeroed word is no instruction
}

TEST(IsaAssembly, NamesOfTrapsAndEngines) {
  for (uint32_t t = 0; t <= static_cast<uint32_t>(Trap::kRingUnderflow); ++t) {
    EXPECT_NE(TrapName(static_cast<Trap>(t)), "unknown trap");
  }
  EXPECT_EQ(TrapName(static_cast<Trap>(999)), "unknown trap");
  EXPECT_EQ(EngineName(kVector), "vector");
}

TEST(IsaAssembly, ReferencePageIsFresh) {
  std::ifstream file(XRUN_REFERENCE_MD);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), ReferenceMarkdown()) << "stale: run `isa_reference isa/REFERENCE.md`";
}

}  // namespace
}  // namespace xrun
