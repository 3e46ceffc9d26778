// expect: port-interface
#include <cstdint>

extern "C" void top(int32_t* out) {
#pragma HLS interface mode=ap_memory port=out
  for (int i = 0; i < 16; ++i) out[i] = i;
}
