#include "compiler/quantize/calibrate.h"

#include <cassert>

#include "compiler/quantize/synthetic_inputs.h"

namespace xrun::compiler {

void Calibration::Merge(const Calibration& other) {
  assert(stats.size() == other.stats.size());
  for (size_t i = 0; i < stats.size(); ++i) stats[i].Merge(other.stats[i]);
  samples += other.samples;
  synthetic = synthetic || other.synthetic;
}

Result<Calibrator> Calibrator::Create(const Graph& graph, int threads) {
  XRUN_ASSIGN_OR_RETURN(FloatExecutor executor, FloatExecutor::Create(graph, threads));
  Calibrator calibrator(std::move(executor));
  calibrator.calibration_.stats.resize(graph.values.size());
  return calibrator;
}

Status Calibrator::Add(std::span<const std::span<const float>> inputs) {
  ValueId bad = kNone;
  XRUN_RETURN_IF_ERROR(executor_.Run(inputs, [&](ValueId id, std::span<const float> values) {
    if (bad != kNone) return;
    ActivationStats& stats = calibration_.stats[static_cast<size_t>(id)];
    stats.Add(values);
    if (stats.not_finite() != 0) bad = id;
  }));
  if (bad != kNone) {
    const Graph& graph = executor_.graph();
    const NodeId producer = graph.Producer(bad);
    const std::string sample = "calibration sample " + std::to_string(calibration_.samples + 1);
    if (producer == kNone) {
      return Failure{sample + ": input '" + graph.at(bad).name + "' holds a value that is not a finite number",
                     "check the file and the preprocessing"};
    }
    const Node& node = graph.nodes[static_cast<size_t>(producer)];
    return Failure{sample + ": node '" + node.name + "' (" + std::string(Name(node.op)) + ") gives a value in '" +
                       graph.at(bad).name + "' that is not a finite number",
                   "the model overflows or has broken weights for this input; check --input-range and preprocessing"};
  }
  ++calibration_.samples;
  return {};
}

Result<Calibration> CalibrateWithoutData(const Graph& graph, float lo, float hi, int threads) {
  XRUN_ASSIGN_OR_RETURN(Calibrator calibrator, Calibrator::Create(graph, threads));
  std::vector<std::vector<float>> buffers(graph.inputs.size());
  std::vector<std::span<const float>> inputs(graph.inputs.size());
  for (int sample = 0; sample < kSyntheticSamples; ++sample) {
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      buffers[i] = SyntheticInput(graph.at(graph.inputs[i]).shape, sample, static_cast<int>(i), lo, hi);
      inputs[i] = buffers[i];
    }
    XRUN_RETURN_IF_ERROR(calibrator.Add(inputs));
  }
  calibrator.calibration().synthetic = true;
  return std::move(calibrator.calibration());
}

}  // namespace xrun::compiler
