#ifndef XRUN_COMPILER_IMPORT_ORDER_NODES_H_
#define XRUN_COMPILER_IMPORT_ORDER_NODES_H_

#include <onnx/onnx_pb.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "isa/result.h"

namespace xrun::compiler {

/// What of a model its outputs depend on.
struct NodeOrder {
  std::vector<int> nodes;                 ///< indices of nodes
  std::unordered_set<std::string> names;  ///< tensors that one of these nodes reads or the model puts out
};

/// Sorted so that producers come first; nodes that are in order already keep it. Fails where a tensor has two producers
/// and where nodes form a cycle.
Result<NodeOrder> OrderNodes(const onnx::GraphProto& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_IMPORT_ORDER_NODES_H_
