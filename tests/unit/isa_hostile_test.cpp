#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>
#include <random>

#include "isa_test_program.h"

// Program files as an attacker or a bad disk would make them. Nothing here may crash (run under sanitizers too); each
// outcome is a refusal, or a program that verifies.

namespace xrun {
namespace {

using FileBytes = std::vector<uint8_t>;

constexpr uint64_t kSeed = 4711;
constexpr size_t kHeader = 64, kEntry = 40;

FileBytes SmallFile() {
  auto bytes = Serialize(test::MakeProgram(test::kPlainProgram));
  EXPECT_TRUE(bytes.ok());
  return *bytes;
}

Result<Program> Parse(FileBytes bytes) {
  return ParseProgram(std::make_shared<const FileBytes>(std::move(bytes)), "file");
}

template <typename T>
T Get(const FileBytes& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}
template <typename T>
void Set(FileBytes& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

/// Makes every checksum fit again, as an attacker would.
void Seal(FileBytes& bytes) {
  const auto sections = Get<uint32_t>(bytes, 40);
  for (uint32_t i = 0; i < sections; ++i) {
    const size_t at = kHeader + i * kEntry;
    const auto offset = Get<uint64_t>(bytes, at + 8);
    const auto length = Get<uint64_t>(bytes, at + 16);
    if (offset <= bytes.size() && length <= bytes.size() - offset) {
      Set(bytes, at + 24, uint64_t{XXH64(bytes.data() + offset, length, 0)});
    }
  }
  Set(bytes, 48, uint64_t{XXH64(bytes.data() + kHeader, sections * kEntry, 0)});
  Set(bytes, 56, uint64_t{XXH64(bytes.data(), 56, 0)});
}

size_t SectionOffset(const FileBytes& bytes, size_t i) { return Get<uint64_t>(bytes, kHeader + i * kEntry + 8); }
size_t SectionLength(const FileBytes& bytes, size_t i) { return Get<uint64_t>(bytes, kHeader + i * kEntry + 16); }

/// Refused, or sound.
void ExpectSafe(FileBytes bytes, int& accepted) {
  const auto program = Parse(std::move(bytes));
  if (!program.ok()) {
    EXPECT_FALSE(program.failure().message.empty());
    return;
  }
  ++accepted;
  EXPECT_TRUE(Verify(*program).ok());
}

TEST(IsaHostile, EveryTruncationIsRefused) {
  const FileBytes whole = SmallFile();
  ASSERT_TRUE(Parse(whole).ok());
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto program = Parse(FileBytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length)));
    ASSERT_FALSE(program.ok()) << length;
  }
  FileBytes longer = whole;
  longer.push_back(0);
  EXPECT_NE(Parse(longer).failure().message.find("the file has " + std::to_string(longer.size())), std::string::npos);
}

TEST(IsaHostile, EveryBitFlipIsRefused) {
  const FileBytes whole = SmallFile();
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    FileBytes flipped = whole;
    flipped[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
    ASSERT_FALSE(Parse(std::move(flipped)).ok()) << "byte " << bit / 8 << " bit " << bit % 8;
  }
}

TEST(IsaHostile, EverySealedBitFlipIsRefusedOrVerifies) {
  const FileBytes whole = SmallFile();
  int accepted = 0;
  for (size_t section : {0, 1}) {  // METADATA and INSTRUCTIONS
    const size_t begin = SectionOffset(whole, section) * 8;
    for (size_t bit = begin; bit < begin + SectionLength(whole, section) * 8; ++bit) {
      FileBytes flipped = whole;
      flipped[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
      Seal(flipped);
      ExpectSafe(std::move(flipped), accepted);
    }
  }
  for (size_t bit = 0; bit < (kHeader + 4 * kEntry) * 8; ++bit) {
    FileBytes flipped = whole;
    flipped[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
    if (Get<uint32_t>(flipped, 40) <= 4) Seal(flipped);
    ExpectSafe(std::move(flipped), accepted);
  }
  EXPECT_GT(accepted, 0);  // names, scales, clamps: a different program, but a sound one
}

TEST(IsaHostile, RandomSealedDamage) {
  const FileBytes whole = SmallFile();
  std::mt19937_64 random(kSeed);
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    FileBytes damaged = whole;
    const size_t section = random() % 2;
    const size_t begin = SectionOffset(whole, section);
    const size_t length = SectionLength(whole, section);
    for (uint64_t i = 1 + random() % 6; i > 0; --i) {
      const size_t at = begin + random() % length;
      switch (random() % 3) {
        case 0:
          damaged[at] = static_cast<uint8_t>(random());
          break;
        case 1:
          damaged[at] = random() % 2 == 0 ? 0xFF : 0;
          break;
        default:
          if (at + 4 <= begin + length) Set(damaged, at, static_cast<uint32_t>(random() % (2 * length)));
      }
    }
    Seal(damaged);
    ExpectSafe(std::move(damaged), accepted);
  }
}

struct Damage {
  const char* message;
  void (*change)(FileBytes&);
};

TEST(IsaHostile, SaysWhatAndWhere) {
  const Damage cases[] = {
      {"file: not a program file", [](FileBytes& b) { b[0] = 'Y'; }},
      {"program format 2.0, this version reads 1.x", [](FileBytes& b) { Set<uint16_t>(b, 4, 2); }},
      {"header: checksum is", [](FileBytes& b) { b[24] ^= 1; }},
      {"compiled for ISA 9.0, this version has 1.0", [](FileBytes& b) { Set<uint16_t>(b, 8, 9), Seal(b); }},
      {"compiled for ISA 1.7, this version has 1.0", [](FileBytes& b) { Set<uint16_t>(b, 10, 7), Seal(b); }},
      {"header: a reserved field is not zero", [](FileBytes& b) { Set<uint32_t>(b, 12, 7), Seal(b); }},
      {"header: 4000000000 sections, more than the file can hold",
       [](FileBytes& b) { Set<uint32_t>(b, 40, 4000000000U), Set(b, 56, uint64_t{XXH64(b.data(), 56, 0)}); }},
      {"section table: checksum is", [](FileBytes& b) { b[kHeader + 8] ^= 1; }},
      {"the header's fingerprint is", [](FileBytes& b) { b[24] ^= 1, Seal(b); }},
      {"section 2 (WEIGHTS) at 8192: checksum is", [](FileBytes& b) { b[8192] ^= 1; }},
      {"section 0 (METADATA)", [](FileBytes& b) { Set<uint64_t>(b, kHeader + 16, uint64_t{1} << 60), Seal(b); }},
      {"overlap the section before or pass the end",
       [](FileBytes& b) { Set<uint64_t>(b, kHeader + kEntry + 8, 0), Seal(b); }},
      {"alignment 4096 is not kept", [](FileBytes& b) { Set<uint64_t>(b, kHeader + kEntry + 8, 4096 + 64), Seal(b); }},
      {"alignment 64 is not kept or too small",
       [](FileBytes& b) { Set<uint32_t>(b, kHeader + kEntry + 32, 64), Seal(b); }},
      {"alignment 0 is not kept", [](FileBytes& b) { Set<uint32_t>(b, kHeader + kEntry + 32, 0), Seal(b); }},
      {"unknown flags", [](FileBytes& b) { Set<uint32_t>(b, kHeader + 4, 3), Seal(b); }},
      {"section 1 (of unknown type 77) at 4096: needed, but unknown to this version",
       [](FileBytes& b) { Set<uint32_t>(b, kHeader + kEntry, 77), Seal(b); }},
      {"section INSTRUCTIONS is missing",
       [](FileBytes& b) {
         Set<uint32_t>(b, kHeader + kEntry, 77), Set<uint32_t>(b, kHeader + kEntry + 4, 0), Seal(b);
       }},
      {"stands twice in the file", [](FileBytes& b) { Set<uint32_t>(b, kHeader + 2 * kEntry, 2), Seal(b); }},
      {"before it is not zero", [](FileBytes& b) { b[8191] = 1; }},
      {"section METADATA: not a valid FlatBuffer",
       [](FileBytes& b) { Set<uint32_t>(b, SectionOffset(b, 0), 0xFFFFFFF0U), Seal(b); }},
      {"METADATA: 0 bytes are no metadata",
       [](FileBytes& b) {
         Set<uint64_t>(b, kHeader + 16, 0), std::fill(b.begin() + 256, b.begin() + 4096, uint8_t{0}), Seal(b);
       }},
  };
  for (const Damage& c : cases) {
    FileBytes bytes = SmallFile();
    c.change(bytes);
    const auto program = Parse(bytes);
    ASSERT_FALSE(program.ok()) << c.message;
    EXPECT_NE(program.failure().message.find(c.message), std::string::npos)
        << "expected: " << c.message << "\nsays: " << program.failure().message;
  }
}

TEST(IsaHostile, UnknownOptionalSectionsAreSkipped) {
  FileBytes bytes = SmallFile();
  // The format's next minor: a fifth section, whose entry fits before METADATA's first aligned byte or moves it.
  const size_t metadata = SectionOffset(bytes, 0);
  const size_t table_end = kHeader + 5 * kEntry;
  ASSERT_GE(metadata, kHeader + 4 * kEntry);
  if (metadata < table_end) {
    const size_t moved = (table_end + 63) / 64 * 64;
    const size_t length = SectionLength(bytes, 0);
    ASSERT_LE(moved + length, 4096U);
    std::memmove(bytes.data() + moved, bytes.data() + metadata, length);
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(metadata), bytes.begin() + static_cast<ptrdiff_t>(moved),
              uint8_t{0});
    Set<uint64_t>(bytes, kHeader + 8, moved);
  }
  const size_t at = kHeader + 4 * kEntry;
  const size_t offset = bytes.size();
  bytes.insert(bytes.end(), {1, 2, 3});
  Set<uint32_t>(bytes, at, 99);
  Set<uint32_t>(bytes, at + 4, 0);
  Set<uint64_t>(bytes, at + 8, offset);
  Set<uint64_t>(bytes, at + 16, 3);
  Set<uint32_t>(bytes, at + 32, 1);
  Set<uint32_t>(bytes, 40, 5);
  Set<uint16_t>(bytes, 6, 1);  // minor
  Set<uint64_t>(bytes, 16, bytes.size());
  Seal(bytes);
  const auto program = Parse(bytes);
  EXPECT_TRUE(program.ok()) << program.failure().ToString();
}

/// Many offsets to one long string must not unpack into many long strings.
TEST(IsaHostile, SharedPartsDoNotMultiply) {
  Program program = test::MakeProgram(test::kPlainProgram);
  for (int i = 0; i < 400; ++i) program.nodes.push_back({std::string(i == 0 ? 20000 : 0, 'n'), "", "", "", 0});
  FileBytes bytes = *Serialize(program);
  // Point every entry of the vector of nodes at the table with the long name: find the vector by its length.
  const size_t begin = SectionOffset(bytes, 0);
  const size_t end = begin + SectionLength(bytes, 0);
  bool found = false;
  for (size_t at = begin; at + 4 * 402 <= end && !found; at += 4) {
    if (Get<uint32_t>(bytes, at) != 401) continue;
    found = true;
    const size_t target = at + 8 + Get<uint32_t>(bytes, at + 8);  // entry 1 is the long one
    for (size_t i = 0; i < 401; ++i) Set(bytes, at + 4 + 4 * i, static_cast<uint32_t>(target - (at + 4 + 4 * i)));
  }
  ASSERT_TRUE(found);
  Seal(bytes);
  const auto parsed = Parse(bytes);
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.failure().message.find("METADATA: parts of it overlap"), std::string::npos)
      << parsed.failure().message;
}

}  // namespace
}  // namespace xrun
