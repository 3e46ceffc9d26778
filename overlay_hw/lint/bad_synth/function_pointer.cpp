// expect: indirect-call
#include <cstdint>

static int32_t Twice(int32_t x) { return 2 * x; }
static int32_t Thrice(int32_t x) { return 3 * x; }

extern "C" void top(int32_t* out, int32_t n) {
  int32_t (*const stage)(int32_t) = n > 3 ? Twice : Thrice;
  out[0] = stage(n);
}
