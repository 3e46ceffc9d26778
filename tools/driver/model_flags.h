#ifndef XRUN_TOOLS_DRIVER_MODEL_FLAGS_H_
#define XRUN_TOOLS_DRIVER_MODEL_FLAGS_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "compiler/import/import_onnx.h"
#include "tools/common/calibration_flags.h"

namespace xrun::tools {

/// MODEL and the flags that lead from it to a quantized graph: the same for xquantize and xcompile. The object must
/// stay where it is until the flags are parsed.
struct ModelFlags {
  std::string model;
  std::vector<std::string> input_shapes;
  CalibrationOptions calibration;
  PreprocessFlags preprocess;
  int jobs = 0;  ///< 0: one a processor

  void AddTo(CLI::App& app);

  /// Texts of --input-shape; wrong ones are usage errors.
  compiler::ImportOptions Import() const;
  /// MODEL and --input-shape as words of a shell, for commands that users are to paste.
  std::string CommandText() const;
  /// --jobs, or the number of processors; at least 1.
  int Jobs() const;
};

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_MODEL_FLAGS_H_
