// expect: float
#include <cstdint>

extern "C" void top(int32_t* out, int32_t n) { out[0] = static_cast<int32_t>(static_cast<float>(n) * 0.3F); }
