#ifndef XRUN_TESTS_FUZZ_TARGET_H_
#define XRUN_TESTS_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

/// What each target defines: libFuzzer calls it with bytes it made up (-DXRUN_FUZZ=ON), replay.cpp with files.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace xrun::fuzz {

/// Ends the process as a crash does when a promise is broken: libFuzzer keeps the input then.
inline void Require(bool kept, const char* promise) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace xrun::fuzz

#endif  // XRUN_TESTS_FUZZ_TARGET_H_
