// What exporters spell out: functions of several nodes, and shapes computed from shapes.

#include <algorithm>
#include <cmath>

#include "recipes.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

Tensor Mul(ModelMaker& m, const Tensor& a, const Tensor& b) {
  const double most = a.most() * b.most();
  return m.random.Chance(50) ? m.Simple("Mul", {a, b}, Broadcast(a.shape, b.shape), -most, most)
                             : m.Simple("Mul", {b, a}, Broadcast(a.shape, b.shape), -most, most);
}

Tensor Add(ModelMaker& m, const Tensor& a, const Tensor& b) {
  return m.random.Chance(50) ? m.Simple("Add", {a, b}, Broadcast(a.shape, b.shape), a.lo + b.lo, a.hi + b.hi)
                             : m.Simple("Add", {b, a}, Broadcast(a.shape, b.shape), a.lo + b.lo, a.hi + b.hi);
}

Tensor Sub(ModelMaker& m, const Tensor& a, const Tensor& b) {
  return m.Simple("Sub", {a, b}, Broadcast(a.shape, b.shape), a.lo - b.hi, a.hi - b.lo);
}

/// A number as exporters write it: a scalar, a list of one, or as many ones as the tensor has axes.
Tensor Number(ModelMaker& m, double value, const Tensor& beside) {
  const size_t rank = m.random.OneOf<size_t>({0, 0, 0, std::min<size_t>(1, beside.rank()), beside.rank()});
  return m.Floats(Shape(rank, 1), {value});
}

/// x times or divided by a number, whichever way it is written.
Tensor Scaled(ModelMaker& m, const Tensor& x, double factor) {
  const auto [lo, hi] = std::minmax({x.lo * factor, x.hi * factor});
  if (m.random.Chance(50)) return m.Simple("Div", {x, Number(m, 1 / factor, x)}, x.shape, lo, hi);
  return m.Simple("Mul", {x, Number(m, factor, x)}, x.shape, lo, hi);
}

Tensor Shifted(ModelMaker& m, const Tensor& x, double by) { return Add(m, x, Number(m, by, x)); }

Tensor Clipped(ModelMaker& m, const Tensor& x, double lo, double hi) {
  if (m.opset() < 11) {
    m.Add("Clip", {x}).Float("min", static_cast<float>(lo)).Float("max", static_cast<float>(hi));
  } else {
    m.Add("Clip", {x, m.Scalar(lo), m.Scalar(hi)});
  }
  return m.Result(Type::kFloat, x.shape, std::clamp(x.lo, lo, hi), std::clamp(x.hi, lo, hi));
}

Tensor Sigmoid(ModelMaker& m, const Tensor& x) { return m.Simple("Sigmoid", {x}, x.shape, 0, 1); }

Tensor Softplus(ModelMaker& m, const Tensor& x) {
  if (m.random.Chance(70)) return m.Simple("Softplus", {x}, x.shape, 0, std::max(x.hi, 0.0) + 0.7);
  const Tensor bounded = m.Within(x, -10, 5);
  const Tensor e = m.Simple("Exp", {bounded}, x.shape, 0, std::exp(bounded.hi));
  const Tensor sum = Shifted(m, e, 1);
  return m.Simple("Log", {sum}, x.shape, 0, std::log(1 + e.hi));
}

Tensor ShapeOf(ModelMaker& m, const Tensor& x) {
  m.Add("Shape", {x});
  return m.Computed({static_cast<int64_t>(x.rank())}, 0);
}

/// x · clip(x + 3, 0, 6) / 6 in the orders of several exporters, or with HardSigmoid.
void HardSwish(ModelMaker& m) {
  const Tensor x = m.Tame(m.Any());
  if (m.random.Chance(30)) {
    NodeBuilder node = m.Add("HardSigmoid", {x});
    node.Float("alpha", 1.0F / 6);
    if (m.random.Chance(50)) node.Float("beta", 0.5F);
    return m.Keep(Mul(m, x, m.Result(Type::kFloat, x.shape, 0, 1)));
  }
  const Tensor six = Clipped(m, Shifted(m, x, 3), 0, 6);
  if (m.random.Chance(50)) return m.Keep(Scaled(m, Mul(m, x, six), 1.0 / 6));
  m.Keep(Mul(m, x, Scaled(m, six, 1.0 / 6)));
}

/// The same without x: HardSigmoid.
void HardSigmoid(ModelMaker& m) {
  const Tensor x = m.Tame(m.Any());
  m.Keep(Scaled(m, Clipped(m, Shifted(m, x, 3), 0, 6), 1.0 / 6));
}

/// x · sigmoid(x), with a factor now and then, or with the sigmoid spelled out.
void Silu(ModelMaker& m) {
  const Tensor x = m.Within(m.Any(), -8, 8);
  if (m.random.Chance(25)) return m.Keep(Mul(m, x, Sigmoid(m, Scaled(m, x, 1.702))));
  if (m.random.Chance(30)) {
    const Tensor e = m.Simple("Exp", {m.Simple("Neg", {x}, x.shape, -x.hi, -x.lo)}, x.shape, 0, std::exp(-x.lo));
    const Tensor sum = Shifted(m, e, 1);
    if (m.random.Chance(50))
      return m.Keep(m.Simple("Div", {x, sum}, x.shape, std::min(x.lo, 0.0), std::max(x.hi, 0.0)));
    const Tensor sigmoid = m.random.Chance(50) ? m.Simple("Reciprocal", {sum}, x.shape, 0, 1)
                                               : m.Simple("Div", {Number(m, 1, x), sum}, x.shape, 0, 1);
    return m.Keep(m.random.Chance(60) ? Mul(m, x, sigmoid) : sigmoid);
  }
  m.Keep(Mul(m, x, Sigmoid(m, x)));
}

/// With erf, in the orders that exporters multiply, or with tanh.
void Gelu(ModelMaker& m) {
  const Tensor x = m.Within(m.Any(), -6, 6);
  Tensor inner;
  if (m.opset() >= 9 && m.random.Chance(60)) {
    const Tensor scaled = Scaled(m, x, 1 / std::sqrt(2.0));
    inner = m.Simple("Erf", {scaled}, x.shape, -1, 1);
  } else {
    const Tensor cube =
        m.random.Chance(50) ? m.Simple("Pow", {x, m.Scalar(3)}, x.shape, -216, 216) : Mul(m, Mul(m, x, x), x);
    const Tensor sum = Add(m, x, Scaled(m, cube, 0.044715));
    inner = m.Simple("Tanh", {Scaled(m, sum, std::sqrt(2 / M_PI))}, x.shape, -1, 1);
  }
  const Tensor both = Shifted(m, inner, 1);
  switch (m.random.Pick(0, 2)) {
    case 0:
      return m.Keep(Scaled(m, Mul(m, x, both), 0.5));
    case 1:
      return m.Keep(Mul(m, Scaled(m, x, 0.5), both));
    default:
      return m.Keep(Mul(m, x, Scaled(m, both, 0.5)));
  }
}

void Mish(ModelMaker& m) {
  const Tensor x = m.Within(m.Any(), -8, 8);
  const Tensor softplus = Softplus(m, x);
  m.Keep(Mul(m, x, m.Simple("Tanh", {softplus}, x.shape, 0, 1)));
}

/// max(x, a x), and relu(x) − a relu(−x) as Keras has it.
void Leaky(ModelMaker& m) {
  const Tensor x = m.Any();
  if (m.opset() >= 8 && m.random.Chance(50)) {
    const Tensor low = Scaled(m, x, 0.125);
    return m.Keep(m.Simple("Max", {x, low}, x.shape, std::max(x.lo, low.lo), std::max(x.hi, low.hi)));
  }
  const Tensor right = m.Simple("Relu", {x}, x.shape, 0, std::max(0.0, x.hi));
  const Tensor left = m.Simple("Relu", {m.Simple("Neg", {x}, x.shape, -x.hi, -x.lo)}, x.shape, 0, std::max(0.0, -x.lo));
  m.Keep(Sub(m, right, Scaled(m, left, 0.25)));
}

/// Numbers added, multiplied, cut off one after another: they become one chain.
void ScalarChain(ModelMaker& m) {
  Tensor x = m.Any();
  for (int64_t i = m.random.Pick(2, 5); i > 0; --i) {
    switch (m.random.Pick(0, 6)) {
      case 0:
        x = Shifted(m, x, m.random.Uniform(-2, 2));
        break;
      case 1:
        x = Scaled(m, x, m.random.OneOf<double>({0.5, -0.5, 1.5, 0.3}));
        break;
      case 2:
        x = Clipped(m, x, m.random.Uniform(-3, 0), m.random.Uniform(0.1, 3));
        break;
      case 3:
        x = m.Simple("Sub", {Number(m, m.random.Uniform(-2, 2), x), x}, x.shape, -2 - x.hi, 2 - x.lo);
        break;
      case 4:
        x = m.Simple("Abs", {x}, x.shape, 0, x.most());
        break;
      case 5:
        x = m.Simple("Tanh", {x}, x.shape, -1, 1);
        break;
      default:
        x = m.Simple("Neg", {x}, x.shape, -x.hi, -x.lo);
    }
  }
  m.Keep(x);
}

Tensor Mean(ModelMaker& m, const Tensor& x, int64_t axis, bool negative) {
  Shape shape = x.shape;
  shape[static_cast<size_t>(axis)] = 1;
  const int64_t written = negative && m.opset() >= 11 ? axis - static_cast<int64_t>(x.rank()) : axis;
  if (m.opset() < 18) {
    m.Add("ReduceMean", {x}).Ints("axes", {written});
  } else {
    m.Add("ReduceMean", {x, m.IntList({written})});
  }
  return m.Result(Type::kFloat, shape, x.lo, x.hi);
}

/// As PyTorch and TensorFlow write it; mostly over the last axis, else over the channels.
void LayerNorm(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(2));
  const auto rank = static_cast<int64_t>(x.rank());
  const int64_t axis = m.random.Chance(75) ? rank - 1 : 1;
  const bool negative = m.random.Chance(60);
  const Tensor mean = Mean(m, x, axis, negative);
  const Tensor centred = Sub(m, x, mean);
  const Tensor again = m.random.Chance(25) ? Sub(m, x, mean) : centred;
  const double square = centred.most() * centred.most();
  Tensor squares = m.random.Chance(50) ? m.Simple("Mul", {again, again}, x.shape, 0, square)
                                       : m.Simple("Pow", {again, m.Scalar(2)}, x.shape, 0, square);
  const double epsilon = m.random.OneOf<double>({1e-3, 1e-2});
  const Tensor variance = Shifted(m, Mean(m, squares, axis, negative), epsilon);
  const double most = std::sqrt(static_cast<double>(x.shape[static_cast<size_t>(axis)]));
  const Tensor root =
      m.random.Chance(80)
          ? m.Simple("Sqrt", {variance}, variance.shape, std::sqrt(epsilon), std::sqrt(variance.hi))
          : m.Simple("Pow", {variance, m.Scalar(0.5)}, variance.shape, std::sqrt(epsilon), std::sqrt(variance.hi));
  Shape parameters(static_cast<size_t>(rank - axis), 1);
  parameters[0] = x.shape[static_cast<size_t>(axis)];
  Tensor y;
  const int64_t form = m.random.Pick(0, 2);
  if (form == 2) {  // x · g/σ + (b − mean · g/σ)
    const Tensor inverse = m.Simple("Reciprocal", {root}, root.shape, 0, 1 / root.lo);
    const Tensor gain = Mul(m, inverse, m.RandomFloats(parameters, 0.5, 1.5));
    const Tensor shift = Sub(m, m.RandomFloats(parameters, -1, 1), Mul(m, mean, gain));
    y = Add(m, Mul(m, x, gain), shift);
    y.lo = -1.5 * most - 1;
    y.hi = 1.5 * most + 1;
    return m.Keep(y);
  }
  if (form == 0) {
    y = m.Simple("Div", {centred, root}, x.shape, -most, most);
  } else {
    const Tensor inverse = m.random.Chance(50) ? m.Simple("Reciprocal", {root}, root.shape, 0, 1 / root.lo)
                                               : m.Simple("Div", {m.Scalar(1), root}, root.shape, 0, 1 / root.lo);
    y = Mul(m, centred, inverse);
    y.lo = -most;
    y.hi = most;
  }
  if (m.random.Chance(75)) y = Mul(m, y, m.RandomFloats(parameters, -1.5, 1.5));
  if (m.random.Chance(75)) y = Add(m, y, m.RandomFloats(parameters, -1, 1));
  m.Keep(y);
}

/// Means of planes, two small layers, a gate for each channel.
void SqueezeExcite(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRank(4));
  const int64_t n = x.shape[0], c = x.shape[1], few = m.random.Pick(1, 3);
  Tensor y;
  const bool gemm = m.random.Chance(30);
  if (m.random.Chance(50)) {
    y = m.Simple("GlobalAveragePool", {x}, {n, c, 1, 1}, x.lo, x.hi);
  } else {
    if (m.opset() < 18) {
      m.Add("ReduceMean", {x}).Ints("axes", {2, 3}).Int("keepdims", 1);
    } else {
      m.Add("ReduceMean", {x, m.IntList({2, 3})});
    }
    y = m.Result(Type::kFloat, {n, c, 1, 1}, x.lo, x.hi);
  }
  const auto layer = [&](const Tensor& in, int64_t from, int64_t to) {
    const double size = 1.5 / std::sqrt(static_cast<double>(from)),
                 most = in.most() * size * static_cast<double>(from) + 1;
    if (gemm) {
      m.Add("Gemm", {in, m.RandomFloats({to, from}, -size, size), m.RandomFloats({to}, -1, 1)}).Int("transB", 1);
      return m.Result(Type::kFloat, {n, to}, -most, most);
    }
    return m.Simple("Conv", {in, m.RandomFloats({to, from, 1, 1}, -size, size), m.RandomFloats({to}, -1, 1)},
                    {n, to, 1, 1}, -most, most);
  };
  if (gemm) y = m.Reshaped(y, {n, c});
  y = layer(y, c, few);
  y = m.Simple("Relu", {y}, y.shape, 0, std::max(0.0, y.hi));
  y = layer(y, few, c);
  if (m.random.Chance(50)) {
    y = Sigmoid(m, y);
  } else {
    m.Add("HardSigmoid", {y}).Float("alpha", 1.0F / 6);
    y = m.Result(Type::kFloat, y.shape, 0, 1);
  }
  if (gemm) y = m.Reshaped(y, {n, c, 1, 1});
  m.Keep(Mul(m, x, y));
}

/// x over its length along an axis, as PyTorch's normalize writes it.
void L2Norm(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(2));
  Shape shape = x.shape;
  shape[1] = 1;
  const double most = x.most() * std::sqrt(static_cast<double>(x.shape[1]));
  if (m.opset() < 18) {
    m.Add("ReduceL2", {x}).Ints("axes", {1});
  } else {
    m.Add("ReduceL2", {x, m.IntList({1})});
  }
  Tensor length = m.Result(Type::kFloat, shape, 0, most);
  const double least = 0.05;
  if (m.opset() < 11) {
    m.Add("Clip", {length}).Float("min", static_cast<float>(least));
  } else {
    m.Add("Clip", {length, m.Scalar(least)});
  }
  length = m.Result(Type::kFloat, shape, least, std::max(least, most));
  if (m.opset() >= 8 && m.random.Chance(60)) {
    const Tensor full = ShapeOf(m, x);
    m.Add("Expand", {length, full});
    length = m.Moved(length, x.shape);
  }
  m.Keep(m.Simple("Div", {x, length}, x.shape, -1, 1));
}

/// Reshape, Transpose, Reshape: channels shuffled, or channels that become pixels.
void Shuffle(ModelMaker& m) {
  const int64_t g = m.random.Pick(2, 3), per = m.random.Pick(1, 4), h = m.random.Pick(1, 5), w = m.random.Pick(1, 5);
  const Tensor x = m.Input({1, g * per, h, w});
  if (m.random.Chance(60)) {
    const bool flat = m.random.Chance(30);
    const Tensor y = m.Reshaped(x, flat ? Shape{1, g, per, h * w} : Shape{1, g, per, h, w});
    m.Add("Transpose", {y}).Ints("perm", flat ? std::vector<int64_t>{0, 2, 1, 3} : std::vector<int64_t>{0, 2, 1, 3, 4});
    const Tensor turned = m.Moved(y, flat ? Shape{1, per, g, h * w} : Shape{1, per, g, h, w});
    return m.Keep(m.Reshaped(turned, {1, g * per, h, w}));
  }
  const Tensor y = m.Reshaped(x, {1, g, per, h, w});
  m.Add("Transpose", {y}).Ints("perm", {0, 2, 3, 1, 4});
  m.Keep(m.Reshaped(m.Moved(y, {1, per, h, g, w}), {1, per, h * g, w}));
}

/// Every other row and column, four times: YOLO's first layer.
void Focus(ModelMaker& m) {
  const int64_t c = m.random.Pick(1, 3), h = 2 * m.random.Pick(1, 4), w = 2 * m.random.Pick(1, 4);
  const Tensor x = m.Input({1, c, h, w});
  if (m.opset() < 10) return m.Keep(x);
  std::vector<Tensor> parts;
  for (const auto& [row, column] : {std::pair{0, 0}, {1, 0}, {0, 1}, {1, 1}}) {
    if (m.random.Chance(50)) {
      m.Add("Slice",
            {x, m.IntList({row, column}), m.IntList({INT32_MAX, INT32_MAX}), m.IntList({2, 3}), m.IntList({2, 2})});
      parts.push_back(m.Moved(x, {1, c, h / 2, w / 2}));
      continue;
    }
    m.Add("Slice", {x, m.IntList({row}), m.IntList({INT64_MAX}), m.IntList({2}), m.IntList({2})});
    const Tensor rows = m.Moved(x, {1, c, h / 2, w});
    m.Add("Slice", {rows, m.IntList({column}), m.IntList({INT64_MAX}), m.IntList({3}), m.IntList({2})});
    parts.push_back(m.Moved(x, {1, c, h / 2, w / 2}));
  }
  m.Add("Concat", parts).Int("axis", 1);
  m.Keep(m.Moved(x, {1, 4 * c, h / 2, w / 2}));
}

/// Softmax(Q Kᵀ / √d) V of several heads.
void Attention(ModelMaker& m) {
  const int64_t heads = m.random.Pick(1, 3), d = m.random.Pick(1, 4), tokens = m.random.Pick(2, 6), width = heads * d;
  const Tensor x = m.Input({1, tokens, width});
  const double size = 1.5 / std::sqrt(static_cast<double>(width));
  const auto project = [&](const std::vector<int64_t>& perm, const Shape& shape) {
    const double most = x.most() * size * static_cast<double>(width);
    Tensor y = m.Simple("MatMul", {x, m.RandomFloats({width, width}, -size, size)}, x.shape, -most, most);
    if (m.random.Chance(50)) y = Add(m, y, m.RandomFloats({width}, -1, 1));
    m.Add("Reshape", {y, m.IntList({m.random.Chance(50) ? 0 : 1, -1, heads, d})});
    y = m.Moved(y, {1, tokens, heads, d});
    m.Add("Transpose", {y}).Ints("perm", perm);
    return m.Moved(y, shape);
  };
  const Tensor q = project({0, 2, 1, 3}, {1, heads, tokens, d});
  const Tensor k = project({0, 2, 3, 1}, {1, heads, d, tokens});
  const Tensor v = project({0, 2, 1, 3}, {1, heads, tokens, d});
  const double most = q.most() * k.most() * static_cast<double>(d);
  Tensor scores = m.Simple("MatMul", {q, k}, {1, heads, tokens, tokens}, -most, most);
  scores = Scaled(m, scores, 1 / std::sqrt(static_cast<double>(d)));
  m.Add("Softmax", {scores}).Int("axis", m.opset() >= 11 && m.random.Chance(60) ? -1 : 3);
  const Tensor weights = m.Result(Type::kFloat, scores.shape, 0, 1);
  Tensor y = m.Simple("MatMul", {weights, v}, {1, heads, tokens, d}, -v.most(), v.most());
  m.Add("Transpose", {y}).Ints("perm", {0, 2, 1, 3});
  y = m.Moved(y, {1, tokens, heads, d});
  m.Keep(m.Reshaped(y, x.shape));
}

/// Pad, then a window that does or does not take it in.
void PadAndWindow(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRank(4));
  const int64_t top = m.random.Pick(0, 2), left = m.random.Pick(0, 2), bottom = m.random.Pick(0, 2),
                right = m.random.Pick(0, 2);
  const double value = m.random.OneOf<double>({0, 0, 0, -100, 1});
  const std::vector<int64_t> pads{0, 0, top, left, 0, 0, bottom, right};
  if (m.opset() < 11) {
    m.Add("Pad", {x}).Ints("pads", pads).Float("value", static_cast<float>(value));
  } else {
    m.Add("Pad", {x, m.IntList(pads), m.Scalar(value)});
  }
  const Shape padded{x.shape[0], x.shape[1], x.shape[2] + top + bottom, x.shape[3] + left + right};
  const Tensor y = m.Result(Type::kFloat, padded, std::min(x.lo, value), std::max(x.hi, value));
  const int64_t kh = m.random.Pick(1, std::min<int64_t>(3, padded[2])),
                kw = m.random.Pick(1, std::min<int64_t>(3, padded[3]));
  Shape out{padded[0], padded[1], padded[2] - kh + 1, padded[3] - kw + 1};
  switch (m.random.Pick(0, 2)) {
    case 0: {
      const double most = y.most() * static_cast<double>(kh * kw) + 1;
      m.Add("Conv", {y, m.RandomFloats({padded[1], 1, kh, kw}, -1, 1)}).Int("group", padded[1]);
      return m.Keep(m.Result(Type::kFloat, out, -most, most));
    }
    case 1:
      m.Add("MaxPool", {y}).Ints("kernel_shape", {kh, kw});
      return m.Keep(m.Result(Type::kFloat, out, y.lo, y.hi));
    default: {
      NodeBuilder node = m.Add("AveragePool", {y});
      node.Ints("kernel_shape", {kh, kw});
      if (m.random.Chance(50)) node.Int("count_include_pad", 1);
      return m.Keep(m.Result(Type::kFloat, out, y.lo, y.hi));
    }
  }
}

/// Groups normalized as PyTorch exports GroupNorm: through InstanceNormalization of [N, groups, ...].
void GroupNorm(ModelMaker& m) {
  const int64_t groups = m.random.Pick(1, 3), per = m.random.Pick(1, 3), h = m.random.Pick(1, 5),
                w = m.random.Pick(2, 5);
  const Tensor x = m.Input({1, groups * per, h, w});
  m.Add("Reshape", {x, m.IntList({0, groups, -1})});
  const Tensor grouped = m.Moved(x, {1, groups, per * h * w});
  const double most = std::sqrt(static_cast<double>(per * h * w));
  const std::vector<double> ones(static_cast<size_t>(groups), 1), zeros(static_cast<size_t>(groups), 0);
  m.Add("InstanceNormalization", {grouped, m.Floats({groups}, ones), m.Floats({groups}, zeros)})
      .Float("epsilon", 1e-3F);
  const Tensor normal = m.Result(Type::kFloat, grouped.shape, -most, most);
  const Tensor shape = ShapeOf(m, x);
  m.Add("Reshape", {normal, shape});
  const Tensor y = m.Moved(normal, x.shape);
  m.Keep(
      Add(m, Mul(m, y, m.RandomFloats({groups * per, 1, 1}, -1.5, 1.5)), m.RandomFloats({groups * per, 1, 1}, -1, 1)));
}

// ---- shapes computed from shapes

/// One extent of x as exporters read it: Shape, Gather with a scalar; an Unsqueeze makes it a list.
Tensor Extent(ModelMaker& m, const Tensor& x, int64_t d, bool as_list) {
  const auto value = static_cast<double>(x.shape[static_cast<size_t>(d)]);
  if (m.opset() >= 15 && as_list && m.random.Chance(30)) {
    m.Add("Shape", {x}).Int("start", d).Int("end", d + 1);
    return m.Computed({1}, value);
  }
  const Tensor shape = ShapeOf(m, x);
  m.Add("Gather", {shape, m.Ints({}, {d})}).Int("axis", 0);
  const Tensor extent = m.Computed({}, value);
  if (!as_list) return extent;
  if (m.opset() < 13) {
    m.Add("Unsqueeze", {extent}).Ints("axes", {0});
  } else {
    m.Add("Unsqueeze", {extent, m.IntList({0})});
  }
  return m.Computed({1}, value);
}

/// x.view(x.size(0), -1)
void FlattenByShape(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(2);
  m.Add("Concat", {Extent(m, x, 0, true), m.IntList({-1})}).Int("axis", 0);
  const Tensor target = m.Computed({2}, 0);
  m.Add("Reshape", {x, target});
  m.Keep(m.Moved(x, {x.shape[0], Elements(x.shape) / x.shape[0]}));
}

/// Integer arithmetic between: the last two axes joined by their product.
void JoinByProduct(ModelMaker& m) {
  const Tensor x = m.OfRank(4);
  const Tensor h = Extent(m, x, 2, false), w = Extent(m, x, 3, false);
  m.Add("Mul", {h, w});
  const Tensor product = m.Computed({}, h.hi * w.hi);
  if (m.opset() < 13) {
    m.Add("Unsqueeze", {product}).Ints("axes", {0});
  } else {
    m.Add("Unsqueeze", {product, m.IntList({0})});
  }
  const Tensor list = m.Computed({1}, product.hi);
  m.Add("Concat", {m.IntList({0}), Extent(m, x, 1, true), list}).Int("axis", 0);
  const Tensor target = m.Computed({3}, 0);
  m.Add("Reshape", {x, target});
  m.Keep(m.Moved(x, {x.shape[0], x.shape[1], x.shape[2] * x.shape[3]}));
}

/// Sizes of a Resize: twice the plane by way of floats, as PyTorch's interpolate is exported.
void ResizeByShape(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.OfRank(4), 500);
  std::vector<Tensor> sizes;
  for (const int64_t d : {2, 3}) {
    const Tensor extent = Extent(m, x, d, true);
    m.Add("Cast", {extent}).Int("to", onnx::TensorProto::FLOAT);
    const Tensor real = m.Computed({1}, extent.hi);
    m.Add("Mul", {real, m.Scalar(2)});
    const Tensor twice = m.Computed({1}, 2 * extent.hi);
    m.Add("Floor", {twice});
    const Tensor whole = m.Computed({1}, twice.hi);
    m.Add("Cast", {whole}).Int("to", onnx::TensorProto::INT64);
    sizes.push_back(m.Computed({1}, twice.hi));
  }
  const Tensor shape = ShapeOf(m, x);
  if (m.opset() < 10) {
    m.Add("Slice", {shape}).Ints("starts", {0}).Ints("ends", {2});
  } else {
    m.Add("Slice", {shape, m.IntList({0}), m.IntList({2}), m.IntList({0})});
  }
  const Tensor front = m.Computed({2}, 0);
  m.Add("Concat", {front, sizes[0], sizes[1]}).Int("axis", 0);
  const Tensor target = m.Computed({4}, 0);
  const Tensor none = m.Floats({0}, {});
  m.Add("Resize", {x, none, none, target})
      .String("mode", "nearest")
      .String("coordinate_transformation_mode", "asymmetric")
      .String("nearest_mode", "floor");
  m.Keep(m.Moved(x, {x.shape[0], x.shape[1], 2 * x.shape[2], 2 * x.shape[3]}));
}

/// A constant of x's shape, made while compiling, added to x.
void ConstantOfShape(ModelMaker& m) {
  const Tensor x = m.Any();
  const Tensor shape = ShapeOf(m, x);
  const double value = m.random.OneOf<double>({0, 1, -0.5});
  NodeBuilder node = m.Add("ConstantOfShape", {shape});
  if (value != 0 || m.random.Chance(50)) node.Tensor("value", test::FloatTensor("", {1}, {static_cast<float>(value)}));
  const Tensor filled = m.Result(Type::kFloat, x.shape, value, value);
  m.Keep(Add(m, x, filled));
}

/// Positions 0 … n − 1 of an axis, as floats, added or multiplied.
void Positions(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(1));
  const auto last = static_cast<int64_t>(x.rank()) - 1;
  const Tensor n = Extent(m, x, last, false);
  m.Add("Range", {m.Ints({}, {0}), n, m.Ints({}, {1})});
  const Tensor places = m.Computed({x.shape.back()}, n.hi);
  m.Add("Cast", {places}).Int("to", onnx::TensorProto::FLOAT);
  const Tensor real = m.Result(Type::kFloat, {x.shape.back()}, 0, n.hi);
  const Tensor small = Scaled(m, real, 0.125);
  m.Keep(m.random.Chance(50) ? Add(m, x, small) : Mul(m, x, small));
}

/// The mean by hand: a sum over Size.
void MeanBySize(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(1));
  m.Add("Size", {x});
  const Tensor size = m.Computed({}, static_cast<double>(Elements(x.shape)));
  m.Add("Cast", {size}).Int("to", onnx::TensorProto::FLOAT);
  const Tensor count = m.Result(Type::kFloat, {}, size.hi, size.hi);
  m.Add("ReduceSum", {x}).Int("keepdims", 0);
  const Tensor sum = m.Result(Type::kFloat, {}, x.lo * size.hi, x.hi * size.hi);
  const Tensor mean = m.Simple("Div", {sum, count}, {}, x.lo, x.hi);
  m.Keep(Sub(m, x, mean));
}

/// PyTorch's expand: -1 stands for an axis that stays, which a Where replaces.
void ExpandByWhere(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.OfRankFrom(1), 300);
  const auto rank = static_cast<int64_t>(x.rank());
  Shape wanted(x.rank() + 1, -1), out = x.shape;
  wanted[0] = m.random.Pick(1, 3);
  out.insert(out.begin(), wanted[0]);
  const Tensor list = m.IntList(wanted);
  m.Add("ConstantOfShape", {m.IntList({rank + 1})}).Tensor("value", test::IntTensor("", {1}, {1}));
  const Tensor ones = m.Computed({rank + 1}, 1);
  m.Add("Mul", {ones, m.Ints({}, {-1})});
  const Tensor minus = m.Computed({rank + 1}, -1);
  m.Add("Equal", {list, minus});
  const Tensor stays = m.Result(Type::kBool, {rank + 1}, 0, 1, 0);
  m.Add("Where", {stays, ones, list});
  m.Add("Expand", {x, m.Computed({rank + 1}, 1)});
  m.Keep(m.Moved(x, out));
}

/// Constants of any type moved and computed with before they meet an activation.
void ConstantArithmetic(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(1);
  Shape shape{1, x.shape.back()};
  Tensor c = m.RandomFloats(shape, 0.5, 2);
  for (int64_t i = m.random.Pick(1, 3); i > 0; --i) {
    switch (m.random.Pick(0, 5)) {
      case 0:
        c = m.Simple("Sqrt", {c}, shape, std::sqrt(c.lo), std::sqrt(c.hi));
        break;
      case 1:
        c = m.Simple("Add", {c, m.Scalar(0.25)}, shape, c.lo + 0.25, c.hi + 0.25);
        break;
      case 2:
        c = m.Simple("Div", {m.Scalar(1), c}, shape, 1 / c.hi, 1 / c.lo);
        break;
      case 3:
        m.Add("Transpose", {c}).Ints("perm", {1, 0});
        c = m.Moved(c, {shape[1], 1});
        m.Add("Reshape", {c, m.IntList({1, -1})});
        c = m.Moved(c, shape);
        break;
      case 4:
        m.Add("Concat", {c, c}).Int("axis", 0);
        c = m.Moved(c, {2, shape[1]});
        m.Add("Gather", {c, m.IntList({1})}).Int("axis", 0);
        c = m.Moved(c, shape);
        break;
      default:
        c = m.Simple("Exp", {m.Simple("Neg", {c}, shape, -c.hi, -c.lo)}, shape, std::exp(-c.hi), std::exp(-c.lo));
    }
  }
  if (x.rank() == 1) {
    m.Add("Reshape", {c, m.IntList({-1})});
    c = m.Moved(c, {shape[1]});
  }
  m.Keep(m.random.Chance(50) ? Mul(m, x, c) : Add(m, x, c));
}

}  // namespace

std::vector<Recipe> PatternRecipes() {
  return {
      {"hard-swish", 7, kLast, HardSwish},
      {"hard-sigmoid", 7, kLast, HardSigmoid},
      {"SiLU", 7, kLast, Silu},
      {"GELU", 7, kLast, Gelu},
      {"Mish spelled", 7, kLast, Mish},
      {"leaky", 7, kLast, Leaky},
      {"scalar chain", 7, kLast, ScalarChain},
      {"layer norm", 7, kLast, LayerNorm},
      {"squeeze-excite", 7, kLast, SqueezeExcite},
      {"L2 norm", 7, kLast, L2Norm},
      {"shuffle", 7, kLast, Shuffle},
      {"focus", 10, kLast, Focus},
      {"attention", 7, kLast, Attention},
      {"pad and window", 7, kLast, PadAndWindow},
      {"group norm", 7, kLast, GroupNorm},
      {"flatten by shape", 7, kLast, FlattenByShape},
      {"join by product", 7, kLast, JoinByProduct},
      {"resize by shape", 11, kLast, ResizeByShape},
      {"ConstantOfShape", 9, kLast, ConstantOfShape},
      {"positions", 11, kLast, Positions},
      {"mean by Size", 7, kLast, MeanBySize},
      {"expand by Where", 9, kLast, ExpandByWhere},
      {"constant arithmetic", 7, kLast, ConstantArithmetic},
  };
}

}  // namespace xrun::float_graphs
