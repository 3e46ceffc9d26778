#include "xrun/tensor.h"

#include "runtime/api_impl.h"
#include "runtime/layout.h"
#include "runtime/quantize.h"

namespace xrun::api {

std::string_view name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "float32";
    case DType::kInt8:
      return "int8";
    case DType::kInt32:
      return "int32";
    case DType::kInt64:
      return "int64";
    case DType::kBool:
      return "bool";
  }
  return "unknown";
}

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kInt32:
      return 4;
    case DType::kInt64:
      return 8;
    case DType::kInt8:
    case DType::kBool:
      return 1;
  }
  return 0;
}

size_t TensorInfo::elements() const {
  size_t count = 1;
  for (int64_t d : shape) count *= static_cast<size_t>(d);
  return count;
}

std::string TensorInfo::shape_text() const {
  if (shape.empty()) return "scalar";
  std::string text;
  for (int64_t d : shape) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

namespace {

void CheckQuantized(const TensorInfo& info, size_t reals, size_t values) {
  if (info.dtype != DType::kInt8) {
    Throw({"tensor '" + info.name + "' is " + std::string(name(info.dtype)) + ": it has no scale and zero point",
           "give its values as they are"});
  }
  if (reals != values) {
    Throw({"tensor '" + info.name + "': " + std::to_string(reals) + " float values and " + std::to_string(values) +
               " int8 values, the numbers must be equal",
           ""});
  }
}

}  // namespace

void TensorInfo::quantize(std::span<const float> real, std::span<int8_t> q) const {
  CheckQuantized(*this, real.size(), q.size());
  runtime::Quantize(real, scale, zero_point, q);
}

void TensorInfo::dequantize(std::span<const int8_t> q, std::span<float> real) const {
  CheckQuantized(*this, real.size(), q.size());
  runtime::Dequantize(q, scale, zero_point, real);
}

namespace {

BufferLayout CheckedLayout(const DeviceLayout& layout, size_t model, size_t device) {
  if (model != layout.elements() || device != layout.bytes()) {
    Throw({"device layout of " + std::to_string(layout.elements()) + " elements in " + std::to_string(layout.bytes()) +
               " bytes, given " + std::to_string(model) + " elements and " + std::to_string(device) + " bytes",
           ""});
  }
  return {layout.batch, layout.channels, layout.height, layout.width, layout.groups, layout.channel_map};
}

}  // namespace

void DeviceLayout::pack(std::span<const int8_t> model, std::span<uint8_t> device) const {
  runtime::Pack(CheckedLayout(*this, model.size(), device.size()), word, model.data(), device.data());
}

void DeviceLayout::unpack(std::span<const uint8_t> device, std::span<int8_t> model) const {
  runtime::Unpack(CheckedLayout(*this, model.size(), device.size()), word, device.data(), model.data());
}

namespace detail {

void throw_type_mismatch(const TensorInfo& info, DType asked) {
  Throw({"tensor '" + info.name + "' is " + std::string(name(info.dtype)) + ", not " + std::string(name(asked)),
         info.dtype == DType::kInt8 && asked == DType::kFloat32 ? "TensorInfo::quantize and dequantize convert" : ""});
}

}  // namespace detail
}  // namespace xrun::api
