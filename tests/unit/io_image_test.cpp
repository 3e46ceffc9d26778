#include "runtime/io/image.h"
#include "runtime/io/resize.h"
#include "tests/unit/io_test_util.h"

namespace xrun::io {
namespace {

using testing::Bytes;
using testing::ExpectFailure;
using testing::FromHex;
using testing::Hash;
using testing::Pattern;
using testing::Put;
using testing::TemporaryDirectory;

// Written by Pillow 13.0 from Pattern(): the JPEGs as
//   Image.fromarray(pattern(12, 16, 3)).resize((13, 11), Image.BILINEAR).convert(MODE).save(f, "JPEG", ...)
// with MODE RGB, quality=40, subsampling=2; L, quality=40; CMYK, quality=30, progressive=True;
// the PNGs from pattern(5, 4, 3): as it is; quantize(7) with transparency=2; with pattern(5, 4, 1) as alpha;
// convert("1", dither=0); pattern(5, 4, 1) * 257 + 3 as 16 bit.

constexpr const char* kRgbJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb004300140e0f120f0d14121012171514181e32211e1c1c1e3d2c2e243249404c4b47"
    "404645505a736250556d5645466488656d777b8182814e608d978c7d96737e817cffdb0043011517171e1a1e3b21213b7c5346537c7c7c7c"
    "7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7cffc0001108000b000d03"
    "012200021101031101ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc400b510000201030302040305"
    "0504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a2526272829"
    "2a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a9293949596979899"
    "9aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9"
    "faffc4001f0100030101010101010101010000000000000102030405060708090a0bffc400b5110002010204040304070504040001027700"
    "0102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a3536373839"
    "3a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6"
    "a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9faffda000c030100"
    "02110311003f0040eb8ced22943a0fbc597e8db693bcbfecf4a47256342a704e734d5a4ec81534cfffd9";

constexpr const char* kGrayJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb004300140e0f120f0d14121012171514181e32211e1c1c1e3d2c2e243249404c4b47"
    "404645505a736250556d5645466488656d777b8182814e608d978c7d96737e817cffc0000b08000b000d01011100ffc4001f000001050101"
    "0101010100000000000000000102030405060708090a0bffc400b5100002010303020403050504040000017d010203000411051221314106"
    "13516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455"
    "565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9ba"
    "c2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f0040eb8ced22943a0f"
    "bc597e8db693bcbfecf4a47256342a704e735fffd9";

constexpr const char* kProgressiveCmykJpeg =
    "ffd8ffee000e41646f626500640000000000ffdb0043001b12141714111b1716171e1c1b2028422b28252528513a3d3042605565645f555d"
    "5b6a7899816a7190735b5d85b586909ea3abadab6780bcc9baa6c799a8aba4ffc2001408000b000d044311004d11005911004b1100ffc400"
    "17000101010100000000000000000000000000020105ffda000e0443004d0059004b0000000196f4da54caa75fffc4001610010101000000"
    "00000000000000000000001141ffda000801430001050288c7ffc4001810000203000000000000000000000000000111001021ffda000801"
    "4d00010502718a383fffc4001810000203000000000000000000000000000022021011ffda0008015900010502ad68b1ffc4001410010000"
    "0000000000000000000000000020ffda0008014b000105021fffc40014100100000000000000000000000000000020ffda0008014300063f"
    "021fffc400161001010100000000000000000000000000000151ffda0008014d00063f0262a3ffc400161000030000000000000000000000"
    "000000001021ffda0008015900063f0274ffc40014100100000000000000000000000000000020ffda0008014b00063f021fffc4001a1000"
    "02020300000000000000000000000000410111216181ffda0008014300013f21192be90e5691ffc4001a1000030003010000000000000000"
    "00000000011131415161ffda0008014d00013f219e12cb637e066c2729ffc4001a1000020203000000000000000000000000001101812131"
    "71ffda0008015900013f2142e58d81049decffc40014100100000000000000000000000000000020ffda0008014b00013f211fffda000e04"
    "43004d0059004b000000100084ffc4001c100101000202030000000000000000000001110021318141a1b1ffda0008014300013f10040d4f"
    "138eb1b6e9d3ee2a9734f662282121d9779fffc4001d1001000202020300000000000000000000010011516181f0213141ffda0008014d00"
    "013f103c8d8ee75b814f45f1ae3b98802675c351d9248d6a7fffc4001e10000201030500000000000000000000000111002141813161b1c1"
    "f0ffda0008015900013f10d6efec88abb08e25d280358106631034a85b69ffc40014100100000000000000000000000000000020ffda0008"
    "014b00013f101fffd9";

constexpr const char* kRgbPng =
    "89504e470d0a1a0a0000000d4948445200000005000000040802000000c95162170000001849444154789c6364d85d6e6c62626c0c259818"
    "5101213e00d27803d00443c2de0000000049454e44ae426082";

constexpr const char* kPalettePng =
    "89504e470d0a1a0a0000000d4948445200000005000000040403000000b41de87300000015504c54455cd894cf8b4713ce8a01bc78ad6924"
    "9b57126824e0fbf06ceb0000000374524e53ffff00d7ca0d410000001149444154789c6330481560626060806100096600acc98aae240000"
    "000049454e44ae426082";

constexpr const char* kRgbaPng =
    "89504e470d0a1a0a0000000d49484452000000050000000408060000004633f5400000003449444154789c4dcab10d00300803412c65237b"
    "b70cc50878381a88527c737a44dda054242dd1a47c00e4e429176b01807f7c77031eb911509a9589fb0000000049454e44ae426082";

constexpr const char* kBilevelPng =
    "89504e470d0a1a0a0000000d49484452000000050000000401000000006e48c8ed0000001049444154789c63f06062606260620000021800"
    "4f127346d30000000049454e44ae426082";

constexpr const char* kGray16Png =
    "89504e470d0a1a0a0000000d494844520000000500000004100000000033c876df0000003749444154789c012c00d3ff000003bbbe777a33"
    "36eff200abae66692225dee19a9d0056591114cdd0898c4548000104bcbf787b3437f0f399fb12f17e26555f0000000049454e44ae426082";

struct Picture {
  const char* name;
  const char* hex;
  int width, height, channels;
  uint64_t hash;  // of numpy.asarray(Image.open(f).convert("RGB")); for gray of convert("L"), for 16 bit of value >> 8
};

constexpr Picture kPictures[] = {
    {"rgb.jpg", kRgbJpeg, 13, 11, 3, 0xb2c7767119e56a96U},
    {"gray.jpg", kGrayJpeg, 13, 11, 1, 0x49bd3bb75de71a90U},
    {"cmyk.jpg", kProgressiveCmykJpeg, 13, 11, 3, 0xee9c3a2629b7a9c1U},
    {"rgb.png", kRgbPng, 5, 4, 3, 0x00b23fc737a91575U},
    {"palette.png", kPalettePng, 5, 4, 3, 0x91209d6f7cf73f05U},
    {"rgba.png", kRgbaPng, 5, 4, 3, 0x00b23fc737a91575U},
    {"bilevel.png", kBilevelPng, 5, 4, 1, 0xe62ef42b2ec64665U},
    {"gray16.png", kGray16Png, 5, 4, 1, 0xaad4c8bed611d01dU},
};

TEST(Image, DecodesAsPillow) {
  for (const Picture& picture : kPictures) {
    const auto image = DecodeImage(Bytes(FromHex(picture.hex)));
    ASSERT_RESULT_OK(image) << picture.name;
    EXPECT_EQ(image->width, picture.width) << picture.name;
    EXPECT_EQ(image->height, picture.height) << picture.name;
    EXPECT_EQ(image->channels, picture.channels) << picture.name;
    EXPECT_EQ(Hash(image->pixels), picture.hash) << picture.name;
  }
}

TEST(Image, RefusesTruncations) {
  for (const Picture& picture : kPictures) {
    const std::string good = FromHex(picture.hex);
    // A PNG's pixels end before its 12-byte end chunk; a JPEG's before the 2-byte end marker. All of it is asked for.
    for (size_t size = 0; size < good.size(); ++size) {
      EXPECT_FALSE(DecodeImage(Bytes(good.substr(0, size))).ok()) << picture.name << " cut to " << size;
    }
  }
}

TEST(Image, SurvivesFlippedBits) {
  for (const Picture& picture : kPictures) {
    const std::string good = FromHex(picture.hex);
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      const auto image = DecodeImage(Bytes(bad));
      if (image.ok()) {
        EXPECT_EQ(image->pixels.size(), static_cast<size_t>(image->width) * static_cast<size_t>(image->height) *
                                            static_cast<size_t>(image->channels));
      }
    }
  }
}

TEST(Image, RefusesHugeSizes) {
  std::string jpeg = FromHex(kRgbJpeg);
  const size_t frame = jpeg.find("\xFF\xC0");
  jpeg.replace(frame + 5, 4, "\xFF\xDC\xFF\xDC");  // 65500 x 65500
  ExpectFailure(DecodeImage(Bytes(jpeg)), {"65500x65500", "16384x16384"});
  std::string png = FromHex(kRgbPng);
  png.replace(16, 4, std::string("\0\0\x40\x01", 4));
  ExpectFailure(DecodeImage(Bytes(png)), {"corrupt PNG"});
}

TEST(Image, NamesTheFile) {
  const TemporaryDirectory directory;
  Put(directory / "text.jpg", "not a picture");
  ExpectFailure(LoadImage(directory / "text.jpg"), {"text.jpg", "neither a JPEG nor a PNG"});
  Put(directory / "empty.png", "");
  ExpectFailure(LoadImage(directory / "empty.png"), {"empty.png", "is empty"});
  EXPECT_TRUE(HasImageExtension("a/b.JPeG"));
  EXPECT_FALSE(HasImageExtension("a.jpg/b"));
}

TEST(Image, GrayIsPillows) {
  // numpy.asarray(Image.fromarray(pattern(5, 6, 3)).convert("L")).ravel().tolist()
  const std::vector<uint8_t> expected = {123, 175, 76, 98,  150, 124, 176, 77, 99,  151, 125, 177, 78, 100, 152,
                                         126, 178, 79, 101, 153, 127, 179, 80, 103, 154, 129, 180, 81, 104, 155};
  EXPECT_EQ(ToGray(Pattern(5, 6, 3)).pixels, expected);
}

TEST(Resize, SmallPicturesInFull) {
  // numpy.asarray(Image.fromarray(pattern).resize((3, 4), Image.BILINEAR)).ravel().tolist()
  EXPECT_EQ(ResizePillowBilinear(Pattern(7, 5, 1), 3, 4).pixels,
            (std::vector<uint8_t>{115, 120, 156, 109, 109, 155, 85, 132, 131, 85, 121, 126}));
  // cv2.resize(pattern, (3, 4), interpolation=cv2.INTER_LINEAR).ravel().tolist()
  EXPECT_EQ(ResizeOpenCvLinear(Pattern(7, 5, 1), 3, 4).pixels,
            (std::vector<uint8_t>{129, 55, 152, 108, 99, 195, 45, 142, 132, 88, 185, 111}));
}

TEST(Resize, EqualsPillowAndOpenCv) {
  // FNV-1a of the bytes from Pillow 9.4.0 and 12.3.0, and from OpenCV 4.14.0 and 5.0.0, by the calls above. Pillow
  // 13.0.0 agrees but for the last line, where it runs the vertical pass first (see resize.h).
  struct Case {
    int from_width, from_height, channels, width, height;
    uint64_t pillow, opencv;
  };
  constexpr Case kCases[] = {
      {7, 5, 1, 3, 4, 0x8f734aadaa27b08fU, 0x474c29d8284b300cU},
      {7, 5, 3, 11, 9, 0xa4b19c810bbe2c50U, 0xb1c5443c989c4cc2U},
      {28, 28, 1, 32, 32, 0x04643a78b389c0b3U, 0xf7349758891a1e20U},
      {48, 64, 3, 24, 32, 0x2bb2d10acc60c889U, 0x305322ae5136eff9U},  // exact halving
      {48, 64, 3, 17, 5, 0xbebe4d957a2795bcU, 0x144d66334bc8558cU},
      {1, 1, 3, 4, 4, 0x8814a042a1a3cd65U, 0x8814a042a1a3cd65U},
      {65, 33, 1, 65, 33, 0x06c2812e0d19e7dbU, 0x06c2812e0d19e7dbU},  // nothing to do
      {3, 100, 1, 3, 7, 0xbc7c4541d317f4a6U, 0xc9a0faf5fe0e4cedU},    // one axis only
      {200, 9, 3, 13, 90, 0xd876802bb75d7588U, 0x4f63e374a86704a9U},
      {257, 300, 3, 224, 224, 0x76c2924f26cb3b21U, 0xf78db2ddfbd7c975U},
  };
  for (const Case& c : kCases) {
    const Image image = Pattern(c.from_width, c.from_height, c.channels);
    EXPECT_EQ(Hash(ResizePillowBilinear(image, c.width, c.height).pixels), c.pillow)
        << c.from_width << "x" << c.from_height;
    EXPECT_EQ(Hash(ResizeOpenCvLinear(image, c.width, c.height).pixels), c.opencv)
        << c.from_width << "x" << c.from_height;
  }
}

}  // namespace
}  // namespace xrun::io
