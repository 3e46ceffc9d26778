#ifndef XRUN_TESTS_ORACLE_VALUE_H_
#define XRUN_TESTS_ORACLE_VALUE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "exact.h"
#include "oracle.h"

/// What a tensor of the graph is while the oracle runs. Between a DequantizeLinear and the next QuantizeLinear nothing
/// is rounded: such tensors are exact integers with rational scales (Scaled, Sum) or a function of one int8 tensor
/// (Table), and QuantizeLinear is the only place that rounds them.
namespace xrun::oracle {

/// Identity of a quantized tensor: DequantizeLinear nodes of the same tensor share it, moved data gets a new one.
using Origin = std::shared_ptr<const char>;
inline Origin NewOrigin() { return std::make_shared<const char>(); }

struct QuantParams {
  float scale = 0;
  int64_t zero_point = 0;  ///< as in the file, not shifted
  int64_t lo = -128;       ///< range of the stored type: −128…127 or 0…255
  int64_t hi = 127;
  bool operator==(const QuantParams&) const = default;
};

/// Integers as the file stores them (uint8 not shifted): quantized activations, weights, biases, shapes, indices.
struct Codes {
  Shape shape;
  std::vector<int64_t> data;
  int onnx_type = 0;                  ///< onnx::TensorProto::DataType
  std::optional<QuantParams> params;  ///< set by QuantizeLinear, kept by data movement
  Origin origin = NewOrigin();
  bool raw_input = false;  ///< codes given by the caller for a float graph input, in signed form
};

/// A bound of Relu, Clip, Min or Max that waits for the QuantizeLinear.
struct Clamp {
  std::optional<Rational> lo;
  std::optional<Rational> hi;
};

/// real[i] = v[i] · scale[group[i]], exactly.
struct Scaled {
  Shape shape;
  std::vector<int64_t> v;
  std::vector<uint32_t> group;  ///< empty: all 0
  std::vector<Rational> scale;
  /// True: v is q − zp of a dequantized tensor, possibly moved: any operator may read it. False: an operator's result
  /// that has not met its QuantizeLinear; only data movement, clamps and QuantizeLinear may follow.
  bool quantized = false;
  std::optional<QuantParams> params;  ///< of a quantized one that has a single scale and zero point
  Origin origin = NewOrigin();
  bool takes_bias = false;  ///< a matrix product without bias yet
  std::vector<Clamp> clamps;

  uint32_t GroupAt(int64_t i) const { return group.empty() ? 0 : group[i]; }
};

/// Σ signs[i] · terms[i], every term quantized with one scale and already broadcast to the result's shape.
struct Sum {
  Shape shape;
  std::vector<Scaled> terms;
  std::vector<int> signs;
  std::vector<Clamp> clamps;
};

/// f(real value) of one quantized tensor, for every possible v = q − zp.
struct Table {
  static constexpr int kMaxV = 255;
  std::shared_ptr<const Scaled> source;
  std::array<double, 2 * kMaxV + 1> f;

  double At(int64_t v) const { return f[v + kMaxV]; }
};

struct Float {
  Shape shape;
  std::vector<float> data;
  /// Not empty: this came out of quantized tensors through an operator that has no integer rule in the charter; a
  /// QuantizeLinear must refuse it with this node and reason.
  std::string refused_node;
  std::string refused_reason;
};

struct Value {
  std::variant<Codes, Scaled, Sum, Table, Float> payload;
  bool constant = false;

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&payload);
  }
  /// The dequantized tensor in this value, or nullptr.
  const Scaled* Quantized() const {
    const Scaled* scaled = As<Scaled>();
    return scaled != nullptr && scaled->quantized ? scaled : nullptr;
  }
};
using ValuePtr = std::shared_ptr<const Value>;

template <typename T>
ValuePtr MakeValue(T payload) {
  return std::make_shared<const Value>(Value{std::move(payload), false});
}

const Shape& ShapeOf(const Value& value);
int64_t Count(const Shape& shape);
std::vector<int64_t> Strides(const Shape& shape);
std::string ToString(const Shape& shape);

/// numpy broadcasting; throws Error without a node on incompatible shapes.
Shape BroadcastShape(const Shape& a, const Shape& b);
/// For every element of `to`, the flat index of the element of `from` that is broadcast to it.
std::vector<int64_t> BroadcastIndex(const Shape& from, const Shape& to);

/// The value as float32, for the float remainder and for graph outputs.
Float ToFloat(const Value& value);

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_VALUE_H_
