#ifndef XRUN_TOOLS_DRIVER_EVALUATE_H_
#define XRUN_TOOLS_DRIVER_EVALUATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "runtime/io/dataset.h"
#include "tools/common/progress.h"
#include "tools/driver/infer.h"

namespace xrun::tools {

struct EvaluateOptions {
  std::vector<int64_t> top_k = {1, 5};
  int64_t label_offset = 0;  ///< added to each label to get the index of its class in the output
  int jobs = 1;
};

/// Fractions of samples whose label is among the k largest scores, one per EvaluateOptions::top_k.
struct Accuracy {
  std::vector<int64_t> correct;
  bool operator==(const Accuracy&) const = default;
};

struct Evaluation {
  int64_t samples = 0;
  std::optional<Accuracy> int8, float32;  ///< with labels; float32 with a float model too
  std::optional<int64_t> agreeing;        ///< with a float model: samples where both name the same class
  double seconds = 0;                     ///< host time, both models together
};

/// Runs `data` through the program, and through `float_model` (may be null) when given, with `jobs` threads, and
/// counts. Classes are the elements of the program's first output. `labels` (may be null) are indexed by a sample's
/// place in its source. The counts do not depend on `jobs`. Fails, naming the sample, for a label outside the classes.
Result<Evaluation> Evaluate(api::Session& session, const compiler::Graph* float_model, const io::Dataset& data,
                            const std::vector<int64_t>* labels, const EvaluateOptions& options, Progress& progress);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_EVALUATE_H_
