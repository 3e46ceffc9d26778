#include "compiler/quantize/rounding_trial.h"

#include <algorithm>
#include <cmath>

namespace xrun::compiler {
namespace {

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y, aa += x * x, bb += y * y;
  }
  return aa == 0 || bb == 0 ? (aa == bb ? 1 : 0) : ab / std::sqrt(aa * bb);
}

void Round(const QuantParams& params, std::span<float> values) {
  const float scale = params.scale[0], inverse = 1 / scale;
  const auto zero = static_cast<float>(params.zero_point[0]);
  for (float& v : values) {
    v = (std::clamp(std::nearbyint(v * inverse) + zero, -128.0F, 127.0F) - zero) * scale;
  }
}

}  // namespace

Result<RoundingTrial> RoundingTrial::Create(const Graph& graph, const ActivationParams& params, int threads) {
  XRUN_ASSIGN_OR_RETURN(FloatExecutor executor, FloatExecutor::Create(graph, threads));
  RoundingTrial trial(std::move(executor));
  trial.params_ = params.params;
  return trial;
}

std::vector<std::vector<float>> RoundingTrial::Outputs() const {
  std::vector<std::vector<float>> outputs;
  const Graph& graph = executor_.graph();
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    if (graph.at(graph.outputs[i]).dtype != DType::kFloat32) continue;
    const std::span<const float> values = executor_.output(i);
    outputs.emplace_back(values.begin(), values.end());
  }
  return outputs;
}

Status RoundingTrial::Add(std::span<const std::span<const float>> inputs) {
  Sample sample;
  for (const auto& input : inputs) sample.inputs.emplace_back(input.begin(), input.end());
  XRUN_RETURN_IF_ERROR(executor_.Run(inputs));
  sample.outputs = Outputs();
  samples_.push_back(std::move(sample));
  return {};
}

Result<double> RoundingTrial::Loss(const std::vector<bool>& rounded) {
  double loss = 0;
  size_t count = 0;
  for (const Sample& sample : samples_) {
    const std::vector<std::span<const float>> inputs(sample.inputs.begin(), sample.inputs.end());
    XRUN_RETURN_IF_ERROR(executor_.Run(inputs, {}, [&](ValueId id, std::span<float> values) {
      const auto v = static_cast<size_t>(id);
      if (rounded[v] && params_[v]) Round(*params_[v], values);
    }));
    const std::vector<std::vector<float>> outputs = Outputs();
    for (size_t i = 0; i < outputs.size(); ++i, ++count) loss += 1 - Cosine(outputs[i], sample.outputs[i]);
  }
  return count == 0 ? 0.0 : loss / static_cast<double>(count);
}

}  // namespace xrun::compiler
