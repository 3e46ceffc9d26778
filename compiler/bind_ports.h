#ifndef XRUN_COMPILER_BIND_PORTS_H_
#define XRUN_COMPILER_BIND_PORTS_H_

#include <vector>

#include "compiler/partition_builder.h"

namespace xrun::compiler {

/// Private to Lower: the end of a partition whose nodes are all added. Binds the tensors of values that enter and leave
/// it to registers and, with LowerOptions::separate, lists those of values inside.
Status BindPorts(PartitionBuilder& builder, const std::vector<NodeId>& nodes);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_BIND_PORTS_H_
