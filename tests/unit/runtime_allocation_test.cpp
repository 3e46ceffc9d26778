// "No heap allocation in the steady state", counted by the process's own operator new.

#include <gtest/gtest.h>
#include <xrun/xrun.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "tests/unit/runtime_test_files.h"

namespace {

std::atomic<size_t> allocations{0};

void* Allocate(size_t size, size_t alignment) {
  ++allocations;
  void* p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (p == nullptr) std::abort();
  return p;
}

}  // namespace

// Every new here is paired with a delete here; g++ -O1 inlines one of the two and believes otherwise.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(size_t size) { return Allocate(size == 0 ? 1 : size, alignof(std::max_align_t)); }
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void* operator new(size_t size, std::align_val_t a) { return Allocate(size, static_cast<size_t>(a)); }
void* operator new[](size_t size, std::align_val_t a) { return Allocate(size, static_cast<size_t>(a)); }
void* operator new[](size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return Allocate(size, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

template <typename Fn>
size_t AllocationsOf(Fn&& fn) {
  const size_t before = allocations;
  fn();
  return allocations - before;
}

class Allocation : public ::testing::Test {
 protected:
  static constexpr size_t kElements = 12 * 4 * 4, kRuns = 20;
  xrun::Session session_{xrun::Device::open("sim"),
                         xrun::Program::from_memory(xrun::test::MixedProgramBytes()),
                         {.in_flight = 4, .timeout = std::chrono::seconds(60), .cpu_threads = 2}};
  std::vector<float> x_ = std::vector<float>(kRuns * kElements, 1.0F), p_ = x_;
};

TEST_F(Allocation, IsCounted) {
  EXPECT_GT(AllocationsOf([] { std::vector<int>(100).data()[0] = 1; }), 0U);
}

TEST_F(Allocation, NoneInRun) {
  const auto run = [&] {
    session_.run({{"x", std::span(x_).first(kElements)}}, {{"p", std::span(p_).first(kElements)}});
  };
  run();
  EXPECT_EQ(AllocationsOf([&] {
              for (int i = 0; i < 100; ++i) run();
            }),
            0U);
}

TEST_F(Allocation, NoneInManyRunsAtOnce) {
  const auto run = [&] { session_.run({{"x", x_}}, {{"p", p_}}); };
  run();
  EXPECT_EQ(AllocationsOf(run), 0U);
}

TEST_F(Allocation, NoneInRequests) {
  auto request = session_.request();
  std::atomic<int> told{0};
  const auto once = [&] {
    session_.inputs()[0].quantize(std::span(x_).first(kElements), request.input("x").as<int8_t>());
    request.submit([&told](const xrun::Error*) { ++told; });
    request.wait();
    request.submit();
    request.wait();
  };
  once();
  EXPECT_EQ(AllocationsOf([&] {
              for (int i = 0; i < 100; ++i) once();
            }),
            0U);
  EXPECT_EQ(told, 101);
}

TEST_F(Allocation, NoneInBindingBuffers) {
  const auto device = xrun::Device::open("sim");
  xrun::Session session(device, xrun::Program::from_memory(xrun::test::MixedProgramBytes()));
  const auto in = xrun::Buffer::allocate(device, 4096), other = xrun::Buffer::allocate(device, 4096);
  auto request = session.request();
  const auto once = [&] {
    request.bind_input("x", in);
    request.bind_input("x", other, 0, xrun::Layout::kDevice);
    request.set_priority(xrun::Priority::kHigh);
    request.submit();
    request.wait();
    request.unbind();
  };
  once();
  EXPECT_EQ(AllocationsOf([&] {
              for (int i = 0; i < 100; ++i) once();
            }),
            0U);
}

}  // namespace
