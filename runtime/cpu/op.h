#ifndef XRUN_RUNTIME_CPU_OP_H_
#define XRUN_RUNTIME_CPU_OP_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace xrun {

/// The operators of the project's one graph form. The compiler's IR, its float executor, and the CPU partitions inside
/// a program file all speak of these; ONNX's own operators exist only inside the importer.
///
/// X(enumerator, printed name, attribute struct)
#define XRUN_FOR_EACH_OP(X)                                                                                   \
  X(kConv, "Conv", ConvAttrs)                   /* x [N,C,H,W], w [M,C/g,KH,KW], b [M] optional */            \
  X(kConvTranspose, "ConvTranspose", ConvAttrs) /* x [N,C,H,W], w [C,M/g,KH,KW], b [M] optional */            \
  X(kFullyConnected, "FullyConnected", NoAttrs) /* x [...,K], w [M,K] constant, b [M] optional -> [...,M] */  \
  X(kMatMul, "MatMul", MatMulAttrs)             /* two activations, numpy semantics */                        \
  X(kBatchNorm, "BatchNorm", BatchNormAttrs)    /* x, gamma, beta, mean, var; gone after folding */           \
  X(kMaxPool, "MaxPool", PoolAttrs)                                                                           \
  X(kAveragePool, "AveragePool", PoolAttrs) /* GlobalAveragePool is kernel = the whole plane */               \
  X(kAdd, "Add", NoAttrs)                   /* numpy broadcasting */                                          \
  X(kSub, "Sub", NoAttrs)                                                                                     \
  X(kMul, "Mul", NoAttrs)                                                                                     \
  X(kDiv, "Div", NoAttrs)                                                                                     \
  X(kMin, "Min", NoAttrs)                                                                                     \
  X(kMax, "Max", NoAttrs)                                                                                     \
  X(kPow, "Pow", NoAttrs)                                                                                     \
  X(kPRelu, "PRelu", NoAttrs)    /* x, slope */                                                               \
  X(kUnary, "Unary", UnaryAttrs) /* a chain of functions of one tensor */                                     \
  X(kConcat, "Concat", AxisAttrs)                                                                             \
  X(kSlice, "Slice", SliceAttrs)                                                                              \
  X(kPad, "Pad", PadAttrs)                                                                                    \
  X(kReshape, "Reshape", NoAttrs) /* target shape = output's shape; Flatten, Squeeze, ... */                  \
  X(kTranspose, "Transpose", TransposeAttrs)                                                                  \
  X(kSoftmax, "Softmax", AxisAttrs)                                                                           \
  X(kLogSoftmax, "LogSoftmax", AxisAttrs)                                                                     \
  X(kReduce, "Reduce", ReduceAttrs)                                                                           \
  X(kLayerNorm, "LayerNormalization", LayerNormAttrs)       /* x, scale, bias optional */                     \
  X(kInstanceNorm, "InstanceNormalization", BatchNormAttrs) /* x [N,C,...], scale [C], bias [C] */            \
  X(kResize, "Resize", ResizeAttrs)                         /* target shape = output's shape */               \
  X(kDepthToSpace, "DepthToSpace", BlockAttrs)                                                                \
  X(kSpaceToDepth, "SpaceToDepth", BlockAttrs)                                                                \
  X(kGather, "Gather", AxisAttrs)                      /* x, int64 indices */                                 \
  X(kArgMax, "ArgMax", ArgMaxAttrs)                    /* float -> int64 */                                   \
  X(kGatherElements, "GatherElements", AxisAttrs)      /* x, int64 indices */                                 \
  X(kGatherNd, "GatherND", GatherNdAttrs)              /* x, int64 indices */                                 \
  X(kTopK, "TopK", TopKAttrs)                          /* places of the largest, int64; the values: Gather */ \
  X(kNonMaxSuppression, "NonMaxSuppression", NmsAttrs) /* boxes [N,B,4], scores [N,C,B] -> int64 [rows,3] */  \
  X(kTile, "Tile", NoAttrs)                            /* repeats each axis to the output's shape */          \
  X(kMirrorPad, "MirrorPad", MirrorPadAttrs)           /* padding made of the input's own elements */         \
  X(kWhere, "Where", NoAttrs)                          /* bool condition, x, y */                             \
  X(kEqual, "Equal", NoAttrs)                          /* comparisons: two of one type -> bool */             \
  X(kGreater, "Greater", NoAttrs)                                                                             \
  X(kGreaterOrEqual, "GreaterOrEqual", NoAttrs)                                                               \
  X(kLess, "Less", NoAttrs)                                                                                   \
  X(kLessOrEqual, "LessOrEqual", NoAttrs)                                                                     \
  X(kAnd, "And", NoAttrs) /* logic on bool */                                                                 \
  X(kOr, "Or", NoAttrs)                                                                                       \
  X(kXor, "Xor", NoAttrs)                                                                                     \
  X(kNot, "Not", NoAttrs)                                                                                     \
  X(kIsNan, "IsNaN", NoAttrs)                                                                                 \
  X(kMod, "Mod", ModAttrs)                                                                                    \
  X(kCast, "Cast", CastAttrs)                                                                                 \
  X(kLrn, "LRN", LrnAttrs)              /* over the channels of [N,C,...] */                                  \
  X(kQuantize, "Quantize", NoAttrs)     /* float -> int8, parameters of the output value */                   \
  X(kDequantize, "Dequantize", NoAttrs) /* int8 -> float, parameters of the input value */

/// Element types of values. uint8 graphs are shifted to int8 at import.
enum class DType : uint8_t { kFloat32, kInt8, kInt32, kInt64, kBool };

struct NoAttrs {
  bool operator==(const NoAttrs&) const = default;
};

struct MatMulAttrs {
  bool transpose_a = false;  ///< the last two axes of the first operand, which has at least two, change places first
  bool operator==(const MatMulAttrs&) const = default;
};

/// Order of `pads`: top, left, bottom, right, always explicit (auto_pad is resolved at import).
struct ConvAttrs {
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1}, output_padding{0, 0};
  std::array<int64_t, 4> pads{0, 0, 0, 0};
  int64_t groups = 1;
  bool operator==(const ConvAttrs&) const = default;
};

struct PoolAttrs {
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  /// Bottom and right pads include what ceil_mode added beyond the declared padding; that excess is in `ceil_pads`
  /// (bottom, right) and is never counted by an average.
  std::array<int64_t, 4> pads{0, 0, 0, 0};
  std::array<int64_t, 2> ceil_pads{0, 0};
  bool count_include_pad = false;
  bool operator==(const PoolAttrs&) const = default;
};

struct BatchNormAttrs {
  float epsilon = 1e-5F;
  bool operator==(const BatchNormAttrs&) const = default;
};

struct AxisAttrs {
  int64_t axis = 0;  ///< never negative
  bool operator==(const AxisAttrs&) const = default;
};

/// Per axis of the input; step may be negative as in ONNX; ends already clamped to the shape.
struct SliceAttrs {
  std::vector<int64_t> begin, end, step;
  bool operator==(const SliceAttrs&) const = default;
};

/// Constant padding only.
struct PadAttrs {
  std::vector<int64_t> before, after;
  float value = 0.0F;
  bool operator==(const PadAttrs&) const = default;
};

struct TransposeAttrs {
  std::vector<int64_t> perm;
  bool operator==(const TransposeAttrs&) const = default;
};

enum class ResizeMode : uint8_t { kNearest, kLinear, kCubic };
enum class ResizeCoordinates : uint8_t {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNn
};
/// kSimple: what Resize 10 and Upsample do: down when growing, up when shrinking.
enum class ResizeRounding : uint8_t { kPreferFloor, kPreferCeil, kFloor, kCeil, kSimple };

struct ResizeAttrs {
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kHalfPixel;
  ResizeRounding rounding = ResizeRounding::kPreferFloor;
  float cubic_a = -0.75F;
  bool exclude_outside = false;
  std::vector<double> scales;  ///< per axis; as the model gives them, else output size / input size
  bool operator==(const ResizeAttrs&) const = default;
};

/// Block of b × b pixels ↔ b·b channels; in channel c·b·b + block (crd) or block·C + c.
struct BlockAttrs {
  int64_t block = 1;
  bool crd = false;
  bool operator==(const BlockAttrs&) const = default;
};

struct ArgMaxAttrs {
  int64_t axis = 0;
  bool keep_dims = true, last = false;  ///< last: of equal ones the last
  bool least = false;                   ///< ArgMin
  bool operator==(const ArgMaxAttrs&) const = default;
};

struct CastAttrs {
  DType to = DType::kFloat32;
  bool operator==(const CastAttrs&) const = default;
};

enum class ReduceKind : uint8_t { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kSumSquare, kLogSum, kLogSumExp };

struct ReduceAttrs {
  ReduceKind kind = ReduceKind::kSum;
  std::vector<int64_t> axes;  ///< ascending
  bool keep_dims = true;
  bool operator==(const ReduceAttrs&) const = default;
};

/// Over all axes from `axis` on together; scale and bias have their shape.
struct LayerNormAttrs {
  int64_t axis = 0;
  float epsilon = 1e-5F;
  bool operator==(const LayerNormAttrs&) const = default;
};

struct GatherNdAttrs {
  int64_t batch_dims = 0;
  bool operator==(const GatherNdAttrs&) const = default;
};

struct TopKAttrs {
  int64_t axis = 0, k = 1;
  bool largest = true;
  bool operator==(const TopKAttrs&) const = default;
};

/// The result has its largest possible number of rows; those behind the last box are -1.
struct NmsAttrs {
  int64_t most = 1;  ///< boxes a class
  float iou = 0, score = 0;
  bool center = false;  ///< boxes are x, y of the centre, width, height; else two corners
  bool operator==(const NmsAttrs&) const = default;
};

enum class MirrorMode : uint8_t { kReflect, kEdge, kWrap };

struct MirrorPadAttrs {
  MirrorMode mode = MirrorMode::kReflect;
  std::vector<int64_t> before, after;
  bool operator==(const MirrorPadAttrs&) const = default;
};

struct ModAttrs {
  bool fmod = false;  ///< sign of the dividend, else of the divisor
  bool operator==(const ModAttrs&) const = default;
};

struct LrnAttrs {
  int64_t size = 1;
  float alpha = 1e-4F, beta = 0.75F, bias = 1.0F;
  bool operator==(const LrnAttrs&) const = default;
};

/// The functions a unary chain is made of. `a`, `b`: the parameters, in the meaning given beside each; the formulas are
/// those of isa/README.md ("Unary functions"), in IEEE double.
#define XRUN_FOR_EACH_UNARY(X)                                               \
  X(kClip, "Clip")           /* min(max(x, a), b); Relu is a = 0, b = inf */ \
  X(kLeakyRelu, "LeakyRelu") /* x >= 0 ? x : a x */                          \
  X(kSigmoid, "Sigmoid")                                                     \
  X(kHardSigmoid, "HardSigmoid") /* max(0, min(1, a x + b)) */               \
  X(kHardSwish, "HardSwish")     /* x max(0, min(1, (1/6) x + 1/2)) */       \
  X(kSilu, "SiLU")               /* x sigmoid(x) */                          \
  X(kTanh, "Tanh")                                                           \
  X(kElu, "Elu") /* x >= 0 ? x : a (e^x - 1) */                              \
  X(kSoftplus, "Softplus")                                                   \
  X(kGelu, "Gelu") /* exact, with erf */                                     \
  X(kMish, "Mish")                                                           \
  X(kExp, "Exp")                                                             \
  X(kLog, "Log")                                                             \
  X(kSqrt, "Sqrt")                                                           \
  X(kNeg, "Neg")                                                             \
  X(kAbs, "Abs")                                                             \
  X(kReciprocal, "Reciprocal")                                               \
  X(kErf, "Erf")                                                             \
  X(kAffine, "Affine")     /* a x + b */                                     \
  X(kPowConst, "PowConst") /* x^a */                                         \
  X(kCeil, "Ceil")                                                           \
  X(kFloor, "Floor")                                                         \
  X(kRound, "Round") /* half to even */                                      \
  X(kSign, "Sign")                                                           \
  X(kSin, "Sin")                                                             \
  X(kCos, "Cos")                                                             \
  X(kSoftsign, "Softsign")               /* x / (1 + |x|) */                 \
  X(kCelu, "Celu")                       /* x >= 0 ? x : a (e^(x/a) - 1) */  \
  X(kSelu, "Selu")                       /* x > 0 ? b x : b (a e^x - a) */   \
  X(kThresholdedRelu, "ThresholdedRelu") /* x > a ? x : 0 */

enum class UnaryKind : uint8_t {
#define X(e, n) e,
  XRUN_FOR_EACH_UNARY(X)
#undef X
};

struct UnaryFunction {
  UnaryKind kind = UnaryKind::kClip;
  double a = 0, b = 0;
  bool operator==(const UnaryFunction&) const = default;
};

struct UnaryAttrs {
  std::vector<UnaryFunction> chain;  ///< applied first to last
  bool operator==(const UnaryAttrs&) const = default;
};

enum class Op : uint8_t {
#define X(e, n, a) e,
  XRUN_FOR_EACH_OP(X)
#undef X
};

using Attributes =
    std::variant<NoAttrs, MatMulAttrs, ConvAttrs, PoolAttrs, BatchNormAttrs, AxisAttrs, SliceAttrs, PadAttrs,
                 TransposeAttrs, UnaryAttrs, ResizeAttrs, BlockAttrs, ArgMaxAttrs, CastAttrs, LrnAttrs, ReduceAttrs,
                 LayerNormAttrs, GatherNdAttrs, TopKAttrs, NmsAttrs, MirrorPadAttrs, ModAttrs>;

/// A clamp of the result in real values, fused into the producing operator (Relu: lo = 0, hi = +inf). In a quantized
/// operator it acts on the quantized result, between saturate(zy + rhe(lo/sy)) and saturate(zy + rhe(hi/sy)).
struct Clamp {
  float lo, hi;
  bool operator==(const Clamp&) const = default;
};

std::string_view Name(Op op);
std::string_view Name(UnaryKind kind);
std::string_view Name(DType type);
std::string_view Name(ReduceKind kind);
std::string_view Name(MirrorMode mode);
size_t SizeOf(DType type);

}  // namespace xrun

#endif  // XRUN_RUNTIME_CPU_OP_H_
