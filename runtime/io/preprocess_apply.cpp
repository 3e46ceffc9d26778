#include "runtime/io/preprocess_apply.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "runtime/io/preprocess_text.h"
#include "runtime/io/resize.h"

namespace xrun::io {
namespace {

std::string SizeText(int width, int height) { return std::to_string(width) + "x" + std::to_string(height); }

Result<Image> ResizeTo(const Preprocess& p, const Image& image, int64_t width, int64_t height) {
  if (width > kMaxImageSide || height > kMaxImageSide) {
    return Failure{"a picture of " + SizeText(image.width, image.height) + " would become " + std::to_string(width) +
                       "x" + std::to_string(height) + ", beyond the limit of " + std::to_string(kMaxImageSide),
                   "--resize WxH:stretch or letterbox bounds both sides"};
  }
  const auto resize = p.resize_filter == ResizeFilter::kPilBilinear ? ResizePillowBilinear : ResizeOpenCvLinear;
  return resize(image, static_cast<int>(std::max<int64_t>(width, 1)), static_cast<int>(std::max<int64_t>(height, 1)));
}

// YOLOv5's letterbox(): Python's round() is half to even, as nearbyint is; the odd pixel of a border goes to the right
// and to the bottom.
Result<Image> Letterbox(const Preprocess& p, const Image& image) {
  const double ratio =
      std::min(static_cast<double>(p.resize_height) / image.height, static_cast<double>(p.resize_width) / image.width);
  XRUN_ASSIGN_OR_RETURN(const Image inner, ResizeTo(p, image, static_cast<int64_t>(std::nearbyint(image.width * ratio)),
                                                    static_cast<int64_t>(std::nearbyint(image.height * ratio))));
  XRUN_ASSIGN_OR_RETURN(Image result, internal::MakeImage(p.resize_width, p.resize_height, image.channels));
  std::fill(result.pixels.begin(), result.pixels.end(), p.letterbox_fill);
  const auto border = [](int outer, int inside) {
    return static_cast<size_t>(std::max(0.0, std::nearbyint((outer - inside) / 2.0 - 0.1)));
  };
  const size_t left = border(result.width, inner.width), top = border(result.height, inner.height);
  const auto channels = static_cast<size_t>(image.channels);
  const size_t inner_row = static_cast<size_t>(inner.width) * channels;
  const size_t outer_row = static_cast<size_t>(result.width) * channels;
  for (size_t y = 0; y < static_cast<size_t>(inner.height); ++y) {
    std::memcpy(&result.pixels[(y + top) * outer_row + left * channels], &inner.pixels[y * inner_row], inner_row);
  }
  return result;
}

Result<Image> Resize(const Preprocess& p, const Image& image) {
  const int64_t w = image.width, h = image.height, to_w = p.resize_width, to_h = p.resize_height;
  switch (p.resize_mode) {
    case ResizeMode::kStretch:
      return ResizeTo(p, image, to_w, to_h);
    case ResizeMode::kShortest:
      return to_w * h >= to_h * w ? ResizeTo(p, image, to_w, to_w * h / w) : ResizeTo(p, image, to_h * w / h, to_h);
    case ResizeMode::kLetterbox:
      break;
  }
  return Letterbox(p, image);
}

Result<Image> Crop(const Preprocess& p, const Image& image) {
  if (p.crop_width > image.width || p.crop_height > image.height) {
    return Failure{"the crop of " + SizeText(p.crop_width, p.crop_height) + " exceeds the picture of " +
                       SizeText(image.width, image.height),
                   "--resize " + SizeText(p.crop_width, p.crop_height) + ":shortest makes every picture large enough"};
  }
  const auto offset = [](int outer, int inside) { return static_cast<size_t>(std::nearbyint((outer - inside) / 2.0)); };
  const size_t left = offset(image.width, p.crop_width), top = offset(image.height, p.crop_height);
  XRUN_ASSIGN_OR_RETURN(Image result, internal::MakeImage(p.crop_width, p.crop_height, image.channels));
  const auto channels = static_cast<size_t>(image.channels);
  const size_t from_row = static_cast<size_t>(image.width) * channels;
  const size_t to_row = static_cast<size_t>(result.width) * channels;
  for (size_t y = 0; y < static_cast<size_t>(result.height); ++y) {
    std::memcpy(&result.pixels[y * to_row], &image.pixels[(y + top) * from_row + left * channels], to_row);
  }
  return result;
}

// From gray or RGB to what the model takes.
void OrderChannels(const Preprocess& p, int channels, Image& image) {
  if (image.channels == 1 && channels == 3) {
    std::vector<uint8_t> pixels(image.pixels.size() * 3);
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = image.pixels[i / 3];
    image.pixels = std::move(pixels);
    image.channels = 3;
  } else if (channels == 3 && p.channel_order == ChannelOrder::kBgr) {
    for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) std::swap(image.pixels[i], image.pixels[i + 2]);
  }
}

float OfChannel(const std::vector<float>& values, int channel) {
  return values.size() == 1 ? values[0] : values[static_cast<size_t>(channel)];
}

}  // namespace

Result<Image> PreparePixels(const Preprocess& p, const Image& image, int channels) {
  assert(Validate(p).ok() && (channels == 1 || channels == 3));
  if (channels == 1 && image.channels == 3 && p.channel_order != ChannelOrder::kGray) {
    return Failure{"a colour picture for an input of one channel", "--channel-order gray converts it"};
  }
  if (channels == 1 && (p.mean.size() != 1 || p.std.size() != 1)) {
    return Failure{"mean and std of three channels for an input of one channel", "give one value each"};
  }
  try {
    Image result = p.channel_order == ChannelOrder::kGray ? ToGray(image) : image;
    if (p.resize_width > 0) {
      XRUN_ASSIGN_OR_RETURN(result, Resize(p, result));
    }
    if (p.crop_width > 0) {
      XRUN_ASSIGN_OR_RETURN(result, Crop(p, result));
    }
    OrderChannels(p, channels, result);
    return result;
  } catch (const std::bad_alloc&) {
    return Failure{"not enough memory to prepare a picture of " + SizeText(image.width, image.height), ""};
  }
}

std::array<float, 256> PixelTable(const Preprocess& p, int channel) {
  const float mean = OfChannel(p.mean, channel), deviation = OfChannel(p.std, channel);
  std::array<float, 256> table{};
  for (int pixel = 0; pixel < 256; ++pixel) {
    // volatile: the product is rounded by itself on every target, never fused with the subtraction.
    const volatile float scaled = static_cast<float>(pixel) * p.scale;
    table[static_cast<size_t>(pixel)] = (scaled - mean) / deviation;
  }
  return table;
}

void NormalizePixels(const Preprocess& p, const Image& image, Layout layout, float* out) {
  const auto channels = static_cast<size_t>(image.channels);
  const size_t plane = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  for (size_t c = 0; c < channels; ++c) {
    const auto table = PixelTable(p, static_cast<int>(c));
    const uint8_t* from = image.pixels.data() + c;
    float* to = layout == Layout::kChw ? out + c * plane : out + c;
    const size_t step = layout == Layout::kChw ? 1 : channels;
    for (size_t i = 0; i < plane; ++i) to[i * step] = table[from[i * channels]];
  }
}

}  // namespace xrun::io
