#ifndef XRUN_COMPILER_QUANTIZE_QUANTIZE_H_
#define XRUN_COMPILER_QUANTIZE_QUANTIZE_H_

#include <string>
#include <vector>

#include "compiler/quantize/input_moments.h"
#include "compiler/quantize/parameters.h"

namespace xrun::compiler {

struct QuantizeOptions {
  CalibrationMethod method = CalibrationMethod::kMse;
  double percentile = 99.99;
  bool round_by_data = true;  ///< weights by RoundWeights, where moments are given
  bool correct_bias = true;   ///< BiasCorrections, where moments are given
};

/// A quantized graph and how it came about.
struct Quantized {
  Graph graph;
  std::vector<ChosenRange> ranges;
  struct FloatNode {
    std::string node, reason;
  };
  std::vector<FloatNode> left_float;
};

/// The quantized form (graph.h) of a canonical float graph: int8 activations per tensor with the parameters that
/// `method` picks, symmetric int8 weights per output channel in −127…127, int32 biases at sx·sw, constant operands int8
/// per tensor; Quantize and Dequantize where float enters and leaves. An int8 value keeps the name of the float value
/// it stands for, except at graph inputs and outputs, which stay float: there it is NAME.int8. Sets metadata
/// "calibration". Depends on nothing but its arguments. Fails, naming the node, on weights or ranges that are not
/// finite.
///
/// `moments`, if given, are those of a MomentCollector made with CollectMoments' parameters and fed calibration
/// samples.
Result<Quantized> Quantize(const Graph& graph, const Calibration& calibration, const QuantizeOptions& options = {},
                           const std::vector<InputMoments>* moments = nullptr);

/// The collector of what Quantize with the same arguments wants to know of the inputs of its products.
Result<MomentCollector> CollectMoments(const Graph& graph, const Calibration& calibration,
                                       const QuantizeOptions& options, int threads);

/// Parameters and bytes of a constant operand quantized per tensor.
struct QuantizedConstant {
  QuantParams params;
  std::vector<int8_t> data;
};
Result<QuantizedConstant> QuantizeConstant(const Value& value);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_QUANTIZE_H_
