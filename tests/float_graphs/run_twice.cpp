#include "run_twice.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "compiler/float_executor.h"
#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"

namespace xrun::float_graphs {
namespace {

io::ElementType ArrayType(DType type) {
  switch (type) {
    case DType::kFloat32:
      return io::ElementType::kFloat32;
    case DType::kInt8:
      return io::ElementType::kInt8;
    case DType::kInt32:
      return io::ElementType::kInt32;
    case DType::kInt64:
      return io::ElementType::kInt64;
    case DType::kBool:
      return io::ElementType::kBool;
  }
  return io::ElementType::kFloat32;
}

Result<std::vector<io::Array>> Run(const compiler::Graph& graph, const ModelMaker& maker, int threads) {
  XRUN_ASSIGN_OR_RETURN(compiler::FloatExecutor executor, compiler::FloatExecutor::Create(graph, threads));
  std::vector<std::span<const float>> inputs;
  for (const compiler::ValueId id : graph.inputs) {
    for (const auto& data : maker.inputs()) {
      if (data.tensor.name == graph.at(id).name) inputs.emplace_back(data.values);
    }
  }
  XRUN_RETURN_IF_ERROR(executor.Run(inputs));
  std::vector<io::Array> outputs;
  for (size_t i = 0; i < maker.outputs().size(); ++i) {
    const Tensor& expected = maker.outputs()[i];
    const compiler::Value& value = graph.at(graph.outputs[i]);
    if (value.shape != expected.shape || value.dtype != expected.type) {
      return Failure{"output '" + expected.name + "' is " + std::string(Name(value.dtype)) + " " +
                         io::ShapeText(value.shape) + ", expected " + std::string(Name(expected.type)) + " " +
                         io::ShapeText(expected.shape),
                     ""};
    }
    XRUN_ASSIGN_OR_RETURN(io::Array array, io::Array::Create(ArrayType(value.dtype), value.shape));
    const std::span<const std::byte> bytes = executor.output_bytes(i);
    std::memcpy(array.bytes.data(), bytes.data(), bytes.size());
    outputs.push_back(std::move(array));
  }
  return outputs;
}

std::string At(int64_t i, double a, double b) {
  return "element " + std::to_string(i) + ": " + std::to_string(a) + " and " + std::to_string(b);
}

}  // namespace

Result<TwoRuns> RunTwice(ModelMaker& maker) {
  std::string text;
  maker.model().SerializeToString(&text);
  const std::vector<uint8_t> bytes(text.begin(), text.end());
  XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, compiler::ImportOnnx(bytes, "model.onnx"));
  TwoRuns runs;
  XRUN_ASSIGN_OR_RETURN(runs.imported, Run(graph, maker, /*threads=*/1));
  XRUN_RETURN_IF_ERROR(compiler::Canonicalize(graph));
  XRUN_ASSIGN_OR_RETURN(runs.passed, Run(graph, maker, /*threads=*/2));
  return runs;
}

double Tolerance(double most) { return 1e-4 * std::max(most, 0.1); }

std::string FirstDifference(const io::Array& a, const io::Array& b) {
  if (a.type != b.type || a.shape != b.shape) return "types or shapes differ";
  if (a.type != io::ElementType::kFloat32) {
    const size_t size = io::SizeOf(a.type);
    for (size_t i = 0; i < a.bytes.size(); ++i) {
      if (a.bytes[i] != b.bytes[i]) return "element " + std::to_string(i / size) + " differs";
    }
    return "";
  }
  double most = 0;
  for (int64_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a.data<float>()[i])));
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = a.data<float>()[i], y = b.data<float>()[i];
    if (std::isnan(x) && std::isnan(y)) continue;
    if (!(std::abs(x - y) <= Tolerance(most))) return At(i, x, y);
  }
  return "";
}

}  // namespace xrun::float_graphs
