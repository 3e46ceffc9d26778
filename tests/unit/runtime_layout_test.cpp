#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "runtime/layout.h"
#include "runtime/quantize.h"

namespace xrun::runtime {
namespace {

/// isa/README.md, section 3, to the letter.
size_t PackedAt(const BufferLayout& l, uint32_t word, uint32_t n, uint32_t c, uint32_t y, uint32_t x) {
  const uint32_t p = l.channel_map.empty() ? c : l.channel_map[c];
  return size_t{n} * l.groups * l.height * l.width * word + ((p / word) * size_t{l.height} + y) * l.width * word +
         x * size_t{word} + p % word;
}

TEST(Layout, FollowsTheFormulaForRandomShapes) {
  std::mt19937 random(17);
  const auto draw = [&](uint32_t lo, uint32_t hi) { return lo + static_cast<uint32_t>(random() % (hi - lo + 1)); };
  for (int i = 0; i < 400; ++i) {
    SCOPED_TRACE(i);
    const uint32_t words[] = {4, 8, 10, 12, 14, 16, 32};
    const uint32_t word = words[draw(0, 6)];
    BufferLayout l;
    l.batch = draw(1, 3);
    l.channels = draw(1, 50);
    l.height = draw(1, 9);
    l.width = draw(1, 11);
    const uint32_t spare = draw(0, 10);
    l.groups = (l.channels + spare + word - 1) / word;
    if (i % 2 == 1) {
      std::vector<uint32_t> map(size_t{l.groups} * word);
      std::iota(map.begin(), map.end(), 0U);
      if (i % 4 == 1) std::shuffle(map.begin(), map.end(), random);
      const uint32_t shift = i % 4 == 3 ? spare : 0;
      l.channel_map.assign(map.begin() + shift, map.begin() + shift + l.channels);
    }
    std::vector<int8_t> model(size_t{l.batch} * l.channels * l.height * l.width);
    for (int8_t& q : model) q = static_cast<int8_t>(random());
    std::vector<uint8_t> packed(size_t{l.batch} * l.groups * l.height * l.width * word, 0xAA), expected = packed;
    size_t k = 0;
    for (uint32_t n = 0; n < l.batch; ++n) {
      for (uint32_t c = 0; c < l.channels; ++c) {
        for (uint32_t y = 0; y < l.height; ++y) {
          for (uint32_t x = 0; x < l.width; ++x)
            expected[PackedAt(l, word, n, c, y, x)] = static_cast<uint8_t>(model[k++]);
        }
      }
    }
    Pack(l, word, model.data(), packed.data());
    ASSERT_EQ(packed, expected);
    std::vector<int8_t> back(model.size());
    Unpack(l, word, packed.data(), back.data());
    ASSERT_EQ(back, model);
  }
}

TEST(Layout, DenseIsPixelAfterPixel) {
  BufferLayout l;
  l.batch = 2;
  l.channels = 3;
  l.height = 2;
  l.width = 5;
  l.dense = true;
  const HardwareConfig config;
  ASSERT_EQ(l.Word(config), 3U);
  ASSERT_EQ(l.Bytes(config), 60U);
  std::vector<int8_t> model(60);
  std::iota(model.begin(), model.end(), int8_t{0});
  std::vector<uint8_t> packed(60, 0xAA);
  Pack(l, l.Word(config), model.data(), packed.data());
  for (size_t n = 0; n < 2; ++n) {
    for (size_t pixel = 0; pixel < 10; ++pixel) {
      for (size_t c = 0; c < 3; ++c) ASSERT_EQ(packed[(n * 10 + pixel) * 3 + c], n * 30 + c * 10 + pixel);
    }
  }
  std::vector<int8_t> back(60);
  Unpack(l, l.Word(config), packed.data(), back.data());
  EXPECT_EQ(back, model);
}

TEST(Quantize, IsQuantizeLinear) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> values(-40.0F, 40.0F);
  std::vector<float> real(1003);
  for (float& x : real) x = values(random);
  const float inf = std::numeric_limits<float>::infinity();
  const float special[] = {0.0F,          -0.0F, 0.125F, -0.125F, 0.375F,  -0.375F, 0.625F,   inf,   -inf,
                           std::nanf(""), 1e30F, -1e30F, 31.75F,  31.875F, -32.0F,  -32.125F, 1e-40F};
  std::copy(std::begin(special), std::end(special), real.begin());
  std::vector<int8_t> q(real.size());
  for (int32_t zero : {0, 5, -128, 127}) {
    for (float scale : {0.25F, 0.3F, 1.0F / 255, 7.0F}) {
      Quantize(real, scale, zero, q);
      for (size_t i = 0; i < real.size(); ++i) {
        const float ratio = real[i] / scale;
        const double rounded = std::isnan(ratio) ? 0.0 : std::nearbyint(std::clamp(double{ratio}, -1e6, 1e6));
        const auto expected = static_cast<int>(std::clamp(rounded + zero, -128.0, 127.0));
        ASSERT_EQ(int{q[i]}, expected) << real[i] << " / " << scale << " + " << zero;
      }
      std::vector<float> back(q.size());
      Dequantize(q, scale, zero, back);
      for (size_t i = 0; i < q.size(); ++i) ASSERT_EQ(back[i], scale * static_cast<float>(q[i] - zero));
    }
  }
}

}  // namespace
}  // namespace xrun::runtime
