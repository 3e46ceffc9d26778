#ifndef XRUN_TESTS_DIFFERENTIAL_RANDOM_GRAPH_H_
#define XRUN_TESTS_DIFFERENTIAL_RANDOM_GRAPH_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "compiler/graph.h"

namespace xrun::testing {

/// Builds quantized graphs layer by layer, with random parameters whose results neither vanish nor all saturate.
class GraphMaker {
 public:
  explicit GraphMaker(uint64_t seed) : random_(seed) {}

  int64_t Pick(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random_); }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }
  /// A number of channels around the array widths of the configurations, odd ones included.
  int64_t Channels(int64_t most) {
    static constexpr int64_t kLikely[] = {1, 2, 3, 7, 8, 9, 12, 16, 17, 24, 33};
    const int64_t c = Chance(70) ? kLikely[Pick(0, 10)] : Pick(1, most);
    return c > most ? most : c;
  }

  compiler::ValueId Input(const compiler::Shape& shape);
  struct Window {
    int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
    int64_t top = 0, left = 0, bottom = 0, right = 0;
  };
  Window RandomWindow(int64_t height, int64_t width, int64_t most_kernel, int64_t most_stride, int64_t most_dilation);
  compiler::ValueId Conv(compiler::ValueId x, int64_t out_channels, int64_t groups, const Window& window);
  /// The pads of `window` crop; an output padding is chosen here.
  compiler::ValueId ConvTranspose(compiler::ValueId x, int64_t out_channels, int64_t groups, const Window& window);
  /// Of the last axis; whatever stands before it are rows.
  compiler::ValueId FullyConnected(compiler::ValueId x, int64_t out_features);
  /// Two activations, or one and a constant: batches of matrices, broadcast.
  compiler::ValueId MatMul(compiler::ValueId a, compiler::ValueId b);
  /// A value moved: Reshape, Transpose. No arithmetic, the same parameters.
  compiler::ValueId Reshape(compiler::ValueId x, const compiler::Shape& shape);
  compiler::ValueId Transpose(compiler::ValueId x, const std::vector<int64_t>& perm);
  /// Positions begin … end − 1 of one axis.
  compiler::ValueId SliceAxis(compiler::ValueId x, size_t axis, int64_t begin, int64_t end);
  /// [1,C,H,W] as rows of channels, [1,H*W,C] or [1,H,W,C], and back.
  compiler::ValueId ToTokens(compiler::ValueId x);
  compiler::ValueId ToPlanes(compiler::ValueId x, int64_t height, int64_t width);
  compiler::ValueId Pool(compiler::ValueId x, bool average, bool count_include_pad, const Window& window);
  compiler::ValueId Add(compiler::ValueId a, compiler::ValueId b);
  compiler::ValueId Sub(compiler::ValueId a, compiler::ValueId b);
  compiler::ValueId Mul(compiler::ValueId a, compiler::ValueId b);
  compiler::ValueId Unary(compiler::ValueId x);
  compiler::ValueId PRelu(compiler::ValueId x);
  compiler::ValueId Flatten(compiler::ValueId x);
  compiler::ValueId Concat(const std::vector<compiler::ValueId>& inputs, int64_t axis);
  /// A random slice along every axis but the batch; steps above 1 now and then.
  compiler::ValueId Slice(compiler::ValueId x);
  compiler::ValueId Pad(compiler::ValueId x);
  compiler::ValueId ChannelShuffle(compiler::ValueId x, int64_t groups);
  /// Nearest or linear, by whole factors, as the overlay takes it.
  compiler::ValueId Resize(compiler::ValueId x, int64_t most_factor);
  /// Nearest to any size: on the CPU.
  compiler::ValueId ResizeByAnything(compiler::ValueId x);
  compiler::ValueId DepthToSpace(compiler::ValueId x, int64_t block);
  compiler::ValueId SpaceToDepth(compiler::ValueId x, int64_t block);
  /// Some positions of the axis in random order.
  compiler::ValueId Gather(compiler::ValueId x, int64_t axis);
  /// Channels, rows and columns change places, now and then by way of a matrix.
  compiler::ValueId Turn(compiler::ValueId x);
  /// A constant that broadcasts to `full`, of its rank or a lower one.
  compiler::ValueId BroadcastConstant(const compiler::Shape& full);
  /// Other scale and zero point, nothing else.
  compiler::ValueId Requantize(compiler::ValueId x);
  /// An int8 constant of the given shape.
  compiler::ValueId Constant(const compiler::Shape& shape);

  /// `x` dequantized.
  compiler::ValueId Dequantize(compiler::ValueId x);
  /// A float operator of one or two float values.
  compiler::ValueId Float(Op op, Attributes attrs, std::vector<compiler::ValueId> inputs, const compiler::Shape& shape);
  /// A float constant around zero, or (positive) around one.
  compiler::ValueId FloatConstant(const compiler::Shape& shape, bool positive);
  /// A random float operator after `x`, itself float.
  compiler::ValueId FloatLayer(compiler::ValueId x);
  /// Makes `x` an output as it is.
  void PlainOutput(compiler::ValueId x) { graph.outputs.push_back(x); }
  /// Makes `x` a float output of the model.
  void Output(compiler::ValueId x);

  const compiler::Value& at(compiler::ValueId id) const { return graph.at(id); }

  compiler::Graph graph;

 private:
  compiler::ValueId Weights(const compiler::Shape& shape, size_t axis, bool zero_points);
  compiler::ValueId Bias(int64_t channels, compiler::ValueId weights, float input_scale);
  compiler::ValueId NewInt8(const compiler::Shape& shape, float scale);
  compiler::ValueId AddNode(Op op, Attributes attrs, std::vector<compiler::ValueId> inputs,
                            const compiler::Shape& shape, float scale, bool clampable);
  /// An operator that keeps the parameters of its first input.
  compiler::ValueId Moved(Op op, Attributes attrs, std::vector<compiler::ValueId> inputs, const compiler::Shape& shape);
  /// Functions of one another, each defined wherever the one before leads.
  std::vector<UnaryFunction> RandomChain();
  /// Of an int8 value, per tensor as all of them are.
  float ScaleOf(compiler::ValueId id) const { return graph.at(id).quant->scale[0]; }
  float Jitter(float scale) { return scale * std::uniform_real_distribution<float>(0.7F, 1.4F)(random_); }

  std::mt19937_64 random_;
  int counter_ = 0;
};

/// One random layer of a random kind, and a small random graph with branches.
compiler::Graph RandomLayer(uint64_t seed);
compiler::Graph RandomGraph(uint64_t seed);
/// A picture of few channels and odd sizes, read by one or two convolutions of windows up to 11 x 11.
compiler::Graph RandomStem(uint64_t seed);
/// Planes enlarged between convolutions, perhaps joined with others, as in networks that look at several scales.
compiler::Graph RandomEnlargement(uint64_t seed);
/// Layers with int8 movement between them that runs on the CPU: transposes, reshapes, odd resizes and gathers.
compiler::Graph RandomDetours(uint64_t seed);
/// Matrix products of several rows between planes.
compiler::Graph RandomTokens(uint64_t seed);
/// Products of two activations: attention of several heads as different exporters spell it, with odd sizes and zero
/// points; in some with a step of the CPU where Softmax stands.
compiler::Graph RandomAttention(uint64_t seed);
/// A stage of a residual network of which most pixels may not be read.
compiler::Graph RandomStage(uint64_t seed);
/// A layer or two, then operators in float to the end.
compiler::Graph RandomTail(uint64_t seed);

}  // namespace xrun::testing

#endif  // XRUN_TESTS_DIFFERENTIAL_RANDOM_GRAPH_H_
