// Convolutions and pools: everything with a window. auto_pad and ceil_mode end here.

#include <algorithm>
#include <utility>

#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

enum class AutoPad { kNotSet, kValid, kSameUpper, kSameLower };

struct Window {
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<int64_t, 4> pads{0, 0, 0, 0};
  AutoPad auto_pad = AutoPad::kNotSet;

  int64_t Extent(size_t d) const { return (kernel[d] - 1) * dilation[d] + 1; }
};

Status CheckRank(const NodeView& node, const Shape& x) {
  if (x.size() == 4) return {};
  return node.Fail(
      "has a " + std::to_string(x.size()) + "-D input " + ShapeText(x) + "; only 2-D images [N,C,H,W] are supported",
      x.size() == 3 ? "1-D layers: add a dimension of size 1 in the model (Unsqueeze, then a 1xK kernel)" : "");
}

template <size_t N>
Status ReadList(const NodeView& node, const std::string& name, int64_t least, std::array<int64_t, N>* list) {
  if (!node.Has(name)) return {};
  const std::vector<int64_t> values = node.Ints(name);
  if (values.size() != N) {
    return node.Fail("attribute '" + name + "' has " + std::to_string(values.size()) + " entries, needs " +
                     std::to_string(N));
  }
  for (int64_t value : values) {
    if (value < least || value > kMaxWindowAttribute) {
      return node.Fail("attribute '" + name + "' has the entry " + std::to_string(value) + ", allowed are " +
                       std::to_string(least) + " to " + std::to_string(kMaxWindowAttribute));
    }
  }
  std::copy(values.begin(), values.end(), list->begin());
  return {};
}

/// Reads what all windows share; `kernel` is preset when the weights give it.
Result<Window> ReadWindow(const NodeView& node, std::array<int64_t, 2> kernel, bool dilations) {
  Window window;
  window.kernel = kernel;
  XRUN_RETURN_IF_ERROR(ReadList(node, "kernel_shape", 1, &window.kernel));
  XRUN_RETURN_IF_ERROR(ReadList(node, "strides", 1, &window.stride));
  if (dilations) XRUN_RETURN_IF_ERROR(ReadList(node, "dilations", 1, &window.dilation));
  XRUN_RETURN_IF_ERROR(ReadList(node, "pads", 0, &window.pads));
  const std::string mode = node.String("auto_pad", "NOTSET");
  if (mode == "NOTSET" || mode.empty()) return window;
  window.pads = {0, 0, 0, 0};
  if (mode == "VALID") {
    window.auto_pad = AutoPad::kValid;
  } else if (mode == "SAME_UPPER") {
    window.auto_pad = AutoPad::kSameUpper;
  } else if (mode == "SAME_LOWER") {
    window.auto_pad = AutoPad::kSameLower;
  } else {
    return node.Fail("auto_pad '" + mode + "' is unknown");
  }
  return window;
}

/// SAME: as many outputs as strides fit; the odd pad goes to the end (UPPER) or the beginning (LOWER).
void ResolveSamePads(const Shape& x, Window* window) {
  if (window->auto_pad != AutoPad::kSameUpper && window->auto_pad != AutoPad::kSameLower) return;
  for (size_t d = 0; d < 2; ++d) {
    const int64_t size = x[d + 2], stride = window->stride[d];
    const int64_t outputs = (size + stride - 1) / stride;
    const int64_t total = std::max<int64_t>(0, (outputs - 1) * stride + window->Extent(d) - size);
    const int64_t small = total / 2;
    const bool upper = window->auto_pad == AutoPad::kSameUpper;
    window->pads[d] = upper ? small : total - small;
    window->pads[d + 2] = total - window->pads[d];
  }
}

/// Weights of a convolution: a constant, or DequantizeLinear of one.
Result<std::array<int64_t, 2>> KernelOf(const Importer& importer, const NodeView& node) {
  if (!importer.InputSymbol(node, 1).constant) {
    return node.Fail("weights '" + node.input(1) + "' are computed from the model's inputs, not constant");
  }
  XRUN_ASSIGN_OR_RETURN(const Shape w, importer.InputShape(node, 1));
  if (w.size() != 4) return node.Fail("has " + std::to_string(w.size()) + "-D weights, needs 4-D");
  return std::array<int64_t, 2>{w[2], w[3]};
}

Status CheckKernel(const NodeView& node, const Window& window, const std::array<int64_t, 2>& kernel) {
  if (window.kernel == kernel) return {};
  return node.Fail("kernel_shape does not agree with the weights");
}

Result<std::vector<ValueId>> ConvInputs(Importer& importer, const NodeView& node) {
  std::vector<ValueId> inputs;
  for (int i = 0; i < node.input_count(); ++i) {
    if (!node.has_input(i)) continue;
    if (i == 2 && !importer.InputSymbol(node, 2).constant) {
      return node.Fail("bias '" + node.input(2) + "' is computed from the model's inputs, not constant");
    }
    XRUN_ASSIGN_OR_RETURN(const ValueId id, importer.Input(node, i));
    inputs.push_back(id);
  }
  return inputs;
}

ConvAttrs ToConvAttrs(const Window& window, int64_t groups) {
  ConvAttrs attrs;
  attrs.kernel = window.kernel;
  attrs.stride = window.stride;
  attrs.dilation = window.dilation;
  attrs.pads = window.pads;
  attrs.groups = groups;
  return attrs;
}

/// Pads of a transposed convolution whose output size is given, by output_shape or by auto_pad.
/// A size beyond what input and kernel give asks for rows that only the bias reaches: output padding.
void ResolveTransposedPads(const NodeView& node, const Shape& x, const std::array<int64_t, 2>& output,
                           std::array<int64_t, 2>* output_padding, Window* window) {
  for (size_t d = 0; d < 2; ++d) {
    int64_t total = window->stride[d] * (x[d + 2] - 1) + (*output_padding)[d] + window->Extent(d) - output[d];
    if (total < 0) {
      (*output_padding)[d] -= total;
      total = 0;
    }
    // The odd pad changed sides between versions 1 and 11 of the operator.
    const bool small_first = (window->auto_pad == AutoPad::kSameUpper) == (node.since() >= 11);
    window->pads[d] = small_first ? total / 2 : total - total / 2;
    window->pads[d + 2] = total - window->pads[d];
  }
}

}  // namespace

Status LowerConv(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_RETURN_IF_ERROR(CheckRank(node, x));
  XRUN_ASSIGN_OR_RETURN(const auto kernel, KernelOf(importer, node));
  XRUN_ASSIGN_OR_RETURN(Window window, ReadWindow(node, kernel, /*dilations=*/true));
  XRUN_RETURN_IF_ERROR(CheckKernel(node, window, kernel));
  ResolveSamePads(x, &window);
  XRUN_ASSIGN_OR_RETURN(std::vector<ValueId> inputs, ConvInputs(importer, node));
  return importer.EmitFinal(node, Op::kConv, ToConvAttrs(window, node.Int("group", 1)), std::move(inputs));
}

Status LowerConvTranspose(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_RETURN_IF_ERROR(CheckRank(node, x));
  XRUN_ASSIGN_OR_RETURN(const auto kernel, KernelOf(importer, node));
  XRUN_ASSIGN_OR_RETURN(Window window, ReadWindow(node, kernel, /*dilations=*/true));
  XRUN_RETURN_IF_ERROR(CheckKernel(node, window, kernel));
  std::array<int64_t, 2> output_padding{0, 0}, output{0, 0};
  XRUN_RETURN_IF_ERROR(ReadList(node, "output_padding", 0, &output_padding));
  const bool same = window.auto_pad == AutoPad::kSameUpper || window.auto_pad == AutoPad::kSameLower;
  if (node.Has("output_shape")) {
    XRUN_RETURN_IF_ERROR(ReadList(node, "output_shape", 1, &output));
    ResolveTransposedPads(node, x, output, &output_padding, &window);
  } else if (same) {
    for (size_t d = 0; d < 2; ++d) output[d] = x[d + 2] * window.stride[d];
    ResolveTransposedPads(node, x, output, &output_padding, &window);
  }
  ConvAttrs attrs = ToConvAttrs(window, node.Int("group", 1));
  attrs.output_padding = output_padding;
  XRUN_ASSIGN_OR_RETURN(std::vector<ValueId> inputs, ConvInputs(importer, node));
  return importer.EmitFinal(node, Op::kConvTranspose, attrs, std::move(inputs));
}

Status LowerPool(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_RETURN_IF_ERROR(CheckRank(node, x));
  const bool average = node.op() == "AveragePool";
  if (!node.Has("kernel_shape")) return node.Fail("attribute 'kernel_shape' is missing");
  XRUN_ASSIGN_OR_RETURN(Window window, ReadWindow(node, {1, 1}, /*dilations=*/node.since() >= (average ? 19 : 10)));
  ResolveSamePads(x, &window);
  PoolAttrs attrs;
  attrs.kernel = window.kernel;
  attrs.stride = window.stride;
  attrs.dilation = window.dilation;
  attrs.pads = window.pads;
  if (average) {
    attrs.count_include_pad = node.Int("count_include_pad", 0) != 0;
  } else if (node.since() >= 8) {
    // Only the order of the Indices output depends on it.
    node.Ignore("storage_order");
  }
  const bool ceil_mode = node.since() >= 10 && node.Int("ceil_mode", 0) != 0;
  for (size_t d = 0; ceil_mode && window.auto_pad == AutoPad::kNotSet && d < 2; ++d) {
    const int64_t stride = window.stride[d], padded = x[d + 2] + window.pads[d] + window.pads[d + 2];
    const int64_t room = padded - window.Extent(d);
    if (room < 0) continue;  // InferShapes says so
    int64_t outputs = (room + stride - 1) / stride + 1;
    // A window that would start in the padding after the input is not there (PyTorch, and ONNX in later wording).
    if ((outputs - 1) * stride >= x[d + 2] + window.pads[d]) --outputs;
    attrs.ceil_pads[d] = std::max<int64_t>(0, (outputs - 1) * stride - room);
    attrs.pads[d + 2] += attrs.ceil_pads[d];
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId input, importer.Input(node, 0));
  return importer.EmitFinal(node, average ? Op::kAveragePool : Op::kMaxPool, attrs, {input});
}

Status LowerGlobalPool(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  XRUN_RETURN_IF_ERROR(CheckRank(node, x));
  PoolAttrs attrs;
  attrs.kernel = {x[2], x[3]};
  XRUN_ASSIGN_OR_RETURN(const ValueId input, importer.Input(node, 0));
  return importer.EmitFinal(node, node.op() == "GlobalMaxPool" ? Op::kMaxPool : Op::kAveragePool, attrs, {input});
}

Status LowerBatchNorm(Importer& importer, const NodeView& node) {
  node.Ignore("momentum");
  BatchNormAttrs attrs;
  attrs.epsilon = node.Float("epsilon", 1e-5F);
  if (node.since() == 7 && node.Int("spatial", 1) != 1) {
    return node.Fail("spatial=0 (one mean per element) is not supported", "export with opset 9 or newer");
  }
  if (node.since() >= 14 && node.Int("training_mode", 0) != 0) {
    return node.Fail("is in training mode", "export the model for inference (model.eval())");
  }
  if (!(attrs.epsilon >= 0)) return node.Fail("epsilon must not be negative");
  std::vector<ValueId> inputs;
  for (int i = 0; i < 5; ++i) {
    if (i > 0 && importer.Constant(node, i) == nullptr) {
      return node.Fail("parameter '" + node.input(i) + "' is not constant");
    }
    XRUN_ASSIGN_OR_RETURN(const ValueId id, importer.Input(node, i));
    inputs.push_back(id);
  }
  return importer.EmitFinal(node, Op::kBatchNorm, attrs, std::move(inputs));
}

}  // namespace xrun::compiler
