#ifndef XRUN_COMPILER_QUANTIZE_ROUND_WEIGHTS_H_
#define XRUN_COMPILER_QUANTIZE_ROUND_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "compiler/graph.h"
#include "compiler/quantize/input_moments.h"

namespace xrun::compiler {

/// int8 weights of a Conv or FullyConnected that keep its results on the calibration data close, rather than each
/// weight by itself: rounding one weight is made up for by those not rounded yet, as far as their inputs vary together
/// (Frantar et al., GPTQ, 2022; Hassibi and Stork, Optimal Brain Surgeon, 1993). `scales` are those of QuantizeWeights.
/// Without products in `moments` every weight is rounded to the nearest.
std::vector<int8_t> RoundWeights(const Graph& graph, const Node& node, const std::vector<float>& scales,
                                 const InputMoments& moments);

/// What to add to the real bias of each output channel so that its mean over the calibration data is the float one in
/// spite of rounded weights and rounded or clipped inputs (Nagel et al., Data-Free Quantization, 2019, section 4.2,
/// with means measured).
std::vector<double> BiasCorrections(const Graph& graph, const Node& node, const std::vector<float>& scales,
                                    const std::vector<int8_t>& quantized, float input_scale,
                                    const InputMoments& moments);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_ROUND_WEIGHTS_H_
