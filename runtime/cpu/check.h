#ifndef XRUN_RUNTIME_CPU_CHECK_H_
#define XRUN_RUNTIME_CPU_CHECK_H_

// What the checks of all operators share; private to runtime/cpu. check.cpp has the operators that quantize too and
// picks the check, check_*.cpp the others by topic.

#include <algorithm>
#include <initializer_list>
#include <string>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

/// Attribute numbers and dimensions beyond this are refused, so that no product of two of them overflows.
constexpr int64_t kLargest = int64_t{1} << 31;
constexpr int64_t kMostElements = int64_t{1} << 40;

std::string ShapeText(std::span<const int64_t> shape);

inline bool SameShape(std::span<const int64_t> a, std::span<const int64_t> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

class CallCheck {
 public:
  explicit CallCheck(const OpCall& call) : call_(call) {}

 protected:
  Failure Fail(const std::string& what) const { return {std::string(Name(call_.op)) + " " + what, ""}; }

  const Tensor& In(size_t i) const { return call_.inputs[i]; }
  const Tensor& Out() const { return call_.outputs[0]; }
  bool Absent(size_t i) const { return i >= call_.inputs.size() || (In(i).data == nullptr && In(i).shape.empty()); }

  Status Count(size_t least, size_t most) const;
  Status AllFloat() const;
  Failure WrongType(DType type) const { return Fail("cannot take " + std::string(Name(type)) + " here"); }
  Status ExpectType(const Tensor& tensor, DType type) const {
    return tensor.dtype == type ? Status() : WrongType(tensor.dtype);
  }
  Status Expect(const Tensor& tensor, std::initializer_list<int64_t> shape, const char* what) const;
  Status ExpectOutput(std::span<const int64_t> shape) const;
  Status ExpectOutput(const Dims& shape, size_t rank) const {
    return ExpectOutput(std::span<const int64_t>(shape.data(), rank));
  }
  /// The output has the shape to which the inputs broadcast.
  Status ExpectBroadcast() const;

  template <typename T>
  const T* Attrs() const {
    return std::get_if<T>(call_.attrs);
  }
  Failure NoAttrsOfKind() const { return Fail("has attributes of another operator"); }
  Failure BadAttrs() const { return Fail("has attributes out of range"); }
  static bool InRange(std::span<const int64_t> values, int64_t least) {
    return std::all_of(values.begin(), values.end(), [=](int64_t v) { return v >= least && v < kLargest; });
  }
  static bool IsAxis(int64_t axis, std::span<const int64_t> shape) {
    return axis >= 0 && axis < static_cast<int64_t>(shape.size());
  }

  const OpCall& call_;
};

Status CheckResize(const OpCall& call);
Status CheckBlocks(const OpCall& call);
Status CheckGather(const OpCall& call);
Status CheckArgMax(const OpCall& call);
Status CheckCast(const OpCall& call);
Status CheckReduce(const OpCall& call);
Status CheckAlongAxis(const OpCall& call);
Status CheckLayerNorm(const OpCall& call);
Status CheckInstanceNorm(const OpCall& call);
Status CheckLrn(const OpCall& call);

}  // namespace xrun::cpu

#endif  // XRUN_RUNTIME_CPU_CHECK_H_
