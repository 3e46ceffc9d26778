// Whole trained networks: float ONNX, quantized once, then the same bytes from every configuration and the oracle.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/quantize/quantize.h"
#include "isa/hardware_config.h"
#include "run_both.h"

namespace xrun::testing {
namespace {

/// Imports, canonicalizes and quantizes; ranges come from synthetic images, which is all that equality of bytes needs.
Result<compiler::Graph> QuantizedModel(const std::filesystem::path& path) {
  XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, compiler::ImportOnnx(path));
  XRUN_RETURN_IF_ERROR(compiler::Canonicalize(graph));
  XRUN_ASSIGN_OR_RETURN(const compiler::Calibration calibration, compiler::CalibrateWithoutData(graph, -2.5F, 2.5F, 1));
  XRUN_ASSIGN_OR_RETURN(compiler::Quantized quantized, compiler::Quantize(graph, calibration));
  return std::move(quantized.graph);
}

void CheckOnAllConfigurations(const compiler::Graph& graph) {
  const Tensors inputs = RandomInputs(graph, 7);
  std::string error;
  const Tensors want = RunOracle(graph, inputs, &error).codes;
  ASSERT_EQ(error, "");
  ASSERT_FALSE(want.empty());
  compiler::TilingLimits small;
  small.rows = 3;
  small.cols = 5;
  small.out_groups = 1;
  small.keep_on_chip = false;
  compiler::TilingLimits parts = small;
  parts.in_groups = 1;
  parts.kernel_rows = 2;
  compiler::TilingLimits halves, others;
  halves.stagger = 5;
  others.stagger = 40;
  for (const HardwareConfig& config : BuiltInConfigs()) {
    for (const auto& [optimization, tiling] :
         {std::pair{2, compiler::TilingLimits{}}, std::pair{0, compiler::TilingLimits{}}, std::pair{2, small},
          std::pair{1, parts}, std::pair{2, halves}, std::pair{2, others}}) {
      SCOPED_TRACE(config.name + " -O" + std::to_string(optimization) + " rows=" + std::to_string(tiling.rows) +
                   " in-groups=" + std::to_string(tiling.in_groups) + " stagger=" + std::to_string(tiling.stagger));
      auto program = compiler::Compile(graph, {config, optimization, tiling, {}});
      ASSERT_TRUE(program.ok()) << program.failure().ToString();
      if (tiling.stagger != 0) {
        ASSERT_TRUE(program->overlay_steps.at(0).stagger.has_value());
      }
      const Tensors got = RunProgram(*program, inputs, 2, &error);
      ASSERT_EQ(error, "");
      ASSERT_EQ(Difference(got, want), "");
    }
  }
}

class TestModels : public ::testing::TestWithParam<const char*> {};

TEST_P(TestModels, SameBytesOnEveryConfiguration) {
  auto graph = QuantizedModel(std::filesystem::path(XRUN_TEST_MODELS) / (std::string(GetParam()) + ".onnx"));
  ASSERT_TRUE(graph.ok()) << graph.failure().ToString();
  CheckOnAllConfigurations(*graph);
}

INSTANTIATE_TEST_SUITE_P(FashionMnist, TestModels, ::testing::Values("fmnist_cnn", "fmnist_resnet", "fmnist_mobile"),
                         [](const auto& info) { return std::string(info.param); });

TEST(SharedModels, Resnet8SameBytesOnEveryConfiguration) {
  const char* dir = std::getenv("XRUN_MODELS_DIR");
  if (dir == nullptr) GTEST_SKIP() << "XRUN_MODELS_DIR is not set";
  auto graph = QuantizedModel(std::filesystem::path(dir) / "mlperf_resnet8_cifar10" / "model_fp32.onnx");
  ASSERT_TRUE(graph.ok()) << graph.failure().ToString();
  CheckOnAllConfigurations(*graph);
}

}  // namespace
}  // namespace xrun::testing
