// Programs in two halves that work for requests that follow each other (isa/README.md, section 4): the same bytes as
// without, whatever the number of requests, and nothing that would let the halves meet passes the verifier.
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/compile.h"
#include "isa/footprint.h"
#include "isa/launch.h"
#include "isa/launch_image.h"
#include "isa/program.h"
#include "run_both.h"
#include "simulator/prepared.h"
#include "simulator/simulator.h"
#include "simulator/timing_model.h"
#include "structures.h"
#include "verify.h"

namespace xrun::structures {
namespace {

constexpr const char* kNetwork = "mobilenet_v1";

const compiler::Graph& Network() {
  static const compiler::Graph graph = QuantizedGraph(*FindStructure(kNetwork), 1).value();
  return graph;
}

Program CompileNetwork(bool stagger) {
  compiler::CompileOptions options;
  options.config = FindConfig("B4096").value();
  options.stagger = stagger;
  return compiler::Compile(Network(), options).value();
}

const Program& Staggered() {
  static const Program program = CompileNetwork(true);
  return program;
}

/// A copy whose instructions can be changed.
struct Changed {
  explicit Changed(const Program& original) : program(original), step(program.overlay_steps.at(0)) {
    for (size_t e = 0; e < kEngines; ++e) {
      body[e].assign(step.body[e].begin(), step.body[e].end());
      prologue[e].assign(step.prologue[e].begin(), step.prologue[e].end());
      step.body[e] = body[e];
      step.prologue[e] = prologue[e];
    }
  }
  static void Flip(InstructionWord& word) { word[kLateBit / 64] ^= uint64_t{1} << kLateBit % 64; }
  std::string Verdict() const {
    const Status status = Verify(program);
    return status.ok() ? "" : status.failure().message;
  }

  std::array<std::vector<InstructionWord>, kEngines> prologue, body;
  Program program;
  OverlayStep& step;
};

TEST(Stagger, SameBytesForAnyNumberOfRequests) {
  ASSERT_TRUE(Staggered().overlay_steps.at(0).stagger.has_value());
  const Program plain = CompileNetwork(false);
  ASSERT_FALSE(plain.overlay_steps.at(0).stagger.has_value());
  std::string error;
  // The step's input comes from a CPU step: made up, another for each request.
  const std::string name = plain.tensors[plain.overlay_steps[0].inputs.at(0).tensor].name;
  const auto elements = [&] {
    const BufferLayout& l = plain.overlay_steps[0].inputs[0].layout;
    return size_t{l.channels} * l.height * l.width;
  }();
  for (const size_t requests : {1, 2, 3, 8}) {
    std::vector<testing::Tensors> inputs(requests);
    for (size_t r = 0; r < requests; ++r) {
      std::vector<int8_t>& x = inputs[r][name];
      x.resize(elements);
      for (size_t i = 0; i < elements; ++i) x[i] = static_cast<int8_t>((i * (r + 3) * 2654435761U) >> 21);
    }
    const auto got = testing::RunRequests(Staggered(), inputs, &error),
               want = testing::RunRequests(plain, inputs, &error);
    ASSERT_EQ(error, "");
    ASSERT_EQ(got.size(), requests);
    for (size_t r = 0; r < requests; ++r)
      EXPECT_EQ(testing::Difference(got[r], want[r]), "") << r << " of " << requests;
    if (requests > 1) {
      EXPECT_NE(testing::Difference(got[0], got[1]), "");
    }
  }
}

TEST(Stagger, GivesMoreRequestsASecond) {
  const auto cycles = [](const Program& program) {
    const auto prepared = simulator::Prepare(program, program.overlay_steps.at(0));
    return simulator::SimulateTiming(*prepared, {.requests = 8, .record = false}).value().cycles;
  };
  EXPECT_LT(cycles(Staggered()), cycles(CompileNetwork(false)));
}

TEST(Stagger, SurvivesTheFile) {
  const auto bytes = std::make_shared<const std::vector<uint8_t>>(Serialize(Staggered()).value());
  const Program read = ParseProgram(bytes, "memory").value();
  EXPECT_EQ(read.overlay_steps.at(0).stagger, Staggered().overlay_steps[0].stagger);
  EXPECT_NE(read.capabilities & launch::kStaggeredCapability, 0U);
}

TEST(Stagger, IdleHalvesTakeNoTimeOfTheirOwn) {
  const auto prepared = simulator::Prepare(Staggered(), Staggered().overlay_steps[0]);
  const auto report = simulator::SimulateTiming(*prepared, {.requests = 2}).value();
  size_t idle = 0;
  for (size_t e = 0; e < kEngines; ++e) {
    for (const simulator::InstructionTime& t : report.instructions[e]) {
      if (!t.idle) continue;
      ++idle;
      EXPECT_EQ(t.end - t.start, Staggered().config.decode_cycles);
      EXPECT_TRUE(t.request == 0 || t.request == 2) << t.request;
    }
  }
  size_t all = 0;  // each instruction once, in the first or in the last of three entries
  for (const auto& body : Staggered().overlay_steps[0].body) all += body.size();
  EXPECT_EQ(idle, all);
}

/// An output register that is not set in the third entry, where the back half works for the second request.
TEST(Stagger, TrapsNameTheRequestNotTheEntry) {
  const Program& program = Staggered();
  const OverlayStep& step = program.overlay_steps[0];
  constexpr uint32_t kRequests = 2;
  std::array<std::vector<uint8_t>, kBaseRegisters> memory;
  for (const Binding& b : step.inputs) memory[b.base].resize(b.layout.Bytes(program.config));
  for (const Binding& b : step.outputs) memory[b.base].resize(b.layout.Bytes(program.config));
  memory[kBaseWorkspace].resize(step.stagger->offset);
  memory[step.stagger->out].resize(step.stagger->bytes);
  std::vector<simulator::LaunchRequest> table(step.Entries(kRequests));
  for (uint32_t entry = 0; entry < table.size(); ++entry) {
    for (uint32_t base = 0; base < kBaseRegisters; ++base) {
      const launch::EntrySource from = launch::SourceOf(step, kRequests, entry, base);
      if (from.request) table[entry].registers[base] = memory[from.base];
    }
  }
  table[2].registers[step.outputs.at(0).base] = {};
  simulator::LaunchReport report;
  simulator::RunOptions options;
  options.checks = simulator::CheckLevel::kLimits;
  std::vector<uint8_t> page(launch::kStatusPageBytes);
  options.status_page = page;
  EXPECT_FALSE(simulator::RunOnce(program, step, table, options, &report).ok());
  EXPECT_EQ(report.trap.trap, Trap::kDramLimit);
  EXPECT_EQ(report.trap.engine, kSave);
  EXPECT_EQ(report.trap.request, 1U);
  const auto status = launch::ReadStatusPage(page);
  ASSERT_TRUE(status.ok());
  const std::string reached = launch::ProgressText(program, step, *status, step.Entries(kRequests));
  EXPECT_NE(reached.find("save: request 1, body instruction"), std::string::npos) << reached;
}

TEST(StaggerVerifier, RefusesHalvesThatMeet) {
  size_t refused = 0, tried = 0;
  for (size_t e = 0; e < kEngines; ++e) {
    for (size_t i = 0; i < Staggered().overlay_steps[0].body[e].size(); i += 17) {
      Changed c(Staggered());
      const Instruction instruction = *Decode(c.body[e][i], static_cast<Engine>(e));
      if (Footprint(instruction, c.program.config).empty()) continue;  // moves nothing: of either half
      Changed::Flip(c.body[e][i]);
      const std::string verdict = c.Verdict();
      ++tried;
      refused += verdict.find("other half") != std::string::npos ? 1 : 0;
      EXPECT_NE(verdict, "") << EngineName(static_cast<Engine>(e)) << " " << i;
    }
  }
  EXPECT_GT(tried, 10U);
  EXPECT_GT(refused, tried / 2);
}

TEST(StaggerVerifier, RefusesWhatTheFileMayNotSay) {
  Changed none(Staggered());
  EXPECT_EQ(none.Verdict(), "");
  Changed capability(Staggered());
  capability.program.capabilities = launch::kBaseCapabilities;
  EXPECT_NE(capability.Verdict().find("capability"), std::string::npos);
  Changed taken(Staggered());
  taken.step.stagger->in = taken.step.inputs.at(0).base;
  EXPECT_NE(taken.Verdict().find("is no free input's"), std::string::npos);
  Changed outside(Staggered());
  outside.step.stagger->bytes = outside.step.workspace_bytes + 1;
  EXPECT_NE(outside.Verdict().find("outside the workspace"), std::string::npos);
  Changed overlapping(Staggered());  // the halves' own workspace reaches into what is handed over
  if (overlapping.step.stagger->offset != 0) {
    overlapping.step.stagger->offset = 0;
    EXPECT_NE(overlapping.Verdict(), "");
  }
  Changed early(Staggered());
  for (size_t e = 0; e < kEngines; ++e) {
    if (early.prologue[e].empty()) continue;
    Changed::Flip(early.prologue[e][0]);
    break;
  }
  EXPECT_NE(early.Verdict().find("the prologue has no halves"), std::string::npos);
}

}  // namespace
}  // namespace xrun::structures
