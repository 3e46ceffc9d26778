// The sequential top as an open HLS tool takes it: memories are static arrays, DRAM is one m_axi port. Compiled with
// -DXRUN_HW_CONFIG=<a small configuration> and XRUN_HW_BARE.

#include "overlay_hw/sequential.h"

namespace hw = xrun::hw::XRUN_HW_CONFIG;

static hw::Part activations[hw::kBanks][hw::kParts][hw::kActivationRows];
static hw::Part ring[hw::kCP][hw::kParts][hw::kWeightRows];
static hw::Part vector_memory[hw::kParts][hw::kVectorRows];
static int32_t partial[hw::kPP][hw::kCP + 1][hw::kPartialEntries];
static int32_t vector_partial[hw::kCP][hw::kVectorPartialEntries];

/// Addresses are byte addresses; `dram` is byte address 0.
extern "C" void xrun_overlay_sequential(hw::Beat* dram, uint64_t program, uint64_t weights, uint64_t requests,
                                        uint64_t status, uint32_t request_count) {
  // Interface pragmas are literal single lines, `key=value` without blanks.
  // clang-format off
#ifdef __BAMBU__
#pragma HLS interface mode=m_axi port=dram offset=direct
#elif defined(__SYNTHESIS__)
#pragma HLS interface mode=m_axi port=dram bundle=gmem0 offset=slave max_read_burst_length=16 max_write_burst_length=16
#pragma HLS interface mode=s_axilite port=dram
#pragma HLS interface mode=s_axilite port=program
#pragma HLS interface mode=s_axilite port=weights
#pragma HLS interface mode=s_axilite port=requests
#pragma HLS interface mode=s_axilite port=status
#pragma HLS interface mode=s_axilite port=request_count
#pragma HLS interface mode=s_axilite port=return
#endif
  // clang-format on
  hw::LaunchArguments arguments;
  arguments.program = program;
  arguments.weights = weights;
  arguments.requests = requests;
  arguments.status = status;
  arguments.request_count = request_count;
  hw::RunSequential(arguments, dram, dram, activations, activations, activations, activations, activations, activations,
                    activations, activations, activations, ring, ring, partial, partial, vector_memory, vector_memory,
                    vector_partial, vector_partial);
}
