#include "runtime/layout.h"

#include <algorithm>
#include <cstring>

namespace xrun::runtime {
namespace {

/// Transposes an 8 × 8 block of bytes: row r of the result holds byte r of each input row. Three rounds of swaps
/// between halves, quarters and eighths of 64-bit words (Hacker's Delight, 7-3), on bytes.
struct Block {
  uint64_t row[8];

  void Transpose() {
    for (int i = 0; i < 4; ++i) Swap(row[i], row[i + 4], 32, 0x00000000FFFFFFFFU);
    for (int i : {0, 1, 4, 5}) Swap(row[i], row[i + 2], 16, 0x0000FFFF0000FFFFU);
    for (int i : {0, 2, 4, 6}) Swap(row[i], row[i + 1], 8, 0x00FF00FF00FF00FFU);
  }

 private:
  static void Swap(uint64_t& low, uint64_t& high, int shift, uint64_t mask) {
    const uint64_t t = ((low >> shift) ^ high) & mask;
    low ^= t << shift;
    high ^= t;
  }
};

/// `channels` planes of `pixels` bytes, one after another, to words of `word` bytes a pixel, or back.
template <bool kPack, typename Planes, typename Words>
void Interleave(Planes* planes, uint64_t pixels, uint32_t channels, Words* words, uint32_t word) {
  uint32_t c = 0;
  for (; c + 8 <= channels; c += 8) {
    uint64_t p = 0;
    for (; p + 8 <= pixels; p += 8) {
      Block block;
      for (uint32_t i = 0; i < 8; ++i) {
        if constexpr (kPack) {
          std::memcpy(&block.row[i], planes + (c + i) * pixels + p, 8);
        } else {
          std::memcpy(&block.row[i], words + (p + i) * word + c, 8);
        }
      }
      block.Transpose();
      for (uint32_t i = 0; i < 8; ++i) {
        if constexpr (kPack) {
          std::memcpy(words + (p + i) * word + c, &block.row[i], 8);
        } else {
          std::memcpy(planes + (c + i) * pixels + p, &block.row[i], 8);
        }
      }
    }
    for (; p < pixels; ++p) {
      for (uint32_t i = c; i < c + 8; ++i) {
        if constexpr (kPack) {
          words[p * word + i] = static_cast<uint8_t>(planes[i * pixels + p]);
        } else {
          planes[i * pixels + p] = static_cast<int8_t>(words[p * word + i]);
        }
      }
    }
  }
  for (; c < channels; ++c) {
    for (uint64_t p = 0; p < pixels; ++p) {
      if constexpr (kPack) {
        words[p * word + c] = static_cast<uint8_t>(planes[c * pixels + p]);
      } else {
        planes[c * pixels + p] = static_cast<int8_t>(words[p * word + c]);
      }
    }
  }
}

/// Runs of channels that lie side by side in one word, each handed to Interleave.
template <bool kPack, typename Model, typename Packed>
void Rearrange(const BufferLayout& layout, uint32_t word, Model* model, Packed* packed) {
  const uint64_t pixels = uint64_t{layout.height} * layout.width;
  const auto physical = [&](uint32_t c) { return layout.channel_map.empty() ? c : layout.channel_map[c]; };
  for (uint32_t n = 0; n < layout.batch; ++n) {
    Model* image = model + n * layout.channels * pixels;
    Packed* planes = packed + n * layout.groups * pixels * word;
    for (uint32_t c = 0; c < layout.channels;) {
      const uint32_t first = physical(c);
      const uint32_t lane = first % word;
      uint32_t count = 1;
      while (c + count < layout.channels && lane + count < word && physical(c + count) == first + count) ++count;
      Interleave<kPack>(image + c * pixels, pixels, count, planes + first / word * pixels * word + lane, word);
      c += count;
    }
  }
}

}  // namespace

void Pack(const BufferLayout& layout, uint32_t word, const int8_t* model, uint8_t* packed) {
  Rearrange<true>(layout, word, model, packed);
}

void Unpack(const BufferLayout& layout, uint32_t word, const uint8_t* packed, int8_t* model) {
  Rearrange<false>(layout, word, model, packed);
}

}  // namespace xrun::runtime
