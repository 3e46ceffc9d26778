#include "runtime/cpu/check.h"

#include <cmath>

#include "runtime/cpu/integer.h"

namespace xrun::cpu {

namespace {

class Checker : public CallCheck {
 public:
  explicit Checker(const OpCall& call) : CallCheck(call) {}

  Status Run() {
    if (call_.attrs == nullptr) return Fail("has no attributes");
    XRUN_RETURN_IF_ERROR(Tensors());
    if (call_.clamp && !(call_.clamp->lo <= call_.clamp->hi)) return Fail("has a clamp whose bounds are out of order");
    switch (call_.op) {
      case Op::kConv:
        return Conv();
      case Op::kConvTranspose:
        return ConvTranspose();
      case Op::kFullyConnected:
        return FullyConnected();
      case Op::kMatMul:
        return MatMul();
      case Op::kBatchNorm:
        return BatchNorm();
      case Op::kMaxPool:
      case Op::kAveragePool:
        return Pool();
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kDiv:
      case Op::kMin:
      case Op::kMax:
      case Op::kPow:
      case Op::kMod:
      case Op::kPRelu:
        return CheckBinary(call_);
      case Op::kUnary:
        return Unary();
      case Op::kConcat:
        return Concat();
      case Op::kSlice:
        return Slice();
      case Op::kPad:
        return Pad();
      case Op::kReshape:
        return Reshape();
      case Op::kTranspose:
        return Transpose();
      case Op::kSoftmax:
      case Op::kLogSoftmax:
        return CheckAlongAxis(call_);
      case Op::kResize:
        return CheckResize(call_);
      case Op::kDepthToSpace:
      case Op::kSpaceToDepth:
        return CheckBlocks(call_);
      case Op::kGather:
        return CheckGather(call_);
      case Op::kGatherElements:
        return CheckGatherElements(call_);
      case Op::kGatherNd:
        return CheckGatherNd(call_);
      case Op::kTopK:
        return CheckTopK(call_);
      case Op::kNonMaxSuppression:
        return CheckNms(call_);
      case Op::kTile:
        return CheckTile(call_);
      case Op::kMirrorPad:
        return CheckMirrorPad(call_);
      case Op::kWhere:
        return CheckWhere(call_);
      case Op::kEqual:
      case Op::kGreater:
      case Op::kGreaterOrEqual:
      case Op::kLess:
      case Op::kLessOrEqual:
        return CheckCompare(call_);
      case Op::kAnd:
      case Op::kOr:
      case Op::kXor:
      case Op::kNot:
      case Op::kIsNan:
        return CheckLogic(call_);
      case Op::kArgMax:
        return CheckArgMax(call_);
      case Op::kCast:
        return CheckCast(call_);
      case Op::kReduce:
        return CheckReduce(call_);
      case Op::kLayerNorm:
        return CheckLayerNorm(call_);
      case Op::kInstanceNorm:
        return CheckInstanceNorm(call_);
      case Op::kLrn:
        return CheckLrn(call_);
      case Op::kQuantize:
        return Quantize(DType::kFloat32, DType::kInt8, DType::kInt8, In(0).shape);
      case Op::kDequantize:
        return Quantize(DType::kInt8, DType::kInt32, DType::kFloat32, In(0).shape);
    }
    return Failure{"operator number " + std::to_string(static_cast<int>(call_.op)) + " is not known to the CPU kernels",
                   ""};
  }

 private:
  Status Tensors() const {
    if (call_.outputs.size() != 1) return Fail("must have one output");
    for (auto tensors : {call_.inputs, call_.outputs}) {
      for (const Tensor& tensor : tensors) {
        if (tensor.shape.size() > kMaxRank) return Fail("has a tensor of more than 8 dimensions");
        int64_t elements = 1;
        for (int64_t d : tensor.shape) {
          if (d < 0 || d >= kLargest || (elements *= d) > kMostElements) {
            return Fail("has a tensor of impossible shape " + ShapeText(tensor.shape));
          }
        }
      }
    }
    return {};
  }

  Status Conv() const {
    const auto* a = Attrs<ConvAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(2, 3));
    XRUN_RETURN_IF_ERROR(AllFloat());
    if (!InRange(a->kernel, 1) || !InRange(a->stride, 1) || !InRange(a->dilation, 1) || !InRange(a->pads, 0) ||
        a->groups < 1) {
      return BadAttrs();
    }
    const auto x = In(0).shape;
    if (x.size() != 4 || Out().shape.size() != 4) return Fail("needs tensors of 4 dimensions, has " + ShapeText(x));
    const int64_t m = Out().shape[1];
    if (x[1] % a->groups != 0 || m % a->groups != 0) return Fail("has channels that its groups do not divide");
    XRUN_RETURN_IF_ERROR(Expect(In(1), {m, x[1] / a->groups, a->kernel[0], a->kernel[1]}, "weight"));
    if (!Absent(2)) XRUN_RETURN_IF_ERROR(Expect(In(2), {m}, "bias"));
    std::array<int64_t, 2> out{};
    for (size_t i = 0; i < 2; ++i) {
      const int64_t room = x[2 + i] + a->pads[i] + a->pads[i + 2] - (a->dilation[i] * (a->kernel[i] - 1) + 1);
      out[i] = room < 0 ? 0 : room / a->stride[i] + 1;
    }
    return Expect(Out(), {x[0], m, out[0], out[1]}, "output");
  }

  Status ConvTranspose() const {
    const auto* a = Attrs<ConvAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(2, 3));
    XRUN_RETURN_IF_ERROR(AllFloat());
    if (!InRange(a->kernel, 1) || !InRange(a->stride, 1) || !InRange(a->dilation, 1) || !InRange(a->pads, 0) ||
        !InRange(a->output_padding, 0) || a->groups < 1) {
      return BadAttrs();
    }
    const auto x = In(0).shape;
    if (x.size() != 4 || Out().shape.size() != 4) return Fail("needs tensors of 4 dimensions, has " + ShapeText(x));
    const int64_t m = Out().shape[1];
    if (x[1] % a->groups != 0 || m % a->groups != 0) return Fail("has channels that its groups do not divide");
    XRUN_RETURN_IF_ERROR(Expect(In(1), {x[1], m / a->groups, a->kernel[0], a->kernel[1]}, "weight"));
    if (!Absent(2)) XRUN_RETURN_IF_ERROR(Expect(In(2), {m}, "bias"));
    std::array<int64_t, 2> out{};
    for (size_t i = 0; i < 2; ++i) {
      out[i] = a->stride[i] * (x[2 + i] - 1) + a->output_padding[i] + a->dilation[i] * (a->kernel[i] - 1) + 1 -
               a->pads[i] - a->pads[i + 2];
    }
    return Expect(Out(), {x[0], m, out[0], out[1]}, "output");
  }

  Status FullyConnected() const {
    XRUN_RETURN_IF_ERROR(Count(2, 3));
    XRUN_RETURN_IF_ERROR(AllFloat());
    const auto x = In(0).shape;
    const auto w = In(1).shape;
    if (x.empty() || w.size() != 2 || x.back() != w[1]) {
      return Fail("cannot multiply " + ShapeText(x) + " by weights " + ShapeText(w));
    }
    if (!Absent(2)) XRUN_RETURN_IF_ERROR(Expect(In(2), {w[0]}, "bias"));
    Dims out{};
    std::copy(x.begin(), x.end(), out.begin());
    out[x.size() - 1] = w[0];
    return ExpectOutput({out.data(), x.size()});
  }

  Status MatMul() const {
    const auto* attrs = Attrs<MatMulAttrs>();
    if (attrs == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(2, 2));
    XRUN_RETURN_IF_ERROR(AllFloat());
    Dims left{};
    std::copy(In(0).shape.begin(), In(0).shape.end(), left.begin());
    const std::span<const int64_t> a(left.data(), In(0).shape.size());
    const auto b = In(1).shape;
    const Failure mismatch = Fail("cannot multiply " + ShapeText(In(0).shape) + " by " + ShapeText(b));
    if (a.empty() || b.empty()) return mismatch;
    if (attrs->transpose_a) {
      if (a.size() < 2) return mismatch;
      std::swap(left[a.size() - 2], left[a.size() - 1]);
    }
    if (a.back() != (b.size() == 1 ? b[0] : b[b.size() - 2])) return mismatch;
    const size_t a_batch = a.size() < 2 ? 0 : a.size() - 2;
    const size_t b_batch = b.size() < 2 ? 0 : b.size() - 2;
    Dims out{};
    size_t rank = 0;
    for (size_t i = 0; i < std::max(a_batch, b_batch); ++i) {
      const size_t back = std::max(a_batch, b_batch) - i;
      const int64_t da = back <= a_batch ? a[a_batch - back] : 1;
      const int64_t db = back <= b_batch ? b[b_batch - back] : 1;
      if (da != db && da != 1 && db != 1) return mismatch;
      out[rank++] = da == 1 ? db : da;
    }
    if (a.size() > 1) out[rank++] = a[a.size() - 2];
    if (b.size() > 1) out[rank++] = b.back();
    return ExpectOutput({out.data(), rank});
  }

  Status BatchNorm() const {
    if (Attrs<BatchNormAttrs>() == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(5, 5));
    XRUN_RETURN_IF_ERROR(AllFloat());
    const auto x = In(0).shape;
    if (x.size() < 2) return Fail("needs a channel dimension, has " + ShapeText(x));
    for (size_t i = 1; i < 5; ++i) XRUN_RETURN_IF_ERROR(Expect(In(i), {x[1]}, "parameter"));
    return ExpectOutput(x);
  }

  Status Pool() const {
    const auto* a = Attrs<PoolAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    XRUN_RETURN_IF_ERROR(AllFloat());
    if (!InRange(a->kernel, 1) || !InRange(a->stride, 1) || !InRange(a->dilation, 1) || !InRange(a->pads, 0) ||
        !InRange(a->ceil_pads, 0) || a->ceil_pads[0] > a->pads[2] || a->ceil_pads[1] > a->pads[3]) {
      return BadAttrs();
    }
    const auto x = In(0).shape;
    if (x.size() != 4) return Fail("needs tensors of 4 dimensions, has " + ShapeText(x));
    std::array<int64_t, 2> out{};
    for (size_t i = 0; i < 2; ++i) {
      const int64_t room = x[2 + i] + a->pads[i] + a->pads[i + 2] - (a->dilation[i] * (a->kernel[i] - 1) + 1);
      out[i] = room < 0 ? 0 : room / a->stride[i] + 1;
    }
    return Expect(Out(), {x[0], x[1], out[0], out[1]}, "output");
  }

  Status Unary() const {
    const auto* a = Attrs<UnaryAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    XRUN_RETURN_IF_ERROR(AllFloat());
    for (const UnaryFunction& function : a->chain) {
      if (Name(function.kind) == "unknown function") return BadAttrs();
    }
    return ExpectOutput(In(0).shape);
  }

  Status Concat() const {
    const auto* a = Attrs<AxisAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    const auto out = Out().shape;
    if (call_.inputs.empty() || a->axis < 0 || a->axis >= static_cast<int64_t>(out.size())) return BadAttrs();
    const auto axis = static_cast<size_t>(a->axis);
    int64_t total = 0;
    for (const Tensor& in : call_.inputs) {
      if (in.dtype != Out().dtype) return WrongType(in.dtype);
      if (in.shape.size() != out.size()) return Fail("cannot join " + ShapeText(in.shape) + " into " + ShapeText(out));
      for (size_t i = 0; i < out.size(); ++i) {
        if (i != axis && in.shape[i] != out[i])
          return Fail("cannot join " + ShapeText(in.shape) + " into " + ShapeText(out));
      }
      total += in.shape[axis];
    }
    return total == out[axis] ? Status() : Fail("inputs do not add up to " + ShapeText(out));
  }

  Status Slice() const {
    const auto* a = Attrs<SliceAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    if (In(0).dtype != Out().dtype) return WrongType(Out().dtype);
    const auto x = In(0).shape;
    if (a->begin.size() != x.size() || a->end.size() != x.size() || a->step.size() != x.size()) return BadAttrs();
    Dims out{};
    for (size_t i = 0; i < x.size(); ++i) {
      const int64_t begin = a->begin[i], end = a->end[i], step = a->step[i];
      if (step == 0 || step <= -kLargest || step >= kLargest || begin < -1 || begin > x[i] || end < -1 || end > x[i]) {
        return BadAttrs();
      }
      const int64_t span = step > 0 ? end - begin : begin - end;
      out[i] = span <= 0 ? 0 : (span - 1) / std::abs(step) + 1;
      if (out[i] > 0 && (begin < 0 || begin >= x[i])) return BadAttrs();
    }
    return ExpectOutput({out.data(), x.size()});
  }

  Status Pad() const {
    const auto* a = Attrs<PadAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    XRUN_RETURN_IF_ERROR(AllFloat());
    const auto x = In(0).shape;
    if (a->before.size() != x.size() || a->after.size() != x.size()) return BadAttrs();
    Dims out{};
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::abs(a->before[i]) >= kLargest || std::abs(a->after[i]) >= kLargest) return BadAttrs();
      out[i] = x[i] + a->before[i] + a->after[i];
      if (a->before[i] < -x[i] || a->after[i] < -x[i]) return BadAttrs();
    }
    return ExpectOutput({out.data(), x.size()});
  }

  Status Reshape() const {
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    if (In(0).dtype != Out().dtype) return WrongType(Out().dtype);
    if (Elements(In(0)) == Elements(Out())) return {};
    return Fail("cannot turn " + ShapeText(In(0).shape) + " into " + ShapeText(Out().shape));
  }

  Status Transpose() const {
    const auto* a = Attrs<TransposeAttrs>();
    if (a == nullptr) return NoAttrsOfKind();
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    if (In(0).dtype != Out().dtype) return WrongType(Out().dtype);
    const auto x = In(0).shape;
    if (a->perm.size() != x.size()) return BadAttrs();
    Dims out{};
    unsigned seen = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      if (a->perm[i] < 0 || a->perm[i] >= static_cast<int64_t>(x.size())) return BadAttrs();
      seen |= 1U << a->perm[i];
      out[i] = x[static_cast<size_t>(a->perm[i])];
    }
    if (seen != (1U << x.size()) - 1) return BadAttrs();
    return ExpectOutput({out.data(), x.size()});
  }

  Status Quantize(DType from, DType also_from, DType to, std::span<const int64_t> x) const {
    XRUN_RETURN_IF_ERROR(Count(1, 1));
    if (In(0).dtype != from && (In(0).dtype != also_from || call_.op == Op::kQuantize)) return WrongType(In(0).dtype);
    if (Out().dtype != to) return WrongType(Out().dtype);
    const Quantization& q = call_.quant;
    if (q.axis >= static_cast<int>(x.size())) return BadAttrs();
    const size_t entries = q.axis < 0 ? 1 : static_cast<size_t>(x[static_cast<size_t>(q.axis)]);
    if (q.scale.size() != entries || q.zero_point.size() != entries) return Fail("has the wrong number of scales");
    for (size_t i = 0; i < entries; ++i) {
      if (!(q.scale[i] > 0) || !std::isfinite(q.scale[i])) return Fail("has a scale that is not positive and finite");
      if (In(0).dtype != DType::kInt32 && (q.zero_point[i] < -128 || q.zero_point[i] > 127)) return BadAttrs();
    }
    return ExpectOutput(x);
  }
};

}  // namespace

std::string ShapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  return text + "]";
}

Status CallCheck::Count(size_t least, size_t most) const {
  if (call_.inputs.size() >= least && call_.inputs.size() <= most) return {};
  return Fail("has " + std::to_string(call_.inputs.size()) + " inputs");
}

Status CallCheck::AllFloat() const {
  for (size_t i = 0; i < call_.inputs.size(); ++i) {
    if (!Absent(i) && In(i).dtype != DType::kFloat32) return WrongType(In(i).dtype);
  }
  return ExpectType(Out(), DType::kFloat32);
}

Status CallCheck::Expect(const Tensor& tensor, std::initializer_list<int64_t> shape, const char* what) const {
  if (SameShape(tensor.shape, {shape.begin(), shape.size()})) return {};
  return Fail(std::string(what) + " has shape " + ShapeText(tensor.shape) + ", expected " +
              ShapeText({shape.begin(), shape.size()}));
}

Status CallCheck::ExpectOutput(std::span<const int64_t> shape) const {
  if (SameShape(Out().shape, shape)) return {};
  return Fail("output has shape " + ShapeText(Out().shape) + ", expected " + ShapeText(shape));
}

Status CallCheck::ExpectBroadcast() const {
  size_t rank = 0;
  for (const Tensor& in : call_.inputs) rank = std::max(rank, in.shape.size());
  Dims out{};
  std::fill(out.begin(), out.end(), 1);
  for (const Tensor& in : call_.inputs) {
    const size_t shift = rank - in.shape.size();
    for (size_t i = 0; i < in.shape.size(); ++i) {
      int64_t& d = out[i + shift];
      if (d != in.shape[i] && d != 1 && in.shape[i] != 1) {
        return Fail("cannot broadcast " + ShapeText(in.shape) + " with the other inputs");
      }
      if (d == 1) d = in.shape[i];
    }
  }
  return ExpectOutput(out, rank);
}

Status CheckOp(const OpCall& call) {
  if (call.integer != nullptr) return CheckInteger(call);
  return Checker(call).Run();
}

}  // namespace xrun::cpu
