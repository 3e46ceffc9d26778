// Stages, --tiling, class ranks, program differences.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "compiler/compile.h"
#include "runtime/io/file.h"
#include "tools/common/tool.h"
#include "tools/driver/classify.h"
#include "tools/driver/dump.h"
#include "tools/driver/estimate.h"
#include "tools/driver/quantized_model.h"
#include "tools/driver/stages.h"
#include "tools/driver/summary.h"
#include "tools/driver/tiling_flag.h"

namespace xrun::tools {
namespace {

std::filesystem::path TempFile(const std::string& name) {
  return std::filesystem::path(testing::TempDir()) / ("xrun_tools_" + std::to_string(getpid()) + "_" + name);
}

TEST(Stages, UnknownStageSuggestsTheNearest) {
  StageDumper dumper;
  const Status status = dumper.Add("schedul");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.failure().hint.find("'schedule'"), std::string::npos) << status.failure().hint;
}

TEST(Stages, SameStageTwiceAndMissingFileAreRefused) {
  StageDumper dumper;
  EXPECT_TRUE(dumper.Add("lower:a.txt").ok());
  EXPECT_FALSE(dumper.Add("lower").ok());
  EXPECT_FALSE(dumper.Add("tile:").ok());
}

TEST(Stages, RepeatedPassIsDumpedEachTime) {
  const std::filesystem::path file = TempFile("dump.txt");
  StageDumper dumper;
  ASSERT_TRUE(dumper.Add("fold_scale:" + file.string()).ok());
  dumper("fold_scale", [] { return "first\n"; });
  dumper("lower", []() -> std::string { throw std::logic_error("not asked for"); });
  dumper("fold_scale", [] { return "second"; });
  EXPECT_TRUE(dumper.status().ok());
  EXPECT_TRUE(dumper.Missed().empty());
  EXPECT_FALSE(dumper.UsesStdout());
  const auto bytes = io::ReadFile(file.string());
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), "first\nsecond\n");
  std::filesystem::remove(file);
}

TEST(Stages, UnwritableDumpIsRemembered) {
  StageDumper dumper;
  ASSERT_TRUE(dumper.Add("lower:/nonexistent/dump.txt").ok());
  ASSERT_TRUE(dumper.Add("tile").ok());
  dumper("lower", [] { return "x"; });
  EXPECT_FALSE(dumper.status().ok());
  EXPECT_EQ(dumper.Missed(), std::vector<std::string>{"tile"});
}

TEST(Tiling, ParsesEveryLimit) {
  const auto all = ParseTiling("rows=2,cols=3,out-groups=4,in-groups=5,kernel-rows=6,single-buffer,no-on-chip");
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->rows, 2U);
  EXPECT_EQ(all->cols, 3U);
  EXPECT_EQ(all->out_groups, 4U);
  EXPECT_EQ(all->in_groups, 5U);
  EXPECT_EQ(all->kernel_rows, 6U);
  EXPECT_TRUE(all->single_buffer);
  EXPECT_FALSE(all->keep_on_chip);
}

TEST(Tiling, RefusesWhatIsNoLimit) {
  for (const char* text : {"rows", "rows=", "rows=0", "rows=-1", "rows=2x", "rows=99999999999", "rws=2", "=", ","}) {
    EXPECT_FALSE(ParseTiling(text).ok()) << text;
  }
}

TEST(ShellWord, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(ShellWord("models/a-b_1.onnx"), "models/a-b_1.onnx");
  EXPECT_EQ(ShellWord("my model.onnx"), "'my model.onnx'");
  EXPECT_EQ(ShellWord("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellWord(""), "''");
}

TEST(Classify, TiesGoToTheLowerIndexAndNanComesLast) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> scores = {nan, 2, 5, 5, -1};
  EXPECT_EQ(TopK(scores, 3), (std::vector<int64_t>{2, 3, 1}));
  EXPECT_EQ(TopK(scores, 9), (std::vector<int64_t>{2, 3, 1, 4, 0}));
  const auto order = TopK(scores, 9);
  for (size_t rank = 0; rank < order.size(); ++rank) {
    EXPECT_EQ(RankOf(scores, order[rank]), static_cast<int64_t>(rank));
  }
}

class ToolsProgram : public testing::Test {
 protected:
  static Program CompileCnn(const char* arch, int optimization) {
    ModelFlags flags;
    CLI::App app;
    flags.AddTo(app);
    std::vector<std::string> arguments = {std::string(XRUN_TEST_MODELS) + "/fmnist_cnn.onnx"};
    app.parse(arguments);
    auto model = MakeQuantizedModel(flags, ProgressMode::kOff, [](const auto&, const auto&) {});
    EXPECT_TRUE(model.ok()) << model.failure().ToString();
    compiler::CompileOptions options;
    options.config = FindConfig(arch).value();
    options.optimization = optimization;
    auto program = compiler::Compile(model->graph, options);
    EXPECT_TRUE(program.ok()) << program.failure().ToString();
    return std::move(program).value();
  }
};

TEST_F(ToolsProgram, SameProgramHasNoDifferences) {
  const Program a = CompileCnn("B1024", 2), b = CompileCnn("B1024", 2);
  EXPECT_TRUE(DiffPrograms(a, b).empty());
}

TEST_F(ToolsProgram, ConfigurationAndInstructionsDiffer) {
  const std::vector<std::string> lines = DiffPrograms(CompileCnn("B1024", 2), CompileCnn("B2304", 2));
  const auto mentions = [&](const std::string& word) {
    return std::any_of(lines.begin(), lines.end(), [&](const auto& l) { return l.find(word) != std::string::npos; });
  };
  EXPECT_TRUE(mentions("channels: 8 here, 12 there"));
  EXPECT_TRUE(mentions("conv body"));
}

TEST_F(ToolsProgram, DisassemblyAssemblesBackToTheSameStreams) {
  const Program program = CompileCnn("B4096", 2);
  ASSERT_EQ(program.overlay_steps.size(), 1U);
  const auto streams = AssembleProgram(DisassemblyText(program));
  ASSERT_TRUE(streams.ok()) << streams.failure().ToString();
  for (size_t e = 0; e < kEngines; ++e) {
    const auto& step = program.overlay_steps[0];
    EXPECT_TRUE(std::equal(step.body[e].begin(), step.body[e].end(), streams->engines[e].body.begin(),
                           streams->engines[e].body.end()));
    EXPECT_TRUE(std::equal(step.prologue[e].begin(), step.prologue[e].end(), streams->engines[e].prologue.begin(),
                           streams->engines[e].prologue.end()));
  }
}

TEST_F(ToolsProgram, FindNodeSuggests) {
  const Program program = CompileCnn("B4096", 2);
  ASSERT_FALSE(program.nodes.empty());
  const std::string name = program.nodes.front().name;
  EXPECT_EQ(FindNode(program, name).value(), 0U);
  const auto wrong = FindNode(program, name + "x");
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.failure().hint.find(name), std::string::npos);
}

TEST_F(ToolsProgram, ThroughputIsNoSlowerThanLatency) {
  const auto estimate = EstimateProgram(CompileCnn("B4096", 2));
  ASSERT_TRUE(estimate.ok()) << estimate.failure().ToString();
  EXPECT_GT(estimate->latency_cycles, 0U);
  EXPECT_GT(estimate->throughput_cycles, estimate->latency_cycles);
  EXPECT_LE(estimate->throughput_cycles, kThroughputRequests * estimate->latency_cycles);
  EXPECT_EQ(estimate->macs, 3286400U);  // tests/models/README.md
}

}  // namespace
}  // namespace xrun::tools
