#include "compiler/import/operators.h"

#include <algorithm>
#include <array>
#include <utility>

namespace xrun::compiler {

namespace {

struct Refused {
  std::string_view name;
  std::string_view hint;
};

constexpr std::string_view kControlFlow =
    "control flow is not supported: export with fixed shapes, or simplify (onnxsim)";
constexpr std::string_view kQOperator = "export the quantized model in QDQ format instead of QOperator format";
constexpr std::string_view kPostProcessing = "end the model before this node and do this step in the application";
constexpr std::string_view kRecurrent = "recurrent layers are not supported";

/// Operators that users meet, refused with the way out; everything else that is unknown gets "did you mean".
constexpr Refused kRefused[] = {
    {"If", kControlFlow},
    {"Loop", kControlFlow},
    {"Scan", kControlFlow},
    {"QLinearConv", kQOperator},
    {"QLinearMatMul", kQOperator},
    {"ConvInteger", kQOperator},
    {"MatMulInteger", kQOperator},
    {"DynamicQuantizeLinear", "quantize the model statically: dynamic quantization has no fixed scales"},
    {"NonMaxSuppression", kPostProcessing},
    {"TopK", kPostProcessing},
    {"NonZero", kPostProcessing},
    {"LSTM", kRecurrent},
    {"GRU", kRecurrent},
    {"RNN", kRecurrent},
    {"ImageScaler", "export with opset 7 or newer; the operator was experimental"},
    {"Einsum", "write it as MatMul, Transpose and Reshape"},
};

/// Levenshtein distance: for names that are nearly right.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string DidYouMean(std::string_view op) {
  constexpr size_t kLongestName = 64;
  if (op.size() > kLongestName) return "";
  std::string_view best;
  size_t best_distance = 3;
  for (const OperatorRule& rule : OperatorRules()) {
    const size_t distance = EditDistance(op, rule.name);
    if (distance < best_distance) {
      best_distance = distance;
      best = rule.name;
    }
  }
  return best.empty() ? "" : "did you mean " + std::string(best) + "?";
}

}  // namespace

const std::vector<OperatorRule>& OperatorRules() {
  // Since-versions up to opset 21. Where a version changed only the list of element types it is listed all the same:
  // what is not listed has not been read. Sorted by name.
  static const std::vector<OperatorRule> kRules = {
      {"Abs", {6, 13}, 1, 1, LowerUnary, FoldArithmetic},
      {"Add", {7, 13, 14}, 2, 2, LowerBinary, FoldArithmetic},
      {"ArgMax", {1, 11, 12, 13}, 1, 1, LowerArgMax, nullptr},
      {"ArgMin", {1, 11, 12, 13}, 1, 1, LowerArgMax, nullptr},
      {"AveragePool", {7, 10, 11, 19}, 1, 1, LowerPool, nullptr},
      {"BatchNormalization", {7, 9, 14, 15}, 5, 5, LowerBatchNorm, nullptr},
      {"Cast", {6, 9, 13, 19, 21}, 1, 1, LowerCast, FoldCast},
      {"Ceil", {6, 13}, 1, 1, LowerUnary, FoldRounding},
      {"Celu", {12}, 1, 1, LowerUnary, nullptr},
      {"Clip", {6, 11, 12, 13}, 1, 3, LowerClip, nullptr},
      {"Concat", {4, 11, 13}, 1, kAnyInputs, LowerConcat, FoldConcat},
      {"Constant", {1, 9, 11, 12, 13, 19, 21}, 0, 0, nullptr, FoldConstant},
      {"ConstantOfShape", {9, 20, 21}, 1, 1, nullptr, FoldConstantOfShape},
      {"Conv", {1, 11}, 2, 3, LowerConv, nullptr},
      {"ConvTranspose", {1, 11}, 2, 3, LowerConvTranspose, nullptr},
      {"Cos", {7}, 1, 1, LowerUnary, nullptr},
      {"DepthToSpace", {1, 11, 13}, 1, 1, LowerBlocks, nullptr},
      {"DequantizeLinear", {10, 13, 19, 21}, 2, 3, LowerDequantize, nullptr},
      {"Div", {7, 13, 14}, 2, 2, LowerBinary, FoldArithmetic},
      {"Dropout", {7, 10, 12, 13}, 1, 3, LowerDropout, nullptr},
      {"Elu", {6}, 1, 1, LowerUnary, nullptr},
      {"Equal", {7, 11, 13, 19}, 2, 2, nullptr, FoldEqual},
      {"Erf", {9, 13}, 1, 1, LowerUnary, nullptr},
      {"Exp", {6, 13}, 1, 1, LowerUnary, nullptr},
      {"Expand", {8, 13}, 2, 2, nullptr, FoldExpand},
      {"Flatten", {1, 9, 11, 13, 21}, 1, 1, LowerReshapeLike, FoldReshapeLike},
      {"Floor", {6, 13}, 1, 1, LowerUnary, FoldRounding},
      {"Gather", {1, 11, 13}, 2, 2, LowerGather, FoldGather},
      {"Gelu", {20}, 1, 1, LowerUnary, nullptr},
      {"Gemm", {7, 9, 11, 13}, 2, 3, LowerGemm, nullptr},
      {"GlobalAveragePool", {1}, 1, 1, LowerGlobalPool, nullptr},
      {"GlobalMaxPool", {1}, 1, 1, LowerGlobalPool, nullptr},
      {"GroupNormalization", {18, 21}, 3, 3, LowerGroupNorm, nullptr},
      {"HardSigmoid", {6}, 1, 1, LowerUnary, nullptr},
      {"HardSwish", {14}, 1, 1, LowerUnary, nullptr},
      {"Identity", {1, 13, 14, 16, 19, 21}, 1, 1, LowerReshapeLike, FoldReshapeLike},
      {"InstanceNormalization", {6}, 3, 3, LowerInstanceNorm, nullptr},
      {"LRN", {1, 13}, 1, 1, LowerLrn, nullptr},
      {"LayerNormalization", {17}, 2, 3, LowerLayerNorm, nullptr},
      {"LeakyRelu", {6, 16}, 1, 1, LowerUnary, nullptr},
      {"Log", {6, 13}, 1, 1, LowerUnary, nullptr},
      {"LogSoftmax", {1, 11, 13}, 1, 1, LowerSoftmax, nullptr},
      {"MatMul", {1, 9, 13}, 2, 2, LowerMatMul, nullptr},
      {"Max", {6, 8, 12, 13}, 1, kAnyInputs, LowerVariadic, FoldArithmetic},
      {"MaxPool", {1, 8, 10, 11, 12}, 1, 1, LowerPool, nullptr},
      {"Min", {6, 8, 12, 13}, 1, kAnyInputs, LowerVariadic, FoldArithmetic},
      {"Mish", {18}, 1, 1, LowerUnary, nullptr},
      {"Mod", {10, 13}, 2, 2, nullptr, FoldArithmetic},
      {"Mul", {7, 13, 14}, 2, 2, LowerBinary, FoldArithmetic},
      {"Neg", {6, 13}, 1, 1, LowerUnary, FoldArithmetic},
      {"PRelu", {7, 9, 16}, 2, 2, LowerBinary, nullptr},
      {"Pad", {2, 11, 13, 18, 19, 21}, 1, 4, LowerPad, nullptr},
      {"Pow", {7, 12, 13, 15}, 2, 2, LowerPow, nullptr},
      {"QuantizeLinear", {10, 13, 19, 21}, 2, 3, LowerQuantize, nullptr},
      {"Range", {11}, 3, 3, nullptr, FoldRange},
      {"Reciprocal", {6, 13}, 1, 1, LowerUnary, nullptr},
      {"ReduceL1", {1, 11, 13, 18}, 1, 2, LowerReduce, nullptr},
      {"ReduceL2", {1, 11, 13, 18}, 1, 2, LowerReduce, nullptr},
      {"ReduceLogSum", {1, 11, 13, 18}, 1, 2, LowerReduce, nullptr},
      {"ReduceLogSumExp", {1, 11, 13, 18}, 1, 2, LowerReduce, nullptr},
      {"ReduceMax", {1, 11, 12, 13, 18, 20}, 1, 2, LowerReduce, nullptr},
      {"ReduceMean", {1, 11, 13, 18}, 1, 2, LowerReduce, nullptr},
      {"ReduceMin", {1, 11, 12, 13, 18, 20}, 1, 2, LowerReduce, nullptr},
      {"ReduceProd", {1, 11, 13, 18}, 1, 2, LowerReduce, nullptr},
      {"ReduceSum", {1, 11, 13}, 1, 2, LowerReduce, nullptr},
      {"ReduceSumSquare", {1, 11, 13, 18}, 1, 2, LowerReduce, nullptr},
      {"Relu", {6, 13, 14}, 1, 1, LowerUnary, nullptr},
      {"Reshape", {5, 13, 14, 19, 21}, 2, 2, LowerReshapeLike, FoldReshapeLike},
      {"Resize", {10, 11, 13, 18, 19}, 1, 4, LowerResize, nullptr},
      {"Round", {11}, 1, 1, LowerUnary, nullptr},
      {"Selu", {6}, 1, 1, LowerUnary, nullptr},
      {"Shape", {1, 13, 15, 19, 21}, 1, 1, nullptr, FoldShape},
      {"Sigmoid", {6, 13}, 1, 1, LowerUnary, nullptr},
      {"Sign", {9, 13}, 1, 1, LowerUnary, nullptr},
      {"Sin", {7}, 1, 1, LowerUnary, nullptr},
      {"Size", {1, 13, 19, 21}, 1, 1, nullptr, FoldSize},
      {"Slice", {1, 10, 11, 13}, 1, 5, LowerSlice, FoldSlice},
      {"Softmax", {1, 11, 13}, 1, 1, LowerSoftmax, nullptr},
      {"Softplus", {1}, 1, 1, LowerUnary, nullptr},
      {"Softsign", {1}, 1, 1, LowerUnary, nullptr},
      {"SpaceToDepth", {1, 13}, 1, 1, LowerBlocks, nullptr},
      {"Split", {2, 11, 13, 18}, 1, 2, LowerSplit, nullptr},
      {"Sqrt", {6, 13}, 1, 1, LowerUnary, nullptr},
      {"Squeeze", {1, 11, 13, 21}, 1, 2, LowerReshapeLike, FoldReshapeLike},
      {"Sub", {7, 13, 14}, 2, 2, LowerBinary, FoldArithmetic},
      {"Sum", {6, 8, 13}, 1, kAnyInputs, LowerVariadic, nullptr},
      {"Tanh", {6, 13}, 1, 1, LowerUnary, nullptr},
      {"ThresholdedRelu", {10}, 1, 1, LowerUnary, nullptr},
      {"Transpose", {1, 13, 21}, 1, 1, LowerTranspose, FoldTranspose},
      {"Unsqueeze", {1, 11, 13, 21}, 1, 2, LowerReshapeLike, FoldReshapeLike},
      {"Upsample", {7, 9}, 1, 2, LowerResize, nullptr},
      {"Where", {9, 16}, 3, 3, nullptr, FoldWhere},
  };
  return kRules;
}

const OperatorRule* FindOperator(std::string_view name) {
  const auto& rules = OperatorRules();
  const auto found = std::lower_bound(rules.begin(), rules.end(), name,
                                      [](const OperatorRule& rule, std::string_view n) { return rule.name < n; });
  return found != rules.end() && found->name == name ? &*found : nullptr;
}

std::vector<RefusedOperator> RefusedOperators() {
  std::vector<RefusedOperator> rows;
  for (const Refused& refused : kRefused) rows.push_back({std::string(refused.name), std::string(refused.hint)});
  std::sort(rows.begin(), rows.end(),
            [](const RefusedOperator& a, const RefusedOperator& b) { return a.name < b.name; });
  return rows;
}

Failure RefuseOperator(const onnx::NodeProto& node, const std::string& name) {
  const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
  const std::string op = standard ? node.op_type() : node.domain() + "." + node.op_type();
  const std::string what = "node '" + name + "': operator " + op + " is not supported";
  if (!standard) {
    const bool quantized = node.domain() == "com.microsoft" && node.op_type().rfind('Q', 0) == 0;
    if (quantized) return {what, std::string(kQOperator)};
    if (node.domain() == "ai.onnx.ml") return {what, "tree ensembles and classical models cannot be compiled"};
    return {what, "only operators of the standard ONNX domain are: export without contrib or custom operators"};
  }
  for (const Refused& refused : kRefused) {
    if (refused.name == node.op_type()) return {what, std::string(refused.hint)};
  }
  return {what, DidYouMean(node.op_type())};
}

}  // namespace xrun::compiler
