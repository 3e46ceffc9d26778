// Products of two activations, mostly attention: queries, keys and values from one product, cut into heads.

#include "random_graph.h"

namespace xrun::testing {

using compiler::Graph;
using compiler::Shape;
using compiler::ValueId;

namespace {

/// Queries, keys and values [1,heads,T,D] of tokens [1,T,C], cut out as different exporters do.
std::vector<ValueId> Heads(GraphMaker& m, ValueId x, int64_t heads, int64_t size) {
  const int64_t tokens = m.at(x).shape[1], width = heads * size;
  std::vector<ValueId> parts;
  switch (m.Pick(0, 2)) {
    case 0: {  // one product, then [3,1,heads,T,D]
      const ValueId all = m.Reshape(m.FullyConnected(x, 3 * width), {1, tokens, 3, heads, size});
      const ValueId turned = m.Transpose(all, {2, 0, 3, 1, 4});
      for (int64_t i = 0; i < 3; ++i) {
        parts.push_back(m.Reshape(m.SliceAxis(turned, 0, i, i + 1), {1, heads, tokens, size}));
      }
      return parts;
    }
    case 1: {  // one product, split along the channels
      const ValueId all = m.FullyConnected(x, 3 * width);
      for (int64_t i = 0; i < 3; ++i) {
        const ValueId part = m.SliceAxis(all, 2, i * width, (i + 1) * width);
        parts.push_back(m.Transpose(m.Reshape(part, {1, tokens, heads, size}), {0, 2, 1, 3}));
      }
      return parts;
    }
    default:  // three products
      for (int64_t i = 0; i < 3; ++i) {
        const ValueId part = m.Reshape(m.FullyConnected(x, width), {1, tokens, heads, size});
        parts.push_back(m.Transpose(part, {0, 2, 1, 3}));
      }
      return parts;
  }
}

ValueId Attention(GraphMaker& m, ValueId x) {
  const int64_t heads = m.Pick(1, 4), size = m.Channels(36);
  std::vector<ValueId> parts = Heads(m, x, heads, size);
  if (m.Chance(40)) parts[0] = m.Unary(parts[0]);
  ValueId scores = m.MatMul(parts[0], m.Transpose(parts[1], {0, 1, 3, 2}));
  if (m.Chance(40)) scores = m.Unary(scores);
  if (m.Chance(50)) scores = m.Gather(scores, 2);
  const ValueId mixed = m.MatMul(scores, parts[2]);
  const ValueId rows = m.Reshape(m.Transpose(mixed, {0, 2, 1, 3}), {1, m.at(mixed).shape[2], heads * size});
  return m.Chance(80) ? m.FullyConnected(rows, m.at(x).shape.back()) : rows;
}

/// Operands of odd shapes: two inputs, an input and a constant, broadcast batches.
ValueId Plain(GraphMaker& m, ValueId x) {
  const Shape s = m.at(x).shape;  // [1,T,C]
  switch (m.Pick(0, 3)) {
    case 0:
      return m.MatMul(x, m.Input({1, s[2], m.Channels(40)}));
    case 1:
      return m.MatMul(m.Transpose(x, {0, 2, 1}), x);
    case 2: {
      const ValueId out = m.MatMul(m.Input({3, m.Pick(1, 9), s[1]}), x);
      return m.Reshape(out, {1, m.at(out).shape[0] * m.at(out).shape[1], s[2]});
    }
    default:
      return m.MatMul(m.Constant({1, m.Pick(1, 20), s[1]}), x);
  }
}

}  // namespace

Graph RandomAttention(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "attention" + std::to_string(seed);
  const int64_t height = m.Pick(1, 6), width = m.Pick(1, 9);
  ValueId x = m.Input({1, m.Channels(24), height, width});
  if (m.Chance(70)) x = m.Conv(x, m.Channels(24), 1, {});
  const Shape s = m.at(x).shape;
  x = m.Transpose(m.Reshape(x, {1, s[1], height * width}), {0, 2, 1});
  if (m.Chance(50)) x = m.FullyConnected(x, m.Channels(40));
  x = m.Chance(70) ? Attention(m, x) : Plain(m, x);
  if (m.Chance(40)) x = m.FullyConnected(x, m.Channels(24));
  m.Output(x);
  return std::move(m.graph);
}

}  // namespace xrun::testing
