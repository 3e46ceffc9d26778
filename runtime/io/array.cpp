#include "runtime/io/array.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>

static_assert(std::endian::native == std::endian::little, "array files are read in place: little-endian hosts only");

namespace xrun::io {
namespace {

// Sizes beyond are mistakes, and allocators under a sanitizer end the process over them.
constexpr int64_t kMaxBytes = int64_t{1} << 40;

}  // namespace

std::string_view Name(ElementType type) {
  switch (type) {
#define X(e, n, t, c)  \
  case ElementType::e: \
    return n;
    XRUN_FOR_EACH_ELEMENT_TYPE(X)
#undef X
  }
  return "?";
}

size_t SizeOf(ElementType type) {
  switch (type) {
#define X(e, n, t, c)  \
  case ElementType::e: \
    return sizeof(t);
    XRUN_FOR_EACH_ELEMENT_TYPE(X)
#undef X
  }
  return 1;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const int64_t dim : shape) {
    if (!text.empty()) text += 'x';
    text += std::to_string(dim);
  }
  return text;
}

std::optional<int64_t> ElementCount(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, dim, &count)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : count;
}

Result<Array> Array::Create(ElementType type, std::vector<int64_t> shape) {
  const auto count = ElementCount(shape);
  const auto element = static_cast<int64_t>(SizeOf(type));
  if (!count || *count > kMaxBytes / element) {
    return Failure{"an array of shape " + ShapeText(shape) + " is beyond any memory", ""};
  }
  Array array;
  array.type = type;
  array.shape = std::move(shape);
  try {
    array.bytes.resize(static_cast<size_t>(*count * element));
  } catch (const std::exception&) {  // bad_alloc or length_error
    return Failure{"not enough memory for " + std::to_string(*count * element) + " bytes (an array of shape " +
                       ShapeText(array.shape) + ", " + std::string(Name(type)) + ")",
                   ""};
  }
  return array;
}

float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1FU;
  const uint32_t fraction = bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: fraction · 2^-24, exact in float32
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide_exponent = exponent == 31 ? 255U : exponent + 112U;
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (fraction << 13));
}

namespace {

template <typename T>
void Convert(const uint8_t* bytes, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes + static_cast<size_t>(i) * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

}  // namespace

void CopyAsFloat32(const Array& array, int64_t first, int64_t count, float* out) {
  assert(first >= 0 && count >= 0 && first <= array.size() - count);
  const uint8_t* bytes = array.bytes.data() + static_cast<size_t>(first) * SizeOf(array.type);
  switch (array.type) {
    case ElementType::kFloat32:
      if (count > 0) std::memcpy(out, bytes, static_cast<size_t>(count) * sizeof(float));
      return;
    case ElementType::kFloat16:
      for (int64_t i = 0; i < count; ++i) {
        uint16_t half;
        std::memcpy(&half, bytes + 2 * i, 2);
        out[i] = HalfToFloat(half);
      }
      return;
    case ElementType::kBool:
      for (int64_t i = 0; i < count; ++i) out[i] = bytes[i] != 0 ? 1.0F : 0.0F;
      return;
    case ElementType::kFloat64:
      return Convert<double>(bytes, count, out);
    case ElementType::kInt8:
      return Convert<int8_t>(bytes, count, out);
    case ElementType::kUint8:
      return Convert<uint8_t>(bytes, count, out);
    case ElementType::kInt16:
      return Convert<int16_t>(bytes, count, out);
    case ElementType::kUint16:
      return Convert<uint16_t>(bytes, count, out);
    case ElementType::kInt32:
      return Convert<int32_t>(bytes, count, out);
    case ElementType::kUint32:
      return Convert<uint32_t>(bytes, count, out);
    case ElementType::kInt64:
      return Convert<int64_t>(bytes, count, out);
    case ElementType::kUint64:
      return Convert<uint64_t>(bytes, count, out);
  }
}

Result<Array> ToFloat32(Array array) {
  if (array.type == ElementType::kFloat32) return array;
  XRUN_ASSIGN_OR_RETURN(Array result, Array::Create(ElementType::kFloat32, array.shape));
  CopyAsFloat32(array, 0, array.size(), result.data<float>());
  return result;
}

}  // namespace xrun::io
