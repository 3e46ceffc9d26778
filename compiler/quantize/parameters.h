#ifndef XRUN_COMPILER_QUANTIZE_PARAMETERS_H_
#define XRUN_COMPILER_QUANTIZE_PARAMETERS_H_

#include <string>
#include <vector>

#include "compiler/quantize/calibrate.h"
#include "compiler/quantize/choose_range.h"

namespace xrun::compiler {

/// One row of the table that shows how a value's parameters came about.
struct ChosenRange {
  std::string value;
  Range seen, chosen;
  float scale = 0;
  int32_t zero_point = 0;
  double mean_squared_error = 0;  ///< of the chosen one, on the calibration data
  double minmax_error = 0;        ///< had everything seen been kept
};

/// Scale and zero point of every activation that a quantized graph holds as int8, by ValueId (others have no entry).
struct ActivationParams {
  std::vector<std::optional<QuantParams>> params;
  std::vector<ChosenRange> table;  ///< in execution order, one row a choice
};

/// Decides them. Values that an operator only moves share the parameters of their source, so that moving is copying; so
/// do inputs of a Concat that nothing else reads. A scale is raised where a requantize ratio would reach 2^8.
Result<ActivationParams> ChooseActivationParams(const Graph& graph, const std::vector<bool>& quantized,
                                                const Calibration& calibration, CalibrationMethod method,
                                                double percentile);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_PARAMETERS_H_
