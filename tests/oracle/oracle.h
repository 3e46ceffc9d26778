#ifndef XRUN_TESTS_ORACLE_ORACLE_H_
#define XRUN_TESTS_ORACLE_ORACLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The oracle executes a quantized graph (standard QDQ ONNX) with the integer semantics of the project's charter,
/// computed the obvious way: exact rationals for multipliers, 64-bit accumulators, one rounding where the graph has a
/// QuantizeLinear. It shares no code with isa/, compiler/, simulator/ or runtime/, so that agreement with them means
/// something.
namespace xrun::oracle {

using Shape = std::vector<int64_t>;

/// Everything that stops the oracle: the node (its name, or operator and first output when it has none; empty when no
/// node is to blame) and the reason. what() is "<node>: <reason>".
class Error : public std::runtime_error {
 public:
  Error(std::string node, std::string reason)
      : std::runtime_error(node.empty() ? reason : node + ": " + reason),
        node_(std::move(node)),
        reason_(std::move(reason)) {}
  const std::string& node() const { return node_; }
  const std::string& reason() const { return reason_; }

 private:
  std::string node_;
  std::string reason_;
};

/// One int8 activation tensor, real value = scale · (data − zero_point). A uint8 tensor of the file appears here
/// shifted by −128, its zero point too; `stored_unsigned` tells.
struct QuantizedTensor {
  std::string name;        ///< ONNX name of the integer tensor (the QuantizeLinear output)
  std::string float_name;  ///< ONNX name of the float tensor that QuantizeLinear read; empty for an integer graph input
  Shape shape;
  std::vector<int8_t> data;
  float scale = 0;
  int zero_point = 0;
  bool stored_unsigned = false;
};

struct OutputTensor {
  std::string name;
  Shape shape;
  std::vector<float> values;  ///< dequantized in float32: scale · (q − zp); or the float remainder's result
  std::optional<QuantizedTensor> quantized;  ///< the int8 codes behind `values`, when the output is a quantized tensor
  bool is_float = false;  ///< true: computed by float operators (Softmax, ArgMax …); not bit-exact material
};

struct Result {
  std::map<std::string, QuantizedTensor> tensors;  ///< every quantized activation, by QuantizeLinear output name
  std::vector<OutputTensor> outputs;               ///< in the graph's order

  /// The quantized tensor known by its integer name or by the float tensor's name; nullptr when there is none.
  const QuantizedTensor* Find(std::string_view name) const;
};

/// `float` data is what the model declares. `int8_t` data are quantized codes (in the shifted, signed form of
/// QuantizedTensor): for an integer graph input, or for a float graph input to stand for the output of the
/// QuantizeLinear that reads it.
struct InputTensor {
  Shape shape;
  std::variant<std::vector<float>, std::vector<int8_t>> data;
};

class Graph;  // private to the implementation

/// An immutable loaded model; cheap to copy, usable from several threads.
class Model {
 public:
  explicit Model(std::shared_ptr<const Graph> graph) : graph_(std::move(graph)) {}
  const Graph& graph() const { return *graph_; }

  struct Port {
    std::string name;
    Shape shape;  ///< −1 where the file has a symbol or nothing
    bool is_float = true;
  };
  const std::vector<Port>& inputs() const;
  std::vector<std::string> output_names() const;

 private:
  std::shared_ptr<const Graph> graph_;
};

/// Reads a model file (external data is looked for beside it). Throws Error.
Model Load(const std::string& path);
/// The same from bytes in memory; external data is refused.
Model LoadBytes(std::string_view bytes);

/// Executes the graph once. Throws Error naming the node that cannot be executed with exact integer semantics.
Result Run(const Model& model, const std::map<std::string, InputTensor>& inputs);

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_ORACLE_H_
