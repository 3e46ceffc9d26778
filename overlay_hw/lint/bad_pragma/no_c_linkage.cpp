// expect: top-linkage
#include <cstdint>

void top(int32_t* out) {
#pragma HLS interface mode=ap_memory port=out
#pragma HLS interface mode=ap_ctrl_hs port=return
  for (int i = 0; i < 16; ++i) out[i] = i;
}
