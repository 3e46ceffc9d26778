#ifndef XRUN_COMPILER_LOWER_COMPUTE_H_
#define XRUN_COMPILER_LOWER_COMPUTE_H_

#include "compiler/partition_builder.h"

namespace xrun::compiler {

/// Private to Lower: a node that computes. Brings operands and result into layouts that fit each other, then makes the
/// node's layer (lower_layer.h), or lets the layer before it take the node in (fuse_output_stage.h).
Status LowerCompute(PartitionBuilder& builder, NodeId id);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_LOWER_COMPUTE_H_
