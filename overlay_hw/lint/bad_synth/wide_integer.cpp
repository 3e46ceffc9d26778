// expect: wide-integer
#include <cstdint>

extern "C" void top(const int64_t* in, int64_t* out) {
  const __int128 product = static_cast<__int128>(in[0]) * in[1];
  out[0] = static_cast<int64_t>(product >> (in[2] & 63));
}
