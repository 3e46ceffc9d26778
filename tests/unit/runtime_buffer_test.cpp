// Buffers of the caller's own, bound to a request; as a user sees them.

#include <gtest/gtest.h>
#include <unistd.h>
#include <xrun/xrun.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/runtime_test_files.h"

namespace {

constexpr size_t kElements = 12 * 4 * 4;

std::vector<int8_t> RandomInt8(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> values(kElements);
  for (int8_t& v : values) v = static_cast<int8_t>(random());
  return values;
}

std::vector<int8_t> Relu(std::vector<int8_t> values) {
  for (int8_t& v : values) v = std::max<int8_t>(v, 0);
  return values;
}

template <typename Fn>
std::string MessageOf(Fn&& fn) {
  try {
    fn();
  } catch (const xrun::Error& error) {
    return error.message();
  }
  return "no error";
}

#define EXPECT_SAYS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << text

class BufferTest : public ::testing::Test {
 protected:
  xrun::Device device_ = xrun::Device::open("sim:check");
  xrun::Session relu_{device_, xrun::Program::from_memory(xrun::test::ReluProgramBytes())};
  xrun::Session mixed_{device_, xrun::Program::from_memory(xrun::test::MixedProgramBytes())};
};

TEST_F(BufferTest, InTheModelsLayoutStandInForTheRequestsMemory) {
  const auto in = xrun::Buffer::allocate(device_, kElements);
  const auto out = xrun::Buffer::allocate(device_, 8192, {.cacheable = false});
  ASSERT_TRUE(std::all_of(in.data(), in.data() + kElements, [](uint8_t b) { return b == 0; }));
  auto request = relu_.request();
  request.bind_input("x", in);
  request.bind_output("y", out, 4096);
  EXPECT_EQ(request.input("x").data(), in.data());
  EXPECT_EQ(request.output("y").data(), out.data() + 4096);
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const auto q = RandomInt8(seed);
    std::copy(q.begin(), q.end(), in.as<int8_t>().begin());
    request.submit();
    request.wait();
    const auto expected = Relu(q);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.as<int8_t>().begin() + 4096));
  }
  request.unbind();
  EXPECT_NE(request.input("x").data(), in.data());
}

TEST_F(BufferTest, ReachCpuStepsToo) {
  const auto out = xrun::Buffer::allocate(device_, kElements * sizeof(float));
  auto request = mixed_.request();
  request.bind_output("p", out);
  const auto q = RandomInt8(4);
  std::copy(q.begin(), q.end(), request.input("x").as<int8_t>().begin());
  request.submit();
  request.wait();
  std::vector<float> p(kElements);
  mixed_.run({{"x", q}}, {{"p", p}});
  EXPECT_GT(*std::max_element(p.begin(), p.end()), 0.0F);
  EXPECT_TRUE(std::equal(p.begin(), p.end(), out.as<float>().begin()));
}

TEST_F(BufferTest, InTheDevicesLayoutGoToTheDeviceAsTheyAre) {
  const auto layout = relu_.device_layout("x");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->bytes(), 2U * 4 * 4 * 8);
  EXPECT_EQ(layout->elements(), kElements);
  const auto in = xrun::Buffer::allocate(device_, layout->bytes());
  const auto out = xrun::Buffer::allocate(device_, relu_.device_layout("y")->bytes());
  auto request = relu_.request();
  std::ranges::fill(request.input("x").as<int8_t>(), int8_t{99});
  std::ranges::fill(request.output("y").as<int8_t>(), int8_t{98});
  request.bind_input("x", in, 0, xrun::Layout::kDevice);
  request.bind_output("y", out, 0, xrun::Layout::kDevice);
  const auto q = RandomInt8(5);
  layout->pack(q, in.as<uint8_t>());
  in.sync_to_device();
  request.submit();
  request.wait();
  out.sync_from_device();
  std::vector<int8_t> y(kElements);
  relu_.device_layout("y")->unpack(out.as<uint8_t>(), y);
  EXPECT_EQ(y, Relu(q));
  // Nothing was written to the request's own memory, and with it bound no more the next result comes from there.
  request.unbind();
  EXPECT_TRUE(std::ranges::all_of(request.output("y").as<int8_t>(), [](int8_t v) { return v == 98; }));
  request.submit();
  request.wait();
  EXPECT_TRUE(std::ranges::all_of(request.output("y").as<int8_t>(), [](int8_t v) { return v == 99; }));
}

TEST_F(BufferTest, OneProgramsOutputIsAnothersInputWithoutACopy) {
  const auto between = xrun::Buffer::allocate(device_, relu_.device_layout("y")->bytes());
  auto first = relu_.request();
  auto second = relu_.request();
  first.bind_output("y", between, 0, xrun::Layout::kDevice);
  second.bind_input("x", between, 0, xrun::Layout::kDevice);
  const auto q = RandomInt8(6);
  std::copy(q.begin(), q.end(), first.input("x").as<int8_t>().begin());
  first.submit();
  first.wait();
  second.submit();
  second.wait();
  const auto y = second.output("y").as<int8_t>();
  const auto expected = Relu(q);
  EXPECT_TRUE(std::equal(y.begin(), y.end(), expected.begin()));
}

TEST_F(BufferTest, ExportedAndImportedAreTheSameMemory) {
  const auto own = xrun::Buffer::allocate(device_, 5000);
  const int fd = own.export_dma_buf();
  const auto other_device = xrun::Device::open("sim");
  const auto other = xrun::Buffer::import_dma_buf(other_device, fd, 5000);
  EXPECT_SAYS(MessageOf([&] { xrun::Buffer::import_dma_buf(device_, fd, 5001); }), "holds 5000 bytes, 5001 are asked");
  ::close(fd);
  own.data()[4999] = 77;
  EXPECT_EQ(other.data()[4999], 77);
  EXPECT_SAYS(MessageOf([&] { xrun::Buffer::import_dma_buf(device_, -1, 10); }), "descriptor -1");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_SAYS(MessageOf([&] { xrun::Buffer::import_dma_buf(device_, ends[0], 10); }), "is no dma-buf");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(BufferTest, LiveAsLongAsARequestHasThem) {
  auto request = relu_.request();
  request.bind_input("x", xrun::Buffer::allocate(device_, kElements));
  std::ranges::fill(request.input("x").as<int8_t>(), int8_t{5});
  request.submit();
  request.wait();
  EXPECT_EQ(request.output("y").as<int8_t>()[0], 5);
  // A request that is given back leaves no binding to the next user.
  { const auto gone = std::move(request); }
  std::vector<xrun::Request> all;
  for (int i = 0; i < 4; ++i) all.push_back(relu_.request());
  for (auto& r : all) {
    r.submit();
    r.wait();
  }
}

TEST_F(BufferTest, MistakesAreNamed) {
  auto request = relu_.request();
  const auto small = xrun::Buffer::allocate(device_, kElements - 1);
  EXPECT_SAYS(MessageOf([&] { request.bind_input("x", small); }),
              "bind 'x': needs 192 bytes at offset 0, the buffer has 191");
  const auto large = xrun::Buffer::allocate(device_, 3 * 4096);
  EXPECT_SAYS(MessageOf([&] { request.bind_input("x", large, 64); }), "offset 64 is not a multiple of 4096");
  EXPECT_SAYS(MessageOf([&] { request.bind_input("x", large, 4 * 4096); }), "at offset 16384");
  EXPECT_SAYS(MessageOf([&] { request.bind_input("z", large); }), "no input 'z'");
  EXPECT_SAYS(MessageOf([&] { large.sync_to_device(4096, 3 * 4096); }), "sync of 12288 bytes at 4096");
  const auto elsewhere = xrun::Buffer::allocate(xrun::Device::open("sim:B512"), 4096);
  EXPECT_SAYS(MessageOf([&] { request.bind_output("y", elsewhere); }), "another device, 'sim:B512'");
  EXPECT_SAYS(MessageOf([&] { xrun::Buffer::allocate(device_, 0); }), "0 bytes");
  // "y" of this one is read by a CPU step, "p" is float.
  EXPECT_FALSE(mixed_.device_layout("y"));
  EXPECT_FALSE(mixed_.device_layout("p"));
  EXPECT_TRUE(mixed_.device_layout("x"));
  auto mixed = mixed_.request();
  EXPECT_SAYS(MessageOf([&] { mixed.bind_output("y", large, 0, xrun::Layout::kDevice); }), "a CPU step uses it");
  EXPECT_SAYS(MessageOf([&] { static_cast<void>(mixed_.device_layout("q")); }), "no input or output 'q'");
  EXPECT_SAYS(MessageOf([&] { relu_.device_layout("x")->pack({}, {}); }), "192 elements in 256 bytes");
  EXPECT_SAYS(MessageOf([&] { request.set_priority(static_cast<xrun::Priority>(7)); }), "unknown priority 7");
}

}  // namespace
