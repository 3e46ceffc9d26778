#ifndef XRUN_RUNTIME_IO_IMAGE_H_
#define XRUN_RUNTIME_IO_IMAGE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "isa/result.h"

namespace xrun::io {

/// Largest side of an image read or produced.
constexpr int kMaxImageSide = 16384;

/// 8-bit pixels, rows top to bottom, channels interleaved: pixels[(y · width + x) · channels + c].
/// channels is 1 (gray) or 3 (red, green, blue, unless said otherwise).
struct Image {
  int width = 0, height = 0, channels = 0;
  std::vector<uint8_t> pixels;
  bool operator==(const Image&) const = default;
};

/// Decodes JPEG (baseline and progressive; CMYK converted) or PNG (every type; 16 bit cut to 8, alpha dropped, palette
/// expanded), told apart by content, to the pixels that Pillow's convert("RGB") gives (16-bit PNG apart); gray stays
/// one channel. Orientation tags and colour profiles are not applied. Pictures whose data end early or are corrupt are
/// refused. Failures do not name the file.
Result<Image> DecodeImage(std::span<const uint8_t> bytes);

/// DecodeImage of a file; failures name it.
Result<Image> LoadImage(const std::string& path);

/// True for the endings .jpg, .jpeg and .png in any case.
bool HasImageExtension(const std::string& path);

/// ITU-R 601 luma with Pillow's rounding: (19595 R + 38470 G + 7471 B + 0x8000) >> 16.
Image ToGray(const Image& image);

namespace internal {
Result<Image> DecodeJpeg(std::span<const uint8_t> bytes);
Result<Image> DecodePng(std::span<const uint8_t> bytes);
/// Pixels for width x height x channels, or a failure when too large or out of memory.
Result<Image> MakeImage(int64_t width, int64_t height, int channels);
}  // namespace internal

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_IMAGE_H_
