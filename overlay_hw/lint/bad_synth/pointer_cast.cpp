// expect: pointer-cast
#include <cstdint>

extern "C" void top(int32_t* out, const int8_t* in) { out[0] = *reinterpret_cast<const int32_t*>(in); }
