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

  Status GatherElements() const {
    const auto* a = Attrs<AxisAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(2, 2));
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), In(0).dtype));
    XRUN_RETURN_IF_ERROR(ExpectType(In(1), DType::kInt64));
    const auto x = In(0).shape, i = In(1).shape;
    if (!IsAxis(a->axis, x) || i.size() != x.size() || x[static_cast<size_t>(a->axis)] < 1) return BadAttrs();
    for (size_t d = 0; d < x.size(); ++d) {
      if (static_cast<int64_t>(d) != a->axis && i[d] > x[d]) {
        return Fail("has indices " + ShapeText(i) + " beyond " + ShapeText(x));
      }
    }
    return ExpectOutput(i);
  }

  Status GatherNd() const {
    const auto* a = Attrs<GatherNdAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(2, 2));
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), In(0).dtype));
    XRUN_RETURN_IF_ERROR(ExpectType(In(1), DType::kInt64));
    const auto x = In(0).shape, i = In(1).shape;
    if (i.empty() || a->batch_dims < 0 || a->batch_dims >= static_cast<int64_t>(i.size()) || i.back() < 1 ||
        i.back() > static_cast<int64_t>(x.size()) - a->batch_dims) {
      return BadAttrs();
    }
    const auto batch = static_cast<size_t>(a->batch_dims), depth = static_cast<size_t>(i.back());
    if (!SameShape(x.first(batch), i.first(batch))) return Fail("has batches that differ");
    for (size_t d = 0; d < batch + depth; ++d) {
      if (x[d] < 1) return BadAttrs();
    }
    const size_t rank = i.size() - 1 + x.size() - batch - depth;
    if (rank > kMaxRank) return Fail("has a result of more than 8 dimensions");
    Dims out{};
    const auto rest = x.subspan(batch + depth);
    std::copy(rest.begin(), rest.end(), std::copy(i.begin(), i.end() - 1, out.begin()));
    return ExpectOutput(out, rank);
  }

  Status TopK() const {
    const auto* a = Attrs<TopKAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    const DType type = In(0).dtype;
    if (type != DType::kFloat32 && type != DType::kInt32 && type != DType::kInt64) return WrongType(type);
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), DType::kInt64));
    const auto x = In(0).shape;
    if (!IsAxis(a->axis, x) || a->k < 1 || a->k > x[static_cast<size_t>(a->axis)]) return BadAttrs();
    Dims out{};
    std::copy(x.begin(), x.end(), out.begin());
    out[static_cast<size_t>(a->axis)] = a->k;
    return ExpectOutput(out, x.size());
  }

  Status Nms() const {
    const auto* a = Attrs<NmsAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(2, 2));
    XRUN_RETURN_IF_ERROR(ExpectType(In(0), DType::kFloat32));
    XRUN_RETURN_IF_ERROR(ExpectType(In(1), DType::kFloat32));
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), DType::kInt64));
    const auto boxes = In(0).shape, scores = In(1).shape;
    if (boxes.size() != 3 || boxes[2] != 4 || scores.size() != 3 || scores[0] != boxes[0] || scores[2] != boxes[1]) {
      return Fail("cannot choose from boxes " + ShapeText(boxes) + " by scores " + ShapeText(scores));
    }
    if (a->most < 1 || scores[1] < 1) return BadAttrs();
    return ExpectOutput(Dims{scores[0] * scores[1] * std::min(a->most, boxes[1]), 3}, 2);
  }

  Status Tile() const {
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), In(0).dtype));
    const auto x = In(0).shape, y = Out().shape;
    bool fits = x.size() == y.size();
    for (size_t d = 0; fits && d < x.size(); ++d) fits = x[d] > 0 && y[d] % x[d] == 0;
    return fits ? Status() : Fail("cannot repeat " + ShapeText(x) + " to " + ShapeText(y));
  }

  Status MirrorPad() const {
    const auto* a = Attrs<MirrorPadAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    XRUN_RETURN_IF_ERROR(ExpectType(Out(), In(0).dtype));
    const auto x = In(0).shape;
    if (a->before.size() != x.size() || a->after.size() != x.size() || !InRange(a->before, 0) ||
        !InRange(a->after, 0)) {
      return BadAttrs();
    }
    Dims out{};
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] < 1) return BadAttrs();
      out[i] = x[i] + a->before[i] + a->after[i];
    }
    return ExpectOutput(out, x.size());
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
Status CheckGatherElements(const OpCall& call) { return Checker(call).GatherElements(); }
Status CheckGatherNd(const OpCall& call) { return Checker(call).GatherNd(); }
Status CheckTopK(const OpCall& call) { return Checker(call).TopK(); }
Status CheckNms(const OpCall& call) { return Checker(call).Nms(); }
Status CheckTile(const OpCall& call) { return Checker(call).Tile(); }
Status CheckMirrorPad(const OpCall& call) { return Checker(call).MirrorPad(); }
Status CheckCast(const OpCall& call) { return Checker(call).Cast(); }

}  // namespace xrun::cpu
