// Every port stated, options by their documented names, pragmas through macros where those are allowed.
#include <cstdint>

#define STRING(x) #x
#define PRAGMA(x) _Pragma(STRING(HLS x))

extern "C" {
void top(volatile int32_t* dram, int32_t memory[16], int32_t n) {
#ifdef __BAMBU__
#pragma HLS interface mode=m_axi port=dram offset=direct
#else
#pragma HLS interface mode=m_axi port=dram bundle=gmem0 offset=off depth=64 max_read_burst_length=16
#pragma HLS interface mode=ap_memory port=memory storage_type=ram_s2p
#pragma HLS interface mode=ap_none port=n
#pragma HLS interface mode=ap_ctrl_hs port=return
#endif
  for (int32_t i = 0; i < n; ++i) {
    PRAGMA(pipeline II = 1)
    PRAGMA(loop_tripcount min = 1 max = 16)
    memory[i & 15] = dram[i];
  }
}
}
