#ifndef XRUN_TESTS_ORACLE_GRAPH_H_
#define XRUN_TESTS_ORACLE_GRAPH_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "op.h"

namespace xrun::oracle {

/// The parsed file and everything that does not depend on the inputs.
class Graph {
 public:
  /// `folder`: where external data lies; empty refuses it.
  Graph(onnx::ModelProto model, const std::string& folder);

  const onnx::GraphProto& proto() const { return model_.graph(); }
  int64_t opset() const { return opset_; }
  const std::vector<Model::Port>& inputs() const { return inputs_; }
  /// Initializers and results of nodes that read constants only.
  const std::map<std::string, ValuePtr>& constants() const { return constants_; }

 private:
  onnx::ModelProto model_;
  int64_t opset_ = 0;
  std::vector<Model::Port> inputs_;
  std::map<std::string, ValuePtr> constants_;
};

/// The tensor as integers or floats.
Value ReadTensor(const onnx::TensorProto& tensor, const std::string& folder);

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_GRAPH_H_
