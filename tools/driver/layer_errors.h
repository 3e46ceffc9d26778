#ifndef XRUN_TOOLS_DRIVER_LAYER_ERRORS_H_
#define XRUN_TOOLS_DRIVER_LAYER_ERRORS_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "isa/program.h"
#include "runtime/io/dataset.h"
#include "tools/common/progress.h"

namespace xrun::tools {

/// How far values are from those wanted, over all elements added.
class Deviation {
 public:
  void Add(std::span<const float> want, std::span<const float> got);
  /// Signal to quantization noise, 10 log10(sum want² / sum (want − got)²); infinite when they are equal.
  double SqnrDb() const;
  /// Of the angle between them; 1 when both are zero, 0 when one is.
  double Cosine() const;

 private:
  double want_ = 0, got_ = 0, dot_ = 0, noise_ = 0;
};

/// Of one quantized layer's result, dequantized, against the float model's.
struct LayerError {
  std::string tensor, node, op;
  Deviation whole;                 ///< in the whole quantized model: errors of the layers before it included
  std::optional<Deviation> alone;  ///< with float inputs rounded to its own parameters, and nothing else quantized
};

/// What to measure layers on. The float graph is canonical; values are matched by name.
struct LayerErrorInputs {
  std::shared_ptr<const Program> program;  ///< compiled with --debug-tensors
  const compiler::Graph* float_model = nullptr;
  const compiler::Graph* quantized = nullptr;  ///< for LayerError::alone; may be null
  const io::Dataset* data = nullptr;
  int64_t samples = 1;  ///< the first of data
};

/// Worst first: by `alone` where there is one, else by `whole`. Layers that only rename or reorder elements are left
/// out, as are tensors without a float counterpart of the same name.
/// `alone` runs a program of one layer in the simulator: the same integers as in the whole program.
Result<std::vector<LayerError>> MeasureLayers(const LayerErrorInputs& inputs, Progress& progress);

/// Whether both programs give the same bytes for the first `samples` of data; the failure names the output.
Status CheckSameResults(const std::shared_ptr<const Program>& here, const std::shared_ptr<const Program>& there,
                        const io::Dataset& data, int64_t samples);

std::string Text(const std::vector<LayerError>& layers);
nlohmann::ordered_json ToJson(const std::vector<LayerError>& layers);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_LAYER_ERRORS_H_
