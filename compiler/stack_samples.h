#ifndef XRUN_COMPILER_STACK_SAMPLES_H_
#define XRUN_COMPILER_STACK_SAMPLES_H_

#include <optional>

#include "compiler/lower.h"

namespace xrun::compiler {

/// A partition of N samples, layer for layer the same work on each (split_batch.h), as one of taller pictures: each
/// tensor holds the samples one below the other, and each layer computes all of them with one copy of its weights.
/// Results are the same. nullopt where samples differ in their work, or where a layer or a view is not one that rows
/// can be cut from (several phases, products of two activations, boxes of rows or columns). The tensors of the
/// partition's border stay as they are, for their places in DRAM and their layouts; no layer names them.
std::optional<Partition> StackSamples(const Partition& partition);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_STACK_SAMPLES_H_
