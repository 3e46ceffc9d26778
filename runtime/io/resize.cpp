#include "runtime/io/resize.h"

#include <algorithm>
#include <cmath>

namespace xrun::io {
namespace {

Image Blank(int width, int height, int channels) {
  auto image = internal::MakeImage(width, height, channels);
  // The caller bounds the sides; memory of this size is asked for again and again, so a lack of it is bad_alloc.
  if (!image.ok()) throw std::bad_alloc();
  return std::move(image).value();
}

// ---- Pillow ----

constexpr int kPillowBits = 32 - 8 - 2;

struct PillowAxis {
  int taps = 0;                 // weights per output
  std::vector<int> first;       // first input of each output
  std::vector<int> count;       // inputs of each output
  std::vector<int32_t> weight;  // [output][taps]
};

PillowAxis MakePillowAxis(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_scale;  // the triangle's support is 1
  PillowAxis axis;
  axis.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  axis.weight.resize(static_cast<size_t>(out) * static_cast<size_t>(axis.taps));
  std::vector<double> weight(static_cast<size_t>(axis.taps));
  for (int o = 0; o < out; ++o) {
    const double center = (o + 0.5) * scale;
    const double step = 1.0 / filter_scale;
    const int first = std::max(static_cast<int>(std::trunc(center - support + 0.5)), 0);
    const int count = std::min(static_cast<int>(std::trunc(center + support + 0.5)), in) - first;
    double sum = 0.0;
    for (int i = 0; i < count; ++i) {
      const double distance = std::fabs((i + first - center + 0.5) * step);
      weight[static_cast<size_t>(i)] = distance < 1.0 ? 1.0 - distance : 0.0;
      sum += weight[static_cast<size_t>(i)];
    }
    for (int i = 0; i < count; ++i) {
      const double w = sum != 0.0 ? weight[static_cast<size_t>(i)] / sum : weight[static_cast<size_t>(i)];
      axis.weight[static_cast<size_t>(o) * static_cast<size_t>(axis.taps) + static_cast<size_t>(i)] =
          static_cast<int32_t>(std::trunc(0.5 + w * (1 << kPillowBits)));
    }
    axis.first.push_back(first);
    axis.count.push_back(count);
  }
  return axis;
}

// Sum of `axis`'s inputs for output `o`, `stride` bytes apart from `from` (input 0) on.
uint8_t PillowSample(const PillowAxis& axis, int o, const uint8_t* from, size_t stride) {
  const int32_t* weight = &axis.weight[static_cast<size_t>(o) * static_cast<size_t>(axis.taps)];
  const uint8_t* p = from + static_cast<size_t>(axis.first[static_cast<size_t>(o)]) * stride;
  int32_t sum = 1 << (kPillowBits - 1);
  for (int i = 0; i < axis.count[static_cast<size_t>(o)]; ++i) sum += p[static_cast<size_t>(i) * stride] * weight[i];
  return static_cast<uint8_t>(std::clamp(sum >> kPillowBits, 0, 255));
}

// ---- OpenCV ----

constexpr int kCvScale = 1 << 11;

struct CvTap {
  int low, high;  // inputs
  int32_t low_weight, high_weight;
};

std::vector<CvTap> MakeCvAxis(int in, int out, bool horizontal) {
  const double scale = 1.0 / (static_cast<double>(out) / in);  // as OpenCV computes it, not in/out
  std::vector<CvTap> taps;
  for (int o = 0; o < out; ++o) {
    float f = static_cast<float>((o + 0.5) * scale - 0.5);
    int i = static_cast<int>(std::floor(f));
    f -= static_cast<float>(i);
    // Past an edge, columns drop the fraction while rows keep it and repeat the edge: the products round differently.
    if (horizontal && i < 0) i = 0, f = 0.0F;
    if (horizontal && i >= in - 1) i = in - 1, f = 0.0F;
    taps.push_back({std::clamp(i, 0, in - 1), std::clamp(i + 1, 0, in - 1),
                    static_cast<int32_t>(std::lrint((1.0F - f) * kCvScale)),
                    static_cast<int32_t>(std::lrint(f * kCvScale))});
  }
  return taps;
}

Image HalveOpenCv(const Image& image, int width, int height) {
  Image result = Blank(width, height, image.channels);
  const size_t c = static_cast<size_t>(image.channels), row = static_cast<size_t>(image.width) * c;
  uint8_t* out = result.pixels.data();
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    for (size_t x = 0; x < static_cast<size_t>(width); ++x) {
      const uint8_t* p = image.pixels.data() + 2 * y * row + 2 * x * c;
      for (size_t k = 0; k < c; ++k) {
        *out++ = static_cast<uint8_t>((p[k] + p[k + c] + p[k + row] + p[k + row + c] + 2) >> 2);
      }
    }
  }
  return result;
}

}  // namespace

Image ResizePillowBilinear(const Image& image, int width, int height) {
  assert(width > 0 && height > 0 && image.width > 0 && image.height > 0);
  const auto channels = static_cast<size_t>(image.channels);
  Image wide = image;
  if (width != image.width) {
    const PillowAxis axis = MakePillowAxis(image.width, width);
    wide = Blank(width, image.height, image.channels);
    uint8_t* out = wide.pixels.data();
    for (int y = 0; y < image.height; ++y) {
      const uint8_t* row = image.pixels.data() + static_cast<size_t>(y) * static_cast<size_t>(image.width) * channels;
      for (int x = 0; x < width; ++x) {
        for (size_t c = 0; c < channels; ++c) *out++ = PillowSample(axis, x, row + c, channels);
      }
    }
  }
  if (height == image.height) return wide;
  const PillowAxis axis = MakePillowAxis(image.height, height);
  Image result = Blank(width, height, image.channels);
  const size_t row_bytes = static_cast<size_t>(width) * channels;
  uint8_t* out = result.pixels.data();
  for (int y = 0; y < height; ++y) {
    for (size_t x = 0; x < row_bytes; ++x) *out++ = PillowSample(axis, y, wide.pixels.data() + x, row_bytes);
  }
  return result;
}

Image ResizeOpenCvLinear(const Image& image, int width, int height) {
  assert(width > 0 && height > 0 && image.width > 0 && image.height > 0);
  if (width == image.width && height == image.height) return image;
  if (image.width == 2 * width && image.height == 2 * height) return HalveOpenCv(image, width, height);
  const std::vector<CvTap> columns = MakeCvAxis(image.width, width, true);
  const std::vector<CvTap> rows = MakeCvAxis(image.height, height, false);
  const auto channels = static_cast<size_t>(image.channels);
  const size_t in_row = static_cast<size_t>(image.width) * channels, out_row = static_cast<size_t>(width) * channels;

  // Two horizontally resized input rows are alive at a time, each known by its index.
  std::vector<int32_t> buffer[2] = {std::vector<int32_t>(out_row), std::vector<int32_t>(out_row)};
  int held[2] = {-1, -1};
  const auto fetch = [&](int y, size_t keep) -> size_t {
    for (size_t b = 0; b < 2; ++b) {
      if (held[b] == y) return b;
    }
    const size_t b = 1 - keep;
    const uint8_t* row = image.pixels.data() + static_cast<size_t>(y) * in_row;
    int32_t* out = buffer[b].data();
    for (const CvTap& tap : columns) {
      const uint8_t* low = row + static_cast<size_t>(tap.low) * channels;
      const uint8_t* high = row + static_cast<size_t>(tap.high) * channels;
      for (size_t c = 0; c < channels; ++c) *out++ = low[c] * tap.low_weight + high[c] * tap.high_weight;
    }
    held[b] = y;
    return b;
  };

  Image result = Blank(width, height, image.channels);
  uint8_t* out = result.pixels.data();
  for (const CvTap& tap : rows) {
    const size_t holding_high = held[1] == tap.high ? 1U : 0U;
    const size_t low = fetch(tap.low, holding_high);
    const size_t high = fetch(tap.high, low);
    const int32_t *a = buffer[low].data(), *b = buffer[high].data();
    for (size_t x = 0; x < out_row; ++x) {
      const int32_t value = ((tap.low_weight * (a[x] >> 4)) >> 16) + ((tap.high_weight * (b[x] >> 4)) >> 16);
      *out++ = static_cast<uint8_t>((value + 2) >> 2);
    }
  }
  return result;
}

}  // namespace xrun::io
