#include "net.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace xrun::structures {
namespace {

constexpr double kLeastScale = 0.5, kMostScale = 2;  // of channels: a factor of 4
constexpr double kMostShift = 0.5;

int64_t Count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

void Describe(onnx::ValueInfoProto* info, const Tensor& x) {
  info->set_name(x.name);
  auto* type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (const int64_t extent : x.shape) type->mutable_shape()->add_dim()->set_dim_value(extent);
}

double MeanSquareScale() {
  return (kMostScale * kMostScale - kLeastScale * kLeastScale) / (2 * std::log(kMostScale / kLeastScale));
}

/// Mean and variance of f over a variable that is normal in each channel, channels differing in scale as drawn.
std::pair<double, double> Moments(double mean, double variance, const std::function<double(double)>& f) {
  constexpr int kScales = 8;
  double sum = 0, square = 0, weight = 0;
  for (int i = 0; i < kScales; ++i) {
    const double scale = kLeastScale * std::pow(kMostScale / kLeastScale, (i + 0.5) / kScales);
    const double deviation = scale * std::sqrt(variance / MeanSquareScale());
    for (double z = -4; z <= 4; z += 0.1) {
      const double p = std::exp(-z * z / 2);
      const double y = f(mean + z * deviation);
      sum += p * y;
      square += p * y * y;
      weight += p;
    }
  }
  const double average = sum / weight;
  return {average, std::max(square / weight - average * average, 1e-6)};
}

}  // namespace

uint64_t Random::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

double Random::Uniform(double lo, double hi) { return lo + (hi - lo) * static_cast<double>(Next() >> 11) * 0x1p-53; }

float Random::Normal() {
  const uint64_t bits = Next();
  const auto sum = static_cast<int64_t>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
  return static_cast<float>(sum - 131070) * 2.6429e-5F;  // sqrt(3) / 2^16: each part has variance 2^32 / 12
}

/// Chains attributes onto a node.
class Net::NodeBuilder {
 public:
  NodeBuilder(onnx::NodeProto* node) : node_(node) {}
  NodeBuilder& Int(const std::string& name, int64_t value) {
    Add(name, onnx::AttributeProto::INT)->set_i(value);
    return *this;
  }
  NodeBuilder& Float(const std::string& name, double value) {
    Add(name, onnx::AttributeProto::FLOAT)->set_f(static_cast<float>(value));
    return *this;
  }
  NodeBuilder& Ints(const std::string& name, const std::vector<int64_t>& values) {
    auto* attribute = Add(name, onnx::AttributeProto::INTS);
    for (const int64_t value : values) attribute->add_ints(value);
    return *this;
  }
  NodeBuilder& String(const std::string& name, const std::string& value) {
    Add(name, onnx::AttributeProto::STRING)->set_s(value);
    return *this;
  }
  onnx::NodeProto& proto() const { return *node_; }

 private:
  onnx::AttributeProto* Add(const std::string& name, onnx::AttributeProto::AttributeType type) {
    auto* attribute = node_->add_attribute();
    attribute->set_name(name);
    attribute->set_type(type);
    return attribute;
  }
  onnx::NodeProto* node_;
};

/// Weights of `rows` outputs, and what follows the sum: a bias or a BatchNorm.
struct Net::Rows {
  Norm norm = Norm::kBias;
  std::vector<float> weights;
  std::vector<float> scale, shift, mean, variance;  ///< of a BatchNorm; `shift` alone is the bias
  double out_mean = 0, out_variance = 1;
};

Net::Net(const std::string& name, const Exporter& exporter, uint64_t seed)
    : exporter_(exporter), random_(seed), graph_(*model_.mutable_graph()) {
  model_.set_ir_version(exporter.opset <= 9 ? 4 : exporter.opset <= 12 ? 6 : 8);
  model_.set_producer_name("make_structure");
  model_.add_opset_import()->set_version(exporter.opset);
  graph_.set_name(name);
}

Net::NodeBuilder Net::Node(const std::string& op, const std::vector<std::string>& inputs) {
  auto* node = graph_.add_node();
  node->set_op_type(op);
  node->set_name(op + "_" + std::to_string(count_++));
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(node->name() + exporter_.tensor_suffix);
  return {node};
}

Tensor Net::Result(const NodeBuilder& node, const Shape& shape, double mean, double variance) const {
  return {node.proto().output(0), shape, mean, variance};
}

Tensor Net::Moved(const NodeBuilder& node, const Tensor& x, const Shape& shape) const {
  return Result(node, shape, x.mean, x.variance);
}

std::string Net::Initializer(const std::string& role, const Shape& shape, const std::vector<float>& values) {
  auto* tensor = graph_.add_initializer();
  tensor->set_name(role + "_" + std::to_string(count_) + "_" + std::to_string(graph_.initializer_size()));
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t extent : shape) tensor->add_dims(extent);
  tensor->set_raw_data(values.data(), values.size() * sizeof(float));
  return tensor->name();
}

std::string Net::Integers(const std::string& role, const std::vector<int64_t>& values, bool scalar) {
  auto* tensor = graph_.add_initializer();
  tensor->set_name(role + "_" + std::to_string(count_) + "_" + std::to_string(graph_.initializer_size()));
  tensor->set_data_type(onnx::TensorProto::INT64);
  if (!scalar) tensor->add_dims(static_cast<int64_t>(values.size()));
  tensor->set_raw_data(values.data(), values.size() * sizeof(int64_t));
  return tensor->name();
}

Tensor Net::Input(const std::string& name, const Shape& shape, double lo, double hi) {
  const double deviation = (hi - lo) / 4;
  Tensor x{name, shape, (lo + hi) / 2, deviation * deviation};
  Describe(graph_.add_input(), x);
  return x;
}

void Net::Output(const Tensor& x, const std::string& name) {
  for (auto& node : *graph_.mutable_node()) {
    for (auto& output : *node.mutable_output()) {
      if (output == x.name) output = name;
    }
    for (auto& input : *node.mutable_input()) {
      if (input == x.name) input = name;
    }
  }
  Tensor renamed = x;
  renamed.name = name;
  Describe(graph_.add_output(), renamed);
}

onnx::ModelProto Net::Take() { return std::move(model_); }

/// Each row's sum has a known mean and variance, given the input's: what follows brings it to a drawn scale and shift.
Net::Rows Net::DrawRows(const Tensor& x, int64_t rows, int64_t length, Norm norm, double gain) {
  Rows r;
  r.norm = norm;
  r.weights.resize(static_cast<size_t>(rows * length));
  for (int64_t row = 0; row < rows; ++row) {
    float* w = r.weights.data() + row * length;
    double sum = 0, square = 0;
    for (int64_t i = 0; i < length; ++i) {
      w[i] = random_.Normal();
      sum += w[i];
      square += double{w[i]} * w[i];
    }
    const double scale = gain * kLeastScale * std::pow(kMostScale / kLeastScale, random_.Uniform(0, 1));
    const double shift = norm == Norm::kNone ? 0 : gain * random_.Uniform(-kMostShift, kMostShift);
    const double he = std::sqrt(2.0 / static_cast<double>(length));
    const double factor = norm == Norm::kKept ? he : scale / std::sqrt(x.variance * square);
    for (int64_t i = 0; i < length; ++i) w[i] *= static_cast<float>(factor);
    const double mean = x.mean * sum * factor;
    r.shift.push_back(static_cast<float>(norm == Norm::kKept ? shift : shift - mean));
    r.scale.push_back(static_cast<float>(scale));
    r.mean.push_back(static_cast<float>(mean));
    r.variance.push_back(static_cast<float>(x.variance * square * factor * factor));
  }
  r.out_variance = gain * gain * (MeanSquareScale() + (norm == Norm::kNone ? 0 : kMostShift * kMostShift / 3));
  return r;
}

Tensor Net::ApplyNorm(Tensor y, const Rows& r) {
  if (r.norm == Norm::kKept) {
    const Shape channels = {static_cast<int64_t>(r.scale.size())};
    const auto node =
        Node("BatchNormalization",
             {y.name, Initializer("gamma", channels, r.scale), Initializer("beta", channels, r.shift),
              Initializer("running_mean", channels, r.mean), Initializer("running_var", channels, r.variance)})
            .Float("epsilon", exporter_.epsilon);
    y.name = node.proto().output(0);
  }
  y.mean = r.out_mean;
  y.variance = r.out_variance;
  return y;
}

Tensor Net::Conv(const Tensor& x, const ConvSpec& spec) {
  const int64_t kh = spec.kernel, kw = spec.kernel_w > 0 ? spec.kernel_w : spec.kernel;
  const int64_t per_group = x.channels() / spec.groups;
  const Rows rows = DrawRows(x, spec.channels, per_group * kh * kw, spec.norm, spec.gain);
  std::vector<std::string> inputs = {x.name, Initializer("weight", {spec.channels, per_group, kh, kw}, rows.weights)};
  if (spec.norm == Norm::kBias || spec.norm == Norm::kFolded) {
    inputs.push_back(Initializer("bias", {spec.channels}, rows.shift));
  }
  std::vector<int64_t> pads = spec.pads;
  if (pads.empty()) pads = {kh / 2, kw / 2, kh / 2, kw / 2};
  auto node = Node("Conv", inputs);
  node.Ints("kernel_shape", {kh, kw}).Ints("strides", {spec.stride, spec.stride});
  if (spec.groups != 1) node.Int("group", spec.groups);
  Shape shape = {1, spec.channels, 0, 0};
  if (spec.same_upper) {
    node.String("auto_pad", "SAME_UPPER");
    for (const size_t i : {2, 3}) shape[i] = (x.shape[i] + spec.stride - 1) / spec.stride;
  } else {
    node.Ints("pads", pads).Ints("dilations", {1, 1});
    shape[2] = WindowExtent(x.shape[2], kh, spec.stride, pads[0], pads[2], false);
    shape[3] = WindowExtent(x.shape[3], kw, spec.stride, pads[1], pads[3], false);
  }
  return ApplyNorm(Result(node, shape, 0, 1), rows);
}

Tensor Net::ConvTranspose(const Tensor& x, int64_t channels, int64_t kernel, int64_t stride) {
  // Each output sums (kernel / stride)² taps of every input channel; the file has weights as [C, M, kh, kw].
  const int64_t taps = kernel * kernel, length = x.channels() * taps;
  const Rows rows = DrawRows(x, channels, length, Norm::kBias, static_cast<double>(stride));
  std::vector<float> weights(rows.weights.size());
  for (int64_t m = 0; m < channels; ++m) {
    for (int64_t c = 0; c < x.channels(); ++c) {
      for (int64_t t = 0; t < taps; ++t) {
        weights[static_cast<size_t>((c * channels + m) * taps + t)] =
            rows.weights[static_cast<size_t>(m * length + c * taps + t)];
      }
    }
  }
  const auto node =
      Node("ConvTranspose", {x.name, Initializer("weight", {x.channels(), channels, kernel, kernel}, weights),
                             Initializer("bias", {channels}, rows.shift)})
          .Ints("kernel_shape", {kernel, kernel})
          .Ints("strides", {stride, stride})
          .Ints("pads", {0, 0, 0, 0});
  const auto extent = [&](size_t i) { return (x.shape[i] - 1) * stride + kernel; };
  return Result(node, {1, channels, extent(2), extent(3)}, 0, rows.out_variance / static_cast<double>(stride * stride));
}

Tensor Net::Gemm(const Tensor& x, int64_t features) {
  const int64_t length = x.shape.back();
  const Rows rows = DrawRows(x, features, length, Norm::kBias, 1);
  const auto node = Node("Gemm", {x.name, Initializer("weight", {features, length}, rows.weights),
                                  Initializer("bias", {features}, rows.shift)})
                        .Int("transB", 1);
  return ApplyNorm(Result(node, {x.shape[0], features}, 0, 1), rows);
}

Tensor Net::MatMulAdd(const Tensor& x, int64_t features) {
  const int64_t length = x.shape.back();
  const Rows rows = DrawRows(x, features, length, Norm::kBias, 1);
  std::vector<float> weights(rows.weights.size());
  for (int64_t n = 0; n < features; ++n) {
    for (int64_t k = 0; k < length; ++k) {
      weights[static_cast<size_t>(k * features + n)] = rows.weights[static_cast<size_t>(n * length + k)];
    }
  }
  const auto product = Node("MatMul", {x.name, Initializer("weight", {length, features}, weights)});
  const auto sum = Node("Add", {product.proto().output(0), Initializer("bias", {features}, rows.shift)});
  Shape shape = x.shape;
  shape.back() = features;
  return ApplyNorm(Result(sum, shape, 0, 1), rows);
}

Tensor Net::MatMul(const Tensor& a, const Tensor& b, double mean, double variance) {
  Shape shape = a.shape;
  shape.back() = b.shape.back();
  return Result(Node("MatMul", {a.name, b.name}), shape, mean, variance);
}

Tensor Net::BatchNorm(const Tensor& x) {
  Rows rows = DrawRows(x, x.channels(), 1, Norm::kKept, 1);
  std::fill(rows.mean.begin(), rows.mean.end(), static_cast<float>(x.mean));
  std::fill(rows.variance.begin(), rows.variance.end(), static_cast<float>(x.variance));
  return ApplyNorm(x, rows);
}

Tensor Net::Unary(const std::string& op, const Tensor& x, const std::function<double(double)>& f) {
  const auto [mean, variance] = Moments(x.mean, x.variance, f);
  return Result(Node(op, {x.name}), x.shape, mean, variance);
}

Tensor Net::AsFunction(Tensor y, const Tensor& x, const std::function<double(double)>& f) {
  std::tie(y.mean, y.variance) = Moments(x.mean, x.variance, f);
  return y;
}

Tensor Net::Relu(const Tensor& x) {
  return Unary("Relu", x, [](double v) { return std::max(v, 0.0); });
}

Tensor Net::Sigmoid(const Tensor& x) {
  return Unary("Sigmoid", x, [](double v) { return 1 / (1 + std::exp(-v)); });
}

Tensor Net::LeakyRelu(const Tensor& x, float alpha) {
  const auto [mean, variance] = Moments(x.mean, x.variance, [&](double v) { return v < 0 ? alpha * v : v; });
  return Result(Node("LeakyRelu", {x.name}).Float("alpha", alpha), x.shape, mean, variance);
}

Tensor Net::HardSigmoid(const Tensor& x, float alpha, float beta) {
  const auto [mean, variance] =
      Moments(x.mean, x.variance, [&](double v) { return std::clamp(alpha * v + beta, 0.0, 1.0); });
  return Result(Node("HardSigmoid", {x.name}).Float("alpha", alpha).Float("beta", beta), x.shape, mean, variance);
}

Tensor Net::Clip(const Tensor& x, float lo, float hi) {
  const auto [mean, variance] =
      Moments(x.mean, x.variance, [&](double v) { return std::clamp(v, double{lo}, double{hi}); });
  if (opset() < 11) {
    return Result(Node("Clip", {x.name}).Float("min", lo).Float("max", hi), x.shape, mean, variance);
  }
  const auto node = Node("Clip", {x.name, Initializer("min", {}, {lo}), Initializer("max", {}, {hi})});
  return Result(node, x.shape, mean, variance);
}

Tensor Net::Pow(const Tensor& x, float exponent) {
  const auto [mean, variance] = Moments(x.mean, x.variance, [&](double v) { return std::pow(v, exponent); });
  return Result(Node("Pow", {x.name, Initializer("exponent", {}, {exponent})}), x.shape, mean, variance);
}

Tensor Net::Sqrt(const Tensor& x) {
  return Unary("Sqrt", x, [](double v) { return std::sqrt(std::max(v, 0.0)); });
}

Tensor Net::Softmax(const Tensor& x, int64_t axis) {
  const auto n = static_cast<double>(x.shape[static_cast<size_t>(axis < 0 ? axis + std::ssize(x.shape) : axis)]);
  return Result(Node("Softmax", {x.name}).Int("axis", axis), x.shape, 1 / n, (std::exp(x.variance) - 1) / (n * n));
}

Tensor Net::Lrn(const Tensor& x, int64_t size, float alpha, float beta) {
  return Moved(Node("LRN", {x.name}).Int("size", size).Float("alpha", alpha).Float("beta", beta).Float("bias", 1), x,
               x.shape);
}

namespace {
Shape Broadcast(const Tensor& a, const Tensor& b) {
  const Shape& longer = a.shape.size() >= b.shape.size() ? a.shape : b.shape;
  const Shape& other = a.shape.size() >= b.shape.size() ? b.shape : a.shape;
  Shape shape = longer;
  for (size_t i = 0; i < other.size(); ++i) {
    int64_t& extent = shape[shape.size() - other.size() + i];
    extent = std::max(extent, other[i]);
  }
  return shape;
}
}  // namespace

Tensor Net::Add(const Tensor& a, const Tensor& b) {
  return Result(Node("Add", {a.name, b.name}), Broadcast(a, b), a.mean + b.mean, a.variance + b.variance);
}

Tensor Net::Sub(const Tensor& a, const Tensor& b) {
  return Result(Node("Sub", {a.name, b.name}), Broadcast(a, b), a.mean - b.mean, a.variance + b.variance);
}

Tensor Net::Mul(const Tensor& a, const Tensor& b) {
  const double mean = a.mean * b.mean;
  const double power = (a.variance + a.mean * a.mean) * (b.variance + b.mean * b.mean);
  return Result(Node("Mul", {a.name, b.name}), Broadcast(a, b), mean, std::max(power - mean * mean, 1e-6));
}

Tensor Net::Div(const Tensor& a, const Tensor& b) {
  return Result(Node("Div", {a.name, b.name}), Broadcast(a, b), a.mean / b.mean, a.variance / (b.mean * b.mean));
}

Tensor Net::Constant(const Shape& shape, const std::vector<float>& values, const std::string& role) {
  double sum = 0, square = 0;
  for (const float v : values) {
    sum += v;
    square += double{v} * v;
  }
  const auto n = static_cast<double>(values.size());
  return {Initializer(role, shape, values), shape, sum / n, square / n - sum / n * sum / n};
}

Tensor Net::RandomConstant(const Shape& shape, double mean, double deviation) {
  std::vector<float> values(static_cast<size_t>(Count(shape)));
  for (float& v : values) v = static_cast<float>(mean + deviation * random_.Normal());
  return Constant(shape, values);
}

Tensor Net::MaxPool(const Tensor& x, const PoolSpec& spec) {
  auto node = Node("MaxPool", {x.name});
  node.Ints("kernel_shape", {spec.kernel, spec.kernel}).Ints("strides", {spec.stride, spec.stride});
  Shape shape = x.shape;
  for (const size_t i : {2, 3}) {
    shape[i] = spec.same_upper ? (x.shape[i] + spec.stride - 1) / spec.stride
                               : WindowExtent(x.shape[i], spec.kernel, spec.stride, spec.pad, spec.pad, spec.ceil_mode);
  }
  if (spec.same_upper) {
    node.String("auto_pad", "SAME_UPPER");
  } else {
    node.Ints("pads", {spec.pad, spec.pad, spec.pad, spec.pad});
  }
  if (spec.ceil_mode) node.Int("ceil_mode", 1);
  // Neighbouring pixels are alike: the largest is not far from any.
  return Result(node, shape, x.mean + 0.7 * std::sqrt(x.variance), 1.2 * x.variance);
}

Tensor Net::AveragePool(const Tensor& x, const PoolSpec& spec) {
  auto node = Node("AveragePool", {x.name});
  node.Ints("kernel_shape", {spec.kernel, spec.kernel})
      .Ints("strides", {spec.stride, spec.stride})
      .Ints("pads", {spec.pad, spec.pad, spec.pad, spec.pad});
  if (spec.pad > 0) node.Int("count_include_pad", 1);
  Shape shape = x.shape;
  for (const size_t i : {2, 3})
    shape[i] = WindowExtent(x.shape[i], spec.kernel, spec.stride, spec.pad, spec.pad, false);
  return Result(node, shape, x.mean, 0.9 * x.variance);
}

Tensor Net::GlobalAveragePool(const Tensor& x) {
  return Result(Node("GlobalAveragePool", {x.name}), {1, x.channels(), 1, 1}, x.mean, 0.7 * x.variance);
}

Tensor Net::ReduceMean(const Tensor& x, const std::vector<int64_t>& axes, bool keep) {
  auto node = Node("ReduceMean", {x.name}).Ints("axes", axes).Int("keepdims", keep ? 1 : 0);
  Shape shape;
  for (int64_t i = 0; i < std::ssize(x.shape); ++i) {
    const bool reduced = std::find_if(axes.begin(), axes.end(), [&](int64_t a) {
                           return (a < 0 ? a + std::ssize(x.shape) : a) == i;
                         }) != axes.end();
    if (!reduced) shape.push_back(x.shape[static_cast<size_t>(i)]);
    if (reduced && keep) shape.push_back(1);
  }
  return Result(node, shape, x.mean, 0.7 * x.variance);
}

Tensor Net::Concat(const std::vector<Tensor>& parts, int64_t axis) {
  std::vector<std::string> names;
  Shape shape = parts[0].shape;
  int64_t& extent = shape[static_cast<size_t>(axis)];
  extent = 0;
  double sum = 0, power = 0;
  for (const Tensor& part : parts) {
    names.push_back(part.name);
    const int64_t n = part.shape[static_cast<size_t>(axis)];
    extent += n;
    sum += static_cast<double>(n) * part.mean;
    power += static_cast<double>(n) * (part.variance + part.mean * part.mean);
  }
  const auto n = static_cast<double>(extent);
  return Result(Node("Concat", names).Int("axis", axis), shape, sum / n, power / n - sum / n * sum / n);
}

std::vector<Tensor> Net::Split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t axis) {
  std::vector<std::string> inputs = {x.name};
  if (opset() >= 13) inputs.push_back(Integers("split", sizes));
  auto node = Node("Split", inputs).Int("axis", axis);
  if (opset() < 13) node.Ints("split", sizes);
  std::vector<Tensor> parts;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i > 0) node.proto().add_output(node.proto().name() + "_part_" + std::to_string(i));
    Tensor part = x;
    part.name = node.proto().output(static_cast<int>(i));
    part.shape[static_cast<size_t>(axis)] = sizes[i];
    parts.push_back(part);
  }
  return parts;
}

Tensor Net::Flatten(const Tensor& x) {
  return Moved(Node("Flatten", {x.name}).Int("axis", 1), x, {x.shape[0], Count(x.shape) / x.shape[0]});
}

Tensor Net::Reshape(const Tensor& x, const Shape& shape) {
  return Moved(Node("Reshape", {x.name, Integers("shape", shape)}), x, shape);
}

Tensor Net::Transpose(const Tensor& x, const std::vector<int64_t>& order) {
  Shape shape;
  for (const int64_t axis : order) shape.push_back(x.shape[static_cast<size_t>(axis)]);
  return Moved(Node("Transpose", {x.name}).Ints("perm", order), x, shape);
}

Tensor Net::Squeeze(const Tensor& x, const std::vector<int64_t>& axes) {
  std::vector<std::string> inputs = {x.name};
  if (opset() >= 13) inputs.push_back(Integers("axes", axes));
  auto node = Node("Squeeze", inputs);
  if (opset() < 13) node.Ints("axes", axes);
  Shape shape;
  for (int64_t i = 0; i < std::ssize(x.shape); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) shape.push_back(x.shape[static_cast<size_t>(i)]);
  }
  return Moved(node, x, shape);
}

Tensor Net::Slice(const Tensor& x, int64_t axis, int64_t begin, int64_t end) {
  Shape shape = x.shape;
  shape[static_cast<size_t>(axis)] = end - begin;
  return Moved(Node("Slice", {x.name, Integers("starts", {begin}), Integers("ends", {end}), Integers("axes", {axis}),
                              Integers("steps", {1})}),
               x, shape);
}

Tensor Net::Gather(const Tensor& x, int64_t axis, int64_t index) {
  Shape shape = x.shape;
  shape.erase(shape.begin() + axis);
  return Moved(Node("Gather", {x.name, Integers("index", {index}, true)}).Int("axis", axis), x, shape);
}

Tensor Net::Dropout(const Tensor& x) { return Moved(Node("Dropout", {x.name}), x, x.shape); }

Tensor Net::Pad(const Tensor& x, int64_t top, int64_t left, int64_t bottom, int64_t right) {
  const std::vector<int64_t> pads = {0, 0, top, left, 0, 0, bottom, right};
  const Shape shape = {1, x.channels(), x.shape[2] + top + bottom, x.shape[3] + left + right};
  if (opset() < 11) {
    return Moved(Node("Pad", {x.name}).Ints("pads", pads).String("mode", "constant").Float("value", 0), x, shape);
  }
  return Moved(Node("Pad", {x.name, Integers("pads", pads)}).String("mode", "constant"), x, shape);
}

Tensor Net::UpsampleNearest2(const Tensor& x) {
  const Shape shape = {1, x.channels(), 2 * x.shape[2], 2 * x.shape[3]};
  const std::string scales = Initializer("scales", {4}, {1, 1, 2, 2});
  if (opset() < 10) return Moved(Node("Upsample", {x.name, scales}).String("mode", "nearest"), x, shape);
  if (opset() < 11) return Moved(Node("Resize", {x.name, scales}).String("mode", "nearest"), x, shape);
  // The region of interest, which is not used, may be left out since opset 13.
  const std::string region = opset() < 13 ? Initializer("roi", {0}, {}) : "";
  return Moved(Node("Resize", {x.name, region, scales})
                   .String("coordinate_transformation_mode", "asymmetric")
                   .String("mode", "nearest")
                   .String("nearest_mode", "floor"),
               x, shape);
}

int64_t WindowExtent(int64_t in, int64_t kernel, int64_t stride, int64_t pad_begin, int64_t pad_end, bool ceil_mode) {
  const int64_t room = in + pad_begin + pad_end - kernel;
  int64_t out = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  if (ceil_mode && (out - 1) * stride >= in + pad_begin) --out;
  return out;
}

}  // namespace xrun::structures
