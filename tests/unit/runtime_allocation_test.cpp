// "No heap allocation in the steady state", counted by the process's own operator new. The device is that of
// XRUN_TEST_DEVICE [sim]. XRT's library and the stand-in board allocate for themselves, in the same process: whose an
// allocation is, its stack says.

#include <dlfcn.h>
#include <execinfo.h>
#include <gtest/gtest.h>
#include <link.h>
#include <xrun/xrun.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string_view>
#include <vector>

#include "tests/unit/runtime_test_files.h"

namespace {

/// Counted while `counting`: ours are libxrun's and the test's, XRT's those of libxrt_coreutil and of what it loads.
std::atomic<bool> counting{false};
std::atomic<size_t> ours{0}, xrts{0};

/// Looks for the innermost caller that is not this program (where operator new is), nor libstdc++ (std::string's
/// insides are there), libc or a sanitizer (which calls backtrace for us).
bool IsXrts() {
  constexpr std::array<std::string_view, 3> kNobodys = {"libstdc++.so", "libc.so", "san.so"};
  std::array<void*, 24> stack;
  const int depth = ::backtrace(stack.data(), static_cast<int>(stack.size()));
  for (int i = 0; i < depth; ++i) {
    dl_find_object module;
    if (::_dl_find_object(stack[static_cast<size_t>(i)], &module) != 0) continue;
    const std::string_view name = module.dlfo_link_map->l_name;  // "" is this program
    const auto is_in = [&](std::string_view part) { return name.find(part) != name.npos; };
    if (name.empty() || std::any_of(kNobodys.begin(), kNobodys.end(), is_in)) continue;
    return is_in("libxrt_core");  // libxrt_coreutil.so, libxrt_core.so
  }
  return false;
}

void* Allocate(size_t size, size_t alignment) {
  if (counting) ++(IsXrts() ? xrts : ours);
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

struct Counts {
  size_t ours, xrts;
};

template <typename Fn>
Counts CountsOf(Fn&& fn) {
  ours = xrts = 0;
  counting = true;
  fn();
  counting = false;
  return {ours, xrts};
}

template <typename Fn>
size_t AllocationsOf(Fn&& fn) {
  const Counts counts = CountsOf(fn);
  testing::Test::RecordProperty("allocations_of_xrt", std::to_string(counts.xrts));
  return counts.ours;
}

const char* DeviceName() {
  const char* name = std::getenv("XRUN_TEST_DEVICE");
  return name == nullptr ? "sim" : name;
}

class Allocation : public ::testing::Test {
 protected:
  static constexpr size_t kElements = 12 * 4 * 4, kRuns = 20;
  xrun::Session session_{xrun::Device::open(DeviceName()),
                         xrun::Program::from_memory(xrun::test::MixedProgramBytes()),
                         {.in_flight = 4, .timeout = std::chrono::seconds(60), .cpu_threads = 2}};
  std::vector<float> x_ = std::vector<float>(kRuns * kElements, 1.0F), p_ = x_;
};

TEST_F(Allocation, IsCounted) {
  EXPECT_GT(AllocationsOf([] { std::vector<int>(100).data()[0] = 1; }), 0U);
}

/// A session allocates, and beneath it, on XRT devices, XRT does.
TEST_F(Allocation, IsToldApart) {
  const Counts counts = CountsOf([] {
    const xrun::Session session(xrun::Device::open(DeviceName()),
                                xrun::Program::from_memory(xrun::test::MixedProgramBytes()));
  });
  EXPECT_GT(counts.ours, 0U);
  EXPECT_EQ(counts.xrts > 0, std::string_view(DeviceName()).substr(0, 3) == "xrt");
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
  const auto device = xrun::Device::open(DeviceName());
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
