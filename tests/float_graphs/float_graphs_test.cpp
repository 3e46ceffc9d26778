#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "compiler/import/import_onnx.h"
#include "recipes.h"
#include "run_twice.h"

namespace xrun::float_graphs {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// XRUN_SEED alone, or XRUN_RANDOM_GRAPHS seeds from 1 on.
std::vector<uint64_t> Seeds(uint64_t count) {
  if (std::getenv("XRUN_SEED") != nullptr) return {FromEnvironment("XRUN_SEED", 1)};
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= FromEnvironment("XRUN_RANDOM_GRAPHS", count); ++seed) seeds.push_back(seed);
  return seeds;
}

/// Without any other implementation: what the passes make of a graph computes the same, and shapes are as expected.
TEST(FloatGraphs, PassesKeepResults) {
  for (const uint64_t seed : Seeds(400)) {
    SCOPED_TRACE("XRUN_SEED=" + std::to_string(seed));
    ModelMaker maker = MakeModel(seed);
    const auto runs = RunTwice(maker);
    ASSERT_TRUE(runs.ok()) << runs.failure().message;
    for (size_t i = 0; i < maker.outputs().size(); ++i) {
      EXPECT_EQ(FirstDifference(runs->imported[i], runs->passed[i]), "") << maker.outputs()[i].name;
    }
  }
}

/// Outputs are not all alike: a generator whose values vanish would find nothing.
TEST(FloatGraphs, ResultsAreWorthComparing) {
  int64_t floats = 0, flat = 0;
  for (const uint64_t seed : Seeds(100)) {
    ModelMaker maker = MakeModel(seed);
    const auto runs = RunTwice(maker);
    ASSERT_TRUE(runs.ok()) << runs.failure().message;
    for (const io::Array& array : runs->passed) {
      if (array.type != io::ElementType::kFloat32 || array.size() < 8) continue;
      ++floats;
      const float* values = array.data<float>();
      double most = 0;
      for (int64_t i = 0; i < array.size(); ++i) most = std::max(most, std::abs(double{values[i]} - double{values[0]}));
      if (most < 1e-2) ++flat;
    }
  }
  EXPECT_GT(floats, 100);
  EXPECT_LT(flat * 10, floats) << flat << " of " << floats << " outputs hold one value";
}

TEST(FloatGraphs, OneSeedOneModel) {
  for (const uint64_t seed : {1, 77}) {
    std::string first, second;
    MakeModel(seed).model().SerializeToString(&first);
    MakeModel(seed).model().SerializeToString(&second);
    EXPECT_EQ(first, second);
  }
}

/// Every operator of the importer's table is drawn, in each version that an opset from 7 to 21 has.
TEST(FloatGraphs, DrawsEveryOperatorInEveryVersion) {
  constexpr int kAtLeast = 3;
  constexpr uint64_t kSeeds = 6000;
  std::map<std::pair<std::string, int>, int> drawn;
  const std::vector<compiler::SupportedOperator> table = compiler::SupportedOperators();
  std::map<std::string, std::vector<int>> versions;
  for (const auto& row : table) versions[row.name] = row.versions;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    ModelMaker maker = MakeModel(seed);
    for (const auto& node : maker.model().graph().node()) {
      int since = 0;
      for (const int version : versions[node.op_type()]) {
        if (version <= maker.opset()) since = version;
      }
      ++drawn[{node.op_type(), since}];
    }
  }
  for (const auto& row : table) {
    for (size_t i = 0; i < row.versions.size(); ++i) {
      // Versions that only opsets before 7 have are never met.
      const bool met = i + 1 == row.versions.size() || row.versions[i + 1] > 7;
      const bool removed = row.name == "Upsample" && row.versions[i] > 9;
      if (!met || removed) continue;
      EXPECT_GE((drawn[{row.name, row.versions[i]}]), kAtLeast) << row.name << " version " << row.versions[i];
    }
  }
}

}  // namespace
}  // namespace xrun::float_graphs
