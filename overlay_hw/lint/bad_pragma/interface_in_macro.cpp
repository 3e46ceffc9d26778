// expect: interface-macro
#include <cstdint>

#define STRING(x) #x
#define PRAGMA(x) _Pragma(STRING(HLS x))

extern "C" void top(int32_t* out) {
  PRAGMA(interface mode = ap_memory port = out)
#pragma HLS interface mode=ap_ctrl_hs port=return
  for (int i = 0; i < 16; ++i) out[i] = i;
}
