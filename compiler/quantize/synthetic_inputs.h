#ifndef XRUN_COMPILER_QUANTIZE_SYNTHETIC_INPUTS_H_
#define XRUN_COMPILER_QUANTIZE_SYNTHETIC_INPUTS_H_

#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// How many samples calibration without data uses.
constexpr int kSyntheticSamples = 8;

/// A made-up input of the given shape with values over [lo, hi]: smooth noise, gradients and blobs of several sizes for
/// images (the last two dimensions are the plane, those before are channels), independent numbers for anything else.
/// The same bytes for the same arguments on every machine.
std::vector<float> SyntheticInput(const Shape& shape, int sample, int input, float lo, float hi);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_SYNTHETIC_INPUTS_H_
