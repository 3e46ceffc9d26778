#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "isa/atomic_file.h"
#include "isa/program.h"
#include "isa_test_program.h"

namespace xrun {
namespace {

using test::kPlainProgram;
using test::MakeProgram;

namespace fs = std::filesystem;

/// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "xrun-isa-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  size_t Files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

/// Every part of the metadata in use: a CPU step, a constant, nodes, ranges, watches, a channel map.
Program FullProgram() {
  Program p = MakeProgram(kPlainProgram, 192, 64);
  auto values = std::make_shared<std::vector<uint8_t>>(std::vector<uint8_t>{0, 0, 128, 63, 0, 0, 0, 64});
  p.storage.push_back(values);
  p.tensors.push_back({"scale", ElementType::kFloat32, {2}, 0.0F, 0});
  p.tensors.push_back({"probabilities", ElementType::kFloat32, {1, 8}, 0.0F, 0});
  p.tensors.push_back({"", ElementType::kInt64, {0, 3}, 0.0F, 0});
  p.constants = {{2, *values}, {4, {}}};
  p.nodes.push_back({"softmax", "Softmax", "cpu", "needs exact sums", 0});
  p.cpu_steps = {{"Softmax", {{"axis", {-1.0}}, {"pads", {0.5, 2.0}}}, {1, -1, 2, 4}, {3}, 1}};
  p.steps.push_back({Step::Kind::kCpu, 0});
  p.outputs = {3, 1};
  p.overlay_steps[0].watches = {{"inner", 32, {1, 8, 1, 4, 1, {}}, 0.125F, 5, {1, 8, 4}, 1}};
  p.overlay_steps[0].inputs[0].layout.channel_map = {7, 6, 5, 4, 3, 2, 1, 0};
  p.preprocessing = R"({"scale": 1})";
  p.info = {{"calibration", "mse"}, {"compiler", "0.1"}, {"options", "-O2"}};
  return p;
}

std::shared_ptr<const std::vector<uint8_t>> Bytes(const Program& program) {
  auto bytes = Serialize(program);
  EXPECT_TRUE(bytes.ok()) << bytes.failure().ToString();
  return std::make_shared<const std::vector<uint8_t>>(*std::move(bytes));
}

TEST(IsaProgram, RoundTrip) {
  const Program p = FullProgram();
  const auto bytes = Bytes(p);
  const auto parsed = ParseProgram(bytes, "test");
  ASSERT_TRUE(parsed.ok()) << parsed.failure().ToString();
  const Program& q = *parsed;
  EXPECT_EQ(*Bytes(q), *bytes) << "canonical: the same program gives the same bytes";
  EXPECT_EQ(q.model_name, "small");
  EXPECT_EQ(q.config, p.config);
  EXPECT_EQ(q.capabilities, 1U);
  EXPECT_EQ(q.tensors.size(), 5U);
  EXPECT_EQ(q.tensors[1].name, "y");
  EXPECT_EQ(q.tensors[1].scale, 0.25F);
  EXPECT_EQ(q.tensors[1].zero_point, -7);
  EXPECT_EQ(q.tensors[4].shape, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(q.outputs, p.outputs);
  EXPECT_EQ(q.steps[1].kind, Step::Kind::kCpu);
  EXPECT_EQ(q.cpu_steps[0].attributes[1].values, (std::vector<double>{0.5, 2.0}));
  EXPECT_EQ(q.cpu_steps[0].inputs, (std::vector<int32_t>{1, -1, 2, 4}));
  EXPECT_EQ(q.constants[0].bytes.size(), 8U);
  EXPECT_EQ(q.constants[0].bytes[7], 64);
  EXPECT_EQ(q.nodes[1].reason, "needs exact sums");
  EXPECT_EQ(q.overlay_steps[0].inputs[0].layout.channel_map.front(), 7U);
  EXPECT_EQ(q.overlay_steps[0].watches[0].workspace_offset, 32U);
  EXPECT_EQ(q.overlay_steps[0].watches[0].shape, (std::vector<int64_t>{1, 8, 4}));
  EXPECT_EQ(q.overlay_steps[0].watches[0].node, 1U);
  EXPECT_EQ(q.overlay_steps[0].ranges[0].engine, kConv);
  EXPECT_EQ(q.preprocessing, p.preprocessing);
  EXPECT_EQ(q.info, p.info);
  EXPECT_TRUE(std::equal(q.weights.begin(), q.weights.end(), p.weights.begin(), p.weights.end()));
  for (size_t e = 0; e < kEngines; ++e) {
    EXPECT_TRUE(std::equal(q.overlay_steps[0].body[e].begin(), q.overlay_steps[0].body[e].end(),
                           p.overlay_steps[0].body[e].begin(), p.overlay_steps[0].body[e].end()));
  }
  EXPECT_EQ(NodeOf(q, q.overlay_steps[0], kConv, 0), "conv_0");
  EXPECT_EQ(NodeOf(q, q.overlay_steps[0], kLoad, 0), "");
}

TEST(IsaProgram, SectionsForDmaArePageAligned) {
  const Folder folder;
  ASSERT_TRUE(WriteProgram(FullProgram(), folder / "a.xprog").ok());
  const auto program = ReadProgram(folder / "a.xprog");
  ASSERT_TRUE(program.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(program->weights.data()) % 4096, 0U);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(program->overlay_steps[0].body[kLoad].data()) % 4096, 0U);
}

TEST(IsaProgram, ParsedBytesAreUsedInPlace) {
  const auto bytes = Bytes(FullProgram());
  const auto parsed = ParseProgram(bytes, "test");
  ASSERT_TRUE(parsed.ok());
  EXPECT_GE(parsed->weights.data(), bytes->data());
  EXPECT_LT(parsed->weights.data(), bytes->data() + bytes->size());
}

TEST(IsaProgram, FilesAreMappedAndReplacedWhole) {
  const Folder folder;
  const fs::path path = folder / "a.xprog";
  ASSERT_TRUE(WriteProgram(FullProgram(), path).ok());
  ASSERT_TRUE(WriteProgram(FullProgram(), path).ok());
  EXPECT_EQ(folder.Files(), 1U);
  auto program = ReadProgram(path);
  ASSERT_TRUE(program.ok()) << program.failure().ToString();
  fs::remove(path);
  EXPECT_EQ(program->weights.size(), 192U);  // the mapping outlives the name
  EXPECT_EQ(program->weights[0], 1);
}

TEST(IsaProgram, UnreadableFiles) {
  const Folder folder;
  EXPECT_NE(ReadProgram(folder / "none.xprog").failure().message.find("none.xprog: cannot be read: No such file"),
            std::string::npos);
  EXPECT_NE(ReadProgram(folder / "").failure().message.find("not a regular file"), std::string::npos);
  std::ofstream(folder / "empty.xprog").flush();
  EXPECT_NE(ReadProgram(folder / "empty.xprog").failure().message.find("empty.xprog: the file is empty"),
            std::string::npos);
  std::ofstream(folder / "text.xprog") << "hello, this is no program";
  EXPECT_NE(ReadProgram(folder / "text.xprog").failure().message.find("text.xprog: not a program file"),
            std::string::npos);
}

TEST(IsaProgram, FailedWritesLeaveNothingBehind) {
  const Folder folder;
  EXPECT_NE(
      WriteProgram(FullProgram(), folder / "no/such/a.xprog").failure().message.find("cannot be written: No such file"),
      std::string::npos);
  fs::create_directory(folder / "dir");
  EXPECT_NE(WriteProgram(FullProgram(), "/dev/full").failure().message.find("No space left"), std::string::npos);
  EXPECT_FALSE(std::filesystem::is_regular_file("/dev/full"));
  EXPECT_NE(WriteProgram(FullProgram(), folder / "dir").failure().message.find("is a directory"), std::string::npos);
  fs::remove(folder / "dir");
  // A file size limit stands in for a full disk: write() fails half way.
  std::ofstream(folder / "a.xprog") << "before";
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = WriteProgram(FullProgram(), folder / "a.xprog");
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.failure().message.find("a.xprog: writing failed after 4096 bytes: File too large"),
            std::string::npos)
      << status.failure().message;
  EXPECT_EQ(folder.Files(), 1U);
  std::string left;
  std::ifstream(folder / "a.xprog") >> left;
  EXPECT_EQ(left, "before");
}

struct BadStructure {
  const char* message;
  void (*change)(Program&);
};

TEST(IsaProgram, StructureIsChecked) {
  const BadStructure cases[] = {
      {"pixels is 0", [](Program& p) { p.config.pixels = 0; }},
      {"tensor 0 'x': unknown element type 9", [](Program& p) { p.tensors[0].type = static_cast<ElementType>(9); }},
      {"tensor 0 'x': has a dimension of -1", [](Program& p) { p.tensors[0].shape = {-1}; }},
      {"tensor 3 'probabilities': is larger than",
       [](Program& p) {
         p.tensors[3].shape = {1 << 20, 1 << 20, 1 << 30};
       }},
      {"tensor 3 'probabilities': has 17 dimensions", [](Program& p) { p.tensors[3].shape.assign(17, 1); }},
      {"its scale is not a finite number", [](Program& p) { p.tensors[0].scale = -1; }},
      {"its scale is not a finite number",
       [](Program& p) { p.tensors[0].scale = std::numeric_limits<float>::quiet_NaN(); }},
      {"crosses to the overlay without a scale", [](Program& p) { p.tensors[0].scale = 0; }},
      {"zero point 128 is not an int8", [](Program& p) { p.tensors[0].zero_point = 128; }},
      {"model input 0: names tensor 9 of 5", [](Program& p) { p.inputs = {9}; }},
      {"model output 1: names tensor 5 of 5",
       [](Program& p) {
         p.outputs = {3, 5};
       }},
      {"two model outputs are named 'y'",
       [](Program& p) {
         p.outputs = {1, 1};
       }},
      {"model input 0 has no name", [](Program& p) { p.tensors[0].name = ""; }},
      {"constant 0: 8 bytes for tensor 2 'scale' of 12", [](Program& p) { p.tensors[2].shape = {3}; }},
      {"constant 1: makes tensor 2 'scale', which exists already", [](Program& p) { p.constants[1].tensor = 2; }},
      {"step 0: overlay step 1 of 1", [](Program& p) { p.steps[0].index = 1; }},
      {"step 2: overlay step 0 runs twice", [](Program& p) { p.steps.push_back(p.steps[0]); }},
      {"an overlay or CPU step is never run", [](Program& p) { p.steps.pop_back(); }},
      {"step 0 (CPU): Softmax: uses tensor 1 'y' before it is made",
       [](Program& p) { std::swap(p.steps[0], p.steps[1]); }},
      {"step 1 (CPU): has no operator", [](Program& p) { p.cpu_steps[0].op = ""; }},
      {"step 1 (CPU): names node 7 of 2", [](Program& p) { p.cpu_steps[0].node = 7; }},
      {"Softmax: names tensor -2 of 5", [](Program& p) { p.cpu_steps[0].inputs[0] = -2; }},
      {"Softmax: names tensor -1 of 5", [](Program& p) { p.cpu_steps[0].outputs[0] = -1; }},
      {"Softmax: makes tensor 0 'x', which exists already", [](Program& p) { p.cpu_steps[0].outputs[0] = 0; }},
      {"Softmax: an attribute has no name", [](Program& p) { p.cpu_steps[0].attributes[0].name = ""; }},
      {"tensor 0 'x': base register 8, outside 2…7", [](Program& p) { p.overlay_steps[0].inputs[0].base = 8; }},
      {"tensor 1 'y': base register 15, outside 8…14", [](Program& p) { p.overlay_steps[0].outputs[0].base = 15; }},
      {"tensor 1 'y': crosses to the overlay and is not int8",
       [](Program& p) { p.tensors[1].type = ElementType::kInt32; }},
      {"its layout has 64 elements, its shape 32", [](Program& p) { p.overlay_steps[0].outputs[0].layout.batch = 2; }},
      {"its layout is dense but has groups or a channel map",
       [](Program& p) {
         p.overlay_steps[0].outputs[0].layout.dense = true;
         p.overlay_steps[0].outputs[0].layout.groups = 2;
       }},
      {"its layout has a dimension of 0", [](Program& p) { p.overlay_steps[0].outputs[0].layout.groups = 0; }},
      {"its layout is larger than", [](Program& p) { p.overlay_steps[0].outputs[0].layout.groups = UINT32_MAX; }},
      {"its layout has 9 channels in 1 groups of 8",
       [](Program& p) { p.overlay_steps[0].outputs[0].layout.channels = 9; }},
      {"its channel map has 2 entries for 8 channels",
       [](Program& p) {
         p.overlay_steps[0].outputs[0].layout.channel_map = {0, 1};
       }},
      {"its channel map names channel 8 of 8",
       [](Program& p) { p.overlay_steps[0].inputs[0].layout.channel_map[0] = 8; }},
      {"its channel map names a channel twice",
       [](Program& p) { p.overlay_steps[0].inputs[0].layout.channel_map[0] = 6; }},
      {"a workspace of", [](Program& p) { p.overlay_steps[0].workspace_bytes = UINT64_MAX; }},
      {"watch 'inner': lies outside the workspace",
       [](Program& p) { p.overlay_steps[0].watches[0].workspace_offset = 33; }},
      {"watch 'inner': lies outside the workspace",
       [](Program& p) { p.overlay_steps[0].watches[0].workspace_offset = UINT64_MAX; }},
      {"watch 'inner': names node 2 of 2", [](Program& p) { p.overlay_steps[0].watches[0].node = 2; }},
      {"watch 'inner': its layout has 32 elements, its shape 24",
       [](Program& p) {
         p.overlay_steps[0].watches[0].shape = {8, 3};
       }},
      {"watch 'inner': has a dimension of -8",
       [](Program& p) {
         p.overlay_steps[0].watches[0].shape = {-8, -4};
       }},
      {"node range 0: names node 5 of 2", [](Program& p) { p.overlay_steps[0].ranges[0].node = 5; }},
      {"node range 0: ends at instruction 2 of 1", [](Program& p) { p.overlay_steps[0].ranges[0].count = 2; }},
      {"node range 0: ends at instruction 4294967296 of 1",
       [](Program& p) { p.overlay_steps[0].ranges[0].first = UINT32_MAX; }},
      {"node range 1: does not follow",
       [](Program& p) { p.overlay_steps[0].ranges.push_back(p.overlay_steps[0].ranges[0]); }},
      {"output tensor 3 'probabilities' is made by no step", [](Program& p) { p.cpu_steps[0].outputs = {}; }},
  };
  for (const BadStructure& c : cases) {
    Program p = FullProgram();
    c.change(p);
    const Status status = Verify(p);
    ASSERT_FALSE(status.ok()) << c.message;
    EXPECT_NE(status.failure().message.find(c.message), std::string::npos)
        << "expected: " << c.message << "\nsays: " << status.failure().message;
    EXPECT_FALSE(Serialize(p).ok()) << c.message;
  }
  EXPECT_TRUE(Verify(FullProgram()).ok()) << Verify(FullProgram()).failure().message;
}

TEST(IsaProgram, ParsingVerifiesTheInstructionsToo) {
  const Program p = MakeProgram(test::Replace(kPlainProgram, "cols=4 addr=8", "cols=3 addr=8"));
  const auto parsed = ParseProgram(Bytes(p), "bad.xprog");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.failure().message,
            "bad.xprog: overlay step 0: request 0 ends with output 'y' incomplete: byte 24 of 32 is never written");
}

}  // namespace
}  // namespace xrun
