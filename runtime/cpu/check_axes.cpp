// Operators that work along axes: sums, softmax, normalization.

#include "runtime/cpu/check.h"
#include "runtime/cpu/reduce.h"

namespace xrun::cpu {

namespace {

class Checker : public CallCheck {
 public:
  using CallCheck::CallCheck;

  Status Reduce() const {
    const auto* a = Attrs<ReduceAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    if (!CanReduce(a->kind, In(0).dtype)) return WrongType(In(0).dtype);
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), In(0).dtype));
    const auto x = In(0).shape;
    int64_t last = -1;  // ascending, so none twice
    for (int64_t axis : a->axes) {
      if (!IsAxis(axis, x) || axis <= last || x[static_cast<size_t>(axis)] < 1) return BadAttrs();
      last = axis;
    }
    Dims out{};
    size_t rank = 0;
    for (size_t d = 0; d < x.size(); ++d) {
      const bool reduced = std::find(a->axes.begin(), a->axes.end(), static_cast<int64_t>(d)) != a->axes.end();
      if (!reduced || a->keep_dims) out[rank++] = reduced ? 1 : x[d];
    }
    return ExpectOutput(out, rank);
  }

  Status AlongAxis() const {
    const auto* a = Attrs<AxisAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    XRUN_RETURN_IF_ERROR(AllFloat());
    if (!IsAxis(a->axis, In(0).shape)) return BadAttrs();
    return ExpectOutput(In(0).shape);
  }

  Status LayerNorm() const {
    const auto* a = Attrs<LayerNormAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(2, 3));
    XRUN_RETURN_IF_ERROR(AllFloat());
    const auto x = In(0).shape;
    if (!IsAxis(a->axis, x)) return BadAttrs();
    const auto normalized = x.subspan(static_cast<size_t>(a->axis));
    for (size_t i = 1; i < 3; ++i) {
      if (i == 2 && Absent(i)) break;
      if (!SameShape(In(i).shape, normalized)) {
        return Fail("scale or bias has shape " + ShapeText(In(i).shape) + ", expected " + ShapeText(normalized));
      }
    }
    return ExpectOutput(x);
  }

  Status InstanceNorm() const {
    if (Attrs<BatchNormAttrs>() == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(3, 3));
    XRUN_RETURN_IF_ERROR(AllFloat());
    const auto x = In(0).shape;
    if (x.size() < 2) return Fail("needs a channel dimension, has " + ShapeText(x));
    XRUN_RETURN_IF_ERROR(Expect(In(1), {x[1]}, "scale"));
    XRUN_RETURN_IF_ERROR(Expect(In(2), {x[1]}, "bias"));
    return ExpectOutput(x);
  }

  Status Lrn() const {
    const auto* a = Attrs<LrnAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    XRUN_RETURN_IF_ERROR(AllFloat());
    if (a->size < 1 || a->size >= kLargest || In(0).shape.size() < 2) return BadAttrs();
    return ExpectOutput(In(0).shape);
  }
};

}  // namespace

Status CheckReduce(const OpCall& call) { return Checker(call).Reduce(); }
Status CheckAlongAxis(const OpCall& call) { return Checker(call).AlongAxis(); }
Status CheckLayerNorm(const OpCall& call) { return Checker(call).LayerNorm(); }
Status CheckInstanceNorm(const OpCall& call) { return Checker(call).InstanceNorm(); }
Status CheckLrn(const OpCall& call) { return Checker(call).Lrn(); }

}  // namespace xrun::cpu
