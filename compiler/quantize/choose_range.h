#ifndef XRUN_COMPILER_QUANTIZE_CHOOSE_RANGE_H_
#define XRUN_COMPILER_QUANTIZE_CHOOSE_RANGE_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "compiler/graph.h"
#include "compiler/quantize/activation_stats.h"

namespace xrun::compiler {

enum class CalibrationMethod : uint8_t { kMinMax, kPercentile, kEntropy, kMse, kAuto };

/// "minmax", "percentile", "entropy", "mse", "auto".
std::string_view Name(CalibrationMethod method);
std::optional<CalibrationMethod> ParseCalibrationMethod(std::string_view name);

/// The real values that −128 and 127 should stand for; lo <= 0 <= hi.
struct Range {
  float lo = 0, hi = 0;
  bool operator==(const Range&) const = default;
};

/// Scale and zero point of a range: scale = (hi − lo)/255, zero point the nearest to −128 − lo/scale. A range too small
/// to quantize (nothing but zeros was seen) is taken as one of size 1 on the side(s) it lies on.
QuantParams MakeParams(Range range);

/// The range that `method` picks:
///   minmax      everything seen;
///   percentile  at each end, what leaves out the fraction 1 − percentile/100 of all values;
///   entropy     least Kullback-Leibler divergence of the quantized from the seen distribution;
///   mse         least mean squared error of the quantized values;
///   auto        the one of these with the least mean squared error behind `chain`, minmax before others when equal.
/// Both ends are searched on their own. `chain`, when not empty, is the function that is the value's only reader:
/// errors are measured behind it, so that no levels are spent where it is flat.
Range ChooseRange(const ActivationStats& stats, CalibrationMethod method, double percentile,
                  std::span<const UnaryFunction> chain = {});

/// Mean squared error of quantizing what was seen with these parameters, behind `chain`.
double QuantizationError(const ActivationStats& stats, const QuantParams& params,
                         std::span<const UnaryFunction> chain = {});

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_CHOOSE_RANGE_H_
