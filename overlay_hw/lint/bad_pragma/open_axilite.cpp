// expect: port-mode
// kind: open
#include <cstdint>

extern "C" void top(int32_t* out, int32_t n) {
#pragma HLS interface mode=m_axi port=out offset=direct
#pragma HLS interface mode=s_axilite port=n
  for (int i = 0; i < 16; ++i) out[i] = n;
}
