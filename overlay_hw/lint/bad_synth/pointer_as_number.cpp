// expect: pointer-cast
#include <cstdint>

extern "C" void top(int32_t* out, int32_t n) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(out);
  out[0] = static_cast<int32_t>(address & 63) + n;
}
