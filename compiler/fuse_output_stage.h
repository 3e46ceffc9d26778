#ifndef XRUN_COMPILER_FUSE_OUTPUT_STAGE_H_
#define XRUN_COMPILER_FUSE_OUTPUT_STAGE_H_

#include "compiler/lower_layer.h"
#include "compiler/partition_builder.h"

namespace xrun::compiler {

/// Private to Lower: puts a node into the output stage of a layer before it, whose result nobody else reads. A table
/// goes into any layer without one, an Add into whichever operand's convolution comes last. No rounding is removed.
/// False where the node needs a layer of its own.
Result<bool> FuseIntoOutputStage(PartitionBuilder& builder, NodeId id, const LayerOperands& operands);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_FUSE_OUTPUT_STAGE_H_
