// GraphMaker's operators that treat each element alone: sums and products of two, functions of one.

#include "random_graph.h"

namespace xrun::testing {

using compiler::Shape;
using compiler::ValueId;

ValueId GraphMaker::Add(ValueId a, ValueId b) {
  return AddNode(Op::kAdd, NoAttrs{}, {a, b}, graph.at(a).shape, Jitter(ScaleOf(a) + ScaleOf(b)), true);
}

ValueId GraphMaker::Sub(ValueId a, ValueId b) {
  return AddNode(Op::kSub, NoAttrs{}, {a, b}, graph.at(a).shape, Jitter(ScaleOf(a) + ScaleOf(b)), true);
}

ValueId GraphMaker::Mul(ValueId a, ValueId b) {
  return AddNode(Op::kMul, NoAttrs{}, {a, b}, graph.at(a).shape, Jitter(ScaleOf(a) * ScaleOf(b) * 60), true);
}

ValueId GraphMaker::Unary(ValueId x) {
  const float sx = ScaleOf(x);
  UnaryFunction f;
  float scale = sx;
  switch (Pick(0, 25)) {
    case 0:
      f = {UnaryKind::kHardSwish, 0, 0};
      break;
    case 1:
      f = {UnaryKind::kSigmoid, 0, 0};
      scale = 1.0F / 256;
      break;
    case 2:
      f = {UnaryKind::kSilu, 0, 0};
      break;
    case 3:
      f = {UnaryKind::kHardSigmoid, 0.2F, 0.5F};
      scale = 1.0F / 255;
      break;
    case 4:
      f = {UnaryKind::kTanh, 0, 0};
      scale = 1.0F / 128;
      break;
    case 5:
      f = {UnaryKind::kElu, 0.7F, 0};
      break;
    case 6:
      f = {UnaryKind::kSoftplus, 0, 0};
      break;
    case 7:
      f = {UnaryKind::kGelu, 0, 0};
      break;
    case 8:
      f = {UnaryKind::kMish, 0, 0};
      break;
    case 9:
      f = {UnaryKind::kNeg, 0, 0};
      break;
    case 10:
      f = {UnaryKind::kAbs, 0, 0};
      break;
    case 11:
      f = {UnaryKind::kErf, 0, 0};
      scale = 1.0F / 128;
      break;
    case 12:
      return AddNode(Op::kUnary, UnaryAttrs{RandomChain()}, {x}, graph.at(x).shape, Jitter(sx), false);
    case 13:
      f = {UnaryKind::kCeil, 0, 0};
      break;
    case 14:
      f = {UnaryKind::kFloor, 0, 0};
      break;
    case 15:
      f = {UnaryKind::kRound, 0, 0};
      break;
    case 16:
      f = {UnaryKind::kCelu, 0.5F, 0};
      break;
    case 17:
      f = {UnaryKind::kSelu, 1.5F, 1.125F};
      break;
    case 18:
      f = {UnaryKind::kThresholdedRelu, 0.25F, 0};
      break;
    case 19:
      f = {UnaryKind::kSign, 0, 0};
      scale = 1.0F / 128;
      break;
    case 20:
      f = {UnaryKind::kSin, 0, 0};
      scale = 1.0F / 128;
      break;
    case 21:
      f = {UnaryKind::kCos, 0, 0};
      scale = 1.0F / 128;
      break;
    case 22:
      f = {UnaryKind::kSoftsign, 0, 0};
      scale = 1.0F / 128;
      break;
    default:
      f = {UnaryKind::kLeakyRelu, static_cast<double>(Chance(50) ? 0.1F : Jitter(0.2F)), 0};
  }
  return AddNode(Op::kUnary, UnaryAttrs{{f}}, {x}, graph.at(x).shape, Jitter(scale), false);
}

std::vector<UnaryFunction> GraphMaker::RandomChain() {
  const auto number = [&](float scale) { return static_cast<double>(Jitter(scale)); };
  std::vector<UnaryFunction> chain;
  for (int64_t n = Pick(2, 4); n > 0; --n) {
    switch (Pick(0, 7)) {
      case 0:
        chain.push_back({UnaryKind::kAffine, Chance(50) ? number(0.9F) : -number(1.1F), number(0.3F)});
        break;
      case 1:
        chain.push_back({UnaryKind::kLeakyRelu, number(0.2F), 0});
        break;
      case 2:
        chain.push_back({UnaryKind::kAbs, 0, 0});
        chain.push_back({UnaryKind::kSqrt, 0, 0});
        break;
      case 3:
        chain.push_back({UnaryKind::kPowConst, static_cast<double>(Pick(2, 3)), 0});
        break;
      case 4:
        chain.push_back({UnaryKind::kClip, -number(0.8F), number(1.1F)});
        break;
      case 5:
        chain.push_back({UnaryKind::kAbs, 0, 0});
        chain.push_back({UnaryKind::kAffine, 1, number(0.5F)});
        chain.push_back({Chance(50) ? UnaryKind::kReciprocal : UnaryKind::kLog, 0, 0});
        break;
      case 6:
        chain.push_back({UnaryKind::kExp, 0, 0});
        break;
      default:
        chain.push_back({Chance(50) ? UnaryKind::kSilu : UnaryKind::kHardSwish, 0, 0});
    }
  }
  return chain;
}

ValueId GraphMaker::PRelu(ValueId x) {
  const Shape shape = graph.at(x).shape;
  std::vector<float> slopes(static_cast<size_t>(shape[1]));
  for (float& slope : slopes) slope = Chance(10) ? 0.0F : Jitter(0.3F);
  const ValueId constant =
      graph.AddConstant(graph.UniqueName("slopes"), DType::kFloat32, {shape[1], 1, 1}, slopes.data());
  return AddNode(Op::kPRelu, NoAttrs{}, {x, constant}, shape, Jitter(ScaleOf(x)), true);
}

ValueId GraphMaker::Requantize(ValueId x) {
  return AddNode(Op::kUnary, UnaryAttrs{}, {x}, graph.at(x).shape, Jitter(ScaleOf(x)), false);
}

}  // namespace xrun::testing
