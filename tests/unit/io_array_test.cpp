#include <zlib.h>

#include <cmath>
#include <limits>
#include <map>

#include "runtime/io/array.h"
#include "runtime/io/idx.h"
#include "runtime/io/npy.h"
#include "tests/unit/io_test_util.h"

namespace xrun::io {
namespace {

using testing::ExpectFailure;
using testing::FromHex;
using testing::Put;
using testing::Slurp;
using testing::TemporaryDirectory;

std::string Npy(const std::string& dict, const std::string& data, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>((dict.size() >> (8 * i)) & 0xFF);
  return bytes + dict + data;
}

Result<Array> Parse(const std::string& bytes) {
  const auto buffer = testing::Bytes(bytes);  // its own allocation: reads past the end show under the sanitizer
  MemoryStream stream(buffer);
  return ParseNpy(stream);
}

std::string Text(const char* data, size_t size) { return std::string(data, size); }

TEST(Array, HalvesAreExact) {
  EXPECT_EQ(HalfToFloat(0x3C00), 1.0F);
  EXPECT_EQ(HalfToFloat(0xC000), -2.0F);
  EXPECT_EQ(HalfToFloat(0x7BFF), 65504.0F);
  EXPECT_EQ(HalfToFloat(0x0001), std::ldexp(1.0F, -24));
  EXPECT_EQ(HalfToFloat(0x03FF), std::ldexp(1023.0F, -24));
  EXPECT_EQ(HalfToFloat(0x0400), std::ldexp(1.0F, -14));
  EXPECT_TRUE(std::signbit(HalfToFloat(0x8000)));
  EXPECT_EQ(HalfToFloat(0xFC00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(HalfToFloat(0x7E00)));
}

TEST(Array, CreateRefusesWhatCannotBe) {
  ExpectFailure(Array::Create(ElementType::kFloat32, {-1, 2}), {"-1x2"});
  ExpectFailure(Array::Create(ElementType::kFloat32, {1LL << 40, 1LL << 40}), {"beyond any memory"});
  ExpectFailure(Array::Create(ElementType::kInt8, {1LL << 62}), {"beyond any memory"});
  const auto empty = Array::Create(ElementType::kInt64, {1LL << 40, 0});
  ASSERT_RESULT_OK(empty);
  EXPECT_EQ(empty->size(), 0);
}

TEST(Npy, WritesNumpysHeaders) {
  // python3 -c "import numpy as np, io; b = io.BytesIO(); np.save(b, np.zeros((3, 1), '<f4'));
  // print(b.getvalue()[:128])"
  const std::string padding(58, ' ');
  EXPECT_EQ(NpyHeader(Array::Of<float>({3, 1}, {0, 1, 2})),
            Text("\x93NUMPY\x01\x00v\x00", 10) + "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }" +
                padding + "\n");
  EXPECT_EQ(NpyHeader(Array::Of<int8_t>({}, {1})).substr(10, 58),
            "{'descr': '|i1', 'fortran_order': False, 'shape': (), }   ");
  EXPECT_EQ(NpyHeader(Array::Of<int64_t>({2}, {1, 2})).substr(10, 58),
            "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), } ");
}

TEST(Npy, RoundTripsEveryType) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.npy";
#define X(e, n, t, c)                                                                               \
  {                                                                                                 \
    auto array = Array::Create(ElementType::e, {2, 1, 3});                                          \
    ASSERT_RESULT_OK(array);                                                                        \
    for (size_t i = 0; i < array->bytes.size(); ++i) array->bytes[i] = static_cast<uint8_t>(i & 1); \
    ASSERT_RESULT_OK(SaveNpy(path, *array));                                                        \
    const auto loaded = LoadNpy(path);                                                              \
    ASSERT_RESULT_OK(loaded);                                                                       \
    EXPECT_EQ(*loaded, *array) << n;                                                                \
  }
  XRUN_FOR_EACH_ELEMENT_TYPE(X)
#undef X
  EXPECT_EQ(directory.entries(), 1U);
}

TEST(Npy, ReadsVersionsOrdersAndByteOrders) {
  const std::string data = Text("\0\1\0\2\0\3\0\4\0\5\0\6", 12);
  const auto expected = Array::Of<int16_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  for (const int version : {1, 2, 3}) {
    const auto array = Parse(Npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2, 3), }\n", data, version));
    ASSERT_RESULT_OK(array);
    EXPECT_EQ(*array, expected);
  }
  // numpy.asfortranarray([[1, 3, 5], [2, 4, 6]]) has this data.
  const auto fortran = Parse(Npy("{\"shape\": (2L, 3), 'fortran_order': True, 'descr': '>i2'}", data));
  ASSERT_RESULT_OK(fortran);
  EXPECT_EQ(*fortran, Array::Of<int16_t>({2, 3}, {1, 3, 5, 2, 4, 6}));
  const auto cube = Parse(Npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2,2,3)}", "abcdefghijkl"));
  ASSERT_RESULT_OK(cube);
  EXPECT_EQ(std::string(cube->bytes.begin(), cube->bytes.end()), "aeicgkbfjdhl");
  const auto floats = ToFloat32(*fortran);
  ASSERT_RESULT_OK(floats);
  EXPECT_EQ(*floats, Array::Of<float>({2, 3}, {1, 3, 5, 2, 4, 6}));
}

TEST(Npy, RefusesEveryTruncationAndExtension) {
  const std::string good = Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", "12345678");
  ASSERT_RESULT_OK(Parse(good));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(Parse(good.substr(0, size)).ok()) << size;
  ExpectFailure(Parse(good + "x"), {"8 bytes", "but 9 bytes of data follow"});
}

TEST(Npy, RefusesHostileHeaders) {
  const auto with = [](const std::string& dict) { return Parse(Npy(dict, "1234")); };
  ExpectFailure(with("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9), }"),
                {"promises shape"});
  ExpectFailure(with("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,), }"),
                {"promises shape"});
  ExpectFailure(with("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"), {"no size"});
  ExpectFailure(with("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), {"no size"});
  ExpectFailure(with("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"), {"'|O'", "not supported"});
  ExpectFailure(with("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }"), {"'<U1'"});
  ExpectFailure(with("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), {"structured"});
  ExpectFailure(with("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }"), {"neither True nor False"});
  ExpectFailure(with("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }"), {"repeated key"});
  ExpectFailure(with("{'descr': '<f4', 'shape': (1,), }"), {"lacks"});
  ExpectFailure(with("{'descr': '<f4"), {"unterminated"});
  ExpectFailure(with("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } extra"), {"goes on"});
  std::string deep = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < 40; ++i) deep += "1,";
  ExpectFailure(with(deep + ")}"), {"32 dimensions"});
  ExpectFailure(Parse(Text("\x93NUMPY\x02\x00\xff\xff\xff\x7f{}", 14)), {"claims 2147483647 bytes"});
  ExpectFailure(Parse(Text("\x93NUMPY\x09\x00\x02\x00{}xx", 14)), {"version 9.0"});
  ExpectFailure(Parse("this is text, not an array"), {"not a .npy file"});
}

TEST(Npy, NamesTheFile) {
  const TemporaryDirectory directory;
  ExpectFailure(LoadNpy(directory / "absent.npy"), {"absent.npy", "No such file"});
  Put(directory / "bad.npy", "short");
  ExpectFailure(LoadNpy(directory / "bad.npy"), {"bad.npy", "not a .npy file"});
  ExpectFailure(LoadNpy(directory.path()), {"is a directory"});
}

// numpy.savez_compressed(f, x=numpy.arange(6, dtype='f4').reshape(2, 3), y=numpy.array([1, -2], 'i8'))
constexpr const char* kNumpyNpz =
    "504b03042d0000000800000021004fe9002affffffffffffffff05001400782e6e707901001000980000000000000055000000000000009bec"
    "17ea"
    "1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a463a0ac6"
    "9a3a0a"
    "b50a64032e063068b007120e4004c40d40bcc00100504b03042d0000000800000021009afbf523ffffffffffffffff05001400792e6e707901"
    "001000"
    "90000000000000004b000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a"
    "12774b"
    "cc294e058a17672416a402f91a463a9a3a0ab50a14002e460608f8f71f0200504b01022d032d0000000800000021004fe9002a550000009800"
    "000005"
    "0000000000000000000000800100000000782e6e7079504b01022d032d0000000800000021009afbf5234b0000009000000005000000000000"
    "000000"
    "000080018c000000792e6e7079504b05060000000002000200660000000e0100000000";

const NamedArrays& Expected() {
  static const NamedArrays arrays = {{"x", Array::Of<float>({2, 3}, {0, 1, 2, 3, 4, 5})},
                                     {"y", Array::Of<int64_t>({2}, {1, -2})}};
  return arrays;
}

TEST(Npz, ReadsNumpys) {
  const TemporaryDirectory directory;
  Put(directory / "a.npz", FromHex(kNumpyNpz));
  const auto arrays = LoadNpz(directory / "a.npz");
  ASSERT_RESULT_OK(arrays);
  EXPECT_EQ(*arrays, Expected());
}

TEST(Npz, RoundTripsDeterministically) {
  const TemporaryDirectory directory;
  for (const bool compress : {false, true}) {
    ASSERT_RESULT_OK(SaveNpz(directory / "a.npz", Expected(), compress));
    const std::string first = Slurp(directory / "a.npz");
    ASSERT_RESULT_OK(SaveNpz(directory / "a.npz", Expected(), compress));
    EXPECT_EQ(Slurp(directory / "a.npz"), first);
    const auto arrays = LoadNpz(directory / "a.npz");
    ASSERT_RESULT_OK(arrays);
    EXPECT_EQ(*arrays, Expected());
  }
  EXPECT_EQ(directory.entries(), 1U);
  ExpectFailure(SaveNpz(directory / "none.npz", {}), {"none.npz", "no arrays"});
  ExpectFailure(SaveNpz(directory / "no/such/dir.npz", Expected()), {"dir.npz", "No such file"});
}

TEST(Npz, SurvivesEveryTruncationAndFlippedBit) {
  const TemporaryDirectory directory;
  const std::string path = directory / "bad.npz", good = FromHex(kNumpyNpz);
  for (size_t size = 0; size < good.size(); size += 3) {
    Put(path, good.substr(0, size));
    ExpectFailure(LoadNpz(path), {"bad.npz"});
  }
  size_t accepted = 0;
  for (size_t bit = 0; bit < good.size() * 8; bit += 5) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    Put(path, bad);
    const auto arrays = LoadNpz(path);
    if (arrays.ok()) {
      ++accepted;  // time stamps, versions and key names carry no checksum; values must be right all the same
      for (const auto& [name, array] : *arrays) {
        EXPECT_TRUE(array == Expected().at("x") || array == Expected().at("y")) << "bit " << bit;
      }
    }
  }
  EXPECT_LT(accepted, good.size() * 8 / 5 / 4);
}

TEST(Npz, RefusesEntriesThatAreNoArrays) {
  const TemporaryDirectory directory;
  std::string renamed = FromHex(kNumpyNpz);
  for (size_t at; (at = renamed.find("x.npy")) != std::string::npos;) renamed.replace(at, 5, "x.txt");
  Put(directory / "a.npz", renamed);
  ExpectFailure(LoadNpz(directory / "a.npz"), {"a.npz", "x.txt", "not a .npy"});
}

std::string Gzip(const std::string& bytes) {
  std::string out(bytes.size() + 200, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Idx, ReadsPlainAndCompressed) {
  const TemporaryDirectory directory;
  const std::string images = Text("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02", 16) + "abcd";
  const std::string shorts = Text("\0\0\x0B\x01\0\0\0\x02\x01\x02\xFF\xFE", 12);
  Put(directory / "images", images);
  Put(directory / "images.gz", Gzip(images));
  Put(directory / "shorts", shorts);
  for (const char* name : {"images", "images.gz"}) {
    const auto array = LoadIdx(directory / name);
    ASSERT_RESULT_OK(array);
    EXPECT_EQ(*array, Array::Of<uint8_t>({2, 1, 2}, {'a', 'b', 'c', 'd'}));
  }
  const auto array = LoadIdx(directory / "shorts");
  ASSERT_RESULT_OK(array);
  EXPECT_EQ(*array, Array::Of<int16_t>({2}, {0x0102, -2}));
}

TEST(Idx, RefusesWhatIsWrong) {
  const TemporaryDirectory directory;
  const std::string path = directory / "bad-idx3-ubyte";
  const std::string good = Text("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02", 16) + "abcd";
  const std::string packed = Gzip(good);
  for (size_t size = 0; size < good.size(); ++size) {
    Put(path, good.substr(0, size));
    ExpectFailure(LoadIdx(path), {"bad-idx3-ubyte"});
  }
  for (size_t size = 0; size < packed.size(); ++size) {
    Put(path, packed.substr(0, size));
    ExpectFailure(LoadIdx(path), {"bad-idx3-ubyte"});
  }
  Put(path, good + "e");
  ExpectFailure(LoadIdx(path), {"more data follow"});
  Put(path, Gzip(good + "e"));
  ExpectFailure(LoadIdx(path), {"more data follow"});
  std::string flipped = packed;
  flipped[packed.size() - 6] = static_cast<char>(flipped[packed.size() - 6] ^ 1);  // its checksum
  Put(path, flipped);
  ExpectFailure(LoadIdx(path), {"cannot be unpacked"});
  Put(path, Text("\0\0\x08\x03\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 16) + "abcd");
  ExpectFailure(LoadIdx(path), {"4294967295x4294967295x4294967295", "4 bytes of data follow"});
  Put(path, Text("\0\0\x07\x01\0\0\0\x01x", 9));
  ExpectFailure(LoadIdx(path), {"not an IDX file"});
}

}  // namespace
}  // namespace xrun::io
