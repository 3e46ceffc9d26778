// Transformers' shape of work: planes become rows of tokens, go through matrix products, and come back.

#include "random_graph.h"

namespace xrun::testing {

using compiler::Graph;
using compiler::Shape;
using compiler::ValueId;

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
