// The timed mode: a launch worked out by hand, sums that must hold, and the trace.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "simulator/prepared.h"
#include "simulator/timing_model.h"
#include "simulator/trace.h"
#include "tests/unit/isa_test_program.h"

namespace xrun::simulator {
namespace {

using test::kPlainProgram;
using test::MakeProgram;

/// B512 with DRAM in whole cycles: one port of 16 bytes at 100 %, latency 10, response 5; decode 2, token 3, launch
/// 100.
Program RoundNumbers(const std::string& text) {
  Program p = MakeProgram(text);
  p.config.dram_ports = 1;
  p.config.dram_efficiency = 100;
  p.config.dram_read_latency = 10;
  p.config.dram_write_response = 5;
  p.config.decode_cycles = 2;
  p.config.token_cycles = 3;
  p.config.launch_cycles = 100;
  return p;
}

TEST(TimedMode, HandComputedLaunch) {
  const Program program = RoundNumbers(kPlainProgram);
  const PreparedStep step(program, program.overlay_steps[0]);
  const auto report = SimulateTiming(step, {1, true, 0, 0});
  ASSERT_TRUE(report.ok()) << report.failure().message;
  const auto& load = report->instructions[kLoad];
  const auto& conv = report->instructions[kConv];
  const auto& save = report->instructions[kSave];
  // The port at cycle 0, in turns from Load: fetches of Load (image bytes 128…255, 8 beats, 0–8), Conv (2 instructions
  // at 256…383, 8–16), Save (384…511, 16–24), then the status page's head of 256 + 64 bytes (24–40 and 40–44). Load's
  // instructions are there at 8 + 10 = 18; LoadWeights decodes until 20 and asks for 192 bytes, 12 beats; its turn
  // comes before status's second burst? Turns at 24: status alone has waited since 0, but Load's turn comes first in
  // the order Load, Save, fetches, status after Save's fetch: status. So 24–40 status, 40–52 weights, there at 62.
  ASSERT_EQ(load.size(), 2U);
  EXPECT_EQ(load[0].start, 18U);
  EXPECT_EQ(load[0].end, 62U);
  EXPECT_EQ(load[0].waited_for, Stall::kFetch);
  EXPECT_EQ(load[0].dram_stall, 62U - 20 - 3);  // beyond decode 2 and three rows
  // Conv's Sync: there at 16 + 10 = 26, done at 28, token at 31. Load goes on at 62: 64, 32 bytes: 2 beats, 64–66,
  // there at 76; the chip's side needs 64 + 12 = 76 as well.
  EXPECT_EQ(conv[0].start, 26U);
  EXPECT_EQ(conv[0].end, 28U);
  EXPECT_EQ(load[1].start, 62U);
  EXPECT_EQ(load[1].end, 76U);
  EXPECT_EQ(load[1].dram_stall, 0U);
  // Conv: token at 79, own cycles 50 (timing_hand_test.cpp): 79 + 2 + 50 = 131. Save: token 134, decode 136, chip 12:
  // 148; DRAM 136–138, response at 143: 148.
  EXPECT_EQ(conv[1].start, 79U);
  EXPECT_EQ(conv[1].waited_for, Stall::kTokenLoad);
  EXPECT_EQ(conv[1].waited, 79U - 28);
  EXPECT_EQ(conv[1].end, 131U);
  EXPECT_EQ(save[1].start, 134U);
  EXPECT_EQ(save[1].end, 148U);
  EXPECT_EQ(report->cycles, 248U);
  EXPECT_EQ(report->bytes[static_cast<size_t>(Traffic::kWeights)], 192U);
  EXPECT_EQ(report->bytes[static_cast<size_t>(Traffic::kLoad)], 32U);
  EXPECT_EQ(report->bytes[static_cast<size_t>(Traffic::kSave)], 32U);
  EXPECT_EQ(report->bytes[static_cast<size_t>(Traffic::kFetch)], 6U * 64);
  EXPECT_EQ(report->nodes[0].start, 79U);
  EXPECT_EQ(report->nodes[0].end, 131U);
  EXPECT_EQ(report->nodes[0].busy[kConv], 52U);
}

TEST(TimedMode, TimesAddUp) {
  const Program program = RoundNumbers(kPlainProgram);
  const PreparedStep step(program, program.overlay_steps[0]);
  for (const uint32_t requests : {1U, 2U, 7U, 40U}) {
    const auto report = SimulateTiming(step, {requests, true, 0, 0});
    ASSERT_TRUE(report.ok());
    const uint64_t end = report->cycles - program.config.launch_cycles;
    for (uint8_t e = 0; e < kEngines; ++e) {
      const EngineTime& time = report->engines[e];
      EXPECT_EQ(time.busy + time.idle + std::accumulate(time.stalled.begin(), time.stalled.end(), uint64_t{0}), end)
          << int{e};
      uint64_t last = 0;
      for (const InstructionTime& t : report->instructions[e]) {
        EXPECT_GE(t.start, last);
        last = t.end;
      }
    }
    const auto again = SimulateTiming(step, {requests, true, 0, 0});
    EXPECT_EQ(again->cycles, report->cycles);
  }
}

TEST(TimedMode, RequestsOverlap) {
  const Program program = RoundNumbers(kPlainProgram);
  const PreparedStep step(program, program.overlay_steps[0]);
  const uint64_t one = SimulateTiming(step, {1, false, 0, 0})->cycles;
  const uint64_t many = SimulateTiming(step, {20, false, 0, 0})->cycles;
  EXPECT_LT(many, 20 * one);
}

TEST(TimedMode, MemorySpeedMatters) {
  Program program = RoundNumbers(kPlainProgram);
  const uint64_t fast = SimulateTiming(PreparedStep(program, program.overlay_steps[0]), {8, false, 0, 0})->cycles;
  program.config.dram_efficiency = 10;
  const uint64_t slow = SimulateTiming(PreparedStep(program, program.overlay_steps[0]), {8, false, 0, 0})->cycles;
  EXPECT_GT(slow, fast + 8 * 100);
}

TEST(TimedMode, DeadlockIsAFailure) {
  const Program program = RoundNumbers(test::Replace(kPlainProgram, "Sync signal=load\n", "Sync\n"));
  const auto report = SimulateTiming(PreparedStep(program, program.overlay_steps[0]), {1, true, 0, 0});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.failure().message.find("a token from conv"), std::string::npos) << report.failure().message;
}

TEST(Trace, IsValidJsonWithEverythingInIt) {
  Program program = RoundNumbers(kPlainProgram);
  program.nodes[0].name = "odd \"name\" \xFF \n";
  const PreparedStep step(program, program.overlay_steps[0]);
  const auto report = SimulateTiming(step, {3, true, 50, 0});
  ASSERT_TRUE(report.ok());
  std::ostringstream out;
  WriteTrace(out, step, *report);
  const auto trace = nlohmann::json::parse(out.str());
  size_t instructions = 0, starts = 0, ends = 0, counters = 0, threads = 0;
  for (const auto& e : trace["traceEvents"]) {
    const std::string phase = e["ph"];
    if (phase == "X" && e["cat"] == "instruction") {
      ++instructions;
      EXPECT_FALSE(e["args"]["disassembly"].get<std::string>().empty());
      EXPECT_TRUE(e["args"].contains("cycles"));
    }
    starts += phase == "s";
    ends += phase == "f";
    counters += phase == "C";
    threads += phase == "M" && e["name"] == "thread_name";
  }
  EXPECT_EQ(instructions, 3U * (2 + 1 + 1) + 2);
  EXPECT_EQ(starts, 3U * 4);
  EXPECT_EQ(ends, starts);
  EXPECT_EQ(threads, 4U);
  EXPECT_GT(counters, 1U);
  EXPECT_FALSE(Summary(*report, program.config).empty());
}

}  // namespace
}  // namespace xrun::simulator
