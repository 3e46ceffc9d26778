#ifndef XRUN_RUNTIME_IO_ARRAY_H_
#define XRUN_RUNTIME_IO_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "isa/result.h"

namespace xrun::io {

/// Element types that array files can hold. Wider than xrun::DType, which lists what a graph computes with.
///
/// X(enumerator, printed name (numpy's), C++ storage type, .npy type code)
#define XRUN_FOR_EACH_ELEMENT_TYPE(X)    \
  X(kFloat32, "float32", float, "f4")    \
  X(kFloat16, "float16", uint16_t, "f2") \
  X(kFloat64, "float64", double, "f8")   \
  X(kInt8, "int8", int8_t, "i1")         \
  X(kUint8, "uint8", uint8_t, "u1")      \
  X(kInt16, "int16", int16_t, "i2")      \
  X(kUint16, "uint16", uint16_t, "u2")   \
  X(kInt32, "int32", int32_t, "i4")      \
  X(kUint32, "uint32", uint32_t, "u4")   \
  X(kInt64, "int64", int64_t, "i8")      \
  X(kUint64, "uint64", uint64_t, "u8")   \
  X(kBool, "bool", uint8_t, "b1")

enum class ElementType : uint8_t {
#define X(e, n, t, c) e,
  XRUN_FOR_EACH_ELEMENT_TYPE(X)
#undef X
};

std::string_view Name(ElementType type);
size_t SizeOf(ElementType type);

/// "1x3x224x224"; "scalar" for rank 0.
std::string ShapeText(const std::vector<int64_t>& shape);

/// Product of the dimensions, 1 for a scalar; nothing when a dimension is negative or the product exceeds int64.
std::optional<int64_t> ElementCount(const std::vector<int64_t>& shape);

/// A dense array in C order, elements little-endian in `bytes`. A plain value: copied, moved, compared as such.
/// Invariant kept by every function here: bytes.size() == product(shape) · SizeOf(type).
struct Array {
  ElementType type = ElementType::kFloat32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  /// All zero. Fails for negative or overflowing dimensions and when memory does not suffice.
  static Result<Array> Create(ElementType type, std::vector<int64_t> shape);

  /// An array of `values`, whose number must be the product of `shape` (asserted).
  template <typename T>
  static Array Of(std::vector<int64_t> shape, const std::vector<T>& values);

  int64_t size() const { return static_cast<int64_t>(bytes.size() / SizeOf(type)); }

  /// Elements as `T`, which must have the storage type's size (asserted).
  template <typename T>
  const T* data() const {
    assert(sizeof(T) == SizeOf(type));
    return reinterpret_cast<const T*>(bytes.data());
  }
  template <typename T>
  T* data() {
    assert(sizeof(T) == SizeOf(type));
    return reinterpret_cast<T*>(bytes.data());
  }

  bool operator==(const Array&) const = default;
};

/// Elements converted to float32, rounded to nearest even; bool becomes 0 or 1. A float32 array is returned as it is.
Result<Array> ToFloat32(Array array);

/// Writes `count` elements of `array` from `first` on as float32 to `out`. The range must lie within (asserted).
void CopyAsFloat32(const Array& array, int64_t first, int64_t count, float* out);

/// IEEE binary16 bits as float32, exact.
float HalfToFloat(uint16_t bits);

template <typename T>
constexpr ElementType ElementTypeOf() {
  if constexpr (std::is_same_v<T, float>) return ElementType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return ElementType::kFloat64;
  if constexpr (std::is_same_v<T, int8_t>) return ElementType::kInt8;
  if constexpr (std::is_same_v<T, uint8_t>) return ElementType::kUint8;
  if constexpr (std::is_same_v<T, int16_t>) return ElementType::kInt16;
  if constexpr (std::is_same_v<T, uint16_t>) return ElementType::kUint16;
  if constexpr (std::is_same_v<T, int32_t>) return ElementType::kInt32;
  if constexpr (std::is_same_v<T, uint32_t>) return ElementType::kUint32;
  if constexpr (std::is_same_v<T, int64_t>) return ElementType::kInt64;
  if constexpr (std::is_same_v<T, uint64_t>) return ElementType::kUint64;
}

template <typename T>
Array Array::Of(std::vector<int64_t> shape, const std::vector<T>& values) {
  assert(ElementCount(shape) == static_cast<int64_t>(values.size()));
  const auto* first = reinterpret_cast<const uint8_t*>(values.data());
  Array array;
  array.type = ElementTypeOf<T>();
  array.shape = std::move(shape);
  array.bytes.assign(first, first + values.size() * sizeof(T));
  return array;
}

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_ARRAY_H_
