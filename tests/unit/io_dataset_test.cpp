#include <limits>
#include <numeric>
#include <thread>

#include "runtime/io/dataset.h"
#include "runtime/io/npy.h"
#include "runtime/io/preprocess_text.h"
#include "tests/unit/io_test_util.h"

namespace xrun::io {
namespace {

using testing::ExpectFailure;
using testing::FromHex;
using testing::Put;
using testing::TemporaryDirectory;

// A 2x1 gray PNG, pixels 0 and 255: Image.fromarray(numpy.array([[0, 255]], "u1")).save(f, "PNG")
constexpr const char* kPng2x1 =
    "89504e470d0a1a0a0000000d4948445200000002000000010800000000d14920560000000b49444154789c6360f80f000102010042be"
    "bc680000000049454e44ae426082";

Array Counting(std::vector<int64_t> shape) {
  std::vector<float> values(static_cast<size_t>(*ElementCount(shape)));
  std::iota(values.begin(), values.end(), 0.0F);
  return Array::Of<float>(std::move(shape), values);
}

std::vector<float> Values(const Feed& feed, const std::string& name) {
  const Array& array = feed.tensors.at(name);
  return {array.data<float>(), array.data<float>() + array.size()};
}

class DatasetTest : public ::testing::Test {
 protected:
  std::string Save(const std::string& name, const Array& array) {
    const std::string path = directory_ / name;
    EXPECT_TRUE(SaveNpy(path, array).ok());
    return path;
  }
  TemporaryDirectory directory_;
};

TEST_F(DatasetTest, RowsFillBatches) {
  const std::string path = Save("x.npy", Counting({5, 2}));
  const auto one = Dataset::Open({path}, {{"x", {1, 2}}}, {});
  ASSERT_RESULT_OK(one);
  EXPECT_EQ(one->samples(), 5);
  EXPECT_EQ(one->runs(), 5);
  auto feed = one->Get(3);
  ASSERT_RESULT_OK(feed);
  EXPECT_EQ(feed->tensors.at("x").shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(Values(*feed, "x"), (std::vector<float>{6, 7}));
  EXPECT_EQ(feed->first_sample, 3);

  const auto two = Dataset::Open({path}, {{"x", {2, 2}}}, {});
  ASSERT_RESULT_OK(two);
  EXPECT_EQ(two->samples(), 5);
  EXPECT_EQ(two->runs(), 3);
  feed = two->Get(2);
  ASSERT_RESULT_OK(feed);
  EXPECT_EQ(Values(*feed, "x"), (std::vector<float>{8, 9, 8, 9})) << "the last sample is repeated";
  EXPECT_EQ(feed->valid, 1);
}

TEST_F(DatasetTest, ShapesFitUpToOnes) {
  const std::string path = Save("x.npy", Counting({4, 3, 2}));
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{1, 3, 2, 1}, {1, 1, 3, 2}, {3, 2}, {4, 3, 2}}) {
    const auto dataset = Dataset::Open({path}, {{"x", shape}}, {});
    ASSERT_RESULT_OK(dataset) << ShapeText(shape);
    EXPECT_EQ(dataset->runs(), shape[0] == 4 ? 1 : 4) << ShapeText(shape);
  }
  const auto whole = Dataset::Open({Save("y.npy", Counting({3, 2}))}, {{"x", {1, 3, 2}}}, {});
  ASSERT_RESULT_OK(whole);
  EXPECT_EQ(whole->runs(), 1);
  ExpectFailure(Dataset::Open({path}, {{"x", {1, 2, 3}}}, {}), {"x.npy", "4x3x2", "1x2x3", "Nx2x3"});
}

TEST_F(DatasetTest, LimitsFirstOrSpread) {
  const std::string path = Save("x.npy", Counting({10, 1}));
  DatasetOptions options;
  options.limit = 4;
  const auto first = Dataset::Open({path}, {{"x", {1, 1}}}, options);
  options.pick = Pick::kSpread;
  const auto spread = Dataset::Open({path}, {{"x", {1, 1}}}, options);
  ASSERT_RESULT_OK(first);
  ASSERT_RESULT_OK(spread);
  EXPECT_EQ(first->runs(), 4);
  std::vector<float> got;
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(Values(*first->Get(i), "x")[0], static_cast<float>(i));
    const auto feed = spread->Get(i);
    got.push_back(Values(*feed, "x")[0]);
    EXPECT_EQ(static_cast<float>(feed->first_sample), got.back());
  }
  EXPECT_EQ(got, (std::vector<float>{0, 2, 5, 7}));
  options.limit = 99;
  EXPECT_EQ(Dataset::Open({path}, {{"x", {1, 1}}}, options)->samples(), 10);
}

TEST_F(DatasetTest, SeveralInputs) {
  const std::vector<InputSpec> inputs = {{"left", {1, 2}}, {"right", {1}}};
  const NamedArrays arrays = {{"left", Counting({3, 2})}, {"right", Counting({3})}, {"labels", Counting({3})}};
  ASSERT_RESULT_OK(SaveNpz(directory_ / "both.npz", arrays));
  const std::string left = Save("l.npy", arrays.at("left")), right = Save("r.npy", arrays.at("right"));
  for (const auto& sources :
       std::vector<std::vector<std::string>>{{directory_ / "both.npz"}, {"left=" + left, "right=" + right}}) {
    const auto dataset = Dataset::Open(sources, inputs, {});
    ASSERT_RESULT_OK(dataset);
    EXPECT_EQ(dataset->samples(), 3);
    const auto feed = dataset->Get(2);
    ASSERT_RESULT_OK(feed);
    EXPECT_EQ(Values(*feed, "left"), (std::vector<float>{4, 5}));
    EXPECT_EQ(Values(*feed, "right"), (std::vector<float>{2}));
    if (sources.size() == 1) {
      EXPECT_NE(dataset->Describe().find("'labels'"), std::string::npos);
    }
  }
  ExpectFailure(Dataset::Open({left}, inputs, {}), {"2 inputs", "left, right"});
  ExpectFailure(Dataset::Open({"left=" + left}, inputs, {}), {"no data for input 'right'"});
  ExpectFailure(Dataset::Open({"lefd=" + left}, inputs, {}), {"no input 'lefd'", "did you mean 'left'?"});
  ExpectFailure(Dataset::Open({"left=" + left, "left=" + left}, inputs, {}), {"given twice"});
  ExpectFailure(Dataset::Open({"left=" + Save("l4.npy", Counting({4, 2})), "right=" + right}, inputs, {}),
                {"'right' has 3 samples", "'left' has 4"});
}

TEST_F(DatasetTest, InputsOfOtherLeadingDimensionsNeedAsManyRuns) {
  const std::vector<InputSpec> inputs = {{"a", {2, 3}}, {"b", {5, 1}}};
  const std::string a = "a=" + Save("a.npy", Counting({4, 3}));
  const auto dataset = Dataset::Open({a, "b=" + Save("b.npy", Counting({10, 1}))}, inputs, {});
  ASSERT_RESULT_OK(dataset);
  EXPECT_EQ(dataset->runs(), 2);
  const auto feed = dataset->Get(1);
  ASSERT_RESULT_OK(feed);
  EXPECT_EQ(Values(*feed, "a"), (std::vector<float>{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(Values(*feed, "b"), (std::vector<float>{5, 6, 7, 8, 9}));
  ExpectFailure(Dataset::Open({a, "b=" + Save("b9.npy", Counting({9, 1}))}, inputs, {}),
                {"'b' has 9 samples, 5 a run", "'a' has 4, 2 a run"});
  ExpectFailure(Dataset::Open({a, "b=" + Save("b5.npy", Counting({5, 1}))}, inputs, {}), {"'b' has 5 samples"});
}

TEST_F(DatasetTest, IdxPicturesArePreprocessed) {
  const std::string idx =
      std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02", 16) + std::string("\0\xFF\x7F\1\2\3\4\5", 8);
  Put(directory_ / "images-idx3-ubyte", idx);
  DatasetOptions options;
  ASSERT_RESULT_OK(ParseMean("0.2860", options.preprocess));
  ASSERT_RESULT_OK(ParseStd("0.3530", options.preprocess));
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{1, 1, 2, 2}, {1, 2, 2, 1}, {1, 4}, {2, 1, 2, 2}}) {
    const auto dataset = Dataset::Open({directory_ / "images-idx3-ubyte"}, {{"x", shape}}, options);
    ASSERT_RESULT_OK(dataset) << ShapeText(shape);
    EXPECT_EQ(dataset->samples(), 2);
    const auto feed = dataset->Get(0);
    ASSERT_RESULT_OK(feed);
    EXPECT_EQ(Values(*feed, "x")[0], (0.0F - 0.2860F) / 0.3530F);
    EXPECT_EQ(Values(*feed, "x")[1], (255.0F * (1.0F / 255.0F) - 0.2860F) / 0.3530F);
  }
  ExpectFailure(Dataset::Open({directory_ / "images-idx3-ubyte"}, {{"x", {1, 1, 4, 4}}}, options),
                {"picture 0", "2x2 pixels", "takes 4x4", "--resize 4x4"});
  ExpectFailure(Dataset::Open({directory_ / "images-idx3-ubyte"}, {{"x", {1, 7, 4, 4}}}, options),
                {"takes no pictures"});
}

TEST_F(DatasetTest, Uint8ArraysArePicturesOthersAreValues) {
  const auto colour = Array::Of<uint8_t>({1, 1, 2, 3}, {10, 20, 30, 40, 50, 60});
  DatasetOptions options;
  ASSERT_RESULT_OK(ParseScale("1", options.preprocess));
  const auto nchw = Dataset::Open({Save("c.npy", colour)}, {{"x", {1, 3, 1, 2}}}, options);
  ASSERT_RESULT_OK(nchw);
  EXPECT_EQ(Values(*nchw->Get(0), "x"), (std::vector<float>{10, 40, 20, 50, 30, 60}));
  const auto values = Dataset::Open({Save("v.npy", Array::Of<uint8_t>({2, 2}, {1, 2, 3, 255}))}, {{"x", {1, 2}}}, {});
  ASSERT_RESULT_OK(values);
  EXPECT_EQ(Values(*values->Get(1), "x"), (std::vector<float>{3, 255})) << "rank 2: values, not scaled";
  ExpectFailure(
      Dataset::Open({Save("n.npy", Array::Of<uint8_t>({1, 3, 1, 2}, {1, 2, 3, 4, 5, 6}))}, {{"x", {1, 3, 1, 2}}}, {}),
      {"NHWC", "neither 1 nor 3"});
}

TEST_F(DatasetTest, DirectoriesAndLists) {
  const std::string png = FromHex(kPng2x1);
  for (const char* name : {"tree/b/2.png", "tree/a/10.png", "tree/a/1.png", "tree/.hidden.png"})
    Put(directory_ / name, png);
  Put(directory_ / "tree/a/readme.md", "text");
  const std::vector<InputSpec> inputs = {{"x", {1, 1, 1, 2}}};
  const auto tree = Dataset::Open({directory_ / "tree"}, inputs, {});
  ASSERT_RESULT_OK(tree);
  EXPECT_EQ(tree->samples(), 3);
  EXPECT_EQ(tree->class_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(*tree->DirectoryLabels(), (std::vector<int64_t>{0, 0, 1}));
  EXPECT_EQ(Values(*tree->Get(0), "x"), (std::vector<float>{0, 1}));
  EXPECT_NE(tree->Describe().find("1 others skipped"), std::string::npos);

  Put(directory_ / "tree/my pictures/3 4.png", png);
  Put(directory_ / "list.txt", "tree/b/2.png 7\r\n\n" + directory_.path() + "/tree/my pictures/3 4.png\t-1\n");
  const auto list = Dataset::Open({directory_ / "list.txt"}, inputs, {});
  ASSERT_RESULT_OK(list);
  EXPECT_EQ(list->samples(), 2);
  EXPECT_EQ(*list->labels(), (std::vector<int64_t>{7, -1}));
  EXPECT_FALSE(list->DirectoryLabels().ok());

  const auto single = Dataset::Open({directory_ / "tree/b/2.png"}, inputs, {});
  ASSERT_RESULT_OK(single);
  EXPECT_EQ(single->samples(), 1);

  Put(directory_ / "bad.txt", "tree/b/2.png\nabsent.png\n");
  ExpectFailure(Dataset::Open({directory_ / "bad.txt"}, inputs, {}), {"bad.txt:2", "absent.png", "No such file"});
  Put(directory_ / "mixed.txt", "tree/b/2.png 1\ntree/b/2.png\n");
  ExpectFailure(Dataset::Open({directory_ / "mixed.txt"}, inputs, {}), {"mixed.txt:2", "no label"});
  Put(directory_ / "empty.txt", "\n");
  ExpectFailure(Dataset::Open({directory_ / "empty.txt"}, inputs, {}), {"lists no file"});
  Put(directory_ / "none/readme.md", "text");
  ExpectFailure(Dataset::Open({directory_ / "none"}, inputs, {}), {"holds no .jpg"});
  Put(directory_ / "flat/1.png", png.substr(0, 60));
  ExpectFailure(Dataset::Open({directory_ / "flat"}, inputs, {}), {"1.png", "corrupt PNG"});
  ExpectFailure(Dataset::Open({directory_ / "nowhere"}, inputs, {}), {"nowhere", "No such file"});
  Put(directory_ / "thing.bin", "what is this");
  ExpectFailure(Dataset::Open({directory_ / "thing.bin"}, inputs, {}), {"no known kind", "known: "});
  std::filesystem::create_directory_symlink(".", directory_ / "tree/a/loop");
  ExpectFailure(Dataset::Open({directory_ / "tree"}, inputs, {}), {"nested more than"});
}

TEST_F(DatasetTest, SamplesAsSingleNpyFiles) {
  std::filesystem::create_directory(directory_ / "rows");
  Save("rows/0.npy", Counting({3, 2}));
  Save("rows/1.npy", Array::Of<int8_t>({1, 3, 2}, {1, 2, 3, 4, 5, 6}));
  const auto dataset = Dataset::Open({directory_ / "rows"}, {{"x", {1, 3, 2}}}, {});
  ASSERT_RESULT_OK(dataset);
  EXPECT_EQ(Values(*dataset->Get(1), "x"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  ExpectFailure(Dataset::Open({directory_ / "rows"}, {{"x", {1, 2, 2}}}, {}), {"0.npy", "not one sample"});
}

TEST_F(DatasetTest, RefusesNanForCalibration) {
  auto array = Counting({3, 2});
  array.data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  const std::string path = Save("nan.npy", array);
  DatasetOptions options;
  options.require_finite = true;
  const auto dataset = Dataset::Open({path}, {{"x", {1, 2}}}, options);
  ASSERT_RESULT_OK(dataset);
  ExpectFailure(dataset->Get(1), {"nan.npy", "sample 1", "NaN"});
  EXPECT_TRUE(Dataset::Open({path}, {{"x", {1, 2}}}, {})->Get(1).ok());
  ExpectFailure(Dataset::Open({Save("none.npy", Counting({0, 2}))}, {{"x", {1, 2}}}, {}), {"no samples"});
}

TEST_F(DatasetTest, ThreadsMayShareIt) {
  const std::string png = FromHex(kPng2x1);
  for (int i = 0; i < 8; ++i) Put(directory_ / ("p/" + std::to_string(i) + ".png"), png);
  const auto dataset = Dataset::Open({directory_ / "p"}, {{"x", {1, 1, 1, 2}}}, {});
  ASSERT_RESULT_OK(dataset);
  std::vector<std::thread> threads;
  std::vector<int> good(4);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 8; ++i) good[t] += Values(*dataset->Get(i), "x") == std::vector<float>{0, 1} ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, (std::vector<int>{8, 8, 8, 8}));
}

TEST_F(DatasetTest, Labels) {
  Put(directory_ / "l.txt", "3\n 1 \n\n2\n");
  EXPECT_EQ(*LoadLabels(directory_ / "l.txt"), (std::vector<int64_t>{3, 1, 2}));
  Put(directory_ / "l-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x02\x09\x01", 10));
  EXPECT_EQ(*LoadLabels(directory_ / "l-idx1-ubyte"), (std::vector<int64_t>{9, 1}));
  EXPECT_EQ(*LoadLabels(Save("l.npy", Array::Of<int64_t>({2, 1}, {5, 0}))), (std::vector<int64_t>{5, 0}));
  Put(directory_ / "bad.txt", "3\ncat\n");
  ExpectFailure(LoadLabels(directory_ / "bad.txt"), {"bad.txt:2", "'cat'"});
  ExpectFailure(LoadLabels(Save("f.npy", Array::Of<float>({2}, {1.0F, 0.5F}))), {"label 1", "not a class index"});
  ExpectFailure(LoadLabels(Save("h.npy", Counting({2, 10}))), {"2x10", "one value per sample"});
  ExpectFailure(LoadLabels(Save("n.npy", Array::Of<float>({1}, {std::numeric_limits<float>::quiet_NaN()}))),
                {"label 0"});
  ExpectFailure(LoadLabels(directory_.path()), {"no file of labels"});
}

}  // namespace
}  // namespace xrun::io
