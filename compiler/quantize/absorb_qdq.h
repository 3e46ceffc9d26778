#ifndef XRUN_COMPILER_QUANTIZE_ABSORB_QDQ_H_
#define XRUN_COMPILER_QUANTIZE_ABSORB_QDQ_H_

#include "compiler/graph.h"

namespace xrun::compiler {

/// Whether the graph holds Quantize or Dequantize nodes, so that AbsorbQdq and not Quantize is what it needs.
bool HasQdq(const Graph& graph);

/// Turns an imported QDQ graph (operators on floats between Dequantize and Quantize nodes) into the quantized graph of
/// graph.h: an operator whose operands are dequantized and whose result is quantized becomes a quantized operator with
/// the file's own scales and zero points.
///
///  - Weights keep their zero points. A bias may be int32 at sx·sw, any other dequantized constant, or float; the last
///  two
///    are rounded to sx·sw.
///  - Data movement and MaxPool need no Quantize of their own. Where theirs differs from their input's, a
///  requantization
///    (a Unary with an empty chain) follows them.
///  - Functions in a row before one Quantize become one table.
///  - Operators without a quantized form, and operators whose result only such operators or the model's outputs read,
///    stay float.
///  - An accumulator that another quantizable operator reads without a Quantize between is refused by name: rounding
///  points
///    are the file's to state. So is a sum that could leave 32 bits.
Result<Graph> AbsorbQdq(const Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_ABSORB_QDQ_H_
