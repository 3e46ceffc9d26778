// expect: vla
#include <cstdint>

extern "C" void top(int32_t* out, int32_t n) {
  auto* line = static_cast<int32_t*>(__builtin_alloca(static_cast<uint32_t>(n)));
  for (int32_t i = 0; i < n; ++i) line[i] = out[i];
  for (int32_t i = 0; i < n; ++i) out[i] = line[n - 1 - i];
}
