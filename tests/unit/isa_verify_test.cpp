#include <gtest/gtest.h>

#include "isa_test_program.h"

namespace xrun {
namespace {

using test::kPlainProgram;
using test::MakeProgram;
using test::Replace;

std::string Verdict(const Program& program) {
  const Status status = Verify(program);
  return status.ok() ? "" : status.failure().message;
}

std::string Verdict(const std::string& text, uint64_t weight_bytes = 192, uint64_t workspace_bytes = 0) {
  return Verdict(MakeProgram(text, weight_bytes, workspace_bytes));
}

#define EXPECT_SAYS(verdict, part)                                                               \
  do {                                                                                           \
    const std::string said = (verdict);                                                          \
    EXPECT_NE(said.find(part), std::string::npos) << "says: " << (said.empty() ? "fine" : said); \
  } while (false)

TEST(IsaVerify, PlainProgramIsFine) { EXPECT_EQ(Verdict(kPlainProgram), ""); }

/// A device is asked for the capabilities in the header, so nothing in the program may need another.
TEST(IsaVerify, CapabilitiesAreThoseOfTheHeader) {
  const std::string load = "Load wait=conv signal=conv base=2 planes=1 rows=1 cols=4";
  const std::string packed =
      "LoadPacked wait=conv signal=conv base=2 in_cols=4 channels=8 stride=1 rows=1 cols=4 row_stride=32 ";
  EXPECT_EQ(Verdict(Replace(kPlainProgram, load, packed + "taps=1")), "");
  for (const char* fields : {"head=8", "head=7 skip=1", "head=7 tail=1 in_rows=1", "taps=1 row_step=1",
                             "taps=1 in_rows=1", "taps=1 in_rows=2 top=1"}) {
    Program program = MakeProgram(Replace(kPlainProgram, load, packed + fields), 192);
    EXPECT_SAYS(Verdict(program), "needs capability 2, which the header does not ask for");
    EXPECT_SAYS(Verdict(program), "LoadPacked");
    program.capabilities |= launch::kPackedRowsCapability;
    // The second image row is not this input's.
    const bool below = std::string_view(fields).find("top=1") != std::string_view::npos;
    EXPECT_EQ(Verdict(program).empty(), !below) << fields;
  }
}

// Every engine, memory and path: workspace, tables, kept sums on both engines, residual in place, table rows.
constexpr const char* kRichProgram = R"(
.stream load body
LoadWeights rows=12 acquire=2048
LoadVector wait=conv,vector base=0 rows=64
Load base=2 planes=1 rows=1 cols=4 signal=conv
Load wait=save base=1 planes=1 rows=1 cols=4 addr=40 signal=vector
.stream conv prologue
Sync signal=load
.stream conv body
Conv wait=load keep=1 in_w=4 in_h=1 dst_step=1 out_w=4 out_h=1 ic_groups=1 oc_groups=1 kernel_h=1 kernel_w=1 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1
Conv wait=save,vector accumulate=1 in_w=4 in_h=1 dst=8 dst_step=1 out_w=4 out_h=1 ic_groups=1 oc_groups=1 kernel_h=1 kernel_w=1 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 weights=1 clamp_hi=9
Conv signal=save,load in_w=4 in_h=1 dst=8 dst_step=1 out_w=4 out_h=1 ic_groups=1 oc_groups=1 kernel_h=1 kernel_w=1 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 residual=1 res=8 weights=4 release=2048
.stream vector prologue
Sync signal=load,conv
.stream vector body
Depthwise wait=load keep=1 src=40 in_w=4 in_h=1 out_w=4 out_h=1 groups=1 kernel_h=1 kernel_w=3 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 pad_left=1
Depthwise accumulate=1 params=3 src=40 in_w=4 in_h=1 dst=60 out_w=4 out_h=1 groups=1 kernel_h=1 kernel_w=3 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 pad_left=1 table=1
Pool src=60 in_w=4 in_h=1 dst=70 out_w=4 out_h=1 groups=1 kernel_h=1 kernel_w=2 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1
Elementwise kind=2 planes=1 rows=1 cols=4 a=60 b=70 b_step=1 dst=60
Elementwise signal=save,load,conv planes=1 rows=1 cols=4 a=60 dst=80 table=1 params=3
.stream save prologue
Sync signal=conv
.stream save body
Save wait=conv signal=load base=1 planes=1 rows=1 cols=4 addr=8
Save wait=vector signal=conv base=8 planes=1 rows=1 cols=4 addr=80
)";

std::string Rich(const std::string& text) { return Verdict(text, 768, 32); }

TEST(IsaVerify, RichProgramIsFine) { EXPECT_EQ(Rich(kRichProgram), ""); }

TEST(IsaVerify, IllegalInstructions) {
  EXPECT_SAYS(
      Verdict(Replace(kPlainProgram, "Sync signal=load", ".word 0x99 0 0 0 0 0 0 0")),
      "overlay step 0: conv prologue instruction 0 `.word 0x99 0x0 0x0 0x0 0x0 0x0 0x0 0x0`: unknown opcode 0x99");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "out_w=4 ", "out_w=0 ")), "(node 'conv_0'): Conv: out_w is 0");
  EXPECT_SAYS(
      Verdict(Replace(kPlainProgram, "cols=4 addr=8", "cols=4 addr=16383")),
      "save body instruction 0 `Save wait=conv signal=conv base=8 planes=1 rows=1 cols=4 addr=16383`: Save: source "
      "reaches activation word 16386, of 16384");
}

TEST(IsaVerify, DramLimits) {
  EXPECT_SAYS(Verdict(kPlainProgram, 191), "reaches byte 191 of weights (base register 0), whose limit is 191");
  EXPECT_SAYS(Verdict(kPlainProgram, 0), "uses weights (base register 0), which is not set or empty");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "cols=4\n", "cols=5\n")),
              "reaches byte 39 of an input (base register 2), whose limit is 32");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "cols=4\n", "cols=4 offset=8\n")), "reaches byte 39");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "base=2", "base=3")), "uses an input (base register 3), which is not set");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "base=8", "base=14")),
              "uses an output (base register 14), which is not set");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "base=8", "base=1")),
              "uses the workspace (base register 1), which is not set");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "base=2", "base=15")), "reads the status page");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "planes=1 rows=1 cols=4 addr=8", "planes=4095 rows=100 cols=4 addr=8")),
              "copies more words than activation memory has");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "rows=1 cols=4\n", "rows=2 cols=4 row_stride=4294967295\n")),
              "reaches byte 4294967326 of an input");
}

TEST(IsaVerify, ReadOnlyRegisters) {
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "base=8", "base=0")),
              "writes to weights (base register 0), which is read-only");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "base=8", "base=2")),
              "writes to an input (base register 2), which is read-only");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "base=8", "base=15")),
              "writes to the status page (base register 15), which is read-only");
}

TEST(IsaVerify, Balances) {
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "Save wait=conv signal=conv", "Save wait=conv")),
              "the bodies are not balanced: 1 more waits than signals from save to conv");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "LoadWeights", "LoadWeights signal=vector")),
              "the bodies are not balanced: 1 more signals than waits from load to vector");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "acquire=2048", "acquire=2047")),
              "acquire 2047 weight ring rows and release 2048");
  EXPECT_SAYS(Verdict(Replace(Replace(kPlainProgram, "acquire=2048", "acquire=3"), "release=2048", "release=3")),
              "acquire 3 weight ring rows, no multiple of the ring's 2048");
}

TEST(IsaVerify, Deadlocks) {
  const std::string verdict = Verdict(Replace(kPlainProgram, "Sync signal=load", ""));
  EXPECT_SAYS(verdict, "deadlock:\n  load body instruction 1 of request 0 `Load wait=conv signal=conv");
  EXPECT_SAYS(verdict, "waits for a token from conv\n  conv body instruction 0 of request 0");
  EXPECT_SAYS(verdict, "waits for a token from load");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "Sync signal=conv", "")), "waits for a token from conv");  // save's turn
  // Twice the ring before anything is released.
  const std::string twice = Replace(
      Replace(kPlainProgram, "LoadWeights rows=3 acquire=2048",
              "LoadWeights rows=3 acquire=2048\nLoadWeights acquire=2048"),
      ".stream save prologue",
      "Conv in_w=4 in_h=1 dst=8 dst_step=1 out_w=4 out_h=1 ic_groups=1 oc_groups=1 kernel_h=1 kernel_w=1 stride_h=1 "
      "stride_w=1 dilation_h=1 dilation_w=1 release=2048 keep=1\n.stream save prologue");
  EXPECT_SAYS(Verdict(twice),
              "load body instruction 1 of request 0 `LoadWeights acquire=2048` waits for free weight ring rows");
}

/// `signals` tokens to Conv before the one to Vector for which Conv waits first.
std::string ManySignals(int signals) {
  std::string text = kPlainProgram;
  std::string load, conv;
  for (int i = 0; i < signals; ++i) {
    load += "Sync signal=conv\n";
    conv += "Sync wait=load\n";
  }
  text = Replace(text, ".stream load body\n", ".stream load body\n" + load + "Sync signal=vector\n");
  text = Replace(text, ".stream conv body\n", ".stream conv body\nSync wait=vector\n" + conv);
  return text + ".stream vector body\nSync wait=load signal=conv\n";
}

TEST(IsaVerify, FullTokenCounters) {
  EXPECT_EQ(Verdict(ManySignals(kTokenLimit)), "");
  EXPECT_SAYS(Verdict(ManySignals(kTokenLimit + 1)),
              "load body instruction 15 of request 0 `Sync signal=conv` stalls: its token counter is full to conv");
}

TEST(IsaVerify, ManyTokensThatOnlyStallAreFine) {
  // Load runs 40 tokens ahead of a Conv that takes them one by one: it stalls and goes on.
  std::string text = kPlainProgram;
  for (int i = 0; i < 40; ++i) {
    text = Replace(text, ".stream load body\n", ".stream load body\nSync signal=conv\n");
    text = Replace(text, ".stream conv body\n", ".stream conv body\nSync wait=load\n");
  }
  EXPECT_EQ(Verdict(text), "");
}

/// A stall is an order too: the 16th signal can only be given once Conv has started to take the first.
TEST(IsaVerify, StallsOrder) {
  const auto program = [](int signals) {
    std::string load, conv;
    for (int i = 0; i < signals; ++i) load += "Sync signal=conv\n";
    for (int i = 0; i < signals; ++i) conv += "Sync wait=load\n";
    // The Conv reads words 0…3; the last Load overwrites them with nothing but the stall between.
    std::string text = Replace(kPlainProgram, ".stream conv prologue",
                               load + "Load base=2 planes=1 rows=1 cols=4\n.stream conv prologue");
    return Replace(text, ".stream save prologue", conv + ".stream save prologue");
  };
  EXPECT_EQ(Verdict(program(16)), "");
  EXPECT_SAYS(Verdict(program(15)), "race:");
}

TEST(IsaVerify, Races) {
  // Read after write.
  EXPECT_SAYS(Verdict(Replace(Replace(kPlainProgram, "Load wait=conv signal=conv", "Load wait=conv"),
                              "Conv wait=load,save", "Conv wait=save")),
              "race: ");
  std::string text = Replace(Replace(kPlainProgram, "Conv wait=load,save", "Conv wait=save"),
                             "Load wait=conv signal=conv", "Load wait=conv");
  text = Replace(text, "LoadWeights rows", "LoadWeights signal=conv rows");
  text = Replace(text, "Conv wait=save", "Conv wait=save,load");
  EXPECT_SAYS(Verdict(text),
              "race: reads activation word 0 with no token between it and load body instruction 1 of request 0 `Load "
              "wait=conv base=2 planes=1 rows=1 cols=4`, which writes it");
  // Write after read, in the next request: weights stay in the ring, so that nothing but tokens orders Load and Conv.
  text = Replace(kPlainProgram, ".stream load body\nLoadWeights rows=3 acquire=2048\n",
                 ".stream load prologue\nLoadWeights rows=3 acquire=3\n.stream load body\n");
  text = Replace(text, "release=2048", "release=0");
  EXPECT_EQ(Verdict(text), "");
  text = Replace(Replace(text, "Load wait=conv signal=conv", "Load signal=conv"), "signal=load,save", "signal=save");
  text = Replace(text, "Sync signal=load", "");
  EXPECT_SAYS(Verdict(text),
              "race: reads activation word 0 with no token between it and load body instruction 0 of request");
  // Write after write: a Vector copy into Conv's destination.
  text = std::string(kPlainProgram) + ".stream vector body\nElementwise wait=load planes=1 rows=1 cols=1 dst=8\n";
  text = Replace(text, "Load wait=conv signal=conv", "Load wait=conv signal=conv,vector");
  EXPECT_SAYS(Verdict(text), "which writes it");
  // Save reads before it is told to.
  text = Replace(Replace(kPlainProgram, "Save wait=conv", "Save"), "signal=load,save", "signal=load");
  EXPECT_SAYS(Verdict(text), "race: reads activation word 8 with no token between it and conv body instruction 0");
}

TEST(IsaVerify, RacesInOtherMemories) {
  // Workspace: the Load that reads back does not wait for the Save. Save waits instead for a token nobody needs.
  std::string text = Replace(Replace(kRichProgram, "Load wait=save base=1", "Load base=1"),
                             "Save wait=conv signal=load", "Save wait=conv");
  EXPECT_SAYS(Rich(text), "uninitialised: reads byte 0 of the workspace");
  // Two loads of the workspace, of which one is ordered.
  text = Replace(kRichProgram, "Save wait=vector signal=conv",
                 "Save base=1 planes=1 rows=1 cols=4 addr=8\nSave wait=vector signal=conv");
  EXPECT_SAYS(
      Rich(text),
      "race: writes byte 0 of the workspace (base register 1) with no token between it and load body instruction 3");
  // Vector memory: overwritten while a Depthwise of the request before may read it.
  text = Replace(Replace(kRichProgram, "LoadVector wait=conv,vector", "LoadVector wait=conv"),
                 "signal=save,load,conv planes", "signal=save,conv planes");
  text = Replace(text, "Sync signal=load,conv", "Sync signal=conv");
  EXPECT_SAYS(Rich(text),
              "race: reads vector memory row 0 with no token between it and load body instruction 1 of request 1");
  // Weight ring: released before the last Conv that reads it.
  text =
      Replace(kPlainProgram, ".stream save prologue",
              "Conv in_w=4 in_h=1 dst_step=1 out_w=4 out_h=1 ic_groups=1 oc_groups=1 kernel_h=1 kernel_w=1 stride_h=1 "
              "stride_w=1 dilation_h=1 dilation_w=1 keep=1\n.stream save prologue");
  text = Replace(text, "Conv wait=load,save signal=load,save", "Conv wait=load,save signal=save");
  text = Replace(text, "dilation_w=1 keep=1", "dilation_w=1 keep=1 signal=load");
  EXPECT_SAYS(Verdict(text),
              "race: reads weight ring row 0 with no token between it and load body instruction 0 of request 1");
  EXPECT_EQ(Verdict(Replace(Replace(text, " release=2048", ""), "keep=1 signal", "keep=1 release=2048 signal")), "");
}

// The overwriting Load hears, by way of a third engine, only of the instruction before the reader.
TEST(IsaVerify, RacesThatOverwriteParameters) {
  const std::string window =
      " in_h=0 out_w=1 out_h=1 kernel_h=1 kernel_w=1 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 keep=1";
  // The body's own weights stay in the ring, which so never comes round.
  const std::string resident =
      Replace(Replace(kPlainProgram, "LoadWeights rows=3 acquire=2048\n", ""), "release=2048", "release=0");
  const std::string ring = resident + R"(
.stream load prologue
LoadWeights rows=3 acquire=3
LoadWeights rows=1 row=9 acquire=1 signal=conv
LoadWeights wait=vector rows=1 row=9 acquire=1
.stream vector prologue
Sync wait=conv signal=load
.stream conv prologue
Sync wait=load signal=vector
Conv weights=9 dst_step=1 ic_groups=1 oc_groups=1)" +
                           window + " release=1\n";
  EXPECT_SAYS(Verdict(ring), "race: writes weight ring row 9 with no token between it and conv prologue instruction 2");
  EXPECT_EQ(Verdict(Replace(Replace(ring, "Sync wait=load signal=vector", "Sync wait=load"), "release=1\n",
                            "signal=vector\n")),
            "");
  const std::string vector = std::string(kPlainProgram) + R"(
.stream load prologue
LoadVector rows=20 signal=vector
LoadVector wait=save rows=20
.stream save prologue
Sync wait=vector signal=load
.stream vector prologue
Sync wait=load signal=save
Depthwise groups=1)" + window +
                             "\n";
  EXPECT_SAYS(Verdict(vector),
              "race: writes vector memory row 0 with no token between it and vector prologue instruction 1");
  EXPECT_EQ(Verdict(Replace(Replace(vector, "Sync wait=load signal=save", "Sync wait=load"), "keep=1\n",
                            "keep=1 signal=save\n")),
            "");
}

TEST(IsaVerify, Uninitialised) {
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "in_w=4 in_h=1", "in_w=5 in_h=1 pad_left=-1")),
              "conv body instruction 0 of request 0");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "in_w=4 in_h=1", "in_w=5 in_h=1 pad_left=-1")),
              "uninitialised: reads activation word 4, which nobody has written");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "LoadWeights rows=3", "LoadWeights rows=2")),
              "uninitialised: reads weight ring row 2");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "LoadWeights rows=3", "LoadWeights row=1 rows=3"), 192),
              "uninitialised: reads weight ring row 0");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "release=2048", "accumulate=1 release=2048")),
              "uninitialised: reads partial entry 0");
  EXPECT_SAYS(Rich(Replace(kRichProgram, "rows=64", "rows=53")), "uninitialised: reads vector memory row 53");
  EXPECT_SAYS(Rich(Replace(kRichProgram, "Depthwise wait=load keep=1", "Depthwise wait=load dst=90")),
              "uninitialised: reads vector partial entry 0");
  EXPECT_SAYS(Rich(Replace(kRichProgram, "cols=4 addr=40", "cols=4 offset=0 addr=41")),
              "uninitialised: reads activation word 40");
  EXPECT_SAYS(Verdict(Replace(kRichProgram, "Load wait=save base=1", "Load wait=save offset=8 base=1"), 768, 64),
              "uninitialised: reads byte 32 of the workspace");
}

TEST(IsaVerify, RingWrapsAround) {
  const std::string text = Replace(Replace(kPlainProgram, "LoadWeights rows=3", "LoadWeights row=2046 rows=3"),
                                   "release=2048", "weights=2046 release=2048");
  EXPECT_EQ(Verdict(text), "");
  EXPECT_SAYS(Verdict(Replace(text, "weights=2046", "weights=2047")), "uninitialised: reads weight ring row 1");
}

TEST(IsaVerify, RingUnderflow) {
  // Conv gives back two rings' worth while only one is surely acquired; the second acquisition comes when it likes.
  std::string text = Replace(kPlainProgram, "signal=conv base=2 planes=1 rows=1 cols=4",
                             "signal=conv base=2 planes=1 rows=1 cols=4\nLoadWeights acquire=2048");
  text = Replace(text, ".stream save prologue",
                 "Conv in_w=4 in_h=1 dst_step=1 out_w=4 out_h=1 ic_groups=1 oc_groups=1 kernel_h=1 kernel_w=1 "
                 "stride_h=1 stride_w=1 "
                 "dilation_h=1 dilation_w=1 release=2048 keep=1\n.stream save prologue");
  EXPECT_SAYS(Verdict(text), "releases more weight ring rows than are held by then");
}

TEST(IsaVerify, PartialSumsKeepTheirShape) {
  EXPECT_SAYS(Rich(Replace(kRichProgram, "accumulate=1 in_w=4 in_h=1 dst=8 dst_step=1 out_w=4 out_h=1",
                           "accumulate=1 in_w=4 in_h=1 dst=8 dst_step=1 out_w=2 out_h=1")),
              "accumulates on partial entry 0, left there by a tile of another shape: conv body instruction 0");
}

TEST(IsaVerify, OutputsMustBeComplete) {
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "cols=4 addr=8", "cols=3 addr=8")),
              "request 0 ends with output 'y' incomplete: byte 24 of 32 is never written");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "cols=4 addr=8", "cols=3 offset=8 addr=8")),
              "byte 0 of 32 is never written");
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "rows=1 cols=4 addr=8", "rows=2 cols=1 row_stride=16 row_pitch=1 addr=8")),
              "byte 8 of 32 is never written");
  EXPECT_SAYS(Verdict(""), "byte 0 of 32 is never written");
}

/// A body may rely on what the request before left on chip, but not on its DRAM.
TEST(IsaVerify, WorkspaceIsNewForEachRequest) {
  // The workspace is written in the prologue only (register values of request 0) and read in each body.
  const std::string text = R"(
.stream load prologue
Load base=2 planes=1 rows=1 cols=4 signal=save
.stream save prologue
Save wait=load base=1 planes=1 rows=1 cols=4 signal=load
.stream load body
Load wait=save base=1 planes=1 rows=1 cols=4 signal=save
.stream save body
Save wait=load base=8 planes=1 rows=1 cols=4 signal=load
)";
  EXPECT_SAYS(Verdict(text, 192, 32), "load body instruction 0 of request 1");
  EXPECT_SAYS(Verdict(text, 192, 32), "uninitialised: reads byte 0 of the workspace");
  EXPECT_EQ(Verdict(Replace(text, "Load wait=save base=1", "Load wait=save base=2"), 192, 32), "");
}

TEST(IsaVerify, NamesTheNode) {
  EXPECT_SAYS(Verdict(Replace(kPlainProgram, "in_w=4 in_h=1", "in_w=5 in_h=1 pad_left=-1")),
              "(node 'conv_0'): uninitialised");
}

}  // namespace
}  // namespace xrun
