// GraphMaker's resizes and other movement of data, and constants that broadcast.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "random_graph.h"

namespace xrun::testing {

using compiler::Shape;
using compiler::Value;
using compiler::ValueId;

ValueId GraphMaker::Moved(Op op, Attributes attrs, std::vector<ValueId> inputs, const Shape& shape) {
  const compiler::QuantParams quant = *graph.at(inputs[0]).quant;
  const ValueId y = AddNode(op, std::move(attrs), std::move(inputs), shape, quant.scale[0], false);
  graph.at(y).quant = quant;
  return y;
}

ValueId GraphMaker::Resize(ValueId x, int64_t most_factor) {
  const Shape in = graph.at(x).shape;
  ResizeAttrs attrs;
  attrs.mode = Chance(60) ? ResizeMode::kNearest : ResizeMode::kLinear;
  static constexpr ResizeCoordinates kCoordinates[] = {
      ResizeCoordinates::kHalfPixel, ResizeCoordinates::kPytorchHalfPixel, ResizeCoordinates::kAsymmetric,
      ResizeCoordinates::kHalfPixelSymmetric};
  attrs.coordinates = kCoordinates[Pick(0, 3)];
  attrs.rounding = static_cast<ResizeRounding>(Pick(0, 3));
  const int64_t up_h = Pick(1, most_factor), up_w = Chance(60) ? up_h : Pick(1, most_factor);
  attrs.scales = {1, 1, static_cast<double>(up_h), static_cast<double>(up_w)};
  const Shape out{in[0], in[1], in[2] * up_h, in[3] * up_w};
  if (attrs.mode == ResizeMode::kNearest) return Moved(Op::kResize, attrs, {x}, out);
  const ValueId y = AddNode(Op::kResize, attrs, {x}, out, Jitter(graph.at(x).quant->scale[0]), false);
  if (Chance(50)) graph.at(y).quant = graph.at(x).quant;
  return y;
}

ValueId GraphMaker::ResizeByAnything(ValueId x) {
  const Shape in = graph.at(x).shape;
  ResizeAttrs attrs;
  attrs.coordinates = static_cast<ResizeCoordinates>(Pick(0, 4));
  attrs.rounding = static_cast<ResizeRounding>(Pick(0, 3));
  Shape out = in;
  attrs.scales.assign(4, 1);
  for (size_t d = 2; d < 4; ++d) {
    out[d] = Pick(1, 2 * in[d] + 3);
    attrs.scales[d] = static_cast<double>(out[d]) / static_cast<double>(in[d]);
  }
  return Moved(Op::kResize, attrs, {x}, out);
}

ValueId GraphMaker::DepthToSpace(ValueId x, int64_t block) {
  const Shape in = graph.at(x).shape;
  return Moved(Op::kDepthToSpace, BlockAttrs{block, Chance(50)}, {x},
               {in[0], in[1] / (block * block), in[2] * block, in[3] * block});
}

ValueId GraphMaker::SpaceToDepth(ValueId x, int64_t block) {
  const Shape in = graph.at(x).shape;
  return Moved(Op::kSpaceToDepth, BlockAttrs{block, false}, {x},
               {in[0], in[1] * block * block, in[2] / block, in[3] / block});
}

ValueId GraphMaker::Gather(ValueId x, int64_t axis) {
  Shape shape = graph.at(x).shape;
  const int64_t extent = shape[static_cast<size_t>(axis)];
  std::vector<int64_t> indices(static_cast<size_t>(extent));
  std::iota(indices.begin(), indices.end(), 0);
  std::shuffle(indices.begin(), indices.end(), random_);
  indices.resize(static_cast<size_t>(Pick(1, extent)));
  if (Chance(30)) indices.push_back(indices[0]);  // one of them twice
  const auto count = static_cast<int64_t>(indices.size());
  const ValueId id = graph.AddConstant("i" + std::to_string(counter_++), DType::kInt64, {count}, indices.data());
  shape[static_cast<size_t>(axis)] = count;
  return Moved(Op::kGather, AxisAttrs{axis}, {x, id}, shape);
}

ValueId GraphMaker::Turn(ValueId x) {
  const Shape in = graph.at(x).shape;
  std::vector<int64_t> order{1, 2, 3};
  std::shuffle(order.begin(), order.end(), random_);
  const auto at = [&](size_t i) { return in[static_cast<size_t>(order[i])]; };
  const Shape turned{1, at(0), at(1), at(2)};
  const ValueId y = Moved(Op::kTranspose, TransposeAttrs{{0, order[0], order[1], order[2]}}, {x}, turned);
  if (Chance(40)) return y;
  const ValueId tokens = Moved(Op::kReshape, NoAttrs{}, {y}, {1, turned[1] * turned[2], turned[3]});
  const ValueId other =
      Moved(Op::kTranspose, TransposeAttrs{{0, 2, 1}}, {tokens}, {1, turned[3], turned[1] * turned[2]});
  return Moved(Op::kReshape, NoAttrs{}, {other}, {1, turned[3], turned[1], turned[2]});
}

ValueId GraphMaker::BroadcastConstant(const Shape& full) {
  Shape shape = full;
  for (size_t axis = 1; axis < shape.size(); ++axis) {
    if (Chance(50)) shape[axis] = 1;
  }
  // Without leading axes that say nothing, now and then: [C,1,1], [W], a scalar.
  while (!shape.empty() && shape[0] == 1 && Chance(70)) shape.erase(shape.begin());
  return Constant(shape);
}

}  // namespace xrun::testing
