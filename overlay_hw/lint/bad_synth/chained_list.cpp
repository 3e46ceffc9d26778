// expect: loop
#include <cstdint>

extern "C" void top(int32_t* out, const int32_t* next) {
  int32_t steps = 0;
  for (int32_t at = 0; at != -1; at = next[at]) ++steps;
  out[0] = steps;
}
