#ifndef XRUN_COMPILER_SPLIT_BATCH_H_
#define XRUN_COMPILER_SPLIT_BATCH_H_

#include "compiler/graph.h"

namespace xrun::compiler {

/// The overlay's layout has no batch axis. Where operators of a quantized graph work on N > 1 samples with planes,
/// turns them and the matrices beside them into N times the same operators on one sample each, which share their
/// weights; the batch is cut and joined at the border of such a region. Results do not change. Returns whether the
/// graph was changed.
bool SplitBatch(Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_SPLIT_BATCH_H_
