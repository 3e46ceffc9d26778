// Elementwise operators of two tensors, logic and choice.

#include "runtime/cpu/check.h"

namespace xrun::cpu {

namespace {

bool IsNumber(DType type) { return type == DType::kFloat32 || type == DType::kInt32 || type == DType::kInt64; }

class Checker : public CallCheck {
 public:
  using CallCheck::CallCheck;

  Status Binary() const {
    XRUN_RETURN_IF_ERROR(Count(2, 2));
    const DType type = In(0).dtype;
    const bool float_only = call_.op == Op::kPow || call_.op == Op::kPRelu;
    if (float_only ? type != DType::kFloat32 : !IsNumber(type)) return WrongType(type);
    XRUN_RETURN_IF_ERROR(ExpectType(In(1), type));
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), type));
    if (call_.op == Op::kMod) {
      const auto* a = Attrs<ModAttrs>();
      if (a == nullptr) return NoAttrsOfKind();
      if (!a->fmod && type == DType::kFloat32) return BadAttrs();
    }
    return ExpectBroadcast();
  }

  Status Compare() const {
    XRUN_RETURN_IF_ERROR(Count(2, 2));
    const DType type = In(0).dtype;
    if (!IsNumber(type) && (call_.op != Op::kEqual || type != DType::kBool)) return WrongType(type);
    XRUN_RETURN_IF_ERROR(ExpectType(In(1), type));
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), DType::kBool));
    return ExpectBroadcast();
  }

  Status Logic() const {
    const size_t inputs = call_.op == Op::kNot || call_.op == Op::kIsNan ? 1 : 2;
    XRUN_RETURN_IF_ERROR(Count(inputs, inputs));
    for (size_t i = 0; i < inputs; ++i) {
      XRUN_RETURN_IF_ERROR(ExpectType(In(i), call_.op == Op::kIsNan ? DType::kFloat32 : DType::kBool));
    }
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), DType::kBool));
    return ExpectBroadcast();
  }

  Status Where() const {
    XRUN_RETURN_IF_ERROR(Count(3, 3));
    XRUN_RETURN_IF_ERROR(ExpectType(In(0), DType::kBool));
    XRUN_RETURN_IF_ERROR(ExpectType(In(2), In(1).dtype));
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), In(1).dtype));
    return ExpectBroadcast();
  }
};

}  // namespace

Status CheckBinary(const OpCall& call) { return Checker(call).Binary(); }
Status CheckCompare(const OpCall& call) { return Checker(call).Compare(); }
Status CheckLogic(const OpCall& call) { return Checker(call).Logic(); }
Status CheckWhere(const OpCall& call) { return Checker(call).Where(); }

}  // namespace xrun::cpu
