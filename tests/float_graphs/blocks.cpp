// Parts of networks that exporters spell out: normalization, squeeze-excite, attention, shuffles.

#include <algorithm>
#include <cmath>

#include "recipes.h"
#include "spelling.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

Tensor Mean(ModelMaker& m, const Tensor& x, int64_t axis, bool negative) {
  Shape shape = x.shape;
  shape[static_cast<size_t>(axis)] = 1;
  const int64_t written = negative && m.opset() >= 11 ? axis - static_cast<int64_t>(x.rank()) : axis;
  if (m.opset() < 18) {
    m.Add("ReduceMean", {x}).Ints("axes", {written});
  } else {
    m.Add("ReduceMean", {x, m.IntList({written})});
  }
  return m.Result(DType::kFloat32, shape, x.lo, x.hi);
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
    y = m.Result(DType::kFloat32, {n, c, 1, 1}, x.lo, x.hi);
  }
  const auto layer = [&](const Tensor& in, int64_t from, int64_t to) {
    const double size = 1.5 / std::sqrt(static_cast<double>(from)),
                 most = in.most() * size * static_cast<double>(from) + 1;
    if (gemm) {
      m.Add("Gemm", {in, m.RandomFloats({to, from}, -size, size), m.RandomFloats({to}, -1, 1)}).Int("transB", 1);
      return m.Result(DType::kFloat32, {n, to}, -most, most);
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
    y = m.Result(DType::kFloat32, y.shape, 0, 1);
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
  Tensor length = m.Result(DType::kFloat32, shape, 0, most);
  const double least = 0.05;
  if (m.opset() < 11) {
    m.Add("Clip", {length}).Float("min", static_cast<float>(least));
  } else {
    m.Add("Clip", {length, m.Scalar(least)});
  }
  length = m.Result(DType::kFloat32, shape, least, std::max(least, most));
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
  const Tensor weights = m.Result(DType::kFloat32, scores.shape, 0, 1);
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
  const Tensor y = m.Result(DType::kFloat32, padded, std::min(x.lo, value), std::max(x.hi, value));
  const int64_t kh = m.random.Pick(1, std::min<int64_t>(3, padded[2])),
                kw = m.random.Pick(1, std::min<int64_t>(3, padded[3]));
  Shape out{padded[0], padded[1], padded[2] - kh + 1, padded[3] - kw + 1};
  switch (m.random.Pick(0, 2)) {
    case 0: {
      const double most = y.most() * static_cast<double>(kh * kw) + 1;
      m.Add("Conv", {y, m.RandomFloats({padded[1], 1, kh, kw}, -1, 1)}).Int("group", padded[1]);
      return m.Keep(m.Result(DType::kFloat32, out, -most, most));
    }
    case 1:
      m.Add("MaxPool", {y}).Ints("kernel_shape", {kh, kw});
      return m.Keep(m.Result(DType::kFloat32, out, y.lo, y.hi));
    default: {
      NodeBuilder node = m.Add("AveragePool", {y});
      node.Ints("kernel_shape", {kh, kw});
      if (m.random.Chance(50)) node.Int("count_include_pad", 1);
      return m.Keep(m.Result(DType::kFloat32, out, y.lo, y.hi));
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
  const Tensor normal = m.Result(DType::kFloat32, grouped.shape, -most, most);
  const Tensor shape = ShapeOf(m, x);
  m.Add("Reshape", {normal, shape});
  const Tensor y = m.Moved(normal, x.shape);
  m.Keep(
      Add(m, Mul(m, y, m.RandomFloats({groups * per, 1, 1}, -1.5, 1.5)), m.RandomFloats({groups * per, 1, 1}, -1, 1)));
}

}  // namespace

std::vector<Recipe> BlockRecipes() {
  return {
      {"layer norm", 7, kLast, LayerNorm},
      {"squeeze-excite", 7, kLast, SqueezeExcite},
      {"L2 norm", 7, kLast, L2Norm},
      {"shuffle", 7, kLast, Shuffle},
      {"focus", 10, kLast, Focus},
      {"attention", 7, kLast, Attention},
      {"pad and window", 7, kLast, PadAndWindow},
      {"group norm", 7, kLast, GroupNorm},
  };
}

}  // namespace xrun::float_graphs
