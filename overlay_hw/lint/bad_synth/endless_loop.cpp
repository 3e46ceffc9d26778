// expect: loop
#include <cstdint>

extern "C" void top(volatile int32_t* out, const volatile int32_t* in) {
  int32_t sum = 0;
  while (sum < 1000) sum += *in;
  *out = sum;
}
