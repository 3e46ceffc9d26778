// expect: recursion
#include <cstdint>

static int32_t Odd(int32_t n);
static int32_t Even(int32_t n) { return n == 0 ? 1 : Odd(n - 1); }
static int32_t Odd(int32_t n) { return n == 0 ? 0 : Even(n - 1); }

extern "C" void top(int32_t* out, int32_t n) { out[0] = Even(n); }
