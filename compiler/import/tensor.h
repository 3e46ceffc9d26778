#ifndef XRUN_COMPILER_IMPORT_TENSOR_H_
#define XRUN_COMPILER_IMPORT_TENSOR_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "compiler/graph.h"

namespace xrun::compiler {

/// A constant while importing. Elements are float32, int8, uint8, int32, int64 or bool; every other ONNX type has been
/// converted (float16, bfloat16 and double to float32, the other integers to the next wider of these) or refused.
struct HostTensor {
  int32_t type = onnx::TensorProto::FLOAT;           ///< the element type held
  int32_t declared_type = onnx::TensorProto::FLOAT;  ///< the type in the model
  Shape shape;                                       ///< dimensions may be 0 (an empty list of axes)
  ConstantData bytes;

  bool is_float() const { return type == onnx::TensorProto::FLOAT; }
  bool is_integer() const { return type == onnx::TensorProto::INT32 || type == onnx::TensorProto::INT64; }
  int64_t elements() const { return Elements(shape); }
  template <typename T>
  const T* data() const {
    return reinterpret_cast<const T*>(bytes->data());
  }
  /// All elements as int64; for int32, int64, int8, uint8 and bool.
  std::vector<int64_t> Integers() const;

  static HostTensor FromBytes(int32_t type, Shape shape, std::vector<uint8_t> bytes);
  static HostTensor FromIntegers(int32_t type, Shape shape, const std::vector<int64_t>& values);
  static HostTensor FromFloats(Shape shape, const std::vector<float>& values);
};

/// What the constants of one import may still take.
class ConstantBudget {
 public:
  explicit ConstantBudget(int64_t bytes) : left_(bytes) {}
  Status Take(int64_t bytes);

 private:
  int64_t left_;
};

/// The ONNX element type of a graph's, and back; none for uint8, which the graph does not have.
int32_t OnnxType(DType type);
std::optional<DType> GraphType(int32_t held);
/// "float16", "uint8", ... for messages.
std::string OnnxTypeName(int32_t type);
/// Bytes of one element of a held type.
size_t HeldSize(int32_t type);
/// Elements of a shape that may hold zeros; fails on negative dimensions and on more than the limit of a tensor.
Result<int64_t> CountElements(const Shape& shape);

/// The contents of a TensorProto. `folder` is where external data may be, empty when there is none. Refuses NaN.
Result<HostTensor> LoadTensor(const onnx::TensorProto& proto, const std::filesystem::path& folder,
                              ConstantBudget& budget);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_IMPORT_TENSOR_H_
