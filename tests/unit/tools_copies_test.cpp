// Copied channels from the model to what is said of them: kept where the outputs are closer for it, left out where not.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "runtime/io/npy.h"
#include "tests/unit/onnx_builder.h"
#include "tools/driver/quantized_model.h"

namespace xrun::tools {
namespace {

constexpr int64_t kSide = 12, kSamples = 4;

/// Convolution of `x` to pairs of channels that are nearly equal, and their differences: what is left of them after
/// rounding depends on fine steps. The pairs are called `name`, the differences `name`.out.
void AddDifferences(test::OnnxBuilder& builder, const std::string& name, float apart) {
  std::vector<float> pairs = test::Noise(8 * 3, 3);
  const std::vector<float> noise = test::Noise(8 * 3, 4);
  for (size_t i = 0; i < 12; ++i) pairs[12 + i] = pairs[i] + apart * noise[i];
  std::vector<float> differences(4 * 8, 0.0F);
  for (size_t o = 0; o < 4; ++o) differences[o * 8 + o] = 1, differences[o * 8 + 4 + o] = -1;
  builder.Init(name + ".w", {8, 3, 1, 1}, pairs).Init(name + ".d", {4, 8, 1, 1}, differences).Output(name + ".out");
  builder.Node("Conv", {"x", name + ".w"}, {name});
  builder.Node("Conv", {name, name + ".d"}, {name + ".out"});
}

QuantizedModel Quantized(const test::OnnxBuilder& builder, const std::vector<std::string>& options = {}) {
  const auto folder = std::filesystem::path(testing::TempDir()) / ("xrun_copies_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string model = folder / "model.onnx", samples = folder / "x.npy";
  builder.Save(model);
  const io::Array array =
      io::Array::Of<float>({kSamples, 3, kSide, kSide}, test::Noise(kSamples * 3 * kSide * kSide, 5));
  EXPECT_TRUE(io::SaveNpy(samples, array).ok());
  ModelFlags flags;
  CLI::App app;
  flags.AddTo(app);
  std::vector<std::string> arguments = {samples, "--calib", model};  // CLI11 takes the last first
  arguments.insert(arguments.begin(), options.rbegin(), options.rend());
  app.parse(arguments);
  auto quantized = MakeQuantizedModel(flags, ProgressMode::kOff, [](const auto&, const auto&) {});
  EXPECT_TRUE(quantized.ok()) << quantized.failure().ToString();
  std::filesystem::remove_all(folder);
  return std::move(quantized).value();
}

bool HasCopies(const QuantizedModel& model) {
  return std::any_of(model.graph.values.begin(), model.graph.values.end(),
                     [](const compiler::Value& value) { return value.name.find(".copies") != std::string::npos; });
}

bool Says(const QuantizedModel& model, const std::string& words) {
  return model.calibration.find(words) != std::string::npos;
}

TEST(ChannelCopies, KeptWhereTheOutputsAreCloser) {
  test::OnnxBuilder builder;
  builder.Input("x", {1, 3, kSide, kSide});
  AddDifferences(builder, "pairs", 0.02F);
  const QuantizedModel with = Quantized(builder);
  EXPECT_TRUE(HasCopies(with));
  EXPECT_TRUE(Says(with, "1 layers' channels copied, 300 % more multiply-accumulates")) << with.calibration;
  // What fills a group is free: two copies of eight channels.
  const QuantizedModel little = Quantized(builder, {"--channel-copies", "1"});
  EXPECT_TRUE(Says(little, "1 layers' channels copied, 100 % more multiply-accumulates")) << little.calibration;
  const QuantizedModel without = Quantized(builder, {"--channel-copies", "off"});
  EXPECT_FALSE(HasCopies(without));
  EXPECT_FALSE(Says(without, "copied")) << without.calibration;
}

TEST(ChannelCopies, LeftOutWhereMostHarmIsElsewhere) {
  test::OnnxBuilder builder;
  builder.Input("x", {1, 3, kSide, kSide});
  AddDifferences(builder, "pairs", 0.02F);
  // These cannot be copied: an Add reads them, too.
  AddDifferences(builder, "others", 0.001F);
  builder.Output("sum").Node("Add", {"others", "others"}, {"sum"});
  const QuantizedModel model = Quantized(builder);
  EXPECT_FALSE(HasCopies(model));
  EXPECT_TRUE(Says(model, "copies of channels: left out")) << model.calibration;
}

}  // namespace
}  // namespace xrun::tools
