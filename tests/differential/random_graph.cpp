#include "random_graph.h"

#include <cmath>

namespace xrun::testing {

using compiler::Graph;
using compiler::kNone;
using compiler::Node;
using compiler::QuantParams;
using compiler::Shape;
using compiler::Value;
using compiler::ValueId;

namespace {

int64_t OutSize(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after) {
  return (in + before + after - (kernel - 1) * dilation - 1) / stride + 1;
}

float ScaleOf(const Value& v) { return v.quant->scale[0]; }

}  // namespace

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

GraphMaker::Window GraphMaker::RandomWindow(int64_t height, int64_t width, int64_t most_kernel, int64_t most_stride,
                                            int64_t most_dilation) {
  for (;;) {
    Window w;
    w.kernel_h = Pick(1, most_kernel);
    w.kernel_w = Chance(60) ? w.kernel_h : Pick(1, most_kernel);
    w.stride_h = Pick(1, most_stride);
    w.stride_w = Chance(70) ? w.stride_h : Pick(1, most_stride);
    w.dilation_h = Chance(75) ? 1 : Pick(1, most_dilation);
    w.dilation_w = Chance(80) ? w.dilation_h : Pick(1, most_dilation);
    // Padding below the kernel's size, as ONNX's pooling asks.
    w.top = Pick(0, w.kernel_h - 1);
    w.left = Pick(0, w.kernel_w - 1);
    w.bottom = Chance(60) ? w.top : Pick(0, w.kernel_h - 1);
    w.right = Chance(60) ? w.left : Pick(0, w.kernel_w - 1);
    if ((w.kernel_h - 1) * w.dilation_h + 1 <= height + w.top + w.bottom &&
        (w.kernel_w - 1) * w.dilation_w + 1 <= width + w.left + w.right) {
      return w;
    }
  }
}

ValueId GraphMaker::Weights(const Shape& shape, size_t axis, bool zero_points) {
  const bool per_channel = Chance(70);
  QuantParams quant;
  quant.axis = per_channel ? static_cast<int>(axis) : -1;
  const float base = Jitter(0.01F);
  for (int64_t c = 0; c < (per_channel ? shape[axis] : 1); ++c) {
    quant.scale.push_back(per_channel ? Jitter(base) : base);
    quant.zero_point.push_back(zero_points ? static_cast<int32_t>(Pick(-20, 20)) : 0);
  }
  std::vector<int8_t> weights(static_cast<size_t>(compiler::Elements(shape)));
  for (int8_t& q : weights) q = static_cast<int8_t>(Pick(-128, 127));
  const ValueId id = graph.AddConstant("w" + std::to_string(counter_++), DType::kInt8, shape, weights.data());
  graph.at(id).quant = quant;
  return id;
}

ValueId GraphMaker::Bias(int64_t channels, ValueId weights, float input_scale) {
  std::vector<int32_t> bias(static_cast<size_t>(channels));
  for (int32_t& b : bias) b = static_cast<int32_t>(Pick(-4000, 4000));
  const ValueId id = graph.AddConstant("b" + std::to_string(counter_++), DType::kInt32, {channels}, bias.data());
  const std::vector<float>& scales = graph.at(weights).quant->scale;
  QuantParams quant;
  quant.axis = scales.size() == 1 ? -1 : 0;
  const size_t count = scales.size() == 1 ? 1 : static_cast<size_t>(channels);
  for (size_t c = 0; c < count; ++c) quant.scale.push_back(scales[c % scales.size()] * input_scale);
  quant.zero_point.assign(count, 0);
  graph.at(id).quant = quant;
  return id;
}

namespace {

ConvAttrs AttrsOf(const GraphMaker::Window& w, int64_t groups) {
  ConvAttrs attrs;
  attrs.kernel = {w.kernel_h, w.kernel_w};
  attrs.stride = {w.stride_h, w.stride_w};
  attrs.dilation = {w.dilation_h, w.dilation_w};
  attrs.pads = {w.top, w.left, w.bottom, w.right};
  attrs.groups = groups;
  return attrs;
}

}  // namespace

ValueId GraphMaker::Conv(ValueId x, int64_t out_channels, int64_t groups, const Window& w) {
  const Shape in = graph.at(x).shape;
  const int64_t ic = in[1] / groups;
  const ValueId weights = Weights({out_channels, ic, w.kernel_h, w.kernel_w}, 0, Chance(25));
  const float sx = ScaleOf(graph.at(x)), sw = graph.at(weights).quant->scale[0];
  std::vector<ValueId> inputs{x, weights};
  if (Chance(80)) inputs.push_back(Bias(out_channels, weights, sx));
  const Shape out{1, out_channels, OutSize(in[2], w.kernel_h, w.stride_h, w.dilation_h, w.top, w.bottom),
                  OutSize(in[3], w.kernel_w, w.stride_w, w.dilation_w, w.left, w.right)};
  const auto k = static_cast<float>(ic * w.kernel_h * w.kernel_w);
  return AddNode(Op::kConv, AttrsOf(w, groups), std::move(inputs), out, Jitter(sx * sw * std::sqrt(k) * 100), true);
}

ValueId GraphMaker::ConvTranspose(ValueId x, int64_t out_channels, int64_t groups, const Window& w) {
  const Shape in = graph.at(x).shape;
  const int64_t ic = in[1] / groups;
  const ValueId weights = Weights({in[1], out_channels / groups, w.kernel_h, w.kernel_w}, 1, Chance(25));
  const float sx = ScaleOf(graph.at(x)), sw = graph.at(weights).quant->scale[0];
  std::vector<ValueId> inputs{x, weights};
  if (Chance(80)) inputs.push_back(Bias(out_channels, weights, sx));
  ConvAttrs attrs = AttrsOf(w, groups);
  attrs.output_padding = {Pick(0, std::max(w.stride_h, w.dilation_h) - 1),
                          Pick(0, std::max(w.stride_w, w.dilation_w) - 1)};
  // Never crop away everything.
  const auto size = [&](size_t d) {
    int64_t& before = attrs.pads[d];
    int64_t& after = attrs.pads[d + 2];
    for (;;) {
      const int64_t n = attrs.stride[d] * (in[d + 2] - 1) + attrs.output_padding[d] +
                        (attrs.kernel[d] - 1) * attrs.dilation[d] + 1 - before - after;
      if (n >= 1) return n;
      (before > after ? before : after) -= 1;
    }
  };
  const Shape out{1, out_channels, size(0), size(1)};
  const auto k = static_cast<float>(ic * std::max<int64_t>(1, w.kernel_h / w.stride_h) *
                                    std::max<int64_t>(1, w.kernel_w / w.stride_w));
  return AddNode(Op::kConvTranspose, attrs, std::move(inputs), out, Jitter(sx * sw * std::sqrt(k) * 100), true);
}

ValueId GraphMaker::FullyConnected(ValueId x, int64_t out_features) {
  Shape out = graph.at(x).shape;
  const int64_t k = out.back();
  out.back() = out_features;
  std::vector<int8_t> weights(static_cast<size_t>(out_features * k));
  for (int8_t& q : weights) q = static_cast<int8_t>(Pick(-127, 127));
  const float sw = Jitter(0.01F), sx = ScaleOf(graph.at(x));
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
  const float scale = Jitter(ScaleOf(graph.at(a)) * ScaleOf(graph.at(b)) * std::sqrt(k) * 100);
  return AddNode(Op::kMatMul, MatMulAttrs{}, {a, b}, out, scale, true);
}

ValueId GraphMaker::Reshape(ValueId x, const Shape& shape) { return Moved(Op::kReshape, NoAttrs{}, {x}, shape); }

ValueId GraphMaker::Transpose(ValueId x, const std::vector<int64_t>& perm) {
  Shape shape;
  for (const int64_t p : perm) shape.push_back(graph.at(x).shape[static_cast<size_t>(p)]);
  return Moved(Op::kTranspose, TransposeAttrs{perm}, {x}, shape);
}

ValueId GraphMaker::SliceAxis(ValueId x, size_t axis, int64_t begin, int64_t end) {
  Shape shape = graph.at(x).shape;
  SliceAttrs attrs{Shape(shape.size(), 0), shape, Shape(shape.size(), 1)};
  attrs.begin[axis] = begin;
  attrs.end[axis] = end;
  shape[axis] = end - begin;
  return Moved(Op::kSlice, attrs, {x}, shape);
}

ValueId GraphMaker::Pool(ValueId x, bool average, bool count_include_pad, const Window& w) {
  const Shape in = graph.at(x).shape;
  PoolAttrs attrs;
  attrs.kernel = {w.kernel_h, w.kernel_w};
  attrs.stride = {w.stride_h, w.stride_w};
  // A dilated window could lie wholly in the padding, which the graph forbids.
  const bool dilated = !average && w.top + w.left + w.bottom + w.right == 0;
  if (dilated) attrs.dilation = {w.dilation_h, w.dilation_w};
  attrs.pads = {w.top, w.left, w.bottom, w.right};
  attrs.count_include_pad = average && count_include_pad;
  const Shape out{1, in[1], OutSize(in[2], w.kernel_h, w.stride_h, attrs.dilation[0], w.top, w.bottom),
                  OutSize(in[3], w.kernel_w, w.stride_w, attrs.dilation[1], w.left, w.right)};
  const float sx = ScaleOf(graph.at(x));
  const ValueId y =
      AddNode(average ? Op::kAveragePool : Op::kMaxPool, attrs, {x}, out, Jitter(sx * (average ? 0.6F : 1.0F)), true);
  if (!average && Chance(70)) graph.at(y).quant = graph.at(x).quant;  // the usual case: a plain maximum
  return y;
}

ValueId GraphMaker::Add(ValueId a, ValueId b) {
  return AddNode(Op::kAdd, NoAttrs{}, {a, b}, graph.at(a).shape, Jitter(ScaleOf(graph.at(a)) + ScaleOf(graph.at(b))),
                 true);
}

ValueId GraphMaker::Sub(ValueId a, ValueId b) {
  return AddNode(Op::kSub, NoAttrs{}, {a, b}, graph.at(a).shape, Jitter(ScaleOf(graph.at(a)) + ScaleOf(graph.at(b))),
                 true);
}

ValueId GraphMaker::Mul(ValueId a, ValueId b) {
  return AddNode(Op::kMul, NoAttrs{}, {a, b}, graph.at(a).shape,
                 Jitter(ScaleOf(graph.at(a)) * ScaleOf(graph.at(b)) * 60), true);
}

ValueId GraphMaker::Unary(ValueId x) {
  const float sx = ScaleOf(graph.at(x));
  UnaryFunction f;
  float scale = sx;
  switch (Pick(0, 25)) {
    case 0:
      f = {UnaryKind::kHardSwish, 0, 0};
      break;
    case 1:
      f = {UnaryKind::kSigmoid, 0, 0};
      scale = 1.0F / 256;
      break;
    case 2:
      f = {UnaryKind::kSilu, 0, 0};
      break;
    case 3:
      f = {UnaryKind::kHardSigmoid, 0.2F, 0.5F};
      scale = 1.0F / 255;
      break;
    case 4:
      f = {UnaryKind::kTanh, 0, 0};
      scale = 1.0F / 128;
      break;
    case 5:
      f = {UnaryKind::kElu, 0.7F, 0};
      break;
    case 6:
      f = {UnaryKind::kSoftplus, 0, 0};
      break;
    case 7:
      f = {UnaryKind::kGelu, 0, 0};
      break;
    case 8:
      f = {UnaryKind::kMish, 0, 0};
      break;
    case 9:
      f = {UnaryKind::kNeg, 0, 0};
      break;
    case 10:
      f = {UnaryKind::kAbs, 0, 0};
      break;
    case 11:
      f = {UnaryKind::kErf, 0, 0};
      scale = 1.0F / 128;
      break;
    case 12:
      return AddNode(Op::kUnary, UnaryAttrs{RandomChain()}, {x}, graph.at(x).shape, Jitter(sx), false);
    case 13:
      f = {UnaryKind::kCeil, 0, 0};
      break;
    case 14:
      f = {UnaryKind::kFloor, 0, 0};
      break;
    case 15:
      f = {UnaryKind::kRound, 0, 0};
      break;
    case 16:
      f = {UnaryKind::kCelu, 0.5F, 0};
      break;
    case 17:
      f = {UnaryKind::kSelu, 1.5F, 1.125F};
      break;
    case 18:
      f = {UnaryKind::kThresholdedRelu, 0.25F, 0};
      break;
    case 19:
      f = {UnaryKind::kSign, 0, 0};
      scale = 1.0F / 128;
      break;
    case 20:
      f = {UnaryKind::kSin, 0, 0};
      scale = 1.0F / 128;
      break;
    case 21:
      f = {UnaryKind::kCos, 0, 0};
      scale = 1.0F / 128;
      break;
    case 22:
      f = {UnaryKind::kSoftsign, 0, 0};
      scale = 1.0F / 128;
      break;
    default:
      f = {UnaryKind::kLeakyRelu, static_cast<double>(Chance(50) ? 0.1F : Jitter(0.2F)), 0};
  }
  return AddNode(Op::kUnary, UnaryAttrs{{f}}, {x}, graph.at(x).shape, Jitter(scale), false);
}

ValueId GraphMaker::PRelu(ValueId x) {
  const Shape shape = graph.at(x).shape;
  std::vector<float> slopes(static_cast<size_t>(shape[1]));
  for (float& slope : slopes) slope = Chance(10) ? 0.0F : Jitter(0.3F);
  const ValueId constant =
      graph.AddConstant(graph.UniqueName("slopes"), DType::kFloat32, {shape[1], 1, 1}, slopes.data());
  return AddNode(Op::kPRelu, NoAttrs{}, {x, constant}, shape, Jitter(ScaleOf(graph.at(x))), true);
}

std::vector<UnaryFunction> GraphMaker::RandomChain() {
  const auto number = [&](float scale) { return static_cast<double>(Jitter(scale)); };
  std::vector<UnaryFunction> chain;
  for (int64_t n = Pick(2, 4); n > 0; --n) {
    switch (Pick(0, 7)) {
      case 0:
        chain.push_back({UnaryKind::kAffine, Chance(50) ? number(0.9F) : -number(1.1F), number(0.3F)});
        break;
      case 1:
        chain.push_back({UnaryKind::kLeakyRelu, number(0.2F), 0});
        break;
      case 2:
        chain.push_back({UnaryKind::kAbs, 0, 0});
        chain.push_back({UnaryKind::kSqrt, 0, 0});
        break;
      case 3:
        chain.push_back({UnaryKind::kPowConst, static_cast<double>(Pick(2, 3)), 0});
        break;
      case 4:
        chain.push_back({UnaryKind::kClip, -number(0.8F), number(1.1F)});
        break;
      case 5:
        chain.push_back({UnaryKind::kAbs, 0, 0});
        chain.push_back({UnaryKind::kAffine, 1, number(0.5F)});
        chain.push_back({Chance(50) ? UnaryKind::kReciprocal : UnaryKind::kLog, 0, 0});
        break;
      case 6:
        chain.push_back({UnaryKind::kExp, 0, 0});
        break;
      default:
        chain.push_back({Chance(50) ? UnaryKind::kSilu : UnaryKind::kHardSwish, 0, 0});
    }
  }
  return chain;
}

ValueId GraphMaker::Flatten(ValueId x) {
  const Value in = graph.at(x);
  int64_t n = 1;
  for (int64_t d : in.shape) n *= d;
  const ValueId y = AddNode(Op::kReshape, NoAttrs{}, {x}, {1, n}, ScaleOf(in), false);
  graph.at(y).quant = in.quant;
  return y;
}

ValueId GraphMaker::Concat(const std::vector<ValueId>& inputs, int64_t axis) {
  Shape shape = graph.at(inputs[0]).shape;
  float scale = 0;
  shape[static_cast<size_t>(axis)] = 0;
  for (const ValueId in : inputs) {
    shape[static_cast<size_t>(axis)] += graph.at(in).shape[static_cast<size_t>(axis)];
    scale = std::max(scale, ScaleOf(graph.at(in)));
  }
  const ValueId y = AddNode(Op::kConcat, AxisAttrs{axis}, inputs, shape, Jitter(scale), false);
  if (Chance(60) && ScaleOf(graph.at(inputs[0])) * 100 > scale) {  // one set of parameters, as quantizers like it
    for (const ValueId in : inputs) {
      if (graph.at(in).quant == graph.at(inputs[0]).quant) graph.at(y).quant = graph.at(in).quant;
    }
  }
  return y;
}

ValueId GraphMaker::Slice(ValueId x) {
  const Value in = graph.at(x);
  SliceAttrs attrs;
  Shape shape{1};
  attrs.begin = {0};
  attrs.end = {1};
  attrs.step = {1};
  for (size_t a = 1; a < in.shape.size(); ++a) {
    const int64_t n = in.shape[a];
    const int64_t begin = Chance(50) ? 0 : Pick(0, n - 1);
    const int64_t end = Chance(40) ? n : Pick(begin + 1, n);
    const int64_t step = Chance(75) ? 1 : Pick(1, 3);
    attrs.begin.push_back(begin);
    attrs.end.push_back(end);
    attrs.step.push_back(step);
    shape.push_back((end - begin + step - 1) / step);
  }
  const ValueId y = AddNode(Op::kSlice, attrs, {x}, shape, ScaleOf(in), false);
  graph.at(y).quant = in.quant;
  return y;
}

ValueId GraphMaker::Pad(ValueId x) {
  const Value in = graph.at(x);
  PadAttrs attrs;
  attrs.before = {0, Chance(80) ? 0 : Pick(0, 5), Pick(0, 2), Pick(0, 3)};
  attrs.after = {0, Chance(80) ? 0 : Pick(0, 20), Pick(0, 3), Pick(0, 2)};
  Shape shape = in.shape;
  for (size_t a = 0; a < 4; ++a) shape[a] += attrs.before[a] + attrs.after[a];
  const ValueId y = AddNode(Op::kPad, attrs, {x}, shape, ScaleOf(in), false);
  graph.at(y).quant = in.quant;
  return y;
}

ValueId GraphMaker::ChannelShuffle(ValueId x, int64_t groups) {
  const Shape s = graph.at(x).shape;
  const int64_t per = s[1] / groups;
  const ValueId split = Moved(Op::kReshape, NoAttrs{}, {x}, {1, groups, per, s[2], s[3]});
  const ValueId turned = Moved(Op::kTranspose, TransposeAttrs{{0, 2, 1, 3, 4}}, {split}, {1, per, groups, s[2], s[3]});
  return Moved(Op::kReshape, NoAttrs{}, {turned}, s);
}

ValueId GraphMaker::Requantize(ValueId x) {
  return AddNode(Op::kUnary, UnaryAttrs{}, {x}, graph.at(x).shape, Jitter(ScaleOf(graph.at(x))), false);
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
