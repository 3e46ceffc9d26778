// expect: port-interface
#include <cstdint>

extern "C" void top(int32_t* out, const int32_t* in) {
#pragma HLS interface mode=ap_memory port=out
#pragma HLS interface mode=ap_ctrl_hs port=return
  for (int i = 0; i < 16; ++i) out[i] = in[15 - i];
}
