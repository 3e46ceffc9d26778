// Convolutions, pools, and what normalizes planes.

#include <algorithm>
#include <array>
#include <cmath>

#include "recipes.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

/// A random window of two axes that fits a plane, as attributes and as numbers.
struct Window {
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<int64_t, 4> pads{0, 0, 0, 0};
  std::string auto_pad;  ///< "" where pads are given
  bool has_stride = false, has_dilation = false, has_pads = false;

  int64_t Extent(size_t d) const { return (kernel[d] - 1) * dilation[d] + 1; }
};

bool IsSame(const Window& w) { return w.auto_pad.rfind("SAME", 0) == 0; }

Window RandomWindow(ModelMaker& m, const Shape& x, bool dilations) {
  Window w;
  w.has_stride = m.random.Chance(75);
  w.has_dilation = dilations && m.random.Chance(30);
  w.has_pads = m.random.Chance(60);
  for (size_t d = 0; d < 2; ++d) {
    w.kernel[d] = m.random.Pick(1, std::min<int64_t>(5, x[d + 2]));
    if (w.has_stride) w.stride[d] = m.random.Chance(40) ? 1 : m.random.Pick(1, 4);
    if (w.has_dilation) w.dilation[d] = m.random.Pick(1, 3);
    while (w.Extent(d) > x[d + 2]) w.dilation[d] > 1 ? --w.dilation[d] : --w.kernel[d];
    if (!w.has_pads) continue;
    w.pads[d] = m.random.Pick(0, std::min<int64_t>(2, w.kernel[d] - 1));
    w.pads[d + 2] = m.random.Pick(0, std::min<int64_t>(2, w.kernel[d] - 1));
  }
  if (!w.has_pads && m.random.Chance(50)) {
    // With dilation ONNX Runtime refuses SAME in convolutions, and in pools forgets the dilation.
    w.auto_pad = m.random.OneOf<std::string>({"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"});
    // Its pools also refuse strides beyond the kernel there: it finds negative pads.
    for (size_t d = 0; d < 2; ++d) {
      if (IsSame(w) && (w.dilation[d] > 1 || w.stride[d] > w.kernel[d])) w.auto_pad = "VALID";
    }
  }
  return w;
}

void Write(const Window& w, NodeBuilder* node) {
  node->Ints("kernel_shape", {w.kernel[0], w.kernel[1]});
  if (w.has_stride) node->Ints("strides", {w.stride[0], w.stride[1]});
  if (w.has_dilation) node->Ints("dilations", {w.dilation[0], w.dilation[1]});
  if (w.has_pads) node->Ints("pads", {w.pads.begin(), w.pads.end()});
  if (!w.auto_pad.empty()) node->String("auto_pad", w.auto_pad);
}

/// How many places a window has along an axis.
int64_t Places(const Window& w, size_t d, int64_t size, bool ceil_mode) {
  if (IsSame(w)) return (size + w.stride[d] - 1) / w.stride[d];
  const int64_t room = size + w.pads[d] + w.pads[d + 2] - w.Extent(d);
  if (!ceil_mode || room % w.stride[d] == 0) return room / w.stride[d] + 1;
  // The last window starts inside of the input or the padding before it.
  const int64_t start = (room / w.stride[d] + 1) * w.stride[d];
  return room / w.stride[d] + (start < size + w.pads[d] ? 2 : 1);
}

/// Weights whose products keep the size of what they multiply; `sum`: a bound of the sum of magnitudes of
/// the `terms` that meet in one result.
Tensor Weights(ModelMaker& m, const Shape& shape, int64_t terms, double* sum) {
  const double size = 1.7 / std::sqrt(static_cast<double>(terms));
  std::vector<double> values;
  for (int64_t i = 0; i < Elements(shape); ++i) values.push_back(m.random.Uniform(-size, size));
  *sum = size * static_cast<double>(terms);
  return m.Floats(shape, values);
}

int64_t Divisor(ModelMaker& m, int64_t of) {
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d <= of; ++d) {
    if (of % d == 0) divisors.push_back(d);
  }
  return m.random.OneOf(divisors);
}

/// Constant int8 weights behind DequantizeLinear, per tensor or per channel, as quantized-weight models have them.
Tensor Dequantized(ModelMaker& m, const Shape& shape, int64_t terms, double* sum) {
  const bool per_channel = m.opset() >= 13 && m.random.Chance(60);
  const Shape scales = per_channel ? Shape{shape[0]} : Shape{};
  const double most = 1.7 / std::sqrt(static_cast<double>(terms)) / 127;
  std::vector<int64_t> values;
  for (int64_t i = 0; i < Elements(shape); ++i) values.push_back(m.random.Pick(-127, 127));
  *sum = most * 127 * static_cast<double>(terms);
  const Tensor scale = m.RandomFloats(scales, most / 2, most);
  const Tensor zero = m.Bytes(scales, std::vector<int64_t>(static_cast<size_t>(Elements(scales)), 0), true);
  NodeBuilder node = m.Add("DequantizeLinear", {m.Bytes(shape, values, true), scale, zero});
  if (per_channel) node.Int("axis", 0);
  return m.Result(DType::kFloat32, shape, -1, 1);
}

Tensor Conv(ModelMaker& m, const Tensor& given) {
  // Products of large intermediate values would only be cut off again.
  const Tensor x = m.Tame(given);
  const Window w = RandomWindow(m, x.shape, /*dilations=*/true);
  const int64_t c = x.shape[1];
  const int64_t groups = m.random.Chance(50) ? 1 : m.random.Chance(40) ? c : Divisor(m, c);
  const int64_t outputs = groups * m.random.Pick(1, groups == c ? 2 : 5);
  const Shape shape{outputs, c / groups, w.kernel[0], w.kernel[1]};
  const int64_t terms = c / groups * w.kernel[0] * w.kernel[1];
  double sum = 0;
  const Tensor weights =
      m.opset() >= 10 && m.random.Chance(10) ? Dequantized(m, shape, terms, &sum) : Weights(m, shape, terms, &sum);
  std::vector<Tensor> inputs{x, weights};
  double most = sum * x.most();
  if (m.random.Chance(60)) {
    inputs.push_back(m.RandomFloats({outputs}, -1, 1));
    most += 1;
  }
  NodeBuilder node = m.Add("Conv", inputs);
  Write(w, &node);
  if (groups != 1 || m.random.Chance(30)) node.Int("group", groups);
  const Shape out{x.shape[0], outputs, Places(w, 0, x.shape[2], false), Places(w, 1, x.shape[3], false)};
  return m.Result(DType::kFloat32, out, -most, most);
}

void ConvTranspose(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.Tame(m.OfRank(4)), 300);
  const int64_t c = x.shape[1], groups = m.random.Chance(60) ? 1 : Divisor(m, c), per = m.random.Pick(1, 4);
  Window w;
  w.has_stride = m.random.Chance(75);
  w.has_dilation = m.random.Chance(25);
  std::array<int64_t, 2> more{0, 0}, out{0, 0};
  const bool has_more = w.has_stride && m.random.Chance(30);
  // 0 … 3: pads; 6: output_shape; 7: VALID; 8, 9: SAME, which ONNX Runtime reads before opset 11 as since then, though
  // the odd pad changed sides.
  const int64_t kind = m.random.Pick(0, m.opset() < 11 ? 5 : 9);
  for (size_t d = 0; d < 2; ++d) {
    w.kernel[d] = m.random.Pick(1, 4);
    if (w.has_stride) w.stride[d] = m.random.Pick(1, 3);
    if (w.has_dilation) w.dilation[d] = m.random.Pick(1, 3);
    if (has_more) more[d] = m.random.Pick(0, w.stride[d] - 1);
    const int64_t full = w.stride[d] * (x.shape[d + 2] - 1) + more[d] + w.Extent(d);
    out[d] = full;
    if (kind < 4) {
      w.has_pads = true;
      const int64_t most = std::min(w.Extent(d) - 1, full - 1);
      w.pads[d] = m.random.Pick(0, most);
      w.pads[d + 2] = std::min(m.random.Pick(0, w.Extent(d) - 1), full - 1 - w.pads[d]);
      out[d] -= w.pads[d] + w.pads[d + 2];
    } else if (kind == 6) {
      // ONNX's shape inference gives up on an output smaller than the input.
      out[d] = m.random.Pick(std::min(full, std::max(x.shape[d + 2], full - w.Extent(d))), full);
    }
  }
  if (kind == 7) w.auto_pad = "VALID";
  if (kind > 7) {
    w.auto_pad = kind == 8 ? "SAME_UPPER" : "SAME_LOWER";
    for (size_t d = 0; d < 2; ++d) {
      // As many as the strides say, which the kernel must be able to reach.
      while (w.Extent(d) < w.stride[d]) ++w.kernel[d];
      out[d] = x.shape[d + 2] * w.stride[d];
    }
  }
  const Shape shape{c, per, w.kernel[0], w.kernel[1]};
  double sum = 0;
  const int64_t terms = c / groups * w.kernel[0] * w.kernel[1];
  std::vector<Tensor> inputs{x, Weights(m, shape, terms, &sum)};
  double most = sum * x.most();
  if (m.random.Chance(60)) {
    inputs.push_back(m.RandomFloats({groups * per}, -1, 1));
    most += 1;
  }
  NodeBuilder node = m.Add("ConvTranspose", inputs);
  Write(w, &node);
  if (groups != 1 || m.random.Chance(30)) node.Int("group", groups);
  if (has_more) node.Ints("output_padding", {more[0], more[1]});
  if (kind == 6) node.Ints("output_shape", {out[0], out[1]});
  m.Keep(m.Result(DType::kFloat32, {x.shape[0], groups * per, out[0], out[1]}, -most, most));
}

void Pool(ModelMaker& m, bool average) {
  const Tensor x = m.OfRank(4);
  const Window w = RandomWindow(m, x.shape, m.opset() >= (average ? 19 : 10));
  const bool ceil_mode = m.opset() >= 10 && !IsSame(w) && w.auto_pad != "VALID" && m.random.Chance(40);
  NodeBuilder node = m.Add(average ? "AveragePool" : "MaxPool", {x});
  Write(w, &node);
  if (ceil_mode) node.Int("ceil_mode", 1);
  if (average && m.random.Chance(50)) node.Int("count_include_pad", m.random.Pick(0, 1));
  if (!average && m.opset() >= 8 && m.random.Chance(20)) node.Int("storage_order", 0);
  const Shape out{x.shape[0], x.shape[1], Places(w, 0, x.shape[2], ceil_mode), Places(w, 1, x.shape[3], ceil_mode)};
  // Padding counts as 0 in an average.
  const Tensor y = average ? m.Result(DType::kFloat32, out, std::min(0.0, x.lo), std::max(0.0, x.hi)) : m.Moved(x, out);
  bool fewer = false;
  for (size_t d = 0; ceil_mode && d < 2; ++d) {
    const int64_t room = x.shape[d + 2] + w.pads[d] + w.pads[d + 2] - w.Extent(d);
    fewer = fewer || out[d + 2] < (room + w.stride[d] - 1) / w.stride[d] + 1;
  }
  // ONNX's own shape inference counts a last window that is not there; ONNX Runtime trusts it in what follows.
  fewer ? m.KeepApart(y) : m.Keep(y);
}

void GlobalPool(ModelMaker& m, bool average) {
  const Tensor x = m.OfRank(4);
  m.Add(average ? "GlobalAveragePool" : "GlobalMaxPool", {x});
  const Shape out{x.shape[0], x.shape[1], 1, 1};
  m.Keep(average ? m.Result(DType::kFloat32, out, x.lo, x.hi) : m.Moved(x, out));
}

Tensor BatchNorm(ModelMaker& m, const Tensor& x) {
  const Shape c{x.shape[1]};
  NodeBuilder node = m.Add("BatchNormalization", {x, m.RandomFloats(c, -1.5, 1.5), m.RandomFloats(c, -1, 1),
                                                  m.RandomFloats(c, -1, 1), m.RandomFloats(c, 0.3, 2)});
  if (m.random.Chance(50)) node.Float("epsilon", m.random.OneOf<float>({1e-3F, 1e-5F, 1e-2F}));
  if (m.random.Chance(30)) node.Float("momentum", 0.9F);
  const double most = 1.5 * (x.most() + 1) / std::sqrt(0.3) + 1;
  return m.Result(DType::kFloat32, x.shape, -most, most);
}

/// What a small variance magnifies must not be rounding.
float Epsilon(ModelMaker& m, const Tensor& x) {
  return x.exact() ? m.random.OneOf<float>({1e-5F, 1e-3F, 1e-2F}) : m.random.OneOf<float>({1e-3F, 1e-2F, 0.1F});
}

void InstanceNorm(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(3));
  const Shape c{x.shape[1]};
  NodeBuilder node = m.Add("InstanceNormalization", {x, m.RandomFloats(c, -1.5, 1.5), m.RandomFloats(c, -1, 1)});
  node.Float("epsilon", Epsilon(m, x));
  const double most = 1.5 * std::sqrt(static_cast<double>(Elements(x.shape) / x.shape[0] / x.shape[1])) + 1;
  m.Keep(m.Result(DType::kFloat32, x.shape, -most, most));
}

void GroupNorm(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(3));
  const int64_t groups = Divisor(m, x.shape[1]), parameters = m.opset() >= 21 ? x.shape[1] : groups;
  NodeBuilder node =
      m.Add("GroupNormalization", {x, m.RandomFloats({parameters}, -1.5, 1.5), m.RandomFloats({parameters}, -1, 1)});
  node.Int("num_groups", groups).Float("epsilon", Epsilon(m, x));
  if (m.opset() >= 21 && m.random.Chance(30)) node.Int("stash_type", 1);
  const double most = 1.5 * std::sqrt(static_cast<double>(Elements(x.shape) / x.shape[0] / groups)) + 1;
  m.Keep(m.Result(DType::kFloat32, x.shape, -most, most));
}

void Lrn(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRank(4));
  NodeBuilder node = m.Add("LRN", {x});
  node.Int("size", m.random.OneOf<int64_t>({1, 3, 5}));
  if (m.random.Chance(60)) node.Float("alpha", m.random.OneOf<float>({1e-3F, 0.1F, 1.0F}));
  if (m.random.Chance(60)) node.Float("beta", m.random.OneOf<float>({0.5F, 1.0F, 0.75F}));
  if (m.random.Chance(60)) node.Float("bias", m.random.OneOf<float>({1.0F, 2.0F}));
  m.Keep(m.Result(DType::kFloat32, x.shape, x.lo, x.hi));
}

/// A convolution and what follows it in trained networks; each step may be left out.
void ConvBlock(ModelMaker& m) {
  Tensor y = Conv(m, m.OfRank(4));
  const Shape column{y.shape[1], 1, 1};
  if (m.random.Chance(30))
    y = m.Simple("Mul", {y, m.RandomFloats(column, -1.5, 1.5)}, y.shape, -1.5 * y.most(), 1.5 * y.most());
  if (m.random.Chance(60)) y = BatchNorm(m, y);
  if (m.random.Chance(30)) {
    const bool sub = m.random.Chance(30);
    const Tensor shift = m.RandomFloats(m.random.Chance(50) ? column : Shape{1, y.shape[1], 1, 1}, -1, 1);
    y = m.Simple(sub ? "Sub" : "Add", {y, shift}, y.shape, -y.most() - 1, y.most() + 1);
  }
  const int64_t activation = m.random.Pick(0, 5);
  if (activation == 0) y = m.Simple("Relu", {y}, y.shape, 0, y.most());
  if (activation == 1) y = m.Within(y, 0, 6);
  if (activation == 2) {
    m.Add("LeakyRelu", {y}).Float("alpha", 0.1F);
    y = m.Result(DType::kFloat32, y.shape, y.lo, y.hi);
  }
  m.Keep(y);
}

}  // namespace

std::vector<Recipe> WindowRecipes() {
  return {
      {"Conv", 7, kLast, [](ModelMaker& m) { m.Keep(Conv(m, m.OfRank(4))); }},
      {"Conv block", 7, kLast, ConvBlock},
      {"ConvTranspose", 7, kLast, ConvTranspose},
      {"MaxPool", 7, kLast, [](ModelMaker& m) { Pool(m, false); }},
      {"AveragePool", 7, kLast, [](ModelMaker& m) { Pool(m, true); }},
      {"GlobalMaxPool", 7, kLast, [](ModelMaker& m) { GlobalPool(m, false); }},
      {"GlobalAveragePool", 7, kLast, [](ModelMaker& m) { GlobalPool(m, true); }},
      {"BatchNormalization", 7, kLast, [](ModelMaker& m) { m.Keep(BatchNorm(m, m.OfRankFrom(2))); }},
      {"InstanceNormalization", 7, kLast, InstanceNorm},
      {"GroupNormalization", 18, kLast, GroupNorm},
      {"LRN", 7, kLast, Lrn},
  };
}

}  // namespace xrun::float_graphs
