#ifndef XRUN_COMPILER_LOWER_MOVES_H_
#define XRUN_COMPILER_LOWER_MOVES_H_

#include "compiler/partition_builder.h"

namespace xrun::compiler {

/// Private to Lower: nodes that move data. Where tensors can be boxes of each other they cost nothing; else they are
/// copies. Failures say which limit is exceeded; the caller names the node.

/// The same tensor under another name where the plane stays, the same memory with other rows and columns where only
/// they change; anything else is the tensor as it was, which is good enough for a FullyConnected or an output.
Status LowerReshape(PartitionBuilder& builder, NodeId id);

/// Inputs become boxes of the result: their producers write there. What cannot (model inputs, other scales, values
/// that are boxes already) is copied.
Status LowerConcat(PartitionBuilder& builder, NodeId id);

/// A box of the input where steps are 1 (channels: any step), else a strided copy.
Status LowerSlice(PartitionBuilder& builder, NodeId id);

/// Channels picked by constant indices: a view of the groups that hold them. Where one is picked twice, a copy: a
/// view has at each place one channel.
Status LowerGather(PartitionBuilder& builder, NodeId id);

/// Constant padding: a copy whose taps outside read the quantized padding value, with zero channels around.
Status LowerPad(PartitionBuilder& builder, NodeId id);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_LOWER_MOVES_H_
