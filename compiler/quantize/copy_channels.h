#ifndef XRUN_COMPILER_QUANTIZE_COPY_CHANNELS_H_
#define XRUN_COMPILER_QUANTIZE_COPY_CHANNELS_H_

#include <map>
#include <vector>

#include "compiler/graph.h"
#include "compiler/quantize/parameters.h"
#include "compiler/quantize/rounding_trial.h"

namespace xrun::compiler {

// Activations finer than int8, by int8: the channels of a convolution are computed k times, the j-th copy shifted by
// (j + 1/2)/k − 1/2 of a step, and the next convolution takes the mean of the copies. As round(y − 1/4) + round(y +
// 1/4) is y rounded to halves, the mean of k copies has steps of 1/k. Copies pass through what treats channels alone
// (functions, depthwise convolutions, pools), where they round on their own and are shifted anew. A function follows
// each copy by itself: copies lie in the same step or in neighbours, so that one table would round them alike.

/// A convolution whose channels can be copied, and what that does. Several, where a Concat joins their results: what
/// SplitByReach made of one.
struct CopyCandidate {
  std::vector<NodeId> convs;
  std::vector<ValueId> values;    ///< activations that become finer: the results and what follows channel by channel
  std::vector<NodeId> depthwise;  ///< convolutions among what follows
  std::vector<NodeId> readers;    ///< convolutions over all channels that take the mean
};
std::vector<CopyCandidate> FindCopyCandidates(const Graph& graph, const std::vector<bool>& quantized);

/// How often the channels of each candidate are to be there (1: as before), from what rounding its activations does to
/// the outputs: nothing is copied when a loss of 2e-3 is not reached. Of the steps 1 → 2 → 4 the one that gains most
/// for its multiply-accumulates, channels rounded up to whole groups, is taken, until they would exceed `most_macs` (a
/// share of the graph's) or no step gains enough: the more they may add, the smaller a gain counts.
struct CopyLimits {
  double most_macs = 2;
};
Result<std::vector<int>> ChooseCopies(const Graph& graph, const std::vector<CopyCandidate>& candidates,
                                      RoundingTrial& trial, const CopyLimits& limits);

/// By the output of each node whose results are copies: the shift of each channel, in steps of that output.
using CopyShifts = std::map<ValueId, std::vector<double>>;

/// Rewrites the graph; copies[i] belongs to candidates[i]. Results stay what they were up to float rounding until
/// ShiftCopies. Values that were changed are named NAME.copies; ids of values stay.
CopyShifts CopyChannels(Graph& graph, const std::vector<CopyCandidate>& candidates, const std::vector<int>& copies);

/// Shifts the copies, once their steps are known: changes biases and appends to functions, and nothing that calibration
/// saw by more than half a step.
void ShiftCopies(Graph& graph, const CopyShifts& shifts, const ActivationParams& params);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_COPY_CHANNELS_H_
