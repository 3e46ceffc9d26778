#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "runtime/scheduler.h"
#include "tests/unit/runtime_test_program.h"

namespace xrun::runtime {
namespace {

using namespace std::chrono_literals;

/// A device whose launches do what the first byte of each request's input says. Memory of host and device is separate:
/// a forgotten sync is a wrong answer.
enum Order : uint8_t { kCopy = 0, kHang = 1, kTrap = 2, kSlow = 3 };

class FakeBuffer final : public DeviceBuffer {
 public:
  explicit FakeBuffer(uint64_t bytes) : host_memory_(bytes), device(bytes) { host_ = host_memory_; }
  Status SyncToDevice(uint64_t offset, uint64_t bytes) override {
    std::memcpy(device.data() + offset, host_memory_.data() + offset, bytes);
    return {};
  }
  Status SyncFromDevice(uint64_t offset, uint64_t bytes) override {
    std::memcpy(host_memory_.data() + offset, device.data() + offset, bytes);
    return {};
  }

 private:
  std::vector<uint8_t> host_memory_;

 public:
  std::vector<uint8_t> device;
};

struct Log {
  std::mutex mutex;
  std::vector<size_t> groups;
  void Add(size_t group) {
    const std::lock_guard lock(mutex);
    groups.push_back(group);
  }
  size_t Largest() {
    const std::lock_guard lock(mutex);
    return *std::max_element(groups.begin(), groups.end());
  }
  size_t count() {
    const std::lock_guard lock(mutex);
    return groups.size();
  }
};

class FakeLane final : public Lane {
 public:
  explicit FakeLane(Log& log) : log_(log) {}
  void Launch(uint32_t, std::span<const DeviceRequest* const> requests, const LaunchOptions& options,
              LaunchOutcome& outcome) override {
    log_.Add(requests.size());
    outcome.state = LaunchState::kDone;
    for (const DeviceRequest* request : requests) {
      const BufferRange& in = request->registers[kBaseInput0];
      const BufferRange& out = request->registers[kBaseOutput0];
      auto& memory = static_cast<FakeBuffer*>(in.buffer)->device;
      const uint8_t order = memory[in.offset];
      if (order == kSlow) std::this_thread::sleep_for(5ms);
      if (order == kHang) {
        while (!options.abort->load()) std::this_thread::sleep_for(1ms);
        outcome.state = LaunchState::kAborted;
        return;
      }
      if (order == kTrap) {
        outcome.state = LaunchState::kTrapped;
        outcome.failure = {"conv body instruction 3: reads beyond the end", ""};
        return;
      }
      std::memcpy(memory.data() + out.offset, memory.data() + in.offset, in.bytes);
    }
  }

 private:
  Log& log_;
};

class FakeProgram final : public LoadedProgram {
 public:
  explicit FakeProgram(Log& log) : log_(log) {}
  Result<std::unique_ptr<Lane>> OpenLane(uint32_t) override {
    return std::unique_ptr<Lane>(std::make_unique<FakeLane>(log_));
  }

 private:
  Log& log_;
};

class FakeDevice final : public Device {
 public:
  const std::string& name() const override { return name_; }
  std::string description() const override { return name_; }
  const std::optional<HardwareConfig>& config() const override { return config_; }
  uint64_t capabilities() const override { return 1; }
  uint16_t isa_minor() const override { return 0; }
  uint32_t lanes() const override { return 1; }
  Result<std::unique_ptr<DeviceBuffer>> Allocate(uint64_t bytes) override {
    if (refuse_memory) return Failure{"refused", ""};
    return std::unique_ptr<DeviceBuffer>(std::make_unique<FakeBuffer>(bytes));
  }
  Result<std::unique_ptr<LoadedProgram>> Load(std::shared_ptr<const Program>) override {
    return std::unique_ptr<LoadedProgram>(std::make_unique<FakeProgram>(log));
  }

  Log log;
  bool refuse_memory = false;

 private:
  std::string name_ = "fake";
  std::optional<HardwareConfig> config_;
};

/// An overlay of before a program's fields came: refused before anything is launched, by name, with what to do.
TEST(CheckProgram, NamesTheCapabilitiesThatADeviceLacks) {
  const FakeDevice device;
  Program program = test::ReluProgram();
  EXPECT_TRUE(CheckProgram(device, program).ok());
  program.capabilities |= launch::kPackedRowsCapability;
  Status status = CheckProgram(device, program);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.failure().message,
            "program '" + program.model_name + "' needs what device 'fake' lacks: LoadPacked of parts of image rows");
  EXPECT_EQ(status.failure().hint, "use a newer overlay, or compile with an xcompile of its version");
  program.capabilities = launch::kBaseCapabilities | launch::kStaggeredCapability;
  status = CheckProgram(device, program);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.failure().message.find("lacks: staggered programs"), std::string::npos);
  EXPECT_NE(status.failure().hint.find("--no-stagger"), std::string::npos);
  EXPECT_EQ(CapabilityText(launch::kCapabilities).find("capability "), std::string::npos);  // every bit has a name
}

class SchedulerTest : public ::testing::Test {
 protected:
  void Start(const SchedulerOptions& options) {
    auto plan = MakePlan(std::make_shared<const Program>(test::ReluProgram()));
    ASSERT_TRUE(plan.ok());
    auto scheduler = Scheduler::Create(device_, *plan, options);
    ASSERT_TRUE(scheduler.ok()) << scheduler.failure().message;
    scheduler_ = *std::move(scheduler);
  }

  RequestState* Make(Order order, int8_t mark = 0) {
    auto request = scheduler_->Acquire();
    EXPECT_TRUE(request.ok());
    auto* data = static_cast<int8_t*>((*request)->HostData(0));
    std::fill_n(data, test::kReluElements, mark);
    data[0] = static_cast<int8_t>(order);
    return *request;
  }

  static void ExpectGood(RequestState* request, int8_t mark) {
    EXPECT_FALSE(request->failed) << request->failure.message;
    EXPECT_EQ(static_cast<int8_t*>(request->HostData(1))[test::kReluElements - 1], mark);
  }

  /// Occupies the only lane until Cancel.
  RequestState* Block() {
    RequestState* request = Make(kHang);
    scheduler_->Submit(request, nullptr);
    while (device_->log.count() == 0) std::this_thread::sleep_for(1ms);
    return request;
  }

  std::shared_ptr<FakeDevice> device_ = std::make_shared<FakeDevice>();
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, WaitingRequestsShareALaunch) {
  Start({.in_flight = 8, .lanes = 1, .group = 8});
  RequestState* blocker = Block();
  std::vector<RequestState*> requests;
  for (int8_t i = 0; i < 6; ++i) {
    requests.push_back(Make(kCopy, static_cast<int8_t>(40 + i)));
    EXPECT_TRUE(scheduler_->Submit(requests.back(), nullptr));
  }
  EXPECT_FALSE(scheduler_->Submit(requests[0], nullptr)) << "it is under way";
  scheduler_->Cancel(blocker);
  for (int8_t i = 0; i < 6; ++i) {
    scheduler_->Wait(requests[static_cast<size_t>(i)]);
    ExpectGood(requests[static_cast<size_t>(i)], static_cast<int8_t>(40 + i));
  }
  EXPECT_EQ(device_->log.Largest(), 6U);
  EXPECT_EQ(blocker->code, api::ErrorCode::kCancelled);
}

TEST_F(SchedulerTest, ATrapFailsOnlyItsOwnRequest) {
  Start({.in_flight = 8, .lanes = 1, .group = 8});
  RequestState* blocker = Block();
  RequestState* a = Make(kCopy, 11);
  RequestState* bad = Make(kTrap, 12);
  RequestState* b = Make(kCopy, 13);
  for (RequestState* r : {a, bad, b}) scheduler_->Submit(r, nullptr);
  scheduler_->Cancel(blocker);
  for (RequestState* r : {a, bad, b}) scheduler_->Wait(r);
  ExpectGood(a, 11);
  ExpectGood(b, 13);
  ASSERT_TRUE(bad->failed);
  EXPECT_EQ(bad->code, api::ErrorCode::kDevice);
  EXPECT_EQ(bad->failure.message,
            "overlay launch 1 of 1 (nodes 'relu_0' to 'relu_0'): conv body instruction 3: reads beyond the end");
  scheduler_->RunNow(a);
  ExpectGood(a, 11);
}

TEST_F(SchedulerTest, HigherPrioritiesLeaveTheQueueFirst) {
  Start({.in_flight = 8, .lanes = 1, .group = 1});
  RequestState* blocker = Block();
  std::vector<int> order;
  std::vector<RequestState*> requests;
  for (const size_t priority : {0, 1, 2, 0, 2}) {
    RequestState* request = Make(kCopy);
    request->priority = priority;
    const int id = static_cast<int>(requests.size());
    scheduler_->Submit(request, [&order, id](const api::Error*) { order.push_back(id); });
    requests.push_back(request);
  }
  scheduler_->Cancel(requests[3]);  // from the middle of its own queue
  scheduler_->Cancel(blocker);
  for (RequestState* r : requests) scheduler_->Wait(r);
  EXPECT_EQ(order, (std::vector<int>{3, 2, 4, 1, 0}));
}

TEST_F(SchedulerTest, ALaunchOfLowPriorityWaitsForThoseOfAnotherSession) {
  Start({.in_flight = 2, .lanes = 1, .group = 1, .priority = 2});
  RequestState* blocker = Block();
  auto low = Scheduler::Create(device_, *MakePlan(std::make_shared<const Program>(test::ReluProgram())),
                               {.in_flight = 2, .lanes = 1, .timeout = 400ms, .priority = 0});
  ASSERT_TRUE(low.ok());
  RequestState* late = *(*low)->Acquire();
  (*low)->RunNow(late);
  EXPECT_TRUE(late->timed_out) << "its launch must not start beside the other, and the timeout must reach it";
  EXPECT_EQ(device_->log.count(), 1U);
  scheduler_->Cancel(blocker);
  scheduler_->Wait(blocker);
  (*low)->RunNow(late);
  EXPECT_FALSE(late->failed);
}

TEST_F(SchedulerTest, CancellingOneOfALaunchLeavesTheOthers) {
  Start({.in_flight = 8, .lanes = 1, .group = 8});
  RequestState* blocker = Block();
  RequestState* a = Make(kCopy, 21);
  RequestState* hang = Make(kHang, 22);
  RequestState* b = Make(kCopy, 23);
  for (RequestState* r : {a, hang, b}) scheduler_->Submit(r, nullptr);
  scheduler_->Cancel(blocker);
  while (device_->log.count() < 2) std::this_thread::sleep_for(1ms);
  scheduler_->Cancel(hang);
  for (RequestState* r : {a, hang, b}) scheduler_->Wait(r);
  ExpectGood(a, 21);
  ExpectGood(b, 23);
  EXPECT_EQ(hang->code, api::ErrorCode::kCancelled);
  EXPECT_EQ(hang->failure.message, "request cancelled while it was running");
}

TEST_F(SchedulerTest, AWaitingRequestIsCancelledAtOnce) {
  Start({.in_flight = 4, .lanes = 1});
  RequestState* blocker = Block();
  RequestState *a = Make(kCopy, 1), *b = Make(kCopy, 2), *c = Make(kCopy, 3);
  int told = 0;
  scheduler_->Submit(a, nullptr);
  scheduler_->Submit(b, [&](const api::Error* error) { told += error->code() == api::ErrorCode::kCancelled; });
  scheduler_->Submit(c, nullptr);
  scheduler_->Cancel(b);
  EXPECT_EQ(told, 1);
  scheduler_->Cancel(c);  // the last of the queue
  RequestState* d = Make(kCopy, 4);
  scheduler_->Submit(d, nullptr);
  scheduler_->Cancel(blocker);
  for (RequestState* r : {a, d}) scheduler_->Wait(r);
  ExpectGood(a, 1);
  ExpectGood(d, 4);
}

TEST_F(SchedulerTest, TimeoutsEndRunningAndWaitingRequests) {
  Start({.in_flight = 4, .lanes = 1, .group = 1, .timeout = 400ms});  // a machine may be slow for a while
  RequestState *hang = Make(kHang), *waits = Make(kHang), *runs = Make(kHang);
  const auto begin = Clock::now();
  scheduler_->Submit(hang, nullptr);
  scheduler_->Submit(waits, nullptr);
  EXPECT_EQ(scheduler_->Wait(hang, Clock::now() + 5ms), Scheduler::Waited::kTimeout);
  scheduler_->Wait(hang);
  scheduler_->Wait(waits);
  EXPECT_GE(Clock::now() - begin, 400ms);
  EXPECT_LT(Clock::now() - begin, 5s);
  EXPECT_EQ(hang->code, api::ErrorCode::kTimeout);
  EXPECT_EQ(hang->failure.message,
            "request not done after 400 ms, the session's timeout; it ended while it was running");
  EXPECT_EQ(waits->code, api::ErrorCode::kTimeout);
  scheduler_->RunNow(runs);  // on this thread
  EXPECT_EQ(runs->code, api::ErrorCode::kTimeout);
  std::this_thread::sleep_for(150ms);  // the watchdog falls asleep, and wakes up again
  scheduler_->RunNow(runs);
  EXPECT_EQ(runs->code, api::ErrorCode::kTimeout);
  RequestState* good = Make(kCopy, 5);
  scheduler_->RunNow(good);
  ExpectGood(good, 5);
}

TEST_F(SchedulerTest, RandomFaultsLoseNoOtherRequest) {
  Start({.in_flight = 8, .lanes = 3, .group = 4});
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<RequestState*> requests;
      std::vector<Order> orders;
      for (int i = 0; i < 5; ++i) requests.push_back(Make(kCopy));
      for (unsigned round = 0; round < 60; ++round) {
        orders.clear();
        for (size_t i = 0; i < requests.size(); ++i) {
          const unsigned dice = (round * 7 + static_cast<unsigned>(i) * 13 + t * 5) % 23;
          orders.push_back(dice == 0 ? kHang : dice == 1 ? kTrap : dice == 2 ? kSlow : kCopy);
          auto* data = static_cast<int8_t*>(requests[i]->HostData(0));
          std::fill_n(data, test::kReluElements, static_cast<int8_t>(round));
          data[0] = static_cast<int8_t>(orders[i]);
          scheduler_->Submit(requests[i], nullptr);
        }
        // All of them first: hanging ones may hold every lane that the others wait for.
        if (round % 3 == 0) std::this_thread::sleep_for(1ms);
        for (size_t i = 0; i < requests.size(); ++i) {
          if (orders[i] == kHang) scheduler_->Cancel(requests[i]);
        }
        for (size_t i = 0; i < requests.size(); ++i) {
          scheduler_->Wait(requests[i]);
          const bool expected = orders[i] == kHang || orders[i] == kTrap;
          const auto last = static_cast<int8_t*>(requests[i]->HostData(1))[test::kReluElements - 1];
          wrong += requests[i]->failed != expected || (!expected && last != static_cast<int8_t>(round));
        }
      }
      for (RequestState* request : requests) scheduler_->Release(request);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(SchedulerTest, RefusedMemoryIsAnErrorAndNothingIsLost) {
  Start({.in_flight = 1});
  RequestState* first = Make(kCopy, 9);
  device_->refuse_memory = true;
  EXPECT_FALSE(scheduler_->Acquire().ok());
  EXPECT_FALSE(scheduler_->AcquireForRun().ok());
  scheduler_->Release(first);
  auto again = scheduler_->AcquireForRun();
  ASSERT_TRUE(again.ok()) << "the failed one holds no place";
  scheduler_->RunNow(*again);
  ExpectGood(*again, 9);
  scheduler_->ReleaseFromRun(*again);
}

TEST_F(SchedulerTest, TheListenerSeesEachStepOfEachRequest) {
  Start({.in_flight = 4, .lanes = 1, .group = 4});
  int steps = 0;
  scheduler_->SetListener([&](const ExecutedStep& step) { steps += step.step == 0 && step.request != nullptr; });
  std::vector<RequestState*> requests{Make(kSlow, 1), Make(kSlow, 2), Make(kSlow, 3)};
  for (RequestState* r : requests) scheduler_->Submit(r, nullptr);
  for (RequestState* r : requests) scheduler_->Wait(r);
  EXPECT_EQ(steps, 3);
  EXPECT_EQ(device_->log.Largest(), 1U);
}

}  // namespace
}  // namespace xrun::runtime
