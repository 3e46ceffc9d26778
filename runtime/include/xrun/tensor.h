#ifndef XRUN_TENSOR_H_
#define XRUN_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "xrun/export.h"

namespace xrun::api {

/// Element types of a model's inputs and outputs.
enum class DType : uint8_t { kFloat32, kInt8, kInt32, kInt64, kBool };

XRUN_API std::string_view name(DType dtype);  ///< "float32", "int8", "int32", "int64", "bool"
XRUN_API size_t size_of(DType dtype);         ///< bytes of an element

/// The DType of a C++ type; bool tensors are bytes of 0 and 1 and are given as C++ bool.
template <typename T>
constexpr DType dtype_of() {
  using U = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<U, float>) {
    return DType::kFloat32;
  } else if constexpr (std::is_same_v<U, int8_t>) {
    return DType::kInt8;
  } else if constexpr (std::is_same_v<U, int32_t>) {
    return DType::kInt32;
  } else if constexpr (std::is_same_v<U, int64_t>) {
    return DType::kInt64;
  } else {
    static_assert(std::is_same_v<U, bool>, "tensors hold float, int8_t, int32_t, int64_t or bool");
    return DType::kBool;
  }
}

/// How elements lie in memory.
enum class Layout : uint8_t {
  kModel,  ///< dense and row-major over `shape`, in the order of the model's own dimensions (ONNX: N, C, H, W)
  kDevice  ///< the overlay's own, channel groups: DeviceLayout. For Buffers that are bound to a request
};

/// Where an int8 tensor's elements lie for the overlay. Element [n][c][y][x] of the model's dimensions is byte
///   ((n · groups + p / word) · height · width + y · width + x) · word + p % word,   p = channel_map[c], or c if empty.
/// Other bytes have no meaning.
struct XRUN_API DeviceLayout {
  uint32_t batch = 0, channels = 0, height = 0, width = 0;
  uint32_t groups = 0;  ///< words of channels a pixel takes, in planes of their own
  uint32_t word = 0;    ///< channels of a word: the configuration's
  std::vector<uint32_t> channel_map;

  size_t elements() const { return size_t{batch} * channels * height * width; }
  size_t bytes() const { return size_t{batch} * groups * height * width * word; }
  /// From and to the model's layout. They throw Error unless `model` has elements() and `device` bytes().
  void pack(std::span<const int8_t> model, std::span<uint8_t> device) const;
  void unpack(std::span<const uint8_t> device, std::span<int8_t> model) const;
};

/// An input or output of a program.
struct XRUN_API TensorInfo {
  std::string name;  ///< as in the ONNX model
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;
  float scale = 0.0F;              ///< int8 only: real = scale · (q − zero_point)
  int32_t zero_point = 0;          ///< int8 only
  Layout layout = Layout::kModel;  ///< of the arrays that run and Request use

  size_t elements() const;  ///< product of `shape`, 1 for a scalar
  size_t bytes() const { return elements() * size_of(dtype); }
  std::string shape_text() const;  ///< "1x3x224x224"

  /// q = saturate(zero_point + round_half_even(real / scale)), division in float32: ONNX QuantizeLinear. NaN becomes
  /// the zero point. Throws Error when this is no int8 tensor or the sizes differ. Any number of elements; no
  /// allocation.
  void quantize(std::span<const float> real, std::span<int8_t> q) const;
  /// real = scale · (q − zero_point) in float32: ONNX DequantizeLinear. Throws as quantize does.
  void dequantize(std::span<const int8_t> q, std::span<float> real) const;
};

/// A named array that run() reads; it refers to the caller's memory and to the caller's name.
class NamedInput {
 public:
  template <std::ranges::contiguous_range R>
  requires std::ranges::sized_range<R> NamedInput(std::string_view name, const R& data)
      : name_(name),
        data_(std::ranges::data(data)),
        size_(std::ranges::size(data)),
        dtype_(dtype_of<std::ranges::range_value_t<R>>()) {}
  /// `elements` of a type known only at run time.
  NamedInput(std::string_view name, const void* data, size_t elements, DType dtype)
      : name_(name), data_(data), size_(elements), dtype_(dtype) {}

  std::string_view name() const { return name_; }
  const void* data() const { return data_; }
  size_t size() const { return size_; }  ///< elements
  DType dtype() const { return dtype_; }

 private:
  std::string_view name_;
  const void* data_;
  size_t size_;
  DType dtype_;
};

/// A named array that run() writes. Its size is the caller's: nothing is resized.
class NamedOutput {
 public:
  template <std::ranges::contiguous_range R>
  requires std::ranges::sized_range<R> &&
      (!std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>)NamedOutput(std::string_view name,
                                                                                                R&& data)
      : name_(name),
        data_(std::ranges::data(data)),
        size_(std::ranges::size(data)),
        dtype_(dtype_of<std::ranges::range_value_t<R>>()) {}
  /// `elements` of a type known only at run time.
  NamedOutput(std::string_view name, void* data, size_t elements, DType dtype)
      : name_(name), data_(data), size_(elements), dtype_(dtype) {}

  std::string_view name() const { return name_; }
  void* data() const { return data_; }
  size_t size() const { return size_; }  ///< elements
  DType dtype() const { return dtype_; }

 private:
  std::string_view name_;
  void* data_;
  size_t size_;
  DType dtype_;
};

namespace detail {
/// Throws Error: the tensor's type is another one.
[[noreturn]] XRUN_API void throw_type_mismatch(const TensorInfo& info, DType asked);
}  // namespace detail

/// Memory of one tensor of a request, in the tensor's own type and the model's layout. Valid as long as the Request.
class TensorMemory {
 public:
  TensorMemory(const TensorInfo& info, void* data) : info_(&info), data_(data) {}

  const TensorInfo& info() const { return *info_; }
  void* data() const { return data_; }

  /// All elements. Throws Error when T is not the tensor's type.
  template <typename T>
  std::span<T> as() const {
    if (dtype_of<T>() != info_->dtype) detail::throw_type_mismatch(*info_, dtype_of<T>());
    return {static_cast<T*>(data_), info_->elements()};
  }

 private:
  const TensorInfo* info_;
  void* data_;
};

}  // namespace xrun::api

#endif  // XRUN_TENSOR_H_
