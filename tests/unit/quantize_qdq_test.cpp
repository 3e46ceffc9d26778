// Export to QDQ ONNX, import and absorb: the same integers come back.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/absorb_qdq.h"
#include "compiler/quantize/qdq_export.h"
#include "compiler/quantize/quantize.h"
#include "tests/unit/quantize_test_util.h"

namespace xrun::compiler {
namespace {

Graph QuantizedEverything() {
  const Graph graph = GraphMaker::Everything();
  auto quantized = Quantize(graph, Calibrated(graph));
  EXPECT_TRUE(quantized.ok()) << quantized.failure().message;
  return std::move(quantized).value().graph;
}

Result<Graph> ReadBack(const std::string& bytes) {
  XRUN_ASSIGN_OR_RETURN(Graph graph,
                        ImportOnnx({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "exported"));
  XRUN_RETURN_IF_ERROR(Canonicalize(graph));
  return AbsorbQdq(graph);
}

/// Nodes by the value they produce; the order of independent nodes may differ.
std::map<std::string, const Node*> ByOutput(const Graph& graph) {
  std::map<std::string, const Node*> nodes;
  for (const Node& node : graph.nodes) nodes[graph.at(node.outputs[0]).name] = &node;
  return nodes;
}

void ExpectSameIntegers(const Graph& a, const Graph& b) {
  ASSERT_EQ(a.nodes.size(), b.nodes.size()) << ToText(a) << ToText(b);
  const auto nodes_b = ByOutput(b);
  for (const auto& [name, x] : ByOutput(a)) {
    SCOPED_TRACE(name);
    ASSERT_EQ(nodes_b.count(name), 1U) << ToText(b);
    const Node* y = nodes_b.at(name);
    ASSERT_EQ(x->op, y->op);
    EXPECT_EQ(x->attrs, y->attrs);
    EXPECT_EQ(x->clamp, y->clamp);
    EXPECT_EQ(a.at(x->outputs[0]).quant, b.at(y->outputs[0]).quant);
    EXPECT_EQ(a.at(x->outputs[0]).shape, b.at(y->outputs[0]).shape);
    ASSERT_EQ(x->inputs.size(), y->inputs.size());
    for (size_t i = 0; i < x->inputs.size(); ++i) {
      const Value& u = a.at(x->inputs[i]);
      const Value& v = b.at(y->inputs[i]);
      EXPECT_EQ(u.dtype, v.dtype);
      EXPECT_EQ(u.quant, v.quant);
      ASSERT_EQ(u.is_constant(), v.is_constant());
      if (u.is_constant()) {
        EXPECT_EQ(*u.constant, *v.constant);
      } else {
        EXPECT_EQ(u.name, v.name);
      }
    }
  }
}

TEST(Qdq, RoundTripKeepsEveryInteger) {
  const Graph graph = QuantizedEverything();
  auto bytes = ExportQdq(graph);
  ASSERT_TRUE(bytes.ok()) << bytes.failure().message;
  auto back = ReadBack(bytes.value());
  ASSERT_TRUE(back.ok()) << back.failure().message;
  const Status verified = Verify(back.value());
  ASSERT_TRUE(verified.ok()) << verified.failure().message;
  ExpectSameIntegers(graph, back.value());
}

TEST(Qdq, EveryFunctionSurvives) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<UnaryFunction>> chains = {{{UnaryKind::kClip, 0, inf}},
                                                          {{UnaryKind::kClip, -inf, 1.5}},
                                                          {{UnaryKind::kClip, -1, 2}},
                                                          {{UnaryKind::kLeakyRelu, 0.125, 0}},
                                                          {{UnaryKind::kSigmoid, 0, 0}},
                                                          {{UnaryKind::kHardSigmoid, 0.25, 0.5}},
                                                          {{UnaryKind::kHardSwish, 0, 0}},
                                                          {{UnaryKind::kSilu, 0, 0}},
                                                          {{UnaryKind::kTanh, 0, 0}},
                                                          {{UnaryKind::kElu, 1.5, 0}},
                                                          {{UnaryKind::kSoftplus, 0, 0}},
                                                          {{UnaryKind::kGelu, 0, 0}},
                                                          {{UnaryKind::kMish, 0, 0}},
                                                          {{UnaryKind::kExp, 0, 0}},
                                                          {{UnaryKind::kNeg, 0, 0}},
                                                          {{UnaryKind::kAbs, 0, 0}},
                                                          {{UnaryKind::kErf, 0, 0}},
                                                          {{UnaryKind::kCeil, 0, 0}},
                                                          {{UnaryKind::kFloor, 0, 0}},
                                                          {{UnaryKind::kRound, 0, 0}},
                                                          {{UnaryKind::kSign, 0, 0}},
                                                          {{UnaryKind::kSin, 0, 0}},
                                                          {{UnaryKind::kCos, 0, 0}},
                                                          {{UnaryKind::kSoftsign, 0, 0}},
                                                          {{UnaryKind::kCelu, 0.5, 0}},
                                                          {{UnaryKind::kSelu, 1.5, 1.25}},
                                                          {{UnaryKind::kThresholdedRelu, 0.25, 0}},
                                                          {{UnaryKind::kAffine, 0.5, 0.25}},
                                                          {{UnaryKind::kTanh, 0, 0}, {UnaryKind::kExp, 0, 0}}};
  for (const auto& chain : chains) {
    SCOPED_TRACE(std::string(Name(chain[0].kind)));
    GraphMaker make;
    const ValueId x = make.Conv(make.Input({1, 2, 4, 4}), 3, 1);
    make.graph.outputs = {make.Add(Op::kUnary, UnaryAttrs{chain}, {x})};
    auto quantized = Quantize(make.graph, Calibrated(make.graph));
    ASSERT_TRUE(quantized.ok()) << quantized.failure().message;
    auto bytes = ExportQdq(quantized.value().graph);
    ASSERT_TRUE(bytes.ok()) << bytes.failure().message;
    auto back = ReadBack(bytes.value());
    ASSERT_TRUE(back.ok()) << back.failure().message;
    ExpectSameIntegers(quantized.value().graph, back.value());
  }
}

TEST(Qdq, MissingRoundingBeforeAFunctionIsRefusedByName) {
  // The exported graph without the Quantize and Dequantize behind the convolution.
  GraphMaker make;
  const ValueId x = make.Conv(make.Input({1, 2, 4, 4}), 3, 1);
  make.graph.outputs = {make.Add(Op::kUnary, UnaryAttrs{{{UnaryKind::kSigmoid, 0, 0}}}, {x})};
  auto quantized = Quantize(make.graph, Calibrated(make.graph));
  ASSERT_TRUE(quantized.ok());
  auto bytes = ExportQdq(quantized.value().graph);
  ASSERT_TRUE(bytes.ok());
  auto graph = ImportOnnx({reinterpret_cast<const uint8_t*>(bytes.value().data()), bytes.value().size()}, "exported");
  ASSERT_TRUE(graph.ok());
  Graph& qdq = graph.value();
  ASSERT_TRUE(HasQdq(qdq));
  for (size_t n = 0; n < qdq.nodes.size(); ++n) {
    if (qdq.nodes[n].op != Op::kUnary) continue;
    const NodeId dequantize = qdq.Producer(qdq.nodes[n].inputs[0]);
    const NodeId quantize = qdq.Producer(qdq.nodes[static_cast<size_t>(dequantize)].inputs[0]);
    qdq.nodes[n].inputs[0] = qdq.nodes[static_cast<size_t>(quantize)].inputs[0];
  }
  qdq.RemoveDead();
  auto absorbed = AbsorbQdq(qdq);
  ASSERT_FALSE(absorbed.ok());
  EXPECT_NE(absorbed.failure().message.find("'Conv0'"), std::string::npos) << absorbed.failure().message;
  EXPECT_FALSE(absorbed.failure().hint.empty());
}

TEST(Qdq, WriteIsAllOrNothing) {
  const auto folder = std::filesystem::temp_directory_path() / "xrun_qdq_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto file = folder / "model.onnx";
  const Graph graph = QuantizedEverything();
  ASSERT_TRUE(WriteQdq(graph, file).ok());
  EXPECT_GT(std::filesystem::file_size(file), 1000U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  const Status missing = WriteQdq(graph, folder / "nowhere" / "model.onnx");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.failure().message.find("nowhere"), std::string::npos);
  const Status full = WriteQdq(graph, "/dev/full");
  ASSERT_FALSE(full.ok());
  EXPECT_NE(full.failure().message.find("No space left"), std::string::npos) << full.failure().message;
  EXPECT_FALSE(std::filesystem::is_regular_file("/dev/full"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace xrun::compiler
