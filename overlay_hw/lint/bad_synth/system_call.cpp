// expect: system-call
#include <cstdint>
#include <cstdlib>

extern "C" void top(int32_t* out, int32_t n) {
  int32_t* buffer = new int32_t[16];
  for (int32_t i = 0; i < 16; ++i) buffer[i] = i * n;
  for (int32_t i = 0; i < 16; ++i) out[i] = buffer[15 - i];
  delete[] buffer;
}
