// expect: open-tool
// kind: open
#include <cstdint>

extern "C" void top(int32_t* out, int32_t n) {
#pragma HLS interface mode=m_axi port=out offset=direct
  for (int i = 0; i < 16; ++i) {
#pragma HLS pipeline II=1
    out[i] = n;
  }
}
