#ifndef XRUN_TOOLS_DRIVER_QUANTIZED_MODEL_H_
#define XRUN_TOOLS_DRIVER_QUANTIZED_MODEL_H_

#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/quantize/quantize.h"
#include "tools/common/progress.h"
#include "tools/driver/model_flags.h"

namespace xrun::tools {

/// Where the scales of a quantized graph come from.
enum class ScaleSource : uint8_t {
  kModel,      ///< the file was quantized already (QDQ)
  kData,       ///< calibrated with --calib
  kSynthetic,  ///< calibrated without data: built-in images
};

/// A quantized graph and how it came about.
struct QuantizedModel {
  compiler::Graph graph;
  ScaleSource source = ScaleSource::kModel;
  std::string calibration;  ///< one line for people and for the program; begins with "calibrated without data" if so
  io::Preprocess preprocess;
  bool preprocess_given = false;
  bool pictures = false;  ///< an input that pictures fit
  std::vector<compiler::ChosenRange> ranges;
};

/// MODEL through import, canonicalization, calibration and quantization, or as it is when it holds QDQ nodes already.
/// `observer` is told after the stages import … quantize.
Result<QuantizedModel> MakeQuantizedModel(const ModelFlags& flags, ProgressMode progress,
                                          const compiler::StageObserver& observer);

/// `text` as one word of a POSIX shell, quoted where needed.
std::string ShellWord(const std::string& text);

/// What to say about a model calibrated without data: what was done and three commands, ready to paste, that do better.
/// `command` is the tool with its flags but without calibration: "xcompile m.onnx --arch B4096".
std::string AdviceWithoutData(const QuantizedModel& model, const std::string& command);

/// The ranges that calibration chose, as a table.
std::string RangeTable(const std::vector<compiler::ChosenRange>& ranges);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_QUANTIZED_MODEL_H_
