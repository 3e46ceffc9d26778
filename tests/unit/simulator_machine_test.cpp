// Launches: order, traps with their place, checks, status page, repeated and parallel use.

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "isa/arithmetic.h"
#include "simulator/simulator.h"
#include "tests/unit/count_allocations.h"
#include "tests/unit/isa_test_program.h"

namespace xrun::simulator {
namespace {

using test::kPlainProgram;
using test::MakeProgram;
using test::Replace;

/// Buffers of one request around the plain program's registers.
struct Buffers {
  std::vector<uint8_t> in = std::vector<uint8_t>(32), out = std::vector<uint8_t>(32),
                       workspace = std::vector<uint8_t>(256);
  LaunchRequest Request() {
    LaunchRequest request;
    request.registers[kBaseInput0] = in;
    request.registers[kBaseOutput0] = out;
    request.registers[kBaseWorkspace] = workspace;
    return request;
  }
};

/// The weight section of the plain program: a record a channel (bias 10·c, multiplier 1/2), then the weights
/// 2·identity.
void FillWeights(Program& program) {
  auto bytes = std::make_shared<std::vector<uint8_t>>(program.weights.size());
  for (uint32_t c = 0; c < 8; ++c) {
    const uint32_t multiplier = PackMultiplier({1U << 23, 24});
    (*bytes)[16 * c] = static_cast<uint8_t>(10 * c);
    for (size_t i = 0; i < 4; ++i) (*bytes)[16 * c + 4 + i] = static_cast<uint8_t>(multiplier >> (8 * i));
    (*bytes)[128 + 8 * c + c] = 2;
  }
  program.weights = *bytes;
  program.storage.push_back(bytes);
}

/// Runs one request of a changed plain program and gives back how it ended.
LaunchReport RunChanged(const std::string& text, const RunOptions& options = {}, uint64_t requests = 1) {
  Program program = MakeProgram(text);
  FillWeights(program);
  std::vector<Buffers> buffers(requests);
  std::vector<LaunchRequest> launch;
  for (Buffers& b : buffers) launch.push_back(b.Request());
  LaunchReport report;
  const Status status = RunOnce(program, program.overlay_steps[0], launch, options, &report);
  EXPECT_EQ(status.ok(), report.trap.trap == Trap::kNone);
  if (!status.ok()) {
    EXPECT_NE(status.failure().message.find(report.trap.cause), std::string::npos);
  }
  return report;
}

TEST(Machine, ComputesEveryRequestOnBothPaths) {
  for (const Path path : {Path::kFast, Path::kReference}) {
    for (const CheckLevel checks : {CheckLevel::kLimits, CheckLevel::kFull}) {
      Program program = MakeProgram(kPlainProgram);
      FillWeights(program);
      std::vector<Buffers> buffers(5);
      std::vector<LaunchRequest> launch;
      for (size_t r = 0; r < buffers.size(); ++r) {
        for (size_t i = 0; i < 32; ++i) buffers[r].in[i] = static_cast<uint8_t>(r * 7 + i - 40);
        launch.push_back(buffers[r].Request());
      }
      RunOptions options;
      options.path = path;
      options.checks = checks;
      LaunchReport report;
      const Status status = RunOnce(program, program.overlay_steps[0], launch, options, &report);
      ASSERT_TRUE(status.ok()) << status.failure().message;
      EXPECT_EQ(report.requests_completed, 5U);
      EXPECT_EQ(report.instructions, (std::array<uint64_t, 4>{10, 6, 0, 6}));
      EXPECT_EQ(report.macs, 5U * 4 * 64);
      for (size_t r = 0; r < buffers.size(); ++r) {
        for (size_t i = 0; i < 32; ++i) {
          // (2x + 10c) / 2, no rounding needed
          const int x = static_cast<int8_t>(buffers[r].in[i]);
          EXPECT_EQ(static_cast<int8_t>(buffers[r].out[i]), x + 5 * static_cast<int>(i % 8));
        }
      }
    }
  }
}

TEST(Machine, DoesNotAllocateOnceItRuns) {
  Program program = MakeProgram(kPlainProgram);
  FillWeights(program);
  const auto step = Prepare(program, program.overlay_steps[0]);
  Machine machine(program.config);
  Buffers buffers;
  const LaunchRequest launch[2] = {buffers.Request(), buffers.Request()};
  std::vector<uint8_t> page(4096);
  RunOptions options;
  options.checks = CheckLevel::kLimits;
  options.status_page = page;
  LaunchReport report;
  ASSERT_TRUE(machine.Run(*step, launch, options, &report).ok());
  const uint64_t before = test::Allocations();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.Run(*step, launch, options, &report).ok());
  EXPECT_EQ(test::Allocations(), before);
  EXPECT_GT(before, 0U);  // they are counted at all
}

TEST(Machine, RunsInParallel) {
  Program program = MakeProgram(kPlainProgram);
  FillWeights(program);
  const auto step = Prepare(program, program.overlay_steps[0]);
  std::vector<std::thread> threads;
  std::array<bool, 4> good{};
  for (size_t t = 0; t < good.size(); ++t) {
    threads.emplace_back([&, t] {
      Machine machine(program.config);
      bool all = true;
      for (int i = 0; i < 50; ++i) {
        Buffers buffers;
        std::fill(buffers.in.begin(), buffers.in.end(), static_cast<uint8_t>(t));
        RunOptions options;
        options.timed = true;
        const LaunchRequest request = buffers.Request();
        all = all && machine.Run(*step, {&request, 1}, options).ok() && buffers.out[9] == t + 5;
      }
      good[t] = all;
    });
  }
  for (std::thread& t : threads) t.join();
  for (const bool g : good) EXPECT_TRUE(g);
}

TEST(Traps, UninitializedWord) {
  // The Conv reads one word past what Load wrote.
  const LaunchReport r = RunChanged(Replace(Replace(kPlainProgram, "in_w=4", "in_w=5"), "out_w=4", "out_w=5"));
  EXPECT_EQ(r.trap.trap, Trap::kUninitialized);
  EXPECT_EQ(r.trap.engine, kConv);
  EXPECT_EQ(r.trap.index, 0U);
  EXPECT_FALSE(r.trap.prologue);
  EXPECT_NE(r.trap.disassembly.find("Conv wait=load,save"), std::string::npos);
  EXPECT_NE(r.trap.cause.find("activation word 4"), std::string::npos) << r.trap.cause;
}

TEST(Traps, WeightRingOrdersEngines) {
  // No token from Conv to Load, but LoadWeights of the next request waits for the rows that Conv gives back, and Load
  // comes after it.
  const std::string text = Replace(
      Replace(Replace(kPlainProgram, "Load wait=conv", "Load"), ".stream conv prologue\nSync signal=load\n", ""),
      "signal=load,save in_w", "signal=save in_w");
  EXPECT_EQ(RunChanged(text, {}, 3).trap.trap, Trap::kNone);
  // With Load in front of LoadWeights nothing keeps it from overwriting what Conv of the request before reads.
  const std::string race =
      Replace(text, "LoadWeights rows=3 acquire=2048\nLoad signal=conv base=2 planes=1 rows=1 cols=4",
              "Load base=2 planes=1 rows=1 cols=4\nLoadWeights signal=conv rows=3 acquire=2048");
  EXPECT_EQ(RunChanged(race).trap.trap, Trap::kNone);
  const LaunchReport r = RunChanged(race, {}, 3);
  EXPECT_EQ(r.trap.trap, Trap::kRace) << Describe(r.trap);
  EXPECT_TRUE(r.trap.engine == kLoad || r.trap.engine == kConv);  // whichever this run did second
}

TEST(Traps, RaceBetweenConvAndSave) {
  const std::string text = Replace(
      Replace(Replace(kPlainProgram, "wait=load,save", "wait=load"), ".stream save prologue\nSync signal=conv\n", ""),
      "Save wait=conv signal=conv", "Save wait=conv");
  const LaunchReport r = RunChanged(text, {}, 2);
  EXPECT_EQ(r.trap.trap, Trap::kRace) << Describe(r.trap);
  EXPECT_EQ(r.requests_completed, 1U);
  EXPECT_EQ(r.trap.request, 1U);
  RunOptions limits;
  limits.checks = CheckLevel::kLimits;
  EXPECT_EQ(RunChanged(text, limits, 2).trap.trap, Trap::kNone);
}

TEST(Traps, WorkspaceReadBeforeItIsWritten) {
  const LaunchReport r = RunChanged(Replace(kPlainProgram, "signal=conv base=2", "signal=conv base=1"));
  EXPECT_EQ(r.trap.trap, Trap::kUninitialized);
  EXPECT_EQ(r.trap.engine, kLoad);
  EXPECT_NE(r.trap.cause.find("DRAM byte 0"), std::string::npos) << r.trap.cause;
}

TEST(Traps, Limits) {
  LaunchReport r = RunChanged(Replace(kPlainProgram, "base=2 planes=1", "base=2 offset=1 planes=1"));
  EXPECT_EQ(r.trap.trap, Trap::kDramLimit);
  EXPECT_NE(r.trap.cause.find("byte 32 of base register 2, whose limit is 32"), std::string::npos) << r.trap.cause;
  r = RunChanged(Replace(kPlainProgram, "signal=conv base=2", "signal=conv base=5"));
  EXPECT_EQ(r.trap.trap, Trap::kDramLimit);
  EXPECT_NE(r.trap.cause.find("not set"), std::string::npos);
  r = RunChanged(Replace(kPlainProgram, "base=8", "base=2"));
  EXPECT_EQ(r.trap.trap, Trap::kReadOnly);
  EXPECT_EQ(r.trap.engine, kSave);
  r = RunChanged(Replace(kPlainProgram, "dst=8 ", "dst=16381 "));
  EXPECT_EQ(r.trap.trap, Trap::kOnChipLimit);
  r = RunChanged(Replace(kPlainProgram, "release=2048", "release=2049"));
  EXPECT_NE(r.trap.trap, Trap::kNone);
  r = RunChanged(Replace(kPlainProgram, "acquire=2048", "acquire=3"));
  EXPECT_EQ(r.trap.trap, Trap::kRingUnderflow);
  r = RunChanged(Replace(kPlainProgram, "ic_groups=1", "ic_groups=0"));
  EXPECT_EQ(r.trap.trap, Trap::kIllegalInstruction);
}

TEST(Traps, IllegalWordInThePrologue) {
  const LaunchReport r =
      RunChanged(Replace(kPlainProgram, "Sync signal=conv\n", ".word 0xFF 0 0 0 0 0 0 0\nSync signal=conv\n"));
  EXPECT_EQ(r.trap.trap, Trap::kIllegalInstruction);
  EXPECT_EQ(r.trap.engine, kSave);
  EXPECT_TRUE(r.trap.prologue);
  EXPECT_EQ(r.trap.index, 0U);
}

TEST(Traps, DeadlockNamesWhoWaits) {
  const LaunchReport r = RunChanged(Replace(kPlainProgram, "Sync signal=load\n", "Sync\n"));
  EXPECT_EQ(r.trap.trap, Trap::kCycleLimit);
  EXPECT_NE(r.trap.cause.find("load (request 0, instruction 1) waits for a token from conv"), std::string::npos)
      << r.trap.cause;
}

TEST(Traps, AbortAndCycleLimit) {
  std::atomic<bool> abort = true;
  RunOptions options;
  options.abort = &abort;
  EXPECT_EQ(RunChanged(kPlainProgram, options).trap.trap, Trap::kAbort);

  RunOptions timed;
  timed.timed = true;
  const LaunchReport whole = RunChanged(kPlainProgram, timed, 4);
  ASSERT_EQ(whole.trap.trap, Trap::kNone);
  ASSERT_GT(whole.cycles, 1000U);
  RunOptions limited;
  limited.cycle_limit = whole.cycles;
  EXPECT_EQ(RunChanged(kPlainProgram, limited, 4).trap.trap, Trap::kNone);
  limited.cycle_limit = whole.cycles - 200;
  const LaunchReport cut = RunChanged(kPlainProgram, limited, 4);
  EXPECT_EQ(cut.trap.trap, Trap::kCycleLimit);
  EXPECT_EQ(cut.cycles, limited.cycle_limit);
  EXPECT_GT(cut.requests_completed, 0U);
  EXPECT_LT(cut.requests_completed, 4U);
}

uint64_t Read(const std::vector<uint8_t>& page, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value |= uint64_t{page[at + i]} << (8 * i);
  return value;
}

TEST(StatusPage, HasHeadStateAndEngines) {
  std::vector<uint8_t> page(4096, 0xAA);
  const HardwareConfig& config = test::SmallConfig();
  const Machine machine(config);
  ASSERT_TRUE(machine.Identify(page).ok());
  EXPECT_EQ(std::memcmp(page.data(), "XRST", 4), 0);
  EXPECT_EQ(Read(page, 8, 2), kIsaMajor);
  EXPECT_EQ(Read(page, 16, 8), 7U);  // base set, staggered programs, parts of image rows
  EXPECT_EQ(Read(page, 24, 8), Fingerprint(config));
  EXPECT_EQ(Read(page, 32, 4), config.pixels);
  EXPECT_EQ(Read(page, 36, 4), config.channels);
  EXPECT_EQ(Read(page, 12, 4), 20U);
  EXPECT_EQ(Read(page, 32 + 4 * 19, 4), config.launch_cycles);
  EXPECT_EQ(Read(page, 256, 4), 0U);

  RunOptions options;
  options.status_page = page;
  options.timed = true;
  LaunchReport report = RunChanged(kPlainProgram, options, 2);
  EXPECT_EQ(Read(page, 256, 4), 2U);
  EXPECT_EQ(Read(page, 264, 4), 2U);
  EXPECT_EQ(Read(page, 272, 8), report.cycles);

  report = RunChanged(Replace(kPlainProgram, "base=8", "base=2"), options);
  EXPECT_EQ(Read(page, 256, 4), 3U);
  EXPECT_EQ(Read(page, 260, 4), static_cast<uint64_t>(Trap::kReadOnly));
  EXPECT_EQ(Read(page, 320 + 64 * kSave, 4), static_cast<uint64_t>(Trap::kReadOnly));
  EXPECT_EQ(Read(page, 320 + 64 * kSave + 8, 4), 1U);  // the prologue's Sync

  std::vector<uint8_t> small(100);
  EXPECT_FALSE(machine.Identify(small).ok());
}

TEST(Machine, RefusesAnotherConfiguration) {
  Program program = MakeProgram(kPlainProgram);
  Machine machine(BuiltInConfigs()[7]);
  Buffers buffers;
  const LaunchRequest request = buffers.Request();
  const Status status = machine.Run(*Prepare(program, program.overlay_steps[0]), {&request, 1});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.failure().message.find("B512"), std::string::npos);
}

}  // namespace
}  // namespace xrun::simulator
