// GraphMaker's matrix products, and transformers' shape of work: planes become rows of tokens, go through such
// products, and come back.

#include <algorithm>
#include <cmath>

#include "random_graph.h"

namespace xrun::testing {

using compiler::Graph;
using compiler::QuantParams;
using compiler::Shape;
using compiler::ValueId;

ValueId GraphMaker::FullyConnected(ValueId x, int64_t out_features) {
  Shape out = graph.at(x).shape;
  const int64_t k = out.back();
  out.back() = out_features;
  std::vector<int8_t> weights(static_cast<size_t>(out_features * k));
  for (int8_t& q : weights) q = static_cast<int8_t>(Pick(-127, 127));
  const float sw = Jitter(0.01F), sx = ScaleOf(x);
  const ValueId wid =
      graph.AddConstant("w" + std::to_string(counter_++), DType::kInt8, {out_features, k}, weights.data());
  graph.at(wid).quant = QuantParams{{sw}, {0}, -1};
  return AddNode(Op::kFullyConnected, NoAttrs{}, {x, wid}, out,
                 Jitter(sx * sw * std::sqrt(static_cast<float>(k)) * 100), true);
}

ValueId GraphMaker::MatMul(ValueId a, ValueId b) {
  const Shape &left = graph.at(a).shape, &right = graph.at(b).shape;
  const size_t rank = std::max(left.size(), right.size());
  Shape out(rank, 1);
  for (const Shape* s : {&left, &right}) {
    for (size_t i = 0; i + 2 < s->size(); ++i) {
      int64_t& d = out[i + rank - s->size()];
      d = std::max(d, (*s)[i]);
    }
  }
  out[rank - 2] = left[left.size() - 2];
  out[rank - 1] = right.back();
  const auto k = static_cast<float>(left.back());
  const float scale = Jitter(ScaleOf(a) * ScaleOf(b) * std::sqrt(k) * 100);
  return AddNode(Op::kMatMul, MatMulAttrs{}, {a, b}, out, scale, true);
}

ValueId GraphMaker::ToTokens(ValueId x) {
  const Shape s = graph.at(x).shape;
  if (Chance(30)) return Moved(Op::kTranspose, TransposeAttrs{{0, 2, 3, 1}}, {x}, {1, s[2], s[3], s[1]});
  const ValueId rows = Moved(Op::kReshape, NoAttrs{}, {x}, {1, s[1], s[2] * s[3]});
  return Moved(Op::kTranspose, TransposeAttrs{{0, 2, 1}}, {rows}, {1, s[2] * s[3], s[1]});
}

ValueId GraphMaker::ToPlanes(ValueId x, int64_t height, int64_t width) {
  const Shape s = graph.at(x).shape;
  if (s.size() == 4) return Moved(Op::kTranspose, TransposeAttrs{{0, 3, 1, 2}}, {x}, {1, s[3], s[1], s[2]});
  const ValueId turned = Moved(Op::kTranspose, TransposeAttrs{{0, 2, 1}}, {x}, {1, s[2], s[1]});
  return Moved(Op::kReshape, NoAttrs{}, {turned}, {1, s[2], height, width});
}

Graph RandomTokens(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "tokens" + std::to_string(seed);
  const int64_t height = m.Pick(1, 7), width = m.Pick(2, 9);
  ValueId x = m.Input({1, m.Channels(24), height, width});
  if (m.Chance(70)) x = m.Conv(x, m.Channels(24), 1, {});
  x = m.ToTokens(x);
  for (int64_t n = m.Pick(1, 5); n > 0; --n) {
    const Shape shape = m.at(x).shape;
    switch (m.Pick(0, 6)) {
      case 0:
        x = m.Unary(x);
        break;
      case 1:
        x = m.Add(x, m.Chance(50) ? m.Constant({shape.back()}) : m.Constant(shape));
        break;
      case 2:
        x = m.Mul(x, m.Constant({shape.back()}));
        break;
      case 3:
        x = m.Add(x, m.FullyConnected(x, shape.back()));
        break;
      case 4:
        if (shape.size() == 3) x = m.Concat({x, m.FullyConnected(x, shape.back())}, m.Pick(1, 2));
        break;
      case 5:
        x = m.Slice(x);
        break;
      default:
        x = m.FullyConnected(x, m.Channels(40));
    }
  }
  x = m.FullyConnected(x, m.Channels(24));
  const Shape shape = m.at(x).shape;
  if (m.Chance(60) && shape.size() == 3) {
    const int64_t tokens = shape[1], rows = tokens % 2 == 0 ? 2 : tokens % 3 == 0 ? 3 : 1;
    x = m.Conv(m.ToPlanes(x, rows, tokens / rows), m.Channels(24), 1, m.RandomWindow(rows, tokens / rows, 3, 2, 1));
  } else if (m.Chance(60) && shape.size() == 4) {
    x = m.Conv(m.ToPlanes(x, shape[1], shape[2]), m.Channels(24), 1, {});
  }
  m.Output(x);
  return std::move(m.graph);
}

}  // namespace xrun::testing
