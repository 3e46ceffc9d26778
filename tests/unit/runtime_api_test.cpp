// Sees libxrun as a user does: one header, names of shared interface documentation.

#include <gtest/gtest.h>
#include <xrun/xrun.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "tests/unit/runtime_test_files.h"

namespace {

using namespace std::chrono_literals;

constexpr size_t kElements = 12 * 4 * 4;

std::vector<int8_t> RandomInt8(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> values(count);
  for (int8_t& v : values) v = static_cast<int8_t>(random());
  return values;
}

std::vector<int8_t> Relu(std::vector<int8_t> values) {
  for (int8_t& v : values) v = std::max<int8_t>(v, 0);
  return values;
}

template <typename Fn>
xrun::Error ErrorOf(Fn&& fn) {
  try {
    fn();
  } catch (const xrun::Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {xrun::ErrorCode::kInvalid, "none", ""};
}

xrun::Program ReluProgram() { return xrun::Program::from_memory(xrun::test::ReluProgramBytes()); }
xrun::Program MixedProgram() { return xrun::Program::from_memory(xrun::test::MixedProgramBytes()); }

#define EXPECT_SAYS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << text

TEST(Api, RunsAProgramFileAsTheReadmeShows) {
  const std::string path = xrun::test::WriteFile("relu.xprog", xrun::test::ReluProgramBytes());
  auto program = xrun::Program::load(path);
  auto device = xrun::Device::open("sim");
  xrun::Session session(device, program, {.in_flight = 4, .timeout = 2s});
  const xrun::TensorInfo& in = session.inputs()[0];
  EXPECT_EQ(in.name, "x");
  EXPECT_EQ(in.shape_text(), "1x12x4x4");
  EXPECT_EQ(in.dtype, xrun::DType::kInt8);
  EXPECT_EQ(in.scale, 0.5F);

  const std::vector<int8_t> q = RandomInt8(kElements, 1);
  std::vector<float> x(kElements), y(kElements);
  in.dequantize(q, x);
  session.run({{in.name, x}}, {{session.outputs()[0].name, y}});
  const std::vector<int8_t> expected = Relu(q);
  for (size_t i = 0; i < kElements; ++i) ASSERT_EQ(y[i], 0.25F * static_cast<float>(expected[i])) << i;

  auto request = session.request();
  in.quantize(x, request.input(in.name).as<int8_t>());
  request.submit();
  request.wait();
  const auto out = request.output("y").as<int8_t>();
  EXPECT_TRUE(std::equal(out.begin(), out.end(), expected.begin(), expected.end()));
  std::filesystem::remove(path);
}

TEST(Api, CpuStepsFollowTheOverlay) {
  xrun::Session session(xrun::Device::open("sim:check"), MixedProgram());
  const std::vector<int8_t> q = RandomInt8(kElements, 2);
  std::vector<float> p(kElements);
  std::vector<int8_t> y(kElements);
  session.run({{"x", q}}, {{"p", p}, {"y", y}});
  const std::vector<int8_t> relu = Relu(q);
  EXPECT_EQ(y, relu);
  for (size_t at = 0; at < 16; ++at) {
    double sum = 0;
    for (size_t c = 0; c < 12; ++c) sum += std::exp(0.25 * relu[c * 16 + at]);
    for (size_t c = 0; c < 12; ++c) ASSERT_NEAR(p[c * 16 + at], std::exp(0.25 * relu[c * 16 + at]) / sum, 1e-6);
  }
}

TEST(Api, ArraysNTimesAsLargeAreNRuns) {
  xrun::Session session(xrun::Device::open("sim"), ReluProgram(), {.in_flight = 3});
  for (size_t n : {1U, 2U, 3U, 4U, 17U, 100U}) {
    const std::vector<int8_t> x = RandomInt8(n * kElements, static_cast<unsigned>(n));
    std::vector<int8_t> y(n * kElements);
    session.run({{"x", x}}, {{"y", y}});
    ASSERT_EQ(y, Relu(x)) << n;
  }
}

TEST(Api, CallbacksMaySubmitAgain) {
  xrun::Session session(xrun::Device::open("sim"), ReluProgram());
  auto request = session.request();
  std::atomic<int> left{50};
  xrun::Callback again = [&](const xrun::Error* error) {
    EXPECT_EQ(error, nullptr);
    if (--left > 0) request.submit(again);
  };
  request.submit(again);
  request.wait();
  EXPECT_EQ(left.load(), 0);
  request.submit();
  while (!request.wait_for(10ms)) {
  }
  EXPECT_TRUE(request.wait_for(std::chrono::nanoseconds::max()));
}

// What a thread reads of a request that another one is working on is read under the lock: TSan sees it here.
TEST(Api, WaitingWhileWorkBegins) {
  xrun::Session session(xrun::Device::open("sim"), ReluProgram());
  auto request = session.request();
  for (int i = 0; i < 200; ++i) {
    request.submit();
    while (!request.wait_for(0ns)) {
    }
  }
}

TEST(Api, ManyThreadsManyRequests) {
  xrun::Session session(xrun::Device::open("sim"), MixedProgram(), {.in_flight = 4, .timeout = 60s, .launches = 2});
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0}, done{0};
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::vector<int8_t> y(kElements);
      if (t % 2 == 0) {
        for (unsigned i = 0; i < 100; ++i) {
          const auto x = RandomInt8(kElements, t * 1000 + i);
          session.run({{"x", x}}, {{"y", y}});
          wrong += y != Relu(x);
          ++done;
        }
        return;
      }
      std::vector<xrun::Request> requests;
      for (int i = 0; i < 4; ++i) requests.push_back(session.request());
      for (unsigned i = 0; i < 25; ++i) {
        for (unsigned k = 0; k < 4; ++k) {
          const auto x = RandomInt8(kElements, t * 1000 + i * 4 + k);
          std::copy(x.begin(), x.end(), requests[k].input("x").as<int8_t>().begin());
          requests[k].submit();
        }
        if (i % 5 == 4) requests[2].cancel();
        for (unsigned k = 0; k < 4; ++k) {
          try {
            requests[k].wait();
          } catch (const xrun::Error& error) {
            wrong += error.code() != xrun::ErrorCode::kCancelled || k != 2;
            continue;
          }
          const auto out = requests[k].output("y").as<int8_t>();
          const auto expected = Relu(RandomInt8(kElements, t * 1000 + i * 4 + k));
          wrong += !std::equal(out.begin(), out.end(), expected.begin());
          ++done;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GE(done.load(), 8 * 100 - 4 * 5);
}

TEST(Api, RequestsOutliveTheirSessionAndUnfinishedOnesMayBeDropped) {
  auto session = std::make_unique<xrun::Session>(xrun::Device::open("sim"), ReluProgram());
  auto request = session->request();
  for (int i = 0; i < 20; ++i) session->request().submit();
  session.reset();
  request.submit();
  request.wait();
  auto other = std::move(request);
  other.submit();
  other.wait();
}

TEST(Api, MistakesAreNamed) {
  xrun::Session session(xrun::Device::open("sim"), ReluProgram());
  std::vector<int8_t> x(kElements), y(kElements);
  std::vector<float> f(kElements - 1);
  std::vector<int32_t> n(kElements);

  auto error = ErrorOf([&] { session.run({{"X", x}}, {{"y", y}}); });
  EXPECT_SAYS(error.message(), "no input 'X'");
  EXPECT_SAYS(error.hint(), "did you mean 'x'");
  EXPECT_SAYS(ErrorOf([&] { session.run({{"x", x}}, {{"result", y}}); }).hint(), "outputs: y");
  EXPECT_SAYS(ErrorOf([&] {
                session.run({{"x", f}}, {{"y", y}});
              }).message(),
              "'x' is int8 1x12x4x4 (192 elements), given 191 elements");
  EXPECT_SAYS(ErrorOf([&] { session.run({{"x", n}}, {{"y", y}}); }).message(), "given int32 data");
  EXPECT_SAYS(ErrorOf([&] { session.run({}, {{"y", y}}); }).message(), "missing inputs: x (int8 1x12x4x4");
  EXPECT_SAYS(ErrorOf([&] { session.run({{"x", x}, {"x", x}}, {}); }).message(), "given twice");
  std::vector<int8_t> twice(2 * kElements);
  EXPECT_SAYS(ErrorOf([&] {
                session.run({{"x", twice}}, {{"y", y}});
              }).message(),
              "of 1 runs, the ones before it of 2");
  auto request = session.request();
  EXPECT_SAYS(ErrorOf([&] { request.wait(); }).message(), "never submitted");
  EXPECT_SAYS(ErrorOf([&] { (void)request.input("x").as<float>(); }).message(), "'x' is int8, not float32");
  EXPECT_SAYS(ErrorOf([&] { session.inputs()[0].quantize(f, x); }).message(), "must be equal");
  session.run({{"x", x}}, {});  // and goes on working
}

TEST(Api, DevicesThatAreNotThereAreNotReplaced) {
  EXPECT_SAYS(ErrorOf([] { xrun::Device::open("xrt:0"); }).message(), "xrt:0");
  EXPECT_SAYS(ErrorOf([] { xrun::Device::open("csim:B4095"); }).what(), "B4096");
  EXPECT_SAYS(ErrorOf([] { xrun::Device::open("csim:stall=token_load_conv"); }).message(), "not stall=FIFO:ITEMS");
  EXPECT_SAYS(ErrorOf([] { xrun::Device::open("xrtt"); }).hint(), "did you mean 'xrt'");
  EXPECT_SAYS(ErrorOf([] { xrun::Device::open(""); }).message(), "unknown device");
  EXPECT_SAYS(ErrorOf([] { xrun::Device::open("sim:B4095"); }).what(), "B4096");
  EXPECT_SAYS(ErrorOf([] { xrun::Device::open("sim:B4096,chek"); }).message(), "unknown option 'chek'");
  EXPECT_SAYS(xrun::Device::open("sim:B4096,check").description(), "configuration B4096");
}

TEST(Api, AProgramForAnotherConfigurationIsRefusedWithTheFields) {
  const auto error = ErrorOf([] { xrun::Session(xrun::Device::open("sim:B4096"), ReluProgram()); });
  EXPECT_SAYS(error.message(), "compiled for configuration B512");
  EXPECT_SAYS(error.message(), "pixels: 4 here, 8 there");
  EXPECT_SAYS(error.hint(), "xcompile MODEL.onnx --arch B4096");
  xrun::Session fits(xrun::Device::open("sim:B512"), ReluProgram());
}

TEST(Api, BadProgramsAreRefused) {
  EXPECT_SAYS(ErrorOf([] { xrun::Program::load("no/such.xprog"); }).message(), "no/such.xprog");
  auto bytes = xrun::test::ReluProgramBytes();
  bytes[bytes.size() / 2] ^= 1;
  const std::string path = xrun::test::WriteFile("damaged.xprog", bytes);
  EXPECT_SAYS(ErrorOf([&] { xrun::Program::load(path); }).message(), path);
  std::filesystem::remove(path);
  const auto error = ErrorOf([] { xrun::Program::from_memory(xrun::test::UnknownOperatorBytes()); });
  EXPECT_SAYS(error.message(), "node 'softmax'");
  EXPECT_SAYS(error.message(), "Sofmax");
}

TEST(Api, OptionsAreChecked) {
  const auto open = [](const xrun::SessionOptions& options) {
    return ErrorOf([&] { xrun::Session(xrun::Device::open("sim"), ReluProgram(), options); }).message();
  };
  EXPECT_SAYS(open({.in_flight = 0}), "in_flight is 0, it must be 1 to 1024");
  EXPECT_SAYS(open({.timeout = -1s}), "timeout is negative");
  EXPECT_SAYS(open({.requests_per_launch = 17}), "requests_per_launch is 17");
}

}  // namespace
