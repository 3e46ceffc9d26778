#ifndef XRUN_COMPILER_IMPORT_OPERATORS_H_
#define XRUN_COMPILER_IMPORT_OPERATORS_H_

#include <onnx/onnx_pb.h>

#include <string>
#include <string_view>
#include <vector>

#include "compiler/import/importer.h"

namespace xrun::compiler {

/// A constant computed while importing.
struct Folded {
  HostTensor tensor;
  std::optional<QuantParams> quant;
};

/// Lowers a node into the graph and defines its outputs.
using LowerFn = Status (*)(Importer&, const NodeView&);
/// Evaluates a node whose inputs are all constants; nothing when it prefers to be lowered (float arithmetic).
using FoldFn = Result<std::optional<Folded>> (*)(Importer&, const NodeView&);

/// One operator of the default ONNX domain.
struct OperatorRule {
  std::string_view name;
  std::vector<int> versions;  ///< since-versions understood, ascending; a gap would be a version we cannot read
  int min_inputs, max_inputs;
  LowerFn lower;  ///< null: only on constants
  FoldFn fold;    ///< null: never folded by the importer
};

constexpr int kMinOpset = 7, kMaxOpset = 21;
constexpr int kAnyInputs = 1 << 30;

const std::vector<OperatorRule>& OperatorRules();
const OperatorRule* FindOperator(std::string_view name);

/// Why a node with this operator cannot be imported: known and refused, from another domain, or unknown ("did you
/// mean ...").
Failure RefuseOperator(const onnx::NodeProto& node, const std::string& name);

// lower_conv.cpp
Status LowerConv(Importer&, const NodeView&);
Status LowerConvTranspose(Importer&, const NodeView&);
Status LowerPool(Importer&, const NodeView&);
Status LowerGlobalPool(Importer&, const NodeView&);
Status LowerBatchNorm(Importer&, const NodeView&);
// lower_reduce.cpp
Status LowerReduce(Importer&, const NodeView&);
Status LowerSoftmax(Importer&, const NodeView&);
// lower_normalize.cpp
Status LowerLayerNorm(Importer&, const NodeView&);
Status LowerInstanceNorm(Importer&, const NodeView&);
Status LowerGroupNorm(Importer&, const NodeView&);
// lower_matmul.cpp
Status LowerGemm(Importer&, const NodeView&);
Status LowerMatMul(Importer&, const NodeView&);
// lower_elementwise.cpp
Status LowerBinary(Importer&, const NodeView&);
Status LowerVariadic(Importer&, const NodeView&);
Status LowerPow(Importer&, const NodeView&);
Status LowerUnary(Importer&, const NodeView&);
Status LowerClip(Importer&, const NodeView&);
// lower_shape.cpp
Status LowerReshapeLike(Importer&, const NodeView&);
Status LowerCast(Importer&, const NodeView&);
Status LowerDropout(Importer&, const NodeView&);
Status LowerTranspose(Importer&, const NodeView&);
Status LowerConcat(Importer&, const NodeView&);
Status LowerSlice(Importer&, const NodeView&);
Status LowerSplit(Importer&, const NodeView&);
Status LowerPad(Importer&, const NodeView&);
/// Result shape of Reshape, Flatten, Squeeze, Unsqueeze, Identity for an input of this shape.
Result<Shape> ReshapeTarget(const Importer&, const NodeView&, const Shape& input);
Result<std::vector<int64_t>> TransposePerm(const NodeView&, size_t rank);
/// A Slice's begin, end, step for an input of this shape; ends may leave an axis empty.
Result<SliceAttrs> SliceRange(const Importer&, const NodeView&, const Shape& input);
/// An axis in [-rank, rank) made non-negative.
Result<int64_t> NormalizeAxis(const NodeView&, int64_t axis, size_t rank);
// lower_resize.cpp
Status LowerResize(Importer&, const NodeView&);
// lower_indexing.cpp
Status LowerBlocks(Importer&, const NodeView&);
Status LowerGather(Importer&, const NodeView&);
Status LowerArgMax(Importer&, const NodeView&);
Status LowerLrn(Importer&, const NodeView&);
// lower_quantize.cpp
Status LowerQuantize(Importer&, const NodeView&);
Status LowerDequantize(Importer&, const NodeView&);
/// uint8 data becomes int8 by subtracting 128; other types are unchanged.
HostTensor ShiftToInt8(const HostTensor& tensor);

// fold.cpp
using FoldResult = Result<std::optional<Folded>>;
FoldResult FoldConstant(Importer&, const NodeView&);
FoldResult FoldConstantOfShape(Importer&, const NodeView&);
FoldResult FoldShape(Importer&, const NodeView&);
FoldResult FoldSize(Importer&, const NodeView&);
FoldResult FoldGather(Importer&, const NodeView&);
FoldResult FoldConcat(Importer&, const NodeView&);
FoldResult FoldCast(Importer&, const NodeView&);
FoldResult FoldSlice(Importer&, const NodeView&);
FoldResult FoldRange(Importer&, const NodeView&);
FoldResult FoldReshapeLike(Importer&, const NodeView&);
FoldResult FoldTranspose(Importer&, const NodeView&);
FoldResult FoldArithmetic(Importer&, const NodeView&);
FoldResult FoldRounding(Importer&, const NodeView&);
FoldResult FoldExpand(Importer&, const NodeView&);
FoldResult FoldEqual(Importer&, const NodeView&);
FoldResult FoldWhere(Importer&, const NodeView&);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_IMPORT_OPERATORS_H_
