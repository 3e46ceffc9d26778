#ifndef XRUN_TESTS_FLOAT_GRAPHS_MODEL_MAKER_H_
#define XRUN_TESTS_FLOAT_GRAPHS_MODEL_MAKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/cpu/op.h"
#include "tests/unit/onnx_builder.h"

namespace xrun::float_graphs {

using Shape = std::vector<int64_t>;
using test::NodeBuilder;

int64_t Elements(const Shape& shape);

/// A tensor of the model being written, and what is known of its values whatever the model's inputs are. That keeps
/// functions inside their domains, and operators that jump (comparisons, Floor, ArgMax) where no rounding decides.
struct Tensor {
  std::string name;
  DType type = DType::kFloat32;
  Shape shape;
  double lo = 0, hi = 0;  ///< bounds of its values
  /// The values are multiples of 2^-grid that every implementation computes exactly; -1: rounded somewhere.
  int grid = -1;
  bool constant = false;  ///< depends on no input of the model

  bool exact() const { return grid >= 0; }
  size_t rank() const { return shape.size(); }
  double most() const { return lo + hi > 0 ? hi : -lo; }  ///< the largest magnitude
};

/// The same numbers on every machine, unlike the standard library's distributions: splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  int64_t Pick(int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>(Next() % static_cast<uint64_t>(hi - lo + 1));
  }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }
  double Uniform(double lo, double hi) { return lo + (hi - lo) * static_cast<double>(Next() >> 11) * 0x1p-53; }
  template <typename T>
  const T& OneOf(const std::vector<T>& list) {
    return list[static_cast<size_t>(Pick(0, static_cast<int64_t>(list.size()) - 1))];
  }

 private:
  uint64_t state_;
};

/// Writes an ONNX model node by node. What a recipe (recipes.h) makes, it keeps for those after it to read.
class ModelMaker {
 public:
  ModelMaker(uint64_t seed, int opset);

  int opset() const { return opset_; }
  Random random;

  // ---- tensors to work on

  /// A float tensor that was kept, the younger the likelier, or a new input; a constant now and then.
  Tensor Any();
  Tensor OfRank(size_t rank);
  /// Of rank `least` at least.
  Tensor OfRankFrom(size_t least);
  /// Float values that rounding did not touch.
  Tensor Exact();
  Tensor ExactOfRankFrom(size_t least);
  Tensor Bool();
  Tensor Integers(DType type);
  /// A float tensor that broadcasts together with `x`, from either side; a constant now and then.
  Tensor Partner(const Tensor& x, bool exact = false);
  /// A tensor of any element type.
  Tensor OfAnyType();
  Tensor OfAnyTypeFrom(size_t least_rank);
  Tensor Input(const Shape& shape);
  /// An input whose elements differ from one another.
  Tensor DistinctInput(const Shape& shape);
  Shape RandomShape(size_t rank);

  /// x by way of functions that lead into lo ... hi; x itself when it lies there.
  Tensor Within(const Tensor& x, double lo, double hi);
  /// x when its values are of a usual size, else as Within.
  Tensor Tame(const Tensor& x);
  /// x by way of a Reshape or Slice; what it must not exceed keeps models small.
  Tensor Reshaped(const Tensor& x, const Shape& shape);
  Tensor Shrunk(const Tensor& x, int64_t most_elements);

  // ---- constants: an initializer, a Constant node, or what exporters compute from shapes

  Tensor Floats(const Shape& shape, const std::vector<double>& values);
  Tensor RandomFloats(const Shape& shape, double lo, double hi);
  /// Multiples of 2^-grid.
  Tensor RandomExact(const Shape& shape, double lo, double hi, int grid);
  Tensor Scalar(double value) { return Floats({}, {value}); }
  Tensor Ints(const Shape& shape, const std::vector<int64_t>& values, DType type = DType::kInt64);
  /// int8 or uint8, for QuantizeLinear and DequantizeLinear alone.
  Tensor Bytes(const Shape& shape, const std::vector<int64_t>& values, bool is_signed);
  Tensor IntList(const std::vector<int64_t>& values) { return Ints({static_cast<int64_t>(values.size())}, values); }

  // ---- nodes

  /// A node and its results, to be described by Result.
  NodeBuilder Add(const std::string& op, const std::vector<Tensor>& inputs, int outputs = 1);
  /// Result i of the node added last; its bounds are those of the values.
  Tensor Result(DType type, const Shape& shape, double lo, double hi, int grid = -1, int i = 0);
  /// A node without attributes.
  Tensor Simple(const std::string& op, const std::vector<Tensor>& inputs, const Shape& shape, double lo, double hi,
                int grid = -1);
  /// Result i of the node added last, with x's values in another arrangement.
  Tensor Moved(const Tensor& x, const Shape& shape, int i = 0);

  /// Result 0 of the node added last: integers computed from shapes or constants, all of them `value` where it matters.
  Tensor Computed(const Shape& shape, double value);
  /// Result 0 of the node added last where only the next node reads it, in a type that has no name here.
  Tensor Unnamed(const Tensor& x) const;

  /// Makes a tensor available to later recipes, and an output when none of them reads it.
  void Keep(const Tensor& x);
  /// Makes a tensor an output that no later recipe reads.
  void KeepApart(const Tensor& x);

  // ---- the end

  /// Whether something computed from an input was kept.
  bool HasResults() const;
  /// Outputs: whatever nothing reads, and some of the rest; or every tensor, to find where results part.
  void Finish(bool every_tensor = false);
  onnx::ModelProto& model() { return builder_.model; }
  const std::vector<Tensor>& outputs() const { return outputs_; }
  struct InputData {
    Tensor tensor;
    std::vector<float> values;
  };
  const std::vector<InputData>& inputs() const { return inputs_; }

 private:
  Tensor FromPool(const std::function<bool(const Tensor&)>& fits, bool* found);
  void LeakNowAndThen(const Tensor& x);
  std::string NewName(const std::string& base) { return base + "_" + std::to_string(counter_++); }

  int opset_;
  test::OnnxBuilder builder_;
  std::vector<Tensor> pool_, constants_, apart_, made_, outputs_;
  std::vector<InputData> inputs_;
  std::set<std::string> read_;
  std::vector<std::string> results_;
  bool from_constants_ = false;  ///< the node added last reads constants only
  int counter_ = 0;
};

/// The shape of both together, as numpy broadcasts them.
Shape Broadcast(const Shape& a, const Shape& b);
bool Broadcasts(const Shape& a, const Shape& b);

}  // namespace xrun::float_graphs

#endif  // XRUN_TESTS_FLOAT_GRAPHS_MODEL_MAKER_H_
