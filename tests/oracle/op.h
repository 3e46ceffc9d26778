#ifndef XRUN_TESTS_ORACLE_OP_H_
#define XRUN_TESTS_ORACLE_OP_H_

#include <onnx/onnx_pb.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "value.h"

namespace xrun::oracle {

/// The node's name, or "<operator> -> <first output>" when it has none.
std::string NodeName(const onnx::NodeProto& node);

/// One node with its evaluated inputs. Every accessor that cannot answer throws Error with the node's name.
class Op {
 public:
  Op(const onnx::NodeProto& proto, int64_t opset, std::vector<ValuePtr> inputs)
      : proto_(proto), opset_(opset), inputs_(std::move(inputs)) {}

  const std::string& type() const { return proto_.op_type(); }
  std::string name() const { return NodeName(proto_); }
  int64_t opset() const { return opset_; }
  int output_count() const { return proto_.output_size(); }
  [[noreturn]] void Fail(const std::string& reason) const { throw Error(name(), reason); }

  int input_count() const { return static_cast<int>(inputs_.size()); }
  bool Has(int i) const { return i < input_count() && inputs_[i] != nullptr; }
  const ValuePtr& Shared(int i) const;
  const Value& Input(int i) const { return *Shared(i); }
  const std::string& InputName(int i) const { return proto_.input(i); }
  /// A dequantized tensor; anything else is refused with the reason why.
  const Scaled& Quantized(int i) const;
  /// Whether integer rules apply to the input: false for float, and for a result that lacks its QuantizeLinear.
  bool IsInteger(int i) const { return Input(i).Quantized() != nullptr || Input(i).As<Codes>() != nullptr; }
  /// Integers (shapes, axes, indices).
  const Codes& Integers(int i) const;
  /// The single float in a constant.
  float ScalarFloat(int i) const;

  bool HasAttribute(const std::string& name) const { return Find(name) != nullptr; }
  int64_t Int(const std::string& name, int64_t otherwise) const;
  float FloatOr(const std::string& name, float otherwise) const;
  std::string String(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> Ints(const std::string& name) const;
  std::vector<float> Floats(const std::string& name) const;
  /// ONNX moved many lists from attributes to inputs: whichever is there.
  std::optional<std::vector<int64_t>> IntsFrom(const std::string& attribute, int input) const;

  /// A possibly negative axis as 0…rank−1 (rank itself when `inclusive`).
  int64_t Axis(int64_t axis, size_t rank, bool inclusive = false) const;

 private:
  const onnx::AttributeProto* Find(const std::string& name) const;

  const onnx::NodeProto& proto_;
  int64_t opset_;
  std::vector<ValuePtr> inputs_;
};

using Values = std::vector<ValuePtr>;

// quantize.cpp
Values QuantizeLinear(const Op& op);
Values DequantizeLinear(const Op& op);
// linear.cpp
Values Conv(const Op& op);
Values ConvTranspose(const Op& op);
Values Gemm(const Op& op);
Values MatMul(const Op& op);
/// The integer that element i of the constant `bias` adds to an accumulator of the given exact scale.
int64_t BiasInteger(const Op& op, const Value& bias, int64_t i, const Rational& scale);
/// Refuses an accumulator outside int32: the graph cannot run on the overlay.
void CheckAccumulator(const Op& op, int64_t accumulator);
// pool.cpp
Values MaxPool(const Op& op);
Values AveragePool(const Op& op);
Values ReduceMean(const Op& op);
// elementwise.cpp
Values Unary(const Op& op);
Values Binary(const Op& op);
Values ClampLike(const Op& op);  // Relu, Clip
/// Whether `type` is a float function of one tensor known to functions.cpp.
bool IsUnary(const std::string& type);
// functions.cpp
using UnaryFunction = std::function<double(double)>;
using BinaryFunction = std::function<double(double, double)>;
UnaryFunction MakeUnary(const Op& op);
BinaryFunction MakeBinary(const Op& op);
// movement.cpp
bool IsMovement(const std::string& type);
Values Movement(const Op& op);
Values Concat(const Op& op);
// resize.cpp
Values Resize(const Op& op);
// float_layers.cpp
Values LayerNormalization(const Op& op);
Values Lrn(const Op& op);
// float_ops.cpp
Values Softmax(const Op& op);
Values ArgMax(const Op& op);  // ArgMin too
Values Cast(const Op& op);
Values ShapeOp(const Op& op);
ValuePtr RefusedFloat(const Op& op, const Float& data, const std::string& reason);

/// Evaluates one node.
Values Evaluate(const Op& op);

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_OP_H_
