// kind: open
#include <cstdint>

// Numbers are wires of the open tool's top, and need no interface.
extern "C" void top(int32_t* out, int32_t n) {
#pragma HLS interface mode=m_axi port=out offset=direct
  for (int i = 0; i < 16; ++i) out[i] = n;
}
