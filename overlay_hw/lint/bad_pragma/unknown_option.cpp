// expect: unknown-option
#include <cstdint>

extern "C" void top(int32_t* out) {
#pragma HLS interface mode=ap_memory port=out
#pragma HLS interface mode=ap_ctrl_hs port=return
  int32_t line[16];
#pragma HLS bind_storage variable=line core=ram_2p
  for (int i = 0; i < 16; ++i) line[i] = out[i];
  for (int i = 0; i < 16; ++i) out[i] = line[15 - i];
}
