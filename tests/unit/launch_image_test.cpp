// Program images and status pages: what is written is read again, and what is damaged is refused by name.

#include "isa/launch_image.h"

#include <gtest/gtest.h>

#include "isa/time_marks.h"
#include "simulator/status_page.h"
#include "tests/unit/runtime_test_program.h"

namespace xrun::launch {
namespace {

Program Marked() {
  Program program = test::ReluProgram();
  auto words = std::make_shared<std::vector<InstructionWord>>(program.overlay_steps[0].body[kVector].begin(),
                                                              program.overlay_steps[0].body[kVector].end());
  Instruction instruction = *Decode(words->at(0), kVector);
  HeaderOf(instruction).mark = 1;
  words->at(0) = *Encode(instruction);
  program.overlay_steps[0].body[kVector] = *words;
  program.storage.push_back(words);
  return program;
}

TEST(LaunchImage, IsReadAsItWasWritten) {
  const Program program = Marked();
  const OverlayStep& step = program.overlay_steps[0];
  std::vector<uint8_t> bytes = BuildImage(program, step);
  EXPECT_EQ(bytes.size() % kInstructionBytes, 0U);
  bytes.resize(bytes.size() + 1000, 0xEE);  // memory goes on
  const auto image = ReadImage(bytes);
  ASSERT_TRUE(image.ok()) << image.failure().message;
  EXPECT_EQ(image->bytes, bytes.size() - 1000);
  EXPECT_EQ(image->fingerprint, Fingerprint(program.config));
  EXPECT_EQ(image->isa_minor, program.isa_minor);
  EXPECT_EQ(image->weight_bytes, program.weights.size());
  EXPECT_EQ(image->status_bytes, kStatusPageBytes + 8U);
  EXPECT_EQ(image->marks[kVector], kStatusPageBytes);
  EXPECT_EQ(image->marks[kSave], kStatusPageBytes + 8U);
  for (size_t e = 0; e < kEngines; ++e) {
    EXPECT_TRUE(std::equal(step.prologue[e].begin(), step.prologue[e].end(), image->prologue[e].begin(),
                           image->prologue[e].end()));
    EXPECT_TRUE(std::equal(step.body[e].begin(), step.body[e].end(), image->body[e].begin(), image->body[e].end()));
  }
}

TEST(LaunchImage, DamageIsRefused) {
  const Program program = test::ReluProgram();
  const std::vector<uint8_t> good = BuildImage(program, program.overlay_steps[0]);
  EXPECT_FALSE(ReadImage({good.data(), kImageHeaderBytes - 1}).ok());
  EXPECT_FALSE(ReadImage({good.data(), good.size() - 1}).ok()) << "a stream that is cut off";
  for (const auto& [at, value] : std::vector<std::pair<uint32_t, uint8_t>>{{0, 'Y'},
                                                                           {kImageIsaMajor, 9},
                                                                           {kImageStreams + kStreamOffset, 1},
                                                                           {kImageStreams + kStreamOffset + 7, 0x80},
                                                                           {kImageStreams + kStreamPrologue + 3, 0xFF},
                                                                           {kImageStreams + kStreamBody + 3, 0xFF}}) {
    std::vector<uint8_t> bad = good;
    bad[at] = value;
    EXPECT_FALSE(ReadImage(bad).ok()) << at;
  }
}

TEST(StatusPage, IsReadAsItWasWritten) {
  for (const HardwareConfig& config : BuiltInConfigs()) {
    std::vector<uint8_t> page(kStatusPageBytes);
    simulator::WriteStatusHead(page, config);
    simulator::WriteStatusState(page, State::kTrapped, Trap::kDramLimit, 3, 123456789012ULL);
    simulator::WriteStatusEngine(page, kVector, {Trap::kDramLimit, 3, 7, kWaitingRing});
    const auto status = ReadStatusPage(page);
    ASSERT_TRUE(status.ok()) << status.failure().message;
    EXPECT_EQ(status->config, config);
    EXPECT_EQ(status->state, State::kTrapped);
    EXPECT_EQ(status->trap, Trap::kDramLimit);
    EXPECT_EQ(status->completed, 3U);
    EXPECT_EQ(status->cycles, 123456789012ULL);
    EXPECT_EQ(TrappedEngine(*status), kVector);
    EXPECT_EQ(status->engines[kVector].completed, 7U);
    EXPECT_EQ(status->engines[kVector].waiting, kWaitingRing);
  }
}

TEST(StatusPage, DamageIsRefusedByName) {
  std::vector<uint8_t> good(kStatusPageBytes);
  simulator::WriteStatusHead(good, BuiltInConfigs().front());
  const auto error = [&](uint32_t at, uint32_t value) {
    std::vector<uint8_t> bad = good;
    Put<uint32_t>(bad, at, value);
    const auto status = ReadStatusPage(bad);
    return status.ok() ? std::string("read") : status.failure().message;
  };
  EXPECT_NE(error(0, 0).find("XRST"), std::string::npos);
  EXPECT_NE(error(kStatusVersionAt, 2).find("layout 2"), std::string::npos);
  EXPECT_NE(error(kStatusIsaMajor, 2).find("ISA 2.0"), std::string::npos);
  EXPECT_NE(error(kStatusFieldCount, 3).find("3 configuration fields"), std::string::npos);
  EXPECT_NE(error(kStatusFieldCount, 1000).find("1000 configuration fields"), std::string::npos);
  EXPECT_NE(error(kStatusConfig, 0).find("pixels"), std::string::npos);
  EXPECT_NE(error(kStatusConfig, 5).find("fingerprint"), std::string::npos);
  EXPECT_NE(error(kStatusFingerprint, 5).find("fingerprint"), std::string::npos);
}

TEST(StatusPage, ProgressNamesInstructionAndNode) {
  const Program program = test::ReluProgram();
  StatusPage page;
  page.engines[kLoad] = {Trap::kNone, 1, 0, 1U << kVector};
  page.engines[kConv] = {Trap::kNone, 2, 0, 0};
  page.engines[kVector] = {Trap::kNone, 0, 1, (1U << kSave) | kWaitingRing};
  page.engines[kSave] = {Trap::kNone, 0, 0, 0};
  const std::string text = ProgressText(program, program.overlay_steps[0], page, 2);
  for (const char* part : {"load: request 1, body instruction 0 (`Load ",
                           "), waits for vector; conv: done; vector: request 0, body "
                           "instruction 0 (`Elementwise ",
                           ", node 'relu_0'), waits for save and free rows of the weight ring",
                           "save: request 0, prologue instruction 0 (`Sync signal=vector`)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

/// Who has which buffers in a launch of two requests (isa/README.md, section 4).
TEST(LaunchImage, EntriesOfAStaggeredStep) {
  OverlayStep step;
  step.stagger = OverlayStep::Stagger{14, 7, 4096, 256};
  const auto source = [&](uint32_t entry, uint32_t base) -> std::string {
    const EntrySource from = SourceOf(step, 2, entry, base);
    return from.request ? std::to_string(*from.request) + ":" + std::to_string(from.base) : "-";
  };
  const struct {
    uint32_t base;
    const char* entries[3];
  } expected[] = {
      {kBaseWorkspace, {"0:1", "1:1", "0:1"}},  // the last entry's: not that of the entry before, which may still run
      {kBaseInput0, {"0:2", "1:2", "-"}},
      {14, {"0:14", "1:14", "-"}},  // handed over
      {7, {"-", "0:14", "1:14"}},   // taken
      {kBaseOutput0, {"-", "0:8", "1:8"}},
  };
  for (const auto& e : expected) {
    for (uint32_t entry = 0; entry < 3; ++entry) EXPECT_EQ(source(entry, e.base), e.entries[entry]) << e.base;
  }
  step.stagger.reset();
  EXPECT_EQ(source(1, kBaseOutput0), "1:8");
}

}  // namespace
}  // namespace xrun::launch
