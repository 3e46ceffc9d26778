#include "compiler/quantize/qdq_export.h"

#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "compiler/import/tensor.h"
#include "compiler/infer_shapes.h"
#include "compiler/quantize/qdq_nodes.h"
#include "isa/atomic_file.h"

namespace xrun::compiler {

namespace {

std::vector<int64_t> List(const std::array<int64_t, 2>& a) { return {a.begin(), a.end()}; }
std::vector<int64_t> List(const std::array<int64_t, 4>& a) { return {a.begin(), a.end()}; }

class Exporter {
 public:
  explicit Exporter(const Graph& graph) : graph_(graph), writer_(model_.mutable_graph()) {}

  Result<std::string> Run() {
    model_.set_ir_version(8);
    model_.set_producer_name("xrun");
    model_.mutable_graph()->set_name(graph_.name.empty() ? "graph" : graph_.name);
    names_.resize(graph_.values.size());
    ReserveNames();
    for (ValueId id : graph_.inputs) Declare(id, model_.mutable_graph()->add_input());
    for (const Node& node : graph_.nodes) XRUN_RETURN_IF_ERROR(ExportNode(node));
    for (ValueId id : graph_.outputs) Declare(id, model_.mutable_graph()->add_output());
    for (const auto& [key, value] : graph_.metadata) {
      auto* entry = model_.add_metadata_props();
      entry->set_key(key);
      entry->set_value(value);
    }
    auto* opset = model_.add_opset_import();
    opset->set_domain("");
    opset->set_version(writer_.opset());
    std::string bytes;
    if (model_.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int32_t>::max()) ||
        !model_.SerializeToString(&bytes)) {
      return Failure{"the quantized model is larger than 2 GiB, the limit of an ONNX file", ""};
    }
    return bytes;
  }

 private:
  /// ONNX names of one graph value. An int8 activation has all three, any other value only `plain`.
  struct Names {
    std::string plain;        ///< the float tensor, before QuantizeLinear when the value is int8
    std::string quantized;    ///< the int8 tensor
    std::string dequantized;  ///< written when it is first read
    std::string scale, zero_point;
  };
  Names& Of(ValueId id) { return names_[static_cast<size_t>(id)]; }

  static bool IsQuantized(const Value& value) { return value.quant.has_value(); }

  /// Model inputs and outputs keep their names whatever else wants them; then the values in order.
  void ReserveNames() {
    const auto outside = [&](ValueId id) {
      std::string& name = IsQuantized(graph_.at(id)) ? Of(id).quantized : Of(id).plain;
      if (name.empty()) name = writer_.Unique(graph_.at(id).name);
    };
    for (ValueId id : graph_.inputs) outside(id);
    for (ValueId id : graph_.outputs) outside(id);
    for (const Node& node : graph_.nodes) {
      for (ValueId id : node.outputs) {
        Names& names = Of(id);
        const std::string& name = graph_.at(id).name;
        if (!IsQuantized(graph_.at(id))) {
          if (names.plain.empty()) names.plain = writer_.Unique(name);
        } else if (node.op == Op::kQuantize) {
          if (names.quantized.empty()) names.quantized = writer_.Unique(name);
        } else {
          names.plain = writer_.Unique(names.quantized.empty() ? name : name + "_float");
          if (names.quantized.empty()) names.quantized = writer_.Unique(name + "_quantized");
        }
      }
    }
  }

  void Declare(ValueId id, onnx::ValueInfoProto* info) {
    const Value& value = graph_.at(id);
    info->set_name(IsQuantized(value) ? Of(id).quantized : Plain(id));
    auto* type = info->mutable_type()->mutable_tensor_type();
    type->set_elem_type(OnnxType(value.dtype));
    type->mutable_shape();
    for (const int64_t d : value.shape) type->mutable_shape()->add_dim()->set_dim_value(d);
  }

  /// Name of a float tensor; a constant becomes an initializer when it is first read.
  const std::string& Plain(ValueId id) {
    Names& names = Of(id);
    const Value& value = graph_.at(id);
    if (names.plain.empty()) {
      assert(value.is_constant());
      names.plain = writer_.Initializer(value.name, value.dtype, value.shape, value.constant->data());
    }
    return names.plain;
  }

  void NeedParameters(ValueId id) {
    Names& names = Of(id);
    if (!names.scale.empty()) return;
    const Value& value = graph_.at(id);
    const QuantParams& quant = *value.quant;
    const auto entries = static_cast<int64_t>(quant.scale.size());
    const Shape shape = quant.axis < 0 ? Shape{} : Shape{entries};
    names.scale = writer_.Initializer(value.name + "_scale", DType::kFloat32, shape, quant.scale.data());
    if (value.dtype == DType::kInt32) return;  // a zero point of an int32 tensor can only be 0 and is left out
    const std::vector<int8_t> zero(quant.zero_point.begin(), quant.zero_point.end());
    names.zero_point = writer_.Initializer(value.name + "_zero_point", DType::kInt8, shape, zero.data());
  }

  void EmitQuantize(ValueId id, const std::string& from) {
    NeedParameters(id);
    Names& names = Of(id);
    writer_.Node("QuantizeLinear", graph_.at(id).name + "_QuantizeLinear", {from, names.scale, names.zero_point},
                 names.quantized);
  }

  void EmitDequantize(ValueId id, const std::string& to) {
    NeedParameters(id);
    const Value& value = graph_.at(id);
    Names& names = Of(id);
    if (names.quantized.empty()) {
      assert(value.is_constant());
      names.quantized =
          writer_.Initializer(value.name + "_quantized", value.dtype, value.shape, value.constant->data());
    }
    std::vector<std::string> inputs{names.quantized, names.scale};
    if (!names.zero_point.empty()) inputs.push_back(names.zero_point);
    onnx::NodeProto* node = writer_.Node("DequantizeLinear", value.name + "_DequantizeLinear", inputs, to);
    if (value.quant->axis >= 0) OnnxWriter::Attribute(node, "axis", int64_t{value.quant->axis});
  }

  /// Name of the float tensor an operator reads for this value.
  std::string Operand(ValueId id) {
    if (id == kNone) return "";
    if (!IsQuantized(graph_.at(id))) return Plain(id);
    Names& names = Of(id);
    if (names.dequantized.empty()) {
      names.dequantized = writer_.Unique(graph_.at(id).name + "_dequantized");
      EmitDequantize(id, names.dequantized);
    }
    return names.dequantized;
  }

  Status ExportNode(const Node& node) {
    const ValueId out = node.outputs[0];
    if (node.op == Op::kQuantize) {
      EmitQuantize(out, Plain(node.inputs[0]));
      return {};
    }
    if (node.op == Op::kDequantize) {
      EmitDequantize(node.inputs[0], Plain(out));
      return {};
    }
    const std::string& result = Of(out).plain;
    const bool clamped = node.clamp && (!std::isinf(node.clamp->lo) || !std::isinf(node.clamp->hi));
    const std::string raw = clamped ? writer_.Unique(result + "_unclamped") : result;
    XRUN_RETURN_IF_ERROR(ExportOperator(node, raw));
    if (clamped) {
      const auto [lo, hi] = *node.clamp;
      writer_.Chain(node.name + "_clamp", {{UnaryKind::kClip, static_cast<double>(lo), static_cast<double>(hi)}}, raw,
                    result);
    }
    if (IsQuantized(graph_.at(out))) EmitQuantize(out, result);
    return {};
  }

  onnx::NodeProto* Plainly(const Node& node, const std::string& type, const std::string& out) {
    std::vector<std::string> inputs;
    for (ValueId id : node.inputs) inputs.push_back(Operand(id));
    while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
    return writer_.Node(type, node.name, inputs, out);
  }

  Status ExportOperator(const Node& node, const std::string& out) {
    switch (node.op) {
      case Op::kConv:
      case Op::kConvTranspose:
        ExportConv(node, out);
        return {};
      case Op::kFullyConnected:
        return ExportFullyConnected(node, out);
      case Op::kMatMul: {
        std::string left = Operand(node.inputs[0]);
        if (node.as<MatMulAttrs>().transpose_a) {
          std::vector<int64_t> perm(graph_.at(node.inputs[0]).shape.size());
          std::iota(perm.begin(), perm.end(), 0);
          std::swap(perm[perm.size() - 2], perm.back());
          const std::string turned = writer_.Unique(out + "_turned");
          OnnxWriter::Attribute(writer_.Node("Transpose", node.name + "_turned", {left}, turned), "perm", perm);
          left = turned;
        }
        writer_.Node("MatMul", node.name, {left, Operand(node.inputs[1])}, out);
        return {};
      }
      case Op::kBatchNorm:
        OnnxWriter::Attribute(Plainly(node, "BatchNormalization", out), "epsilon", node.as<BatchNormAttrs>().epsilon);
        return {};
      case Op::kMaxPool:
      case Op::kAveragePool:
        ExportPool(node, out);
        return {};
      case Op::kUnary:
        writer_.Chain(node.name, node.as<UnaryAttrs>().chain, Operand(node.inputs[0]), out);
        return {};
      case Op::kConcat:
      case Op::kSoftmax:
      case Op::kLogSoftmax:
        OnnxWriter::Attribute(Plainly(node, std::string(Name(node.op)), out), "axis", node.as<AxisAttrs>().axis);
        return {};
      case Op::kSlice:
        ExportSlice(node, out);
        return {};
      case Op::kPad: {
        const auto& attrs = node.as<PadAttrs>();
        std::vector<int64_t> pads = attrs.before;
        pads.insert(pads.end(), attrs.after.begin(), attrs.after.end());
        writer_.Node("Pad", node.name,
                     {Operand(node.inputs[0]), writer_.Integers(out + "_pads", pads),
                      writer_.Scalar(out + "_value", attrs.value)},
                     out);
        return {};
      }
      case Op::kReshape:
        writer_.Node("Reshape", node.name,
                     {Operand(node.inputs[0]), writer_.Integers(out + "_shape", graph_.at(node.outputs[0]).shape)},
                     out);
        return {};
      case Op::kTranspose:
        OnnxWriter::Attribute(Plainly(node, "Transpose", out), "perm", node.as<TransposeAttrs>().perm);
        return {};
      case Op::kResize:
        return ExportResize(node, out);
      case Op::kDepthToSpace:
      case Op::kSpaceToDepth: {
        const auto& attrs = node.as<BlockAttrs>();
        onnx::NodeProto* proto = Plainly(node, std::string(Name(node.op)), out);
        OnnxWriter::Attribute(proto, "blocksize", attrs.block);
        if (node.op == Op::kDepthToSpace) OnnxWriter::Attribute(proto, "mode", std::string(attrs.crd ? "CRD" : "DCR"));
        return {};
      }
      case Op::kGather:
        OnnxWriter::Attribute(Plainly(node, "Gather", out), "axis", node.as<AxisAttrs>().axis);
        return {};
      case Op::kArgMax: {
        const auto& attrs = node.as<ArgMaxAttrs>();
        onnx::NodeProto* proto = Plainly(node, attrs.least ? "ArgMin" : "ArgMax", out);
        OnnxWriter::Attribute(proto, "axis", attrs.axis);
        OnnxWriter::Attribute(proto, "keepdims", int64_t{attrs.keep_dims});
        OnnxWriter::Attribute(proto, "select_last_index", int64_t{attrs.last});
        return {};
      }
      case Op::kCast:
        OnnxWriter::Attribute(Plainly(node, "Cast", out), "to", int64_t{OnnxType(node.as<CastAttrs>().to)});
        return {};
      case Op::kReduce: {
        const auto& attrs = node.as<ReduceAttrs>();
        // The form of every opset that the file can have: axes as an input came later to the others.
        if (attrs.kind != ReduceKind::kSum) writer_.NeedOpset(18);
        onnx::NodeProto* proto =
            writer_.Node("Reduce" + std::string(Name(attrs.kind)), node.name,
                         {Operand(node.inputs[0]), writer_.Integers(out + "_axes", attrs.axes)}, out);
        OnnxWriter::Attribute(proto, "keepdims", int64_t{attrs.keep_dims});
        return {};
      }
      case Op::kLayerNorm: {
        writer_.NeedOpset(17);
        onnx::NodeProto* proto = Plainly(node, "LayerNormalization", out);
        OnnxWriter::Attribute(proto, "axis", node.as<LayerNormAttrs>().axis);
        OnnxWriter::Attribute(proto, "epsilon", node.as<LayerNormAttrs>().epsilon);
        return {};
      }
      case Op::kInstanceNorm:
        OnnxWriter::Attribute(Plainly(node, "InstanceNormalization", out), "epsilon",
                              node.as<BatchNormAttrs>().epsilon);
        return {};
      case Op::kLrn: {
        const auto& attrs = node.as<LrnAttrs>();
        onnx::NodeProto* proto = Plainly(node, "LRN", out);
        OnnxWriter::Attribute(proto, "size", attrs.size);
        OnnxWriter::Attribute(proto, "alpha", attrs.alpha);
        OnnxWriter::Attribute(proto, "beta", attrs.beta);
        OnnxWriter::Attribute(proto, "bias", attrs.bias);
        return {};
      }
      case Op::kGatherElements:
        OnnxWriter::Attribute(Plainly(node, "GatherElements", out), "axis", node.as<AxisAttrs>().axis);
        return {};
      case Op::kGatherNd:
        OnnxWriter::Attribute(Plainly(node, "GatherND", out), "batch_dims", node.as<GatherNdAttrs>().batch_dims);
        return {};
      case Op::kTopK: {
        const auto& attrs = node.as<TopKAttrs>();
        onnx::NodeProto* proto =
            writer_.Node("TopK", node.name, {Operand(node.inputs[0]), writer_.Integers(out + "_k", {attrs.k})},
                         writer_.Unique(out + "_values"));
        proto->add_output(out);
        OnnxWriter::Attribute(proto, "axis", attrs.axis);
        OnnxWriter::Attribute(proto, "largest", int64_t{attrs.largest});
        return {};
      }
      case Op::kNonMaxSuppression: {
        const auto& attrs = node.as<NmsAttrs>();
        std::vector<std::string> inputs{Operand(node.inputs[0]), Operand(node.inputs[1]),
                                        writer_.Integers(out + "_most", {attrs.most}),
                                        writer_.Scalar(out + "_iou", attrs.iou)};
        if (!std::isinf(attrs.score)) inputs.push_back(writer_.Scalar(out + "_score", attrs.score));
        OnnxWriter::Attribute(writer_.Node("NonMaxSuppression", node.name, inputs, out), "center_point_box",
                              int64_t{attrs.center});
        return {};
      }
      case Op::kTile: {
        const Shape &x = graph_.at(node.inputs[0]).shape, &y = graph_.at(node.outputs[0]).shape;
        std::vector<int64_t> repeats;
        for (size_t d = 0; d < x.size(); ++d) repeats.push_back(y[d] / x[d]);
        writer_.Node("Tile", node.name, {Operand(node.inputs[0]), writer_.Integers(out + "_repeats", repeats)}, out);
        return {};
      }
      case Op::kMirrorPad: {
        const auto& attrs = node.as<MirrorPadAttrs>();
        if (attrs.mode == MirrorMode::kWrap) writer_.NeedOpset(19);
        std::vector<int64_t> pads = attrs.before;
        pads.insert(pads.end(), attrs.after.begin(), attrs.after.end());
        OnnxWriter::Attribute(
            writer_.Node("Pad", node.name, {Operand(node.inputs[0]), writer_.Integers(out + "_pads", pads)}, out),
            "mode", std::string(Name(attrs.mode)));
        return {};
      }
      case Op::kMod:
        OnnxWriter::Attribute(Plainly(node, "Mod", out), "fmod", int64_t{node.as<ModAttrs>().fmod});
        return {};
      case Op::kWhere:
      case Op::kEqual:
      case Op::kGreater:
      case Op::kGreaterOrEqual:
      case Op::kLess:
      case Op::kLessOrEqual:
      case Op::kAnd:
      case Op::kOr:
      case Op::kXor:
      case Op::kNot:
      case Op::kIsNan:
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kDiv:
      case Op::kMin:
      case Op::kMax:
      case Op::kPow:
      case Op::kPRelu:
        // These are called as in ONNX.
        Plainly(node, std::string(Name(node.op)), out);
        return {};
      default:
        return Failure{"node '" + node.name + "' (" + std::string(Name(node.op)) + ") has no form in ONNX", ""};
    }
  }

  void ExportConv(const Node& node, const std::string& out) {
    const auto& attrs = node.as<ConvAttrs>();
    onnx::NodeProto* proto = Plainly(node, std::string(Name(node.op)), out);
    OnnxWriter::Attribute(proto, "kernel_shape", List(attrs.kernel));
    OnnxWriter::Attribute(proto, "strides", List(attrs.stride));
    OnnxWriter::Attribute(proto, "dilations", List(attrs.dilation));
    OnnxWriter::Attribute(proto, "pads", List(attrs.pads));
    OnnxWriter::Attribute(proto, "group", attrs.groups);
    if (node.op == Op::kConvTranspose) OnnxWriter::Attribute(proto, "output_padding", List(attrs.output_padding));
  }

  Status ExportFullyConnected(const Node& node, const std::string& out) {
    if (graph_.at(node.inputs[0]).shape.size() == 2) {
      OnnxWriter::Attribute(Plainly(node, "Gemm", out), "transB", int64_t{1});
      return {};
    }
    // MatMul wants the weights as [K,M], and has no bias.
    const Value& weights = graph_.at(node.inputs[1]);
    if (!weights.is_constant()) {
      return Failure{"node '" + node.name + "' (FullyConnected): its weights are not constant", ""};
    }
    const int64_t m = weights.shape[0];
    const int64_t k = weights.shape[1];
    const size_t size = SizeOf(weights.dtype);
    std::vector<uint8_t> transposed(weights.constant->size());
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < k; ++j) {
        std::memcpy(&transposed[static_cast<size_t>(j * m + i) * size],
                    weights.constant->data() + static_cast<size_t>(i * k + j) * size, size);
      }
    }
    std::string operand = writer_.Initializer(weights.name + "_transposed", weights.dtype, {k, m}, transposed.data());
    if (IsQuantized(weights)) {
      NeedParameters(node.inputs[1]);
      const std::string dequantized = writer_.Unique(weights.name + "_dequantized");
      onnx::NodeProto* proto =
          writer_.Node("DequantizeLinear", weights.name + "_DequantizeLinear",
                       {operand, Of(node.inputs[1]).scale, Of(node.inputs[1]).zero_point}, dequantized);
      if (weights.quant->axis >= 0) OnnxWriter::Attribute(proto, "axis", int64_t{1 - weights.quant->axis});
      operand = dequantized;
    }
    const bool biased = node.inputs.size() > 2 && node.inputs[2] != kNone;
    const std::string product = biased ? writer_.Unique(out + "_product") : out;
    writer_.Node("MatMul", biased ? node.name + "_MatMul" : node.name, {Operand(node.inputs[0]), operand}, product);
    if (biased) writer_.Node("Add", node.name, {product, Operand(node.inputs[2])}, out);
    return {};
  }

  void ExportPool(const Node& node, const std::string& out) {
    const auto& attrs = node.as<PoolAttrs>();
    onnx::NodeProto* proto = Plainly(node, std::string(Name(node.op)), out);
    std::vector<int64_t> pads = List(attrs.pads);
    pads[2] -= attrs.ceil_pads[0];
    pads[3] -= attrs.ceil_pads[1];
    OnnxWriter::Attribute(proto, "kernel_shape", List(attrs.kernel));
    OnnxWriter::Attribute(proto, "strides", List(attrs.stride));
    OnnxWriter::Attribute(proto, "pads", pads);
    if (attrs.ceil_pads != std::array<int64_t, 2>{0, 0}) OnnxWriter::Attribute(proto, "ceil_mode", int64_t{1});
    if (attrs.dilation != std::array<int64_t, 2>{1, 1}) {
      if (node.op == Op::kAveragePool) writer_.NeedOpset(19);
      OnnxWriter::Attribute(proto, "dilations", List(attrs.dilation));
    }
    if (node.op == Op::kAveragePool && attrs.count_include_pad) {
      OnnxWriter::Attribute(proto, "count_include_pad", int64_t{1});
    }
  }

  /// Scales where they are what makes the result's size, else sizes.
  Status ExportResize(const Node& node, const std::string& out) {
    const auto& attrs = node.as<ResizeAttrs>();
    static constexpr const char* kModes[] = {"nearest", "linear", "cubic"};
    static constexpr const char* kCoordinates[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                                   "align_corners", "asymmetric",           "tf_half_pixel_for_nn"};
    static constexpr const char* kRoundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    const Shape &x = graph_.at(node.inputs[0]).shape, &y = graph_.at(node.outputs[0]).shape;
    std::vector<float> scales;
    bool by_scales = true, grows = false, shrinks = false;
    for (size_t d = 0; d < x.size(); ++d) {
      scales.push_back(static_cast<float>(attrs.scales[d]));
      by_scales = by_scales && static_cast<double>(scales[d]) == attrs.scales[d] &&
                  static_cast<int64_t>(std::floor(static_cast<double>(x[d]) * attrs.scales[d])) == y[d];
      grows |= attrs.scales[d] > 1;
      shrinks |= attrs.scales[d] < 1;
    }
    const auto count = static_cast<int64_t>(scales.size());
    std::vector<std::string> inputs{Operand(node.inputs[0]), ""};
    if (by_scales) {
      inputs.push_back(writer_.Initializer(out + "_scales", DType::kFloat32, {count}, scales.data()));
    } else {
      inputs.insert(inputs.end(), {"", writer_.Integers(out + "_sizes", y)});
    }
    onnx::NodeProto* proto = writer_.Node("Resize", node.name, inputs, out);
    OnnxWriter::Attribute(proto, "mode", std::string(kModes[static_cast<size_t>(attrs.mode)]));
    OnnxWriter::Attribute(proto, "coordinate_transformation_mode",
                          std::string(kCoordinates[static_cast<size_t>(attrs.coordinates)]));
    if (attrs.coordinates == ResizeCoordinates::kHalfPixelSymmetric) writer_.NeedOpset(19);
    if (attrs.mode == ResizeMode::kNearest) {
      if (attrs.rounding == ResizeRounding::kSimple && grows && shrinks) {
        return Failure{"node '" + node.name +
                           "' (Resize): grows one axis and shrinks another by the rules of opset 10, "
                           "which newer opsets cannot say",
                       "export the model with opset 11 or newer"};
      }
      const auto rounding = attrs.rounding != ResizeRounding::kSimple ? attrs.rounding
                            : shrinks                                 ? ResizeRounding::kCeil
                                                                      : ResizeRounding::kFloor;
      OnnxWriter::Attribute(proto, "nearest_mode", std::string(kRoundings[static_cast<size_t>(rounding)]));
    }
    if (attrs.mode == ResizeMode::kCubic) OnnxWriter::Attribute(proto, "cubic_coeff_a", attrs.cubic_a);
    if (attrs.exclude_outside) OnnxWriter::Attribute(proto, "exclude_outside", int64_t{1});
    return {};
  }

  void ExportSlice(const Node& node, const std::string& out) {
    const auto& attrs = node.as<SliceAttrs>();
    std::vector<int64_t> axes, ends = attrs.end;
    for (size_t i = 0; i < ends.size(); ++i) {
      axes.push_back(static_cast<int64_t>(i));
      // Before the first element, for a negative step: ONNX would read −1 as the last one.
      if (ends[i] < 0) ends[i] = std::numeric_limits<int64_t>::min();
    }
    writer_.Node(
        "Slice", node.name,
        {Operand(node.inputs[0]), writer_.Integers(out + "_starts", attrs.begin), writer_.Integers(out + "_ends", ends),
         writer_.Integers(out + "_axes", axes), writer_.Integers(out + "_steps", attrs.step)},
        out);
  }

  const Graph& graph_;
  onnx::ModelProto model_;
  OnnxWriter writer_;
  std::vector<Names> names_;
};

}  // namespace

Result<std::string> ExportQdq(const Graph& graph) { return Exporter(graph).Run(); }

Status WriteQdq(const Graph& graph, const std::filesystem::path& file) {
  XRUN_ASSIGN_OR_RETURN(const std::string bytes, ExportQdq(graph));
  return WriteFileAtomically(file, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

}  // namespace xrun::compiler
