// Every real model of XRUN_MODELS_DIR: imported and canonicalized, or refused at the node that is known to stop it.
// Canonicalization changes no result: graphs before and after are run on the same input.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"
#include "tests/unit/onnx_builder.h"
#include "tests/unit/run_graph.h"

namespace xrun::test {
namespace {

namespace fs = std::filesystem;
using compiler::Graph;
using compiler::ImportOptions;

struct Expected {
  std::string file;
  size_t nodes;                ///< at most, after canonicalization; 0: refused
  std::string refusal;         ///< part of the message
  std::vector<int64_t> shape;  ///< --input-shape, when the model needs one
  bool run = true;             ///< compare before and after; off where that takes seconds
};

const std::vector<Expected>& Models() {
  static const std::vector<Expected> kModels = {
      {"blazeface_short/model.onnx", 77, "", {}},
      {"deeplabv3_mnv2_dm05_voc/model_fp32_dequant.onnx", 72, "", {}},
      {"deeplabv3_mnv2_dm05_voc/model_qdq.onnx", 326, "", {}, false},
      {"fastestdet/model.onnx", 123, "", {}},
      {"hand_keypoint_mlp/model.onnx", 4, "", {}},
      {"mbv1_025_128_imagenet/model_fp32_dequant.onnx", 31, "", {}},
      {"mbv1_025_128_imagenet/model_qdq.onnx", 149, "", {}},
      {"mbv2_10_224_imagenet/model_qdq.onnx", 304, "", {}},
      {"mlperf_ad01_autoencoder/model_fp32.onnx", 10, "", {}},
      {"mlperf_ad01_autoencoder/model_qdq.onnx", 52, "", {}},
      {"mlperf_dscnn_kws/model_fp32.onnx", 13, "", {}},
      {"mlperf_dscnn_kws/model_qdq.onnx", 59, "", {}},
      {"mlperf_mbv1_025_vww/model_fp32.onnx", 31, "", {}},
      {"mlperf_mbv1_025_vww/model_qdq.onnx", 149, "", {}},
      {"mlperf_resnet8_cifar10/model_fp32.onnx", 16, "", {}},
      {"mlperf_resnet8_cifar10/model_qdq.onnx", 68, "", {}},
      {"onnx_light_structural/light_bvlc_alexnet.onnx", 15, "", {}, false},
      {"onnx_light_structural/light_densenet121.onnx", 246, "", {}, false},
      {"onnx_light_structural/light_inception_v1.onnx", 85, "", {}, false},
      {"onnx_light_structural/light_inception_v2.onnx", 95, "", {}, false},
      {"onnx_light_structural/light_resnet50.onnx", 74, "", {}, false},
      {"onnx_light_structural/light_shufflenet.onnx", 92, "", {}, false},
      {"onnx_light_structural/light_squeezenet.onnx", 39, "", {}, false},
      {"onnx_light_structural/light_vgg19.onnx", 26, "", {}, false},
      {"onnx_light_structural/light_zfnet512.onnx", 15, "", {}, false},
      {"ppocr_cls_v2/model.onnx", 110, "", {1, 3, 48, 192}},
      {"ppocr_det_v4/model.onnx", 137, "", {1, 3, 64, 64}},
      {"ppocr_rec_v4/model.onnx", 191, "", {1, 3, 48, 320}},
      {"qonnx_mnist_TFC_1W1A/model.qonnx.onnx", 0, "operator onnx.brevitas.BipolarQuant", {}},
      {"qonnx_mnist_TFC_1W1A/model_lowered.onnx", 0, "operator GreaterOrEqual", {}},
      {"qonnx_mnist_TFC_2W2A/model.qonnx.onnx", 0, "operator onnx.brevitas.Quant", {}},
      {"qonnx_mnist_TFC_2W2A/model_lowered.onnx", 9, "", {}},
      {"qoperator_ort_kws/model.onnx", 0, "operator QLinearConv", {}},
      {"qoperator_ort_mbv1_025/model.onnx", 0, "operator QLinearConv", {}},
      {"qoperator_ort_resnet8/model.onnx", 0, "operator QLinearConv", {}},
      {"selfie_segmentation/model.onnx", 114, "", {}},
      {"tflm_hello_sine/model_qdq.onnx", 17, "", {}},
      {"tflm_person_detect/model_qdq.onnx", 149, "", {}},
      {"tree_gb_diabetes/model.onnx", 0, "operator ai.onnx.ml.TreeEnsembleRegressor", {}},
      {"tree_rf_digits/model.onnx", 0, "operator ai.onnx.ml.TreeEnsembleClassifier", {}},
      {"yolox_nano/model.onnx", 265, "", {}},
  };
  return kModels;
}

std::optional<fs::path> ModelsDir() {
  const char* set = std::getenv("XRUN_MODELS_DIR");
  if (set == nullptr || !fs::is_directory(set)) return std::nullopt;
  return fs::path(set);
}

/// Output shapes that the model declares, where they are numbers.
void ExpectDeclaredOutputs(const fs::path& file, const Graph& graph) {
  onnx::ModelProto model;
  std::ifstream stream(file, std::ios::binary);
  ASSERT_TRUE(model.ParseFromIstream(&stream));
  for (int i = 0; i < model.graph().output_size(); ++i) {
    const auto& dims = model.graph().output(i).type().tensor_type().shape().dim();
    const compiler::Shape& shape = graph.at(graph.outputs[static_cast<size_t>(i)]).shape;
    ASSERT_EQ(static_cast<int>(shape.size()), dims.size());
    for (int d = 0; d < dims.size(); ++d) {
      if (!dims[d].has_dim_value()) continue;
      EXPECT_EQ(shape[static_cast<size_t>(d)], dims[d].dim_value()) << file;
    }
  }
}

void ExpectSameResults(const Graph& before, const Graph& after, const std::string& name) {
  std::vector<std::vector<float>> inputs;
  for (compiler::ValueId id : before.inputs) inputs.push_back(Noise(compiler::Elements(before.at(id).shape)));
  auto want = RunGraph(before, inputs), got = RunGraph(after, inputs);
  ASSERT_TRUE(want.ok()) << want.failure().ToString();
  ASSERT_TRUE(got.ok()) << got.failure().ToString();
  for (size_t o = 0; o < want->size(); ++o) {
    double error = 0, power = 1e-20;
    for (size_t i = 0; i < (*want)[o].size(); ++i) {
      const double difference = (*want)[o][i] - (*got)[o][i];
      error += difference * difference;
      power += (*want)[o][i] * static_cast<double>((*want)[o][i]);
    }
    EXPECT_LT(error / power, 1e-8) << name << " output " << o;
  }
}

TEST(CompilerImportModels, ImportAsExpected) {
  const auto folder = ModelsDir();
  if (!folder) GTEST_SKIP() << "XRUN_MODELS_DIR is not set: no real model was imported";
  for (const Expected& model : Models()) {
    ImportOptions options;
    if (!model.shape.empty()) options.input_shapes[""] = model.shape;
    auto graph = compiler::ImportOnnx(*folder / model.file, options);
    if (model.nodes == 0) {
      ASSERT_FALSE(graph.ok()) << model.file << " imports now: update the table";
      EXPECT_NE(graph.failure().message.find(model.refusal), std::string::npos) << graph.failure().message;
      continue;
    }
    ASSERT_TRUE(graph.ok()) << graph.failure().ToString();
    ExpectDeclaredOutputs(*folder / model.file, *graph);
    const Graph before = *graph;
    const Status done = compiler::Canonicalize(*graph);
    ASSERT_TRUE(done.ok()) << model.file << ": " << done.failure().ToString();
    EXPECT_LE(graph->nodes.size(), model.nodes) << model.file;
    if (model.run) ExpectSameResults(before, *graph, model.file);
  }
}

/// 200 labelled samples of Speech Commands: import and kernels together recognise what the model's authors measured.
TEST(CompilerImportModels, KeywordsAreRecognised) {
  const auto folder = ModelsDir();
  if (!folder) GTEST_SKIP() << "XRUN_MODELS_DIR is not set: no real model was imported";
  const fs::path data = *folder / ".." / "data" / "kws01";
  if (!fs::exists(data)) GTEST_SKIP() << "no data beside the models: " << data;
  constexpr int kSamples = 200, kFeatures = 490;
  std::vector<int8_t> x(static_cast<size_t>(kSamples * kFeatures));
  std::vector<uint8_t> labels(kSamples);
  std::ifstream(data / "x_i8_1000x49x10.bin", std::ios::binary)
      .read(reinterpret_cast<char*>(x.data()), kSamples * kFeatures);
  std::ifstream(data / "y_u8.bin", std::ios::binary).read(reinterpret_cast<char*>(labels.data()), kSamples);
  for (const char* file : {"model_fp32.onnx", "model_qdq.onnx"}) {
    auto graph = compiler::ImportOnnx(*folder / "mlperf_dscnn_kws" / file);
    ASSERT_TRUE(graph.ok()) << graph.failure().ToString();
    ASSERT_TRUE(compiler::Canonicalize(*graph).ok());
    int right = 0;
    for (int s = 0; s < kSamples; ++s) {
      std::vector<float> input;
      for (int i = 0; i < kFeatures; ++i) {
        input.push_back(static_cast<float>((x[static_cast<size_t>(s * kFeatures + i)] - 83) * 0.5847029089927673));
      }
      auto y = RunGraph(*graph, {input});
      ASSERT_TRUE(y.ok());
      const auto best = std::max_element(y->front().begin(), y->front().end()) - y->front().begin();
      right += best == labels[static_cast<size_t>(s)] ? 1 : 0;
    }
    EXPECT_GE(right, kSamples * 86 / 100) << file;
    RecordProperty(file, right);
  }
}

}  // namespace
}  // namespace xrun::test
