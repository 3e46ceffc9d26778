#ifndef XRUN_COMPILER_IMPORT_NODE_VIEW_H_
#define XRUN_COMPILER_IMPORT_NODE_VIEW_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "isa/result.h"

namespace xrun::compiler {

/// What to call a node: its name, else its first output, as exporters that leave names out do.
std::string NodeName(const onnx::NodeProto& node);

/// One ONNX node with the version of its operator. Attribute readers return the default when the attribute is absent;
/// a wrong attribute type, and an attribute that nobody asked for, are remembered and reported by CheckTypes() and
/// CheckAllRead(). The importer calls both after every node, so that no attribute is ever ignored in silence.
class NodeView {
 public:
  NodeView(const onnx::NodeProto& proto, std::string name, int since)
      : proto_(proto), name_(std::move(name)), since_(since) {}

  /// Unique; made from the first output when the model gives no name.
  const std::string& name() const { return name_; }
  const std::string& op() const { return proto_.op_type(); }
  /// The since-version of the operator: the newest one not newer than the model's opset.
  int since() const { return since_; }

  int input_count() const { return proto_.input_size(); }
  int output_count() const { return proto_.output_size(); }
  /// The name of an input or output; "" when it is absent.
  const std::string& input(int i) const;
  const std::string& output(int i) const;
  bool has_input(int i) const { return !input(i).empty(); }
  bool has_output(int i) const { return !output(i).empty(); }

  bool Has(const std::string& attribute) const;
  int64_t Int(const std::string& attribute, int64_t otherwise) const;
  float Float(const std::string& attribute, float otherwise) const;
  std::string String(const std::string& attribute, const std::string& otherwise) const;
  std::vector<int64_t> Ints(const std::string& attribute, const std::vector<int64_t>& otherwise = {}) const;
  std::vector<float> Floats(const std::string& attribute) const;
  const onnx::TensorProto* Tensor(const std::string& attribute) const;
  /// Declares an attribute that has no effect here.
  void Ignore(const std::string& attribute) const { asked_.insert(attribute); }

  Status CheckTypes() const;
  Status CheckAllRead() const;

  /// A failure that names this node and its operator.
  Failure Fail(const std::string& what, const std::string& hint = "") const;
  Failure Fail(Failure failure) const;

 private:
  const onnx::AttributeProto* Find(const std::string& attribute, int type) const;

  const onnx::NodeProto& proto_;
  std::string name_;
  int since_;
  mutable std::set<std::string> asked_;
  mutable std::optional<Failure> wrong_;
};

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_IMPORT_NODE_VIEW_H_
