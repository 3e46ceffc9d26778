// expect: port-interface
// kind: open
#include <cstdint>

extern "C" void top(const int32_t* in, int32_t* out) {
#pragma HLS interface mode=m_axi port=in offset=direct
  for (int i = 0; i < 16; ++i) out[i] = in[i];
}
