// From files to arrays, outputs to files, comparisons.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <limits>

#include "tools/driver/infer.h"
#include "tools/driver/tensors.h"

namespace xrun::tools {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("xrun_tools_infer_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

using Outputs = Files;

/// A reference file against outputs, as xinfer --compare does for several runs.
Status CompareWith(const std::string& path, const io::NamedArrays& outputs, double atol = 0) {
  XRUN_ASSIGN_OR_RETURN(const io::NamedArrays expected, LoadReference(path, outputs));
  return CompareOutputs(path, expected, outputs, atol);
}

TEST_F(Outputs, OneToNpyAllToNpz) {
  const io::NamedArrays outputs = {{"a", io::Array::Of<float>({2}, {1, 2})}, {"b", io::Array::Of<int8_t>({1}, {3})}};
  EXPECT_TRUE(WriteOutputs({"b=" + Path("b.npy"), Path("all.npz")}, outputs).ok());
  EXPECT_EQ(io::LoadNpy(Path("b.npy")).value(), outputs.at("b"));
  EXPECT_EQ(io::LoadNpz(Path("all.npz")).value(), outputs);
  EXPECT_FALSE(WriteOutputs({Path("which.npy")}, outputs).ok());
  EXPECT_FALSE(WriteOutputs({Path("a.txt")}, outputs).ok());
  EXPECT_FALSE(WriteOutputs({"c=" + Path("c.npy")}, outputs).ok());
}

TEST_F(Outputs, CompareNamesTheFirstDifferingElement) {
  io::NamedArrays outputs = {{"y", io::Array::Of<float>({2, 3}, {1, 2, 3, 4, 5, 6})}};
  ASSERT_TRUE(io::SaveNpz(Path("same.npz"), outputs).ok());
  EXPECT_TRUE(CompareWith(Path("same.npz"), outputs).ok());
  ASSERT_TRUE(io::SaveNpy(Path("other.npy"), io::Array::Of<float>({2, 3}, {1, 2, 3, 4, 9, 8})).ok());
  const Status differs = CompareWith(Path("other.npy"), outputs);
  ASSERT_FALSE(differs.ok());
  EXPECT_NE(differs.failure().message.find("first at [1,1]: 5, expected 9; 2 of 6 elements differ, by at most 4"),
            std::string::npos)
      << differs.failure().message;
}

TEST_F(Outputs, CompareRefusesOtherNamesAndSizes) {
  const io::NamedArrays outputs = {{"y", io::Array::Of<float>({2}, {1, 2})}, {"z", io::Array::Of<float>({1}, {1})}};
  ASSERT_TRUE(io::SaveNpz(Path("x.npz"), {{"x", outputs.at("y")}}).ok());
  EXPECT_FALSE(CompareWith(Path("x.npz"), outputs).ok());
  ASSERT_TRUE(io::SaveNpz(Path("size.npz"), {{"y", io::Array::Of<float>({1}, {1})}}).ok());
  EXPECT_FALSE(CompareWith(Path("size.npz"), outputs).ok());
  EXPECT_FALSE(CompareWith(Path("absent.npz"), outputs).ok());
}

TEST_F(Outputs, ToleranceIsAbsolute) {
  ASSERT_TRUE(io::SaveNpz(Path("near.npz"), {{"y", io::Array::Of<float>({2}, {1, 2.5F})}}).ok());
  const io::NamedArrays outputs = {{"y", io::Array::Of<float>({2}, {1.25F, 2})}};
  EXPECT_TRUE(CompareWith(Path("near.npz"), outputs, 0.5).ok());
  const Status differs = CompareWith(Path("near.npz"), outputs, 0.25);
  ASSERT_FALSE(differs.ok());
  EXPECT_NE(differs.failure().message.find("first at [1]"), std::string::npos) << differs.failure().message;
}

TEST_F(Outputs, NanEqualsNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const io::NamedArrays outputs = {{"y", io::Array::Of<float>({2}, {nan, 2})}};
  ASSERT_TRUE(io::SaveNpz(Path("nan.npz"), outputs).ok());
  EXPECT_TRUE(CompareWith(Path("nan.npz"), outputs).ok());
  EXPECT_FALSE(CompareWith(Path("nan.npz"), {{"y", io::Array::Of<float>({2}, {1, 2})}}).ok());
}

TEST(OpenSession, ErrorsOfTheLibraryBecomeFailures) {
  const auto session = OpenSession("/nonexistent/p.xprog", "sim", {});
  ASSERT_FALSE(session.ok());
  EXPECT_NE(session.failure().message.find("/nonexistent/p.xprog"), std::string::npos);
}

}  // namespace
}  // namespace xrun::tools
