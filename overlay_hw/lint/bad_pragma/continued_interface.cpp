// expect: interface-form
#include <cstdint>

extern "C" void top(int32_t* out) {
#pragma HLS interface mode=m_axi port=out bundle=gmem0 offset=off \
    depth=64
#pragma HLS interface mode=ap_ctrl_hs port=return
  for (int i = 0; i < 16; ++i) out[i] = i;
}
