#include "tools/driver/model_flags.h"

#include <algorithm>
#include <thread>

#include "tools/common/tool.h"
#include "tools/driver/quantized_model.h"

namespace xrun::tools {

void ModelFlags::AddTo(CLI::App& app) {
  app.add_option("MODEL", model, "ONNX model, float or quantized (QDQ)")->required()->type_name("FILE.onnx");
  app.add_option("--input-shape", input_shapes, "Shape of an input with symbolic dimensions; once per input")
      ->type_name("[NAME:]1x3x224x224")
      ->allow_extra_args(false);
  app.add_option("-j,--jobs", jobs, "Threads for calibration [one per processor]")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  AddCalibrationFlags(app, calibration, {"auto", "minmax", "percentile", "entropy", "mse"}, "auto");
  preprocess.AddTo(app);
}

compiler::ImportOptions ModelFlags::Import() const {
  compiler::ImportOptions options;
  for (const std::string& text : input_shapes) {
    auto parsed = compiler::ParseInputShape(text);
    if (!parsed.ok()) UsageError("--input-shape: " + parsed.failure().message, parsed.failure().hint);
    if (!options.input_shapes.insert(std::move(parsed).value()).second) {
      UsageError("--input-shape: an input is given twice: " + text);
    }
  }
  return options;
}

std::string ModelFlags::CommandText() const {
  std::string text = ShellWord(model);
  for (const std::string& shape : input_shapes) text += " --input-shape " + ShellWord(shape);
  return text;
}

int ModelFlags::Jobs() const {
  return jobs > 0 ? jobs : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace xrun::tools
