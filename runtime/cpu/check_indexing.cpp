#include <cmath>

#include "runtime/cpu/check.h"

namespace xrun::cpu {

namespace {

class Checker : public CallCheck {
 public:
  using CallCheck::CallCheck;

  Status Resize() const {
    const auto* a = Attrs<ResizeAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    const bool copies = a->mode == ResizeMode::kNearest && In(0).dtype == DType::kInt8;
    if (In(0).dtype != Out().dtype || (In(0).dtype != DType::kFloat32 && !copies)) return WrongType(In(0).dtype);
    const auto x = In(0).shape;
    if (x.empty() || a->scales.size() != x.size() || Out().shape.size() != x.size()) return BadAttrs();
    for (size_t i = 0; i < x.size(); ++i) {
      if (!(a->scales[i] > 0) || !std::isfinite(a->scales[i]) || x[i] < 1 || Out().shape[i] < 1) return BadAttrs();
    }
    return std::isfinite(a->cubic_a) ? Status() : BadAttrs();
  }

  Status Blocks() const {
    const auto* a = Attrs<BlockAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    if (In(0).dtype != Out().dtype) return WrongType(Out().dtype);
    const auto x = In(0).shape;
    const int64_t b = a->block;
    if (x.size() != 4 || b < 1 || b > 65535) return BadAttrs();
    if (call_.op == Op::kDepthToSpace) {
      if (x[1] % (b * b) != 0) return BadAttrs();
      return ExpectOutput(Dims{x[0], x[1] / (b * b), x[2] * b, x[3] * b}, 4);
    }
    if (x[2] % b != 0 || x[3] % b != 0) return BadAttrs();
    return ExpectOutput(Dims{x[0], x[1] * b * b, x[2] / b, x[3] / b}, 4);
  }

  Status Gather() const {
    const auto* a = Attrs<AxisAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(2, 2));
    if (In(0).dtype != Out().dtype) return WrongType(Out().dtype);
    if (In(1).dtype != DType::kInt64) return WrongType(In(1).dtype);
    const auto x = In(0).shape, i = In(1).shape;
    if (a->axis < 0 || a->axis >= static_cast<int64_t>(x.size()) || x[static_cast<size_t>(a->axis)] < 1) {
      return BadAttrs();
    }
    if (x.size() + i.size() - 1 > kMaxRank) return Fail("has a result of more than 8 dimensions");
    Dims out{};
    const auto axis = static_cast<size_t>(a->axis);
    auto at = std::copy(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(axis), out.begin());
    at = std::copy(i.begin(), i.end(), at);
    std::copy(x.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.end(), at);
    return ExpectOutput(out, x.size() + i.size() - 1);
  }

  Status ArgMax() const {
    const auto* a = Attrs<ArgMaxAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    if (In(0).dtype != DType::kFloat32) return WrongType(In(0).dtype);
    if (Out().dtype != DType::kInt64) return WrongType(Out().dtype);
    const auto x = In(0).shape;
    if (a->axis < 0 || a->axis >= static_cast<int64_t>(x.size()) || x[static_cast<size_t>(a->axis)] < 1) {
      return BadAttrs();
    }
    Dims out{};
    size_t rank = 0;
    for (size_t d = 0; d < x.size(); ++d) {
      const bool reduced = static_cast<int64_t>(d) == a->axis;
      if (!reduced || a->keep_dims) out[rank++] = reduced ? 1 : x[d];
    }
    return ExpectOutput(out, rank);
  }

  Status Cast() const {
    const auto* a = Attrs<CastAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    if (In(0).dtype == DType::kInt8 || a->to == DType::kInt8) return WrongType(DType::kInt8);
    if (Out().dtype != a->to) return WrongType(Out().dtype);
    return ExpectOutput(In(0).shape);
  }
};

}  // namespace

Status CheckResize(const OpCall& call) { return Checker(call).Resize(); }
Status CheckBlocks(const OpCall& call) { return Checker(call).Blocks(); }
Status CheckGather(const OpCall& call) { return Checker(call).Gather(); }
Status CheckArgMax(const OpCall& call) { return Checker(call).ArgMax(); }
Status CheckCast(const OpCall& call) { return Checker(call).Cast(); }

}  // namespace xrun::cpu
