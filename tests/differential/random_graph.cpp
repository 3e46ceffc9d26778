// What all operators of GraphMaker need, and the random choice of layers. The operators stand in random_windows.cpp,
// random_elementwise.cpp, random_movement.cpp, random_tokens.cpp (matrix products) and random_tail.cpp (float).

#include "random_graph.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace xrun::testing {

using compiler::Graph;
using compiler::kNone;
using compiler::Node;
using compiler::QuantParams;
using compiler::Shape;
using compiler::Value;
using compiler::ValueId;

ValueId GraphMaker::NewInt8(const Shape& shape, float scale) {
  Value v;
  v.name = "v" + std::to_string(counter_++);
  v.dtype = DType::kInt8;
  v.shape = shape;
  v.quant = QuantParams{{scale}, {static_cast<int32_t>(Chance(30) ? 0 : Pick(-128, 127))}, -1};
  return graph.AddValue(std::move(v));
}

ValueId GraphMaker::AddNode(Op op, Attributes attrs, std::vector<ValueId> inputs, const Shape& shape, float scale,
                            bool clampable) {
  const ValueId out = NewInt8(shape, scale);
  Node node;
  node.name = "n" + std::to_string(counter_++);
  node.op = op;
  node.attrs = std::move(attrs);
  node.inputs = std::move(inputs);
  node.outputs = {out};
  node.origin = {node.name};
  if (clampable && Chance(40)) {
    const float lo = Chance(70) ? 0.0F : -scale * static_cast<float>(Pick(1, 60));
    const float hi = Chance(50) ? INFINITY : scale * static_cast<float>(Pick(10, 100)) * 1.013F;
    node.clamp = Clamp{lo, hi};
  }
  graph.nodes.push_back(std::move(node));
  return out;
}

ValueId GraphMaker::Input(const Shape& shape) {
  Value x;
  x.name = "input" + std::to_string(graph.inputs.size());
  x.dtype = DType::kFloat32;
  x.shape = shape;
  const ValueId id = graph.AddValue(std::move(x));
  graph.inputs.push_back(id);
  return AddNode(Op::kQuantize, NoAttrs{}, {id}, shape, Jitter(0.02F), false);
}

void GraphMaker::Output(ValueId x) {
  Value y;
  y.name = "output" + std::to_string(graph.outputs.size());
  y.dtype = DType::kFloat32;
  y.shape = graph.at(x).shape;
  const ValueId id = graph.AddValue(std::move(y));
  Node node;
  node.name = "n" + std::to_string(counter_++);
  node.op = Op::kDequantize;
  node.inputs = {x};
  node.outputs = {id};
  node.origin = {node.name};
  graph.nodes.push_back(std::move(node));
  graph.outputs.push_back(id);
}

ValueId GraphMaker::Constant(const Shape& shape) {
  std::vector<int8_t> data(static_cast<size_t>(compiler::Elements(shape)));
  for (int8_t& q : data) q = static_cast<int8_t>(Pick(-128, 127));
  const ValueId id = graph.AddConstant("c" + std::to_string(counter_++), DType::kInt8, shape, data.data());
  graph.at(id).quant = QuantParams{{Jitter(0.02F)}, {static_cast<int32_t>(Pick(-30, 30))}, -1};
  return id;
}

Graph RandomLayer(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "layer" + std::to_string(seed);
  const int64_t h = m.Pick(1, 20), w = m.Pick(1, 24);
  const int64_t c = m.Channels(50);
  ValueId x = m.Input({1, c, h, w});
  ValueId y = kNone;
  switch (m.Pick(0, 14)) {
    case 11:
      y = m.Resize(x, 4);
      break;
    case 12: {
      const int64_t block = m.Pick(2, 3);
      x = m.Input({1, m.Channels(12) * block * block, h, w});
      y = m.DepthToSpace(x, block);
      break;
    }
    case 13: {
      const int64_t block = m.Pick(2, 3);
      x = m.Input({1, c, block * m.Pick(1, 8), block * m.Pick(1, 8)});
      y = m.SpaceToDepth(x, block);
      break;
    }
    case 14:
      y = m.Gather(x, 1);
      break;
    case 10: {
      const int64_t groups = m.Chance(70) ? 1 : m.Pick(2, 4);
      if (groups != 1) x = m.Input({1, c * groups, h, w});
      y = m.ConvTranspose(x, groups * m.Channels(groups == 1 ? 40 : 20), groups, m.RandomWindow(h, w, 5, 4, 3));
      break;
    }
    case 0:
    case 1:
    case 2:
      y = m.Conv(x, m.Channels(50), 1, m.RandomWindow(h, w, 7, 4, 4));
      break;
    case 3: {  // grouped
      const int64_t groups = m.Pick(2, 4), per = m.Channels(20);
      x = m.Input({1, groups * per, h, w});
      y = m.Conv(x, groups * m.Pick(1, 20), groups, m.RandomWindow(h, w, 4, 2, 2));
      m.Output(m.Unary(m.graph.nodes[0].outputs[0]));
      break;
    }
    case 4:
    case 5:
      y = m.Conv(x, c, c, m.RandomWindow(h, w, 7, 4, 4));
      break;
    case 6:
      y = m.Pool(x, m.Chance(50), m.Chance(50), m.RandomWindow(h, w, 6, 4, 3));
      break;
    case 7: {
      GraphMaker::Window all;
      all.kernel_h = h;
      all.kernel_w = w;
      y = m.Pool(x, m.Chance(80), false, all);
      break;
    }
    case 8: {
      const Shape full{1, c, h, w};
      const Shape broadcast[] = {full, {1, c, 1, 1}, {1, 1, h, w}, {1, c, h, 1}, {1, 1, 1, w}, {1, 1, 1, 1}};
      const Shape& shape = broadcast[m.Pick(0, 5)];
      const ValueId other = m.Chance(40) ? m.Input(shape) : m.BroadcastConstant(full);
      const int64_t kind = m.Pick(0, 2);
      y = kind == 0 ? m.Add(x, other) : kind == 1 ? m.Mul(x, other) : m.Sub(x, other);
      break;
    }
    default:
      y = m.Chance(50) ? m.Unary(x) : m.FullyConnected(m.Flatten(x), m.Pick(1, 40));
  }
  m.Output(y);
  return std::move(m.graph);
}

Graph RandomStem(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "stem" + std::to_string(seed);
  const int64_t h = m.Pick(1, 40), w = m.Pick(1, 40);
  const ValueId x = m.Input({1, m.Chance(50) ? 3 : m.Pick(1, 8), h, w});
  const int64_t readers = m.Chance(80) ? 1 : 2;
  for (int64_t i = 0; i < readers; ++i) {
    GraphMaker::Window window =
        m.RandomWindow(h, w, m.Chance(60) ? 7 : 11, m.Chance(85) ? 3 : 12, m.Chance(80) ? 1 : 3);
    if (m.Chance(10)) {  // more padding than kernel
      window.top += m.Pick(0, 9);
      window.bottom += m.Pick(0, 9);
    }
    if (m.Chance(40)) window.dilation_w = 1;
    ValueId y = m.Conv(x, m.Channels(50), 1, window);
    const Shape shape = m.at(y).shape;
    if (m.Chance(40)) y = m.Conv(y, m.Channels(20), 1, m.RandomWindow(shape[2], shape[3], 3, 2, 1));
    if (m.Chance(20)) y = m.Pool(y, false, false, m.RandomWindow(m.at(y).shape[2], m.at(y).shape[3], 3, 2, 1));
    m.Output(y);
  }
  return std::move(m.graph);
}

Graph RandomEnlargement(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "enlargement" + std::to_string(seed);
  const int64_t h = m.Pick(1, 12), w = m.Pick(1, 12);
  ValueId x = m.Input({1, m.Channels(40), h, w});
  if (m.Chance(80)) x = m.Conv(x, m.Channels(40), 1, {});
  ValueId y = m.Resize(x, 4);
  const Shape shape = m.at(y).shape;
  if (m.Chance(50)) {
    const ValueId other = m.Conv(m.Input({1, m.Channels(20), shape[2], shape[3]}), m.Channels(20), 1, {});
    y = m.Concat({y, other}, 1);
  }
  if (m.Chance(30)) m.Output(x);
  if (m.Chance(80)) y = m.Conv(y, m.Channels(30), 1, m.RandomWindow(shape[2], shape[3], 3, 2, 1));
  m.Output(y);
  return std::move(m.graph);
}

Graph RandomGraph(uint64_t seed) {
  GraphMaker m(seed);
  m.graph.name = "graph" + std::to_string(seed);
  const int64_t h = m.Pick(3, 16), w = m.Pick(3, 16), c = m.Channels(24);
  std::vector<ValueId> values{m.Input({1, c, h, w})};
  const int64_t nodes = m.Pick(2, 9);
  for (int64_t i = 0; i < nodes; ++i) {
    const ValueId x = values[static_cast<size_t>(m.Pick(std::max<int64_t>(0, static_cast<int64_t>(values.size()) - 3),
                                                        static_cast<int64_t>(values.size()) - 1))];
    const Shape shape = m.at(x).shape;
    ValueId same = kNone;  // another value of the same shape, for residual adds
    for (ValueId v : values) {
      if (v != x && m.at(v).shape == shape) same = v;
    }
    ValueId y = kNone;
    switch (m.Pick(0, 20)) {
      case 14:
        y = m.Resize(x, shape[2] * shape[3] > 300 ? 1 : 3);
        break;
      case 15:
        y = shape[1] % 4 == 0 && shape[2] * shape[3] <= 400 ? m.DepthToSpace(x, 2) : m.Unary(x);
        break;
      case 16: {
        const int64_t block = shape[2] % 3 == 0 && shape[3] % 3 == 0 ? 3 : 2;
        y = shape[2] % block == 0 && shape[3] % block == 0 && shape[1] < 40 ? m.SpaceToDepth(x, block) : m.Unary(x);
        break;
      }
      case 17:
        y = m.Gather(x, 1);
        break;
      case 18: {
        const ValueId constant = m.BroadcastConstant(shape);
        y = m.Chance(50) ? m.Add(x, constant) : m.Chance(60) ? m.Mul(x, constant) : m.Sub(x, constant);
        break;
      }
      case 19:
        y = m.PRelu(x);
        break;
      case 20:
        y = m.Unary(x);
        break;
      case 13: {
        GraphMaker::Window up;
        up.kernel_h = up.kernel_w = m.Pick(2, 4);
        up.stride_h = up.stride_w = 2;
        up.top = up.left = up.bottom = up.right = up.kernel_h == 4 ? 1 : 0;
        y = shape[2] * shape[3] > 400 ? m.Requantize(x) : m.ConvTranspose(x, m.Channels(24), 1, up);
        break;
      }
      case 8: {
        std::vector<ValueId> parts{x};
        const int64_t axis = m.Chance(70) ? 1 : m.Pick(2, 3);
        for (ValueId v : values) {
          Shape a = m.at(v).shape, b = shape;
          a[static_cast<size_t>(axis)] = b[static_cast<size_t>(axis)] = 0;
          if (a == b && parts.size() < 4 && (v != x || m.Chance(20))) parts.push_back(v);
        }
        if (m.Chance(50)) std::swap(parts.front(), parts.back());
        y = m.Concat(parts, axis);
        break;
      }
      case 9:
        y = m.Slice(x);
        break;
      case 10:
        y = m.Pad(x);
        break;
      case 11:
        y = shape[1] % 2 == 0 ? m.ChannelShuffle(x, shape[1] % 3 == 0 ? 3 : 2) : m.Requantize(x);
        break;
      case 0:
      case 1: {
        GraphMaker::Window k3;
        k3.kernel_h = k3.kernel_w = 3;
        k3.top = k3.left = k3.bottom = k3.right = 1;
        if (m.Chance(30)) k3 = m.RandomWindow(shape[2], shape[3], 3, 2, 1);
        y = m.Conv(x, m.Chance(50) ? shape[1] : m.Channels(24), 1, k3);
        break;
      }
      case 2:
        y = m.Conv(x, m.Chance(60) ? shape[1] : m.Channels(24), 1, {});
        break;
      case 3:
        y = m.Conv(x, shape[1], shape[1], m.RandomWindow(shape[2], shape[3], 3, 2, 1));
        break;
      case 4:
        y = m.Pool(x, m.Chance(50), m.Chance(50), m.RandomWindow(shape[2], shape[3], 3, 2, 1));
        break;
      case 5:
        y = m.Unary(x);
        break;
      case 6: {  // squeeze and excite
        GraphMaker::Window all;
        all.kernel_h = shape[2];
        all.kernel_w = shape[3];
        const ValueId s = m.Unary(m.Conv(m.Pool(x, true, false, all), shape[1], 1, {}));
        y = m.Mul(x, s);
        break;
      }
      default:
        y = same != kNone ? (m.Chance(80) ? m.Add(x, same) : m.Sub(same, x)) : m.Conv(x, shape[1], 1, {});
    }
    values.push_back(y);
  }
  // More inputs and outputs than there are registers, now and then.
  for (int64_t i = m.Chance(15) ? m.Pick(4, 9) : 0; i > 0; --i) {
    const Shape shape = m.at(values.back()).shape;
    const ValueId more = m.Input(shape);
    values.push_back(m.Add(more, values.back()));
  }
  const int most_outputs = m.Chance(30) ? 12 : 6;
  if (m.Chance(40)) values.push_back(m.FullyConnected(m.Flatten(values.back()), m.Pick(1, 20)));
  int outputs = 0;
  for (auto v = values.rbegin(); v + 1 != values.rend() && outputs < most_outputs; ++v) {  // not the input itself
    if (m.graph.Consumers(*v).empty() || m.Chance(10)) {
      m.Output(*v);
      ++outputs;
    }
  }
  m.graph.RemoveDead();
  return std::move(m.graph);
}

}  // namespace xrun::testing
