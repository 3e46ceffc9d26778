#ifndef XRUN_COMPILER_INSTRUCTIONS_H_
#define XRUN_COMPILER_INSTRUCTIONS_H_

#include "compiler/emitter.h"
#include "compiler/lower.h"
#include "isa/assembly.h"

namespace xrun::compiler {

/// Rows of a layer's result in full width, and where operands and result lie: what one instruction computes.
struct RowWork {
  uint32_t y0 = 0, yn = 0;  ///< rows of the output
  InputSpan rows;           ///< of the main operand; rows.pad of them lie above it
  View src;                 ///< main operand's row rows.first, first group read
  View b;                   ///< Elementwise: second operand's row y0, or its only row
  View res;                 ///< residual's row y0, first output group
  View dst;                 ///< result's row y0, first output group
  uint32_t in_groups = 1, out_groups = 1;
};

/// The instruction, without weights, parameters and tokens. Conv reads all of `in_groups`.
Conv ConvOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work);
Depthwise DepthwiseOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work);
/// An average must count the same number of taps everywhere.
Pool PoolOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work);
Elementwise ElementwiseOf(const Layer& layer, const OverlayTensor& a, const OverlayTensor* b, const OverlayTensor& out,
                          const RowWork& work);

/// Row `row` of the work of a layer that repeats pixels (RepeatsPixels).
Elementwise RepeatOf(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, const RowWork& work,
                     uint32_t row);

/// Copies rows that a buffer needs again from its end to its beginning.
Elementwise RowCopy(uint32_t groups, uint32_t rows, uint32_t cols, const View& from, const View& to);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_INSTRUCTIONS_H_
