#include "verify.h"

#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include "compiler/import/import_onnx.h"
#include "compiler/macs.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/quantize/quantize.h"
#include "compiler/quantize/synthetic_inputs.h"
#include "compiler/tokens_to_planes.h"
#include "tools/driver/estimate.h"
#include "tools/driver/summary.h"

namespace xrun::structures {
namespace {

constexpr int kCalibrationSamples = 2;

/// Seconds since the last call.
class Clock {
 public:
  double Lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

Result<compiler::Calibration> Calibrate(const compiler::Graph& graph, float lo, float hi) {
  XRUN_ASSIGN_OR_RETURN(compiler::Calibrator calibrator, compiler::Calibrator::Create(graph, 0));
  const compiler::Shape& shape = graph.at(graph.inputs[0]).shape;
  for (int sample = 0; sample < kCalibrationSamples; ++sample) {
    const std::vector<float> picture = compiler::SyntheticInput(shape, sample, 0, lo, hi);
    const std::span<const float> input = picture;
    XRUN_RETURN_IF_ERROR(calibrator.Add({&input, 1}));
  }
  calibrator.calibration().synthetic = true;
  return std::move(calibrator.calibration());
}

/// A picture that calibration has not seen, as codes.
testing::Tensors Picture(const compiler::Graph& graph) {
  const compiler::Value& input = graph.at(graph.inputs[0]);
  std::vector<int8_t> codes;
  for (const float x : compiler::SyntheticInput(input.shape, kCalibrationSamples, 0, -128, 127)) {
    codes.push_back(static_cast<int8_t>(std::lround(x)));
  }
  return {{input.name, codes}};
}

/// Made-up weights that let activations die out would make the comparison worthless: the first such tensor. Slices of a
/// few channels may have few values.
std::string FindCollapsed(const testing::Tensors& tensors) {
  for (const auto& [name, codes] : tensors) {
    const size_t distinct = std::set<int8_t>(codes.begin(), codes.end()).size();
    if (codes.size() >= 100 && distinct < 4) {
      return "tensor " + name + " has only " + std::to_string(distinct) + " values: the weights are not realistic";
    }
  }
  return "";
}

std::string CpuNodes(const Program& program) {
  std::map<std::string, int> operators;
  int count = 0;
  for (const NodeInfo& node : program.nodes) {
    if (node.placement != "cpu") continue;
    ++operators[node.op];
    ++count;
  }
  std::string names;
  for (const auto& [name, n] : operators) {
    names += (names.empty() ? "" : ", ") + name + (n > 1 ? " x" + std::to_string(n) : "");
  }
  return std::to_string(count) + (names.empty() ? "" : " (" + names + ")");
}

}  // namespace

namespace {

/// What steps on single samples of a batch give, by the names of compiler/split_batch.cpp.
void AddSamples(size_t batch, testing::Tensors* tensors) {
  if (batch == 1) return;
  testing::Tensors samples;
  for (const auto& [name, values] : *tensors) {
    if (values.size() % batch != 0) continue;
    const auto size = static_cast<std::ptrdiff_t>(values.size() / batch);
    for (size_t s = 0; s < batch; ++s) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(s) * size;
      samples[name + ".sample" + std::to_string(s)].assign(begin, begin + size);
    }
  }
  tensors->merge(samples);
}

}  // namespace

Result<compiler::Graph> QuantizedGraph(const Structure& structure, uint64_t seed, int64_t batch) {
  std::string bytes;
  onnx::ModelProto model = structure.write(seed);
  if (batch != 1) SetBatch(batch, &model);
  if (!model.SerializeToString(&bytes)) return Failure{"the model cannot be serialized", ""};
  const std::span<const uint8_t> file(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, compiler::ImportOnnx(file, structure.name + ".onnx"));
  if (graph.inputs.size() != 1) return Failure{"a structure has one input", ""};
  XRUN_RETURN_IF_ERROR(compiler::Canonicalize(graph));
  XRUN_ASSIGN_OR_RETURN(const compiler::Calibration calibration,
                        Calibrate(graph, static_cast<float>(structure.lo), static_cast<float>(structure.hi)));
  XRUN_ASSIGN_OR_RETURN(compiler::Quantized quantized, compiler::Quantize(graph, calibration));
  return std::move(quantized.graph);
}

Result<Quantized> QuantizeStructure(const Structure& structure, uint64_t seed, int64_t batch) {
  Quantized result;
  Clock clock;
  XRUN_ASSIGN_OR_RETURN(result.graph, QuantizedGraph(structure, seed, batch));
  result.quantize_seconds = clock.Lap();
  result.input = Picture(result.graph);
  const testing::Results whole = testing::RunOracle(result.graph, result.input, &result.oracle_error);
  result.want = whole.codes;
  // Planes of tokens go by names that the graph has only after this; it must change no result.
  if (result.oracle_error.empty() && compiler::TokensToPlanes(result.graph)) {
    const testing::Results planes = testing::RunOracle(result.graph, result.input, &result.oracle_error);
    if (result.oracle_error.empty() && planes.numbers != whole.numbers) {
      return Failure{"tokens as planes give other results", ""};
    }
    result.want = planes.codes;
  }
  const std::string collapsed = FindCollapsed(result.want);
  if (!collapsed.empty()) return Failure{collapsed, ""};
  AddSamples(static_cast<size_t>(batch), &result.want);
  result.oracle_seconds = clock.Lap();
  return result;
}

Result<Outcome> VerifyStructure(const Quantized& model, const HardwareConfig& config, bool every_tensor,
                                int optimization) {
  Outcome outcome;
  Clock clock;
  compiler::CompileOptions options;
  options.config = config;
  options.debug_tensors = every_tensor;
  options.optimization = optimization;
  XRUN_ASSIGN_OR_RETURN(const Program program, compiler::Compile(model.graph, options));
  outcome.compile_seconds = clock.Lap();
  if (!model.oracle_error.empty()) return Failure{"compiled, but oracle: " + model.oracle_error, ""};
  std::string error;
  const testing::Tensors got = testing::RunProgram(program, model.input, 1, &error, model.want);
  outcome.run_seconds = clock.Lap();
  if (error.empty()) error = testing::Difference(got, model.want);
  if (!error.empty()) return Failure{"simulator: " + error, ""};
  const tools::PlacementCount placed = tools::CountPlacements(program);
  outcome.overlay_nodes = placed.overlay;
  outcome.cpu_nodes = CpuNodes(program);
  outcome.overlay_macs = static_cast<double>(placed.overlay_macs);
  for (const compiler::Node& node : model.graph.nodes) {
    outcome.all_macs += static_cast<double>(compiler::Macs(model.graph, node));
  }
  XRUN_ASSIGN_OR_RETURN(const tools::Estimate estimate, tools::EstimateProgram(program));
  outcome.modelled_fps = estimate.RequestsPerSecond();
  return outcome;
}

}  // namespace xrun::structures
