// QuantizeLinear and DequantizeLinear. uint8 becomes int8: data and zero points are shifted by 128, which changes no
// real value.

#include <cmath>
#include <utility>

#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

using onnx::TensorProto;

constexpr int32_t kUint8Shift = 128;

/// Scale and zero point as the node states them.
struct Parameters {
  QuantParams quant;
  int32_t type = TensorProto::UNDEFINED;  ///< of the zero point; UNDEFINED when there is none
};

Result<Parameters> ReadParameters(const Importer& importer, const NodeView& node, const Shape& shape) {
  Parameters parameters;
  const HostTensor* scale = importer.Constant(node, 1);
  if (scale == nullptr) return node.Fail("scale '" + node.input(1) + "' is not constant");
  if (!scale->is_float()) return node.Fail("scale '" + node.input(1) + "' is not float");
  if (node.since() >= 21 && node.Int("block_size", 0) != 0) {
    return node.Fail("block-wise quantization (block_size) is not supported", "quantize per tensor or per channel");
  }
  // On a single scale the axis says nothing, whatever the rank.
  const int64_t axis = node.since() >= 13 ? node.Int("axis", 1) : 0;
  const int64_t count = scale->elements();
  if (count == 1) {
    parameters.quant.axis = -1;
  } else {
    if (node.since() < 13) return node.Fail("has a scale per channel, which came with opset 13");
    if (scale->shape.size() != 1) {
      return node.Fail(
          "scale " + ShapeText(scale->shape) + " has more than one dimension: block-wise quantization is not supported",
          "quantize per tensor or per channel");
    }
    XRUN_ASSIGN_OR_RETURN(const int64_t normal, NormalizeAxis(node, axis, shape.size()));
    if (shape[static_cast<size_t>(normal)] != count) {
      return node.Fail("has " + std::to_string(count) + " scales for axis " + std::to_string(normal) + " of " +
                       ShapeText(shape));
    }
    parameters.quant.axis = static_cast<int>(normal);
  }
  for (int64_t i = 0; i < count; ++i) {
    const float value = scale->data<float>()[i];
    if (!std::isfinite(value) || value <= 0) {
      return node.Fail("scale '" + node.input(1) + "' is " + std::to_string(value) +
                       "; it must be positive and finite");
    }
    parameters.quant.scale.push_back(value);
  }
  parameters.quant.zero_point.assign(static_cast<size_t>(count), 0);
  if (!node.has_input(2)) return parameters;
  const HostTensor* zero_point = importer.Constant(node, 2);
  if (zero_point == nullptr) return node.Fail("zero point '" + node.input(2) + "' is not constant");
  parameters.type = zero_point->declared_type;
  if (parameters.type != TensorProto::INT8 && parameters.type != TensorProto::UINT8 &&
      parameters.type != TensorProto::INT32) {
    return node.Fail("quantizes to " + OnnxTypeName(parameters.type) +
                     "; int8, uint8 and int32 (biases) are supported");
  }
  if (zero_point->elements() != count) return node.Fail("has another number of zero points than of scales");
  const std::vector<int64_t> values = zero_point->Integers();
  for (size_t i = 0; i < values.size(); ++i) parameters.quant.zero_point[i] = static_cast<int32_t>(values[i]);
  return parameters;
}

void ShiftZeroPoints(QuantParams* quant) {
  for (int32_t& zero_point : quant->zero_point) zero_point -= kUint8Shift;
}

}  // namespace

// What LowerQuantize folded is held as int8 already, although the model calls it uint8.
HostTensor ShiftToInt8(const HostTensor& tensor) {
  if (tensor.type != TensorProto::UINT8) return tensor;
  std::vector<uint8_t> bytes = *tensor.bytes;
  // x − 128 in two's complement is x with its top bit flipped.
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(byte ^ 0x80U);
  return HostTensor::FromBytes(TensorProto::INT8, tensor.shape, std::move(bytes));
}

Status LowerQuantize(Importer& importer, const NodeView& node) {
  node.Ignore("saturate");  // for 8-bit floats only
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(Parameters parameters, ReadParameters(importer, node, shape));
  int32_t type = parameters.type;
  if (node.since() >= 21) {
    const auto wanted = static_cast<int32_t>(node.Int("output_dtype", 0));
    if (wanted != 0 && type != TensorProto::UNDEFINED && wanted != type) {
      return node.Fail("output_dtype differs from the type of the zero point");
    }
    if (wanted != 0) type = wanted;
  }
  if (type == TensorProto::UNDEFINED) type = TensorProto::UINT8;
  if (type != TensorProto::INT8 && type != TensorProto::UINT8) {
    return node.Fail("quantizes to " + OnnxTypeName(type) + "; int8 and uint8 are supported");
  }
  if (type == TensorProto::UINT8) ShiftZeroPoints(&parameters.quant);
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  if (importer.graph().at(value).is_constant()) {
    // Float weights with their quantization in the model: the integers are what a DequantizeLinear will read.
    XRUN_ASSIGN_OR_RETURN(const ValueId folded, importer.Emit(node, importer.Helper(node, "folded"), Op::kQuantize,
                                                              NoAttrs{}, {value}, {}, std::move(parameters.quant)));
    HostTensor integers = HostTensor::FromBytes(TensorProto::INT8, shape, {});
    integers.bytes = importer.graph().at(folded).constant;
    integers.declared_type = type;
    importer.Define(node, 0, std::move(integers));
    return {};
  }
  if (parameters.quant.axis >= 0) {
    return node.Fail("quantizes an activation per channel", "quantize activations per tensor");
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId out, importer.Emit(node, importer.Final(node), Op::kQuantize, NoAttrs{}, {value},
                                                         {}, std::move(parameters.quant)));
  if (type == TensorProto::UINT8) importer.MarkUint8(out);
  importer.Define(node, 0, out);
  return {};
}

Status LowerDequantize(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape shape, importer.InputShape(node, 0));
  XRUN_ASSIGN_OR_RETURN(Parameters parameters, ReadParameters(importer, node, shape));
  if (importer.InputSymbol(node, 0).constant) {
    const HostTensor* data = importer.Constant(node, 0);
    if (data == nullptr || data->is_float())
      return node.Fail("its input '" + node.input(0) + "' is not an integer tensor");
    const int32_t declared = data->declared_type;
    if (declared != TensorProto::INT8 && declared != TensorProto::UINT8 && declared != TensorProto::INT32) {
      return node.Fail("input '" + node.input(0) + "' is " + OnnxTypeName(declared) +
                       "; int8, uint8 and int32 are supported");
    }
    if (parameters.type != TensorProto::UNDEFINED && parameters.type != declared) {
      return node.Fail("input is " + OnnxTypeName(declared) + ", its zero point " + OnnxTypeName(parameters.type));
    }
    if (declared == TensorProto::UINT8) ShiftZeroPoints(&parameters.quant);
    for (int32_t zero_point : parameters.quant.zero_point) {
      if (declared == TensorProto::INT32 && zero_point != 0)
        return node.Fail("an int32 tensor has a zero point other than 0");
    }
    if (Status room = importer.budget().Take(data->elements()); !room.ok()) return node.Fail(room.failure());
    importer.DefineDequantized(node, ShiftToInt8(*data), std::move(parameters.quant), node.name(), node.input(0));
    return {};
  }
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  Value& input = importer.graph().at(value);
  if (input.dtype != DType::kInt8) return node.Fail("its input '" + node.input(0) + "' is not an integer tensor");
  const bool uint8 = importer.IsUint8(value);
  const int32_t held = uint8 ? TensorProto::UINT8 : TensorProto::INT8;
  if (parameters.type != TensorProto::UNDEFINED && parameters.type != held) {
    return node.Fail("input is " + OnnxTypeName(held) + ", its zero point " + OnnxTypeName(parameters.type));
  }
  if (parameters.quant.axis >= 0)
    return node.Fail("dequantizes an activation per channel", "quantize activations per tensor");
  if (uint8) ShiftZeroPoints(&parameters.quant);
  if (!input.quant) {
    input.quant = std::move(parameters.quant);  // an integer model input: the first reader says what it means
  } else if (*input.quant != parameters.quant) {
    return node.Fail("reads '" + node.input(0) + "' with another scale or zero point than it was quantized with",
                     "use the same parameters in QuantizeLinear and DequantizeLinear");
  }
  return importer.EmitFinal(node, Op::kDequantize, NoAttrs{}, {value});
}

}  // namespace xrun::compiler
