// Random graphs that leave the overlay: int8 movement on the CPU in the middle, float operators at the end.
#include <algorithm>
#include <cmath>

#include "random_graph.h"

namespace xrun::testing {

using compiler::Graph;
using compiler::Node;
using compiler::Shape;
using compiler::Value;
using compiler::ValueId;

ValueId GraphMaker::Float(Op op, Attributes attrs, std::vector<ValueId> inputs, const Shape& shape) {
  Value y;
  y.name = "f" + std::to_string(counter_++);
  y.dtype = op == Op::kArgMax ? DType::kInt64 : DType::kFloat32;
  y.shape = shape;
  const ValueId id = graph.AddValue(std::move(y));
  Node node;
  node.name = "n" + std::to_string(counter_++);
  node.op = op;
  node.attrs = std::move(attrs);
  node.inputs = std::move(inputs);
  node.outputs = {id};
  node.origin = {node.name};
  graph.nodes.push_back(std::move(node));
  return id;
}

ValueId GraphMaker::Dequantize(ValueId x) { return Float(Op::kDequantize, NoAttrs{}, {x}, graph.at(x).shape); }

ValueId GraphMaker::FloatConstant(const Shape& shape, bool positive) {
  std::vector<float> data(static_cast<size_t>(compiler::Elements(shape)));
  std::uniform_real_distribution<float> real(positive ? 0.5F : -1.5F, 1.5F);
  for (float& x : data) x = real(random_);
  return graph.AddConstant("c" + std::to_string(counter_++), DType::kFloat32, shape, data.data());
}

ValueId GraphMaker::FloatLayer(ValueId x) {
  const Shape s = graph.at(x).shape;
  const auto rank = static_cast<int64_t>(s.size());
  const auto per_channel = [&] { return Chance(50) ? Shape{s[1], 1, 1} : Shape{s.back()}; };
  switch (Pick(0, 13)) {
    case 0:
      return Float(Op::kSoftmax, AxisAttrs{Pick(0, rank - 1)}, {x}, s);
    case 1:
      return Float(Op::kPRelu, NoAttrs{}, {x, FloatConstant({s[1], 1, 1}, false)}, s);
    case 2:
      return Float(Op::kLrn, LrnAttrs{Pick(1, 5), 0.1F, 0.75F, 1.5F}, {x}, s);
    case 3:
      return Float(Op::kDiv, NoAttrs{}, {x, FloatConstant(per_channel(), true)}, s);
    case 4:
      return Float(Op::kMul, NoAttrs{}, {x, FloatConstant(per_channel(), false)}, s);
    case 5:
      return Float(Chance(50) ? Op::kAdd : Op::kSub, NoAttrs{}, {x, FloatConstant(per_channel(), false)}, s);
    case 6:
      return Float(Chance(50) ? Op::kMin : Op::kMax, NoAttrs{}, {x, FloatConstant(per_channel(), false)}, s);
    case 7: {
      // Kept off zero: the root would magnify what rounding leaves of a difference.
      const ValueId sizes = Float(Op::kUnary, UnaryAttrs{{{UnaryKind::kAbs, 0, 0}}}, {x}, s);
      if (Chance(50)) return Float(Op::kPow, NoAttrs{}, {sizes, FloatConstant(per_channel(), true)}, s);
      return Float(Op::kUnary, UnaryAttrs{{{UnaryKind::kAffine, 1, 0.5}, {UnaryKind::kSqrt, 0, 0}}}, {sizes}, s);
    }
    case 8: {
      std::vector<int64_t> order{1, 2, 3};
      std::shuffle(order.begin(), order.end(), random_);
      TransposeAttrs attrs{{0, order[0], order[1], order[2]}};
      Shape turned{1};
      for (const int64_t axis : order) turned.push_back(s[static_cast<size_t>(axis)]);
      return Float(Op::kTranspose, attrs, {x}, turned);
    }
    case 9: {
      Shape matrix = s;
      matrix[2] = s[3];
      matrix[3] = Pick(1, 9);
      const Shape other{s[3], matrix[3]};
      if (Chance(50)) {
        matrix[2] = s[2];
        return Float(Op::kMatMul, MatMulAttrs{}, {x, FloatConstant(other, false)}, matrix);
      }
      const Shape turned{s[0], s[1], s[3], s[2]};
      const ValueId left = Float(Op::kTranspose, TransposeAttrs{{0, 1, 3, 2}}, {x}, turned);
      matrix[3] = s[3];
      // Scaled, or the oracle would take it for an integer product and a constant added to it for its int32 bias.
      const ValueId right = Float(Op::kMul, NoAttrs{}, {x, FloatConstant(per_channel(), false)}, s);
      return Float(Op::kMatMul, MatMulAttrs{}, {left, right}, matrix);
    }
    case 10: {
      ResizeAttrs attrs;
      attrs.mode = static_cast<ResizeMode>(Pick(0, 2));
      attrs.coordinates = static_cast<ResizeCoordinates>(Pick(0, 4));
      attrs.rounding = static_cast<ResizeRounding>(Pick(0, 3));
      attrs.exclude_outside = attrs.mode == ResizeMode::kCubic && Chance(50);
      attrs.scales.assign(4, 1);
      Shape out = s;
      for (size_t d = 2; d < 4; ++d) {
        out[d] = Pick(1, 2 * s[d] + 3);
        attrs.scales[d] = static_cast<double>(out[d]) / static_cast<double>(s[d]);
      }
      return Float(Op::kResize, attrs, {x}, out);
    }
    case 11: {
      PoolAttrs attrs;
      attrs.kernel = {Pick(1, s[2]), Pick(1, s[3])};
      const Shape out{s[0], s[1], s[2] - attrs.kernel[0] + 1, s[3] - attrs.kernel[1] + 1};
      return Float(Chance(50) ? Op::kAveragePool : Op::kMaxPool, attrs, {x}, out);
    }
    case 12: {
      const ValueId other = Float(Op::kUnary, UnaryAttrs{{{UnaryKind::kTanh, 0, 0}}}, {x}, s);
      Shape joined = s;
      joined[1] *= 2;
      return Float(Op::kConcat, AxisAttrs{1}, {x, other}, joined);
    }
    default:
      return Float(Op::kUnary, UnaryAttrs{{{Chance(50) ? UnaryKind::kSigmoid : UnaryKind::kGelu, 0, 0}}}, {x}, s);
  }
}

Graph RandomDetours(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "detours" + std::to_string(seed);
  ValueId x = m.Input({1, m.Channels(20), m.Pick(2, 9), m.Pick(2, 9)});
  for (int64_t i = m.Pick(2, 6); i > 0; --i) {
    const Shape shape = m.at(x).shape;
    if (m.Chance(15)) m.Output(m.Unary(x));
    switch (m.Pick(0, 7)) {
      case 0:
      case 1:
        x = m.Turn(x);
        break;
      case 2:
        x = m.Gather(x, m.Pick(1, 3));
        break;
      case 3:
        x = compiler::Elements(shape) < 2000 ? m.ResizeByAnything(x) : m.Slice(x);
        break;
      case 4:
        x = m.Conv(x, m.Channels(20), 1, m.RandomWindow(shape[2], shape[3], 3, 2, 1));
        break;
      case 5:
        x = m.Add(x, m.Chance(50) ? m.BroadcastConstant(shape) : m.Unary(x));
        break;
      case 6:
        x = m.Unary(x);
        break;
      default:
        x = m.Pool(x, m.Chance(50), m.Chance(50), m.RandomWindow(shape[2], shape[3], 3, 2, 1));
    }
  }
  m.Output(x);
  return std::move(m.graph);
}

Graph RandomTail(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "tail" + std::to_string(seed);
  ValueId x = m.Input({1, m.Channels(12), m.Pick(1, 8), m.Pick(1, 8)});
  if (m.Chance(70)) x = m.Conv(x, m.Channels(12), 1, {});
  if (m.Chance(30)) x = m.Unary(x);
  if (m.Chance(20)) m.Output(x);
  x = m.Dequantize(x);
  for (int64_t i = m.Pick(1, 4); i > 0 && compiler::Elements(m.at(x).shape) < 4000; --i) x = m.FloatLayer(x);
  if (m.Chance(10)) {
    Shape shape = m.at(x).shape;
    ArgMaxAttrs attrs;
    attrs.axis = m.Pick(0, 3);
    attrs.last = m.Chance(50);
    attrs.least = m.Chance(50);
    attrs.keep_dims = m.Chance(50);
    shape[static_cast<size_t>(attrs.axis)] = 1;
    if (!attrs.keep_dims) shape.erase(shape.begin() + attrs.axis);
    x = m.Float(Op::kArgMax, attrs, {x}, shape);
  }
  m.PlainOutput(x);
  m.graph.RemoveDead();
  return std::move(m.graph);
}

}  // namespace xrun::testing
