#include "compiler/import/operator_notes.h"

namespace xrun::compiler {
namespace {

constexpr std::string_view kBroadcast =
    "on the overlay one operand has the result's shape, the other may repeat along any axis";
constexpr std::string_view kUnary = "one table lookup, in the output stage of the layer before it where possible";
constexpr std::string_view kClamp = "becomes the clamp of the operator before it; else a table lookup";
constexpr std::string_view kPool = "2-D; windows to 16383, average of at most 2^20 elements";
constexpr std::string_view kReshaped = "free between C×H×W and C·H·W; other forms in front of Conv are refused";

constexpr std::string_view kReduceIntegers = "of int32 and int64 too";

}  // namespace

const std::vector<OperatorNote>& OperatorNotes() {
  static const std::vector<OperatorNote> kNotes = {
      {"Abs", {Op::kUnary}, kUnary},
      {"Add", {Op::kAdd}, kBroadcast},
      {"ArgMax", {Op::kArgMax}, ""},
      {"ArgMin", {Op::kArgMax}, ""},
      {"AveragePool", {Op::kAveragePool}, kPool},
      {"BatchNormalization", {Op::kConv}, "folded into the operator before it; else a depthwise 1×1 Conv"},
      {"Cast", {Op::kCast}, "to float, int32, int64 and bool; between float types nothing"},
      {"Ceil", {Op::kUnary}, kUnary},
      {"Celu", {Op::kUnary}, kUnary},
      {"Clip", {Op::kUnary}, kClamp},
      {"Concat", {Op::kConcat}, "on the overlay not along the batch; free where scales agree"},
      {"Conv",
       {Op::kConv},
       "2-D, constant weights; on the overlay kernel and dilation to 255, stride to 31; groups, depthwise"},
      {"ConvTranspose", {Op::kConvTranspose}, "2-D, constant weights; on the overlay strides to 15"},
      {"Cos", {Op::kUnary}, kUnary},
      {"DepthToSpace", {Op::kDepthToSpace}, "on the overlay blocks to 15"},
      {"DequantizeLinear", {Op::kDequantize}, "int8 and uint8, activations per tensor; int32 for biases"},
      {"Div", {Op::kDiv, Op::kUnary}, "by a constant scalar it is a Unary"},
      {"Dropout", {}, "inference only"},
      {"Elu", {Op::kUnary}, kUnary},
      {"Erf", {Op::kUnary}, kUnary},
      {"Exp", {Op::kUnary}, kUnary},
      {"Flatten", {Op::kReshape}, kReshaped},
      {"Floor", {Op::kUnary}, kUnary},
      {"Gather",
       {Op::kSlice, Op::kGather},
       "one index or evenly spaced ones are a Slice; of channels free on the overlay"},
      {"Gelu", {Op::kUnary}, "exact form only (approximate='none')"},
      {"Gemm", {Op::kFullyConnected, Op::kMatMul}, "constant second operand; one row on the overlay"},
      {"GlobalAveragePool", {Op::kAveragePool}, kPool},
      {"GlobalMaxPool", {Op::kMaxPool}, kPool},
      {"GroupNormalization", {Op::kInstanceNorm, Op::kMul, Op::kAdd}, ""},
      {"HardSigmoid", {Op::kUnary}, kUnary},
      {"HardSwish", {Op::kUnary}, kUnary},
      {"Identity", {}, ""},
      {"InstanceNormalization", {Op::kInstanceNorm}, ""},
      {"LRN", {Op::kLrn}, ""},
      {"LayerNormalization", {Op::kLayerNorm}, "no Mean and InvStdDev outputs"},
      {"LeakyRelu", {Op::kUnary}, kUnary},
      {"Log", {Op::kUnary}, kUnary},
      {"LogSoftmax", {Op::kLogSoftmax}, ""},
      {"MatMul", {Op::kFullyConnected, Op::kMatMul}, "constant second operand for int8; one row on the overlay"},
      {"Max", {Op::kMax, Op::kUnary}, "with a constant scalar it is a Unary"},
      {"MaxPool", {Op::kMaxPool}, "2-D; windows to 16383; no indices output"},
      {"Min", {Op::kMin, Op::kUnary}, "with a constant scalar it is a Unary"},
      {"Mish", {Op::kUnary}, kUnary},
      {"Mul", {Op::kMul}, kBroadcast},
      {"Neg", {Op::kUnary}, kUnary},
      {"PRelu", {Op::kPRelu}, ""},
      {"Pad", {Op::kPad}, "constant mode, no negative pads; channels with zero only; before Conv and pools free"},
      {"Pow", {Op::kPow, Op::kUnary}, "with a constant exponent it is a Unary"},
      {"QuantizeLinear", {Op::kQuantize}, "int8 and uint8, activations per tensor"},
      {"Reciprocal", {Op::kUnary}, kUnary},
      {"ReduceL1", {Op::kReduce}, kReduceIntegers},
      {"ReduceL2", {Op::kReduce}, ""},
      {"ReduceLogSum", {Op::kReduce}, ""},
      {"ReduceLogSumExp", {Op::kReduce}, ""},
      {"ReduceMax", {Op::kReduce}, kReduceIntegers},
      {"ReduceMean", {Op::kAveragePool, Op::kReduce}, "on the overlay H and W together; not of integers"},
      {"ReduceMin", {Op::kReduce}, kReduceIntegers},
      {"ReduceProd", {Op::kReduce}, kReduceIntegers},
      {"ReduceSum", {Op::kReduce}, kReduceIntegers},
      {"ReduceSumSquare", {Op::kReduce}, kReduceIntegers},
      {"Relu", {Op::kUnary}, kClamp},
      {"Reshape", {Op::kReshape}, kReshaped},
      {"Resize",
       {Op::kResize},
       "on the overlay nearest and linear by whole factors to 15, linear weights of 8 bits; not tf_crop_and_resize, no "
       "antialias"},
      {"Round", {Op::kUnary}, kUnary},
      {"Selu", {Op::kUnary}, kUnary},
      {"Sigmoid", {Op::kUnary}, kUnary},
      {"Sign", {Op::kUnary}, kUnary},
      {"Sin", {Op::kUnary}, kUnary},
      {"Slice", {Op::kSlice}, "free with step 1 and along channels; spatial steps to 31"},
      {"Softmax", {Op::kSoftmax}, ""},
      {"Softplus", {Op::kUnary}, kUnary},
      {"Softsign", {Op::kUnary}, kUnary},
      {"SpaceToDepth", {Op::kSpaceToDepth}, "on the overlay blocks to 15"},
      {"Split", {Op::kSlice}, "as Slice"},
      {"Sqrt", {Op::kUnary}, kUnary},
      {"Squeeze", {Op::kReshape}, kReshaped},
      {"Sub", {Op::kSub}, kBroadcast},
      {"Sum", {Op::kAdd}, kBroadcast},
      {"Tanh", {Op::kUnary}, kUnary},
      {"ThresholdedRelu", {Op::kUnary}, kUnary},
      {"Transpose",
       {Op::kTranspose},
       "free on the overlay where it only orders channels (channel shuffles, however spelled)"},
      {"Unsqueeze", {Op::kReshape}, kReshaped},
      {"Upsample", {Op::kResize}, "as Resize"},
  };
  return kNotes;
}

}  // namespace xrun::compiler
