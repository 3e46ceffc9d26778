#ifndef XRUN_TESTS_UNIT_QUANTIZE_TEST_UTIL_H_
#define XRUN_TESTS_UNIT_QUANTIZE_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <random>

#include "compiler/graph.h"
#include "compiler/quantize/calibrate.h"

namespace xrun::compiler {

/// Puts small float graphs together, random weights from a fixed seed.
class GraphMaker {
 public:
  Graph graph;

  ValueId Input(Shape shape) {
    Value value;
    value.name = "input" + std::to_string(graph.inputs.size());
    value.shape = std::move(shape);
    graph.inputs.push_back(graph.AddValue(std::move(value)));
    return graph.inputs.back();
  }
  ValueId Constant(const Shape& shape, float size = 1.0F) {
    std::vector<float> data(static_cast<size_t>(Elements(shape)));
    for (float& v : data) v = std::uniform_real_distribution<float>(-size, size)(random_);
    return graph.AddConstant("constant" + std::to_string(graph.values.size()), DType::kFloat32, shape, data.data());
  }
  ValueId Add(Op op, Attributes attrs, std::vector<ValueId> inputs, std::optional<Clamp> clamp = {}) {
    Node node;
    node.name = std::string(Name(op)) + std::to_string(graph.nodes.size());
    node.op = op;
    node.attrs = std::move(attrs);
    node.clamp = clamp;
    node.inputs = std::move(inputs);
    node.origin = {node.name};
    Value value;
    value.name = node.name + ".out";
    const ValueId result = graph.AddValue(value);
    node.outputs = {result};
    auto shapes = InferShapes(graph, node);
    EXPECT_TRUE(shapes.ok()) << shapes.failure().message;
    if (shapes.ok()) graph.at(result).shape = shapes.value()[0];
    graph.nodes.push_back(std::move(node));
    return result;
  }
  ValueId Conv(ValueId x, int64_t m, int64_t kernel, std::optional<Clamp> clamp = {}, int64_t groups = 1) {
    ConvAttrs attrs;
    attrs.kernel = {kernel, kernel};
    attrs.pads = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    attrs.groups = groups;
    return Add(Op::kConv, attrs, {x, Constant({m, graph.at(x).shape[1] / groups, kernel, kernel}), Constant({m}, 0.2F)},
               clamp);
  }

  /// A network with every kind of operator that is quantized, and a Softmax that is not.
  static Graph Everything() {
    GraphMaker make;
    const Clamp relu{0.0F, std::numeric_limits<float>::infinity()};
    ValueId x = make.Input({1, 3, 12, 12});
    ValueId y = make.Conv(x, 8, 3, relu);
    ValueId pooled = make.Add(Op::kMaxPool, PoolAttrs{{2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}, false}, {y});
    ValueId depthwise = make.Conv(pooled, 8, 3, Clamp{0.0F, 6.0F}, 8);
    ValueId sum = make.Add(Op::kAdd, NoAttrs{}, {pooled, depthwise}, relu);
    ValueId swish = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kHardSwish, 0, 0}}}, {make.Conv(sum, 8, 1)});
    ValueId gate = make.Add(Op::kAveragePool, PoolAttrs{{6, 6}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {0, 0}, false}, {swish});
    gate = make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSigmoid, 0, 0}}}, {make.Conv(gate, 8, 1)});
    ValueId scaled = make.Add(Op::kMul, NoAttrs{}, {swish, gate});
    ValueId difference = make.Add(Op::kSub, NoAttrs{}, {scaled, make.Constant({1, 8, 1, 1})});
    ValueId joined = make.Add(Op::kConcat, AxisAttrs{1}, {scaled, difference});
    ValueId sliced = make.Add(Op::kSlice, SliceAttrs{{0, 2, 0, 5}, {1, 14, 6, -1}, {1, 3, 1, -1}}, {joined});
    ValueId padded = make.Add(Op::kPad, PadAttrs{{0, 0, 1, 0}, {0, 0, 1, 2}, 0.0F}, {sliced});
    ConvAttrs up;
    up.kernel = {2, 2};
    up.stride = {2, 2};
    ValueId raised = make.Add(Op::kConvTranspose, up, {padded, make.Constant({4, 3, 2, 2}), make.Constant({3})});
    ValueId turned = make.Add(Op::kTranspose, TransposeAttrs{{0, 2, 3, 1}}, {raised});
    Node reshape;
    reshape.name = "Reshape";
    reshape.op = Op::kReshape;
    reshape.inputs = {turned};
    reshape.origin = {"Reshape"};
    Value flat;
    flat.name = "flat";
    flat.shape = {1, Elements(make.graph.at(turned).shape)};
    reshape.outputs = {make.graph.AddValue(flat)};
    make.graph.nodes.push_back(reshape);
    const int64_t k = flat.shape[1];
    ValueId logits =
        make.Add(Op::kFullyConnected, NoAttrs{}, {reshape.outputs[0], make.Constant({10, k}), make.Constant({10})});
    ValueId probabilities = make.Add(Op::kSoftmax, AxisAttrs{1}, {logits});
    make.graph.outputs = {probabilities, sum};
    make.graph.name = "everything";
    return make.graph;
  }

 private:
  std::mt19937 random_{99};
};

/// Normally distributed values for an input.
inline std::vector<float> Noise(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> data(static_cast<size_t>(Elements(shape)));
  for (float& x : data) x = normal(random);
  return data;
}

/// The first output, in float, of a graph with one input.
inline std::vector<float> Output(const Graph& graph, const std::vector<float>& input) {
  auto executor = FloatExecutor::Create(graph, 1);
  EXPECT_TRUE(executor.ok());
  const std::span<const float> x(input);
  EXPECT_TRUE(executor->Run({&x, 1}).ok());
  const auto out = executor->output(0);
  return {out.begin(), out.end()};
}

inline Calibration Calibrated(const Graph& graph) {
  auto calibration = CalibrateWithoutData(graph, -2.5F, 2.5F, 1);
  EXPECT_TRUE(calibration.ok()) << calibration.failure().message;
  return std::move(calibration).value();
}

}  // namespace xrun::compiler

#endif  // XRUN_TESTS_UNIT_QUANTIZE_TEST_UTIL_H_
