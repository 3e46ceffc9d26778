// What each version of an operator means: the differences that ONNX's own node tests (newest versions only) do not
// show.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/unit/onnx_builder.h"
#include "tests/unit/run_graph.h"

namespace xrun::test {
namespace {

using compiler::Graph;
using compiler::Shape;

Graph Imported(const OnnxBuilder& builder) {
  auto graph = builder.Import();
  EXPECT_TRUE(graph.ok()) << graph.failure().ToString();
  return graph.ok() ? std::move(graph).value() : Graph{};
}

std::vector<float> Execute(const Graph& graph, const std::vector<float>& x) {
  auto outputs = RunGraph(graph, {x});
  EXPECT_TRUE(outputs.ok()) << outputs.failure().ToString();
  return outputs.ok() ? outputs->front() : std::vector<float>{};
}

Shape OutputShape(const Graph& graph) { return graph.outputs.empty() ? Shape{} : graph.at(graph.outputs[0]).shape; }

std::string Refusal(const OnnxBuilder& builder) {
  auto graph = builder.Import();
  return graph.ok() ? "imported" : graph.failure().ToString();
}

void ExpectNear(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5) << "element " << i;
}

/// x -> one node -> y
OnnxBuilder Single(int64_t opset, const std::vector<Dim>& x, const std::string& op,
                   const std::vector<std::string>& more, const std::function<void(NodeBuilder&)>& attributes = {}) {
  OnnxBuilder builder(opset);
  std::vector<std::string> inputs{"x"};
  inputs.insert(inputs.end(), more.begin(), more.end());
  builder.Input("x", x).Output("y");
  NodeBuilder node = builder.Node(op, inputs, {"y"});
  if (attributes) attributes(node);
  return builder;
}

TEST(CompilerImportOperators, SoftmaxFlattensBeforeOpset13) {
  const std::vector<float> x = Noise(2 * 3 * 4);
  const auto old = Execute(Imported(Single(11, {2, 3, 4}, "Softmax", {})), x);  // axis 1: over 3x4 together
  const auto now = Execute(Imported(Single(13, {2, 3, 4}, "Softmax", {})), x);  // axis -1
  float old_row = 0, now_row = 0;
  for (size_t i = 0; i < 12; ++i) old_row += old[i];
  for (size_t i = 0; i < 4; ++i) now_row += now[i];
  EXPECT_NEAR(old_row, 1, 1e-5);
  EXPECT_NEAR(now_row, 1, 1e-5);
}

TEST(CompilerImportOperators, SoftmaxNeedsNoReshapeWhenOneAxisIsLeft) {
  EXPECT_EQ(Imported(Single(9, {1, 10}, "Softmax", {})).nodes.size(), 1U);
  EXPECT_EQ(Imported(Single(9, {1, 10, 1, 1}, "Softmax", {})).nodes.size(), 1U);
  EXPECT_EQ(Imported(Single(9, {1, 10, 2, 1}, "Softmax", {})).nodes.size(), 3U);
}

TEST(CompilerImportOperators, ClipBoundsAreAttributesThenInputs) {
  const std::vector<float> x{-5, 0.5F, 9};
  ExpectNear(
      Execute(Imported(Single(6 + 1, {3}, "Clip", {}, [](NodeBuilder& n) { n.Float("min", 0).Float("max", 6); })), x),
      {0, 0.5F, 6});
  OnnxBuilder only_max = Single(13, {3}, "Clip", {"", "hi"});
  only_max.Init("hi", {}, {6.0F});
  ExpectNear(Execute(Imported(only_max), x), {-5, 0.5F, 6});
  OnnxBuilder attributes = Single(13, {3}, "Clip", {}, [](NodeBuilder& n) { n.Float("min", 0); });
  EXPECT_NE(Refusal(attributes).find("attribute 'min' is not one of version 13"), std::string::npos);
  OnnxBuilder crossed = Single(13, {3}, "Clip", {"lo", "hi"});
  crossed.Init("lo", {}, {3.0F}).Init("hi", {}, {1.0F});
  ExpectNear(Execute(Imported(crossed), x), {1, 1, 1});
}

TEST(CompilerImportOperators, ReluIsAClipWithoutUpperBound) {
  const Graph graph = Imported(Single(13, {3}, "Relu", {}));
  const auto& chain = graph.nodes[0].as<UnaryAttrs>().chain;
  ASSERT_EQ(chain.size(), 1U);
  EXPECT_EQ(chain[0], (UnaryFunction{UnaryKind::kClip, 0, INFINITY}));
}

TEST(CompilerImportOperators, SqueezeAndUnsqueezeAxesAreAttributesThenInputs) {
  EXPECT_EQ(OutputShape(Imported(Single(11, {1, 3, 1}, "Squeeze", {}, [](NodeBuilder& n) { n.Ints("axes", {-1}); }))),
            (Shape{1, 3}));
  OnnxBuilder squeeze = Single(13, {1, 3, 1}, "Squeeze", {"axes"});
  squeeze.InitInts("axes", {1}, {0});
  EXPECT_EQ(OutputShape(Imported(squeeze)), (Shape{3, 1}));
  EXPECT_EQ(OutputShape(Imported(Single(13, {1, 3, 1}, "Squeeze", {}))), (Shape{3}));
  EXPECT_EQ(OutputShape(Imported(Single(9, {3}, "Unsqueeze", {},
                                        [](NodeBuilder& n) {
                                          n.Ints("axes", {0, 2});
                                        }))),
            (Shape{1, 3, 1}));
  OnnxBuilder wrong = Single(13, {2, 3}, "Squeeze", {"axes"});
  wrong.InitInts("axes", {1}, {0});
  EXPECT_NE(Refusal(wrong).find("axis 0 of 2x3 is not 1"), std::string::npos);
}

TEST(CompilerImportOperators, ReduceMeanAxesAreAttributesThenInputs) {
  const std::vector<float> x = Noise(2 * 3 * 4);
  const auto want = [&] {
    std::vector<float> rows(6, 0);
    for (size_t i = 0; i < x.size(); ++i) rows[i / 4] += x[i] / 4;
    return rows;
  }();
  const Graph old = Imported(
      Single(11, {2, 3, 4}, "ReduceMean", {}, [](NodeBuilder& n) { n.Ints("axes", {-1}).Int("keepdims", 0); }));
  EXPECT_EQ(OutputShape(old), (Shape{2, 3}));
  ExpectNear(Execute(old, x), want);
  OnnxBuilder now = Single(18, {2, 3, 4}, "ReduceMean", {"axes"});
  now.InitInts("axes", {1}, {2});
  EXPECT_EQ(OutputShape(Imported(now)), (Shape{2, 3, 1}));
  ExpectNear(Execute(Imported(now), x), want);
  OnnxBuilder apart = Single(11, {2, 3, 4}, "ReduceMean", {}, [](NodeBuilder& n) { n.Ints("axes", {0, 2}); });
  std::vector<float> columns(3, 0);
  for (size_t i = 0; i < x.size(); ++i) columns[i / 4 % 3] += x[i] / 8;
  EXPECT_EQ(OutputShape(Imported(apart)), (Shape{1, 3, 1}));
  ExpectNear(Execute(Imported(apart), x), columns);
}

TEST(CompilerImportOperators, ReduceMeanOverThePlaneIsOneAveragePool) {
  const Graph graph = Imported(Single(13, {1, 3, 4, 5}, "ReduceMean", {}, [](NodeBuilder& n) {
    n.Ints("axes", {2, 3});
  }));
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph.nodes[0].op, Op::kAveragePool);
  EXPECT_EQ(OutputShape(graph), (Shape{1, 3, 1, 1}));
}

TEST(CompilerImportOperators, PadsAreAttributesThenInputs) {
  const Graph old = Imported(Single(7, {1, 2}, "Pad", {}, [](NodeBuilder& n) {
    n.Ints("pads", {0, 1, 0, 2}).Float("value", 9);
  }));
  ExpectNear(Execute(old, {1, 2}), {9, 1, 2, 9, 9});
  OnnxBuilder now = Single(18, {1, 2}, "Pad", {"pads", "value", "axes"});
  now.InitInts("pads", {2}, {1, 0}).Init("value", {}, {7.0F}).InitInts("axes", {1}, {-1});
  ExpectNear(Execute(Imported(now), {1, 2}), {7, 1, 2});
  OnnxBuilder reflect = Single(13, {1, 4}, "Pad", {"pads"}, [](NodeBuilder& n) { n.String("mode", "reflect"); });
  reflect.InitInts("pads", {4}, {0, 1, 0, 1});
  EXPECT_NE(Refusal(reflect).find("mode 'reflect'"), std::string::npos);
  OnnxBuilder negative = Single(13, {1, 4}, "Pad", {"pads"});
  negative.InitInts("pads", {4}, {0, -1, 0, 0});
  EXPECT_NE(Refusal(negative).find("negative pads"), std::string::npos);
}

TEST(CompilerImportOperators, SlicesCountFromEitherEnd) {
  const std::vector<float> x{0, 1, 2, 3, 4};
  ExpectNear(Execute(Imported(Single(9, {5}, "Slice", {},
                                     [](NodeBuilder& n) { n.Ints("starts", {-3}).Ints("ends", {INT64_MAX}); })),
                     x),
             {2, 3, 4});
  OnnxBuilder backwards = Single(13, {5}, "Slice", {"starts", "ends", "axes", "steps"});
  backwards.InitInts("starts", {1}, {INT64_MAX}).InitInts("ends", {1}, {INT64_MIN});
  backwards.InitInts("axes", {1}, {0}).InitInts("steps", {1}, {-2});
  ExpectNear(Execute(Imported(backwards), x), {4, 2, 0});
}

TEST(CompilerImportOperators, SplitSizesAreAttributeInputOrNumOutputs) {
  const std::vector<float> x{0, 1, 2, 3, 4};
  const auto split = [](int64_t opset, const std::vector<std::string>& inputs, auto attributes) {
    OnnxBuilder builder(opset);
    builder.Input("x", {5}).Output("a").Output("b");
    attributes(builder, builder.Node("Split", inputs, {"a", "b"}));
    return builder;
  };
  const auto check = [&](const OnnxBuilder& builder, const std::vector<float>& a, const std::vector<float>& b) {
    const Graph graph = Imported(builder);
    auto outputs = RunGraph(graph, {x});
    ASSERT_TRUE(outputs.ok());
    ExpectNear((*outputs)[0], a);
    ExpectNear((*outputs)[1], b);
    EXPECT_EQ(graph.nodes.size(), 2U);
  };
  check(split(11, {"x"}, [](OnnxBuilder&, NodeBuilder n) { n.Ints("split", {1, 4}); }), {0}, {1, 2, 3, 4});
  check(split(13, {"x", "s"}, [](OnnxBuilder& b, NodeBuilder) { b.InitInts("s", {2}, {4, 1}); }), {0, 1, 2, 3}, {4});
  check(split(18, {"x"}, [](OnnxBuilder&, NodeBuilder n) { n.Int("num_outputs", 2); }), {0, 1, 2}, {3, 4});
  EXPECT_NE(Refusal(split(13, {"x"}, [](OnnxBuilder&, NodeBuilder) {})).find("cannot split an axis of 5"),
            std::string::npos);
}

TEST(CompilerImportOperators, BatchNormalizationModes) {
  const auto make = [](int64_t opset, const std::function<void(NodeBuilder&)>& attributes) {
    OnnxBuilder builder = Single(opset, {1, 2, 1, 1}, "BatchNormalization", {"g", "b", "m", "v"}, attributes);
    builder.Init("g", {2}, {1, 2}).Init("b", {2}, {0, 1}).Init("m", {2}, {1, 1}).Init("v", {2}, {4, 1});
    return builder;
  };
  const auto inference = [](NodeBuilder& n) { n.Float("epsilon", 0).Float("momentum", 0.9F); };
  for (int64_t opset : {7, 9, 14, 15}) ExpectNear(Execute(Imported(make(opset, inference)), {3, 3}), {1, 5});
  EXPECT_NE(Refusal(make(7, [](NodeBuilder& n) { n.Int("spatial", 0); })).find("spatial=0"), std::string::npos);
  EXPECT_NE(Refusal(make(9, [](NodeBuilder& n) { n.Int("spatial", 1); })).find("'spatial'"), std::string::npos);
  EXPECT_NE(Refusal(make(15, [](NodeBuilder& n) { n.Int("training_mode", 1); })).find("training mode"),
            std::string::npos);
}

TEST(CompilerImportOperators, DropoutIsNothingInInference) {
  for (int64_t opset : {7, 10, 12, 13}) {
    const auto ratio = [&](NodeBuilder& n) {
      if (opset < 12) n.Float("ratio", 0.5F);
    };
    ExpectNear(Execute(Imported(Single(opset, {2}, "Dropout", {}, ratio)), {1, 2}), {1, 2});
  }
  OnnxBuilder training = Single(13, {2}, "Dropout", {"", "training"});
  training.InitInts("training", {}, {1}, onnx::TensorProto::BOOL);
  EXPECT_NE(Refusal(training).find("training mode"), std::string::npos);
}

TEST(CompilerImportOperators, ReshapeZeroCopiesUnlessAllowed) {
  OnnxBuilder copies = Single(13, {2, 3, 4}, "Reshape", {"s"});
  copies.InitInts("s", {2}, {0, -1});
  EXPECT_EQ(OutputShape(Imported(copies)), (Shape{2, 12}));
  OnnxBuilder allowed = Single(14, {2, 3, 4}, "Reshape", {"s"}, [](NodeBuilder& n) { n.Int("allowzero", 1); });
  allowed.InitInts("s", {2}, {0, -1});
  EXPECT_NE(Refusal(allowed).find("cannot become"), std::string::npos);
}

TEST(CompilerImportOperators, FlattenTakesNegativeAxesFromOpset11) {
  const auto axis = [](NodeBuilder& n) { n.Int("axis", -1); };
  EXPECT_EQ(OutputShape(Imported(Single(11, {2, 3, 4}, "Flatten", {}, axis))), (Shape{6, 4}));
  EXPECT_NE(Refusal(Single(9, {2, 3, 4}, "Flatten", {}, axis)).find("axis is outside"), std::string::npos);
  EXPECT_EQ(OutputShape(Imported(Single(9, {2, 3}, "Flatten", {}, [](NodeBuilder& n) { n.Int("axis", 0); }))),
            (Shape{1, 6}));
}

TEST(CompilerImportOperators, AutoPad) {
  const auto pads = [](const std::string& mode, int64_t size, int64_t kernel, int64_t stride) {
    OnnxBuilder builder = Single(13, {1, 1, size, size}, "Conv", {"w"}, [&](NodeBuilder& n) {
      n.String("auto_pad", mode).Ints("strides", {stride, stride});
    });
    builder.InitNoise("w", {1, 1, kernel, kernel});
    return Imported(builder).nodes.at(0).as<ConvAttrs>().pads;
  };
  using Pads = std::array<int64_t, 4>;
  EXPECT_EQ(pads("SAME_UPPER", 5, 2, 1), (Pads{0, 0, 1, 1}));
  EXPECT_EQ(pads("SAME_LOWER", 5, 2, 1), (Pads{1, 1, 0, 0}));
  EXPECT_EQ(pads("SAME_UPPER", 6, 3, 2), (Pads{0, 0, 1, 1}));
  EXPECT_EQ(pads("SAME_UPPER", 6, 1, 2), (Pads{0, 0, 0, 0}));  // nothing to pad, never negative
  EXPECT_EQ(pads("VALID", 5, 3, 1), (Pads{0, 0, 0, 0}));
  EXPECT_EQ(pads("NOTSET", 5, 3, 1), (Pads{0, 0, 0, 0}));
}

TEST(CompilerImportOperators, CeilModeAddsPadsThatAnAverageDoesNotCount) {
  const auto pool = [](int64_t size, int64_t kernel, int64_t stride, int64_t pad) {
    return Single(13, {1, 1, size, size}, "AveragePool", {}, [&](NodeBuilder& n) {
      n.Ints("kernel_shape", {kernel, kernel}).Ints("strides", {stride, stride}).Ints("pads", {pad, pad, pad, pad});
      n.Int("ceil_mode", 1).Int("count_include_pad", 1);
    });
  };
  const Graph graph = Imported(pool(4, 3, 2, 0));
  EXPECT_EQ(OutputShape(graph), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(graph.nodes[0].as<PoolAttrs>().pads, (std::array<int64_t, 4>{0, 0, 1, 1}));
  EXPECT_EQ(graph.nodes[0].as<PoolAttrs>().ceil_pads, (std::array<int64_t, 2>{1, 1}));
  ExpectNear(Execute(graph, std::vector<float>(16, 1.0F)), {1, 1, 1, 1});
  // The window that would start in the padding is dropped: 2 outputs, not 3.
  EXPECT_EQ(OutputShape(Imported(pool(3, 2, 2, 1))), (Shape{1, 1, 2, 2}));
}

TEST(CompilerImportOperators, AveragePoolDilatesFromOpset19) {
  const auto pool = [](int64_t opset) {
    return Single(opset, {1, 1, 5, 5}, "AveragePool", {}, [](NodeBuilder& n) {
      n.Ints("kernel_shape", {2, 2}).Ints("dilations", {2, 2});
    });
  };
  EXPECT_EQ(OutputShape(Imported(pool(19))), (Shape{1, 1, 3, 3}));
  EXPECT_NE(Refusal(pool(11)).find("attribute 'dilations' is not one of version 11"), std::string::npos);
}

TEST(CompilerImportOperators, ConvTransposeOddPadChangedSidesInOpset11) {
  const auto pads = [](int64_t opset) {
    OnnxBuilder builder = Single(opset, {1, 1, 3, 3}, "ConvTranspose", {"w"}, [](NodeBuilder& n) {
      n.Ints("strides", {2, 2}).String("auto_pad", "SAME_UPPER");
    });
    builder.InitNoise("w", {1, 1, 3, 3});
    return Imported(builder).nodes.at(0).as<ConvAttrs>().pads;
  };
  EXPECT_EQ(pads(9), (std::array<int64_t, 4>{1, 1, 0, 0}));
  EXPECT_EQ(pads(11), (std::array<int64_t, 4>{0, 0, 1, 1}));
}

TEST(CompilerImportOperators, GemmFoldsItsFactorsAndTransposes) {
  const std::vector<float> x = Noise(2 * 3), w = Noise(3 * 4, 2), c = Noise(4, 3);
  const auto want = [&](float alpha, float beta) {
    std::vector<float> y(8);
    for (size_t r = 0; r < 2; ++r) {
      for (size_t m = 0; m < 4; ++m) {
        float sum = 0;
        for (size_t k = 0; k < 3; ++k) sum += x[r * 3 + k] * w[k * 4 + m];
        y[r * 4 + m] = alpha * sum + beta * c[m];
      }
    }
    return y;
  };
  OnnxBuilder plain =
      Single(13, {2, 3}, "Gemm", {"w", "c"}, [](NodeBuilder& n) { n.Float("alpha", 0.5F).Float("beta", 2); });
  plain.Init("w", {3, 4}, w).Init("c", {1, 4}, c);
  const Graph graph = Imported(plain);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph.nodes[0].op, Op::kFullyConnected);
  EXPECT_EQ(graph.at(graph.nodes[0].inputs[1]).shape, (Shape{4, 3}));
  ExpectNear(Execute(graph, x), want(0.5F, 2));

  std::vector<float> wt(12), xt(6);
  for (size_t k = 0; k < 3; ++k) {
    for (size_t m = 0; m < 4; ++m) wt[m * 3 + k] = w[k * 4 + m];
    for (size_t r = 0; r < 2; ++r) xt[k * 2 + r] = x[r * 3 + k];
  }
  OnnxBuilder transposed =
      Single(13, {3, 2}, "Gemm", {"w", "c"}, [](NodeBuilder& n) { n.Int("transA", 1).Int("transB", 1); });
  transposed.Init("w", {4, 3}, wt).Init("c", {4}, c);
  ExpectNear(Execute(Imported(transposed), xt), want(1, 1));

  OnnxBuilder column = Single(13, {2, 3}, "Gemm", {"w", "c"});  // C varies by row: no bias
  column.Init("w", {3, 4}, w).Init("c", {2, 1}, {10, 20});
  const auto y = Execute(Imported(column), x), base = want(1, 0);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], base[i] + (i < 4 ? 10 : 20), 1e-5);
}

TEST(CompilerImportOperators, MatMulWithWeightsIsFullyConnectedOnAnyRank) {
  OnnxBuilder builder = Single(13, {2, 5, 3}, "MatMul", {"w"});
  builder.InitNoise("w", {3, 4});
  const Graph graph = Imported(builder);
  EXPECT_EQ(graph.nodes[0].op, Op::kFullyConnected);
  EXPECT_EQ(OutputShape(graph), (Shape{2, 5, 4}));
  OnnxBuilder two(13);
  two.Input("x", {2, 3, 4}).Input("z", {4, 5}).Output("y").Node("MatMul", {"x", "z"}, {"y"});
  EXPECT_EQ(Imported(two).nodes[0].op, Op::kMatMul);
  EXPECT_EQ(OutputShape(Imported(two)), (Shape{2, 3, 5}));
}

TEST(CompilerImportOperators, SumMinMaxOfManyAreChains) {
  OnnxBuilder builder(13);
  builder.Input("x", {2}).Init("a", {2}, {1, 5}).Init("b", {2}, {3, 3}).Output("y");
  builder.Node("Sum", {"x", "a", "b"}, {"s"});
  builder.Node("Max", {"s", "a", "b"}, {"m"});
  builder.Node("Min", {"m"}, {"y"});
  ExpectNear(Execute(Imported(builder), {-9, 1}), {3, 9});
}

TEST(CompilerImportOperators, NewFunctionsAppearWithTheirOpset) {
  for (const auto& [op, since] :
       std::vector<std::pair<std::string, int64_t>>{{"HardSwish", 14}, {"Mish", 18}, {"Gelu", 20}}) {
    EXPECT_EQ(Imported(Single(since, {2}, op, {})).nodes.size(), 1U) << op;
    EXPECT_NE(Refusal(Single(since - 1, {2}, op, {})).find("exists from opset " + std::to_string(since)),
              std::string::npos)
        << op;
  }
  EXPECT_NE(Refusal(Single(20, {2}, "Gelu", {}, [](NodeBuilder& n) { n.String("approximate", "tanh"); }))
                .find("approximate='tanh'"),
            std::string::npos);
}

/// The way PyTorch writes x.view(x.size(0), -1).
TEST(CompilerImportOperators, ShapeArithmeticIsFolded) {
  OnnxBuilder builder(13);
  builder.Input("x", {"batch", 3, 4, 4}).Output("y");
  builder.Node("Shape", {"x"}, {"shape"});
  builder.InitInts("zero", {}, {0}).InitInts("axes", {1}, {0}).InitInts("rest", {1}, {-1});
  builder.Node("Gather", {"shape", "zero"}, {"n"}).Int("axis", 0);
  builder.Node("Unsqueeze", {"n", "axes"}, {"n1"});
  builder.Node("Concat", {"n1", "rest"}, {"target"}).Int("axis", 0);
  builder.Node("Reshape", {"x", "target"}, {"y"});
  const Graph graph = Imported(builder);
  EXPECT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(OutputShape(graph), (Shape{1, 48}));
  EXPECT_EQ(graph.metadata.at("batch"), "x: symbolic batch compiled as 1");
}

TEST(CompilerImportOperators, IntegerConstantsAreFoldedExactly) {
  OnnxBuilder builder(13);
  builder.Input("x", {24}).Output("y");
  builder.InitInts("a", {2}, {7, -7}).InitInts("two", {}, {2}).InitInts("three", {1}, {3});
  builder.Node("Div", {"a", "two"}, {"quotient"});          // 3 -3: toward zero
  builder.Node("Mod", {"a", "three"}, {"remainder"});       // 1 2: sign of the divisor
  builder.Node("Add", {"quotient", "remainder"}, {"sum"});  // 4 -1
  builder.Node("Reshape", {"x", "sum"}, {"y"});
  EXPECT_EQ(OutputShape(Imported(builder)), (Shape{4, 6}));
  OnnxBuilder overflow(13);
  overflow.Input("x", {24}).Output("y").InitInts("a", {1}, {INT64_MAX});
  overflow.Node("Mul", {"a", "a"}, {"s"});
  overflow.Node("Reshape", {"x", "s"}, {"y"});
  EXPECT_NE(Refusal(overflow).find("overflows"), std::string::npos);
}

TEST(CompilerImportOperators, RangeConstantOfShapeExpandWhereEqualReduceProd) {
  OnnxBuilder builder(13);
  builder.Input("x", {6}).Output("y");
  builder.InitInts("from", {}, {1}).InitInts("to", {}, {4}).InitInts("step", {}, {1});
  builder.Node("Range", {"from", "to", "step"}, {"r"});         // 1 2 3
  builder.Node("ReduceProd", {"r"}, {"p"}).Int("keepdims", 0);  // 6
  builder.Node("Equal", {"r", "from"}, {"first"});              // 1 0 0
  builder.InitInts("p_shape", {1}, {3});
  builder.Node("Expand", {"p", "p_shape"}, {"p3"});  // 6 6 6
  builder.Node("ConstantOfShape", {"p_shape"}, {"ones"}).Tensor("value", IntTensor("v", {1}, {1}));
  builder.Node("Where", {"first", "p3", "ones"}, {"target"});  // 6 1 1
  builder.Node("Reshape", {"x", "target"}, {"y"});
  EXPECT_EQ(OutputShape(Imported(builder)), (Shape{6, 1, 1}));
}

TEST(CompilerImportOperators, FloatArithmeticOnConstantsIsEvaluated) {
  OnnxBuilder builder(13);
  builder.Input("x", {3}).Output("y").Init("a", {}, {16}).Init("b", {}, {2});
  builder.Node("Sqrt", {"a"}, {"four"});
  builder.Node("Mul", {"four", "b"}, {"eight"});
  builder.Node("Clip", {"x", "", "eight"}, {"y"});
  const Graph graph = Imported(builder);
  EXPECT_EQ(graph.nodes.size(), 1U);
  ExpectNear(Execute(graph, {1, 9, 8}), {1, 8, 8});
}

TEST(CompilerImportOperators, CastOfAnIntegerInputDequantizesIt) {
  OnnxBuilder builder(13);
  builder.Input("x", {2}, onnx::TensorProto::UINT8).Output("y");
  builder.Node("Cast", {"x"}, {"y"}).Int("to", onnx::TensorProto::FLOAT);
  const Graph graph = Imported(builder);
  EXPECT_EQ(graph.at(graph.inputs[0]).quant->zero_point[0], -128);
  EXPECT_EQ(graph.metadata.at("type:x"), "uint8");
  EXPECT_NE(Refusal(Single(13, {2}, "Cast", {}, [](NodeBuilder& n) { n.Int("to", onnx::TensorProto::INT8); }))
                .find("to int8"),
            std::string::npos);
}

TEST(CompilerImportOperators, RefusalsNameNodeOperatorAndTheWayOut) {
  const auto refused = [](const std::string& op, const std::string& domain = "") {
    return Refusal(Single(13, {1, 3, 4, 4}, op, {}, [&](NodeBuilder& n) { n.Named("here").Domain(domain); }));
  };
  EXPECT_NE(refused("Convv").find("did you mean Conv?"), std::string::npos);
  EXPECT_NE(refused("If").find("control flow"), std::string::npos);
  EXPECT_NE(refused("Loop").find("node 'here': operator Loop"), std::string::npos);
  EXPECT_NE(refused("QLinearConv").find("QDQ format"), std::string::npos);
  EXPECT_NE(refused("QLinearAdd", "com.microsoft").find("operator com.microsoft.QLinearAdd"), std::string::npos);
  EXPECT_NE(refused("TreeEnsembleRegressor", "ai.onnx.ml").find("tree ensembles"), std::string::npos);
  EXPECT_NE(refused("ImageScaler").find("ImageScaler"), std::string::npos);
  EXPECT_NE(refused("Mine", "my.domain").find("standard ONNX domain"), std::string::npos);
  EXPECT_NE(Refusal(Single(22, {1}, "Relu", {})).find("opset 22 is not supported"), std::string::npos);
  EXPECT_NE(Refusal(Single(6, {1}, "Relu", {})).find("opset 6 is not supported"), std::string::npos);
  OnnxBuilder one_d = Single(13, {1, 3, 8}, "Conv", {"w"});
  one_d.InitNoise("w", {4, 3, 3});
  EXPECT_NE(Refusal(one_d).find("node 'Conv:y' (Conv): has a 3-D input 1x3x8"), std::string::npos);
  OnnxBuilder dynamic(13);
  dynamic.Input("x", {1, 1, 4, 4}).Input("w", {1, 1, 3, 3}).Output("y").Node("Conv", {"x", "w"}, {"y"});
  EXPECT_NE(Refusal(dynamic).find("weights 'w' are computed from the model's inputs"), std::string::npos);
}

TEST(CompilerImportOperators, TableIsSortedAndVersionsAscend) {
  std::string last;
  for (const auto& row : compiler::SupportedOperators()) {
    EXPECT_LT(last, row.name);
    last = row.name;
    for (size_t i = 1; i < row.versions.size(); ++i) EXPECT_LT(row.versions[i - 1], row.versions[i]) << row.name;
    EXPECT_LE(row.versions.back(), 21) << row.name;
  }
}

}  // namespace
}  // namespace xrun::test
