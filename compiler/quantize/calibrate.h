#ifndef XRUN_COMPILER_QUANTIZE_CALIBRATE_H_
#define XRUN_COMPILER_QUANTIZE_CALIBRATE_H_

#include <span>
#include <string>
#include <vector>

#include "compiler/float_executor.h"
#include "compiler/quantize/activation_stats.h"

namespace xrun::compiler {

/// What calibration learnt of a float graph; from it quantization can be made with any method.
struct Calibration {
  std::vector<ActivationStats> stats;  ///< by ValueId
  int64_t samples = 0;
  bool synthetic = false;  ///< made without data

  /// Joins what another job learnt of the same graph. The result does not depend on how samples were shared out.
  void Merge(const Calibration& other);
};

/// Feeds samples through the float graph and keeps what it sees of every activation.
class Calibrator {
 public:
  static Result<Calibrator> Create(const Graph& graph, int threads);

  /// One sample: a span per graph input, sizes as FloatExecutor::Run. Fails when an input is not a finite number, or
  /// when an activation is not: the value and the node that made it are named.
  Status Add(std::span<const std::span<const float>> inputs);

  const Calibration& calibration() const { return calibration_; }
  Calibration& calibration() { return calibration_; }

 private:
  explicit Calibrator(FloatExecutor executor) : executor_(std::move(executor)) {}

  FloatExecutor executor_;
  Calibration calibration_;
};

/// Calibrates with the built-in synthetic images (synthetic_inputs.h) over [lo, hi]; the result is marked synthetic.
Result<Calibration> CalibrateWithoutData(const Graph& graph, float lo, float hi, int threads);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_CALIBRATE_H_
