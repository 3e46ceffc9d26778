#include <cmath>
#include <cstdio>
#include <string>
#include <variant>

#include "compiler/graph.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

/// The shortest decimal that reads back as the same float, so that dumps neither lie nor differ between machines.
std::string Number(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[40];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    const double back = std::strtod(text, nullptr);
    if (back == value || static_cast<float>(back) == static_cast<float>(value)) break;
  }
  return text;
}

template <typename Range>
std::string Joined(const Range& values, const char* separator) {
  std::string text;
  for (auto value : values) text += (text.empty() ? "" : separator) + std::to_string(value);
  return text;
}

std::string QuantText(const QuantParams& quant) {
  if (quant.axis >= 0) {
    return " {" + std::to_string(quant.scale.size()) + " scales, axis " + std::to_string(quant.axis) + "}";
  }
  const float scale = quant.scale.empty() ? 0.0F : quant.scale[0];
  const int32_t zero_point = quant.zero_point.empty() ? 0 : quant.zero_point[0];
  return " {" + Number(scale) + ", " + std::to_string(zero_point) + "}";
}

std::string TypeText(const Value& value) {
  std::string text = std::string(Name(value.dtype)) + "[" + (value.shape.empty() ? "" : ShapeText(value.shape)) + "]";
  if (value.quant) text += QuantText(*value.quant);
  return text;
}

/// Activations by name (their line says the rest), constants with their type, one-element floats with their value.
std::string OperandText(const Graph& graph, ValueId id) {
  if (id == kNone) return "none";
  const Value& value = graph.at(id);
  if (!value.is_constant()) return value.name;
  std::string text = value.name + ": " + TypeText(value);
  if (value.dtype == DType::kFloat32 && value.constant->size() == sizeof(float)) {
    text += " = " + Number(*value.data<float>());
  }
  return text;
}

std::string UnaryText(const UnaryAttrs& attrs) {
  std::string text;
  for (const UnaryFunction& f : attrs.chain) {
    text += (text.empty() ? " " : " > ") + std::string(Name(f.kind));
    switch (f.kind) {
      case UnaryKind::kClip:
      case UnaryKind::kHardSigmoid:
      case UnaryKind::kAffine:
      case UnaryKind::kSelu:
        text += "(" + Number(f.a) + ", " + Number(f.b) + ")";
        break;
      case UnaryKind::kLeakyRelu:
      case UnaryKind::kElu:
      case UnaryKind::kPowConst:
      case UnaryKind::kCelu:
      case UnaryKind::kThresholdedRelu:
        text += "(" + Number(f.a) + ")";
        break;
      default:
        break;
    }
  }
  return text;
}

struct AttributeText {
  std::string operator()(const NoAttrs&) const { return ""; }
  std::string operator()(const MatMulAttrs& a) const { return a.transpose_a ? " transpose_a" : ""; }
  std::string operator()(const ConvAttrs& a) const {
    std::string text = Window(a.kernel, a.stride, a.dilation, a.pads);
    if (a.output_padding != std::array<int64_t, 2>{0, 0}) text += " output_padding " + Joined(a.output_padding, "x");
    if (a.groups != 1) text += " groups " + std::to_string(a.groups);
    return text;
  }
  std::string operator()(const PoolAttrs& a) const {
    std::string text = Window(a.kernel, a.stride, a.dilation, a.pads);
    if (a.ceil_pads != std::array<int64_t, 2>{0, 0}) text += " ceil_pads " + Joined(a.ceil_pads, ",");
    if (a.count_include_pad) text += " count_include_pad";
    return text;
  }
  std::string operator()(const BatchNormAttrs& a) const { return " epsilon " + Number(a.epsilon); }
  std::string operator()(const AxisAttrs& a) const { return " axis " + std::to_string(a.axis); }
  std::string operator()(const SliceAttrs& a) const {
    return " begin " + Joined(a.begin, ",") + " end " + Joined(a.end, ",") + " step " + Joined(a.step, ",");
  }
  std::string operator()(const PadAttrs& a) const {
    return " before " + Joined(a.before, ",") + " after " + Joined(a.after, ",") + " value " + Number(a.value);
  }
  std::string operator()(const TransposeAttrs& a) const { return " perm " + Joined(a.perm, ","); }
  std::string operator()(const UnaryAttrs& a) const { return UnaryText(a); }
  std::string operator()(const ResizeAttrs& a) const {
    static constexpr const char* kModes[] = {"nearest", "linear", "cubic"};
    static constexpr const char* kCoordinates[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                                   "align_corners", "asymmetric",           "tf_half_pixel_for_nn"};
    static constexpr const char* kRoundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"};
    std::string text =
        std::string(" ") + kModes[static_cast<size_t>(a.mode)] + " " + kCoordinates[static_cast<size_t>(a.coordinates)];
    if (a.mode == ResizeMode::kNearest) text += std::string(" ") + kRoundings[static_cast<size_t>(a.rounding)];
    if (a.mode == ResizeMode::kCubic) text += " a " + Number(static_cast<double>(a.cubic_a));
    if (a.exclude_outside) text += " exclude_outside";
    text += " scales ";
    for (size_t i = 0; i < a.scales.size(); ++i) text += (i == 0 ? "" : ",") + Number(a.scales[i]);
    return text;
  }
  std::string operator()(const BlockAttrs& a) const {
    return " block " + std::to_string(a.block) + (a.crd ? " crd" : " dcr");
  }
  std::string operator()(const ArgMaxAttrs& a) const {
    return " axis " + std::to_string(a.axis) + (a.least ? " least" : "") + (a.last ? " last" : "") +
           (a.keep_dims ? "" : " drops axis");
  }
  std::string operator()(const CastAttrs& a) const { return " to " + std::string(Name(a.to)); }
  std::string operator()(const ReduceAttrs& a) const {
    return " " + std::string(Name(a.kind)) + " axes " + Joined(a.axes, ",") + (a.keep_dims ? "" : " drops axes");
  }
  std::string operator()(const LayerNormAttrs& a) const {
    return " axis " + std::to_string(a.axis) + " epsilon " + Number(static_cast<double>(a.epsilon));
  }
  std::string operator()(const GatherNdAttrs& a) const { return " batch_dims " + std::to_string(a.batch_dims); }
  std::string operator()(const TopKAttrs& a) const {
    return " axis " + std::to_string(a.axis) + " k " + std::to_string(a.k) + (a.largest ? "" : " smallest");
  }
  std::string operator()(const NmsAttrs& a) const {
    return " most " + std::to_string(a.most) + " iou " + Number(static_cast<double>(a.iou)) + " score " +
           Number(static_cast<double>(a.score)) + (a.center ? " center" : "");
  }
  std::string operator()(const MirrorPadAttrs& a) const {
    return " " + std::string(Name(a.mode)) + " before " + Joined(a.before, ",") + " after " + Joined(a.after, ",");
  }
  std::string operator()(const ModAttrs& a) const { return a.fmod ? " fmod" : ""; }
  std::string operator()(const LrnAttrs& a) const {
    return " size " + std::to_string(a.size) + " alpha " + Number(static_cast<double>(a.alpha)) + " beta " +
           Number(static_cast<double>(a.beta)) + " bias " + Number(static_cast<double>(a.bias));
  }

 private:
  static std::string Window(const std::array<int64_t, 2>& kernel, const std::array<int64_t, 2>& stride,
                            const std::array<int64_t, 2>& dilation, const std::array<int64_t, 4>& pads) {
    std::string text = " kernel " + Joined(kernel, "x");
    if (stride != std::array<int64_t, 2>{1, 1}) text += " stride " + Joined(stride, "x");
    if (dilation != std::array<int64_t, 2>{1, 1}) text += " dilation " + Joined(dilation, "x");
    if (pads != std::array<int64_t, 4>{0, 0, 0, 0}) text += " pads " + Joined(pads, ",");
    return text;
  }
};

std::string NodeText(const Graph& graph, const Node& node) {
  std::string text;
  for (ValueId id : node.outputs) {
    const Value& out = graph.at(id);
    text += (text.empty() ? "" : ", ") + out.name + ": " + TypeText(out);
  }
  text += " = " + std::string(Name(node.op)) + "(";
  for (size_t i = 0; i < node.inputs.size(); ++i) text += (i == 0 ? "" : ", ") + OperandText(graph, node.inputs[i]);
  text += ")" + std::visit(AttributeText{}, node.attrs);
  if (node.clamp) text += " clamp " + Number(node.clamp->lo) + ".." + Number(node.clamp->hi);
  text += "  # ";
  for (size_t i = 0; i < node.origin.size(); ++i) text += (i == 0 ? "" : " + ") + node.origin[i];
  return text + "\n";
}

}  // namespace

std::string ToText(const Graph& graph) {
  std::string text = "graph " + graph.name + "\n";
  for (const auto& [key, value] : graph.metadata) text += "  " + key + ": " + value + "\n";
  for (ValueId id : graph.inputs) text += "input " + graph.at(id).name + ": " + TypeText(graph.at(id)) + "\n";
  for (const Node& node : graph.nodes) text += NodeText(graph, node);
  for (ValueId id : graph.outputs) text += "output " + graph.at(id).name + "\n";
  return text;
}

}  // namespace xrun::compiler
