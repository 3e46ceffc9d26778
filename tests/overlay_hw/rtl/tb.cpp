// The testbench of the sequential top: DRAM in, one launch, DRAM out against what the simulator left, word by word. The
// same for an open HLS tool's RTL and for g++. -DXRUN_RTL_CASE="case.h".

#include <stdio.h>

#include "overlay_hw/sequential.h"
#include XRUN_RTL_CASE
#ifdef __BAMBU_SIM__
#include <mdpi/mdpi_user.h>
#endif

namespace hw = xrun::hw::XRUN_HW_CONFIG;

extern "C" void xrun_overlay_sequential(hw::Beat* dram, uint64_t program, uint64_t weights, uint64_t requests,
                                        uint64_t status, uint32_t request_count);

static const unsigned kWords = hw::kBusBytes / 8;
static hw::Beat dram[kDramBytes / hw::kBusBytes];

int main() {
  for (unsigned i = 0; i < kDramBytes / hw::kBusBytes; ++i) {
    for (unsigned w = 0; w < kWords; ++w) {
      dram[i].range(static_cast<int>(64 * w + 63), static_cast<int>(64 * w)) =
          static_cast<uint64_t>(kBefore[i * kWords + w]);
    }
  }
#ifdef __BAMBU_SIM__
  m_param_alloc(0, sizeof(dram));
#endif
  xrun_overlay_sequential(dram, kProgramAt, kWeightsAt, kRequestsAt, kStatusAt, 1);
  unsigned differ = 0, first = 0;
  for (unsigned i = 0; i < kDramBytes / hw::kBusBytes; ++i) {
    for (unsigned w = 0; w < kWords; ++w) {
      const uint64_t found = dram[i].range(static_cast<int>(64 * w + 63), static_cast<int>(64 * w));
      if (found == kAfter[i * kWords + w]) continue;
      if (differ == 0) first = (i * kWords + w) * 8;
      ++differ;
    }
  }
  printf("xrun rtl: %u words compared, %u differ, first at byte %u\n", kDramBytes / 8, differ, first);
  return differ == 0 ? 0 : 1;
}
