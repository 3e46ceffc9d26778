#include "compiler/import/tensor.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "compiler/infer_shapes.h"

namespace xrun::compiler {

static_assert(std::endian::native == std::endian::little, "raw tensor data is little-endian");

namespace {

using onnx::TensorProto;

/// How one ONNX element type is stored and what it becomes.
struct ElementType {
  int32_t type;
  const char* name;
  size_t size;   ///< bytes in raw_data; 0: not supported
  int32_t held;  ///< type of the HostTensor
};

// Types 17 and up are younger than the ONNX headers this is built against.
constexpr ElementType kElementTypes[] = {
    {TensorProto::FLOAT, "float32", 4, TensorProto::FLOAT},
    {TensorProto::UINT8, "uint8", 1, TensorProto::UINT8},
    {TensorProto::INT8, "int8", 1, TensorProto::INT8},
    {TensorProto::UINT16, "uint16", 2, TensorProto::INT32},
    {TensorProto::INT16, "int16", 2, TensorProto::INT32},
    {TensorProto::INT32, "int32", 4, TensorProto::INT32},
    {TensorProto::INT64, "int64", 8, TensorProto::INT64},
    {TensorProto::STRING, "string", 0, 0},
    {TensorProto::BOOL, "bool", 1, TensorProto::BOOL},
    {TensorProto::FLOAT16, "float16", 2, TensorProto::FLOAT},
    {TensorProto::DOUBLE, "double", 8, TensorProto::FLOAT},
    {TensorProto::UINT32, "uint32", 4, TensorProto::INT64},
    {TensorProto::UINT64, "uint64", 8, TensorProto::INT64},
    {TensorProto::COMPLEX64, "complex64", 0, 0},
    {TensorProto::COMPLEX128, "complex128", 0, 0},
    {TensorProto::BFLOAT16, "bfloat16", 2, TensorProto::FLOAT},
    {17, "float8e4m3fn", 0, 0},
    {18, "float8e4m3fnuz", 0, 0},
    {19, "float8e5m2", 0, 0},
    {20, "float8e5m2fnuz", 0, 0},
    {21, "uint4", 0, 0},
    {22, "int4", 0, 0},
    {23, "float4e2m1", 0, 0},
};

const ElementType* FindType(int32_t type) {
  for (const ElementType& entry : kElementTypes) {
    if (entry.type == type) return &entry;
  }
  return nullptr;
}

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fU, fraction = half & 0x3ffU;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t biased = exponent == 0x1f ? 0xffU : exponent + 112;
  return std::bit_cast<float>(sign | biased << 23 | fraction << 13);
}

/// Appends `count` elements of type S read from `from`, converted by `convert` to T.
template <typename S, typename T, typename F>
std::vector<uint8_t> ConvertElements(const uint8_t* from, int64_t count, F convert) {
  std::vector<uint8_t> out(static_cast<size_t>(count) * sizeof(T));
  for (int64_t i = 0; i < count; ++i) {
    S source;
    std::memcpy(&source, from + static_cast<size_t>(i) * sizeof(S), sizeof(S));
    const T target = convert(source);
    std::memcpy(out.data() + static_cast<size_t>(i) * sizeof(T), &target, sizeof(T));
  }
  return out;
}

template <typename S, typename T>
std::vector<uint8_t> Widened(const uint8_t* from, int64_t count) {
  return ConvertElements<S, T>(from, count, [](S v) { return static_cast<T>(v); });
}

/// Raw little-endian elements of `type` to the held type.
std::vector<uint8_t> ToHeld(int32_t type, const uint8_t* from, int64_t count) {
  switch (type) {
    case TensorProto::FLOAT16:
      return ConvertElements<uint16_t, float>(from, count, HalfToFloat);
    case TensorProto::BFLOAT16:
      return ConvertElements<uint16_t, float>(
          from, count, [](uint16_t v) { return std::bit_cast<float>(static_cast<uint32_t>(v) << 16); });
    case TensorProto::DOUBLE:
      return Widened<double, float>(from, count);
    case TensorProto::UINT16:
      return Widened<uint16_t, int32_t>(from, count);
    case TensorProto::INT16:
      return Widened<int16_t, int32_t>(from, count);
    case TensorProto::UINT32:
      return Widened<uint32_t, int64_t>(from, count);
    case TensorProto::UINT64:
      // Values from 2^63 on turn up as huge shapes or axes (ONNX uses INT64_MAX for "to the end"): saturate like those.
      return ConvertElements<uint64_t, int64_t>(from, count, [](uint64_t v) {
        return static_cast<int64_t>(std::min<uint64_t>(v, std::numeric_limits<int64_t>::max()));
      });
    case TensorProto::BOOL:
      return ConvertElements<uint8_t, uint8_t>(from, count, [](uint8_t v) { return static_cast<uint8_t>(v != 0); });
    default: {
      const size_t bytes = static_cast<size_t>(count) * FindType(type)->size;
      return std::vector<uint8_t>(from, from + bytes);
    }
  }
}

/// The typed field of the proto that holds this element type, as raw elements. Small types are stored in int32_data.
template <typename Field, typename S>
Result<std::vector<uint8_t>> FromField(const Field& field, int64_t count) {
  if (field.size() != count) {
    return Failure{"has " + std::to_string(field.size()) + " elements, its shape says " + std::to_string(count), ""};
  }
  std::vector<uint8_t> out(static_cast<size_t>(count) * sizeof(S));
  for (int64_t i = 0; i < count; ++i) {
    const auto stored = field.Get(static_cast<int>(i));
    const S element = static_cast<S>(stored);
    if constexpr (std::is_integral_v<S>) {
      if (static_cast<decltype(stored)>(element) != stored) return Failure{"has an element outside of its type", ""};
    }
    std::memcpy(out.data() + static_cast<size_t>(i) * sizeof(S), &element, sizeof(S));
  }
  return out;
}

Result<std::vector<uint8_t>> TypedElements(const TensorProto& proto, int64_t count) {
  const auto& ints = proto.int32_data();
  using Ints = std::decay_t<decltype(ints)>;
  switch (proto.data_type()) {
    case TensorProto::FLOAT:
      return FromField<std::decay_t<decltype(proto.float_data())>, float>(proto.float_data(), count);
    case TensorProto::DOUBLE:
      return FromField<std::decay_t<decltype(proto.double_data())>, double>(proto.double_data(), count);
    case TensorProto::INT64:
      return FromField<std::decay_t<decltype(proto.int64_data())>, int64_t>(proto.int64_data(), count);
    case TensorProto::UINT32:
      return FromField<std::decay_t<decltype(proto.uint64_data())>, uint32_t>(proto.uint64_data(), count);
    case TensorProto::UINT64:
      return FromField<std::decay_t<decltype(proto.uint64_data())>, uint64_t>(proto.uint64_data(), count);
    case TensorProto::INT32:
      return FromField<Ints, int32_t>(ints, count);
    case TensorProto::INT16:
      return FromField<Ints, int16_t>(ints, count);
    case TensorProto::INT8:
      return FromField<Ints, int8_t>(ints, count);
    case TensorProto::UINT16:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      return FromField<Ints, uint16_t>(ints, count);
    default:  // uint8 and bool
      return FromField<Ints, uint8_t>(ints, count);
  }
}

Result<int64_t> ParseCount(const std::string& text) {
  if (text.empty() || text.size() > 18) return Failure{"'" + text + "' is not a byte count", ""};
  int64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return Failure{"'" + text + "' is not a byte count", ""};
    value = value * 10 + (c - '0');
  }
  return value;
}

/// Where the external data of a tensor is.
struct ExternalPlace {
  std::string location;
  int64_t offset = 0;
  int64_t length = -1;
};

Result<ExternalPlace> ReadPlace(const TensorProto& proto) {
  ExternalPlace place;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") {
      place.location = entry.value();
    } else if (entry.key() == "offset") {
      XRUN_ASSIGN_OR_RETURN(place.offset, ParseCount(entry.value()));
    } else if (entry.key() == "length") {
      XRUN_ASSIGN_OR_RETURN(place.length, ParseCount(entry.value()));
    }
  }
  if (place.location.empty()) return Failure{"external data without a file name", ""};
  return place;
}

/// The file of an external tensor, provided that it is inside of the model's folder, symbolic links resolved: a model
/// from elsewhere must not make us read any other file of this machine.
Result<std::filesystem::path> ResolveInside(const std::filesystem::path& folder, const std::string& location) {
  namespace fs = std::filesystem;
  const Failure outside{"external data '" + location + "' is outside of the model's folder",
                        "put the data file beside the model"};
  if (location.find('\0') != std::string::npos) return outside;
  const fs::path relative(location);
  if (relative.is_absolute()) return outside;
  for (const fs::path& part : relative) {
    if (part == "..") return outside;
  }
  std::error_code error;
  const fs::path base = fs::canonical(folder.empty() ? fs::path(".") : folder, error);
  if (error) return Failure{"the model's folder cannot be read: " + error.message(), ""};
  const fs::path file = fs::canonical(base / relative, error);
  if (error) {
    return Failure{"external data file '" + location + "' is missing",
                   "copy it beside the model: " + (folder / relative).string()};
  }
  const auto [base_end, file_part] = std::mismatch(base.begin(), base.end(), file.begin(), file.end());
  (void)file_part;
  if (base_end != base.end()) return outside;
  if (!fs::is_regular_file(file, error)) return Failure{"external data '" + location + "' is not a file", ""};
  return file;
}

Result<std::vector<uint8_t>> ReadExternal(const TensorProto& proto, const std::filesystem::path& folder,
                                          int64_t bytes) {
  XRUN_ASSIGN_OR_RETURN(const ExternalPlace place, ReadPlace(proto));
  if (folder.empty()) {
    return Failure{"keeps its data in the file '" + place.location + "', but the model did not come from a folder", ""};
  }
  XRUN_ASSIGN_OR_RETURN(const std::filesystem::path file, ResolveInside(folder, place.location));
  const std::string where = "external data '" + place.location + "'";
  if (place.length >= 0 && place.length != bytes) {
    return Failure{where + ": length " + std::to_string(place.length) + ", the shape needs " + std::to_string(bytes),
                   ""};
  }
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(file, error));
  if (error) return Failure{where + " cannot be read: " + error.message(), ""};
  if (place.offset > size || bytes > size - place.offset) {
    return Failure{where + " has " + std::to_string(size) + " bytes, " + std::to_string(bytes) + " from " +
                       std::to_string(place.offset) + " are needed",
                   "the file is truncated or belongs to another model"};
  }
  std::vector<uint8_t> data(static_cast<size_t>(bytes));
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(place.offset);
  stream.read(reinterpret_cast<char*>(data.data()), bytes);
  if (!stream) return Failure{where + " cannot be read", ""};
  return data;
}

Status CheckNumbers(const HostTensor& tensor) {
  if (!tensor.is_float()) return {};
  const float* values = tensor.data<float>();
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    if (std::isnan(values[i])) {
      return Failure{"holds NaN (element " + std::to_string(i) + ")", "the training or the export diverged"};
    }
  }
  return {};
}

Result<HostTensor> Load(const TensorProto& proto, const std::filesystem::path& folder, ConstantBudget& budget) {
  const ElementType* element = FindType(proto.data_type());
  if (element == nullptr || element->size == 0) {
    return Failure{"element type " + OnnxTypeName(proto.data_type()) + " is not supported", ""};
  }
  if (proto.has_segment()) return Failure{"is stored in segments, which is not supported", ""};
  HostTensor tensor;
  tensor.declared_type = proto.data_type();
  tensor.type = element->held;
  tensor.shape.assign(proto.dims().begin(), proto.dims().end());
  XRUN_ASSIGN_OR_RETURN(const int64_t count, CountElements(tensor.shape));
  const int64_t bytes = count * static_cast<int64_t>(element->size);

  std::vector<uint8_t> raw;
  const uint8_t* from = nullptr;
  // Sizes are compared before anything is allocated: a bogus shape cannot ask for more than the file holds.
  if (proto.data_location() == TensorProto::EXTERNAL) {
    XRUN_RETURN_IF_ERROR(budget.Take(bytes));
    XRUN_ASSIGN_OR_RETURN(raw, ReadExternal(proto, folder, bytes));
    from = raw.data();
  } else if (proto.has_raw_data()) {
    if (static_cast<int64_t>(proto.raw_data().size()) != bytes) {
      return Failure{"has " + std::to_string(proto.raw_data().size()) + " bytes, its shape " + ShapeText(tensor.shape) +
                         " needs " + std::to_string(bytes),
                     ""};
    }
    from = reinterpret_cast<const uint8_t*>(proto.raw_data().data());
  } else {
    XRUN_ASSIGN_OR_RETURN(raw, TypedElements(proto, count));
    from = raw.data();
  }
  XRUN_RETURN_IF_ERROR(budget.Take(count * static_cast<int64_t>(HeldSize(tensor.type))));
  const bool unchanged = !raw.empty() && element->held == element->type && element->type != TensorProto::BOOL;
  tensor.bytes =
      std::make_shared<const std::vector<uint8_t>>(unchanged ? std::move(raw) : ToHeld(proto.data_type(), from, count));
  XRUN_RETURN_IF_ERROR(CheckNumbers(tensor));
  return tensor;
}

}  // namespace

std::vector<int64_t> HostTensor::Integers() const {
  std::vector<int64_t> out;
  const int64_t count = elements();
  out.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    switch (type) {
      case TensorProto::INT64:
        out.push_back(data<int64_t>()[i]);
        break;
      case TensorProto::INT32:
        out.push_back(data<int32_t>()[i]);
        break;
      case TensorProto::INT8:
        out.push_back(data<int8_t>()[i]);
        break;
      default:
        out.push_back(data<uint8_t>()[i]);
        break;
    }
  }
  return out;
}

HostTensor HostTensor::FromBytes(int32_t type, Shape shape, std::vector<uint8_t> bytes) {
  HostTensor tensor;
  tensor.type = tensor.declared_type = type;
  tensor.shape = std::move(shape);
  tensor.bytes = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  return tensor;
}

HostTensor HostTensor::FromIntegers(int32_t type, Shape shape, const std::vector<int64_t>& values) {
  std::vector<uint8_t> bytes(values.size() * HeldSize(type));
  for (size_t i = 0; i < values.size(); ++i) {
    // Little-endian: the low bytes come first.
    std::memcpy(bytes.data() + i * HeldSize(type), &values[i], HeldSize(type));
  }
  return FromBytes(type, std::move(shape), std::move(bytes));
}

HostTensor HostTensor::FromFloats(Shape shape, const std::vector<float>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return FromBytes(TensorProto::FLOAT, std::move(shape), std::move(bytes));
}

Status ConstantBudget::Take(int64_t bytes) {
  if (bytes > left_) return Failure{"the constants of this model take more memory than the import may use", ""};
  left_ -= bytes;
  return {};
}

int32_t OnnxType(DType type) {
  switch (type) {
    case DType::kFloat32:
      return TensorProto::FLOAT;
    case DType::kInt8:
      return TensorProto::INT8;
    case DType::kInt32:
      return TensorProto::INT32;
    case DType::kInt64:
      return TensorProto::INT64;
    case DType::kBool:
      return TensorProto::BOOL;
  }
  return TensorProto::UNDEFINED;
}

std::optional<DType> GraphType(int32_t held) {
  for (const DType type : {DType::kFloat32, DType::kInt8, DType::kInt32, DType::kInt64, DType::kBool}) {
    if (OnnxType(type) == held) return type;
  }
  return std::nullopt;
}

std::string OnnxTypeName(int32_t type) {
  const ElementType* element = FindType(type);
  return element != nullptr ? element->name : "number " + std::to_string(type);
}

size_t HeldSize(int32_t type) {
  const ElementType* element = FindType(type);
  return element->size;
}

Result<int64_t> CountElements(const Shape& shape) {
  int64_t count = 1;
  for (int64_t dim : shape) {
    if (dim < 0) return Failure{"shape " + ShapeText(shape) + " has a negative dimension", ""};
    if (dim > kMaxElements / std::max<int64_t>(count, 1)) {
      return Failure{"shape " + ShapeText(shape) + " has more than " + std::to_string(kMaxElements) + " elements", ""};
    }
    count *= dim;
  }
  return count;
}

Result<HostTensor> LoadTensor(const TensorProto& proto, const std::filesystem::path& folder, ConstantBudget& budget) {
  auto result = Load(proto, folder, budget);
  if (!result.ok()) return std::move(result).failure().In("tensor '" + proto.name() + "'");
  return result;
}

}  // namespace xrun::compiler
