// ONNX's own operator tests (Debian: libonnx-testdata): for every one whose operators the importer takes, the imported
// graph gives the expected output. Only the first input stays an input; weights, shapes and bounds become initializers.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "compiler/passes/canonicalize.h"
#include "tests/unit/onnx_builder.h"
#include "tests/unit/run_graph.h"

namespace xrun::test {
namespace {

namespace fs = std::filesystem;

fs::path TestData() {
  const char* set = std::getenv("XRUN_ONNX_TESTDATA");
  return set != nullptr ? fs::path(set) : fs::path("/usr/share/libonnx-testdata/data/node");
}

bool ReadProto(const fs::path& file, google::protobuf::Message* message) {
  std::ifstream stream(file, std::ios::binary);
  return stream && message->ParseFromIstream(&stream);
}

std::vector<float> Floats(const onnx::TensorProto& tensor) {
  if (!tensor.has_raw_data()) return {tensor.float_data().begin(), tensor.float_data().end()};
  std::vector<float> values(tensor.raw_data().size() / sizeof(float));
  std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(float));
  return values;
}

/// "" when the outputs agree, the importer's refusal after "refused: ", or what differs.
std::string RunCase(const fs::path& folder, bool canonicalize) {
  OnnxBuilder builder;
  if (!ReadProto(folder / "model.onnx", &builder.model)) return "unreadable";
  // Each test imports the version in which its operator last changed; up to opset 7 that is what opset 7 has.
  for (auto& import : *builder.model.mutable_opset_import()) {
    if (import.domain().empty() && import.version() < 7) import.set_version(7);
  }
  onnx::TensorProto first, expected;
  for (int i = 0; i < builder.graph().input_size(); ++i) {
    onnx::TensorProto tensor;
    const std::string file = "input_" + std::to_string(i) + ".pb";
    if (!ReadProto(folder / "test_data_set_0" / file, &tensor)) return "refused: no data";
    if (i == 0) {
      first = tensor;
      if (tensor.data_type() != onnx::TensorProto::FLOAT) return "refused: not a float input";
      continue;
    }
    tensor.set_name(builder.graph().input(i).name());
    *builder.graph().add_initializer() = tensor;
  }
  if (!ReadProto(folder / "test_data_set_0" / "output_0.pb", &expected)) return "refused: no data";
  if (expected.data_type() != onnx::TensorProto::FLOAT) return "refused: not a float output";
  auto graph = builder.Import();
  if (!graph.ok()) return "refused: " + graph.failure().message;
  if (canonicalize) {
    Status done = compiler::Canonicalize(*graph);
    if (!done.ok()) return done.failure().message;
  }
  auto outputs = RunGraph(*graph, {Floats(first)});
  if (!outputs.ok()) return outputs.failure().message;
  const std::vector<float> want = Floats(expected), &got = outputs->front();
  const compiler::Shape& shape = graph->at(graph->outputs[0]).shape;
  if (shape != compiler::Shape(expected.dims().begin(), expected.dims().end())) return "wrong shape";
  for (size_t i = 0; i < want.size(); ++i) {
    if (!(std::abs(got[i] - want[i]) <= 1e-4 + 1e-4 * std::abs(want[i]))) {
      return "element " + std::to_string(i) + " is " + std::to_string(got[i]) + ", expected " + std::to_string(want[i]);
    }
  }
  return "";
}

TEST(CompilerImportNode, OnnxOwnTestsAgree) {
  if (!fs::exists(TestData())) {
    GTEST_SKIP() << "no ONNX test data: install libonnx-testdata or set XRUN_ONNX_TESTDATA";
  }
  int passed = 0, refused = 0;
  for (const auto& entry : fs::directory_iterator(TestData())) {
    const std::string name = entry.path().filename().string();
    for (const bool canonicalize : {false, true}) {
      const std::string result = RunCase(entry.path(), canonicalize);
      if (result.rfind("refused: ", 0) == 0) {
        ++refused;
        if (std::getenv("XRUN_SHOW_REFUSED") != nullptr) std::cerr << name << " " << result << "\n";
        continue;
      }
      ++passed;
      EXPECT_EQ(result, "") << name << (canonicalize ? " after canonicalization" : "");
    }
  }
  RecordProperty("passed", passed);
  std::cerr << passed / 2 << " of ONNX's node tests imported and ran, " << refused / 2 << " refused\n";
  EXPECT_GE(passed / 2, 220) << "the importer takes fewer of ONNX's node tests than it used to";
}

}  // namespace
}  // namespace xrun::test
