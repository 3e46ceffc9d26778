// The concurrent C-sim against the simulator: random programs over all engines, and how launches end. Networks and
// every instruction by itself: tests/device, on device csim.

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/overlay_hw/csim_unit.h"
#include "tests/overlay_hw/random_program.h"

namespace xrun::test {
namespace {

struct Library {
  const char* config;
  const char* file;
};
constexpr Library kLibraries[] = {XRUN_CSIM_LIBRARIES};

class CsimTest : public testing::TestWithParam<Library> {
 protected:
  void SetUp() override { config_ = *FindConfig(GetParam().config); }
  CsimUnit unit_{GetParam().file};
  HardwareConfig config_;
};

/// XRUN_CSIM_SEEDS: more of them; XRUN_CSIM_FIRST_SEED: from there.
uint64_t Number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST_P(CsimTest, RandomProgramsGiveTheSimulatorsBytes) {
  const uint64_t first = Number("XRUN_CSIM_FIRST_SEED", 1);
  const uint64_t count = Number("XRUN_CSIM_SEEDS", config_.channels > 8 ? 6 : 20);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    RandomProgram random(config_, seed);
    const auto program = random.Build();
    const Ended csim = unit_.Run(*program, random.buffers());
    const Ended sim = RunInSimulator(*program, random.buffers());
    ASSERT_EQ(csim.text, "") << "seed " << seed;
    ASSERT_EQ(sim.text, "") << "seed " << seed;
    for (size_t base : {size_t{kBaseWorkspace}, size_t{kBaseOutput0}}) {
      const auto& a = csim.buffers[0][base];
      const auto& b = sim.buffers[0][base];
      const auto at = std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin();
      ASSERT_TRUE(a == b) << "seed " << seed << ", register " << base << ", byte " << at;
    }
    ASSERT_EQ(csim.page, sim.page) << "seed " << seed;
    // Bursts alternate between the DRAM ports: either has a good part of the beats.
    const uint64_t beats = csim.dram_beats[0] + csim.dram_beats[1];
    for (uint32_t port = 0; port < config_.dram_ports; ++port) {
      EXPECT_GT(csim.dram_beats[port], beats / 5) << "seed " << seed << ", port " << port << " of " << beats;
    }
  }
}

TEST(DramRouter, SendsBurstsToTheirPortsAndStraysAreFound) {
  std::vector<uint8_t> bytes(4096);
  hw::csim::Dram memory;
  memory.AddRegion(0x10000, bytes.data(), bytes.size());
  std::array<hw::csim::DramMaster, 2> masters;
  for (uint32_t i = 0; i < 2; ++i) masters[i].Join(memory, i, 2, 256);
  hw::csim::DramWriter writer, wrong;
  writer.Join(masters, 256, 16, 2);
  wrong.Join(masters, 512, 16, 2);
  const uint64_t ones[2] = {~uint64_t{0}, ~uint64_t{0}};
  bool all[16], error = true;
  std::fill(std::begin(all), std::end(all), true);
  EXPECT_FALSE(writer.Put(0, ones, all)) << "nothing was announced";
  ASSERT_TRUE(writer.Tell(0x10000, 3 * 16, 4));
  for (int beat = 0; beat < 3 * 16; ++beat) {
    EXPECT_FALSE(writer.Response(0, error));
    ASSERT_TRUE(writer.Put(0, ones, all));
  }
  EXPECT_TRUE(writer.Response(0, error));
  EXPECT_FALSE(error);
  EXPECT_EQ(writer.under_way(), 0U);
  EXPECT_EQ(masters[0].beats, 32U);
  EXPECT_EQ(masters[1].beats, 16U);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 0xFF), 3 * 256);
  EXPECT_EQ(masters[0].strays + masters[1].strays, 0U);
  ASSERT_TRUE(wrong.Tell(0x10000 + 256, 1, 4));
  ASSERT_TRUE(wrong.Put(0, ones, all));
  EXPECT_EQ(masters[0].strays, 1U);
}

TEST(DramRouter, WritesEnabledBytesAndTellsOfAddressesWithoutMemory) {
  std::vector<uint8_t> bytes(256);
  hw::csim::Dram memory;
  memory.AddRegion(0x10000, bytes.data(), bytes.size());
  std::array<hw::csim::DramMaster, 1> masters;
  masters[0].Join(memory, 0, 1, 256);
  hw::csim::DramWriter writer;
  hw::csim::DramReader reader;
  writer.Join(masters, 256, 8, 2);
  reader.Join(masters, 256, 8, 1);
  const uint64_t ones = ~uint64_t{0};
  const bool some[8] = {false, false, true, true, false, false, false, true};
  ASSERT_TRUE(writer.Tell(0x10008, 1, 4) && writer.Put(0, &ones, some));
  uint64_t word = 0;
  bool error = false;
  EXPECT_FALSE(reader.Take(0, &word, error)) << "nothing was asked for";
  ASSERT_TRUE(reader.Ask(0, 0x10008, 1, 4));
  ASSERT_TRUE(reader.Take(0, &word, error));
  EXPECT_EQ(word, 0xFF000000FFFF0000U);
  EXPECT_FALSE(error);
  ASSERT_TRUE(reader.Ask(0, 0x900000, 1, 4));
  EXPECT_EQ(reader.under_way(), 1U);
  ASSERT_TRUE(reader.Take(0, &word, error));
  EXPECT_TRUE(error);
  ASSERT_TRUE(writer.Response(0, error));
  EXPECT_FALSE(error);
  ASSERT_TRUE(writer.Tell(0x900000, 1, 4) && writer.Put(0, &ones, some));
  ASSERT_TRUE(writer.Response(0, error));
  EXPECT_TRUE(error);
}

TEST(DramRouter, RunsAskedForAheadPayOneLatency) {
  std::vector<uint8_t> bytes(4096);
  hw::csim::Dram memory;
  memory.AddRegion(0x10000, bytes.data(), bytes.size());
  std::array<hw::csim::DramMaster, 1> masters;
  masters[0].Join(memory, 0, 1, 256);
  hw::csim::DramReader reader;
  reader.Join(masters, 256, 16, 2);  // room for two bursts of 16 beats
  reader.set_pace({80, 1});
  uint64_t words[2], now = 0;
  bool error = false;
  uint32_t asked = 0, taken = 0;
  while (taken < 64) {
    if (asked < 16 && reader.Ask(now, 0x10000 + 64 * asked, 4, 4)) ++asked;
    if (reader.Take(now, words, error)) ++taken;
    ++now;
    ASSERT_LT(now, 1000U);
  }
  // 32 beats of room, 80 cycles each time it was used up: two latencies and a little, not sixteen.
  EXPECT_GT(now, 80U + 64U);
  EXPECT_LT(now, 2 * (80U + 32U) + 20U);
}

TEST_P(CsimTest, IdentifiesItselfAsTheSimulator) {
  std::vector<uint8_t> page(launch::kStatusPageBytes);
  ASSERT_TRUE(simulator::Machine(config_).Identify(page).ok());
  EXPECT_EQ(unit_.Identify(), page);
  EXPECT_EQ(unit_.api().fingerprint, Fingerprint(config_));
}

/// Copies 32 words from register 2 to register 8 by way of activation memory.
constexpr const char* kCopy = R"(
.stream load body
Load wait=save signal=save base=2 planes=1 rows=1 cols=32
.stream save prologue
Sync signal=load
.stream save body
Save wait=load signal=load base=8 planes=1 rows=1 cols=32
)";

Buffers CopyBuffers(const HardwareConfig& config, size_t requests) {
  Buffers buffers(requests);
  for (size_t r = 0; r < requests; ++r) {
    buffers[r][kBaseInput0].resize(32 * config.channels);
    buffers[r][kBaseOutput0].resize(32 * config.channels);
    for (size_t i = 0; i < buffers[r][kBaseInput0].size(); ++i) {
      buffers[r][kBaseInput0][i] = static_cast<uint8_t>(i + r);
    }
  }
  return buffers;
}

/// Two halves that copy 32 words each: the front one from register 2 to 14, the back one from 7 to 8.
constexpr const char* kHalves = R"(
.stream load body
Load mark=1 wait=save signal=save base=2 planes=1 rows=1 cols=32
Load late=1 mark=1 wait=save signal=save base=7 planes=1 rows=1 cols=32 addr=64
.stream save prologue
Sync signal=load
.stream save body
Save mark=1 wait=load signal=load base=14 planes=1 rows=1 cols=32
Save late=1 mark=1 wait=load signal=load base=8 planes=1 rows=1 cols=32 addr=64
)";

/// A half without a request moves nothing, though its registers are not set, and leaves its time marks.
TEST_P(CsimTest, HalvesWithoutARequestAreIdle) {
  const auto program = ProgramOf(config_, kHalves);
  OverlayStep& step = program->overlay_steps[0];
  step.stagger = OverlayStep::Stagger{14, 7, 0, 32 * config_.channels};
  for (const size_t entries : {1U, 2U, 4U}) {
    SCOPED_TRACE(entries);
    Buffers buffers(entries);
    for (size_t e = 0; e < entries; ++e) {
      std::vector<uint8_t> data(32 * config_.channels), none(data.size(), 0x55);
      for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(3 * i + e);
      if (e + 1 < entries) buffers[e][kBaseInput0] = data, buffers[e][14] = none;
      if (e > 0) buffers[e][7] = data, buffers[e][kBaseOutput0] = none;
    }
    HowToRun how;
    how.time_marks = true;
    const Ended ended = unit_.Run(*program, buffers, how);
    EXPECT_EQ(ended.text, "");
    EXPECT_EQ(ended.page, RunInSimulator(*program, buffers).page);
    for (const auto& entry : ended.buffers) {
      EXPECT_EQ(entry[14], entry[kBaseInput0]);
      EXPECT_EQ(entry[kBaseOutput0], entry[7]);
    }
    ASSERT_EQ(ended.marks.size(), 4U);
    for (const uint64_t mark : ended.marks) EXPECT_EQ(mark, entries == 1 ? ~uint64_t{0} : 0);
  }
}

class Endings : public CsimTest {
 protected:
  /// The unit does as it should, whatever came before.
  void ExpectWorks() {
    const auto program = ProgramOf(config_, kCopy);
    const Ended ended = unit_.Run(*program, CopyBuffers(config_, 5));
    EXPECT_EQ(ended.text, "");
    EXPECT_EQ(ended.page, RunInSimulator(*program, CopyBuffers(config_, 5)).page);
    for (const auto& request : ended.buffers) EXPECT_EQ(request[kBaseOutput0], request[kBaseInput0]);
  }
  static std::string Replaced(const std::string& from, const std::string& to) {
    std::string text = kCopy;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }
};

/// State, cause, completed requests, and the entry of the engine that trapped. What the others had reached by then is a
/// matter of time, and so may differ.
void ExpectSameTrap(const Ended& csim, const Ended& sim, Trap trap, Engine engine) {
  auto a = launch::ReadStatusPage(csim.page), b = launch::ReadStatusPage(sim.page);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->state, launch::State::kTrapped);
  EXPECT_EQ(b->state, launch::State::kTrapped);
  EXPECT_EQ(a->trap, trap) << TrapName(a->trap);
  EXPECT_EQ(b->trap, trap) << TrapName(b->trap);
  EXPECT_EQ(launch::TrappedEngine(*a), engine);
  EXPECT_EQ(launch::TrappedEngine(*b), engine);
  EXPECT_EQ(a->completed, b->completed);
  if (engine == kAnyEngine) return;
  EXPECT_EQ(a->engines[engine].request, b->engines[engine].request);
  EXPECT_EQ(a->engines[engine].completed, b->engines[engine].completed);
}

TEST_P(Endings, TrapsNameEngineInstructionAndCause) {
  struct {
    const char *from, *to;
    Trap trap;
    Engine engine;
  } const cases[] = {
      {"base=2 planes=1", "base=2 planes=0", Trap::kIllegalInstruction, kLoad},
      {"base=8 planes=1 rows=1 cols=32", "base=8 planes=1 rows=0 cols=32", Trap::kIllegalInstruction, kSave},
      {"base=2 planes=1 rows=1 cols=32", "base=2 planes=1 rows=1 cols=200000", Trap::kOnChipLimit, kLoad},
      {"base=2 planes=1 rows=1 cols=32", "base=2 planes=1 rows=1 cols=33", Trap::kDramLimit, kLoad},
      {"base=2 planes=1 rows=1 cols=32", "base=3 planes=1 rows=1 cols=32", Trap::kDramLimit, kLoad},
      {"base=8 planes=1 rows=1 cols=32", "base=2 planes=1 rows=1 cols=32", Trap::kReadOnly, kSave},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.to));
    const auto program = ProgramOf(config_, Replaced(c.from, c.to));
    for (size_t requests : {1U, 3U}) {
      ExpectSameTrap(unit_.Run(*program, CopyBuffers(config_, requests)),
                     RunInSimulator(*program, CopyBuffers(config_, requests)), c.trap, c.engine);
    }
    ExpectWorks();
  }
}

TEST_P(Endings, RingUnderflow) {
  const auto program = ProgramOf(
      config_,
      ".stream conv body\nConv in_w=1 in_h=1 src_row_pitch=1 dst=8 dst_row_pitch=1 dst_step=1 out_w=1 out_h=1 "
      "ic_groups=1 "
      "oc_groups=1 kernel_h=1 kernel_w=1 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 release=1 clamp_lo=-128 "
      "clamp_hi=127\n");
  ExpectSameTrap(unit_.Run(*program, Buffers(1)), RunInSimulator(*program, Buffers(1)), Trap::kRingUnderflow, kConv);
  ExpectWorks();
}

TEST_P(Endings, DeadlockIsFoundAndToldAsTheSimulatorDoes) {
  struct {
    const char *from, *to, *waits;
  } const cases[] = {
      {"Sync signal=load", "Sync signal=conv", "load (request 0, instruction 0) waits for a token from save"},
      {"Load wait=save signal=save", "Load wait=save", "save (request 0, instruction 1) waits for a token from load"},
      {"Load wait=save signal=save", "LoadWeights acquire=1\nLoad wait=save signal=save", "weight ring"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.to));
    const auto program = ProgramOf(config_, Replaced(c.from, c.to));
    const size_t requests = std::string(c.waits) == "weight ring" ? config_.weight_rows + 1 : 2;
    const Ended csim = unit_.Run(*program, CopyBuffers(config_, requests));
    const Ended sim = RunInSimulator(*program, CopyBuffers(config_, requests));
    EXPECT_NE(csim.text.find("deadlock"), std::string::npos) << csim.text;
    EXPECT_NE(csim.text.find(c.waits), std::string::npos) << csim.text;
    EXPECT_NE(sim.text.find(c.waits), std::string::npos) << sim.text;
    EXPECT_EQ(csim.page, sim.page);  // all of it: nobody can have been anywhere else
    ExpectWorks();
  }
}

TEST_P(Endings, FullCounterStalls) {
  std::string text = ".stream load body\n";
  for (int i = 0; i <= kTokenLimit; ++i) text += "Sync signal=conv\n";
  const auto program = ProgramOf(config_, text);
  const Ended csim = unit_.Run(*program, Buffers(1)), sim = RunInSimulator(*program, Buffers(1));
  EXPECT_NE(csim.text.find("load (request 0, instruction 15) waits for a full counter of conv"), std::string::npos)
      << csim.text;
  EXPECT_NE(sim.text.find("full counter of conv"), std::string::npos) << sim.text;
  EXPECT_EQ(csim.page, sim.page);
  ExpectWorks();
}

TEST_P(Endings, InjectedStall) {
  const auto program = ProgramOf(config_, kCopy);
  for (size_t after : {0U, 1U, 2U}) {
    HowToRun how;
    how.stall = "token_load_save";
    how.stall_after = after;
    const Ended ended = unit_.Run(*program, CopyBuffers(config_, 4), how);
    EXPECT_NE(ended.text.find("save (request " + std::to_string(after)), std::string::npos) << ended.text;
    // The token stands in the FIFO, but its reader does not get it.
    auto page = launch::ReadStatusPage(ended.page);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->trap, Trap::kCycleLimit);
    EXPECT_EQ(page->completed, after);
    EXPECT_EQ(page->engines[kSave].waiting, 1U << kLoad);
    ExpectWorks();
  }
  HowToRun wrong;
  wrong.stall = "token_load_load";
  EXPECT_NE(unit_.Run(*program, CopyBuffers(config_, 1), wrong).text.find("token_load_load"), std::string::npos);
}

TEST_P(Endings, CycleLimit) {
  const auto program = ProgramOf(config_, kCopy);
  const Ended whole = RunInSimulator(*program, CopyBuffers(config_, 9), {1'000'000, nullptr, nullptr, 0});
  const uint64_t cycles = launch::ReadStatusPage(whole.page)->cycles;
  for (uint64_t limit : {uint64_t{1}, cycles / 3, cycles / 2, cycles - 1, cycles, cycles + 1}) {
    SCOPED_TRACE(limit);
    HowToRun how;
    how.cycle_limit = limit;
    const Ended csim = unit_.Run(*program, CopyBuffers(config_, 9), how);
    const Ended sim = RunInSimulator(*program, CopyBuffers(config_, 9), how);
    auto a = *launch::ReadStatusPage(csim.page), b = *launch::ReadStatusPage(sim.page);
    EXPECT_EQ(a.state, b.state);
    EXPECT_EQ(a.trap, b.trap);
    EXPECT_EQ(a.completed, b.completed);
    EXPECT_EQ(a.cycles, b.cycles);
    for (size_t e = 0; e < kEngines; ++e) {
      // Cut off between instructions: one that was not begun any more is nothing the engine can be waiting for here.
      EXPECT_EQ(a.engines[e].request, b.engines[e].request) << e;
      EXPECT_EQ(a.engines[e].completed, b.engines[e].completed) << e;
    }
    for (size_t r = 0; r < 9; ++r) EXPECT_EQ(csim.buffers[r], sim.buffers[r]) << r;
  }
  ExpectWorks();
}

TEST_P(Endings, Abort) {
  // Long enough that the abort comes in between: the same copy for many requests.
  const auto program = ProgramOf(config_, kCopy);
  std::atomic<bool> abort{false};
  HowToRun how;
  how.abort = &abort;
  std::thread host([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    abort = true;
  });
  const Ended ended = unit_.Run(*program, CopyBuffers(config_, 20000), how);
  host.join();
  auto page = launch::ReadStatusPage(ended.page);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->trap, Trap::kAbort);
  EXPECT_EQ(page->state, launch::State::kTrapped);
  EXPECT_LT(page->completed, 20000U);
  ExpectWorks();
}

TEST_P(Endings, ImageOfAnotherConfiguration) {
  HardwareConfig other = config_;
  other.partial_entries = config_.partial_entries + 1;
  const Ended ended = unit_.Run(*ProgramOf(other, kCopy), CopyBuffers(config_, 2));
  auto page = launch::ReadStatusPage(ended.page);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->state, launch::State::kTrapped);
  EXPECT_EQ(page->trap, Trap::kIllegalInstruction);
  for (const auto& request : ended.buffers) {
    for (uint8_t b : request[kBaseOutput0]) ASSERT_EQ(b, 0);
  }
  ExpectWorks();
}

std::string NameOf(const testing::TestParamInfo<Library>& info) { return info.param.config; }
INSTANTIATE_TEST_SUITE_P(Configurations, CsimTest, testing::ValuesIn(kLibraries), NameOf);
INSTANTIATE_TEST_SUITE_P(Smallest, Endings, testing::Values(kLibraries[0]), NameOf);

}  // namespace
}  // namespace xrun::test
