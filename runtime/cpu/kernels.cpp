#include "runtime/cpu/kernels.h"

#include <cassert>

#include "runtime/cpu/integer.h"
#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

/// Operators whose loops do not apply the fused clamp themselves.
void ApplyClamp(const OpCall& call, Workers& workers) {
  if (!call.clamp) return;
  const float lo = call.clamp->lo;
  const float hi = call.clamp->hi;
  for (const Tensor& output : call.outputs) {
    if (output.dtype != DType::kFloat32) continue;
    float* data = output.as<float>();
    ForRanges(workers, Elements(output), kElementsPerTask, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        float v = data[i];
        v = v < lo ? lo : v;
        data[i] = v > hi ? hi : v;
      }
    });
  }
}

}  // namespace

size_t ScratchBytes(const OpCall& call, int workers) {
  if (call.integer != nullptr) return 0;
  switch (call.op) {
    case Op::kConv:
      return ConvScratchBytes(call, workers);
    case Op::kFullyConnected:
      return FullyConnectedScratchBytes(call, workers);
    case Op::kMatMul:
      return MatMulScratchBytes(call, workers);
    case Op::kResize:
      return ResizeScratchBytes(call);
    case Op::kTopK:
      return TopKScratchBytes(call, workers);
    case Op::kNonMaxSuppression:
      return NmsScratchBytes(call, workers);
    default:
      return 0;
  }
}

size_t PackedWeightFloats(const OpCall& call) {
  return call.op == Op::kConv && call.integer == nullptr ? ConvPackedFloats(call) : 0;
}

void PackWeights(const OpCall& call, float* packed) {
  if (call.op == Op::kConv) ConvPack(call, packed);
}

void RunOp(const OpCall& call, std::span<std::byte> scratch, Workers& workers) {
  assert(scratch.size() >= ScratchBytes(call, workers.count()));
  if (call.integer != nullptr) return RunInteger(call, workers);
  switch (call.op) {
    case Op::kConv:
      return RunConv(call, scratch.data(), workers);
    case Op::kConvTranspose:
      return RunConvTranspose(call, workers);
    case Op::kFullyConnected:
      return RunFullyConnected(call, scratch.data(), workers);
    case Op::kMatMul:
      RunMatMul(call, scratch.data(), workers);
      break;
    case Op::kBatchNorm:
      RunBatchNorm(call, workers);
      break;
    case Op::kMaxPool:
    case Op::kAveragePool:
      RunPool(call, workers);
      break;
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv:
    case Op::kMin:
    case Op::kMax:
    case Op::kPow:
    case Op::kMod:
    case Op::kPRelu:
      RunBinary(call, workers);
      break;
    case Op::kUnary:
      RunUnary(call, workers);
      break;
    case Op::kConcat:
      RunConcat(call, workers);
      break;
    case Op::kSlice:
      RunSlice(call, workers);
      break;
    case Op::kPad:
      RunPad(call, workers);
      break;
    case Op::kReshape:
      RunReshape(call);
      break;
    case Op::kTranspose:
      RunTranspose(call, workers);
      break;
    case Op::kSoftmax:
    case Op::kLogSoftmax:
      RunSoftmax(call, workers);
      break;
    case Op::kReduce:
      RunReduce(call, workers);
      break;
    case Op::kLayerNorm:
      RunLayerNorm(call, workers);
      break;
    case Op::kInstanceNorm:
      RunInstanceNorm(call, workers);
      break;
    case Op::kResize:
      RunResize(call, scratch.data(), workers);
      break;
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
      RunBlocks(call, workers);
      break;
    case Op::kGather:
      RunGather(call, workers);
      break;
    case Op::kGatherElements:
      RunGatherElements(call, workers);
      break;
    case Op::kGatherNd:
      RunGatherNd(call, workers);
      break;
    case Op::kTopK:
      RunTopK(call, scratch.data(), workers);
      break;
    case Op::kNonMaxSuppression:
      RunNms(call, scratch.data(), workers);
      break;
    case Op::kTile:
      RunTile(call, workers);
      break;
    case Op::kMirrorPad:
      RunMirrorPad(call, workers);
      break;
    case Op::kWhere:
      RunWhere(call, workers);
      break;
    case Op::kEqual:
    case Op::kGreater:
    case Op::kGreaterOrEqual:
    case Op::kLess:
    case Op::kLessOrEqual:
      RunCompare(call, workers);
      break;
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor:
    case Op::kNot:
    case Op::kIsNan:
      RunLogic(call, workers);
      break;
    case Op::kArgMax:
      RunArgMax(call, workers);
      break;
    case Op::kCast:
      RunCast(call, workers);
      break;
    case Op::kLrn:
      RunLrn(call, workers);
      break;
    case Op::kQuantize:
      RunQuantize(call, workers);
      break;
    case Op::kDequantize:
      RunDequantize(call, workers);
      break;
  }
  ApplyClamp(call, workers);
}

}  // namespace xrun::cpu
