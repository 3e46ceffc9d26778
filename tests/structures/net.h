#ifndef XRUN_TESTS_STRUCTURES_NET_H_
#define XRUN_TESTS_STRUCTURES_NET_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// Writes full-size ONNX networks with made-up weights, in the spellings of several exporters.
///
/// Weights are random, yet activations keep a sensible size in any depth: every tensor carries the mean and variance
/// expected of its values, and weights, biases and BatchNorm parameters are chosen from them (what training would have
/// learnt). Channels differ by a factor of 4 in range, as they do in trained networks.
namespace xrun::structures {

using Shape = std::vector<int64_t>;

/// A tensor of the network being written.
struct Tensor {
  std::string name;
  Shape shape;
  double mean = 0;
  double variance = 1;

  int64_t channels() const { return shape[1]; }
};

/// How a convolution was trained, and what an exporter made of it.
enum class Norm {
  kBias,    ///< trained with a bias
  kFolded,  ///< trained with BatchNorm, which the exporter folded into weights and bias
  kKept,    ///< trained with BatchNorm, which is a node of its own in the file
  kNone,    ///< neither
};

struct ConvSpec {
  int64_t channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t groups = 1;
  Norm norm = Norm::kFolded;
  int64_t kernel_w = 0;            ///< 0: as kernel
  bool same_upper = false;         ///< auto_pad=SAME_UPPER, as TensorFlow's converter writes it
  std::vector<int64_t> pads = {};  ///< top, left, bottom, right; empty: half the kernel
  double gain = 1;                 ///< of the output's standard deviation
};

struct PoolSpec {
  int64_t kernel = 2;
  int64_t stride = 2;
  int64_t pad = 0;
  bool ceil_mode = false;
  bool same_upper = false;
};

/// What differs between exporters wherever they go.
struct Exporter {
  int64_t opset = 13;
  std::string tensor_suffix = "_output_0";  ///< from node to tensor name
  double epsilon = 1e-5;                    ///< of BatchNorm
};

/// splitmix64: the same numbers on every machine, unlike the standard library's distributions.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  double Uniform(double lo, double hi);
  /// Mean 0, variance 1: a sum of four uniform numbers, near enough to normal.
  float Normal();

 private:
  uint64_t state_;
};

class Net {
 public:
  Net(const std::string& name, const Exporter& exporter, uint64_t seed);

  /// Values are expected in lo ... hi.
  Tensor Input(const std::string& name, const Shape& shape, double lo, double hi);
  void Output(const Tensor& x, const std::string& name);

  // Sums of products.
  Tensor Conv(const Tensor& x, const ConvSpec& spec);
  Tensor ConvTranspose(const Tensor& x, int64_t channels, int64_t kernel, int64_t stride);
  Tensor Gemm(const Tensor& x, int64_t features);
  /// x times a constant [K, N] and a bias added by a node of its own, over any leading axes.
  Tensor MatMulAdd(const Tensor& x, int64_t features);
  Tensor MatMul(const Tensor& a, const Tensor& b, double mean, double variance);
  Tensor BatchNorm(const Tensor& x);

  // Functions. The float function tells what becomes of mean and variance.
  Tensor Unary(const std::string& op, const Tensor& x, const std::function<double(double)>& f);
  Tensor Relu(const Tensor& x);
  Tensor LeakyRelu(const Tensor& x, float alpha);
  Tensor Sigmoid(const Tensor& x);
  Tensor HardSigmoid(const Tensor& x, float alpha, float beta);
  Tensor Clip(const Tensor& x, float lo, float hi);  ///< attributes or inputs, by opset
  /// y, which several nodes computed, known to be f(x).
  static Tensor AsFunction(Tensor y, const Tensor& x, const std::function<double(double)>& f);
  Tensor Pow(const Tensor& x, float exponent);
  Tensor Sqrt(const Tensor& x);
  Tensor Softmax(const Tensor& x, int64_t axis);
  Tensor Lrn(const Tensor& x, int64_t size, float alpha, float beta);

  // Two tensors, or a tensor and a constant.
  Tensor Add(const Tensor& a, const Tensor& b);
  Tensor Mul(const Tensor& a, const Tensor& b);
  Tensor Sub(const Tensor& a, const Tensor& b);
  Tensor Div(const Tensor& a, const Tensor& b);
  Tensor Constant(const Shape& shape, const std::vector<float>& values, const std::string& role = "constant");
  Tensor Scalar(float value) { return Constant({}, {value}); }
  Tensor RandomConstant(const Shape& shape, double mean, double deviation);

  // Windows.
  Tensor MaxPool(const Tensor& x, const PoolSpec& spec);
  Tensor AveragePool(const Tensor& x, const PoolSpec& spec);
  Tensor GlobalAveragePool(const Tensor& x);
  Tensor ReduceMean(const Tensor& x, const std::vector<int64_t>& axes, bool keep);

  // Movement.
  Tensor Concat(const std::vector<Tensor>& parts, int64_t axis = 1);
  std::vector<Tensor> Split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t axis);
  Tensor Flatten(const Tensor& x);
  Tensor Reshape(const Tensor& x, const Shape& shape);
  Tensor Transpose(const Tensor& x, const std::vector<int64_t>& order);
  Tensor Squeeze(const Tensor& x, const std::vector<int64_t>& axes);
  Tensor Slice(const Tensor& x, int64_t axis, int64_t begin, int64_t end);
  Tensor Gather(const Tensor& x, int64_t axis, int64_t index);  ///< a scalar index: the axis goes
  Tensor Dropout(const Tensor& x);
  Tensor Pad(const Tensor& x, int64_t top, int64_t left, int64_t bottom, int64_t right);
  Tensor UpsampleNearest2(const Tensor& x);  ///< Upsample or Resize, by opset

  int64_t opset() const { return exporter_.opset; }
  onnx::ModelProto Take();

 private:
  struct Rows;
  class NodeBuilder;
  Rows DrawRows(const Tensor& x, int64_t rows, int64_t length, Norm norm, double gain);
  Tensor ApplyNorm(Tensor y, const Rows& rows);
  NodeBuilder Node(const std::string& op, const std::vector<std::string>& inputs);
  Tensor Result(const NodeBuilder& node, const Shape& shape, double mean, double variance) const;
  std::string Initializer(const std::string& role, const Shape& shape, const std::vector<float>& values);
  std::string Integers(const std::string& role, const std::vector<int64_t>& values, bool scalar = false);
  Tensor Moved(const NodeBuilder& node, const Tensor& x, const Shape& shape) const;

  Exporter exporter_;
  Random random_;
  onnx::ModelProto model_;
  onnx::GraphProto& graph_;
  int count_ = 0;
};

/// The output extent of a window along one axis.
int64_t WindowExtent(int64_t in, int64_t kernel, int64_t stride, int64_t pad_begin, int64_t pad_end, bool ceil_mode);

}  // namespace xrun::structures

#endif  // XRUN_TESTS_STRUCTURES_NET_H_
