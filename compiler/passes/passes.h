#ifndef XRUN_COMPILER_PASSES_PASSES_H_
#define XRUN_COMPILER_PASSES_PASSES_H_

#include "compiler/graph.h"

namespace xrun::compiler {

// Passes of canonicalization, one file each, the file named as the pass. Each returns whether it changed the graph, and
// fails only for what the user's model makes impossible (a batch norm with a negative variance). Every pass keeps the
// invariants of graph.h and moves no rounding point of a QDQ graph: weights behind a Dequantize are never rewritten,
// and nothing is moved across a Quantize or Dequantize.

/// Evaluates nodes whose inputs are all float constants. Dequantize of a constant stays: it is what marks int8 weights.
Result<bool> FoldConstants(Graph& graph);

/// Drops nodes that change nothing: Reshape to the same shape, Transpose to the same order, empty Pad, whole Slice,
/// Concat of one; joins successive Reshapes.
Result<bool> RemoveIdentity(Graph& graph);

/// Joins scalar arithmetic and functions of one tensor into one Unary chain, and recognises what exporters spell out:
/// HardSwish (also as Add-Clip-Mul-Div), HardSigmoid, SiLU, GELU with erf, Mish, Sigmoid, Softplus, LeakyRelu.
Result<bool> RecognisePatterns(Graph& graph);

/// LayerNormalization over the last axis, spelled out: means, squares, root, scale and bias become one node, which runs
/// in float. Follows recognise_patterns, which joins the scalar arithmetic.
Result<bool> RecogniseLayerNorm(Graph& graph);

/// Reshape, Transpose and Slice that together only choose and order channels of [1,C,H,W] (channel shuffle, whatever
/// way the exporter spells it) become one Slice or Gather of channels. Applies to float and to int8 values.
Result<bool> RecogniseChannelMoves(Graph& graph);

/// Pad before Conv or a pool becomes their own padding, where that means the same.
Result<bool> ExplicitPad(Graph& graph);

/// Arithmetic with a constant per channel after Conv, ConvTranspose or FullyConnected goes into weights and bias.
Result<bool> FoldScale(Graph& graph);

/// BatchNorm goes into the Conv, ConvTranspose or FullyConnected before it; one that stands alone becomes a depthwise
/// 1x1 Conv. No BatchNorm is left.
Result<bool> FoldBatchNorm(Graph& graph);

/// A Clip (Relu, Relu6) goes into the operator before it as its clamp, when nothing else reads the unclamped value.
Result<bool> FuseActivation(Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PASSES_PASSES_H_
