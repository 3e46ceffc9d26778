#ifndef XRUN_COMPILER_QUANTIZE_EQUALIZE_H_
#define XRUN_COMPILER_QUANTIZE_EQUALIZE_H_

#include <span>
#include <string>
#include <vector>

#include "compiler/float_executor.h"
#include "compiler/graph.h"

namespace xrun::compiler {

/// What one channel (axis 1) of an activation was seen to be.
struct ChannelRange {
  float largest = 0;           ///< magnitude
  double sum = 0, square = 0;  ///< of the values
  double count = 0;
  double deviation() const;
};

/// The range of every channel of every activation of a float graph, over the samples fed.
class ChannelRanges {
 public:
  static Result<ChannelRanges> Create(const Graph& graph, int threads);

  /// One sample, as Calibrator::Add; values that are not finite count as 0 (calibration names them).
  Status Add(std::span<const std::span<const float>> inputs);
  /// By ValueId; empty for values without a channel axis.
  const std::vector<std::vector<ChannelRange>>& ranges() const { return ranges_; }

 private:
  explicit ChannelRanges(FloatExecutor executor) : executor_(std::move(executor)) {}

  FloatExecutor executor_;
  std::vector<std::vector<ChannelRange>> ranges_;
};

/// Cross-layer equalisation (Nagel et al., Data-Free Quantization, 2019, section 4.1), with ranges measured: where the
/// output of a convolution reaches other convolutions only, through operators that commute with positive factors (Relu,
/// pooling, resizing, gates), each of its channels is divided by a factor that the readers' weights are multiplied
/// with, so that channels of different reach share one scale well. Results stay what they were up to float rounding.
/// Values that were changed are named NAME.equalized; returns the names of the convolutions.
std::vector<std::string> Equalize(Graph& graph, const std::vector<std::vector<ChannelRange>>& ranges);

/// The same for functions that do not commute with factors (SiLU, HardSwish, ...): where some channels of a convolution
/// before such a function would drown in the rounding noise of a scale that fits the others, those of like reach become
/// convolutions of their own, with a scale and a table each, joined again behind the function. Call before Equalize.
/// Returns the names of the convolutions that were split.
std::vector<std::string> SplitByReach(Graph& graph, const std::vector<std::vector<ChannelRange>>& ranges);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_EQUALIZE_H_
