#ifndef XRUN_COMPILER_QUANTIZE_INPUT_MOMENTS_H_
#define XRUN_COMPILER_QUANTIZE_INPUT_MOMENTS_H_

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "compiler/float_executor.h"
#include "compiler/graph.h"
#include "compiler/quantize/parameters.h"

namespace xrun::compiler {

/// What calibration saw of the taps that one Conv or FullyConnected multiplies its weights with, as int8 codes minus
/// the zero point, over sampled output positions. All sums are whole numbers below 2^53, so neither the order of
/// samples nor the number of jobs changes them.
struct InputMoments {
  /// Products are kept up to this many taps; beyond, only the means.
  static constexpr int64_t kMostTaps = 1024;
  /// Unit of `reals`, relative to a code.
  static constexpr double kRealUnit = 0x1p-16;

  int64_t groups = 0, taps = 0;  ///< taps of a group: input channels of the group × kernel
  int64_t positions = 0;
  std::vector<double> codes;     ///< [groups][taps]: Σ code
  std::vector<double> reals;     ///< [groups][taps]: Σ float value / scale, in kRealUnit
  std::vector<double> products;  ///< [groups][taps][taps]: Σ code · code; empty beyond kMostTaps

  void Merge(const InputMoments& other);
};

/// Runs calibration samples through the float graph a second time, once the activation parameters are known.
class MomentCollector {
 public:
  /// `quantized[n]`: node n will be quantized. Keeps no reference to `params`.
  static Result<MomentCollector> Create(const Graph& graph, const std::vector<bool>& quantized,
                                        const ActivationParams& params, int threads);

  /// One sample, as Calibrator::Add. Its values are known to be finite.
  Status Add(std::span<const std::span<const float>> inputs);
  void Merge(const MomentCollector& other);

  /// By NodeId of the float graph; `positions` is 0 for nodes that are not products of quantized values.
  std::vector<InputMoments> Take() { return std::move(moments_); }

 private:
  struct Reader {
    size_t node;
    double scale;
    int32_t zero_point;
  };

  explicit MomentCollector(FloatExecutor executor) : executor_(std::move(executor)) {}
  void See(const Node& node, const Reader& reader, std::span<const float> values);

  FloatExecutor executor_;
  std::vector<std::vector<Reader>> readers_;  ///< by ValueId: products whose input 0 it is
  std::vector<InputMoments> moments_;
};

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_INPUT_MOMENTS_H_
