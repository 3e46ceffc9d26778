// expect: retired-pragma
#include <cstdint>

#define STRING(x) #x
#define PRAGMA(x) _Pragma(STRING(HLS x))

extern "C" void top(int32_t* out) {
#pragma HLS interface mode=ap_memory port=out
#pragma HLS interface mode=ap_ctrl_hs port=return
  int32_t line[16];
  PRAGMA(resource variable = line core = RAM_2P_BRAM)
  for (int i = 0; i < 16; ++i) line[i] = out[i];
  for (int i = 0; i < 16; ++i) out[i] = line[15 - i];
}
