// Tensor data: encodings, external files, limits; and what the importer says about inputs' shapes.

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <limits>

#include "compiler/import/import_onnx.h"
#include "tests/unit/onnx_builder.h"
#include "tests/unit/run_graph.h"

namespace xrun::test {
namespace {

namespace fs = std::filesystem;
using compiler::Graph;
using compiler::ImportOnnx;
using compiler::ImportOptions;
using compiler::Shape;
using onnx::TensorProto;

/// y = x + w, with the tensor as w.
OnnxBuilder Adding(TensorProto tensor) {
  OnnxBuilder builder(13);
  tensor.set_name("w");
  builder.Input("x", {static_cast<int64_t>(3)}).Output("y");
  *builder.graph().add_initializer() = std::move(tensor);
  builder.Node("Add", {"x", "w"}, {"y"});
  return builder;
}

std::vector<float> Decoded(const TensorProto& tensor) {
  auto graph = Adding(tensor).Import();
  EXPECT_TRUE(graph.ok()) << graph.failure().ToString();
  if (!graph.ok()) return {};
  auto y = RunGraph(*graph, {{0, 0, 0}});
  return y->front();
}

std::string Refusal(const OnnxBuilder& builder, const ImportOptions& options = {}) {
  auto graph = builder.Import(options);
  return graph.ok() ? "imported" : graph.failure().ToString();
}

TensorProto Empty(int type) {
  TensorProto tensor;
  tensor.set_data_type(type);
  tensor.add_dims(3);
  return tensor;
}

template <typename T>
TensorProto Raw(int type, const std::vector<T>& values) {
  TensorProto tensor = Empty(type);
  tensor.set_raw_data(values.data(), values.size() * sizeof(T));
  return tensor;
}

TEST(CompilerImportData, FloatEncodings) {
  const std::vector<float> want{1, -2, 0.5F};
  EXPECT_EQ(Decoded(Raw<float>(TensorProto::FLOAT, want)), want);
  EXPECT_EQ(Decoded(FloatTensor("w", {3}, want)), want);
  EXPECT_EQ(Decoded(Raw<double>(TensorProto::DOUBLE, {1, -2, 0.5})), want);
  EXPECT_EQ(Decoded(Raw<uint16_t>(TensorProto::FLOAT16, {0x3c00, 0xc000, 0x3800})), want);
  EXPECT_EQ(Decoded(Raw<uint16_t>(TensorProto::BFLOAT16, {0x3f80, 0xc000, 0x3f00})), want);
  TensorProto typed_half = Empty(TensorProto::FLOAT16);
  for (int32_t v : {0x3c00, 0xc000, 0x3800}) typed_half.add_int32_data(v);
  EXPECT_EQ(Decoded(typed_half), want);
  TensorProto typed_double = Empty(TensorProto::DOUBLE);
  for (double v : {1.0, -2.0, 0.5}) typed_double.add_double_data(v);
  EXPECT_EQ(Decoded(typed_double), want);
}

TEST(CompilerImportData, HalfSubnormals) {
  const auto values = Decoded(Raw<uint16_t>(TensorProto::FLOAT16, {0x0001, 0x83ff, 0x7bff}));
  EXPECT_EQ(values[0], std::ldexp(1.0F, -24));
  EXPECT_EQ(values[1], -std::ldexp(1023.0F, -24));
  EXPECT_EQ(values[2], 65504.0F);
}

TEST(CompilerImportData, IntegerEncodings) {
  const auto reshaped = [](TensorProto tensor) {
    OnnxBuilder builder(13);
    tensor.set_name("shape");
    tensor.clear_dims();
    tensor.add_dims(2);
    builder.Input("x", {6}).Output("y");
    *builder.graph().add_initializer() = tensor;
    builder.Node("Reshape", {"x", "shape"}, {"y"});
    auto graph = builder.Import();
    EXPECT_TRUE(graph.ok()) << graph.failure().ToString();
    return graph.ok() ? graph->at(graph->outputs[0]).shape : Shape{};
  };
  const Shape want{2, 3};
  EXPECT_EQ(reshaped(Raw<int64_t>(TensorProto::INT64, {2, 3})), want);
  EXPECT_EQ(reshaped(Raw<int32_t>(TensorProto::INT32, {2, 3})), want);
  EXPECT_EQ(reshaped(Raw<int16_t>(TensorProto::INT16, {2, 3})), want);
  EXPECT_EQ(reshaped(Raw<uint16_t>(TensorProto::UINT16, {2, 3})), want);
  EXPECT_EQ(reshaped(Raw<uint32_t>(TensorProto::UINT32, {2, 3})), want);
  EXPECT_EQ(reshaped(Raw<uint64_t>(TensorProto::UINT64, {2, 3})), want);
  TensorProto typed = Empty(TensorProto::UINT32);
  typed.add_uint64_data(2);
  typed.add_uint64_data(3);
  EXPECT_EQ(reshaped(typed), want);
}

TEST(CompilerImportData, RefusedTensors) {
  EXPECT_NE(Refusal(Adding(Raw<float>(TensorProto::FLOAT, {1, NAN, 0}))).find("tensor 'w': holds NaN (element 1)"),
            std::string::npos);
  EXPECT_NE(Refusal(Adding(Raw<float>(TensorProto::FLOAT, {1, INFINITY, 0}))).find("tensor 'w' holds an infinity"),
            std::string::npos);
  EXPECT_NE(Refusal(Adding(Raw<double>(TensorProto::DOUBLE, {1, 1e300, 0}))).find("an infinity"), std::string::npos);
  EXPECT_NE(Refusal(Adding(Raw<float>(TensorProto::FLOAT, {1, 2}))).find("has 8 bytes, its shape 3 needs 12"),
            std::string::npos);
  EXPECT_NE(Refusal(Adding(FloatTensor("w", {3}, {1}))).find("has 1 elements, its shape says 3"), std::string::npos);
  EXPECT_NE(Refusal(Adding(Empty(TensorProto::STRING))).find("element type string"), std::string::npos);
  EXPECT_NE(Refusal(Adding(Empty(22))).find("element type int4"), std::string::npos);
  EXPECT_NE(Refusal(Adding(Empty(17))).find("element type float8"), std::string::npos);
  EXPECT_NE(Refusal(Adding(Empty(99))).find("number 99"), std::string::npos);
  TensorProto negative = Raw<float>(TensorProto::FLOAT, {1});
  negative.set_dims(0, -1);
  EXPECT_NE(Refusal(Adding(negative)).find("negative dimension"), std::string::npos);
  TensorProto outside = Empty(TensorProto::UINT8);
  for (int32_t v : {1, 2, 300}) outside.add_int32_data(v);
  EXPECT_NE(Refusal(Adding(outside)).find("outside of its type"), std::string::npos);
  OnnxBuilder sparse = Adding(FloatTensor("w", {3}, {1, 2, 3}));
  sparse.graph().add_sparse_initializer()->mutable_values()->set_name("s");
  EXPECT_NE(Refusal(sparse).find("sparse initializer 's'"), std::string::npos);
}

TEST(CompilerImportData, InfinityIsFineAsABound) {
  OnnxBuilder builder(13);
  builder.Input("x", {1}).Output("y").Init("hi", {}, {INFINITY}).Node("Clip", {"x", "", "hi"}, {"y"});
  EXPECT_EQ(Refusal(builder), "imported");
}

/// A folder of its own per test, removed afterwards.
class CompilerImportExternal : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("xrun_import_" + std::to_string(getpid()) + "_" +
                                           testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_ / "model");
    std::ofstream(folder_ / "secret.bin", std::ios::binary) << std::string(64, 'x');
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Import(const std::string& location, const std::string& offset, const std::string& length) {
    TensorProto tensor = Empty(TensorProto::FLOAT);
    tensor.set_data_location(TensorProto::EXTERNAL);
    const auto add = [&](const std::string& key, const std::string& value) {
      if (value.empty()) return;
      auto* entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", location);
    add("offset", offset);
    add("length", length);
    Adding(tensor).Save(folder_ / "model" / "model.onnx");
    auto graph = ImportOnnx(folder_ / "model" / "model.onnx");
    if (!graph.ok()) return graph.failure().ToString();
    const auto y = RunGraph(*graph, {{0, 0, 0}});
    std::string text;
    for (float v : y->front()) text += std::to_string(static_cast<int>(v)) + " ";
    return text;
  }
  void WriteData(const std::vector<float>& values) {
    std::ofstream stream(folder_ / "model" / "w.bin", std::ios::binary);
    stream.write(reinterpret_cast<const char*>(values.data()),
                 static_cast<std::streamsize>(values.size() * sizeof(float)));
  }

  fs::path folder_;
};

TEST_F(CompilerImportExternal, ReadsTheRange) {
  WriteData({9, 1, 2, 3});
  EXPECT_EQ(Import("w.bin", "4", "12"), "1 2 3 ");
  EXPECT_EQ(Import("w.bin", "4", ""), "1 2 3 ");
  EXPECT_EQ(Import("./w.bin", "", ""), "9 1 2 ");
}

TEST_F(CompilerImportExternal, NamesAMissingFile) {
  EXPECT_NE(Import("w.bin", "", "").find("external data file 'w.bin' is missing"), std::string::npos);
}

TEST_F(CompilerImportExternal, StaysInsideOfTheFolder) {
  for (const char* location : {"../secret.bin", "sub/../../secret.bin", "/etc/passwd"}) {
    EXPECT_NE(Import(location, "", "").find("outside of the model's folder"), std::string::npos) << location;
  }
  fs::create_symlink(folder_ / "secret.bin", folder_ / "model" / "link.bin");
  EXPECT_NE(Import("link.bin", "", "").find("outside of the model's folder"), std::string::npos);
  EXPECT_NE(Import(".", "", "").find("is not a file"), std::string::npos);
}

TEST_F(CompilerImportExternal, ChecksOffsetAndLength) {
  WriteData({9, 1, 2, 3});
  EXPECT_NE(Import("w.bin", "8", "12").find("has 16 bytes, 12 from 8 are needed"), std::string::npos);
  EXPECT_NE(Import("w.bin", "0", "16").find("length 16, the shape needs 12"), std::string::npos);
  EXPECT_NE(Import("w.bin", "-4", "12").find("'-4' is not a byte count"), std::string::npos);
  EXPECT_NE(Import("w.bin", "999999999999999999999", "12").find("is not a byte count"), std::string::npos);
  EXPECT_NE(Import("w.bin", "100", "12").find("12 from 100 are needed"), std::string::npos);
  EXPECT_NE(Import("", "", "").find("without a file name"), std::string::npos);
}

TEST_F(CompilerImportExternal, IsRefusedFromMemory) {
  TensorProto tensor = Empty(TensorProto::FLOAT);
  tensor.set_data_location(TensorProto::EXTERNAL);
  auto* entry = tensor.add_external_data();
  entry->set_key("location");
  entry->set_value("w.bin");
  EXPECT_NE(Refusal(Adding(tensor)).find("did not come from a folder"), std::string::npos);
}

OnnxBuilder Relu(const std::vector<Dim>& dims) {
  OnnxBuilder builder(13);
  builder.Input("x", dims).Output("y").Node("Relu", {"x"}, {"y"});
  return builder;
}

TEST(CompilerImportShapes, SymbolsAskForTheFlagFilledIn) {
  const std::string refusal = Refusal(Relu({"N", 3, "H", ""}));
  EXPECT_NE(refusal.find("dimension 2 'H' is not fixed"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("--input-shape x:1x3x<H>x?"), std::string::npos) << refusal;
}

TEST(CompilerImportShapes, GivenShapesFillSymbolsAndMustAgree) {
  for (const char* name : {"x", ""}) {
    ImportOptions options;
    options.input_shapes[name] = {2, 3, 8, 8};
    auto graph = Relu({"N", 3, "H", "W"}).Import(options);
    ASSERT_TRUE(graph.ok());
    EXPECT_EQ(graph->at(graph->inputs[0]).shape, (Shape{2, 3, 8, 8}));
    EXPECT_EQ(graph->metadata.count("batch"), 0U);
  }
  ImportOptions wrong;
  wrong.input_shapes["x"] = {1, 4, 8, 8};
  EXPECT_NE(Refusal(Relu({"N", 3, "H", "W"}), wrong).find("cannot have shape 1x4x8x8"), std::string::npos);
  ImportOptions unknown;
  unknown.input_shapes["z"] = {1};
  EXPECT_NE(Refusal(Relu({1}), unknown).find("no such input"), std::string::npos);
  OnnxBuilder no_shape = Relu({1});
  no_shape.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  EXPECT_NE(Refusal(no_shape).find("has no shape"), std::string::npos);
}

TEST(CompilerImportShapes, ParseInputShape) {
  const auto parsed = compiler::ParseInputShape("a:b:1x3x224x224");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->first, "a:b");
  EXPECT_EQ(parsed->second, (Shape{1, 3, 224, 224}));
  EXPECT_EQ(compiler::ParseInputShape("7")->second, Shape{7});
  for (const char* bad : {"", "x:", "x:1x", "x:1xx2", "x:0", "x:-1", "x:1X2", "x:99999999999", "x:65536x65536"}) {
    EXPECT_FALSE(compiler::ParseInputShape(bad).ok()) << bad;
  }
}

TEST(CompilerImportShapes, InitializersAmongTheInputsAreNoInputs) {
  OnnxBuilder builder(9, /*ir_version=*/3);
  builder.Input("w", {3}).Input("x", {3}).Output("y").Init("w", {3}, {1, 2, 3}).Node("Add", {"x", "w"}, {"y"});
  auto graph = builder.Import();
  ASSERT_TRUE(graph.ok());
  ASSERT_EQ(graph->inputs.size(), 1U);
  EXPECT_EQ(graph->at(graph->inputs[0]).name, "x");
}

TEST(CompilerImportShapes, FloatTypesAreRecorded) {
  OnnxBuilder builder(13);
  builder.Input("x", {1}, TensorProto::FLOAT16).Output("y", TensorProto::FLOAT16).Node("Relu", {"x"}, {"y"});
  auto graph = builder.Import();
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->metadata.at("type:x"), "float16");
  EXPECT_EQ(graph->metadata.at("type:y"), "float16");
  OnnxBuilder integer(13);
  integer.Input("x", {1}, TensorProto::INT64).Output("y").Node("Relu", {"x"}, {"y"});
  EXPECT_NE(Refusal(integer).find("input 'x' has type int64"), std::string::npos);
}

}  // namespace
}  // namespace xrun::test
