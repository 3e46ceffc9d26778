#include "tests/overlay_hw/networks.h"

#include <filesystem>

#include "compiler/compile.h"
#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/quantize/quantize.h"

namespace xrun::test {

Result<Program> CompiledNetwork(const std::string& model, const HardwareConfig& config) {
  XRUN_ASSIGN_OR_RETURN(compiler::Graph graph,
                        compiler::ImportOnnx(std::filesystem::path(XRUN_TEST_MODELS) / (model + ".onnx")));
  XRUN_RETURN_IF_ERROR(compiler::Canonicalize(graph));
  XRUN_ASSIGN_OR_RETURN(const compiler::Calibration calibration, compiler::CalibrateWithoutData(graph, -2.5F, 2.5F, 1));
  XRUN_ASSIGN_OR_RETURN(compiler::Quantized quantized, compiler::Quantize(graph, calibration));
  return compiler::Compile(quantized.graph, {config, 2, {}, {}});
}

}  // namespace xrun::test
