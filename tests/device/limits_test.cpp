// Launches that must not succeed, and that the device works afterwards: limits of base registers, illegal
// instructions, read-only registers, cycle limit, deadlock, abort.

#include <thread>

#include "tests/device/device_under_test.h"

namespace xrun::test {
namespace {

using runtime::DeviceRequest;
using runtime::LaunchState;
using namespace std::chrono_literals;

constexpr uint32_t kWords = 32;

/// Copies kWords words from register 2 to register 8 by way of activation memory.
constexpr const char* kCopy = R"(
.stream load body
Load wait=save signal=save base=2 planes=1 rows=1 cols=32
.stream save prologue
Sync signal=load
.stream save body
Save wait=load signal=load base=8 planes=1 rows=1 cols=32
)";

class LimitsTest : public DeviceTest {
 protected:
  std::shared_ptr<const Program> Assemble(const std::string& text) {
    auto assembled = AssembleProgram(text);
    EXPECT_TRUE(assembled.ok()) << assembled.failure().message;
    auto words = std::make_shared<Streams>(*std::move(assembled));
    auto program = std::make_shared<Program>();
    program->config = config();
    program->capabilities = 1;
    program->nodes = {{"node_of_load", "Conv", "overlay", "", 0}};
    OverlayStep& step = program->overlay_steps.emplace_back();
    for (size_t e = 0; e < kEngines; ++e) {
      step.prologue[e] = words->engines[e].prologue;
      step.body[e] = words->engines[e].body;
    }
    step.ranges = {{0, kLoad, 0, 1}};
    program->storage = {words};
    return program;
  }
  struct Ended {
    runtime::LaunchOutcome outcome;
    std::vector<uint8_t> output;
  };
  /// One launch of `requests` requests; inputs hold 1, 2, 3, …; `shrink` bytes are missing from the input's limit.
  Ended Launch(const std::string& text, uint32_t requests = 1, uint64_t shrink = 0,
               const runtime::LaunchOptions& options = {}) {
    Ended ended;
    const uint64_t bytes = uint64_t{kWords} * config().channels;
    auto buffer = device().Allocate(uint64_t{requests} * 8192);
    auto loaded = device().Load(Assemble(text));
    EXPECT_TRUE(buffer.ok() && loaded.ok());
    auto lane = (*loaded)->OpenLane(requests);
    EXPECT_TRUE(lane.ok());
    std::vector<DeviceRequest> table(requests);
    std::vector<const DeviceRequest*> pointers;
    for (uint32_t r = 0; r < requests; ++r) {
      const uint64_t at = uint64_t{r} * 8192;
      for (uint64_t i = 0; i < bytes; ++i) (*buffer)->host()[at + i] = static_cast<uint8_t>(i + r);
      table[r].registers[kBaseInput0] = {buffer->get(), at, bytes - shrink};
      table[r].registers[kBaseOutput0] = {buffer->get(), at + 4096, bytes};
      pointers.push_back(&table[r]);
    }
    EXPECT_TRUE((*buffer)->SyncToDevice(0, (*buffer)->host().size()).ok());
    (*lane)->Launch(0, pointers, options, ended.outcome);
    EXPECT_TRUE((*buffer)->SyncFromDevice(0, (*buffer)->host().size()).ok());
    ended.output.assign((*buffer)->host().begin(), (*buffer)->host().end());
    return ended;
  }
  /// The device does as it should, with several requests in a launch.
  void ExpectWorks() {
    for (uint32_t requests : {1U, 16U}) {
      const Ended ended = Launch(kCopy, requests);
      ASSERT_EQ(ended.outcome.state, LaunchState::kDone) << ended.outcome.failure.ToString();
      for (uint32_t r = 0; r < requests; ++r) {
        for (uint64_t i = 0; i < uint64_t{kWords} * config().channels; ++i) {
          ASSERT_EQ(ended.output[r * 8192 + 4096 + i], static_cast<uint8_t>(i + r));
        }
      }
    }
  }
  static void ExpectNames(const Ended& ended, std::initializer_list<const char*> words) {
    for (const char* word : words) {
      EXPECT_NE(ended.outcome.failure.message.find(word), std::string::npos)
          << word << " in: " << ended.outcome.failure.message;
    }
  }
};

TEST_F(LimitsTest, TheFrameWorks) { ExpectWorks(); }

TEST_F(LimitsTest, BeyondTheLimitOfABaseRegister) {
  const Ended ended = Launch(kCopy, 1, 1);
  EXPECT_EQ(ended.outcome.state, LaunchState::kTrapped);
  ExpectNames(ended, {"load", "instruction 0", "Load", "node_of_load"});
  ExpectWorks();
}

TEST_F(LimitsTest, ARegisterThatIsNotSet) {
  const Ended ended = Launch(R"(
.stream load body
Load base=5 planes=1 rows=1 cols=32
)");
  EXPECT_EQ(ended.outcome.state, LaunchState::kTrapped);
  ExpectWorks();
}

TEST_F(LimitsTest, AnIllegalInstruction) {
  const Ended ended = Launch(R"(
.stream conv body
.word 0xEE 0x0 0x0 0x0 0x0 0x0 0x0 0x0
)");
  EXPECT_EQ(ended.outcome.state, LaunchState::kTrapped);
  ExpectNames(ended, {"conv", "instruction 0"});
  ExpectWorks();
}

TEST_F(LimitsTest, AnAddressBeyondActivationMemory) {
  const Ended ended = Launch(R"(
.stream load body
Load base=2 planes=1 rows=1 cols=32 addr=262143
)");
  EXPECT_EQ(ended.outcome.state, LaunchState::kTrapped);
  ExpectWorks();
}

TEST_F(LimitsTest, AWriteToAnInput) {
  const Ended ended = Launch(R"(
.stream load body
Load signal=save base=2 planes=1 rows=1 cols=32
.stream save body
Save wait=load base=2 planes=1 rows=1 cols=32
)");
  EXPECT_EQ(ended.outcome.state, LaunchState::kTrapped);
  ExpectNames(ended, {"save"});
  ExpectWorks();
}

TEST_F(LimitsTest, TheCycleLimit) {
  runtime::LaunchOptions options;
  options.cycle_limit = 20;
  const Ended ended = Launch(kCopy, 4, 0, options);
  EXPECT_EQ(ended.outcome.state, LaunchState::kCycleLimit) << ended.outcome.failure.ToString();
  ExpectWorks();
}

/// Engines that wait for each other end by the limit and the failure says where each of them stood.
TEST_F(LimitsTest, ADeadlock) {
  runtime::LaunchOptions options;
  options.cycle_limit = 100000;
  const Ended ended = Launch(R"(
.stream load body
Load wait=save signal=save base=2 planes=1 rows=1 cols=32
.stream save body
Save wait=load signal=load base=8 planes=1 rows=1 cols=32
)",
                             1, 0, options);
  EXPECT_EQ(ended.outcome.state, LaunchState::kCycleLimit) << ended.outcome.failure.ToString();
  ExpectWorks();
}

}  // namespace
}  // namespace xrun::test
