#ifndef XRUN_COMPILER_QUANTIZE_ROUNDING_TRIAL_H_
#define XRUN_COMPILER_QUANTIZE_ROUNDING_TRIAL_H_

#include <optional>
#include <span>
#include <vector>

#include "compiler/float_executor.h"
#include "compiler/graph.h"
#include "compiler/quantize/parameters.h"

namespace xrun::compiler {

/// Tells what rounding some activations to int8 does to the outputs of a float graph: a float run in which those
/// values, and no others, are rounded to their parameters as soon as they are computed. Weights stay float.
class RoundingTrial {
 public:
  static Result<RoundingTrial> Create(const Graph& graph, const ActivationParams& params, int threads);

  /// One sample, as Calibrator::Add: keeps a copy of it and of the float outputs.
  Status Add(std::span<const std::span<const float>> inputs);

  /// 1 − cosine with the float outputs, a mean over samples and outputs, with `rounded[id]` rounded. Values without
  /// parameters, inputs and constants are never rounded. 0 when no output is float.
  Result<double> Loss(const std::vector<bool>& rounded);

 private:
  struct Sample {
    std::vector<std::vector<float>> inputs, outputs;
  };

  explicit RoundingTrial(FloatExecutor executor) : executor_(std::move(executor)) {}
  std::vector<std::vector<float>> Outputs() const;

  FloatExecutor executor_;
  std::vector<std::optional<QuantParams>> params_;
  std::vector<Sample> samples_;
};

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_ROUNDING_TRIAL_H_
