// expect: vla
#include <cstdint>

extern "C" void top(int32_t* out, int32_t n) {
  int32_t line[n];
  for (int32_t i = 0; i < n; ++i) line[i] = out[i];
  for (int32_t i = 0; i < n; ++i) out[i] = line[n - 1 - i];
}
