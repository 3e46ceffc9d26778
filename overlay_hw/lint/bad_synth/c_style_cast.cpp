// expect: pointer-cast
#include <cstdint>

extern "C" void top(int32_t* out, const int8_t* in) { out[0] = *(const int32_t*)in; }
