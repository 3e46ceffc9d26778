// xquantize: float ONNX in, standard quantized (QDQ) ONNX out.

#include <cstdio>

#include "compiler/quantize/absorb_qdq.h"
#include "compiler/quantize/qdq_export.h"
#include "runtime/io/preprocess_text.h"
#include "tools/common/format.h"
#include "tools/common/tool.h"
#include "tools/driver/count_parameters.h"
#include "tools/driver/quantized_model.h"
#include "tools/driver/summary.h"

int main(int argc, char** argv) {
  using namespace xrun;
  tools::Tool tool("xquantize",
                   "Quantizes a float ONNX model to int8: standard ONNX with QuantizeLinear and "
                   "DequantizeLinear, once for all configurations.");
  tools::ModelFlags flags;
  std::string output;
  flags.AddTo(tool.app());
  tool.app().add_option("-o,--output", output, "Quantized model to write")->required()->type_name("FILE.onnx");

  return tool.Run(argc, argv, [&]() -> Status {
    XRUN_ASSIGN_OR_RETURN(
        const tools::QuantizedModel model,
        tools::MakeQuantizedModel(flags, tool.common().progress_mode(), [](const auto&, const auto&) {}));
    if (model.source == tools::ScaleSource::kModel) {
      return Failure{flags.model + " is quantized already", "xcompile takes it as it is"};
    }
    XRUN_RETURN_IF_ERROR(compiler::WriteQdq(model.graph, output));
    const tools::ParameterCount parameters = tools::CountParameters(model.graph);
    if (tool.common().text()) {
      if (tool.common().verbosity > 0) std::printf("%s\n", tools::RangeTable(model.ranges).c_str());
      std::printf("%s\n", output.c_str());
      std::printf("parameters   %s in %s\n", tools::FormatCount(static_cast<int64_t>(parameters.numbers)).c_str(),
                  tools::FormatBytes(parameters.bytes).c_str());
      std::printf("calibration  %s\n", model.calibration.c_str());
    }
    if (model.source == tools::ScaleSource::kSynthetic) {
      tool.Warn(
          tools::AdviceWithoutData(model, "xquantize " + flags.CommandText() + " -o " + tools::ShellWord(output)));
    }
    nlohmann::ordered_json document;
    document["output"] = output;
    document["parameters"] = parameters.numbers;
    document["calibration"] = {{"text", model.calibration}, {"with_data", model.source == tools::ScaleSource::kData}};
    nlohmann::ordered_json& ranges = document["ranges"] = nlohmann::ordered_json::array();
    for (const compiler::ChosenRange& r : model.ranges) {
      ranges.push_back({{"value", r.value},
                        {"seen", {r.seen.lo, r.seen.hi}},
                        {"kept", {r.chosen.lo, r.chosen.hi}},
                        {"scale", r.scale},
                        {"zero_point", r.zero_point},
                        {"mean_squared_error", r.mean_squared_error}});
    }
    return tool.WriteJson(document);
  });
}
