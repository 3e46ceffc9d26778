#ifndef XRUN_COMPILER_QUANTIZE_QDQ_EXPORT_H_
#define XRUN_COMPILER_QUANTIZE_QDQ_EXPORT_H_

#include <filesystem>
#include <string>

#include "compiler/graph.h"

namespace xrun::compiler {

/// The graph as a standard ONNX model (a serialized ModelProto). Every int8 activation V becomes: operator → tensor "V"
/// → QuantizeLinear → "V_quantized" → DequantizeLinear → "V_dequantized"; int8 weights and int32 biases are
/// initializers behind DequantizeLinear; a fused clamp is a Relu or Clip before the QuantizeLinear. The opset is 13, or
/// the higher one that an operator needs. Reading the file back (ImportOnnx, AbsorbQdq) gives the same integers. Fails,
/// naming the node, for what ONNX cannot say.
Result<std::string> ExportQdq(const Graph& graph);

/// ExportQdq into a file: written beside it first and renamed when complete, so that a full disk or an interruption
/// leaves what was there before.
Status WriteQdq(const Graph& graph, const std::filesystem::path& file);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_QDQ_EXPORT_H_
