// ONNX's own operator tests (Debian: libonnx-testdata): for every one whose operators the importer takes, the imported
// graph gives the expected output.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <string>

#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/qdq_export.h"
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

template <typename T>
std::vector<float> AsFloats(const google::protobuf::RepeatedField<T>& typed, const std::string& raw) {
  std::vector<T> values(typed.begin(), typed.end());
  if (!raw.empty()) {
    values.resize(raw.size() / sizeof(T));
    std::memcpy(values.data(), raw.data(), raw.size());
  }
  return {values.begin(), values.end()};
}

/// Whole numbers in the tests' data are small enough for a float.
std::vector<float> Floats(const onnx::TensorProto& tensor) {
  switch (tensor.data_type()) {
    case onnx::TensorProto::FLOAT:
      return AsFloats(tensor.float_data(), tensor.raw_data());
    case onnx::TensorProto::DOUBLE:
      return AsFloats(tensor.double_data(), tensor.raw_data());
    case onnx::TensorProto::INT64:
      return AsFloats(tensor.int64_data(), tensor.raw_data());
    case onnx::TensorProto::INT32:
      return AsFloats(tensor.int32_data(), tensor.raw_data());
    default: {  // bool: one byte each
      if (tensor.raw_data().empty()) return {tensor.int32_data().begin(), tensor.int32_data().end()};
      return {tensor.raw_data().begin(), tensor.raw_data().end()};
    }
  }
}

bool IsFloat(int type) { return type == onnx::TensorProto::FLOAT || type == onnx::TensorProto::DOUBLE; }
bool IsHeld(int type) {
  return IsFloat(type) || type == onnx::TensorProto::INT64 || type == onnx::TensorProto::INT32 ||
         type == onnx::TensorProto::BOOL;
}

/// Models have float inputs and outputs here: a Cast stands between them and the tested node where it has others.
void CastInput(OnnxBuilder* builder, int input, int type) {
  auto* info = builder->graph().mutable_input(input);
  const std::string name = info->name();
  info->set_name(name + "_float");
  info->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  builder->Node("Cast", {name + "_float"}, {name}).Int("to", type);
}

void CastOutput(OnnxBuilder* builder) {
  auto* info = builder->graph().mutable_output(0);
  const std::string name = info->name();
  info->set_name(name + "_float");
  info->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  builder->Node("Cast", {name}, {name + "_float"}).Int("to", onnx::TensorProto::FLOAT);
}

/// How a test is run. Only the first input stays an input, the others become initializers, unless `all_inputs`.
struct Variant {
  const char* name;
  bool canonicalize, all_inputs, export_first;
};
constexpr Variant kVariants[] = {{"as imported", false, false, false},
                                 {"canonicalized", true, false, false},
                                 {"with all inputs", false, true, false},
                                 {"with all inputs, canonicalized", true, true, false},
                                 {"exported and imported again", true, false, true},
                                 {"with all inputs, exported and imported again", true, true, true}};

/// "" when the first output agrees, the importer's refusal after "refused: ", or what differs.
std::string RunCase(const fs::path& folder, const Variant& variant) {
  OnnxBuilder builder;
  if (!ReadProto(folder / "model.onnx", &builder.model)) return "unreadable";
  // Each test imports the version in which its operator last changed; up to opset 7 that is what opset 7 has.
  for (auto& import : *builder.model.mutable_opset_import()) {
    if (import.domain().empty() && import.version() < 7) import.set_version(7);
  }
  onnx::TensorProto expected;
  std::vector<std::vector<float>> data;
  for (int i = 0; i < builder.graph().input_size(); ++i) {
    onnx::TensorProto tensor;
    const std::string file = "input_" + std::to_string(i) + ".pb";
    if (!ReadProto(folder / "test_data_set_0" / file, &tensor)) return "refused: no data";
    if (i > 0 && !variant.all_inputs) {
      tensor.set_name(builder.graph().input(i).name());
      *builder.graph().add_initializer() = tensor;
      continue;
    }
    if (!IsHeld(tensor.data_type())) return "refused: element type";
    data.push_back(Floats(tensor));
    if (!IsFloat(tensor.data_type())) CastInput(&builder, i, tensor.data_type());
  }
  if (!ReadProto(folder / "test_data_set_0" / "output_0.pb", &expected)) return "refused: no data";
  if (!IsHeld(expected.data_type())) return "refused: element type";
  if (!IsFloat(expected.data_type())) CastOutput(&builder);
  // Tests of a training mode have outputs besides that nothing here computes.
  while (builder.graph().output_size() > 1) builder.graph().mutable_output()->RemoveLast();
  auto graph = builder.Import();
  if (!graph.ok()) return "refused: " + graph.failure().message;
  if (graph->inputs.size() != data.size()) return "refused: an input is not used";
  if (variant.canonicalize) {
    Status done = compiler::Canonicalize(*graph);
    if (!done.ok()) return done.failure().message;
  }
  if (variant.export_first) {
    auto bytes = compiler::ExportQdq(*graph);
    if (!bytes.ok()) return bytes.failure().message;
    graph = compiler::ImportOnnx({reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()}, "exported");
    if (!graph.ok()) return graph.failure().message;
  }
  auto outputs = RunGraph(*graph, data);
  if (!outputs.ok()) return outputs.failure().message;
  const std::vector<float> want = Floats(expected), &got = outputs->front();
  const compiler::Shape& shape = graph->at(graph->outputs[0]).shape;
  if (shape != compiler::Shape(expected.dims().begin(), expected.dims().end())) return "wrong shape";
  for (size_t i = 0; i < want.size(); ++i) {
    if (got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))) continue;
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
  std::set<std::string> passed, passed_with_all_inputs;
  for (const auto& entry : fs::directory_iterator(TestData())) {
    const std::string name = entry.path().filename().string();
    for (const Variant& variant : kVariants) {
      const std::string result = RunCase(entry.path(), variant);
      if (result.rfind("refused: ", 0) == 0) {
        if (std::getenv("XRUN_SHOW_REFUSED") != nullptr) std::cerr << name << " " << result << "\n";
        continue;
      }
      (variant.all_inputs ? passed_with_all_inputs : passed).insert(name);
      EXPECT_EQ(result, "") << name << " " << variant.name;
    }
  }
  std::cerr << passed.size() << " of ONNX's node tests imported and ran, " << passed_with_all_inputs.size()
            << " with all of their inputs\n";
  EXPECT_GE(passed.size(), 437U) << "the importer takes fewer of ONNX's node tests than it used to";
  EXPECT_GE(passed_with_all_inputs.size(), 347U);
}

}  // namespace
}  // namespace xrun::test
