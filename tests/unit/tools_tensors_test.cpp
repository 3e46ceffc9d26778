// Tensors inside programs, dumps, comparison in order of execution, per-layer errors, reports.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "compiler/compile.h"
#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/quantize.h"
#include "compiler/quantize/synthetic_inputs.h"
#include "isa/atomic_file.h"
#include "runtime/io/file.h"
#include "tools/driver/folder.h"
#include "tools/driver/infer.h"
#include "tools/driver/layer_errors.h"
#include "tools/driver/report.h"
#include "tools/driver/tensors.h"

namespace xrun::tools {
namespace {

/// Options for a configuration, all else as it is by default.
compiler::CompileOptions For(const HardwareConfig& config) {
  compiler::CompileOptions options;
  options.config = config;
  return options;
}

class TensorFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("xrun_tools_tensors_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

/// A trained test model in all its forms.
struct Model {
  compiler::Graph real, quantized;
  std::shared_ptr<const Program> plain, debug;
};

Model MakeModel(const char* file) {
  Model model;
  model.real = compiler::ImportOnnx(std::filesystem::path(XRUN_TEST_MODELS) / file).value();
  EXPECT_TRUE(compiler::Canonicalize(model.real).ok());
  const auto calibration = compiler::CalibrateWithoutData(model.real, -1, 1, 1).value();
  model.quantized = compiler::Quantize(model.real, calibration).value().graph;
  compiler::CompileOptions options;
  options.config = FindConfig("B1024").value();
  model.plain = std::make_shared<const Program>(compiler::Compile(model.quantized, options).value());
  options.debug_tensors = true;
  model.debug = std::make_shared<const Program>(compiler::Compile(model.quantized, options).value());
  return model;
}

std::vector<CapturedTensor> Capture(const std::shared_ptr<const Program>& program) {
  api::Session session(api::Device::open("sim"), internal::WrapProgram(program));
  Inputs inputs;
  const std::vector<float> values = compiler::SyntheticInput(session.inputs()[0].shape, 3, 0, -1, 1);
  const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
  inputs.bytes[session.inputs()[0].name].assign(bytes, bytes + values.size() * sizeof(float));
  inputs.runs = inputs.samples = 1;
  TensorTap tap(session, program);
  EXPECT_TRUE(RunAll(session, inputs, false).ok());
  return tap.Take();
}

const CapturedTensor& Find(const std::vector<CapturedTensor>& tensors, const std::string& name) {
  const auto it = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  EXPECT_NE(it, tensors.end()) << name;
  return it == tensors.end() ? tensors.front() : *it;
}

using Dump = TensorFiles;

TEST_F(Dump, DebugProgramsShowEveryTensorAndTheSameResults) {
  const Model model = MakeModel("fmnist_resnet.onnx");
  EXPECT_FALSE(ShowsInsides(*model.plain));
  EXPECT_TRUE(ShowsInsides(*model.debug));
  const auto plain = Capture(model.plain), debug = Capture(model.debug);
  ASSERT_EQ(plain.size(), 2U);  // input and output
  EXPECT_EQ(Find(debug, "logits").raw, Find(plain, "logits").raw);
  EXPECT_EQ(debug.front().place, "input");
  for (const compiler::Node& node : model.quantized.nodes) {
    if (!compiler::IsOverlayNode(model.quantized, node)) continue;
    const bool shown = std::any_of(debug.begin(), debug.end(), [&](const auto& t) { return t.node == node.name; });
    EXPECT_TRUE(shown) << node.name;
  }
  EXPECT_EQ(Find(debug, "/flatten/Flatten_output_0").raw.shape, (std::vector<int64_t>{1, 64}));
}

TEST_F(Dump, FilesCompareEqualAndTheFirstDifferenceIsNamed) {
  const Model model = MakeModel("fmnist_cnn.onnx");
  const auto tensors = Capture(model.debug);
  ASSERT_TRUE(DumpTensors(Path("dump"), tensors, *model.debug).ok());
  auto reference = LoadReference(Path("dump"), {});
  ASSERT_TRUE(reference.ok()) << reference.failure().message;
  EXPECT_EQ(reference->size(), tensors.size());
  EXPECT_TRUE(CompareTensors(tensors, "dump", *reference, 0, *model.debug).ok());

  // Two tensors changed: the one that is computed first is named, not the first by name.
  const CapturedTensor &late = tensors[tensors.size() - 2], &early = tensors[2];
  for (const CapturedTensor* t : {&late, &early}) reference->at(t->name).bytes[1] ^= 1;
  const Status differs = CompareTensors(tensors, "dump", *reference, 100, *model.debug);
  ASSERT_FALSE(differs.ok());
  EXPECT_NE(differs.failure().message.find("tensor '" + early.name + "' of node '" + early.node + "'"),
            std::string::npos)
      << differs.failure().message;
}

TEST_F(Dump, FloatReferencesAreComparedAsRealValuesWithTolerance) {
  const Model model = MakeModel("fmnist_cnn.onnx");
  const auto tensors = Capture(model.debug);
  io::NamedArrays reference = {{"logits", Find(tensors, "logits").Real()}};
  reference.at("logits").data<float>()[3] += 0.25F;
  EXPECT_TRUE(CompareTensors(tensors, "ref", reference, 0.26, *model.debug).ok());
  EXPECT_FALSE(CompareTensors(tensors, "ref", reference, 0.2, *model.debug).ok());
  const Status unknown =
      CompareTensors(Capture(model.plain), "ref", {{"/relu1/Relu_output_0", reference.at("logits")}}, 0, *model.plain);
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.failure().hint.find("--debug-tensors"), std::string::npos);
}

TEST_F(Dump, AFolderThatIsNoDumpIsRefused) {
  EXPECT_FALSE(LoadReference(Path(""), {}).ok());
  for (const char* text : {"", "[]", "{\"tensors\": [1]}", "{\"tensors\": [{\"name\": \"x\"}]}",
                           "{\"tensors\": [{\"name\": \"x\", \"file\": \"absent.npy\"}]}"}) {
    ASSERT_TRUE(WriteFileAtomically(Path("index.json"), std::string_view(text)).ok());
    EXPECT_FALSE(LoadReference(Path(""), {}).ok()) << text;
  }
}

TEST(Deviation, DecibelsAndCosine) {
  Deviation d;
  d.Add(std::vector<float>{3, 0}, std::vector<float>{3, 0.3F});
  d.Add(std::vector<float>{0, 4}, std::vector<float>{0.4F, 4});
  EXPECT_NEAR(d.SqnrDb(), 20, 1e-6);  // 25 to 0.25
  EXPECT_NEAR(d.Cosine(), 25 / std::sqrt(25 * 25.25), 1e-9);
  Deviation equal, nothing;
  equal.Add(std::vector<float>{1}, std::vector<float>{1});
  EXPECT_TRUE(std::isinf(equal.SqnrDb()));
  EXPECT_EQ(nothing.Cosine(), 1);
  nothing.Add(std::vector<float>{1}, std::vector<float>{0});
  EXPECT_EQ(nothing.Cosine(), 0);
}

using Layers = TensorFiles;

io::Dataset MakeData(const std::string& path) {
  std::vector<float> values;
  for (int i = 0; i < 4; ++i) {
    const auto sample = compiler::SyntheticInput({1, 1, 28, 28}, i, 0, -1, 1);
    values.insert(values.end(), sample.begin(), sample.end());
  }
  EXPECT_TRUE(io::SaveNpy(path, io::Array::Of<float>({4, 1, 28, 28}, values)).ok());
  return io::Dataset::Open({path}, {{"input", {1, 1, 28, 28}}}, {}).value();
}

TEST_F(Layers, ALayerMadeWrongIsWorst) {
  Model model = MakeModel("fmnist_resnet.onnx");
  const io::Dataset data = MakeData(Path("x.npy"));
  Progress progress("", 0, ProgressMode::kOff);
  const auto good = MeasureLayers({model.debug, &model.real, &model.quantized, &data, 4}, progress);
  ASSERT_TRUE(good.ok()) << good.failure().ToString();
  for (const LayerError& l : *good) {
    ASSERT_TRUE(l.alone) << l.node;
    EXPECT_GT(l.alone->SqnrDb(), 15) << l.node;
    // The first layer has no errors before it but its input's rounding.
    if (l.node == "/stem/conv/Conv") {
      EXPECT_NEAR(l.whole.SqnrDb(), l.alone->SqnrDb(), 1e-9);
    }
  }

  // Another scale on one value: its layer alone saturates, all behind it suffer in the whole model only.
  compiler::Node* spoilt = nullptr;
  for (compiler::Node& node : model.quantized.nodes) {
    if (node.name == "/block2/first/conv/Conv") spoilt = &node;
  }
  ASSERT_NE(spoilt, nullptr);
  model.quantized.at(spoilt->outputs[0]).quant->scale[0] /= 8;
  compiler::CompileOptions options;
  options.config = model.debug->config;
  options.debug_tensors = true;
  const auto program = std::make_shared<const Program>(compiler::Compile(model.quantized, options).value());
  const auto bad = MeasureLayers({program, &model.real, &model.quantized, &data, 4}, progress);
  ASSERT_TRUE(bad.ok()) << bad.failure().ToString();
  EXPECT_EQ(bad->front().node, "/block2/first/conv/Conv");
  EXPECT_LT(bad->front().alone->SqnrDb(), 10);
  EXPECT_FALSE(CheckSameResults(model.debug, program, data, 4).ok());
  EXPECT_TRUE(CheckSameResults(model.debug, model.plain, data, 4).ok());
}

TEST_F(Layers, WithoutTheGraphOnlyTheWholeModel) {
  const Model model = MakeModel("fmnist_cnn.onnx");
  const io::Dataset data = MakeData(Path("x.npy"));
  Progress progress("", 0, ProgressMode::kOff);
  const auto layers = MeasureLayers({model.debug, &model.real, nullptr, &data, 2}, progress);
  ASSERT_TRUE(layers.ok());
  EXPECT_TRUE(std::none_of(layers->begin(), layers->end(), [](const LayerError& l) { return l.alone.has_value(); }));
  EXPECT_TRUE(std::is_sorted(layers->begin(), layers->end(), [](const LayerError& a, const LayerError& b) {
    return a.whole.SqnrDb() < b.whole.SqnrDb();
  }));
}

using Report = TensorFiles;

TEST_F(Report, FilesAreWholeAndAddUp) {
  const Model model = MakeModel("fmnist_mobile.onnx");
  const auto explanation = compiler::Explain(model.quantized, For(model.plain->config));
  std::vector<compiler::MemoryMap> memory;
  compiler::CompileOptions options = For(model.plain->config);
  options.memory_observer = [&](compiler::MemoryMap map) { memory.push_back(std::move(map)); };
  ASSERT_TRUE(compiler::Compile(model.quantized, options).ok());
  ASSERT_TRUE(WriteReport(Path("a/b"), *model.plain, explanation, memory, {{"output", "p"}}).ok());
  const auto text = [&](const char* name) {
    const auto bytes = io::ReadFile(Path(std::string("a/b/") + name));
    EXPECT_TRUE(bytes.ok()) << name;
    return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : std::string();
  };
  const auto summary = nlohmann::json::parse(text("summary.json"));
  EXPECT_EQ(summary["schema"], 1);
  EXPECT_EQ(summary["onnx"]["nodes"].size(), model.quantized.source.size());
  EXPECT_TRUE(nlohmann::json::parse(text("trace.json")).contains("traceEvents"));
  EXPECT_TRUE(text("placement.dot").starts_with("digraph "));
  const std::string layers = text("layers.csv");
  EXPECT_EQ(std::count(layers.begin(), layers.end(), '\n'), static_cast<long>(model.plain->nodes.size()) + 1);
  const auto columns = std::count(layers.begin(), layers.begin() + static_cast<long>(layers.find('\n')), ',');
  EXPECT_EQ(std::count(layers.begin(), layers.end(), ','), columns * static_cast<long>(model.plain->nodes.size() + 1));
}

TEST_F(Report, AFolderThatCannotBeMadeIsAFailure) {
  ASSERT_TRUE(WriteFileAtomically(Path("file"), std::string_view("x")).ok());
  EXPECT_FALSE(MakeFolder(Path("file/inside")).ok());
}

}  // namespace
}  // namespace xrun::tools
