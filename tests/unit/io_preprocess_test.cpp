#include "runtime/io/preprocess.h"
#include "runtime/io/preprocess_apply.h"
#include "runtime/io/preprocess_text.h"
#include "tests/unit/io_test_util.h"

namespace xrun::io {
namespace {

using testing::ExpectFailure;
using testing::Hash;
using testing::Pattern;
using testing::Put;
using testing::TemporaryDirectory;

TEST(Preprocess, ArithmeticIsFloat32) {
  Preprocess p;
  ASSERT_RESULT_OK(ParseMean("0.485,0.456,0.406", p));
  ASSERT_RESULT_OK(ParseStd("0.229,0.224,0.225", p));
  const auto pixels = PreparePixels(p, Pattern(7, 5, 3), 3);
  ASSERT_RESULT_OK(pixels);
  std::vector<float> chw(105), hwc(105);
  NormalizePixels(p, *pixels, Layout::kChw, chw.data());
  NormalizePixels(p, *pixels, Layout::kHwc, hwc.data());
  // p = pattern(7, 5, 3); x = (p.astype("f4") * np.float32(1/255) - np.float32(mean)) / np.float32(std)
  // x[0, 0] and x[4, 6], as float.hex
  const float first[3] = {-0x1.0f177ap+1F, 0x1.3cf3dp+0F, 0x1.1419d8p-2F};
  const float last[3] = {0x1.7ed3cep+0F, 0x1.df039cp-2F, -0x1.fd305ep-2F};
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(hwc[c], first[c]);
    EXPECT_EQ(hwc[102 + c], last[c]);
    EXPECT_EQ(chw[35 * c], first[c]);
    EXPECT_EQ(chw[35 * c + 34], last[c]);
  }
}

TEST(Preprocess, LetterboxIsYolov5s) {
  // letterbox(pattern, (h, w), auto=False) of YOLOv5's utils/augmentations.py with OpenCV 4.14 and 5.0
  struct Case {
    int from_width, from_height, width, height;
    uint64_t hash;
  };
  for (const Case& c : {Case{31, 50, 40, 40, 0x5cd702ce80b9e093U}, Case{37, 20, 48, 64, 0xe2be7eeabc95ef2dU},
                        Case{33, 33, 31, 20, 0x9df4476b9c416171U}}) {
    Preprocess p;
    ASSERT_RESULT_OK(ParseResize(std::to_string(c.width) + "x" + std::to_string(c.height) + ":letterbox", p));
    ASSERT_RESULT_OK(ParseResizeFilter("cv-linear", p));
    const auto pixels = PreparePixels(p, Pattern(c.from_width, c.from_height, 3), 3);
    ASSERT_RESULT_OK(pixels);
    EXPECT_EQ(Hash(pixels->pixels), c.hash) << c.from_width;
  }
}

TEST(Preprocess, ShortestAndCropAreTorchvisions) {
  // torchvision's Resize(size) and CenterCrop(crop) on Pillow images: size computation copied from
  // torchvision/transforms/functional.py, Pillow 13.0
  struct Case {
    int from_width, from_height, size, crop;
    uint64_t hash;
  };
  for (const Case& c : {Case{31, 50, 36, 32, 0x85847ba8d42806eaU}, Case{77, 41, 36, 31, 0x545fe72772745ec9U},
                        Case{32, 32, 20, 20, 0xdf4f311f7825cfe1U}, Case{100, 27, 33, 28, 0x811a6202b17158c4U}}) {
    const std::string size = std::to_string(c.size), crop = std::to_string(c.crop);
    Preprocess p;
    ASSERT_RESULT_OK(ParseResize(size + "x" + size + ":shortest", p));
    ASSERT_RESULT_OK(ParseCrop(crop + "x" + crop, p));
    const auto pixels = PreparePixels(p, Pattern(c.from_width, c.from_height, 3), 3);
    ASSERT_RESULT_OK(pixels);
    EXPECT_EQ(Hash(pixels->pixels), c.hash) << c.from_width;
  }
}

TEST(Preprocess, ChannelOrders) {
  const Image colour = Pattern(2, 1, 3);
  Preprocess p;
  ASSERT_RESULT_OK(ParseChannelOrder("bgr", p));
  const auto bgr = PreparePixels(p, colour, 3);
  ASSERT_RESULT_OK(bgr);
  EXPECT_EQ(bgr->pixels, (std::vector<uint8_t>{colour.pixels[2], colour.pixels[1], colour.pixels[0], colour.pixels[5],
                                               colour.pixels[4], colour.pixels[3]}));
  ExpectFailure(PreparePixels(p, colour, 1), {"one channel", "--channel-order gray"});
  ASSERT_RESULT_OK(ParseChannelOrder("gray", p));
  const auto gray = PreparePixels(p, colour, 1);
  ASSERT_RESULT_OK(gray);
  EXPECT_EQ(gray->pixels, ToGray(colour).pixels);
  const auto repeated = PreparePixels(p, colour, 3);
  ASSERT_RESULT_OK(repeated);
  EXPECT_EQ(repeated->pixels[0], repeated->pixels[2]);
  EXPECT_EQ(repeated->pixels.size(), 6U);
  const auto single = PreparePixels(Preprocess{}, Pattern(2, 1, 1), 1);  // one channel has no order
  ASSERT_RESULT_OK(single);
  EXPECT_EQ(*single, Pattern(2, 1, 1));
}

TEST(Preprocess, RefusesWhatCannotBeDone) {
  Preprocess p;
  ASSERT_RESULT_OK(ParseCrop("10x10", p));
  ExpectFailure(PreparePixels(p, Pattern(9, 20, 1), 1), {"crop of 10x10", "9x20", "--resize 10x10:shortest"});
  p = {};
  ASSERT_RESULT_OK(ParseResize("5000x5000:shortest", p));
  ExpectFailure(PreparePixels(p, Pattern(100, 1, 1), 1), {"500000x5000", "limit of 16384"});
  p = {};
  ASSERT_RESULT_OK(ParseMean("1,2,3", p));
  ExpectFailure(PreparePixels(p, Pattern(2, 2, 1), 1), {"three channels"});
}

TEST(PreprocessText, ParsesAndRefuses) {
  Preprocess p;
  ASSERT_RESULT_OK(ParseResize("640x480:letterbox=0", p));
  EXPECT_EQ(p.resize_width, 640);
  EXPECT_EQ(p.resize_height, 480);
  EXPECT_EQ(p.resize_mode, ResizeMode::kLetterbox);
  EXPECT_EQ(p.letterbox_fill, 0);
  ASSERT_RESULT_OK(ParseScale("1/128", p));
  EXPECT_EQ(p.scale, 0.0078125F);
  const Preprocess before = p;
  ExpectFailure(ParseResize("224", p), {"'224'", "WIDTHxHEIGHT"});
  ExpectFailure(ParseResize("0x224", p), {"0x224"});
  ExpectFailure(ParseResize("224x16385", p), {"16384"});
  ExpectFailure(ParseResize("224x224:letterbax", p), {"letterbax", "did you mean 'letterbox'?"});
  ExpectFailure(ParseResize("224x224:stretch=3", p), {"only letterbox"});
  ExpectFailure(ParseResize("224x224:letterbox=256", p), {"0 to 255"});
  ExpectFailure(ParseResizeFilter("bilinear", p), {"pil-bilinear, cv-linear"});
  ExpectFailure(ParseScale("1/0", p), {"1/0"});
  ExpectFailure(ParseScale("0", p), {"other than 0"});
  ExpectFailure(ParseScale("nan", p), {"nan"});
  ExpectFailure(ParseMean("1,2", p), {"2 values"});
  ExpectFailure(ParseMean("1,,2", p), {"'' is not a number"});
  ExpectFailure(ParseMean("1e300", p), {"not finite"});
  ExpectFailure(ParseStd("0.2,0,0.2", p), {"is 0"});
  ExpectFailure(ParseChannelOrder("RBG", p), {"rgb, bgr, gray"});
  EXPECT_EQ(p, before) << "failed parses change nothing";
}

TEST(PreprocessText, JsonRoundTrips) {
  Preprocess p;
  EXPECT_NE(ToJson(p).find("\"1/255\""), std::string::npos);
  for (const char* resize : {"", "224x224", "256x200:shortest", "640x640:letterbox=7"}) {
    if (*resize != '\0') {
      ASSERT_RESULT_OK(ParseResize(resize, p));
    }
    const auto back = PreprocessFromJson(ToJson(p));
    ASSERT_RESULT_OK(back);
    EXPECT_EQ(*back, p);
    ASSERT_RESULT_OK(ParseCrop("192x100", p));
    ASSERT_RESULT_OK(ParseMean("123.675,-116.28,1e-7", p));
    ASSERT_RESULT_OK(ParseStd("58.395,57.12,57.375", p));
    ASSERT_RESULT_OK(ParseResizeFilter("cv-linear", p));
    ASSERT_RESULT_OK(ParseChannelOrder("bgr", p));
    ASSERT_RESULT_OK(ParseScale("0.1", p));
    EXPECT_TRUE(Validate(p).ok());
  }
  EXPECT_EQ(Summary(p),
            "resize 640x640:letterbox=7 (cv-linear), crop 192x100, bgr, x = (pixel · 0.1 − 123.675,-116.28,1e-07) / "
            "58.395,57.12,57.375");
}

TEST(PreprocessText, JsonTakesNumbersAndRefusesTheRest) {
  const auto p = PreprocessFromJson(R"({"scale": 0.5, "mean": [0.1, 0.2, 0.3], "std": 2})");
  ASSERT_RESULT_OK(p);
  EXPECT_EQ(p->scale, 0.5F);
  EXPECT_EQ(p->mean, (std::vector<float>{0.1F, 0.2F, 0.3F}));
  EXPECT_EQ(p->std, (std::vector<float>{2.0F}));
  ExpectFailure(PreprocessFromJson("{\"scal\": 1}"), {"unknown key 'scal'", "did you mean 'scale'?"});
  ExpectFailure(PreprocessFromJson("{\"resize-filter\": \"cv-linear\"}"), {"did you mean 'resize_filter'?"});
  ExpectFailure(PreprocessFromJson("{\"zzzzzz\": 1}"), {"known keys"});
  ExpectFailure(PreprocessFromJson("{\"mean\": [1, \"x\"]}"), {"'mean'"});
  ExpectFailure(PreprocessFromJson("{\"resize\": 224}"), {"'resize' must be a string"});
  ExpectFailure(PreprocessFromJson("[1]"), {"not a JSON object"});
  ExpectFailure(PreprocessFromJson("{"), {"not valid JSON"});
  ExpectFailure(PreprocessFromJson(std::string(100000, '[')), {"not valid JSON"});
  const TemporaryDirectory directory;
  Put(directory / "p.json", "{\"std\": 0}");
  ExpectFailure(LoadPreprocess(directory / "p.json"), {"p.json", "std is 0"});
}

TEST(PreprocessText, ValidateGuardsForeignSpecifications) {
  Preprocess p;
  p.std = {1, 0, 1};
  EXPECT_FALSE(Validate(p).ok());
  p = {};
  p.mean = {};
  EXPECT_FALSE(Validate(p).ok());
  p = {};
  p.resize_width = 5;
  EXPECT_FALSE(Validate(p).ok());
  p = {};
  p.resize_mode = static_cast<ResizeMode>(9);
  EXPECT_FALSE(Validate(p).ok());
}

}  // namespace
}  // namespace xrun::io
