// expect: interface-form
#include <cstdint>

extern "C" void top(int32_t* out) {
#ifdef __BAMBU__
#pragma HLS interface mode = m_axi port = out offset = direct
#else
#pragma HLS interface mode=m_axi port=out bundle=gmem0 offset=off
#pragma HLS interface mode=ap_ctrl_hs port=return
#endif
  for (int i = 0; i < 16; ++i) out[i] = i;
}
