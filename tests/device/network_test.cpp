// Whole programs: bytes, layers, many requests at a time, batches, and what is refused.

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "runtime/internal.h"
#include "tests/device/device_under_test.h"

namespace xrun::test {
namespace {

using Bytes = std::vector<std::vector<uint8_t>>;

void FillRandom(void* data, const api::TensorInfo& info, uint64_t seed) {
  std::mt19937_64 random(seed);
  if (info.dtype == api::DType::kFloat32) {
    for (size_t i = 0; i < info.elements(); ++i) {
      static_cast<float*>(data)[i] = static_cast<float>(random() % 2001) / 500.0F - 2.0F;
    }
  } else {
    for (size_t i = 0; i < info.bytes(); ++i) static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(random());
  }
}

void FillInputs(const api::Session& session, const api::Request& request, uint64_t seed) {
  for (const api::TensorInfo& info : session.inputs()) FillRandom(request.input(info.name).data(), info, seed++);
}

Bytes Outputs(const api::Session& session, const api::Request& request) {
  Bytes all;
  for (const api::TensorInfo& info : session.outputs()) {
    const auto* data = static_cast<const uint8_t*>(request.output(info.name).data());
    all.emplace_back(data, data + info.bytes());
  }
  return all;
}

class NetworkTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    device_.emplace(api::Device::open(DeviceName()));
    simulator_.emplace(api::Device::open("sim"));
  }
  /// What the simulator gives for inputs of `seed`.
  Bytes Right(const api::Program& program, uint64_t seed) {
    api::Session session(*simulator_, program);
    api::Request request = session.request();
    FillInputs(session, request, seed);
    request.submit();
    request.wait();
    return Outputs(session, request);
  }

  std::optional<api::Device> device_, simulator_;
};

#define XRUN_NEED_PROGRAMS(list) \
  if ((list).empty()) GTEST_SKIP() << "no programs: tests/device/run.py compiles them for the device"

TEST_F(NetworkTest, SameBytesAsTheSimulator) {
  const auto programs = Programs(false);
  XRUN_NEED_PROGRAMS(programs);
  for (const auto& path : programs) {
    const auto program = api::Program::load(path);
    api::Session session(*device_, program);
    api::Request request = session.request();
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      FillInputs(session, request, seed);
      request.submit();
      request.wait();
      EXPECT_EQ(Outputs(session, request), Right(program, seed)) << path << " seed " << seed;
    }
  }
}

/// Every tensor inside the launches of a program compiled with --debug-tensors; the first that differs is named.
TEST_F(NetworkTest, SameLayersAsTheSimulator) {
  const auto programs = Programs(true);
  XRUN_NEED_PROGRAMS(programs);
  for (const auto& path : programs) {
    const auto program = api::Program::load(path);
    const auto file = internal::ProgramOf(program);
    using Layers = std::vector<std::pair<std::string, std::vector<int8_t>>>;
    const auto run = [&](const api::Device& device) {
      api::Session session(device, program);
      Layers layers;
      internal::SetStepObserver(session, [&](const internal::StepEvent& event) {
        const Step& step = file->steps[event.step];
        if (step.kind != Step::Kind::kOverlay) return;
        for (const OverlayStep::Watch& watch : file->overlay_steps[step.index].watches) {
          const auto packed = event.workspace.subspan(watch.workspace_offset, watch.layout.Bytes(file->config));
          layers.emplace_back(watch.name, internal::UnpackTensor(watch.layout, file->config, packed));
        }
      });
      api::Request request = session.request();
      FillInputs(session, request, 3);
      request.submit();
      request.wait();
      return layers;
    };
    const Layers right = run(*simulator_), got = run(*device_);
    ASSERT_GT(right.size(), 3U) << path;
    ASSERT_EQ(got.size(), right.size());
    for (size_t i = 0; i < right.size(); ++i) {
      ASSERT_EQ(got[i].first, right[i].first);
      const auto [a, b] = std::mismatch(got[i].second.begin(), got[i].second.end(), right[i].second.begin());
      ASSERT_TRUE(a == got[i].second.end())
          << path << ": the first tensor that differs is '" << right[i].first << "', element "
          << a - got[i].second.begin() << ": " << +*a << ", must be " << +*b;
    }
  }
}

/// 8 threads with 4 requests in flight each, grouped into launches as they come.
TEST_F(NetworkTest, ManyRequestsAtATime) {
  const auto programs = Programs(false);
  XRUN_NEED_PROGRAMS(programs);
  const auto program = api::Program::load(programs.front());
  constexpr unsigned kThreads = 8, kInFlight = 4, kSeeds = 16;
  const unsigned total = EnvironmentNumber("XRUN_TEST_REQUESTS", 400);
  // Other processes with other seeds: their bytes are wrong here.
  const unsigned first_seed = EnvironmentNumber("XRUN_TEST_FIRST_SEED", 0);
  std::vector<Bytes> right;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) right.push_back(Right(program, first_seed + seed));
  api::Session session(*device_, program, {.in_flight = kThreads * kInFlight});
  std::atomic<unsigned> taken{0}, wrong{0}, done{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      std::vector<api::Request> requests;
      std::array<unsigned, kInFlight> seeds{};
      std::array<bool, kInFlight> busy{};
      for (unsigned i = 0; i < kInFlight; ++i) requests.push_back(session.request());
      const auto finish = [&](unsigned i) {
        if (!busy[i]) return;
        busy[i] = false;
        try {
          requests[i].wait();
          if (Outputs(session, requests[i]) != right[seeds[i]]) ++wrong;
          ++done;
        } catch (const api::Error& error) {
          ++wrong;
          ADD_FAILURE() << error.what();
        }
      };
      for (unsigned n = taken++, i = 0; n < total; n = taken++, i = (i + 1) % kInFlight) {
        finish(i);
        seeds[i] = n % kSeeds;
        FillInputs(session, requests[i], first_seed + seeds[i]);
        requests[i].submit();
        busy[i] = true;
      }
      for (unsigned i = 0; i < kInFlight; ++i) finish(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(done, total);
}

TEST_F(NetworkTest, BatchesAndSeveralPrograms) {
  const auto programs = Programs(false);
  XRUN_NEED_PROGRAMS(programs);
  std::vector<std::thread> threads;
  for (const auto& path : programs) {
    threads.emplace_back([&, path] {
      const auto program = api::Program::load(path);
      api::Session session(*device_, program, {.in_flight = 3});
      const api::TensorInfo& in = session.inputs()[0];
      const api::TensorInfo& out = session.outputs()[0];
      if (in.dtype != api::DType::kFloat32 && in.dtype != api::DType::kInt8) return;
      constexpr size_t kRuns = 11;
      std::vector<float> x(kRuns * in.elements()), y(kRuns * out.elements()), right(y.size());
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7919 % 401) / 100.0F - 2.0F;
      session.run({{in.name, x}}, {{out.name, y}});
      api::Session reference(*simulator_, program);
      reference.run({{in.name, x}}, {{out.name, right}});
      EXPECT_EQ(y, right) << path;
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(NetworkTest, TimeMarksAscendAndAreWithinTheLaunch) {
  const auto programs = Programs(false);
  XRUN_NEED_PROGRAMS(programs);
  const auto program = api::Program::load(programs.front());
  api::Session session(*device_, program);
  std::vector<uint64_t> marks;
  uint64_t cycles = 0;
  internal::SetStepObserver(
      session,
      [&](const internal::StepEvent& event) {
        if (!event.time_marks.empty()) marks.assign(event.time_marks.begin(), event.time_marks.end());
        cycles = std::max(cycles, event.cycles);
      },
      true);
  api::Request request = session.request();
  FillInputs(session, request, 1);
  request.submit();
  request.wait();
  ASSERT_GT(marks.size(), 4U);
  EXPECT_GT(*std::min_element(marks.begin(), marks.end()), 0U);
  EXPECT_GT(std::set<uint64_t>(marks.begin(), marks.end()).size(), marks.size() / 2);
  if (cycles != 0) {
    EXPECT_LE(*std::max_element(marks.begin(), marks.end()), cycles);
  }
}

/// Files of each minor version that was released run for ever: compat/ holds one program of each. Theirs is max(q, 0).
TEST_F(NetworkTest, ProgramsOfEarlierVersionsStillRun) {
  unsigned run = 0;
  for (const auto& entry : std::filesystem::directory_iterator(XRUN_COMPAT_PROGRAMS)) {
    if (entry.path().extension() != ".xprog") continue;
    const auto program = api::Program::load(entry.path());  // must load on any device
    if (!FunctionalDifferences(internal::ProgramOf(program)->config, config()).empty()) continue;
    ++run;
    api::Session session(*device_, program);
    api::Request request = session.request();
    const auto x = request.input("x").as<int8_t>();
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int8_t>(i * 37);
    request.submit();
    request.wait();
    const auto y = request.output("y").as<int8_t>();
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], std::max<int8_t>(0, x[i])) << entry.path();
  }
  if (run == 0) GTEST_SKIP() << "the programs of tests/device/compat are for B512";
}

/// A program for every other configuration is refused, and the failure says which fields differ and what to do.
TEST_F(NetworkTest, OtherConfigurationsAreRefused) {
  if (!device().config()) GTEST_SKIP() << "this device takes every configuration";
  for (const HardwareConfig& other : BuiltInConfigs()) {
    const auto differences = FunctionalDifferences(other, config());
    if (differences.empty()) continue;
    Program program;
    program.model_name = "net";
    program.config = other;
    const Status status = runtime::CheckProgram(device(), program);
    ASSERT_FALSE(status.ok()) << other.name;
    for (const std::string& field : differences) {
      EXPECT_NE(status.failure().message.find(field), std::string::npos) << status.failure().message;
    }
    EXPECT_NE(status.failure().hint.find("xcompile MODEL.onnx --arch "), std::string::npos) << status.failure().hint;
  }
  Program demanding;
  demanding.config = config();
  demanding.capabilities = 1ULL << 63;
  EXPECT_FALSE(runtime::CheckProgram(device(), demanding).ok());
  Program newer;
  newer.config = config();
  newer.isa_minor = static_cast<uint16_t>(device().isa_minor() + 1);
  const Status status = runtime::CheckProgram(device(), newer);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.failure().message.find("ISA 1." + std::to_string(newer.isa_minor)), std::string::npos);
}

}  // namespace
}  // namespace xrun::test
