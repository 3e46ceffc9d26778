// The XRT device on a board that misbehaves: each fault is reported for what it is, costs no other request, leaves
// nothing behind, and the next request is right.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "isa/atomic_file.h"
#include "runtime/internal.h"
#include "runtime/xrt_device.h"
#include "tests/stand_in_board/board.h"
#include "tests/stand_in_board/scaling.h"
#include "tests/stand_in_board/xclbin_writer.h"
#include "tests/unit/runtime_test_program.h"

namespace xrun::test {
namespace {

using namespace std::chrono_literals;
using stand_in::Board;
using stand_in::BoardCounts;
using stand_in::Fault;

std::string Xclbin(uint32_t units, uint32_t banks = 1, std::vector<uint32_t> reached = {0}) {
  XclbinOptions options;
  options.config = BuiltInConfigs().front();  // B512, as the programs of runtime_test_program.h
  options.units = units;
  options.banks = banks;
  options.bank_bytes = 64 << 20;
  options.reached = std::move(reached);
  std::string path = testing::TempDir() + "xrun_" + std::to_string(units) + "_" + std::to_string(banks) + "_" +
                     std::to_string(::getpid()) + ".xclbin";
  const Status status = WriteXclbin(options, path);
  EXPECT_TRUE(status.ok()) << status.failure().message;
  return path;
}

std::string XrtName(const std::string& xclbin, const std::string& more = ",limit=0.1") {
  return "xrt:0,xclbin=" + xclbin + more;
}

api::Program Relu() { return internal::WrapProgram(std::make_shared<Program>(ReluProgram())); }

/// Input and expected output of request `seed`: max(q, 0).
void Fill(const api::Request& request, unsigned seed) {
  auto x = request.input("x").as<int8_t>();
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int8_t>(i * 37 + seed * 101);
}
bool IsRight(const api::Request& request, unsigned seed) {
  const auto y = request.output("y").as<int8_t>();
  for (size_t i = 0; i < y.size(); ++i) {
    if (y[i] != std::max<int8_t>(0, static_cast<int8_t>(i * 37 + seed * 101))) return false;
  }
  return true;
}

/// What is left on the board; commands and memory of launches given up may take a moment.
BoardCounts SettledCounts(const BoardCounts& expected) {
  BoardCounts counts;
  for (int i = 0; i < 400; ++i) {
    runtime::ReapXrtLaunches();
    counts = Board::Get().counts();
    if (counts == expected) break;
    std::this_thread::sleep_for(5ms);
  }
  return counts;
}

/// Launches that were given up run when their unit is repaired; they must not take the next fault.
void WaitUntilIdle() {
  for (int i = 0; i < 400 && Board::Get().counts().commands != 0; ++i) std::this_thread::sleep_for(5ms);
  runtime::ReapXrtLaunches();
}

std::string Text(const BoardCounts& c) {
  return std::to_string(c.buffers) + " buffers, " + std::to_string(c.bytes) + " bytes, " + std::to_string(c.contexts) +
         " contexts, " + std::to_string(c.commands) + " commands";
}

/// Words that the error of a fault must hold, one of each line.
std::vector<std::vector<std::string>> ExpectedWords(Fault fault) {
  switch (fault) {
    case Fault::kHang:
      return {{"no end after 300 ms"},
              {"reached: load: "},
              {"node 'relu_0'"},
              {"save: request 0, "},
              {"power"},
              {"heat"},
              {"clock"}};
    case Fault::kStall:
      return {{"cycle limit"}, {"reached: load: "}, {"power"}};
    case Fault::kErrorState:
      return {{"state ERROR"}};
    case Fault::kLostCompletion:
      return {{"completion is lost"}};
    case Fault::kCorruptOutput:
      return {{"verify: request 0, output register 8, byte "}};
    case Fault::kRefuseAllocation:
      return {{"no memory left"}};
    case Fault::kRemoval:
      return {{"device is gone", "does not answer", "state ABORT"}};
    case Fault::kBusyUnit:
      return {};
  }
  return {};
}

class FaultTest : public testing::Test {
 protected:
  void TearDown() override {
    Board::Get().Repair();
    WaitUntilIdle();
    Board::Get().SetOptions({});
  }

  static void ExpectWords(Fault fault, const std::string& text) {
    for (const auto& any : ExpectedWords(fault)) {
      EXPECT_TRUE(std::any_of(any.begin(), any.end(),
                              [&](const std::string& word) { return text.find(word) != std::string::npos; }))
          << stand_in::Name(fault) << ": '" << any[0] << "' is not in: " << text;
    }
  }

  /// One fault among `kRequests` requests under way.
  void Round(Fault fault, unsigned skip, std::optional<api::Device>& device) {
    constexpr unsigned kRequests = 8;
    Board& board = Board::Get();
    const std::string name = XrtName(xclbin_, ",limit=0.3,verify");
    if (!device) device.emplace(api::Device::open(name));
    WaitUntilIdle();
    const BoardCounts before = Board::Get().counts();
    {
      api::Session session(*device, Relu(), {.in_flight = kRequests, .requests_per_launch = 1});
      std::vector<api::Request> requests;
      for (unsigned i = 0; i < kRequests; ++i) requests.push_back(session.request());
      const uint32_t happened = board.faults_happened();
      board.Inject(fault, fault == Fault::kRefuseAllocation ? 0 : skip);
      std::vector<std::string> errors;
      const auto wait = [&](unsigned i) {
        try {
          requests[i].wait();
          EXPECT_TRUE(IsRight(requests[i], i)) << stand_in::Name(fault);
        } catch (const api::Error& error) {
          errors.push_back(error.what());
        }
      };
      if (fault == Fault::kRefuseAllocation) {
        try {
          session.request();  // beyond in_flight: needs memory
        } catch (const api::Error& error) {
          errors.push_back(error.what());
        }
      }
      for (unsigned i = 0; i < kRequests; ++i) {
        Fill(requests[i], i);
        requests[i].submit();
      }
      // Whoever stands behind a unit that hangs goes on when it is repaired, which is after the fault was reported.
      std::thread repairs([&] {
        if (fault != Fault::kHang && fault != Fault::kLostCompletion) return;
        const auto report = [&] { return runtime::ReportXrtDevice(*runtime::OpenDevice(name).value()).value().hangs; };
        for (int i = 0; i < 1000 && report() == hangs_; ++i) std::this_thread::sleep_for(2ms);
        hangs_ = report();
        board.Repair();
      });
      for (unsigned i = 0; i < kRequests; ++i) wait(i);
      repairs.join();
      EXPECT_EQ(board.faults_happened(), happened + 1) << stand_in::Name(fault);
      const size_t expected = fault == Fault::kBusyUnit ? 0 : 1;
      if (fault == Fault::kRemoval) {
        EXPECT_GE(errors.size(), 1U);
      } else {
        EXPECT_EQ(errors.size(), expected) << stand_in::Name(fault);
      }
      for (const std::string& error : errors) ExpectWords(fault, error);
      board.Repair();
      if (fault != Fault::kRemoval) {  // the next request is right, on every request's memory
        for (unsigned i = 0; i < kRequests; ++i) {
          Fill(requests[i], 50 + i);
          requests[i].submit();
        }
        for (unsigned i = 0; i < kRequests; ++i) {
          EXPECT_NO_THROW(requests[i].wait()) << stand_in::Name(fault);
          EXPECT_TRUE(IsRight(requests[i], 50 + i)) << stand_in::Name(fault);
        }
      }
    }
    if (fault == Fault::kRemoval) {
      device.reset();
      device.emplace(api::Device::open(name));
      hangs_ = 0;
      api::Session session(*device, Relu());
      api::Request request = session.request();
      Fill(request, 9);
      request.submit();
      EXPECT_NO_THROW(request.wait());
      EXPECT_TRUE(IsRight(request, 9));
      return;
    }
    const BoardCounts after = SettledCounts(before);
    EXPECT_EQ(after, before) << stand_in::Name(fault) << ": " << Text(after) << ", before " << Text(before);
  }

  const std::string xclbin_ = Xclbin(2);
  uint64_t hangs_ = 0;
};

/// XRUN_TEST_FAULT_ROUNDS times each fault, in random order; the seed is printed and can be given as XRUN_TEST_SEED.
TEST_F(FaultTest, EachFaultInRandomOrder) {
  const char* rounds_text = std::getenv("XRUN_TEST_FAULT_ROUNDS");
  const char* seed_text = std::getenv("XRUN_TEST_SEED");
  const unsigned rounds = rounds_text == nullptr ? 4 : static_cast<unsigned>(std::atoi(rounds_text));
  const unsigned seed =
      seed_text == nullptr ? std::random_device()() : static_cast<unsigned>(std::strtoul(seed_text, nullptr, 10));
  std::printf("XRUN_TEST_SEED=%u, each of %d faults %u times\n", seed, stand_in::kFaults, rounds);
  RecordProperty("seed", static_cast<int>(seed));
  std::mt19937 random(seed);
  std::vector<Fault> faults;
  for (int f = 0; f < stand_in::kFaults; ++f) faults.insert(faults.end(), rounds, static_cast<Fault>(f));
  for (size_t i = faults.size(); i > 1; --i) std::swap(faults[i - 1], faults[random() % i]);
  std::optional<api::Device> device;
  for (size_t i = 0; i < faults.size() && !HasFailure(); ++i) {
    SCOPED_TRACE("fault " + std::to_string(i) + ", XRUN_TEST_SEED=" + std::to_string(seed));
    Round(faults[i], random() % 8, device);
  }
}

/// On a machine so busy that the board's units get to everything long after the host's patience is over.
TEST_F(FaultTest, ASlowMachineIsNoHang) {
  stand_in::BoardOptions board;
  board.lateness = 300ms;
  Board::Get().SetOptions(board);
  const api::Device device = api::Device::open(XrtName(xclbin_));  // given up after 150 ms
  api::Session session(device, Relu());
  api::Request request = session.request();
  Fill(request, 1);
  request.submit();
  EXPECT_NO_THROW(request.wait());
  EXPECT_TRUE(IsRight(request, 1));
  Board::Get().Inject(Fault::kStall);
  request.submit();
  try {
    request.wait();
    FAIL() << "no error";
  } catch (const api::Error& error) {
    ExpectWords(Fault::kStall, error.what());
  }
}

/// Who opens a device whose unit does not come free is told so, and finds it when it is.
TEST_F(FaultTest, AUnitThatIsNotFreeDoesNotAnswerWhoOpens) {
  const std::string xclbin = Xclbin(1);
  const api::Device device = api::Device::open(XrtName(xclbin));
  api::Session session(device, Relu());
  api::Request request = session.request();
  Fill(request, 1);
  const uint32_t happened = Board::Get().faults_happened();
  Board::Get().Inject(Fault::kHang);
  request.submit();
  EXPECT_THROW(request.wait(), api::Error);
  EXPECT_EQ(Board::Get().faults_happened(), happened + 1);
  // Another board to libxrun, as another process's: the same xclbin by another name.
  const std::string other =
      "xrt:0,limit=0.1,xclbin=" + testing::TempDir() + "./" + std::filesystem::path(xclbin).filename().string();
  try {
    api::Device::open(other);
    ADD_FAILURE() << "opened";
  } catch (const api::Error& error) {
    EXPECT_NE(std::string(error.what()).find("does not answer the empty launch within 2000 ms"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("long launches of another process"), std::string::npos) << error.what();
  }
  Board::Get().Repair();
  WaitUntilIdle();
  EXPECT_NO_THROW(api::Device::open(other));
  request.submit();
  EXPECT_NO_THROW(request.wait());
  EXPECT_TRUE(IsRight(request, 1));
}

/// Nobody repairs: what stands behind the unit that hangs moves to the one that works.
TEST_F(FaultTest, AnotherUnitTakesOver) {
  const api::Device device = api::Device::open(XrtName(xclbin_, ",limit=0.03"));
  api::Session session(device, Relu(), {.in_flight = 8, .requests_per_launch = 1});
  std::vector<api::Request> requests;
  Board::Get().Inject(Fault::kHang);
  for (unsigned i = 0; i < 8; ++i) {
    requests.push_back(session.request());
    Fill(requests[i], i);
    requests[i].submit();
  }
  unsigned failed = 0;
  for (unsigned i = 0; i < 8; ++i) {
    try {
      requests[i].wait();
      EXPECT_TRUE(IsRight(requests[i], i));
    } catch (const api::Error& error) {
      ++failed;
      EXPECT_NE(std::string(error.what()).find("no end after"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(failed, 1U);
  Board::Get().Repair();
}

/// A unit that comes back after its launch was given up writes where nobody looks any more.
TEST_F(FaultTest, LateWritesOfAHungUnitMeetNobody) {
  auto device = runtime::OpenDevice(XrtName(xclbin_, ",limit=0.03"));
  ASSERT_TRUE(device.ok()) << device.failure().message;
  auto loaded = (*device)->Load(std::make_shared<Program>(ReluProgram()));
  auto lane = (*loaded)->OpenLane(1);
  auto buffer = (*device)->Allocate(8192);
  ASSERT_TRUE(lane.ok() && buffer.ok());
  (*buffer)->host()[0] = 7;
  ASSERT_TRUE((*buffer)->SyncToDevice(0, 8192).ok());
  runtime::DeviceRequest request;
  request.registers[kBaseInput0] = {buffer->get(), 0, 256};
  request.registers[kBaseOutput0] = {buffer->get(), 4096, 256};
  const runtime::DeviceRequest* requests[] = {&request};
  runtime::LaunchOutcome outcome;
  Board::Get().Inject(Fault::kHang);
  (*lane)->Launch(0, requests, {}, outcome);
  EXPECT_EQ(outcome.state, runtime::LaunchState::kDeviceError);
  Board::Get().Repair();
  WaitUntilIdle();
  ASSERT_TRUE((*buffer)->SyncFromDevice(0, 8192).ok());
  EXPECT_EQ((*buffer)->host()[0], 7) << "what was in the buffer moved with it";
  EXPECT_NE((*buffer)->host()[4096], stand_in::kLateWrite);
}

/// A configuration of the user's own: its fields are read from the device, and the command that recompiles names it.
TEST_F(FaultTest, AConfigurationOfOnesOwn) {
  XclbinOptions options;
  options.config = BuiltInConfigs().front();
  options.config.name = "mine";
  options.config.vector_rows = 8192;
  options.config.clock_mhz = 123;
  const std::string path = testing::TempDir() + "xrun_own_" + std::to_string(::getpid()) + ".xclbin";
  ASSERT_TRUE(WriteXclbin(options, path).ok());
  auto device = runtime::OpenDevice(XrtName(path, ""));
  ASSERT_TRUE(device.ok()) << device.failure().message;
  options.config.name = "custom";
  EXPECT_EQ(*(*device)->config(), options.config);
  const Status status = runtime::CheckProgram(**device, ReluProgram());
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.failure().message.find("vector_rows: 4096 here, 8192 there"), std::string::npos);
  EXPECT_NE(status.failure().hint.find("--arch xrt:0,xclbin=" + path), std::string::npos) << status.failure().hint;
}

/// A session's timeout is heeded although a shared unit cannot be aborted, and says where the launch stood.
TEST_F(FaultTest, TimeoutOfTheSession) {
  const api::Device device = api::Device::open(XrtName(xclbin_, ""));  // limit 10 s
  api::Session session(device, Relu(), {.timeout = 400ms});
  api::Request request = session.request();
  Board::Get().Inject(Fault::kStall);
  Fill(request, 1);
  const auto begin = std::chrono::steady_clock::now();
  request.submit();
  try {
    request.wait();
    FAIL() << "no error";
  } catch (const api::Error& error) {
    EXPECT_EQ(error.code(), api::ErrorCode::kTimeout);
    const std::string text = error.what();
    for (const char* word : {"400 ms", "reached: load: ", "node 'relu_0'", "save: request 0, ", "power"}) {
      EXPECT_NE(text.find(word), std::string::npos) << word << ": " << text;
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  request.submit();
  EXPECT_NO_THROW(request.wait());
  EXPECT_TRUE(IsRight(request, 1));
}

/// A unit of one's own can be aborted while it runs.
TEST_F(FaultTest, AnExclusiveUnitIsAborted) {
  {
    const api::Device device = api::Device::open(XrtName(xclbin_, ",unit=xrun_overlay_2"));
    const uint64_t before = Board::Get().launches()[0];
    api::Session session(device, Relu());
    api::Request request = session.request();
    Fill(request, 1);
    Board::Get().Inject(Fault::kStall);  // would last 10 s
    const uint32_t happened = Board::Get().faults_happened();
    const auto begin = std::chrono::steady_clock::now();
    request.submit();
    while (Board::Get().faults_happened() == happened) std::this_thread::sleep_for(1ms);
    request.cancel();
    EXPECT_THROW(request.wait(), api::Error);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
    request.submit();
    EXPECT_NO_THROW(request.wait());
    EXPECT_TRUE(IsRight(request, 1));
    EXPECT_EQ(Board::Get().launches()[0], before) << "the other unit was used";
    // And nobody else gets it meanwhile.
    try {
      api::Device::open(XrtName(xclbin_, ""));
      FAIL() << "a unit in exclusive use was opened";
    } catch (const api::Error& error) {
      EXPECT_NE(std::string(error.what()).find("in use by someone else"), std::string::npos) << error.what();
    }
  }
  EXPECT_NO_THROW(api::Device::open(XrtName(xclbin_, "")));
}

/// scaling_bench prints the figures. A machine that does other things too gets several attempts.
TEST_F(FaultTest, FourUnitsDoFourTimesTheWork) {
  stand_in::BoardOptions board;
  board.latency = 10ms;
  double ratio = 0;
  for (int attempt = 0; attempt < 6 && ratio < 3.8; ++attempt) {
    const double one = Throughput(1, board, 25), four = Throughput(4, board, 200);
    EXPECT_LT(one, 101) << "the simulated time was not kept";
    EXPECT_LT(four, 404) << "the simulated time was not kept";
    ratio = four / one;
  }
  EXPECT_GE(ratio, 3.8);
  // Units that wait for the same DRAM do not.
  board.dram_bytes_per_second = 100000;
  EXPECT_LT(Throughput(4, board, 20), 2 * Throughput(1, board, 10));
}

TEST_F(FaultTest, WhatTheHostForgetsToSyncIsNotSeen) {
  auto device = runtime::OpenDevice(XrtName(xclbin_, ""));
  ASSERT_TRUE(device.ok()) << device.failure().message;
  auto buffer = (*device)->Allocate(4096);
  ASSERT_TRUE(buffer.ok());
  (*buffer)->host()[0] = 77;
  ASSERT_TRUE((*buffer)->SyncFromDevice(0, 4096).ok());
  EXPECT_EQ((*buffer)->host()[0], 0) << "host and board share memory";
}

TEST_F(FaultTest, DmaBufsGoOutAndIn) {
  const BoardCounts before = SettledCounts(Board::Get().counts());
  {
    auto device = runtime::OpenDevice(XrtName(xclbin_, ""));
    ASSERT_TRUE(device.ok()) << device.failure().message;
    auto first = (*device)->AllocateShared(8192, true);
    ASSERT_TRUE(first.ok()) << first.failure().message;
    const auto descriptor = (*first)->Export();
    ASSERT_TRUE(descriptor.ok()) << descriptor.failure().message;
    EXPECT_FALSE((*device)->Import(*descriptor, 8193).ok()) << "longer than it is";
    auto second = (*device)->Import(*descriptor, 8192);
    ASSERT_TRUE(second.ok()) << second.failure().message;
    ::close(*descriptor);
    (*first)->host()[100] = 42;
    ASSERT_TRUE((*first)->SyncToDevice(0, 8192).ok());
    (*second)->host()[100] = 0;
    ASSERT_TRUE((*second)->SyncFromDevice(0, 8192).ok());
    EXPECT_EQ((*second)->host()[100], 42);
  }
  EXPECT_EQ(SettledCounts(before), before);
}

/// A user's own buffers lie on the board: in the model's layout the request syncs them, in the device's layout the user
/// does, and one program's output is another's input without leaving the board.
TEST_F(FaultTest, BuffersOfTheUsersOwn) {
  constexpr size_t kElements = 12 * 4 * 4;
  const BoardCounts before = SettledCounts(Board::Get().counts());
  {
    const api::Device device = api::Device::open(XrtName(xclbin_, ""));
    api::Session session(device, Relu());
    const auto in = api::Buffer::allocate(device, kElements);
    const auto out = api::Buffer::allocate(device, 2 * 4096);
    api::Request first = session.request(), second = session.request();
    first.bind_input("x", in);
    first.bind_output("y", out, 4096);
    Fill(first, 3);
    EXPECT_EQ(first.input("x").data(), in.data());
    first.submit();
    first.wait();
    EXPECT_TRUE(IsRight(first, 3));
    EXPECT_EQ(first.output("y").data(), out.data() + 4096);

    const auto layout = session.device_layout("y");
    ASSERT_TRUE(layout);
    const auto between = api::Buffer::allocate(device, layout->bytes());
    std::fill_n(between.data(), layout->bytes(), stand_in::kLateWrite);
    first.bind_output("y", between, 0, api::Layout::kDevice);
    second.bind_input("x", between, 0, api::Layout::kDevice);
    Fill(first, 4);
    first.submit();
    first.wait();
    EXPECT_EQ(between.data()[0], stand_in::kLateWrite) << "the result was synced, which is the user's to do";
    second.submit();
    second.wait();
    EXPECT_TRUE(IsRight(second, 4));  // relu of relu
    between.sync_from_device();
    std::vector<int8_t> y(kElements);
    layout->unpack({between.data(), layout->bytes()}, y);
    EXPECT_TRUE(std::ranges::equal(y, second.output("y").as<int8_t>()));
  }
  EXPECT_EQ(SettledCounts(before), before);
}

TEST_F(FaultTest, BuffersLieInTheBankThatTheUnitsReach) {
  const std::string path = Xclbin(1, 3, {2});
  auto device = runtime::OpenDevice(XrtName(path, ""));
  ASSERT_TRUE(device.ok()) << device.failure().message;
  const auto report = runtime::ReportXrtDevice(**device);
  ASSERT_EQ(report->banks.size(), 3U);
  EXPECT_EQ(report->banks[0], "bank0: 64 MiB");
  EXPECT_EQ(report->banks[2], "bank2: 64 MiB, in use");
}

TEST_F(FaultTest, FilesThatAreNoOverlay) {
  const auto error_of = [](const std::string& name) {
    auto device = runtime::OpenDevice(name);
    return device.ok() ? "opened" : device.failure().ToString();
  };
  EXPECT_NE(error_of("xrt:0,xclbin=/nowhere.xclbin").find("no such file"), std::string::npos);
  const std::string garbage = testing::TempDir() + "xrun_garbage_" + std::to_string(::getpid()) + ".xclbin";
  ASSERT_TRUE(WriteFileAtomically(garbage, std::string_view("no xclbin")).ok());
  EXPECT_NE(error_of("xrt:0,xclbin=" + garbage).find(garbage), std::string::npos);
  EXPECT_NE(error_of(XrtName(xclbin_, ",unit=nobody")).find("has no unit 'nobody'"), std::string::npos);
  EXPECT_NE(error_of("xrt").find("number of the device"), std::string::npos);
  EXPECT_NE(error_of("xrt:x").find("'x' is no number"), std::string::npos);
  EXPECT_NE(error_of("xrt:0,limits=3").find("unknown option 'limits=3'"), std::string::npos);
  EXPECT_NE(error_of("xrt:0,limit=0").find("0.001 to 3600"), std::string::npos);
  EXPECT_NE(error_of("xrt:7,xclbin=" + xclbin_).find("XRT device 7"), std::string::npos);
}

}  // namespace
}  // namespace xrun::test
