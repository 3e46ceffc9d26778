#ifndef XRUN_OVERLAY_HW_PAIR_H_
#define XRUN_OVERLAY_HW_PAIR_H_

// Two products in one multiplication: (second · 2^18 + first) · w. A DSP48E2 multiplies 27 by 18 bits.

#include <cstdint>

#include "overlay_hw/config.h"
#include "overlay_hw/csim/count_macros.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

constexpr uint32_t kPairShift = 18;

/// Two int8 as one factor of 27 bits.
inline int32_t PairOf(int32_t first, int32_t second) { return second * (1 << kPairShift) + first; }

/// A product of a pair, or a sum of them, split. The first part is the lower 18 bits, so it has to be in −2^17…2^17 −
/// 1; where it is negative it has taken one from the second.
inline void SplitPair(int64_t sum, int32_t& first, int32_t& second) {
  const int32_t low = static_cast<int32_t>(sum & ((1 << kPairShift) - 1));
  const int32_t sign = low >> (kPairShift - 1);
  first = low - sign * (1 << kPairShift);
  second = static_cast<int32_t>(sum >> kPairShift) + HW_MUTATE(31, sign, 0);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_PAIR_H_
