// GraphMaker's movement of data: shapes, slices, joins, pads, resizes, gathers; and constants that broadcast.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "random_graph.h"

namespace xrun::testing {

using compiler::Shape;
using compiler::ValueId;

ValueId GraphMaker::Moved(Op op, Attributes attrs, std::vector<ValueId> inputs, const Shape& shape) {
  const compiler::QuantParams quant = *graph.at(inputs[0]).quant;
  const ValueId y = AddNode(op, std::move(attrs), std::move(inputs), shape, quant.scale[0], false);
  graph.at(y).quant = quant;
  return y;
}

ValueId GraphMaker::Reshape(ValueId x, const Shape& shape) { return Moved(Op::kReshape, NoAttrs{}, {x}, shape); }

ValueId GraphMaker::Transpose(ValueId x, const std::vector<int64_t>& perm) {
  Shape shape;
  for (const int64_t p : perm) shape.push_back(graph.at(x).shape[static_cast<size_t>(p)]);
  return Moved(Op::kTranspose, TransposeAttrs{perm}, {x}, shape);
}

ValueId GraphMaker::Flatten(ValueId x) { return Reshape(x, {1, compiler::Elements(graph.at(x).shape)}); }

ValueId GraphMaker::Concat(const std::vector<ValueId>& inputs, int64_t axis) {
  Shape shape = graph.at(inputs[0]).shape;
  float scale = 0;
  shape[static_cast<size_t>(axis)] = 0;
  for (const ValueId in : inputs) {
    shape[static_cast<size_t>(axis)] += graph.at(in).shape[static_cast<size_t>(axis)];
    scale = std::max(scale, ScaleOf(in));
  }
  const ValueId y = AddNode(Op::kConcat, AxisAttrs{axis}, inputs, shape, Jitter(scale), false);
  if (Chance(60) && ScaleOf(inputs[0]) * 100 > scale) {  // one set of parameters, as quantizers like it
    for (const ValueId in : inputs) {
      if (graph.at(in).quant == graph.at(inputs[0]).quant) graph.at(y).quant = graph.at(in).quant;
    }
  }
  return y;
}

ValueId GraphMaker::SliceAxis(ValueId x, size_t axis, int64_t begin, int64_t end) {
  Shape shape = graph.at(x).shape;
  SliceAttrs attrs{Shape(shape.size(), 0), shape, Shape(shape.size(), 1)};
  attrs.begin[axis] = begin;
  attrs.end[axis] = end;
  shape[axis] = end - begin;
  return Moved(Op::kSlice, attrs, {x}, shape);
}

ValueId GraphMaker::Slice(ValueId x) {
  const Shape in = graph.at(x).shape;
  SliceAttrs attrs;
  Shape shape{1};
  attrs.begin = {0};
  attrs.end = {1};
  attrs.step = {1};
  for (size_t a = 1; a < in.size(); ++a) {
    const int64_t n = in[a];
    const int64_t begin = Chance(50) ? 0 : Pick(0, n - 1);
    const int64_t end = Chance(40) ? n : Pick(begin + 1, n);
    const int64_t step = Chance(75) ? 1 : Pick(1, 3);
    attrs.begin.push_back(begin);
    attrs.end.push_back(end);
    attrs.step.push_back(step);
    shape.push_back((end - begin + step - 1) / step);
  }
  return Moved(Op::kSlice, attrs, {x}, shape);
}

ValueId GraphMaker::Pad(ValueId x) {
  PadAttrs attrs;
  attrs.before = {0, Chance(80) ? 0 : Pick(0, 5), Pick(0, 2), Pick(0, 3)};
  attrs.after = {0, Chance(80) ? 0 : Pick(0, 20), Pick(0, 3), Pick(0, 2)};
  Shape shape = graph.at(x).shape;
  for (size_t a = 0; a < 4; ++a) shape[a] += attrs.before[a] + attrs.after[a];
  return Moved(Op::kPad, attrs, {x}, shape);
}

ValueId GraphMaker::ChannelShuffle(ValueId x, int64_t groups) {
  const Shape s = graph.at(x).shape;
  const int64_t per = s[1] / groups;
  const ValueId split = Moved(Op::kReshape, NoAttrs{}, {x}, {1, groups, per, s[2], s[3]});
  const ValueId turned = Moved(Op::kTranspose, TransposeAttrs{{0, 2, 1, 3, 4}}, {split}, {1, per, groups, s[2], s[3]});
  return Moved(Op::kReshape, NoAttrs{}, {turned}, s);
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
  const ValueId y = AddNode(Op::kResize, attrs, {x}, out, Jitter(ScaleOf(x)), false);
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
