// The structures are what was published: parameters and multiply-accumulates, and every node is what an importer takes.
#include "structures.h"

#include <gtest/gtest.h>

#include <ostream>
#include <set>

#include "compiler/import/import_onnx.h"
#include "compiler/macs.h"

namespace xrun::structures {

/// What a failing test calls its parameter.
void PrintTo(const Structure& structure, std::ostream* out) { *out << structure.name; }

namespace {

/// Numbers that training learns: all float constants with several elements, less what BatchNormalization only measured.
double MillionParameters(const onnx::ModelProto& model) {
  std::set<std::string> measured;
  for (const auto& node : model.graph().node()) {
    if (node.op_type() == "BatchNormalization") measured.insert({node.input(3), node.input(4)});
  }
  double count = 0;
  for (const auto& tensor : model.graph().initializer()) {
    if (tensor.data_type() != onnx::TensorProto::FLOAT || measured.contains(tensor.name())) continue;
    // What no training touches: grids and anchors of detection heads.
    if (tensor.name().rfind("grid_", 0) == 0 || tensor.dims_size() == 0) continue;
    double elements = 1;
    for (const int64_t extent : tensor.dims()) elements *= static_cast<double>(extent);
    count += elements;
  }
  return count / 1e6;
}

class PublishedStructure : public ::testing::TestWithParam<Structure> {};

TEST_P(PublishedStructure, HasPublishedSize) {
  const Structure& structure = GetParam();
  std::string bytes;
  {
    const onnx::ModelProto model = structure.write(1);
    EXPECT_NEAR(MillionParameters(model), structure.million_parameters, 0.01 * structure.million_parameters);
    ASSERT_TRUE(model.SerializeToString(&bytes));
  }
  const std::span<const uint8_t> file(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  const auto graph = compiler::ImportOnnx(file, structure.name);
  ASSERT_TRUE(graph.ok()) << graph.failure().ToString();
  uint64_t macs = 0;
  for (const compiler::Node& node : graph->nodes) macs += compiler::Macs(*graph, node);
  EXPECT_NEAR(static_cast<double>(macs) / 1e9, structure.giga_macs, 0.02 * structure.giga_macs);
}

INSTANTIATE_TEST_SUITE_P(All, PublishedStructure, ::testing::ValuesIn(Structures()),
                         [](const auto& info) { return info.param.name; });

TEST(StructureWeights, DependOnTheSeedOnly) {
  const Structure* structure = FindStructure("squeezenet1_1");
  ASSERT_NE(structure, nullptr);
  const auto bytes = [&](uint64_t seed) { return structure->write(seed).SerializeAsString(); };
  EXPECT_EQ(bytes(5), bytes(5));
  EXPECT_NE(bytes(5), bytes(6));
}

}  // namespace
}  // namespace xrun::structures
