#ifndef XRUN_ISA_MULTIPLIER_H_
#define XRUN_ISA_MULTIPLIER_H_

#include <cstdint>
#include <vector>

#include "isa/arithmetic.h"
#include "isa/result.h"

namespace xrun {

/// A positive ratio of float32 scales and a count, taken exactly: (Π numerator) / (denominator · count).
/// At most two numerators; count in 1…2^24.
struct ScaleRatio {
  std::vector<float> numerator;
  float denominator = 1.0F;
  int64_t count = 1;
};

/// The exact ratio rounded once (half to even) to 24 bits: m in [2^23, 2^24), shift in 16…55. A ratio that would need
/// a shift of 56 or more gives m = 0; a ratio of 2^8 or more (after rounding), or a scale that is not a positive finite
/// number, is a failure. Charter section 2, "Requantize".
Result<Multiplier> MakeMultiplier(const ScaleRatio& ratio);

/// Common-shift multipliers of an addition: m_i = rhe(s_i / sy · 2^shift), with the largest shift ≤ 47 for which all
/// |m_i| < 2^24. Failure when not even shift 0 fits.
struct AddMultipliers {
  int32_t m[2];
  uint32_t shift;
};
Result<AddMultipliers> MakeAddMultipliers(float scale_a, float scale_b, float scale_y);

/// rhe(x) of a double, for values whose nearest integer fits int64 (saturating outside; NaN is 0).
int64_t RoundHalfEven(double x);

}  // namespace xrun

#endif  // XRUN_ISA_MULTIPLIER_H_
